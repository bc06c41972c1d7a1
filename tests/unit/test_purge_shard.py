"""The purge of one shard, in its particulars: what it asks for, under which lease, and batch after batch."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.failure import CallFailedError
from shared.policy import Rule
from shared.purge_ports import TIME_TO_STOP
from shared.purge_shard import BATCH, LEASE
from shared.record import Path, RecordRef, View
from shared.tally import Count
from shared.timer import Timer
from tests.builders import (
    LONG_AGO,
    NOW,
    contact,
    contact_ref,
    left,
    opened,
    policy,
    requested,
    shipment,
    shipment_ref,
    shipped,
)
from tests.memory import Memory, MemoryLedger, MemoryTables, MemoryTimers
from tests.worlds import MemoryBusiness, World, memory_world

POLICY = policy()
DUE = LONG_AGO + timedelta(days=90)


def memory_of(world: World) -> Memory:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def one_shard(number: int) -> list[str]:
    """Names of shipments that share shard 3."""
    return [name for name in (f"S-{n}" for n in range(100 * number)) if shipment_ref(name).shard == 3][
        :number
    ]


def with_due(*names: str) -> World:
    """A world with these due shipments and their timers."""
    world = memory_world()
    for name in names:
        world.business.put(shipment_ref(name), shipment(name))
        world.take(shipped(name), POLICY)
    return world


@dataclass
class Asked(MemoryTimers):
    """Timers that keep what they were asked for."""

    limits: list[tuple[int, int]] = field(default_factory=list)
    """Of each page: the shard, and how many at most."""

    def ready(self, shard: int, until: datetime, after: str, limit: int) -> Sequence[Timer]:
        self.limits.append((shard, limit))
        return super().ready(shard, until, after, limit)


def test_an_idle_shard_costs_the_read_of_one_row() -> None:
    """Whether there is anything to do is asked of one; work, and what is left, come in batches."""
    world = with_due(*one_shard(2))
    world.timers = timers = Asked(memory_of(world))
    world.purge(POLICY).raise_failures()
    assert [limit for shard, limit in timers.limits if shard == 3] == [1, BATCH, BATCH]
    assert [limit for shard, limit in timers.limits if shard == 4] == [1, BATCH]


def test_the_end_of_the_chain_is_found_of_the_shard_that_is_worked() -> None:
    """Before anything is erased there, and of no idle one."""
    world, opened_shards = with_due(*one_shard(2)), list[int]()

    class Opened(MemoryLedger):
        def open(self, shard: int) -> None:
            opened_shards.append(shard)

    world.ledger = Opened(memory_of(world))
    world.purge(POLICY)
    assert opened_shards == [3]


def test_a_shard_is_leased_for_a_minute_at_a_time() -> None:
    """A run that dies keeps others away no longer than that."""
    world, leases = with_due(*one_shard(1)), list[Any]()

    class Seen(MemoryTables):
        def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            leases.append(self.memory.leases[3])
            return super().erase(rule, record, view)

    world.records = Seen(memory_of(world))
    world.purge(POLICY)
    assert leases == [("me", NOW + LEASE)]


def test_the_next_batch_begins_behind_the_last_timer() -> None:
    """One that stays where it is, at the end of a batch, is not worked twice."""
    world = with_due(*one_shard(BATCH + 20))
    world.now = DUE - timedelta(days=1)  # a clock that was set back: nothing is due by it

    class Slow(MemoryTimers):
        def ready(self, shard: int, until: datetime, after: str, limit: int) -> Sequence[Timer]:
            return super().ready(shard, NOW, after, limit)

    world.timers = Slow(memory_of(world))
    assert world.purge(POLICY).tally.counts[Count.WAITING] == BATCH + 20


def test_with_just_enough_time_it_goes_on() -> None:
    """It stops when less is left than it takes to stop."""
    world = with_due(*one_shard(1))
    world.time_left = lambda: TIME_TO_STOP
    assert world.purge(POLICY).tally.counts[Count.ERASED] == 1


def test_a_batch_of_two_tables_is_looked_at_table_by_table() -> None:
    """Shards are of records, not of tables; one look is at one table, and none is lost for the other."""
    names, contacts = one_shard(3), [n for n in range(500) if contact_ref(f"C-{n}").shard == 3][:3]
    world = with_due(*names)
    for number in contacts:
        world.business.put(contact_ref(f"C-{number}"), contact(f"C-{number}"))
        world.take(left(f"C-{number}"), POLICY)
    looks = list[set[str]]()

    class Strict(MemoryTables):
        def look(self, records: Collection[RecordRef], paths: Collection[Path]) -> Mapping[RecordRef, Any]:
            looks.append({record.table for record in records})
            return super().look(records, paths)

    world.records = Strict(memory_of(world))
    report = world.purge(POLICY)
    report.raise_failures()
    assert report.tally.counts[Count.ERASED] == 6
    assert looks == [{"Contacts"}, {"Shipments"}]


def test_a_failure_keeps_no_other_timer_from_its_wake_up() -> None:
    """What failed waits for the recurring purge; what is held behind it is woken for when the hold ends."""
    bad, held = sorted(one_shard(2), key=lambda name: shipment_ref(name).key_digest)
    world = with_due(bad, held)
    world.take(opened(held), POLICY)
    memory_of(world).minutes.clear()

    class Failing(MemoryTables):
        def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            raise CallFailedError("erase", "Throttled")

    world.records = Failing(memory_of(world))
    assert world.purge(POLICY).failures == ("Throttled",)
    assert world.business.minutes() == [NOW + timedelta(days=10, minutes=1)]


@pytest.mark.parametrize("number", [1, 2])
def test_each_request_that_is_answered_counts(number: int) -> None:
    """Two for one record are two answers."""
    world = with_due()
    world.business.put(shipment_ref(), shipment())
    for each in range(number):
        world.take(requested(shipment_ref(), request_id=f"R-{each}"), POLICY)
    world.now += timedelta(seconds=5)
    assert world.purge(POLICY).tally.counts[Count.ANSWERS] == number
