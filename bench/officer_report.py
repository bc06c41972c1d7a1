"""`python -m bench.officer_report`: the report over a small ledger and one ten times as large.

Shows that it needs the same memory for any ledger: each size is reported on in a process of its own, with all
its files, from batches that are made as they are read.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Annotated, Any

import typer

from lapse.overview import look_over
from lapse.report_files import add_evidence, evidence_csv, write_json, write_lists, write_page
from shared.config import deployed_policy
from shared.evidence import Entry, Outcome
from shared.ledger_batch import BEGINNING, MOST_ENTRIES, Batch, chained, seal
from shared.record import SHARDS, RecordRef

NOW = datetime(2026, 8, 25, 10, 15, tzinfo=UTC)
SMALL, LARGE = 10_000, 100_000
AIM = 1.5
_SALT = b"0123456789abcdef"


@dataclass(frozen=True)
class MadeUpLedger:
    """So many erasures, in whole chains that are kept nowhere."""

    entries: int

    def batches(self, shard: int) -> Iterator[Batch]:
        """As `Ledger.batches`."""
        end = BEGINNING
        of_shard = range(shard, self.entries, SHARDS)
        for first in range(0, len(of_shard), MOST_ENTRIES):
            lines = [seal(_erasure(number), _SALT) for number in of_shard[first : first + MOST_ENTRIES]]
            batch = chained(f"{shard:02}", end, lines)
            end = int(batch["seq"]), batch["hash"]
            yield batch


def _erasure(number: int) -> Entry:
    at = NOW - timedelta(minutes=number % (90 * 24 * 60))
    return Entry(
        outcome=Outcome.ERASED,
        at=at,
        cause="wake-up",
        policy="0" * 64,
        record=RecordRef("Shipments", {"shipment_id": {"S": f"S-{number}"}}).text,
        rule="delivery-contact",
        clause="2.2.1",
        due=at - timedelta(seconds=20),
        fields=(("contact_number",), ("email",)),
    )


def stack_with(ledger: MadeUpLedger) -> Any:  # noqa: ANN401 -- as much of the controls as a report asks for
    """A stack of which nothing but its ledger is worth a word."""
    policy = deployed_policy()
    nothing = SimpleNamespace(read=lambda: None, last=lambda: None, of_tables=list)
    return SimpleNamespace(
        stack="lapse",
        account="",
        region="",
        policy=policy,
        zone=policy.rules[0].zone,
        timers=SimpleNamespace(ready=lambda *_: [], unreadable=lambda _: 0),
        ledger=ledger,
        told=lambda _: ([], 0),
        dead_letters=SimpleNamespace(count=lambda: 0, reasons=dict, failures=lambda: 0),
        **dict.fromkeys(("brake", "sweeps", "purges", "seals", "copies"), nothing),
    )


def write(entries: int) -> None:
    """Write all files of a report; print the seconds and the peak of this process in MB."""
    begin, lapse = time.monotonic(), stack_with(MadeUpLedger(entries))
    with TemporaryDirectory() as place:
        folder = Path(place)
        with evidence_csv(folder) as rows:
            seen = look_over(lapse, NOW, partial(add_evidence, rows))
        write_lists(lapse, seen, folder)
        write_page(seen, folder / "report.html")
        write_json(seen, folder / "report.json")
    if (seen.ledger.entries, seen.ledger.found) != (entries, 0):
        raise RuntimeError("the report is not about the ledger that was made")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.monotonic() - begin:.1f} {peak:.0f}")


def main(*, entries: Annotated[int, typer.Option(hidden=True)] = 0) -> None:
    """Measure both sizes, and compare; end with 1 if the large one takes too much."""
    if entries:
        write(entries)
        return
    peaks = []
    for size in (SMALL, LARGE):
        command = [sys.executable, "-m", "bench.officer_report", "--entries", str(size)]
        seconds, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        peaks.append(float(peak))
        print(f"{size:,} entries: {seconds} s, made and reported on; at most {peak} MB")
    ratio = peaks[1] / peaks[0]
    print(f"{ratio:.2f} times the memory for ten times the entries (aim: {AIM})")
    if ratio > AIM:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
