"""`python -m bench.ledger`: what export and verification take for 10,000 entries and for 100,000.

Ends with 1 if 100,000 take more than 10 seconds of one core to verify, or more than 1.5 times the memory of
10,000.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from bench.made_ledger import MadeLedger, sealed_by
from lapse import project
from shared.seal_bucket import pem

SIZES = (10_000, 100_000)
MOST_SECONDS = 10.0
MOST_RATIO = 1.5


@dataclass(frozen=True)
class Took:
    """Seconds of one core, and the most memory at a time."""

    seconds: float
    peak_mb: float


def measure(entries: int, where: Path) -> Mapping[str, Took]:
    """Export, verify, and have it verified as an auditor would."""
    export, key = where / "ledger.jsonl", where / "key.pem"
    public, seal = sealed_by(MadeLedger(entries).heads())
    (where / "seals").mkdir()
    (where / "seals" / "0000000001.json").write_text(seal)
    key.write_text(pem(public))
    given = [str(export), "--seals", str(where), "--public-key", str(key)]
    return {
        "lapse ledger export": _run(where, "export", str(entries), str(export)),
        "lapse ledger verify": _run(where, "ledger", "verify", *given),
        "audit/verify.py": _run(where, "audit", *given),
    }


def _run(where: Path, *command: str) -> Took:
    result = where / "took.json"
    subprocess.run(
        [sys.executable, "-m", "bench.peak", str(result), *command],
        cwd=project.ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    took: Mapping[str, float] = json.loads(result.read_text())
    assert took["status"] == 0, took  # noqa: S101 -- a figure of what failed would mean nothing
    return Took(took["seconds"], took["peak_mb"])


def as_table(small: Mapping[str, Took], large: Mapping[str, Took]) -> Table:
    """Both sizes side by side, and the ratio of their memory."""
    table = Table("entries", *(f"{size:,}" for size in SIZES), *(f"{size:,}" for size in SIZES), "ratio")
    for name, at_small in small.items():
        at_large = large[name]
        figures = (at_small.seconds, at_large.seconds, at_small.peak_mb, at_large.peak_mb)
        ratio = at_large.peak_mb / at_small.peak_mb
        units = ("s", "s", "MB", "MB")
        shown = (f"{figure:.1f} {unit}" for figure, unit in zip(figures, units, strict=True))
        table.add_row(name, *shown, f"{ratio:.2f}")
    return table


def main() -> None:
    """Measure, print, and end with 1 if it is not as promised."""
    taken = []
    for entries in SIZES:
        with TemporaryDirectory() as where:
            taken.append(measure(entries, Path(where)))
    small, large = taken
    Console().print(as_table(small, large))
    slow = [name for name, took in large.items() if "verify" in name and took.seconds > MOST_SECONDS]
    fat = [name for name, took in large.items() if took.peak_mb > MOST_RATIO * small[name].peak_mb]
    sys.exit(f"Not as promised: {', '.join([*slow, *fat])}" if slow or fat else 0)


if __name__ == "__main__":
    main()
