"""docs/cli.md, made of the commands themselves: `python -m lapse.cli_reference`."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import typer
from typer.core import TyperArgument, TyperOption

from lapse.cli import app
from lapse.command_tree import Command, commands
from lapse.examples import typed_lines

if TYPE_CHECKING:
    from typer._click.core import Command as AnyCommand

_INTRODUCTION = """\
# The command line

This page is made of the commands themselves (`make docs`). What they are for, and when to use which, is in
[operate.md](operate.md); tables that come from a backup are in [restore.md](restore.md).

Each ends with 0; with 1 if it could not do what it was asked for, or found something wrong (it says
what, and how to mend it); with 2 if it was called wrongly. None shows a personal field. `--json`
prints one object, `--csv` a list with a header; instants are in RFC 3339. In a list, what a
spreadsheet would take for a formula begins with a `'`. Progress and remarks go to stderr. `lapse
--install-completion` makes the shell complete commands and options.
"""


def reference(lapse: typer.Typer = app) -> str:
    """The whole page, in Markdown."""
    return "\n".join(_page(lapse)) + "\n"


def _page(lapse: typer.Typer) -> Iterator[str]:
    yield _INTRODUCTION
    yield "## Before the command\n"
    yield "`lapse [OPTIONS] COMMAND …`\n"
    yield from _parameters(typer.main.get_command(lapse), "lapse")
    panels = groupby(_in_order(commands(lapse)), key=lambda each: (each.panel, each.about))
    for (panel, about), found in panels:
        yield f"## {panel}\n"
        if about:
            yield f"{about}\n"
        for each in found:
            yield from _section(each)


def _in_order(found: Iterable[Command]) -> list[Command]:
    """Panel by panel, in the order in which each is first seen; groups of commands come last."""
    all_of_them = list(found)
    panels = list(dict.fromkeys(each.panel for each in all_of_them))
    return sorted(all_of_them, key=lambda each: (each.in_group, panels.index(each.panel)))


def _section(found: Command) -> Iterator[str]:
    context = typer.Context(found.command, info_name=found.name)
    usage = " ".join([found.name, *found.command.collect_usage_pieces(context)])
    yield f"### {found.name}\n"
    yield f"{(found.command.help or '').strip()}\n"
    yield f"`{usage.replace('{', '').replace('}', '')}`\n"
    yield from _parameters(found.command, found.name)
    yield "```\n" + "\n".join(typed_lines(found.epilog)) + "\n```\n"


def _parameters(command: "AnyCommand", name: str) -> Iterator[str]:
    context = typer.Context(command, info_name=name)
    rows = [row for each in command.params if (row := _row(each, context))]
    if rows:
        yield "| argument or option | meaning |\n|---|---|"
        yield from rows
        yield ""


def _row(parameter: object, context: typer.Context) -> str:
    """A line of the table; of typer's own options, none."""
    if not isinstance(parameter, TyperArgument | TyperOption):
        return ""
    record = parameter.get_help_record(context)
    if record is None or "completion" in record[0]:
        return ""
    named, told = record
    if isinstance(parameter, TyperArgument):
        named = parameter.metavar or named
    return f"| `{_cell(named)}` | {_cell(' '.join(told.split()))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
