"""`python -m bench.sweep`: a large table swept in pieces, one of them killed, on the local stack.

Shows that the sweep needs the same memory for any table, that it goes on where a killed run stood, and that
no personal value is read: each raw HTTP response is kept and searched.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench.place import Case, Place, fresh_place, shipments, store
from bench.sweep_function import Wire
from lapse import project
from lapse.endpoint import Endpoint
from lapse.stack import running
from shared.due_table import DueTable
from shared.record import SHARDS
from shared.sweep_progress import SweepTable

CANARY = b"canary-"
DUE_OF = 10
"""One of so many records is due."""
_AT_ONCE = 5_000
_MOST_PIECES = 100
_TABLES = {"Shipments": "shipments", "Contacts": "contacts"}


@dataclass
class Piece:
    """One run of the function: how long it took, what memory; and whether it was killed."""

    seconds: float
    killed: bool = False
    finished: bool = False
    loaded_mb: float = 0
    peak_mb: float = 0
    counts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Swept:
    """What a sweep came to."""

    items: int
    due: int
    pieces: Sequence[Piece]
    timers: int
    read_bytes: int
    canaries: int
    """Personal values among all that was read."""
    canaries_of_a_get: int
    """The same of one plain read of a record: what the search would find."""

    @property
    def counts(self) -> Mapping[str, Any]:
        """By rule, as the last run reported them."""
        return self.pieces[-1].counts

    @property
    def items_a_second(self) -> float:
        """Over all pieces, with the start of each process."""
        return self.items / sum(piece.seconds for piece in self.pieces)


def sweep_in_pieces(
    endpoint: Endpoint, items: int, *, seconds: float, kill_after: int, units_of_the_first: float = 0
) -> Swept:
    """Sweep a table of so many records.

    Args:
        endpoint: of the local stack.
        items: of which a tenth is due.
        seconds: how long a run may take, but for the first.
        kill_after: how many items the first run goes through before it is killed.
        units_of_the_first: its cap of read units a second.
    """
    place = fresh_place(endpoint)
    due = _fill(place, items)
    with TemporaryDirectory(prefix="lapse-bench-") as directory:
        wire = Path(directory) / "wire"
        pieces = [_killed(place, wire, kill_after, units_of_the_first)]
        while not pieces[-1].finished and len(pieces) < _MOST_PIECES:
            pieces.append(_run(place, wire, seconds))
        read = wire.read_bytes()
        a_get = Path(directory) / "get"
        _get(place, a_get)
        return Swept(
            items,
            due,
            pieces,
            _timers(place),
            len(read),
            read.count(CANARY),
            a_get.read_bytes().count(CANARY),
        )


def _fill(place: Place, items: int) -> int:
    """Records whose events never came; how many of them are due."""
    now = datetime.now(UTC)
    for begin in range(0, items, _AT_ONCE):
        numbers = range(begin, min(begin + _AT_ONCE, items))
        dues = [now + timedelta(days=-1 if number % DUE_OF == 0 else 30) for number in numbers]
        store(place, "shipments", [_with_canaries(each) for each in shipments(dues, size=400)])
    return len(range(0, items, DUE_OF))


def _with_canaries(case: Case) -> Case:
    values = {name: {"S": f"canary-{name}"} for name in ("contact_number", "email", "name")}
    return Case(case.record, {**case.item, **values}, case.due)


def _start(place: Place, wire: Path, seconds: float, units_a_second: float) -> subprocess.Popen[str]:
    arn = "arn:aws:{}:eu-west-1:000000000000:{}"
    environment = project.clean_environment({
        **place.endpoint.environment(),
        "TABLES": ",".join(f"{logical}={place.table(plain)}" for logical, plain in _TABLES.items()),
        "FACTS_TABLE": place.table("facts"),
        "DUE_TABLE": place.table("due"),
        "LEDGER_TABLE": place.table("ledger"),
        "EVENT_BUS_NAME": "default",
        "WAKE_UP_GROUP": place.name,
        "WAKE_UP_ROLE_ARN": arn.format("iam", "role/wake-up"),
        "FAILURE_QUEUE_ARN": arn.format("sqs", "failures"),
        "PURGE_FUNCTION_ARN": arn.format("lambda", "function:purge"),
        "SWEEP_UNITS_PER_SECOND": str(units_a_second),
        "POWERTOOLS_SERVICE_NAME": "sweep",
        "POWERTOOLS_METRICS_NAMESPACE": "Lapse",
    })  # fmt: skip
    command = [sys.executable, "-m", "bench.sweep_function", str(seconds), str(wire)]
    return subprocess.Popen(command, cwd=project.ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def _run(place: Place, wire: Path, seconds: float) -> Piece:
    began = time.monotonic()
    process = _start(place, wire, seconds, 0)
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the sweep ended with {process.returncode}")
    report = json.loads(output.splitlines()[-1])
    return Piece(
        time.monotonic() - began,
        finished=report["finished"],
        loaded_mb=report["loaded_mb"],
        peak_mb=report["peak_mb"],
        counts=report["counts"],
    )


def _killed(place: Place, wire: Path, after: int, units_a_second: float) -> Piece:
    """A run that is killed as soon as so many items are through."""
    began = time.monotonic()
    process = _start(place, wire, 3600, units_a_second)
    while _through(place) < after:
        if process.poll() is not None:
            raise RuntimeError("the sweep was through before it could be killed")
        time.sleep(0.05)
    process.kill()
    process.communicate()
    # Its lease would keep the next run waiting for two minutes, as it should.
    key: Any = {"shard": {"S": "lease"}, "sk": {"S": f"{SHARDS:02}"}}
    place.dynamodb().delete_item(TableName=place.table("due"), Key=key)
    return Piece(time.monotonic() - began, killed=True)


def _through(place: Place) -> int:
    """How many items the sweep went through, by its own cursors."""
    progress = SweepTable(place.dynamodb(), place.table("due"))
    current = progress.read()
    return sum(part.scanned for part in progress.read_parts(current).values()) if current else 0


def _timers(place: Place) -> int:
    timers, now = DueTable(place.dynamodb(), place.table("due")), datetime.now(UTC)
    return sum(len(timers.ready(shard, now, "", 1_000_000)) for shard in range(SHARDS))


def _get(place: Place, wire: Path) -> None:
    """A plain read, kept in the same way."""
    client = place.dynamodb()
    with wire.open("ab", buffering=0) as file:
        client.meta.events.register("before-parse.dynamodb.*", Wire(file).keep)
        client.scan(TableName=place.table("shipments"), Limit=1)


def _rows(swept: Swept) -> Iterator[tuple[str, ...]]:
    for number, piece in enumerate(swept.pieces, 1):
        end = "killed" if piece.killed else "finished" if piece.finished else "time up"
        memory = "" if piece.killed else f"{piece.loaded_mb:.0f} + {piece.peak_mb - piece.loaded_mb:.0f}"
        yield f"{swept.items:,}", str(number), f"{piece.seconds:.1f}", end, memory


def _report(all_swept: Sequence[Swept]) -> Iterator[Table | str]:
    table = Table("records", "piece", "seconds", "ended", "peak MB: loaded + sweeping")
    for swept in all_swept:
        for row in _rows(swept):
            table.add_row(*row)
    yield table
    yield from map(_summary, all_swept)


def _summary(swept: Swept) -> str:
    return (
        f"{swept.items:,} records, {swept.due:,} due: {swept.timers:,} timers set, "
        f"{swept.items_a_second:,.0f} records a second. {swept.read_bytes / 1024**2:.1f} MB came over the "
        f"wire, with {swept.canaries} personal values; in a plain read of one record there are "
        f"{swept.canaries_of_a_get}. Found: {json.dumps(swept.counts)}"
    )


def main(
    items: Annotated[int, typer.Option(help="Of the large table; the small one has a tenth")] = 200_000,
    seconds: Annotated[float, typer.Option(help="How long each run may take after the killed one")] = 30,
) -> None:
    """Sweep a small table and a large one, and print what it took."""
    console = Console()
    with running(tick_seconds=3600) as stack:
        swept = [
            sweep_in_pieces(stack.endpoint, number, seconds=seconds, kill_after=number // 2)
            for number in (items // 10, items)
        ]
    for part in _report(swept):
        console.print(part)


if __name__ == "__main__":
    typer.run(main)
