"""docs/cli.md is what the commands say of themselves."""

from pathlib import Path

import typer

from lapse.cli import app
from lapse.cli_reference import reference
from lapse.command_tree import commands
from lapse.examples import example

KEPT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def test_the_kept_page_is_current() -> None:
    """`make docs` would change nothing."""
    assert reference() == KEPT, "run: make docs"


def test_each_command_has_a_section() -> None:
    """With its help, its options and its example."""
    for each in commands(app):
        section = KEPT.partition(f"### {each.name}\n")[2].partition("\n#")[0]
        assert f"`{each.name}" in section
        assert (each.command.help or "?").splitlines()[0] in section
        assert f"```\n{each.name}" in section


def test_what_would_break_a_table_is_escaped() -> None:
    """Choices stand between bars, which in Markdown part cells."""
    page = typer.Typer()

    @page.callback()
    def _root() -> None: ...

    @page.command(epilog=example("lapse a"), rich_help_panel="P")
    def a(way: str = typer.Option(metavar="x|y", help="One | other.")) -> None:
        """Do it."""

    assert "| `--way x\\|y` | One \\| other. [required] |" in reference(page)
