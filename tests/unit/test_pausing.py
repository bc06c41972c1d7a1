"""The brake: while Lapse is paused nothing is erased, from the next batch on, and what is overdue shows."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from shared.failure import CallFailedError
from shared.instants import to_text
from shared.pausing import Pause
from shared.policy import Rule
from shared.purge_shard import BATCH, LEASE
from shared.record import SHARDS, Path, RecordRef, View
from shared.retention import GRACE
from shared.tally import Count
from shared.timer import PUT_OFF_AT_MOST
from tests.builders import LONG_AGO, NOW, opened, policy, shipment, shipment_ref, shipped, to_wire_text
from tests.memory import Memory, MemoryBrake, MemoryTables, MemoryTimers
from tests.worlds import MemoryBusiness, World, memory_world

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
POLICY = policy()
DUE = LONG_AGO + 90 * DAY


def memory_of(world: World) -> Memory:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def with_due(*names: str, due: datetime = DUE) -> World:
    """A world with these shipments, due then, and their timers."""
    world = memory_world()
    for name in names:
        at = due - 90 * DAY
        world.business.put(shipment_ref(name), shipment(name, shipped_at={"S": to_wire_text(at)}))
        world.take(shipped(name, at), POLICY)
    return world


def one_shard(number: int) -> list[str]:
    """Names of shipments that share a shard."""
    return [name for name in (f"S-{n}" for n in range(100 * number)) if shipment_ref(name).shard == 3][
        :number
    ]


def erased(world: World) -> int:
    return sum("email" not in item for item in memory_of(world).items.values())


def test_while_it_is_paused_nothing_is_erased() -> None:
    """Nothing is done and nothing lost: every timer stands as it is, and is served after the pause."""
    world = with_due(*(f"S-{n}" for n in range(40)))
    timers = world.standing()
    world.pause(NOW + DAY, POLICY)
    report = world.purge(POLICY)
    report.raise_failures()
    assert (erased(world), world.standing()) == (0, timers)
    assert report.tally.counts[Count.PAUSED] == 1
    assert report.shards_finished < SHARDS
    assert world.outcomes() == []
    assert world.resume(POLICY)
    report = world.purge(POLICY)
    assert (erased(world), report.tally.counts[Count.PAUSED]) == (40, 0)


def test_a_pause_ends_by_itself() -> None:
    """From its end on, whether or not anybody remembers it."""
    world = with_due("S-1")
    world.pause(NOW + DAY, POLICY)
    world.now = NOW + DAY - timedelta(microseconds=1)
    world.purge(POLICY)
    assert erased(world) == 0
    world.now = NOW + DAY
    assert world.purge(POLICY).tally.counts[Count.PAUSED] == 0
    assert erased(world) == 1
    assert not world.resume(POLICY)


def test_a_pause_whose_end_cannot_be_read_is_in_force() -> None:
    """Until somebody lets the brake go by hand."""
    world = with_due("S-1")
    world.pause(None, POLICY)
    world.now += 1000 * DAY
    assert world.purge(POLICY).tally.counts[Count.PAUSED] == 1
    assert erased(world) == 0
    assert world.resume(POLICY)
    world.purge(POLICY)
    assert erased(world) == 1


def test_a_pause_stops_the_next_batch() -> None:
    """A run under way finishes the batch that it has begun, with its evidence, and stops before the next."""
    world = with_due(*one_shard(BATCH + 20))

    @dataclass
    class PulledMeanwhile(MemoryTables):
        erasures: int = 0

        def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            self.erasures += 1
            if self.erasures == 50:
                world.pause(NOW + DAY, POLICY)
            return super().erase(rule, record, view)

    report = replace(world, records=PulledMeanwhile(memory_of(world))).purge(POLICY)
    assert (erased(world), len(world.standing()), len(world.outcomes())) == (BATCH, 20, BATCH)
    assert (report.tally.counts[Count.PAUSED], report.shards_finished) == (1, SHARDS - 1)
    assert memory_of(world).leases == {}
    world.resume(POLICY)
    world.purge(POLICY)
    assert erased(world) == BATCH + 20


def test_letting_go_while_a_run_goes_on() -> None:
    """Each shard asks anew: those that come later are worked; what is shown is what is so in the end."""
    world = with_due(*(f"S-{n}" for n in range(60)))
    world.pause(NOW + DAY, POLICY)

    @dataclass
    class LetGo(MemoryBrake):
        asked: int = 0

        def read(self) -> Pause | None:
            self.asked += 1
            return super().read() if self.asked <= 5 else None

    report = replace(world, brake=LetGo(memory_of(world))).purge(POLICY)
    assert 0 < erased(world) < 60
    assert (report.tally.counts[Count.PAUSED], report.shards_finished) == (0, SHARDS - 5)


def test_a_pause_is_shown_though_nothing_is_due() -> None:
    """The alarm is for the brake, not for what it holds up."""
    world = memory_world()
    world.pause(NOW + DAY, POLICY)
    report = world.purge(POLICY)
    assert (report.tally.counts[Count.PAUSED], report.shards_finished) == (1, SHARDS)


def test_a_brake_that_cannot_be_read_is_taken_for_pulled() -> None:
    """Nothing is erased by a run that does not know whether it may; the failure is shown."""
    world = with_due(*one_shard(3))

    class Unknown(MemoryBrake):
        def read(self) -> Pause | None:
            raise CallFailedError("GetItem", "AccessDeniedException")

    report = replace(world, brake=Unknown(memory_of(world))).purge(POLICY)
    assert set(report.failures) == {"AccessDeniedException"}
    assert (erased(world), len(world.standing())) == (0, 3)


def test_events_are_taken_while_it_is_paused() -> None:
    """Facts, holds and timers are kept: only erasing waits."""
    world = memory_world()
    world.pause(NOW + DAY, POLICY)
    world.business.put(shipment_ref(), shipment())
    assert world.take(shipped(), POLICY).counts[Count.TIMERS] == 1
    assert world.take(opened(), POLICY).counts[Count.HOLDS_PLACED] == 1


def test_the_evidence_of_a_pause() -> None:
    """Who, why, until when; who let it go; about no record, by hand."""
    world = memory_world()
    world.pause(NOW + DAY, POLICY)
    assert world.resume(POLICY)
    assert not world.resume(POLICY)
    by = {"by": "staff-4", "reason_code": "investigation", "until": to_text(NOW + DAY)}
    assert world.tellings() == [("paused", "", by), ("resumed", "", {"by": "staff-5"})]
    assert {(entry["record"], entry["cause"]) for entry in world.business.entries()} == {("", "operator")}
    assert list(memory_of(world).batches) == [0]


def test_a_later_pause_replaces_the_earlier() -> None:
    """The last word counts: longer or shorter."""
    world = with_due("S-1")
    world.pause(NOW + 9 * DAY, POLICY)
    world.pause(NOW + DAY, POLICY)
    world.now = NOW + DAY
    world.purge(POLICY)
    assert erased(world) == 1
    assert [outcome for outcome, _, _ in world.tellings()] == ["paused", "paused"]


@pytest.mark.parametrize(
    ("late", "overdue"),
    [
        (timedelta(0), 0),
        (GRACE - timedelta(seconds=1), 0),
        (GRACE, 1),
        (3 * DAY, 1),
    ],
)
def test_what_is_paused_and_overdue_is_shown_as_overdue(late: timedelta, overdue: int) -> None:
    """15 minutes after they were due, fields that are still there are counted, with the age of the oldest."""
    world = with_due("S-1", due=NOW - late)
    with_due_now = shipment("S-2", shipped_at={"S": to_wire_text(NOW - 90 * DAY)})
    world.business.put(shipment_ref("S-2"), with_due_now)
    world.take(shipped("S-2", NOW - 90 * DAY), POLICY)
    world.pause(NOW + DAY, POLICY)
    report = world.purge(POLICY)
    assert report.tally.counts[Count.OVERDUE] == overdue
    assert report.oldest_overdue == (late if overdue else timedelta(0))


def spoil(world: World, fails: Callable[[RecordRef], bool]) -> World:
    """The same world, in which some records always fail."""

    @dataclass
    class Failing(MemoryTables):
        def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            if fails(record):
                raise CallFailedError("erase", "Throttled")
            return super().erase(rule, record, view)

    return replace(world, records=Failing(memory_of(world)))


def test_what_fails_again_and_again_is_overdue_too() -> None:
    """Put off or not: the due instant is what was promised; the age is that of the oldest in all shards."""
    world = with_due("S-1", "S-2", "S-3")
    report = spoil(world, lambda record: record != shipment_ref("S-3")).purge(POLICY)
    assert report.tally.counts[Count.OVERDUE] == 2
    assert report.oldest_overdue == NOW - DUE
    assert all(timer.at <= NOW + PUT_OFF_AT_MOST for timer in world.standing())


def test_the_age_is_that_of_the_oldest() -> None:
    """Of one shard and of all, whatever the order of their timers."""
    first, second, third = one_shard(3)
    world = memory_world()
    for days, name in ((3, first), (9, second), (1, third), (5, "S-0")):
        at = NOW - (90 + days) * DAY
        world.business.put(shipment_ref(name), shipment(name, shipped_at={"S": to_wire_text(at)}))
        world.take(shipped(name, at), POLICY)
    world.pause(NOW + DAY, POLICY)
    assert world.purge(POLICY).oldest_overdue == 9 * DAY


def test_more_overdue_than_one_page() -> None:
    """All are counted, however many are left."""
    world = with_due(*one_shard(2 * BATCH + 5))
    world.pause(NOW + DAY, POLICY)
    assert world.purge(POLICY).tally.counts[Count.OVERDUE] == 2 * BATCH + 5


def test_what_was_erased_or_waits_is_not_overdue() -> None:
    """A run that did all there was to do leaves none; a held record is promised for the hold's end."""
    world = with_due("S-1", "S-2")
    world.take(opened("S-1"), POLICY)
    report = world.purge(POLICY)
    assert (report.tally.counts[Count.OVERDUE], report.oldest_overdue) == (0, timedelta(0))
    assert world.purge(POLICY).tally.counts[Count.OVERDUE] == 0


def test_a_shard_in_other_hands_is_not_counted_twice() -> None:
    """Whoever works it measures it; this run does not know what the other is just erasing."""
    world = with_due(*one_shard(3))
    other = MemoryTimers(memory_of(world), holder="another")
    other.lease(3, NOW, NOW + LEASE)
    assert world.purge(POLICY).tally.counts[Count.OVERDUE] == 0


def test_a_run_that_halts_shows_what_it_leaves() -> None:
    """The cap per run is a brake as well: what it leaves undone is overdue."""
    world = with_due(*(f"S-{n}" for n in range(30)))
    report = world.purge(policy(max_erasures_per_run=10))
    assert (erased(world), report.tally.counts[Count.OVERDUE]) == (10, 20)
    assert report.tally.counts[Count.HALTED] == 1
