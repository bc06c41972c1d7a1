"""What `lapse restore replay` and `facts` say: how far it came, and what is to be done next."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from rich.table import Table

from lapse.answer import add_row, counted, ends, table_of
from lapse.json_forms import pause_json
from lapse.listing import Listing
from shared.found import Counts
from shared.pausing import Pause
from shared.policy import Policy
from shared.rebuild_facts import Rebuilt
from shared.replay import Replayed, Stopped
from shared.tally import Count

_COUNTED = {
    Count.ERASED: "erased",
    Count.ALREADY_ABSENT: "found absent",
    Count.RECORD_ABSENT: "not in the table",
    Count.HELD: "held",
    Count.WAITING: "not due yet",
    Count.OBSERVED: "only observed",
    Count.FAILED: "failed",
}


def replay_json(table: str, real_name: str, policy: Policy, replayed: Replayed) -> dict[str, Any]:
    """How far a replay came."""
    return {
        "table": table,
        "as": real_name,
        "policy": policy.digest,
        "through": replayed.through,
        "stopped": replayed.stopped.value if replayed.stopped else None,
        "marks": replayed.marks,
        "counts": {name: replayed.tally.counts[count] for count, name in _COUNTED.items()},
        "found": _by_rule(replayed.counts),
        "failures": sorted(set(replayed.failures)),
    }


def _by_rule(counts: Counts | None) -> dict[str, dict[str, int]]:
    by_rule: dict[str, dict[str, int]] = {}
    for (rule, found), number in (counts or {}).items():
        if number:
            by_rule.setdefault(rule, {})[found.value] = number
    return by_rule


def replay_table(replayed: Replayed) -> Table:
    """What a replay did, for people."""
    rows = table_of("Done", "Records")
    for done, number in _done(replayed):
        add_row(rows, done, f"{number:,}")
    return rows


def replay_remarks(table: str, real_name: str, replayed: Replayed) -> Iterator[str]:
    """How far it came, and what is to be done next."""
    if replayed.stopped is Stopped.PAUSED:
        yield "Lapse is paused, so nothing more is erased here either. Run it again after `lapse resume`."
    elif replayed.stopped is Stopped.DECLINED:
        yield "Stopped as you said. Run it again to go on."
    elif replayed.failures:
        failures = ", ".join(sorted(set(replayed.failures)))
        yield f"Not through: {counted(len(replayed.failures), 'failure')} ({failures}). Run it again."
    else:
        yield f"Through. Now: lapse restore check {table} --as {real_name}"


def replay_listing(replayed: Replayed, remarks: Iterable[str]) -> Listing:
    """What a replay did, as a list."""
    rows = [{"done": done, "records": number} for done, number in _done(replayed)]
    return Listing(("done", "records"), rows, tuple(remarks))


def _done(replayed: Replayed) -> Iterator[tuple[str, int]]:
    yield "hold marks put right", replayed.marks
    for count, name in _COUNTED.items():
        if replayed.tally.counts[count]:
            yield name, replayed.tally.counts[count]


def facts_json(rebuilt: Rebuilt, pause: Pause | None) -> dict[str, Any]:
    """The same as `facts_texts`, for programs."""
    return {**asdict(rebuilt), "paused_again": pause and pause_json(pause)}


def facts_texts(rebuilt: Rebuilt, pause: Pause | None) -> Iterator[str]:
    """What became of Facts."""
    yield f"The ledger knows facts of {counted(rebuilt.records, 'record')}."
    yield f"{rebuilt.added:,} were missing and are there again, {rebuilt.completed:,} were completed."
    if pause:
        whose = f"{ends(pause.until)}, by {pause.paused_by}: {pause.reason_code}"
        yield f"A pause was lost with them. Lapse is paused again, {whose}."
    if rebuilt.unreadable:
        yield f"{rebuilt.unreadable:,} parts of the ledger cannot be read: see `lapse ledger verify`."
        yield "They may have told of holds, so Lapse is paused: see to them, then `lapse resume`."
