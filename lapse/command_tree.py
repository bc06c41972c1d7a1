"""All commands of `lapse`, as typer knows them: for the reference, and for tests that leave none out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click.core import Command as AnyCommand

_ALONE = 2
"""Words of a command that belongs to no group: `lapse`, and its name."""


@dataclass(frozen=True)
class Command:
    """A command, and the words that call it: `lapse ledger verify`."""

    words: tuple[str, ...]
    command: TyperCommand
    panel: str
    """Under which heading `lapse --help` shows it; a group's commands stand under the group's name."""
    about: str
    """What its group is about."""

    @property
    def name(self) -> str:
        """As it is typed."""
        return " ".join(self.words)

    @property
    def in_group(self) -> bool:
        """Whether it belongs to a group, such as `lapse ledger`."""
        return len(self.words) > _ALONE

    @property
    def epilog(self) -> str:
        """The end of its help, with the example."""
        return self.command.epilog or ""


def commands(app: typer.Typer) -> Iterator[Command]:
    """All commands, in the order of the help."""
    root = typer.main.get_command(app)
    for name, each in root.commands.items() if isinstance(root, TyperGroup) else ():
        if isinstance(each, TyperGroup):
            for own, command in each.commands.items():
                yield _command(("lapse", name, own), command, f"lapse {name} …", each.help)
        else:
            yield _command(("lapse", name), each, getattr(each, "rich_help_panel", ""), "")


def _command(words: tuple[str, ...], command: "AnyCommand", panel: str, about: str | None) -> Command:
    if not isinstance(command, TyperCommand):
        raise TypeError(f"{' '.join(words)} is no command: the reference knows one level of groups")
    return Command(words, command, panel, about or "")
