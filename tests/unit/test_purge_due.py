"""The purge beside its main line: failures, time, brakes, other runs, and other writers."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.failure import CallFailedError
from shared.policy import Rule
from shared.purge_due import WAITS_FOR_BUSY_SHARDS
from shared.purge_ports import TIME_TO_STOP
from shared.purge_shard import BATCH, FRESH, LEASE
from shared.record import SHARDS, Path, RecordRef, View
from shared.tally import Count
from shared.timer import PUT_OFF_AT_MOST, Timer
from tests.builders import (
    LONG_AGO,
    NOW,
    PERSONAL,
    contact,
    contact_ref,
    delivery_rule,
    left,
    opened,
    policy,
    returned,
    shipment,
    shipment_ref,
    shipped,
    to_wire_text,
)
from tests.memory import MemoryTables, MemoryTimers
from tests.worlds import MemoryBusiness, World, memory_world

POLICY = policy()
DUE = LONG_AGO + timedelta(days=90)


def memory_of(world: World) -> Any:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def with_due(number: int) -> World:
    """A world with that many due shipments."""
    world = memory_world()
    for each in range(number):
        name = f"S-{each}"
        world.business.put(shipment_ref(name), shipment(name))
        world.take(shipped(name), POLICY)
    return world


def erased(world: World) -> int:
    items = memory_of(world).items.values()
    return sum("email" not in item and "contact_number" not in item for item in items)


@dataclass
class Tables(MemoryTables):
    """Tables with something happening just before an erase, or with records that always fail."""

    before_erase: Callable[[RecordRef], None] = lambda _record: None
    fails: Callable[[RecordRef], BaseException | None] = lambda _record: None

    def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
        if error := self.fails(record):
            raise error
        self.before_erase(record)
        return super().erase(rule, record, view)


@pytest.mark.parametrize(
    "error", [CallFailedError("erase", "Throttled"), TypeError("canary")], ids=["call", "bug"]
)
def test_one_failing_record_never_stops_the_others(error: BaseException) -> None:
    """All others are erased; the failure is raised in the end, without message; the timer keeps its due."""
    world = with_due(40)
    bad = shipment_ref("S-7")
    world.records = Tables(memory_of(world), fails=lambda record: error if record == bad else None)
    report = world.purge(POLICY)
    assert erased(world) == 39
    assert report.tally.counts[Count.FAILED] == 1
    with pytest.raises(ExceptionGroup, match="1 failed: (Throttled|TypeError)") as raised:
        report.raise_failures()
    assert "canary" not in repr(raised.value) + repr(raised.value.exceptions)
    (timer,) = world.standing()
    assert (timer.record, timer.due, timer.at, timer.attempts) == (bad, DUE, NOW + timedelta(minutes=1), 1)


def test_a_record_that_always_fails_is_put_off_longer_and_longer() -> None:
    """It is tried again for ever, every 15 minutes rounded up at most, and erased once it can be."""
    world = with_due(1)
    tables = Tables(memory_of(world), fails=lambda _record: CallFailedError("erase", "Throttled"))
    world.records = tables
    waits = []
    for _ in range(7):
        world.purge(POLICY)
        (timer,) = world.standing()
        waits.append(timer.at - world.now)
        world.now = timer.at + timedelta(seconds=5)
    assert [wait.total_seconds() for wait in waits] == [60, 175, 295, 535, 955, 955, 955]
    assert max(waits) <= PUT_OFF_AT_MOST
    tables.fails = lambda _record: None
    report = world.purge(POLICY)
    assert erased(world) == 1
    assert report.tally.seconds_to_erase == [(world.now - DUE).total_seconds()]


@pytest.mark.parametrize("code", ["ValidationException", "ParamValidationError"])
def test_a_look_that_fails_for_some_is_repeated_one_by_one(code: str) -> None:
    """A key that the table cannot read fails alone, not with the hundred that were asked for with it."""
    world = with_due(40)
    bad = shipment_ref("S-7")

    @dataclass
    class Picky(MemoryTables):
        def look(self, records: Collection[RecordRef], paths: Collection[Path]) -> Any:
            if bad in records:
                raise CallFailedError("look", code)
            return super().look(records, paths)

    world.records = Picky(memory_of(world))
    assert world.purge(POLICY).failures == (code,)
    assert erased(world) == 39


def test_it_stops_before_the_time_is_up_and_says_how_far_it_came() -> None:
    """What was erased has its evidence; the rest stands and is served by the next run."""
    world = with_due(200)
    times = iter([timedelta(minutes=5)] * 90)
    world.time_left = lambda: next(times, TIME_TO_STOP - timedelta(seconds=1))
    report = world.purge(POLICY)
    assert 0 < erased(world) < 200
    assert report.shards_finished < SHARDS
    assert erased(world) == report.tally.counts[Count.ERASED] == len(world.business.entries())
    assert len(world.standing()) == 200 - erased(world)
    world.time_left = lambda: timedelta(minutes=5)
    assert world.purge(POLICY).shards_finished == SHARDS
    assert erased(world) == 200


def test_a_run_erases_no_more_than_it_may() -> None:
    """A mistyped rule on an old table is halted, and the alarm's metric rings."""
    world = with_due(100)
    capped = policy(max_erasures_per_run=30)
    report = world.purge(capped)
    assert erased(world) == 30
    assert report.tally.counts[Count.HALTED] == 1
    assert world.tellings() == [("halted", "", {"limit": "30"})]
    assert len(world.outcomes()) == 30
    assert len(world.standing()) == 70
    for _ in range(3):
        report = world.purge(capped)
    assert erased(world) == 100
    assert report.tally.counts[Count.HALTED] == 0
    assert len(world.tellings()) == 3


def test_the_right_number_is_no_halt() -> None:
    """A run that erased all it had to is finished."""
    world = with_due(10)
    assert world.purge(policy(max_erasures_per_run=10)).tally.counts[Count.HALTED] == 0
    assert erased(world) == 10


def test_a_shard_in_other_hands_is_left_and_tried_again() -> None:
    """It waits a little for the other run, then leaves the shard to it; an expired lease is taken over."""
    world = with_due(40)
    other = MemoryTimers(memory_of(world), holder="another")
    busy = shipment_ref("S-0").shard
    assert other.lease(busy, NOW, NOW + LEASE)
    report = world.purge(POLICY)
    assert report.tally.counts[Count.SHARDS_BUSY] == 1
    assert len(world.slept) == WAITS_FOR_BUSY_SHARDS
    assert {timer.record.shard for timer in world.standing()} == {busy}
    world.now += LEASE + timedelta(seconds=1)
    assert world.purge(POLICY).tally.counts[Count.SHARDS_BUSY] == 0
    assert erased(world) == 40


def test_a_shard_that_is_given_back_meanwhile_is_done_at_once() -> None:
    """Timers that came due just as another run was finishing do not wait for the next wake-up."""
    world = with_due(40)
    other = MemoryTimers(memory_of(world), holder="another")
    busy = shipment_ref("S-0").shard
    other.lease(busy, NOW, NOW + LEASE)

    class Sleeping(list[timedelta]):
        def append(self, _pause: timedelta) -> None:
            other.release(busy)

    world.slept = Sleeping()
    assert world.purge(POLICY).tally.counts[Count.SHARDS_BUSY] == 0
    assert erased(world) == 40


def test_a_lost_lease_ends_the_work_on_its_shard() -> None:
    """A run that was asleep for longer than its lease leaves the rest of the shard to its new holder."""
    world = memory_world()
    memory, lost = memory_of(world), 3
    names = [name for name in (f"S-{n}" for n in range(3000)) if shipment_ref(name).shard == lost][
        : BATCH + 20
    ]
    for name in names:
        world.business.put(shipment_ref(name), shipment(name))
        world.take(shipped(name), POLICY)

    @dataclass
    class Stolen(MemoryTimers):
        def remove(self, timers: Collection[Timer]) -> None:
            super().remove(timers)
            memory.leases[lost] = ("another", NOW + timedelta(hours=1))

    world.timers = Stolen(memory)
    assert world.purge(POLICY).shards_finished == SHARDS - 1
    assert (erased(world), len(world.standing())) == (BATCH, 20)
    assert memory.leases[lost][0] == "another"


def test_two_runs_at_once() -> None:
    """2,000 due records, two runs, many workers: each erased once, with one entry, none left."""
    world = with_due(2000)
    early = shipment_ref("S-early")
    world.business.put(early, shipment("S-early", shipped_at={"S": to_wire_text(NOW)}))
    world.take(shipped("S-early"), POLICY)
    with ThreadPoolExecutor(2) as runs, ThreadPoolExecutor(8) as ones, ThreadPoolExecutor(8) as others:
        second = replace(world, timers=MemoryTimers(memory_of(world), "another"), side_by_side=others.map)
        first = replace(world, side_by_side=ones.map)
        reports = list(runs.map(lambda each: each.purge(POLICY), [first, second]))
    assert erased(world) == 2000
    assert sum(report.tally.counts[Count.ERASED] for report in reports) == 2000
    assert [outcome for _, outcome, _ in world.outcomes()] == ["erased"] * 2000
    assert len({record for record, _, _ in world.outcomes()}) == 2000
    assert len(world.standing()) == 1


def test_without_leases_two_runs_are_still_correct() -> None:
    """Correctness never rests on the lease: the guard lets one of them erase, the other finds it absent."""
    world = with_due(300)
    with ThreadPoolExecutor(2) as runs, ThreadPoolExecutor(8) as ones, ThreadPoolExecutor(8) as others:
        both = [replace(world, side_by_side=pool.map) for pool in (ones, others)]
        list(runs.map(lambda each: each.purge(POLICY), both))
    outcomes = [outcome for _, outcome, _ in world.outcomes()]
    assert erased(world) == outcomes.count("erased") == 300
    assert set(outcomes) <= {"erased", "already_absent"}
    assert world.standing() == []


def test_a_hold_that_comes_between_look_and_erase_wins() -> None:
    """The guard refuses, the purge looks again, and moves the timer to the hold's end."""
    world = with_due(1)
    until = NOW + timedelta(days=3)
    held = shipment("S-0", legal_hold={"M": {"until": {"S": to_wire_text(until)}}})
    world.records = Tables(memory_of(world), before_erase=lambda record: world.business.put(record, held))
    assert world.purge(POLICY).tally.counts[Count.HELD] == 1
    assert world.business.get(shipment_ref("S-0")) == held
    assert [timer.at for timer in world.standing()] == [until]


def test_what_was_looked_at_a_while_ago_is_looked_at_again() -> None:
    """A hold whose mark was wiped at once is noticed all the same, once the look is more than 2 s old."""
    world = memory_world()
    names = [name for name in (f"S-{n}" for n in range(99)) if shipment_ref(name).shard == 3][:3]
    for name in names:
        world.business.put(shipment_ref(name), shipment(name))
        world.take(shipped(name), POLICY)

    def held_and_wiped(record: RecordRef) -> None:
        other = next(name for name in names if shipment_ref(name) != record)
        if not world.slept:
            world.slept.append(FRESH)
            world.take(opened(other), POLICY)
            world.business.put(shipment_ref(other), shipment(other))
            world.now += FRESH + timedelta(milliseconds=1)

    world.records = Tables(memory_of(world), before_erase=held_and_wiped)
    report = world.purge(POLICY)
    assert (erased(world), report.tally.counts[Count.HELD]) == (2, 1)


def test_a_return_that_comes_between_look_and_erase_wins() -> None:
    """A fact that is told in the last moment raises the row's version."""
    world = memory_world()
    world.business.put(contact_ref(), contact())
    world.take(left(), POLICY)
    back = returned(at=NOW)

    def told_meanwhile(_record: RecordRef) -> None:
        world.take(back, POLICY)

    world.records = Tables(memory_of(world), before_erase=told_meanwhile)
    world.purge(POLICY)
    assert world.business.get(contact_ref()) == contact()
    assert [(outcome, reason) for _, outcome, reason in world.outcomes()] == [("dropped", "cancelled")]


def test_somebody_who_writes_all_the_time() -> None:
    """A record that changes at each try is put off, not fought for."""
    world = with_due(1)
    numbers = iter(range(100))

    def rewrite(record: RecordRef) -> None:
        at = LONG_AGO + timedelta(seconds=next(numbers) + 1)
        world.business.put(record, shipment("S-0", shipped_at={"S": to_wire_text(at)}))

    world.records = Tables(memory_of(world), before_erase=rewrite)
    assert world.purge(POLICY).failures == ("Contended",)
    assert "email" in (world.business.get(shipment_ref("S-0")) or {})
    assert [timer.due for timer in world.standing()] == [DUE]


def test_a_hold_between_two_paths_leaves_evidence_of_the_first() -> None:
    """A field may be gone when the hold comes: what was removed has its entry, the rest is held."""
    rule = delivery_rule(erase=(("email",), ("contact_number",)))
    world = with_due(1)
    until = NOW + timedelta(days=3)

    @dataclass
    class Halfway(MemoryTables):
        def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            held = shipment("S-0", email=None, legal_hold={"M": {"until": {"S": to_wire_text(until)}}})
            world.business.put(record, held)
            return [("email",)]

    world.records = Halfway(memory_of(world))
    world.purge(policy(rule))
    (entry,) = world.business.entries()
    assert (entry["outcome"], entry["fields"]) == ("erased", [["email"]])
    assert [(timer.at, timer.due) for timer in world.standing()] == [(until, until)]


def test_an_event_that_sets_the_same_timer_again_is_not_lost() -> None:
    """A timer written anew while it is being dropped may mean something new, so it stays."""
    world = with_due(1)
    world.business.put(shipment_ref("S-0"), shipment("S-0", shipped_at=None))

    @dataclass
    class Meanwhile(MemoryTimers):
        def remove(self, timers: Collection[Timer]) -> None:
            world.take(shipped("S-0"), POLICY)
            super().remove(timers)

    world.timers = Meanwhile(memory_of(world))
    world.purge(POLICY)
    world.timers = MemoryTimers(memory_of(world))
    world.purge(POLICY)
    assert world.business.get(shipment_ref("S-0")) == shipment(
        "S-0", shipped_at=None, email=None, contact_number=None
    )


def test_a_clock_that_goes_back_moves_nothing() -> None:
    """A timer that is not due after all, by a clock that was set back, stands as it is."""
    world = with_due(1)
    memory = memory_of(world)
    times = iter([NOW] * 5)
    world.clock = lambda: next(times, DUE)
    before = dict(memory.timers)
    world.purge(POLICY)
    assert memory.timers == before
    assert erased(world) == 0


def test_ten_thousand_shipments_in_an_hour_stand_as_few_schedules() -> None:
    """Wake-ups are per minute, not per record."""
    world = memory_world()
    for number in range(10_000):
        at = NOW + timedelta(seconds=0.36 * number)
        name = f"S-{number}"
        item = {"shipment_id": {"S": name}, "drop_ship": {"BOOL": True}, **PERSONAL}
        world.business.put(shipment_ref(name), item | {"shipped_at": {"S": to_wire_text(at)}})
        world.take(shipped(name, at), POLICY)
    assert len(world.business.minutes()) <= 62
