"""A run that takes long: looks grow old, the bus hangs, a shard fails. What is due is erased, and no more."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

import pytest

from shared.failure import CallFailedError
from shared.finish_timers import FAILED_ANSWERS
from shared.outgoing import ContractEvent
from shared.policy import Guard, Policy, Rule
from shared.purge_ports import TIME_TO_STOP
from shared.purge_shard import BATCH, FRESH
from shared.record import Path, RecordRef, View
from shared.tally import Count
from tests.builders import (
    LONG_AGO,
    NOW,
    delivery_rule,
    opened,
    policy,
    requested,
    shipment,
    shipment_ref,
    shipped,
)
from tests.memory import Memory, MemoryBrake, MemoryBus, MemoryLedger, MemoryTables, MemoryTimers
from tests.worlds import MemoryBusiness, World, memory_world

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
POLICY = policy()
BY_FACTS = policy(delivery_rule(guard=Guard.FACTS), *POLICY.rules[1:])
SHARD = shipment_ref().shard


def names(number: int) -> list[str]:
    """Shipments that share a shard, and so a batch if they are few."""
    every = (f"S-{number}" for number in count())
    return list(islice((name for name in every if shipment_ref(name).shard == SHARD), number))


def memory_of(world: World) -> Memory:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def with_due(number: int) -> World:
    """Shipments of one shard that are due, with their timers. What was told of them is on the records."""
    world = memory_world()
    for name in names(number):
        world.business.put(shipment_ref(name), shipment(name))
        world.take(shipped(name), POLICY)
    memory_of(world).facts.clear()
    return world


def is_erased(world: World, name: str) -> bool:
    return "email" not in (world.business.get(shipment_ref(name)) or {"email": 1})


@dataclass
class SlowTables(MemoryTables):
    """Business tables that take their time for an erasure, with somebody who acts after the first."""

    takes: timedelta = SECOND
    passed: timedelta = timedelta(0)
    after_first: Callable[[RecordRef], object] = lambda _record: None
    erased: list[RecordRef] = field(default_factory=list)
    looked_at: list[int] = field(default_factory=list)
    look_takes: timedelta = timedelta(0)
    after_first_look: Callable[[], object] = lambda: None

    def look(self, records: Collection[RecordRef], paths: Collection[Path]) -> Any:
        self.looked_at.append(len(records))
        found = super().look(records, paths)
        self.passed += self.look_takes
        if len(self.looked_at) == 1:
            self.after_first_look()
        return found

    def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
        removed = super().erase(rule, record, view)
        self.passed += self.takes
        self.erased.append(record)
        if len(self.erased) == 1:
            self.after_first(record)
        return removed


def slow(world: World, takes: timedelta) -> SlowTables:
    """Make the world's tables slow, and the purge's clock with them."""
    tables = SlowTables(memory_of(world), takes)
    world.records = tables
    world.clock = lambda: world.now + tables.passed
    return tables


def held_and_wiped(world: World, worked_first: RecordRef) -> str:
    """Of the two, the one that is still to come: a hold is placed, then a cached copy put over its mark."""
    name = next(name for name in names(2) if shipment_ref(name) != worked_first)
    world.take(opened(name), POLICY)
    assert "legal_hold" in (world.business.get(shipment_ref(name)) or {})
    world.business.put(shipment_ref(name), shipment(name))
    return name


@pytest.mark.parametrize(
    ("rules", "takes"),
    [(POLICY, FRESH + SECOND), (BY_FACTS, FRESH + SECOND), (BY_FACTS, SECOND), (BY_FACTS, timedelta(0))],
    ids=["an old look", "an old look, guarded by facts", "guarded by facts", "guarded by facts, at once"],
)
def test_a_hold_whose_mark_was_wiped_is_noticed(rules: Policy, takes: timedelta) -> None:
    """It came after the batch was looked at, and on the record nothing tells of it: Facts do."""
    world = with_due(2)
    tables, held = slow(world, takes), list[str]()
    tables.after_first = lambda first: held.append(held_and_wiped(world, first))
    report = world.purge(rules)
    report.raise_failures()
    (name,) = held
    assert world.business.get(shipment_ref(name)) == shipment(name)
    assert (report.tally.counts[Count.ERASED], report.tally.counts[Count.HELD]) == (1, 1)
    assert [outcome for _, outcome, _ in world.outcomes()] == ["erased"]
    assert {timer.record for timer in world.standing()} == {shipment_ref(name)}


def test_a_hold_that_comes_during_a_look_is_noticed() -> None:
    """And its mark is wiped at once: the record was read without it, but Facts are read last."""
    world = with_due(2)
    tables, held = slow(world, timedelta(0)), list[str]()
    tables.after_first_look = lambda: held.append(held_and_wiped(world, shipment_ref(names(1)[0])))
    world.purge(POLICY).raise_failures()
    assert world.business.get(shipment_ref(held[0])) == shipment(held[0])


def test_a_look_that_took_long_is_old() -> None:
    """Its two seconds count from before it. Then each record has a look of its own."""
    world = with_due(4)
    tables = slow(world, timedelta(0))
    tables.look_takes = FRESH + SECOND
    world.purge(POLICY).raise_failures()
    assert tables.looked_at == [4, 1, 1, 1, 1]
    assert all(is_erased(world, name) for name in names(4))


def test_a_table_that_becomes_slow_is_looked_at_record_by_record() -> None:
    """The first look was quick; erasures take their time, and the second look is slow."""
    world = with_due(5)
    tables = slow(world, FRESH + SECOND)

    def slow_down(_record: RecordRef) -> None:
        tables.takes, tables.look_takes = timedelta(0), FRESH + SECOND

    tables.after_first = slow_down
    world.purge(POLICY).raise_failures()
    assert tables.looked_at == [5, 4, 1, 1, 1, 1]
    assert all(is_erased(world, name) for name in names(5))


def test_facts_guard_what_nothing_is_told_of() -> None:
    """Nobody is in the way: the same is erased, with the same evidence."""
    ends = []
    for rules in (POLICY, BY_FACTS):
        world = with_due(3)
        world.purge(rules).raise_failures()
        ends.append((memory_of(world).items, world.outcomes(), world.standing()))
    assert ends[0] == ends[1]
    assert [outcome for _, outcome, _ in ends[1][1]] == ["erased"] * 3


def test_only_what_is_left_is_looked_at_again() -> None:
    """A second for each of ten: the look is as old as it may be after three, and never older."""
    world = with_due(10)
    tables = slow(world, SECOND)
    world.purge(POLICY).raise_failures()
    assert tables.looked_at == [10, 7, 4, 1]
    assert all(is_erased(world, name) for name in names(10))


def test_a_quick_batch_is_looked_at_once() -> None:
    """All within two seconds: one look is enough for a whole batch."""
    world = with_due(BATCH)
    tables = slow(world, FRESH / BATCH)
    world.purge(POLICY).raise_failures()
    assert tables.looked_at == [BATCH]


@dataclass
class Hanging(MemoryBus):
    """A bus that lets wait for its failure, until it is mended."""

    takes: timedelta
    passed: timedelta = timedelta(0)
    asked: list[datetime] = field(default_factory=list)
    is_mended: bool = False
    clock: Callable[[], datetime] = lambda: NOW

    def put(self, events: Sequence[ContractEvent]) -> None:
        if self.is_mended:
            super().put(events)
            return
        self.asked.append(self.clock())
        self.passed += self.takes
        raise CallFailedError("PutEvents", "ReadTimeoutError")


ASKED_FOR, BY_THE_CLOCK = names(BATCH + 30)[:30], names(BATCH + 30)[30:]
RUN, BETWEEN = 5 * MINUTE, 17 * MINUTE


def with_requests() -> World:
    """More than a batch of one shard: thirty were asked for, and stand before all that the clock erases."""
    world = memory_world()
    for name in (*ASKED_FOR, *BY_THE_CLOCK):
        world.business.put(shipment_ref(name), shipment(name))
    for name in ASKED_FOR:
        world.take(requested(shipment_ref(name), request_id=f"R-{name}", requested_at=LONG_AGO), POLICY)
    for name in BY_THE_CLOCK:
        world.take(shipped(name), POLICY)
    return world


def hang(world: World, takes: timedelta) -> Hanging:
    """Make the world's bus hang, and the purge's clock and time with it."""
    bus = Hanging(memory_of(world), takes)
    world.bus = bus
    bus.clock = world.clock = lambda: world.now + bus.passed
    world.time_left = lambda: RUN - bus.passed
    return bus


def run(world: World, bus: Hanging) -> Any:
    """The next run, a while later and with as much time as every one has."""
    world.now += BETWEEN
    bus.passed = timedelta(0)
    return world.purge(POLICY)


@pytest.mark.parametrize("takes", [timedelta(0), 12 * SECOND], ids=["fails", "hangs"])
def test_a_bus_without_answer_delays_no_erasure(takes: timedelta) -> None:
    """All that is due is erased in the first run, asked for or not; only the answers come again."""
    world = with_requests()
    bus = hang(world, takes)
    report = run(world, bus)
    assert all(is_erased(world, name) for name in (*ASKED_FOR, *BY_THE_CLOCK))
    assert {timer.record for timer in world.standing()} == {shipment_ref(name) for name in ASKED_FOR}
    assert [timer.attempts for timer in world.standing()] == [1] * len(ASKED_FOR)
    assert len(bus.asked) == FAILED_ANSWERS
    rest = len(ASKED_FOR) - FAILED_ANSWERS
    assert Counter(report.failures) == {"ReadTimeoutError": FAILED_ANSWERS, "NotAnswered": rest}
    assert len(world.outcomes()) == len(ASKED_FOR) + len(BY_THE_CLOCK)


def test_those_who_asked_are_answered_once_the_bus_is_back() -> None:
    """Runs later, each once; the evidence of the erasure is that of the first run."""
    world = with_requests()
    bus = hang(world, 12 * SECOND)
    for tried in range(1, 4):
        run(world, bus)
        assert len(bus.asked) == tried * FAILED_ANSWERS
    assert world.business.news() == []
    bus.is_mended = True
    for _ in range(2):
        run(world, bus).raise_failures()
    told = Counter((kind, said["request_id"]) for kind, said in world.business.news())
    assert told == {("ErasureCompleted", f"R-{name}"): 1 for name in ASKED_FOR}
    assert world.standing() == []
    assert Counter(outcome for _, outcome, _ in world.outcomes())["erased"] == len(names(BATCH + 30))


def test_a_bus_that_hangs_to_the_end_leaves_no_evidence_without_its_timer() -> None:
    """The time is up after one answer: the batch is finished, its timers move, and the lease is free."""
    world = with_requests()
    bus = hang(world, RUN - TIME_TO_STOP + SECOND)
    run(world, bus)
    assert len(bus.asked) == 1
    behind = BY_THE_CLOCK[BATCH - len(ASKED_FOR) :]
    standing = Counter(timer.attempts for timer in world.standing())
    assert standing == {1: len(ASKED_FOR), 0: len(behind)}
    assert len(world.outcomes()) == BATCH
    assert memory_of(world).leases == {}
    bus.is_mended = True
    run(world, bus).raise_failures()
    assert world.standing() == []
    assert all(is_erased(world, name) for name in BY_THE_CLOCK)


@dataclass
class Failing:
    """A port of which one call fails once."""

    port: Any
    method: str
    failed: bool = False

    def __getattr__(self, name: str) -> Any:
        return self._fail if name == self.method and not self.failed else getattr(self.port, name)

    def _fail(self, *_arguments: object) -> None:
        self.failed = True
        raise CallFailedError(self.method, "InternalServerError")


@pytest.mark.parametrize(
    ("port", "make", "method"),
    [
        ("ledger", MemoryLedger, "open"),
        ("ledger", MemoryLedger, "append"),
        ("timers", MemoryTimers, "remove"),
        ("brake", MemoryBrake, "read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_shard_that_fails_gives_its_lease_back(port: str, make: Any, method: str) -> None:
    """The next run, of another function, need not wait a minute for it: it works the shard at once."""
    world = with_due(3)
    broken: Any = Failing(make(memory_of(world)), method)
    assert replace(world, **{port: broken}).purge(POLICY).failures == ("InternalServerError",)
    assert broken.failed
    assert memory_of(world).leases == {}
    report = replace(world, timers=MemoryTimers(memory_of(world), holder="another")).purge(POLICY)
    report.raise_failures()
    assert (report.tally.counts[Count.SHARDS_BUSY], world.standing()) == (0, [])
    assert all(is_erased(world, name) for name in names(3))
