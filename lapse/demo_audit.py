"""The demo as officers and auditors see it: the report; the evidence, verified offline, and tampered with."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lapse import project
from lapse.stack import StackError

REPORT = project.ROOT / ".build" / "demo-report.html"

type Step = tuple[str, bool]
"""What was done, and whether it came out as it must."""


def audit(stack: str, connected: Mapping[str, str], directory: Path) -> Iterator[Step]:
    """What an officer and an auditor do, by the commands that they type.

    Args:
        stack: the stack's name.
        connected: the variables that lead to it; the verifiers are not given them.
        directory: where the copies go.

    Raises:
        StackError: what is to be audited could not be copied.
    """
    export, seals = directory / "ledger.jsonl", directory / "seals"
    lapse = [sys.executable, "-P", "-m", "lapse", "--stack", stack]
    for command in (
        ["seal"],
        [
            "ledger",
            "seals",
            "--out",
            str(seals),
        ],  # first: an export may go on behind the last seal, not before
        ["ledger", "export", "--out", str(export)],
    ):
        if _run([*lapse, *command], connected) != 0:
            raise StackError(f"lapse {command[0]} failed")
    nothing_is_overdue = _run([*lapse, "report", "--html", str(REPORT)], connected) == 0
    yield f"lapse report: nothing is overdue; see {REPORT.relative_to(project.ROOT)}", nothing_is_overdue
    (key,) = (seals / "keys").iterdir()
    by = ["--seals", str(seals), "--public-key", str(key)]
    for name, verifier in {
        "lapse ledger verify": [*lapse, "ledger", "verify"],
        "audit/verify.py": [sys.executable, str(project.ROOT / "audit" / "verify.py")],
    }.items():
        yield (
            f"{name}, without AWS: the ledger is whole, as sealed",
            _run([*verifier, str(export), *by], {}) == 0,
        )
        for what, tampered in TAMPERED.items():
            copy = directory / "tampered.jsonl"
            copy.write_text(tampered(export.read_text()))
            yield f"{name}: {what} is found", _run([*verifier, str(copy), *by], {}) == 1


def _edited(export: str) -> str:
    """An erasure that is said to have been none."""
    return export.replace('\\"outcome\\":\\"erased\\"', '\\"outcome\\":\\"held\\"', 1)


def _removed(export: str) -> str:
    """Without the first batch."""
    first, _, *others = export.splitlines(keepends=True)
    return "".join([first, *others])


def _cut(export: str) -> str:
    """Without the last batch: only a seal tells."""
    return "".join(export.splitlines(keepends=True)[:-1])


TAMPERED: Mapping[str, Callable[[str], str]] = {
    "an entry that was edited": _edited,
    "a batch that was removed": _removed,
    "a tail that was cut off": _cut,
}


def _run(command: list[str], connected: Mapping[str, str]) -> int:
    environment = project.clean_environment({"PYTHONPATH": str(project.ROOT), **connected})
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode
