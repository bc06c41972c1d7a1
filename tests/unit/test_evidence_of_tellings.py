"""The evidence of what Lapse was told, word for word: from it alone, Facts can be made again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.correct_fact import Correction
from shared.evidence import Entry, Outcome
from shared.facts import Closing, FactKind, Hold
from shared.facts_of_entries import is_about_facts, is_readable, longest_pause, rebuilt
from shared.hold_records import Held, place_hold, put_mark_right, release_hold
from shared.instants import to_text
from shared.pausing import SHARD_OF_PAUSES, Pause
from tests.builders import (
    LONG_AGO,
    NOW,
    contact,
    contact_ref,
    left,
    policy,
    requested,
    shipment,
    shipment_ref,
    shipped,
)
from tests.memory import Memory
from tests.worlds import MemoryBusiness, World, memory_world

DAY = timedelta(days=1)
POLICY = policy()
RECORD = shipment_ref()
HOLD = Hold("damaged", "CASE-1", "staff-1", NOW, NOW + 10 * DAY)
HOLD_DETAILS = {
    "case_ref": "CASE-1",
    "reason_code": "damaged",
    "opened_by": "staff-1",
    "since": to_text(NOW),
    "until": to_text(NOW + 10 * DAY),
}


def memory_of(world: World) -> Memory:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def with_shipment(**changes: Any) -> World:
    world = memory_world()
    world.business.put(RECORD, shipment(**changes))
    return world


def last_entry(world: World, shard: int = RECORD.shard) -> Entry:
    return memory_of(world).batches[shard][-1][-1]


def evidence(outcome: Outcome, **changes: Any) -> Entry:
    """Evidence about the shipment, told by an event now."""
    usual = Entry(outcome=outcome, at=NOW, cause="event", policy=POLICY.digest, record=RECORD.text)
    return replace(usual, **changes)


def test_a_hold_that_was_placed() -> None:
    """Which case, why, who, from when until when."""
    world = with_shipment()
    assert place_hold(RECORD, HOLD, world.telling(POLICY), world.for_holds) is Held.PLACED
    assert last_entry(world) == evidence(Outcome.HOLD_PLACED, details=HOLD_DETAILS)


def test_a_hold_that_came_too_late() -> None:
    """The same, with the reason of the refusal; it is about the record, and changes no facts."""
    world = with_shipment(contact_number=None, email=None)
    assert place_hold(RECORD, HOLD, world.telling(POLICY), world.for_holds) is Held.TOO_LATE
    assert last_entry(world) == evidence(Outcome.HOLD_REFUSED, reason="too_late", details=HOLD_DETAILS)
    assert world.told(RECORD) is None


def test_a_hold_that_was_released() -> None:
    """Which case, who, when."""
    world = with_shipment()
    closing = Closing("CASE-1", "staff-2", NOW)
    assert release_hold(RECORD, closing, world.telling(POLICY, "operator"), world.for_holds)
    details = {"case_ref": "CASE-1", "closed_by": "staff-2", "closed_at": to_text(NOW)}
    assert last_entry(world) == evidence(Outcome.HOLD_RELEASED, cause="operator", details=details)


def test_a_mark_that_is_put_right_is_put_right_once() -> None:
    """Whoever asks is told whether there was something to do."""
    world = with_shipment()
    place_hold(RECORD, HOLD, world.telling(POLICY), world.for_holds)
    world.business.put(RECORD, shipment())
    assert put_mark_right(RECORD, NOW, world.for_holds)
    assert not put_mark_right(RECORD, NOW, world.for_holds)


def test_a_departure() -> None:
    """Of which kind, and when."""
    world = memory_world()
    world.business.put(contact_ref(), contact())
    world.take(left(), POLICY)
    details = {"kind": "left", "instant": to_text(LONG_AGO)}
    told = evidence(Outcome.TOLD, record=contact_ref().text, details=details)
    assert last_entry(world, contact_ref().shard) == told


def test_a_request() -> None:
    """Its id, when it was made, who approved it, and by which rule it is carried out."""
    world = with_shipment()
    world.take(requested(RECORD), POLICY)
    details = {
        "request_id": "R-1",
        "approved_by": "staff-3",
        "requested_at": to_text(NOW),
        "rule": "delivery-erasure",
    }
    assert last_entry(world) == evidence(Outcome.REQUESTED, details=details)


def test_a_correction() -> None:
    """What was wrong, what is right, and by whose hand."""
    world = with_shipment(shipped_at=None)
    world.take(shipped(), POLICY)
    world.correct(RECORD, Correction(FactKind.SHIPPED, LONG_AGO, NOW - DAY, "staff-6"), POLICY)
    details = {
        "kind": "shipped",
        "was": to_text(LONG_AGO),
        "becomes": to_text(NOW - DAY),
        "by": "staff-6",
    }
    assert last_entry(world) == evidence(Outcome.CORRECTED, cause="operator", details=details)


def test_a_pause() -> None:
    """By whom, why, until when; it is about no record."""
    world = memory_world()
    world.pause(NOW + DAY, POLICY)
    details = {"by": "staff-4", "reason_code": "investigation", "until": to_text(NOW + DAY)}
    paused = evidence(Outcome.PAUSED, cause="operator", record="", details=details)
    assert last_entry(world, SHARD_OF_PAUSES) == paused


def test_a_pause_is_pulled_again_from_whatever_is_left_of_it() -> None:
    """Who and why may be missing, then nothing is made up; without any pause there is none."""
    assert longest_pause([]) is None
    left_of_it: dict[str, Any] = {"outcome": "paused", "at": to_text(NOW), "record": ""}
    left_of_it["details"] = {"more": ""}
    assert longest_pause([left_of_it]) == Pause("", "", NOW, None)
    for at in (None, 7, "soon"):
        assert longest_pause([{**left_of_it, "at": at, "details": {"until": "soon"}}]) == Pause(
            "", "", None, None
        )
    told = {"by": "staff-4", "reason_code": "investigation", "until": to_text(NOW + DAY)}
    whole = Pause("staff-4", "investigation", NOW, NOW + DAY)
    assert longest_pause([{**left_of_it, "details": told}]) == whole
    assert longest_pause([{**left_of_it, "details": told}, {"outcome": "resumed"}]) is None


TOLD: dict[str, Any] = {
    "outcome": "told",
    "at": to_text(NOW),
    "record": "",
    "reason": "",
    "details": {"kind": "left", "instant": to_text(NOW)},
}


@pytest.mark.parametrize(
    ("changes", "is_sound"),
    [
        ({}, True),
        ({"record": RECORD.text}, True),
        ({"record": "Shipments#{}"}, False),
        ({"record": 7}, False),
        ({"reason": 7}, False),
        ({"reason": "\ud800"}, False),
        ({"at": "soon"}, False),
        ({"at": 7}, False),
        ({"details": {**TOLD["details"], "more": 7}}, False),
        ({"details": {**TOLD["details"], "more": "\ud800"}}, False),
        ({"details": {"kind": "left"}}, False),
        ({"details": {**TOLD["details"], "kind": "gone"}}, False),
        ({"details": []}, False),
        ({"details": None}, False),
    ],
)
def test_an_entry_is_readable_or_says_nothing(changes: dict[str, Any], *, is_sound: bool) -> None:
    """What cannot be made again, or could not be stored, is told apart before anything is made of it."""
    assert is_readable({**TOLD, **changes}) == is_sound


@pytest.mark.parametrize(
    ("outcome", "is_one"), [("told", True), ("answered", True), ("erased", False), (7, False), ([], False)]
)
def test_which_entries_are_about_facts(outcome: object, *, is_one: bool) -> None:
    """Those of what Lapse was told."""
    assert is_about_facts({"outcome": outcome}) == is_one


def test_facts_can_be_made_again_from_all_of_it() -> None:
    """The very same facts, but for the version, which begins with the first entry."""
    world = with_shipment(shipped_at=None)
    world.take(shipped(), POLICY)
    place_hold(RECORD, HOLD, world.telling(POLICY), world.for_holds)
    world.take(requested(RECORD), POLICY)
    world.correct(RECORD, Correction(FactKind.SHIPPED, LONG_AGO, NOW - DAY, "staff-6"), POLICY)
    release_hold(RECORD, Closing("CASE-1", "staff-2", NOW), world.telling(POLICY), world.for_holds)
    assert rebuilt(world.business.entries()) == {RECORD.text: world.told(RECORD)}
