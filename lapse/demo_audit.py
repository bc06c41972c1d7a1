"""The demo as officers and auditors see it: the report; the evidence, verified offline, and tampered with."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lapse import project
from lapse.demo_copy import Copy
from lapse.demo_tampering import TAMPERINGS, Places, Tampering, places_in
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
    lapse = [sys.executable, "-P", "-m", "lapse", "--stack", stack]
    export, seals = directory / "ledger.jsonl", directory / "seals"
    # Seals are copied first: an export may go on behind the last of them, and not end before it.
    copying = (["ledger", "seals", "--out", str(seals)], ["ledger", "export", "--out", str(export)])
    for command in (["seal"], ["seal"], ["seal"], *copying):
        if _run([*lapse, *command], connected).returncode != 0:
            raise StackError(f"lapse {' '.join(command[:2])} failed")
    nothing_is_overdue = _run([*lapse, "report", "--html", str(REPORT)], connected).returncode == 0
    yield f"lapse report: nothing is overdue; see {REPORT.relative_to(project.ROOT)}", nothing_is_overdue
    auditor = Auditor(lapse, *(seals / "keys").iterdir())
    yield "without AWS, both verifiers: the ledger is whole, as sealed", auditor.finds(export, seals, set())
    for number, (what, tamper) in enumerate(TAMPERINGS.items()):
        yield auditor.try_to(tamper, what, Copy.read(export, seals), directory / f"{number}")


@dataclass(frozen=True)
class Auditor:
    """Somebody with the two verifiers, and the key that they trust."""

    lapse: list[str]
    key: Path

    def try_to(self, tamper: Tampering, what: str, copy: Copy, directory: Path) -> Step:
        """Tamper with a copy; whether both verifiers find it, at its places and no others."""
        places = tamper(copy)
        export, seals = directory / "ledger.jsonl", directory / "seals"
        copy.write(export, seals)
        named, others = sorted(places)[:2], len(places) - 2
        where = " and ".join(named) + (f" and at {others} more" if others > 0 else "")
        return f"{what}: found at {where}", self.finds(export, seals, places)

    def finds(self, export: Path, seals: Path, places: Places) -> bool:
        """Whether both verifiers find something wrong at these places, and nowhere else."""
        given = [str(export), "--seals", str(seals), "--public-key", str(self.key)]
        ours = [*self.lapse, "ledger", "verify", *given]
        theirs = [sys.executable, "-I", str(project.ROOT / "audit" / "verify.py"), *given]
        with ThreadPoolExecutor() as both:
            done = list(both.map(lambda command: _run(command, {"COLUMNS": "300"}), [ours, theirs]))
        return all((each.returncode, places_in(each.stdout)) == (1 if places else 0, places) for each in done)


def _run(command: list[str], connected: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    environment = project.clean_environment({"PYTHONPATH": str(project.ROOT), **connected})
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
