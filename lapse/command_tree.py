"""All commands of `lapse`, as typer knows them: for the reference, and for tests that leave none out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click.core import Command as AnyCommand


@dataclass(frozen=True)
class Command:
    """A command, and the words that call it: `lapse ledger verify`."""

    words: tuple[str, ...]
    command: TyperCommand
    panel: str
    """Under which heading `lapse --help` shows it; a group's commands stand under the group's name."""

    @property
    def name(self) -> str:
        """As it is typed."""
        return " ".join(self.words)

    @property
    def epilog(self) -> str:
        """The end of its help, with the example."""
        return self.command.epilog or ""


def commands(app: typer.Typer) -> Iterator[Command]:
    """All commands, in the order of the help."""
    return _within(typer.main.get_command(app), ("lapse",), "")


def _within(command: "AnyCommand", words: tuple[str, ...], panel: str) -> Iterator[Command]:
    if isinstance(command, TyperGroup):
        for name, each in command.commands.items():
            heading = panel or getattr(each, "rich_help_panel", None) or f"{' '.join((*words, name))} …"
            yield from _within(each, (*words, name), heading)
    elif isinstance(command, TyperCommand):
        yield Command(words, command, panel)
