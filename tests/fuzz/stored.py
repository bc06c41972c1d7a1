"""Targets for what comes back from tables, where it may be damaged: facts, timers, references."""

import json
from contextlib import suppress
from datetime import datetime
from typing import Any

from shared.due_row import row_of_timer, timer_of_row
from shared.facts import Closing, FactKind, Facts, Hold, Request
from shared.facts_row import facts_of_row, row_of_facts
from shared.instants import DAY, FIRST, LAST
from shared.record import RecordRef
from shared.timer import PUT_OFF_AT_MOST, Timer
from tests.builders import LONG_AGO, NOW, contact_ref
from tests.fuzz import hostile
from tests.fuzz.checks import silent, sound
from tests.fuzz.choices import Choices, damaged
from tests.fuzz.tables import CANARY
from tests.fuzz.target import Target
from tests.fuzz.wire import damaged_item, loaded, stored
from tests.fuzz.writing import as_json, decoded, encoded

RECORD = contact_ref(f"{CANARY}-1")
FACTS = Facts(
    version=7,
    instants={FactKind.LEFT: frozenset({LONG_AGO, NOW}), FactKind.RETURNED: frozenset({LONG_AGO})},
    holds={
        "C-1": Hold("damaged", "C-1", "staff", LONG_AGO, NOW),
        "C-2": Hold("damaged", "C-2", "staff", LONG_AGO, NOW, LONG_AGO + DAY, "staff"),
    },
    requests={"R-1": Request("R-1", LONG_AGO, "staff", NOW, "erased"), "R-2": Request("R-2", NOW, "staff")},
    withdrawn={FactKind.LEFT: frozenset({LONG_AGO})},
)
FACTS_ROW = row_of_facts(RECORD, FACTS)
TIMER = Timer(RECORD, "leaver-contact", at=NOW, due=LONG_AGO, attempts=3, stamp="0" * 32)
DUE_ROW = {**row_of_timer(TIMER), "stamp": {"S": TIMER.stamp}}
FACTS_NAMES = ("shipped", "requested", "withdrawn", "since", "until", "closed_at", "answered_at")
CLOCKS = (NOW, NOW, LONG_AGO, LAST, FIRST, NOW.replace(microsecond=1), LAST - DAY)


def make_facts_row(choices: Choices) -> bytes:
    """A row of Facts."""
    return stored(damaged_item(FACTS_ROW, choices, FACTS_NAMES))


def check_facts_row(text: bytes) -> None:
    """Facts of sound instants that can be kept, told more and asked; or it is unreadable."""
    row = loaded(text)
    facts = read_facts(row)
    if facts is None:
        assert not (_are_maps(row, "holds", "requests") and read_facts(_without(row, "holds", "requests")))
        return
    for kinds in (facts.instants, facts.withdrawn):
        for kind, several in kinds.items():
            assert kind in FactKind
            assert all(map(sound, several))
    kept = facts_of_row(row_of_facts(RECORD, facts))
    assert (kept.holds, kept.requests, kept.version) == (facts.holds, facts.requests, facts.version)
    assert all(kept.of(kind) == facts.of(kind) for kind in FactKind)
    sound(facts.last_instant())
    for now in CLOCKS:
        for hold in facts.in_force(now):
            assert hold.until is None or sound(hold.until) > now
        _tell_more(facts, now)


def _are_maps(row: dict[str, Any], *names: str) -> bool:
    """Whether there are holds and requests in these, however damaged: these do not make a row unreadable."""
    return all("M" in each for name in names for each in row.get(name, {}).get("M", {}).values())


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def read_facts(row: Any) -> Facts | None:
    """What a row says; `None` if it is unreadable."""
    try:
        return facts_of_row(row)
    except (ValueError, KeyError) as error:  # what `FactsToSweepTable.scan` takes for a row that says nothing
        silent(error)
        return None


def _tell_more(facts: Facts, now: datetime) -> None:
    """Whatever is told next can be told, and is kept."""
    for kind in FactKind:
        sound(max(facts.told(kind, now).of(kind) | {FIRST}))
        facts.corrected(kind, LONG_AGO, now)
    held = facts.held(Hold("lost", "C-1", "staff", now, LAST))
    released = held.released(Closing("C-1", "staff", now))
    asked = released.requested(Request("R-1", now, "staff"))
    answered = asked.answered([each.request_id for each in asked.open_requests()], now, "erased")
    assert not answered.open_requests()
    assert answered.version >= facts.version
    row_of_facts(RECORD, answered)


def make_due_row(choices: Choices) -> bytes:
    """A row of the Due table."""
    row = damaged_item(DUE_ROW, choices, keys=("shard", "sk"))
    if choices.chance():  # somebody who knows how keys are made
        with suppress(AttributeError, KeyError, TypeError):
            record = RecordRef(row["table"]["S"], row["key"]["M"])
            at = row["sk"]["S"].partition("#")[0]
            row["shard"] = {"S": f"{record.shard:02}"}
            row["sk"] = {"S": f"{at}#{row['rule']['S']}#{record.key_digest}"}
    return stored(row)


def check_due_row(text: bytes) -> None:
    """A timer that can be worked, moved and removed, or none."""
    row = loaded(text)
    timer = timer_of_row(row)
    if timer is None:
        return
    sound(timer.at)
    sound(timer.due)
    again = timer_of_row({**row_of_timer(timer), "stamp": {"S": timer.stamp}})
    assert again == timer
    assert again.stamp == timer.stamp
    assert (row["shard"]["S"], row["sk"]["S"]) == (f"{timer.record.shard:02}", timer.sort_key)
    assert len(str(timer.backed_off(NOW).attempts)) <= 38
    assert NOW < sound(timer.backed_off(NOW).at) <= NOW + PUT_OFF_AT_MOST
    assert RecordRef.of(timer.record.text) == timer.record


def make_reference(choices: Choices) -> bytes:
    """A record's reference."""
    sample = as_json(
        damaged({"pk": {"S": CANARY}, "sk": {"N": "7"}}, choices, hostile.anything, ("S", "N", "pk"))
    )
    tight = sample.replace(": ", ":").replace(", ", ",")
    text = f"{choices.pick(['Shipments', '', CANARY, '#'])}#{choices.pick([tight, sample, tight * 2])}"
    return encoded(choices.edited(text) if choices.chance(4) else text)


def check_reference(data: bytes) -> None:
    """The reference that reads so, in the one way to write it; or none."""
    text = decoded(data)
    try:
        record = RecordRef.of(text)
    except ValueError as error:
        silent(error)
        return
    assert record.text == text
    assert record.table == text.split("#")[0]
    assert record.key == json.loads(text.split("#", 1)[1])
    assert all(isinstance(each, str) for value in record.key.values() for each in (*value, *value.values()))
    assert 0 <= record.shard < 16
    assert len(record.key_digest) == 64


TARGETS = {
    "facts_rows": Target(make_facts_row, check_facts_row),
    "due_rows": Target(make_due_row, check_due_row),
    "references": Target(make_reference, check_reference),
}
