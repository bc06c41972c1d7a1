"""Corrections: never early by the new value, timed anew at once, with evidence, and without coming back."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.correct_fact import Correction
from shared.facts import FactKind, Facts
from shared.failure import CallFailedError
from shared.instants import to_text
from shared.policy import Rule
from shared.record import Path, RecordRef, View
from shared.refused import RefusedError
from shared.tally import Count
from tests.builders import (
    LONG_AGO,
    NOW,
    contact,
    contact_ref,
    left,
    policy,
    requested,
    returned,
    shipment,
    shipment_ref,
    shipped,
    to_wire_text,
)
from tests.memory import MemoryFacts, MemoryTables, MemoryWakeUps
from tests.worlds import MemoryBusiness, World, memory_world

DAY = timedelta(days=1)
RETAIN = 90 * DAY
SECONDS = timedelta(seconds=5)
POLICY = policy()
LEFT, RETURNED, SHIPPED = FactKind.LEFT, FactKind.RETURNED, FactKind.SHIPPED
ERASED = {name: value for name, value in contact().items() if name not in {"telephone", "email"}}


def with_left(at: datetime = LONG_AGO) -> World:
    """A contact of whom a departure was told."""
    world = memory_world()
    world.business.put(contact_ref(), contact())
    world.take(left(at=at), POLICY)
    return world


def correction(was: datetime, becomes: datetime | None, kind: FactKind = LEFT) -> Correction:
    return Correction(kind, was, becomes, "staff-6")


def is_erased_by(world: World, at: datetime) -> bool:
    """Whether the contact's fields are gone after a purge at this instant."""
    world.now = at
    world.purge(POLICY).raise_failures()
    item = world.business.get(contact_ref())
    assert item in (contact(), ERASED)
    return item == ERASED


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        pytest.param(NOW - 10 * DAY, NOW - 80 * DAY, id="earlier"),
        pytest.param(NOW - 80 * DAY, NOW - 10 * DAY, id="later"),
        pytest.param(NOW - 100 * DAY, NOW - 89 * DAY, id="overdue becomes not yet due"),
        pytest.param(NOW - 89 * DAY, NOW - 100 * DAY, id="not yet due becomes overdue"),
        pytest.param(NOW - 10 * DAY, NOW - 10 * DAY + timedelta(seconds=1), id="by a second"),
    ],
)
def test_the_right_instant_counts_from_now_on(was: datetime, becomes: datetime) -> None:
    """Not a second early by the new value, nor late: a timer and a wake-up stand for it at once."""
    world = with_left(was)
    assert world.correct(contact_ref(), correction(was, becomes), POLICY).counts[Count.TIMERS] == 1
    due = becomes + RETAIN
    assert due in [timer.at for timer in world.standing()]
    if due > NOW:
        assert not is_erased_by(world, due + SECONDS - timedelta(seconds=1))
    assert is_erased_by(world, max(due, NOW) + SECONDS)
    is_erased_by(world, NOW + 100 * DAY)
    assert world.standing() == []


def test_a_departure_that_never_was() -> None:
    """Withdrawn with nothing in its place, it starts no clock; another one still does."""
    world = with_left()
    world.take(left(at=NOW - DAY), POLICY)
    world.correct(contact_ref(), correction(LONG_AGO, None), POLICY)
    assert not is_erased_by(world, NOW)
    world.correct(contact_ref(), correction(NOW - DAY, None), POLICY)
    assert not is_erased_by(world, NOW + 1000 * DAY)
    assert (world.told(contact_ref()) or Facts()).of(LEFT) == frozenset()


def test_what_was_withdrawn_does_not_come_back() -> None:
    """HR sends the wrong date again every night: the operator's word stands."""
    world = with_left()
    world.correct(contact_ref(), correction(LONG_AGO, NOW - DAY), POLICY)
    for _ in range(3):
        world.take(left(), POLICY)
    assert not is_erased_by(world, NOW)
    assert is_erased_by(world, NOW + 89 * DAY + SECONDS)


def test_a_return_that_was_wrong() -> None:
    """With the cancel taken back, the departure counts again; moved before the departure, too."""
    for becomes in (None, LONG_AGO - DAY):
        world = with_left()
        world.take(returned(at=NOW - 2 * DAY), POLICY)
        assert not is_erased_by(world, NOW)
        assert world.standing() == []
        world.correct(contact_ref(), correction(NOW - 2 * DAY, becomes, RETURNED), POLICY)
        assert is_erased_by(world, NOW)


def test_a_shipment_that_only_was_told() -> None:
    """Where the record has no date of its own, the corrected fact counts; where it has, the record's wins."""
    for own, erased in ((None, False), ({"S": to_wire_text(LONG_AGO)}, True)):
        world = memory_world()
        world.business.put(shipment_ref(), shipment(shipped_at=None))
        world.take(shipped(), POLICY)
        world.business.put(shipment_ref(), shipment(shipped_at=own))
        world.correct(shipment_ref(), correction(LONG_AGO, NOW - DAY, SHIPPED), POLICY)
        world.purge(POLICY)
        assert ("email" not in (world.business.get(shipment_ref()) or {})) == erased


def test_a_date_corrected_on_the_record_to_earlier() -> None:
    """The next event, whatever it tells, times the record by what it says now."""
    world = memory_world()
    world.business.put(shipment_ref(), shipment(shipped_at={"S": to_wire_text(NOW)}))
    world.take(shipped(at=NOW), POLICY)
    world.business.put(shipment_ref(), shipment())
    world.take(shipped(at=NOW), POLICY)
    assert [timer.at for timer in world.standing()] == [LONG_AGO + RETAIN, NOW + RETAIN]
    world.purge(POLICY)
    assert "email" not in (world.business.get(shipment_ref()) or {"email": 1})


def test_a_request_that_was_not_meant_is_taken_back() -> None:
    """Before it was worked: nothing is erased by it, and who asked is told why."""
    world = memory_world()
    world.business.put(contact_ref(), contact())
    world.take(requested(contact_ref()), POLICY)
    world.correct(contact_ref(), correction(NOW, None, FactKind.REQUESTED), POLICY)
    assert not is_erased_by(world, NOW + SECONDS)
    assert [(kind, said["reason"]) for kind, said in world.business.news()] == [
        ("ErasureRefused", "no_anchor")
    ]


def test_a_correction_has_evidence_once() -> None:
    """Which kind, what it was, what it is, and who; made again, it changes nothing but sets lost timers."""
    world = with_left()
    for _ in range(2):
        world.correct(contact_ref(), correction(LONG_AGO, NOW - DAY), POLICY)
    details = {"kind": "left", "was": to_text(LONG_AGO), "becomes": to_text(NOW - DAY), "by": "staff-6"}
    assert world.tellings()[1:] == [("corrected", "", details)]
    assert {entry["cause"] for entry in world.business.entries() if entry["outcome"] == "corrected"} == {
        "operator"
    }
    world.correct(contact_ref(), correction(NOW - DAY, None), POLICY)
    assert "becomes" not in world.tellings()[-1][2]


@pytest.mark.parametrize(
    ("kind", "was"), [(LEFT, LONG_AGO + timedelta(seconds=1)), (RETURNED, LONG_AGO), (SHIPPED, LONG_AGO)]
)
def test_what_was_never_told_cannot_be_corrected(kind: FactKind, was: datetime) -> None:
    """Refused by the field's name, without the value; nothing is kept of it."""
    world = with_left()
    evidence = world.business.entries()
    with pytest.raises(RefusedError) as refused:
        world.correct(contact_ref(), correction(was, NOW, kind), POLICY)
    assert str(refused.value) == f"was: no {kind.value} at that instant was told"
    assert world.business.entries() == evidence
    with pytest.raises(RefusedError):
        world.correct(contact_ref("C-unknown"), correction(LONG_AGO, None), POLICY)
    assert world.told(contact_ref("C-unknown")) is None


@pytest.mark.parametrize("first", [NOW - DAY, None], ids=["replaced", "withdrawn"])
def test_what_was_taken_back_cannot_be_corrected_to_something_else(first: datetime | None) -> None:
    """It would leave two instants behind: whoever errs again corrects the one that stands."""
    world = with_left()
    world.correct(contact_ref(), correction(LONG_AGO, first), POLICY)
    told, evidence = world.told(contact_ref()), world.business.entries()
    with pytest.raises(RefusedError) as refused:
        world.correct(contact_ref(), correction(LONG_AGO, NOW - 2 * DAY), POLICY)
    assert str(refused.value) == "was: was taken back before: correct the instant that stands"
    assert (world.told(contact_ref()), world.business.entries()) == (told, evidence)


def test_a_held_contact_is_timed_at_the_holds_end() -> None:
    """A correction makes nothing early that is held."""
    world = with_left(NOW - DAY)
    until = NOW + 5 * DAY
    mark = {"M": {"until": {"S": to_wire_text(until)}}}
    world.business.put(contact_ref(), contact() | {"legal_hold": mark})
    world.correct(contact_ref(), correction(NOW - DAY, LONG_AGO), POLICY)
    assert until in [timer.at for timer in world.standing()]
    world.purge(POLICY)
    assert world.business.get(contact_ref()) == contact() | {"legal_hold": mark}


def test_a_correction_and_an_event_at_once() -> None:
    """Neither is lost: whoever is second looks again."""
    world = with_left()

    @dataclass
    class Meanwhile(MemoryFacts):
        done: bool = False

        def change(self, *args: Any) -> bool:
            if not self.done:
                self.done = True
                world.take(left(at=NOW - 3 * DAY), POLICY)
            return super().change(*args)

    assert isinstance(world.business, MemoryBusiness)
    facts, memory = world.facts, world.business.memory
    world.facts = Meanwhile(memory)
    world.correct(contact_ref(), correction(LONG_AGO, NOW - DAY), POLICY)
    world.facts = facts
    assert (world.told(contact_ref()) or Facts()).of(LEFT) == {NOW - 3 * DAY, NOW - DAY}


def test_a_correction_that_comes_between_look_and_erase_wins() -> None:
    """It raises the version that the guard compares: nothing is erased by what is wrong."""
    world = with_left()
    becomes = NOW - DAY

    @dataclass
    class Corrected(MemoryTables):
        def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            world.correct(contact_ref(), correction(LONG_AGO, becomes), POLICY)
            return super().erase(rule, record, view)

    assert isinstance(world.business, MemoryBusiness)
    replace(world, records=Corrected(world.business.memory)).purge(POLICY).raise_failures()
    assert world.business.get(contact_ref()) == contact()
    assert [timer.at for timer in world.standing()] == [becomes + RETAIN]


def test_a_scheduler_that_is_down_is_counted() -> None:
    """The correction stands with its timer; the recurring purge serves it."""
    world = with_left()

    class Down(MemoryWakeUps):
        def ensure(self, minute: datetime) -> None:
            raise CallFailedError("CreateSchedule", "ThrottlingException")

    assert isinstance(world.business, MemoryBusiness)
    world.wake_ups = Down(world.business.memory)
    tally = world.correct(contact_ref(), correction(LONG_AGO, NOW - DAY), POLICY)
    assert (tally.counts[Count.TIMERS], tally.counts[Count.WAKE_UP_FAILED]) == (1, 1)
