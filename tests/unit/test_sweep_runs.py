"""How a sweep goes on from run to run: cursors, leases, days, policies, pace."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.failure import CallFailedError
from shared.finding import SEGMENTS, SWEPT_EVERY
from shared.instants import MICROSECOND, SECOND
from shared.policy import Policy
from shared.record import SHARDS
from shared.sweep import LEAST_SHARE, SweepReport
from shared.sweep_part import LEASE, TIME_TO_STOP
from shared.sweep_state import PartProgress, Sweep
from shared.tally import Count
from tests.builders import (
    LONG_AGO,
    NOW,
    contact,
    contact_ref,
    leaver_rule,
    left,
    policy,
    shipment,
    shipment_ref,
)
from tests.memory import Memory, MemoryFacts, MemoryProgress, MemoryTables, MemoryTimers
from tests.worlds import MemoryBusiness, World, memory_world

POLICY = policy()
MINUTE = timedelta(minutes=1)
RECORDS = 30


def memory_of(world: World) -> Memory:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def with_records() -> World:
    """Shipments whose events never came, and leavers with timers: several pages of each segment."""
    world = memory_world()
    for number in range(RECORDS):
        name = f"S-{number}"
        world.business.put(shipment_ref(name), shipment(name))
        if number % 3 == 0:
            world.business.put(contact_ref(name), contact(name))
            world.take(left(name), POLICY)
    return world


def pages(number: int) -> Callable[[], timedelta]:
    """A run that has time for so many pages, one part after the other."""
    left = [timedelta(minutes=5)] * number
    return lambda: left.pop() if left else TIME_TO_STOP - MICROSECOND


def in_pieces(world: World, by: Policy = POLICY, *, of: int = 3) -> list[SweepReport]:
    """Runs of a few pages each, every five minutes, until the sweep is through."""
    reports: list[SweepReport] = []
    while not (reports and finished(reports[-1])):
        world.time_left = pages(of)
        reports.append(world.sweep(by, by_hand=False))
        reports[-1].raise_failures()
        world.now += 5 * MINUTE
        assert len(reports) < 100
    return reports


def finished(report: SweepReport) -> datetime | None:
    return report.sweep.finished if report.sweep else None


def began(report: SweepReport) -> datetime:
    assert report.sweep is not None
    return report.sweep.began


def swept(world: World, **how: Any) -> SweepReport:
    report = world.sweep(POLICY, **how)
    report.raise_failures()
    return report


def test_a_sweep_in_pieces_is_the_same_as_a_whole_one() -> None:
    """Each run goes on where the one before it stopped; what was counted is counted once."""
    whole, pieces = with_records(), with_records()
    report = swept(whole)
    reports = in_pieces(pieces)
    assert len(reports) > 5
    assert report.sweep is not None
    assert reports[-1].sweep is not None
    assert reports[-1].sweep.counts == report.sweep.counts
    assert sum(report.sweep.counts.values()) > RECORDS
    assert pieces.standing() == whole.standing()
    assert {began(each) for each in reports} == {NOW}
    assert [each.tally.counts[Count.SWEEPS] for each in reports] == [0] * (len(reports) - 1) + [1]


def test_a_run_without_time_touches_nothing() -> None:
    """A page that is begun is to be ended before the function is."""
    world = with_records()
    world.time_left = pages(0)
    assert finished(swept(world)) is None
    assert memory_of(world).parts == {}


def test_a_page_whose_cursor_was_lost_is_worked_again() -> None:
    """Its timers stand by then, and it is counted once: the cursor and the counts are kept together."""

    class Fails(MemoryProgress):
        def write_part(self, sweep: Sweep, part: str, progress: PartProgress) -> None:
            raise CallFailedError("PutItem", "Throttled")

    world, undisturbed = with_records(), with_records()
    expected = swept(undisturbed).sweep
    sound = world.progress
    world.progress = Fails(memory_of(world))
    report = world.sweep(POLICY)
    assert set(report.failures) == {"Throttled"}
    assert finished(report) is None
    world.progress = sound
    again = swept(world, by_hand=False).sweep
    assert expected is not None
    assert again is not None
    states = {key: n for key, n in expected.counts.items() if key[1].value != "without_timer"}
    assert {key: n for key, n in again.counts.items() if key[1].value != "without_timer"} == states
    assert world.standing() == undisturbed.standing()


def test_a_last_page_whose_end_was_not_kept() -> None:
    """The sweep is through when its cursors say so, and not when a run believes it."""

    class Fails(MemoryProgress):
        def write_part(self, sweep: Sweep, part: str, progress: PartProgress) -> None:
            if progress.done:
                raise CallFailedError("PutItem", "Throttled")
            super().write_part(sweep, part, progress)

    world = with_records()
    world.progress, sound = Fails(memory_of(world)), world.progress
    report = world.sweep(POLICY)
    assert report.failures == ("Throttled",) * 2 * SEGMENTS
    assert finished(report) is None
    world.progress = sound
    assert finished(swept(world, by_hand=False)) == NOW


def test_the_cursor_comes_after_the_timers() -> None:
    """Or a page would be lost whose timers could not be set."""

    class Fails(MemoryTimers):
        def put(self, timers: Any) -> None:
            raise CallFailedError("BatchWriteItem", "Throttled")

    world = with_records()
    world.timers, timers = Fails(memory_of(world)), world.timers
    failures = world.sweep(POLICY).failures
    assert failures == ("Throttled",) * SEGMENTS
    world.timers = timers
    swept(world, by_hand=False)
    assert len([each for each in world.standing() if each.rule == "delivery-contact"]) == RECORDS


def test_a_part_that_fails_stops_no_other() -> None:
    """The report names the failure; the next run tries the part again, and only that."""
    world = with_records()

    class Fails(MemoryTables):
        def scan(self, of: Any, segment: int, after: Any) -> Any:
            if segment == 1:
                raise CallFailedError("Scan", "Throttled")
            return super().scan(of, segment, after)

    world.records, records = Fails(memory_of(world)), world.records
    report = world.sweep(POLICY)
    assert report.failures == ("Throttled",)
    assert finished(report) is None
    with pytest.raises(ExceptionGroup):
        report.raise_failures()
    assert len([part for _, part in memory_of(world).parts.values() if part.done]) == 2 * SEGMENTS - 1
    world.records = records
    assert finished(swept(world, by_hand=False)) == NOW


def test_a_part_that_always_fails_keeps_the_others_from_nothing() -> None:
    """After a day without going further the sweep is begun anew; that none was through is still told."""
    world = with_records()
    swept(world)

    class Fails(MemoryTables):
        def scan(self, of: Any, segment: int, after: Any) -> Any:
            if segment == 1:
                raise KeyError("shipment_id")
            return super().scan(of, segment, after)

    world.records = Fails(memory_of(world))
    world.now += SWEPT_EVERY
    assert world.sweep(POLICY, by_hand=False).failures == ("KeyError",)
    world.now += SWEPT_EVERY - MINUTE
    world.sweep(POLICY, by_hand=False)
    assert memory_of(world).sweep == Sweep(NOW + SWEPT_EVERY, POLICY.digest, last_finished=NOW)
    world.now += MINUTE
    new = shipment_ref(
        next(f"S-{n}" for n in range(100, 200) if shipment_ref(f"S-{n}").shard % SEGMENTS == 2)
    )
    world.business.put(new, shipment(new.key["shipment_id"]["S"]))
    assert world.sweep(POLICY, by_hand=False).gap >= 2 * SWEPT_EVERY
    assert world.sweep(POLICY, by_hand=False).gap >= 2 * SWEPT_EVERY
    assert new in {timer.record for timer in world.standing()}


def test_a_slow_sweep_is_not_begun_anew() -> None:
    """However long it takes: what comes further comes to an end."""
    world = with_records()
    world.time_left = pages(1)
    swept(world, by_hand=False)
    world.now += 3 * SWEPT_EVERY
    assert began(swept(world, by_hand=False)) == NOW
    world.time_left = pages(100)
    report = swept(world, by_hand=False)
    assert (began(report), finished(report)) == (NOW, NOW + 3 * SWEPT_EVERY)


def test_a_part_that_fails_does_not_stop_a_slow_sweep() -> None:
    """As long as any part goes further, there is nothing to be gained by beginning anew."""
    world = with_records()

    class Fails(MemoryTables):
        def scan(self, of: Any, segment: int, after: Any) -> Any:
            raise CallFailedError("Scan", "Throttled")

    world.records, records = Fails(memory_of(world)), world.records
    world.now += SWEPT_EVERY
    assert world.sweep(POLICY, by_hand=False).failures == ("Throttled",) * SEGMENTS
    world.now += SWEPT_EVERY
    world.records, memory_of(world).parts = records, {}
    world.facts, facts = FailingFacts(memory_of(world)), world.facts
    assert world.sweep(POLICY, by_hand=False).failures == ("Throttled",) * SEGMENTS
    world.facts = facts
    assert began(swept(world, by_hand=False)) == NOW + SWEPT_EVERY


class FailingFacts(MemoryFacts):
    """Facts that cannot be scanned."""

    def scan(self, segment: int, after: Any) -> Any:
        raise CallFailedError("Scan", "Throttled")


def test_sweeps_begin_daily() -> None:
    """Counted from the beginning, so that they do not wander through the day."""
    world = with_records()
    swept(world, by_hand=False)
    for later, begins in (
        (SWEPT_EVERY - SECOND, NOW),
        (SWEPT_EVERY, NOW + SWEPT_EVERY),
        (2 * SWEPT_EVERY, NOW + 2 * SWEPT_EVERY),
    ):
        world.now = NOW + later
        report = swept(world, by_hand=False)
        assert began(report) == begins
        assert report.tally.counts[Count.SWEEPS] == (begins == world.now)


def test_a_sweep_by_hand_begins_at_once() -> None:
    """Somebody wants to know what is so now; one that is not through is ended first."""
    world = with_records()
    swept(world)
    world.now += MINUTE
    assert began(swept(world)) == NOW + MINUTE
    world.now += SWEPT_EVERY
    world.time_left = pages(2)
    assert finished(swept(world)) is None
    world.now += MINUTE
    world.time_left = pages(100)
    report = swept(world)
    assert (began(report), finished(report)) == (NOW + SWEPT_EVERY + MINUTE, world.now)


@pytest.mark.parametrize("through", [True, False], ids=["through", "not-through"])
def test_a_new_policy_is_swept_at_once(through: bool) -> None:  # noqa: FBT001 -- a case
    """Its timers may be due earlier; cursors of the old one mean nothing."""
    world = with_records()
    if not through:
        world.time_left = pages(5)
    swept(world, by_hand=False)
    world.time_left = pages(100)
    world.now += MINUTE
    report = world.sweep(policy(digest="new"), by_hand=False)
    assert (began(report), finished(report)) == (world.now, world.now)
    assert sum(part.scanned for when, part in memory_of(world).parts.values() if when == world.now) == 40


def test_the_due_table_is_emptied() -> None:
    """What is lost with it is the knowledge that all was swept: a sweep begins at once."""
    world = with_records()
    swept(world)
    timers = world.standing()
    lose_due_table(world)
    world.now += MINUTE
    report = swept(world, by_hand=False)
    assert (began(report), finished(report)) == (world.now, world.now)
    assert world.standing() == timers


def lose_due_table(world: World) -> None:
    memory = memory_of(world)
    memory.timers.clear()
    memory.parts.clear()
    memory.leases.clear()
    memory.sweep = None


def test_the_due_table_is_emptied_during_a_sweep() -> None:
    """That sweep is not through, whatever it saw itself do: the timers of its first pages are gone."""
    world = with_records()

    class Emptied(MemoryTables):
        def scan(self, of: Any, segment: int, after: Any) -> Any:
            if segment == SEGMENTS - 1 and after is None:
                lose_due_table(world)
            return super().scan(of, segment, after)

    world.records, records = Emptied(memory_of(world)), world.records
    report = swept(world)
    assert finished(report) is None
    assert report.tally.counts[Count.SWEEPS] == 0
    assert len(world.standing()) < RECORDS
    world.records = records
    assert finished(swept(world, by_hand=False)) == NOW
    assert len([each for each in world.standing() if each.rule == "delivery-contact"]) == RECORDS


def another(world: World) -> MemoryProgress:
    """The same progress in the hands of another run."""
    return MemoryProgress(memory_of(world), holder="another")


def test_a_run_leaves_a_sweep_in_other_hands_alone() -> None:
    """Unless the lease has expired; then the other run was killed."""
    world = with_records()
    assert another(world).lease(world.now, world.now + LEASE)
    report = world.sweep(POLICY, by_hand=False)
    assert (report.sweep, report.failures, world.standing()[RECORDS:]) == (None, (), [])
    assert memory_of(world).sweep is None
    world.now += LEASE + SECOND
    assert finished(swept(world, by_hand=False)) == world.now
    assert memory_of(world).leases == {}


def test_by_hand_another_run_is_waited_for() -> None:
    """As long as there is time."""
    world = with_records()
    assert another(world).lease(world.now, world.now + LEASE)
    left = [timedelta(minutes=5)] * 3
    world.time_left = lambda: left.pop() if left else timedelta(0)
    assert world.sweep(POLICY).sweep is None
    assert world.slept == [2 * SECOND] * 3
    world.time_left = lambda: timedelta(minutes=5)
    world.clock = lambda: NOW + sum(world.slept, timedelta(0))
    assert finished(world.sweep(POLICY)) is not None
    assert sum(world.slept, timedelta(0)) > LEASE


def test_a_run_that_lost_its_lease_stops() -> None:
    """Another goes on from the cursor; both would do no harm, but twice the work."""
    world = with_records()

    class Taken(MemoryTables):
        def scan(self, of: Any, segment: int, after: Any) -> Any:
            self.memory.leases[SHARDS] = ("another", world.now + LEASE)
            return super().scan(of, segment, after)

    world.records, records = Taken(memory_of(world)), world.records
    report = swept(world)
    assert finished(report) is None
    assert memory_of(world).leases[SHARDS][0] == "another"
    assert sum(part.scanned for _, part in memory_of(world).parts.values()) <= 2 * 2 * SEGMENTS
    world.records, world.progress = records, another(world)
    assert finished(swept(world, by_hand=False)) == NOW


def test_a_run_that_is_late_ends_no_other_sweep() -> None:
    """It thinks that it is through; meanwhile another sweep began."""
    world = with_records()

    class Begun(MemoryProgress):
        def finish(self, sweep: Sweep) -> bool:
            self.begin(Sweep(NOW + SECOND, POLICY.digest, last_finished=NOW))
            return super().finish(sweep)

    world.progress = Begun(memory_of(world))
    assert finished(swept(world)) is None
    assert memory_of(world).sweep == Sweep(NOW + SECOND, POLICY.digest, last_finished=NOW)


def test_two_sweeps_at_once() -> None:
    """Without any lease: the same timers, and whoever is through says so."""

    class NoLease(MemoryProgress):
        def lease(self, now: datetime, until: datetime) -> bool:
            return True

    world, undisturbed = with_records(), with_records()
    expected = swept(undisturbed).sweep
    assert expected is not None
    world.progress = NoLease(memory_of(world))
    other = replace(world, progress=NoLease(memory_of(world), "another"))
    turns = 0
    while memory_of(world).sweep is None or memory_of(world).sweep.finished is None:  # type: ignore[union-attr]
        for each, number in ((world, 1), (other, 2)):
            each.time_left = pages(number)
            swept(each, by_hand=False)
        turns += 1
    assert turns > 3
    assert world.standing() == undisturbed.standing()
    done = memory_of(world).sweep
    assert done is not None
    assert done.counts == expected.counts


def test_a_lease_that_cannot_be_given_back_costs_no_report() -> None:
    """It ends by itself; what was found is to be told."""

    class Stuck(MemoryProgress):
        def release(self) -> None:
            raise CallFailedError("DeleteItem", "Throttled")

    world = with_records()
    world.progress = Stuck(memory_of(world))
    report = world.sweep(POLICY)
    assert report.failures == ("Throttled",)
    assert finished(report) == NOW


def test_scans_stay_below_the_cap() -> None:
    """Each segment has its share; the lease is kept for as long as a run sleeps."""
    world = with_records()
    until: list[timedelta] = []

    class Watched(MemoryProgress):
        def lease(self, now: datetime, until_then: datetime) -> bool:
            until.append(until_then - now)
            return super().lease(now, until_then)

    world.progress = Watched(memory_of(world))
    swept(world, units_per_second=0.1)
    scanned = sum(part.scanned for _, part in memory_of(world).parts.values())
    assert sum(world.slept, timedelta(0)) == timedelta(seconds=scanned * SEGMENTS / 0.1)
    assert max(world.slept) == timedelta(seconds=2 * SEGMENTS / 0.1)
    assert max(until) == max(world.slept) + LEASE


def test_time_that_a_page_took_counts_for_the_cap() -> None:
    """What is left of the pause is slept, and never into the time that it takes to stop."""
    world = with_records()
    clock = iter(NOW + n * SECOND for n in range(10_000))
    world.clock = lambda: next(clock)
    swept(world, units_per_second=SEGMENTS)
    assert max(world.slept) == SECOND
    world.slept.clear()
    world.clock = None
    world.time_left = lambda: TIME_TO_STOP + SECOND
    world.sweep(POLICY, units_per_second=0.001)
    assert max(world.slept) == SECOND


def test_without_a_cap_nothing_is_slept() -> None:
    """As fast as it can."""
    world = with_records()
    swept(world)
    assert world.slept == []


def test_the_gap_is_from_end_to_end() -> None:
    """Until the first is through, from its beginning; between sweeps, since the last end."""
    world = with_records()
    gaps = [report.gap for report in in_pieces(world)]
    end = finished(swept(world, by_hand=False))
    assert end is not None
    assert gaps[-1] == end - NOW
    world.now = end + timedelta(hours=3)
    assert swept(world, by_hand=False).gap == timedelta(hours=3)
    world.now = NOW + SWEPT_EVERY
    assert swept(world, by_hand=False).gap == NOW + SWEPT_EVERY - end


def test_the_end_is_projected_by_what_is_through() -> None:
    """An alarm is to ring before the promise is broken, and not for a sweep that has just begun."""
    world = with_records()
    world.time_left = pages(0)
    assert swept(world, by_hand=False).gap == timedelta(0)
    world.now += timedelta(hours=1)
    assert swept(world, by_hand=False).gap == timedelta(hours=1)
    world.time_left = pages(5)
    report = swept(world, by_hand=False)
    scanned = sum(part.scanned for name, (_, part) in memory_of(world).parts.items() if name.startswith("S"))
    assert 0 < scanned < RECORDS
    assert report.gap == timedelta(hours=1) * RECORDS / scanned


@pytest.mark.parametrize(
    ("items", "gap"),
    [(0, MINUTE), (1, MINUTE), (10**12, MINUTE / LEAST_SHARE), (None, MINUTE)],
    ids=["none", "fewer", "very-many", "unknown"],
)
def test_what_a_table_says_of_its_size_is_a_guess(items: int | None, gap: timedelta) -> None:
    """It may be hours old, or not to be had; the report comes all the same."""

    class Sized(MemoryTables):
        def about_how_many(self, table: str) -> int:
            if items is None:
                raise CallFailedError("DescribeTable", "Throttled")
            return items

    world = with_records()
    world.records = Sized(memory_of(world))
    world.time_left = pages(2)
    swept(world)
    world.now += MINUTE
    world.time_left = pages(0)
    report = swept(world)
    assert report.failures == ()
    assert report.gap == gap


def test_facts_have_no_size_in_the_projection() -> None:
    """The tables are what takes time; who scans none has nothing to project."""
    world = memory_world()
    world.business.put(contact_ref(), contact())
    world.take(left(at=LONG_AGO), POLICY)
    world.time_left = pages(1)
    world.sweep(policy(leaver_rule()))
    world.now += MINUTE
    world.time_left = pages(0)
    assert world.sweep(policy(leaver_rule())).gap == MINUTE
