"""Planted bugs in timers, wake-ups and leases."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.failure import CallFailedError
from shared.instants import MINUTE
from shared.purge_due import RECURRING, PurgeReport
from shared.record import SHARDS
from shared.retention import Drop
from shared.settle import Settled
from shared.tally import Tally
from tests.simulation.planted import I2, I6, I10, everywhere, planted, swap

A_YEAR = timedelta(days=365)


@planted(I10)
def a_held_timer_is_dropped(plant: pytest.MonkeyPatch) -> None:
    """The hold's end sets no timer; the sweep would, if there is one."""
    plant.setattr("shared.settle._Case._wait", lambda case, _decision: case._end())


@planted(I10)
def dropped_timers_leave_no_evidence(plant: pytest.MonkeyPatch) -> None:
    """What comes to nothing just goes."""
    plant.setattr("shared.settle._Case._drop", lambda case, _why: case._end())


@planted(I10)
def erased_without_a_timer(plant: pytest.MonkeyPatch) -> None:
    """The timer is removed before the work begins, so that nobody does it twice."""
    swap(
        plant,
        "shared.purge_shard.ShardRun._settle",
        lambda real: lambda run, timers, tally: run.ports.timers.remove(timers) or real(run, timers, tally),
    )


@planted(I2)
def a_timer_that_failed_once_comes_in_a_year(plant: pytest.MonkeyPatch) -> None:
    """The pause after a failure grows too fast."""
    swap(
        plant,
        "shared.timer.Timer.backed_off",
        lambda real: lambda timer, now: replace(real(timer, now), at=now + A_YEAR),
    )


@planted(I6)
def each_delivery_sets_a_timer_of_its_own(plant: pytest.MonkeyPatch) -> None:
    """What is due already is timed for now, and again for each now."""
    swap(
        plant,
        "shared.schedule_deletion._due",
        lambda real: lambda told, rule, view, now: _not_past(real(told, rule, view, now), now),
    )


@planted(I2)
def a_wake_up_in_the_past(plant: pytest.MonkeyPatch) -> None:
    """Of what is due already: the schedule is made, and never fires."""
    everywhere(plant, "shared.retention.wake_up_minute", lambda real: lambda at, _now: real(at, at - A_YEAR))


@planted(I2)
def one_failing_record_blocks_its_shard(plant: pytest.MonkeyPatch) -> None:
    """It ends the batch, whatever was done before it, and stands at the head of the next one."""

    def insisting(settled: Settled) -> Settled:
        if settled.failure:
            raise CallFailedError("settle", settled.failure)
        return settled

    swap(
        plant,
        "shared.purge_shard.ShardRun._settle_one",
        lambda real: lambda run, timer, views, tally: insisting(real(run, timer, views, tally)),
    )


@planted(I2)
def a_lease_is_for_ever(plant: pytest.MonkeyPatch) -> None:
    """What a crashed run leased, nobody works any more."""
    swap(
        plant,
        "tests.memory.MemoryTimers.lease",
        lambda real: lambda timers, shard, now, until: real(timers, shard, now, until + A_YEAR),
    )


@planted(I2)
def wake_ups_come_to_nothing(plant: pytest.MonkeyPatch) -> None:
    """No schedule is made; the recurring purge would mask it."""
    plant.setattr("tests.memory.MemoryWakeUps.ensure", lambda *_: None)


@planted(I2)
def the_recurring_purge_does_nothing(plant: pytest.MonkeyPatch) -> None:
    """Only wake-ups work; a lost one is never made up for."""
    nothing = PurgeReport(Tally(), (), SHARDS, timedelta(0))
    everywhere(
        plant,
        "shared.purge_due.purge_due",
        lambda real: (
            lambda policy, of, pace, cause: nothing if cause == RECURRING else real(policy, of, pace, cause)
        ),
    )


@planted(I2)
def a_wake_up_comes_too_soon(plant: pytest.MonkeyPatch) -> None:
    """The purge finds nothing that is due yet, and nobody wakes it again."""
    everywhere(
        plant, "shared.retention.wake_up_minute", lambda real: lambda at, now: real(at, now) - 2 * MINUTE
    )


def _not_past(due: datetime | Drop, now: datetime) -> datetime | Drop:
    return due if isinstance(due, Drop) else max(due, now)
