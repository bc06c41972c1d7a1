"""Settling one timer: what becomes of it, its evidence word for word, and what is counted."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.allowance import Allowance
from shared.evidence import Entry, Outcome
from shared.facts import FactKind
from shared.instants import to_text
from shared.look import look_at
from shared.policy import Mode, Rule
from shared.record import Path, RecordRef
from shared.settle import TRIES_OF_UNKNOWN_RULES, Settled, Settling, rule_removed, settle
from shared.tally import Count, Tally
from shared.timer import Timer
from tests.builders import LONG_AGO, NOW, delivery_rule, policy, shipment, shipment_ref, to_wire_text
from tests.memory import MemoryTables
from tests.worlds import MemoryBusiness, World, memory_world

DAY = timedelta(days=1)
DUE = LONG_AGO + 90 * DAY
POLICY = policy()
RULE = delivery_rule()
OBSERVING = delivery_rule(mode=Mode.OBSERVE)
REQUEST_RULE = next(rule for rule in POLICY.rules if rule.id == "delivery-erasure")
RECORD = shipment_ref()
TIMER = Timer(RECORD, RULE.id, at=DUE, due=DUE)
FIELDS = (("contact_number",), ("email",))
EARLIER = {"S": to_wire_text(LONG_AGO - DAY)}
"""An anchor that the business system corrected after the timer was set."""


def with_shipment(**changes: Any) -> World:
    world = memory_world()
    world.business.put(RECORD, shipment(**changes))
    return world


def settling_in(world: World) -> Settling:
    return Settling(POLICY, world.records, world.facts, lambda: world.now, "wake-up", Allowance(None))


def settled(world: World, rule: Rule = RULE, timer: Timer = TIMER) -> tuple[Settled, Tally]:
    tally = Tally()
    view = look_at([(rule, RECORD)], world.records, world.facts)[RECORD]
    return settle(timer, rule, view, settling_in(world), tally), tally


def evidence(outcome: Outcome, **changes: Any) -> Entry:
    """Evidence about the shipment by the shipped rule, settled now."""
    usual = Entry(
        outcome=outcome,
        at=NOW,
        cause="wake-up",
        policy=POLICY.digest,
        record=RECORD.text,
        rule=RULE.id,
        clause="2.2.1",
        due=DUE,
    )
    return replace(usual, **changes)


def test_what_was_erased() -> None:
    """Which fields, by which clause, and when they were due: by the anchor that counted, not by the timer."""
    result, tally = settled(with_shipment(shipped_at=EARLIER))
    assert result == Settled(TIMER, (evidence(Outcome.ERASED, fields=FIELDS, due=DUE - DAY),))
    assert tally == Tally(tally.counts, tally.dropped, [(NOW - DUE).total_seconds()])
    assert +tally.counts == {Count.ERASED: 1}


def test_what_was_erased_is_not_looked_at_again() -> None:
    """DynamoDB acknowledged all of it: there is nothing left to ask."""
    world, looks = with_shipment(), list[RecordRef]()

    class Watched(MemoryTables):
        def look(self, records: Collection[RecordRef], paths: Collection[Path]) -> Mapping[RecordRef, Any]:
            looks.extend(records)
            return super().look(records, paths)

    assert isinstance(world.business, MemoryBusiness)
    world.records = Watched(world.business.memory)
    result, _ = settled(world)
    assert [entry.outcome for entry in result.entries] == [Outcome.ERASED]
    assert looks == [RECORD]  # by the test itself, before


def test_what_was_absent_already() -> None:
    """The same of fields that others removed; how late that was, nobody knows."""
    result, tally = settled(with_shipment(shipped_at=EARLIER, contact_number=None, email=None))
    assert result == Settled(TIMER, (evidence(Outcome.ALREADY_ABSENT, fields=FIELDS, due=DUE - DAY),))
    assert tally == Tally.of(Count.ALREADY_ABSENT)


def test_what_was_there_in_part() -> None:
    """Two lines: what was erased, and what was absent; both of the same due instant."""
    rule = delivery_rule(erase=(("email",), ("delivery", "phone")))
    result, tally = settled(with_shipment(shipped_at=EARLIER), rule)
    assert result.entries == (
        evidence(Outcome.ERASED, fields=(("email",),), due=DUE - DAY),
        evidence(Outcome.ALREADY_ABSENT, fields=(("delivery", "phone"),), due=DUE - DAY),
    )
    assert tally.counts == Tally.of(Count.ERASED).counts


def test_a_record_that_is_gone() -> None:
    """There is no anchor to be due by: the timer's own instant stands in the evidence."""
    result, tally = settled(memory_world())
    assert result == Settled(TIMER, (evidence(Outcome.RECORD_ABSENT),))
    assert tally == Tally.of(Count.RECORD_ABSENT)


def test_a_record_that_the_rule_is_not_about() -> None:
    """The reason is counted and kept."""
    result, tally = settled(with_shipment(drop_ship={"BOOL": False}))
    assert result == Settled(TIMER, (evidence(Outcome.DROPPED, reason="no_match"),))
    assert (tally.counts, tally.dropped) == ({}, {"no_match": 1})


@pytest.mark.parametrize(
    ("changes", "outcome", "count"),
    [
        pytest.param({}, Outcome.OBSERVED, Count.OBSERVED, id="there"),
        pytest.param(
            {"contact_number": None, "email": None}, Outcome.ALREADY_ABSENT, Count.ALREADY_ABSENT, id="gone"
        ),
    ],
)
def test_what_would_be_erased(changes: dict[str, Any], outcome: Outcome, count: Count) -> None:
    """A rule that observes says which fields it is about, and whether any is there."""
    result, tally = settled(with_shipment(**changes), OBSERVING)
    assert result == Settled(TIMER, (evidence(outcome, fields=FIELDS),))
    assert tally == Tally.of(count)


def test_a_timer_of_a_corrected_anchor_moves() -> None:
    """To the instant that is right now, without evidence: nothing has happened."""
    result, tally = settled(with_shipment(shipped_at={"S": to_wire_text(NOW)}))
    assert result == Settled(TIMER, later=TIMER.moved(NOW + 90 * DAY))
    assert tally == Tally.of(Count.WAITING)


def test_a_timer_of_a_held_record_moves_to_the_holds_end() -> None:
    """Counted apart: somebody wants it kept."""
    mark = {"M": {"until": {"S": to_text(NOW + DAY)}}}
    result, tally = settled(with_shipment(legal_hold=mark))
    assert result == Settled(TIMER, later=TIMER.moved(NOW + DAY))
    assert tally == Tally.of(Count.HELD)


def test_a_timer_that_would_move_to_where_it_is_stands() -> None:
    """A clock that was set back sees it before its time; putting and deleting it would delete it."""
    world = with_shipment()
    world.now = DUE
    assert settled(world)[0] == Settled(TIMER, later=TIMER, stands=True)


def test_what_somebody_asked_for_is_answered_by_how_it_ended() -> None:
    """A timer of a request says so; one that waits has no answer yet."""
    world = with_shipment()
    world.tell(RECORD, FactKind.REQUESTED, LONG_AGO)
    timer = Timer(RECORD, REQUEST_RULE.id, at=LONG_AGO, due=LONG_AGO)
    result, _ = settled(world, REQUEST_RULE, timer)
    assert result.on_request
    assert result.answer == result.entries[0]
    assert settled(world)[0].answer is None


def test_evidence_says_no_more_than_it_was_told() -> None:
    """Of what happened, of which timer, when and why it ran; no clause, no field, no reason."""
    bare = evidence(Outcome.DROPPED, clause="")
    assert settling_in(memory_world()).evidence(TIMER, Outcome.DROPPED) == bare


def test_a_timer_of_a_rule_that_is_gone() -> None:
    """It is put off and counted as waiting, and in the end dropped, by no clause that anybody knows."""
    settling, tally = settling_in(memory_world()), Tally()
    assert rule_removed(TIMER, settling, tally) == Settled(TIMER, later=TIMER.backed_off(NOW))
    assert tally == Tally.of(Count.WAITING)
    last, tally = replace(TIMER, attempts=TRIES_OF_UNKNOWN_RULES), Tally()
    dropped = evidence(Outcome.DROPPED, reason="rule_removed", clause="")
    assert rule_removed(last, settling, tally) == Settled(last, (dropped,))
    assert (tally.counts, tally.dropped) == ({}, {"rule_removed": 1})
