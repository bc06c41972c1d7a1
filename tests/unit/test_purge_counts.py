"""What a run of the purge says of itself: counts for alarms, failures, and how long it waits for others."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import pytest

from shared.allowance import Allowance
from shared.failure import CallFailedError
from shared.policy import Rule
from shared.purge_due import RECURRING, WAIT_FOR_BUSY_SHARDS, WAITS_FOR_BUSY_SHARDS
from shared.purge_ports import TIME_TO_STOP
from shared.purge_shard import LEASE
from shared.record import Path, RecordRef, View
from shared.retention import Why
from shared.tally import Count, Tally
from tests.builders import NOW, policy, shipment, shipment_ref, shipped
from tests.memory import MemoryTables, MemoryTimers
from tests.worlds import MemoryBusiness, World, memory_world

POLICY = policy()


def memory_of(world: World) -> Any:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def with_due(*names: str) -> World:
    """A world with these due shipments and their timers."""
    world = memory_world()
    for name in names:
        world.business.put(shipment_ref(name), shipment(name))
        world.take(shipped(name), POLICY)
    return world


def test_counts_add_up() -> None:
    """Several shards, several of each kind; an implausible anchor is counted apart, for the alarm."""
    one, other = Tally(), Tally.of(Count.ERASED)
    for _ in range(2):
        one.add(Count.ERASED, 2)
        one.drop(Why.NO_MATCH)
    one.seconds_to_erase.append(5.0)
    other.drop(Why.IMPLAUSIBLE)
    other.drop(Why.NO_MATCH)
    other.seconds_to_erase.append(7.0)
    total = Tally.total([one, other])
    assert total.counts == {Count.ERASED: 5, Count.IMPLAUSIBLE: 1}
    assert total.dropped == {"no_match": 3, "implausible": 1}
    assert total.seconds_to_erase == [5.0, 7.0]


def test_counts_as_a_line_of_the_log() -> None:
    """By the names of their metrics, without those that are zero; dropped ones by reason, if any are."""
    tally = Tally.of(Count.ERASED)
    tally.add(Count.HELD, 0)
    assert tally.as_json() == {"Erased": 1}
    tally.drop(Why.NO_MATCH)
    assert tally.as_json() == {"Erased": 1, "Dropped": {"no_match": 1}}


@pytest.mark.parametrize(("cause", "recurring"), [(RECURRING, 1), ("wake-up", 0)])
def test_each_run_counts_and_recurring_ones_apart(cause: str, recurring: int) -> None:
    """An alarm rings if they stay away, so that a run which only looked counts, too."""
    counts = memory_world().purge(POLICY, cause).tally.counts
    assert (counts[Count.PURGES], counts[Count.RECURRING_PURGES]) == (1, recurring)


def test_what_woke_it_stands_in_the_evidence() -> None:
    """So that an auditor sees whether wake-ups come, or the recurring purge does all the work."""
    world = with_due("S-1")
    world.purge(POLICY, "wake-up")
    assert [entry["cause"] for entry in world.business.entries()] == ["wake-up"]


def test_what_failed_says_where() -> None:
    """In the function's own failure, for whoever reads the log."""
    world = with_due("S-1")

    class Failing(MemoryTables):
        def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            raise CallFailedError("erase", "Throttled")

    world.records = Failing(memory_of(world))
    with pytest.raises(ExceptionGroup) as raised:
        world.purge(POLICY).raise_failures()
    assert [str(each) for each in raised.value.exceptions] == ["purge: Throttled"]


def test_a_run_that_halts_forgets_no_failure() -> None:
    """What failed before the limit was reached is raised, too."""
    names = [name for name in (f"S-{n}" for n in range(300)) if shipment_ref(name).shard == 3][:3]
    first, *_ = names = sorted(names, key=lambda name: shipment_ref(name).key_digest)
    world = with_due(*names)

    class FailingOnce(MemoryTables):
        def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            if record == shipment_ref(first):
                raise CallFailedError("erase", "Throttled")
            return super().erase(rule, record, view)

    world.records = FailingOnce(memory_of(world))
    report = world.purge(policy(max_erasures_per_run=2))
    assert report.tally.counts[Count.HALTED] == 1
    assert report.failures == ("Throttled",)


def test_without_busy_shards_there_is_nothing_to_wait_for() -> None:
    """A function that sleeps is paid for."""
    world = with_due("S-1")
    world.purge(POLICY)
    assert world.slept == []


@pytest.mark.parametrize(
    ("left", "waits"),
    [(TIME_TO_STOP + WAIT_FOR_BUSY_SHARDS, WAITS_FOR_BUSY_SHARDS), (TIME_TO_STOP, 0)],
    ids=["just enough", "too little"],
)
def test_it_waits_for_others_while_there_is_time(left: timedelta, waits: int) -> None:
    """Five seconds each time, if as much is left beside what it takes to stop."""
    world = with_due("S-1")
    busy = shipment_ref("S-1").shard
    assert MemoryTimers(memory_of(world), holder="another").lease(busy, NOW, NOW + LEASE)
    world.time_left = lambda: left
    world.purge(POLICY)
    assert world.slept == [timedelta(seconds=5)] * waits


def test_what_was_not_used_is_given_back_once() -> None:
    """An allowance does not grow; where there is no limit there is nothing to count."""
    allowance = Allowance(2)
    assert [allowance.take() for _ in range(3)] == [True, True, False]
    assert allowance.spent
    allowance.give_back()
    assert (allowance.left, allowance.spent) == (1, False)
    allowance.give_back()
    assert allowance.left == 2
    unlimited = Allowance(None)
    unlimited.give_back()
    assert (unlimited.take(), unlimited.left, unlimited.spent) == (True, None, False)
