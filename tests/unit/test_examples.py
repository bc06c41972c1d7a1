"""The example at the end of each command's help works, as it is printed."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from lapse.cli import app
from lapse.command_tree import Command, commands
from lapse.controls import Controls
from lapse.examples import TITLE, example, typed_lines
from tests.account import deployed
from tests.operators import Operator

ROOT = Path(__file__).parents[2]
COMMANDS = {each.name: each for each in commands(app)}


@pytest.fixture
def controls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Controls]:
    """A deployed Lapse with some history, seen from a directory like the project's."""
    for name in ("shared", "events"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    with deployed() as found:
        yield found


def printed(command: Command, columns: int) -> list[str]:
    """The lines of the example, as the command's help shows them."""
    answer = Operator().types(*command.words[1:], "--help", columns=columns)
    assert (answer.code, answer.out.count(TITLE)) == (0, 1), f"{command.name} shows no example"
    return typed_lines(answer.out)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_example_runs_as_it_is_printed(name: str, controls: Controls) -> None:
    """On a usual terminal; each is an example of its own command, and ends with 0."""
    lines = printed(COMMANDS[name], columns=80)
    assert lines
    for line in lines:
        words = shlex.split(line)
        assert words[: len(name.split())] == name.split()
        answer = Operator().types(*words[1:], connect=lambda: controls)
        assert (answer.code, answer.err) == (0, ""), f"{line}: {answer.out}{answer.err}"
        assert answer.out


def test_all_commands_are_found() -> None:
    """Those of groups, too."""
    assert {
        "lapse hold",
        "lapse ledger verify",
        "lapse policy plan",
        "lapse restore facts",
    } <= COMMANDS.keys()


@pytest.mark.parametrize("columns", [78, 80, 200])
def test_a_long_example_is_broken_as_a_shell_joins_it(columns: int) -> None:
    """However wide the terminal, the words are the same."""
    lines = printed(COMMANDS["lapse correct"], columns)
    assert [shlex.split(line) for line in lines] == [
        shlex.split(
            "lapse correct Contacts C-7 --kind left --was 2026-08-05T10:15:00Z"
            " --is 2026-08-20T10:15:00Z --by staff-7 --yes"
        )
    ]


def test_several_examples_stand_on_lines_of_their_own() -> None:
    """Long or short."""
    commands = [f"lapse {'word ' * 30}end", "lapse b"]
    assert [line.split() for line in typed_lines(example(*commands))] == [each.split() for each in commands]
