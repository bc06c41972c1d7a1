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


def verified(arguments: list[str]) -> tuple[int, Places, str]:
    """How `lapse ledger verify` ends, what places it names, and what it says."""
    answer = Operator().types("ledger", "verify", *arguments, columns=300, connect=unreachable)
    assert answer.err == ""
    return answer.code, places_in(answer.out), answer.out


def audited(arguments: list[str]) -> tuple[int, Places, str]:
    """The same of the auditor's verifier, in a process that can import nothing of the project."""
    command = [sys.executable, "-I", str(AUDIT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")  # noqa: S603 -- the project's own file
    assert done.stderr == ""
    return done.returncode, places_in(done.stdout), done.stdout


def audited_here(arguments: list[str]) -> tuple[int, Places, str]:
    """The same in this process, which is faster."""
    verifier = runpy.run_path(str(AUDIT))
    out, ended = io.StringIO(), SystemExit(0)
    with contextlib.redirect_stdout(out), mock.patch.object(sys, "argv", [str(AUDIT), *arguments]):
        try:
            verifier["main"]()
        except SystemExit as error:
            ended = error
    return int(ended.code or 0), places_in(out.getvalue()), out.getvalue()
