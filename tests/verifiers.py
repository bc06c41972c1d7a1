"""Both verifiers of an export, as they are run."""

import contextlib
import io
import runpy
import subprocess
import sys
from typing import Any
from unittest import mock

from lapse import project
from lapse.demo_tampering import Places, places_in
from tests.operators import Operator

AUDIT = project.ROOT / "audit" / "verify.py"


def unreachable() -> Any:
    raise AssertionError("AWS was asked")


def shown(said: str) -> str:
    """What a verifier says, whose every character can be seen: it says nothing that somebody made up."""
    assert all(line.isprintable() for line in said.split("\n"))
    return said


def verified(arguments: list[str]) -> tuple[int, Places, str]:
    """How `lapse ledger verify` ends, what places it names, and what it says."""
    answer = Operator().types("ledger", "verify", *arguments, columns=300, connect=unreachable)
    assert answer.err == ""
    return answer.code, places_in(shown(answer.out)), answer.out


def audit(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """The auditor's verifier, in a process that can import nothing of the project."""
    command = [sys.executable, "-I", str(AUDIT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")  # noqa: S603 -- the project's own file


def audited(arguments: list[str]) -> tuple[int, Places, str]:
    """The same of the auditor's verifier."""
    done = audit(arguments)
    assert done.stderr == ""
    return done.returncode, places_in(shown(done.stdout)), done.stdout


def audited_here(arguments: list[str]) -> tuple[int, Places, str]:
    """The same in this process, which is faster."""
    verifier = runpy.run_path(str(AUDIT))
    out, ended = io.StringIO(), SystemExit(0)
    with contextlib.redirect_stdout(out), mock.patch.object(sys, "argv", [str(AUDIT), *arguments]):
        try:
            verifier["main"]()
        except SystemExit as error:
            ended = error
    return int(ended.code or 0), places_in(shown(out.getvalue())), out.getvalue()
