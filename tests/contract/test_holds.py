"""Holds: placed, extended, released, lapsed, refused; on the same tables, in all three worlds."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.evidence import Entry, Outcome
from shared.facts import Facts, Hold
from shared.hold_mark import MarkChange
from shared.instants import to_text
from shared.look import look_at
from shared.record import WireValue
from shared.tally import Count
from tests.builders import (
    LONG_AGO,
    NOW,
    closed,
    mark_outdated,
    opened,
    policy,
    shipment,
    shipment_ref,
    shipped,
    to_wire_text,
)
from tests.worlds import World

DAY = timedelta(days=1)
DUE = LONG_AGO + 90 * DAY
POLICY = policy()
RECORD = shipment_ref()
END = NOW + 10 * DAY
ERASED = shipment(contact_number=None, email=None)


def mark(until: datetime) -> WireValue:
    """The mark as Lapse sets it."""
    return {"M": {"by": {"S": "lapse"}, "until": {"S": to_text(until)}}}


def theirs(until: datetime) -> WireValue:
    """A mark of the order system's own."""
    return {"M": {"until": {"S": to_text(until)}, "note": {"S": "stock-take"}}}


def due(world: World) -> None:
    """A shipment that is due, with its timer."""
    world.business.put(RECORD, shipment())
    world.take(shipped(), POLICY)


def item(world: World) -> dict[str, Any] | None:
    return world.business.get(RECORD)


def purged_at(world: World, at: datetime) -> dict[str, Any] | None:
    """The record after a purge at this instant."""
    world.now = at
    world.purge(POLICY).raise_failures()
    return item(world)


def told(world: World) -> list[tuple[str, str]]:
    """The evidence of what was told, in short."""
    return [(outcome, reason) for outcome, reason, _ in world.tellings()]


def test_a_dispute_holds_until_its_end(world: World) -> None:
    """Fact, mark and evidence at once; the purge moves the timer to the end; then the fields go."""
    due(world)
    assert world.take(opened(), POLICY).counts == {Count.HOLDS_PLACED: 1, Count.TIMERS: 1}
    assert item(world) == shipment(legal_hold=mark(END))
    hold = Hold("damaged", "CASE-1", "staff-1", NOW, END)
    assert (world.told(RECORD) or Facts()).holds == {"CASE-1": hold}
    details = {
        "case_ref": "CASE-1",
        "reason_code": "damaged",
        "opened_by": "staff-1",
        "since": to_text(NOW),
        "until": to_text(END),
    }
    assert world.tellings() == [("hold_placed", "", details)]
    assert purged_at(world, NOW) == shipment(legal_hold=mark(END))
    assert [(each.at, each.due) for each in world.standing()] == [(END, END)]
    assert END + timedelta(minutes=1) in world.business.minutes()
    assert purged_at(world, END + timedelta(seconds=4)) == shipment(legal_hold=mark(END))
    assert purged_at(world, END + timedelta(seconds=5)) == {**ERASED, "legal_hold": mark(END)}
    assert [outcome for _, outcome, _ in world.outcomes()] == ["erased"]


def test_two_cases_extended_and_closed_out_of_order(world: World) -> None:
    """Words count by their own instants; told again they change nothing; the mark says what Facts say."""
    due(world)
    world.now = NOW + DAY
    words = [opened(case_ref="CASE-2", until=END + DAY), opened(), closed(case_ref="CASE-2"), closed()]
    extended = opened(opened_at=NOW + timedelta(hours=25), until=END + 2 * DAY)
    for word in (extended, *words[::-1]):
        world.take(word, POLICY)
    placed, evidence = world.told(RECORD), world.tellings()
    assert len(evidence) == 4
    for word in (*words, extended):
        world.take(word, POLICY)
    assert (world.told(RECORD), world.tellings()) == (placed, evidence)
    assert item(world) == shipment(legal_hold=mark(END + 2 * DAY))
    assert purged_at(world, END + DAY) == shipment(legal_hold=mark(END + 2 * DAY))
    assert purged_at(world, END + 3 * DAY) == {**ERASED, "legal_hold": mark(END + 2 * DAY)}


def test_a_release_times_the_record_at_once(world: World) -> None:
    """It does not wait for the end that the hold had: the next purge erases."""
    due(world)
    world.take(opened(), POLICY)
    world.purge(POLICY)
    world.now = NOW + DAY
    assert world.take(closed(), POLICY).counts == {Count.HOLDS_RELEASED: 1, Count.TIMERS: 1}
    assert item(world) == shipment()
    assert [each.at for each in world.standing()] == [DUE, END]
    assert NOW + DAY + timedelta(minutes=1) in world.business.minutes()
    assert purged_at(world, NOW + DAY) == ERASED
    details = {"case_ref": "CASE-1", "closed_by": "staff-2", "closed_at": to_text(NOW + DAY)}
    assert world.tellings()[1:] == [("hold_released", "", details)]
    assert purged_at(world, END + DAY) == ERASED
    assert sorted(outcome for _, outcome, _ in world.outcomes()) == ["already_absent", "erased"]


def test_a_hold_before_the_fields_are_due(world: World) -> None:
    """It holds from the due instant on; released before that, it changes nothing."""
    shipped_today = shipment(shipped_at={"S": to_wire_text(NOW)})
    world.business.put(RECORD, shipped_today)
    world.take(shipped(at=NOW), POLICY)
    world.take(opened(until=NOW + 100 * DAY), POLICY)
    assert [each.at for each in world.standing()] == [NOW + 90 * DAY]
    assert purged_at(world, NOW + 91 * DAY) == {**shipped_today, "legal_hold": mark(NOW + 100 * DAY)}
    assert "email" not in (purged_at(world, NOW + 101 * DAY) or {"email": 1})


def test_a_hold_that_comes_too_late_is_told_the_truth(world: World) -> None:
    """The fields are gone: no fact, no mark; evidence and an event that say so."""
    due(world)
    world.purge(POLICY)
    assert world.take(opened(), POLICY).counts == {Count.HOLDS_REFUSED: 1}
    assert item(world) == ERASED
    assert world.told(RECORD) is None
    assert told(world) == [("hold_refused", "too_late")]
    said = {
        "table": "Shipments",
        "key": {"shipment_id": "S-1001"},
        "case_ref": "CASE-1",
        "reason": "too_late",
    }
    assert world.business.news() == [("HoldRefused", {"v": 1, **said})]


def test_a_dispute_of_the_past_is_kept_though_the_fields_are_gone(world: World) -> None:
    """What holds nothing any more is a fact like others: nobody is refused anything."""
    due(world)
    world.purge(POLICY)
    past = opened(opened_at=NOW - 9 * DAY, until=NOW - DAY)
    assert world.take(past, POLICY).counts == {Count.HOLDS_PLACED: 1, Count.TIMERS: 1}
    assert item(world) == ERASED
    assert world.business.news() == []


def test_one_field_that_is_left_is_worth_a_hold(world: World) -> None:
    """As long as any field of the rules is there, there is something to keep."""
    one_left = shipment(email=None, contact_number={"NULL": True})
    world.business.put(RECORD, one_left)
    world.take(opened(), POLICY)
    assert item(world) == {**one_left, "legal_hold": mark(END)}


def test_a_hold_before_its_record(world: World) -> None:
    """The record is held as soon as it is there; a mark is put on it when somebody looks."""
    world.take(opened(), POLICY)
    world.take(shipped(), POLICY)
    assert told(world) == [("hold_placed", ""), ("told", "")]
    assert item(world) is None
    world.business.put(RECORD, shipment(shipped_at=None))
    assert purged_at(world, NOW) == shipment(shipped_at=None)
    assert world.take(mark_outdated(RECORD), POLICY).counts[Count.MARKS_PUT_RIGHT] == 1
    assert item(world) == shipment(shipped_at=None, legal_hold=mark(END))


def test_a_whole_item_put_wipes_the_mark_and_not_the_hold(world: World) -> None:
    """Facts hold; the mark is restored from them, once, and without touching anything else."""
    due(world)
    world.take(opened(), POLICY)
    version = world.told(RECORD)
    world.business.put(RECORD, shipment())
    assert purged_at(world, NOW) == shipment()
    assert world.take(mark_outdated(RECORD), POLICY).counts[Count.MARKS_PUT_RIGHT] == 1
    assert item(world) == shipment(legal_hold=mark(END))
    assert world.take(mark_outdated(RECORD), POLICY).counts[Count.MARKS_PUT_RIGHT] == 0
    assert world.told(RECORD) == version


def test_a_stale_put_brings_a_mark_back(world: World) -> None:
    """The order system saves a copy from before the release: the mark goes again, since Facts know better."""
    due(world)
    world.take(opened(), POLICY)
    stale = item(world) or {}
    world.now = NOW + DAY
    world.take(closed(), POLICY)
    world.business.put(RECORD, stale)
    assert purged_at(world, NOW + DAY) == stale
    world.take(mark_outdated(RECORD), POLICY)
    assert item(world) == shipment()


def test_the_mark_of_a_lapsed_hold_is_cleared(world: World) -> None:
    """By whoever looks; the purge itself never touches a mark."""
    due(world)
    world.take(opened(), POLICY)
    assert purged_at(world, END + DAY) == {**ERASED, "legal_hold": mark(END)}
    world.take(mark_outdated(RECORD), POLICY)
    assert item(world) == ERASED


def test_a_mark_of_the_business_system_is_a_hold_of_its_own(world: World) -> None:
    """Lapse neither replaces nor removes it: it holds until it ends, also when the case is closed."""
    long = END + 5 * DAY
    world.business.put(RECORD, shipment(legal_hold=theirs(long)))
    world.take(shipped(), POLICY)
    world.take(opened(), POLICY)
    assert item(world) == shipment(legal_hold=theirs(long))
    world.now = NOW + DAY
    world.take(closed(), POLICY)
    assert purged_at(world, NOW + DAY) == shipment(legal_hold=theirs(long))
    assert [each.at for each in world.standing()] == [long]
    assert purged_at(world, long + DAY) == {**ERASED, "legal_hold": theirs(long)}


def test_a_hold_that_outlives_the_business_systems_own(world: World) -> None:
    """When theirs has lapsed, the record is still held, and the mark says so once somebody looks."""
    world.business.put(RECORD, shipment(legal_hold=theirs(NOW + DAY)))
    world.take(shipped(), POLICY)
    world.take(opened(), POLICY)
    assert purged_at(world, NOW + 2 * DAY) == shipment(legal_hold=theirs(NOW + DAY))
    world.take(mark_outdated(RECORD), POLICY)
    assert item(world) == shipment(legal_hold=mark(END))


@pytest.mark.parametrize("legal_hold", [None, {"NULL": True}], ids=["absent", "NULL"])
def test_a_mark_that_is_null_is_none(world: World, legal_hold: WireValue | None) -> None:
    """It is replaced as if it were not there, and compared as it was read."""
    world.business.put(RECORD, shipment(legal_hold=legal_hold))
    assert world.take(opened(), POLICY).counts == {Count.HOLDS_PLACED: 1, Count.TIMERS: 1}
    assert item(world) == shipment(legal_hold=mark(END))


def test_releasing_what_was_never_opened(world: World) -> None:
    """It is kept: the opening may come later, and is then of the past."""
    due(world)
    assert world.take(closed(), POLICY).counts == {Count.HOLDS_RELEASED: 1, Count.TIMERS: 1}
    assert item(world) == shipment()
    world.take(opened(), POLICY)
    assert purged_at(world, NOW) == ERASED


BEFORE = Facts(7).held(Hold("lost", "C", "U", NOW, END))
AFTER = replace(BEFORE, version=9)
ENTRY = Entry(outcome=Outcome.HOLD_PLACED, at=NOW, cause="event", policy="d", record=RECORD.text)
SEEN = MarkChange(exists=True, seen=None, right=mark(END), needs=(("contact_number",), ("email",)))
REMOVAL = replace(SEEN, seen=mark(END), right=None, needs=())
CHECK = replace(SEEN, seen=mark(END), needs=())


@pytest.mark.parametrize(
    ("change", "there", "after"),
    [
        pytest.param(SEEN, shipment(), shipment(legal_hold=mark(END)), id="set"),
        pytest.param(SEEN, shipment(email=None), shipment(email=None, legal_hold=mark(END)), id="one field"),
        pytest.param(REMOVAL, shipment(legal_hold=mark(END)), shipment(), id="removed"),
        pytest.param(CHECK, shipment(legal_hold=mark(END)), shipment(legal_hold=mark(END)), id="checked"),
        pytest.param(replace(REMOVAL, seen=None), shipment(), shipment(), id="no mark, none needed"),
        pytest.param(MarkChange(exists=False), None, None, id="absent as seen"),
        pytest.param(None, shipment(), shipment(), id="no mark is concerned"),
        # refused: what was seen is not so any more
        pytest.param(SEEN, ERASED, False, id="the fields are gone"),
        pytest.param(SEEN, shipment(legal_hold=theirs(END)), False, id="a mark came"),
        pytest.param(SEEN, shipment(legal_hold={"NULL": True}), False, id="a NULL came"),
        pytest.param(REMOVAL, shipment(), False, id="the mark went"),
        pytest.param(REMOVAL, shipment(legal_hold=mark(END + DAY)), False, id="the mark was moved"),
        pytest.param(CHECK, shipment(legal_hold=mark(END + DAY)), False, id="the checked mark was moved"),
        pytest.param(SEEN, None, False, id="the record went"),
        pytest.param(replace(REMOVAL, seen=None), None, False, id="the record went, no mark needed"),
        pytest.param(MarkChange(exists=False), shipment(), False, id="the record came"),
    ],
)
def test_facts_evidence_and_mark_change_together_or_not_at_all(
    world: World, change: MarkChange | None, there: dict[str, Any] | None, after: Any
) -> None:
    """One transaction: if the record is not as it was seen, neither facts nor evidence nor mark change."""
    if there:
        world.business.put(RECORD, there)
    committed = world.facts.change(RECORD, None, AFTER, ENTRY, change)
    assert committed == (after is not False)
    assert item(world) == (after if committed else there)
    assert world.told(RECORD) == (AFTER if committed else None)
    assert len(world.business.entries()) == committed


def test_facts_that_others_changed_refuse_the_change(world: World) -> None:
    """A row that came, a row of another version, a row that went: nothing is written over."""
    world.business.put(RECORD, shipment())
    assert world.facts.change(RECORD, None, BEFORE, ENTRY, None)
    assert not world.facts.change(RECORD, None, AFTER, ENTRY, SEEN)
    assert not world.facts.change(RECORD, replace(BEFORE, version=6), AFTER, ENTRY, SEEN)
    assert not world.facts.change(shipment_ref("S-2"), BEFORE, AFTER, ENTRY, None)
    assert not world.facts.mark(RECORD, replace(BEFORE, version=6), SEEN)
    assert (item(world), world.told(RECORD)) == (shipment(), BEFORE)
    assert len(world.business.entries()) == 1
    assert world.facts.mark(RECORD, BEFORE, SEEN)
    assert item(world) == shipment(legal_hold=mark(END))
    assert not world.facts.mark(RECORD, BEFORE, SEEN)
    assert world.facts.mark(RECORD, None, REMOVAL)
    assert item(world) == shipment()
    assert world.told(RECORD) == BEFORE


def test_the_guards_of_hold_and_purge_exclude_each_other(world: World) -> None:
    """What the purge saw before the hold lets it erase nothing; and the other way round."""
    rule, held, other = POLICY.rules[0], RECORD, shipment_ref("S-2")
    for record in (held, other):
        world.business.put(record, shipment(record.key["shipment_id"]["S"]))
    views = {each: look_at([(rule, each)], world.records, world.facts)[each] for each in (held, other)}
    assert world.facts.change(held, None, AFTER, ENTRY, SEEN)
    assert list(world.records.erase(rule, held, views[held])) == []
    assert set(world.records.erase(rule, other, views[other])) == set(rule.erase)
    assert not world.facts.change(other, None, AFTER, ENTRY, SEEN)
    assert (world.told(other), world.business.get(other)) == (None, {**ERASED, "shipment_id": {"S": "S-2"}})
