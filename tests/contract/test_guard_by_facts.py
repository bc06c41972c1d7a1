"""`guard = "facts"`: a record that nothing was told of is erased only if still nothing is. In all worlds."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import pytest

from shared.look import look_at
from shared.policy import Guard, Policy, Rule
from shared.record import Path, RecordRef, View
from shared.tally import Count
from tests.builders import delivery_rule, opened, policy, shipment, shipment_ref, shipped
from tests.worlds import World

RECORD = shipment_ref()
RULE = delivery_rule(guard=Guard.FACTS)
NESTED = delivery_rule(guard=Guard.FACTS, erase=(("email",), ("gate", "code"), ("contact_number",)))
"""One of its fields has no parent on the record: there the fields go path by path."""
ERASED = shipment(email=None, contact_number=None)


def guarded(rule: Rule) -> Policy:
    return policy(rule, *policy().rules[1:])


def seen(world: World, rule: Rule) -> View:
    """What a look sees of a due record that nothing was told of."""
    world.business.put(RECORD, shipment())
    view = look_at([(rule, RECORD)], world.records, world.facts)[RECORD]
    assert view.facts is None
    return view


def hold_and_wipe(world: World, rules: Policy) -> None:
    """A hold is placed; then the order system puts the item that it had read before."""
    assert world.take(opened(), rules).counts[Count.HOLDS_PLACED] == 1
    assert "legal_hold" in (world.business.get(RECORD) or {})
    world.business.put(RECORD, shipment())


@pytest.mark.parametrize("rule", [RULE, NESTED], ids=["all at once", "path by path"])
def test_a_row_that_appeared_since_the_look_refuses_the_erase(world: World, rule: Rule) -> None:
    """The record is as it was seen, and nothing on it tells of the hold: nothing is removed all the same."""
    view = seen(world, rule)
    hold_and_wipe(world, guarded(rule))
    assert tuple(world.records.erase(rule, RECORD, view)) == ()
    assert world.business.get(RECORD) == shipment()


@pytest.mark.parametrize("rule", [RULE, NESTED], ids=["all at once", "path by path"])
def test_without_a_row_the_fields_go(world: World, rule: Rule) -> None:
    """The same removal as by the usual guard; the local stack also acknowledges what has no parent."""
    view = seen(world, rule)
    assert {("email",), ("contact_number",)} <= set(world.records.erase(rule, RECORD, view))
    assert world.business.get(RECORD) == ERASED
    assert world.told(RECORD) is None


def test_the_record_guards_itself_as_well(world: World) -> None:
    """It was changed since it was seen: no row, and nothing removed."""
    view = seen(world, RULE)
    changed = shipment(drop_ship={"BOOL": False})
    world.business.put(RECORD, changed)
    assert tuple(world.records.erase(RULE, RECORD, view)) == ()
    assert world.business.get(RECORD) == changed


def test_the_usual_guard_does_not_ask_facts(world: World) -> None:
    """That is what a table without whole-item writes saves: a transaction for each record."""
    view = seen(world, RULE)
    hold_and_wipe(world, policy())
    assert world.records.erase(delivery_rule(), RECORD, view)


@dataclass
class Then:
    """Business tables where something happens once, just before an erase."""

    tables: Any
    happens: Callable[[], object]
    happened: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tables, name)

    def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
        if not self.happened:
            self.happened = True
            self.happens()
        removed: Collection[Path] = self.tables.erase(rule, record, view)
        return removed


@pytest.mark.parametrize("rule", [RULE, NESTED], ids=["all at once", "path by path"])
def test_the_purge_finds_the_hold_and_waits(world: World, rule: Rule) -> None:
    """Refused, it looks again, sees what Facts know, and keeps record and timer until the hold's end."""
    rules = guarded(rule)
    world.business.put(RECORD, shipment())
    world.timers.put(timers_of(world, rules))
    between = Then(world.records, lambda: hold_and_wipe(world, rules))
    report = replace(world, records=between).purge(rules)
    report.raise_failures()
    assert between.happened
    assert world.business.get(RECORD) == shipment()
    assert (report.tally.counts[Count.HELD], report.tally.counts[Count.ERASED]) == (1, 0)
    assert world.outcomes() == []
    (timer,) = world.standing()
    assert timer.at == max(hold.until for hold in (world.told(RECORD) or fail()).holds.values() if hold.until)


def timers_of(world: World, rules: Policy) -> Any:
    """The timer that an event sets, of which nothing is told: the record has its own date."""
    world.take(shipped(), rules)
    timers = world.standing()
    for record in {timer.record for timer in timers}:
        facts = world.told(record)
        if facts:
            world.facts.forget(record, facts)
    assert world.told(RECORD) is None
    return timers


def fail() -> Any:
    raise AssertionError("nothing was told")
