"""Shell completion: typer's own, for the script itself."""

import os
import subprocess
from pathlib import Path

import pytest

LAPSE = Path(__file__).parents[2] / "bin" / "lapse"


def run(*words: str, **environment: str) -> str:
    """What the script prints."""
    usual = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(  # noqa: S603 -- our own script
        [str(LAPSE), *words], env=usual, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("shell", "registers"),
    [
        ("bash", "complete -o default -F _lapse_completion lapse"),
        ("zsh", "compdef _lapse_completion lapse"),
        ("fish", "complete --command lapse"),
    ],
)
def test_each_shell_has_a_script(shell: str, registers: str) -> None:
    """It registers the command, by the name that it is called by."""
    script = run("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert registers in script
    assert "_LAPSE_COMPLETE" in script


@pytest.mark.parametrize(
    ("line", "word", "completed"),
    [
        ("lapse ho", 1, ["hold", "holds"]),
        ("lapse ledger v", 2, ["verify"]),
        ("lapse hold --re", 2, ["--reason"]),
    ],
)
def test_what_a_shell_asks_is_answered(line: str, word: int, completed: list[str]) -> None:
    """Commands, and their options; without a connection to anything."""
    found = run(_LAPSE_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(word))
    assert found.split() == completed
