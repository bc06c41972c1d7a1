"""`python -m bench.peak FILE COMMAND…`: a command of Lapse's, or the auditor's; into FILE what it took."""

import json
import runpy
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from bench.made_ledger import MadeLedger


def run(command: list[str]) -> None:
    """Run a command in this process; `export` has a ledger that is made while it is read."""
    match command:
        case ["audit", *arguments]:
            sys.argv = ["verify.py", *arguments]
            runpy.run_path(str(Path(__file__).parents[1] / "audit" / "verify.py"), run_name="__main__")
        case ["export", entries, file]:
            _lapse(["ledger", "export", "--out", file], MadeLedger(int(entries)))
        case _:
            _lapse(command)


def _lapse(command: list[str], ledger: MadeLedger | None = None) -> None:
    from lapse.cli import app  # noqa: PLC0415 -- an auditor's process has none of it

    batches = ledger.all_batches if ledger else None
    connected = SimpleNamespace(batches=batches, stack="lapse", clock=lambda: datetime.now(UTC))
    app(command, obj=lambda: connected)


def _peak_mb() -> float:
    """Of this process alone: what `getrusage` says may be its parent's."""
    (line,) = [each for each in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in each]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    status: object = 0
    result, *command = sys.argv[1:]
    try:
        run(command)
    except SystemExit as ended:
        status = ended.code
    took = {"status": status or 0, "seconds": time.process_time(), "peak_mb": _peak_mb()}
    Path(result).write_text(json.dumps(took))
