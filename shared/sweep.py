"""Use case: find what should have a timer and has none. It erases nothing; it sets timers, wakes the purge.

A sweep is cut into parts, segments of tables, each with a cursor that outlives the run: whoever comes next
goes on where it stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.failure import CallFailedError, raise_all
from shared.finding import SWEPT_EVERY, scanned_tables
from shared.instants import MICROSECOND, add
from shared.policy import Policy
from shared.sweep_part import LEASE, TIME_TO_STOP, Pace, PartsOfSweep
from shared.sweep_ports import Ports
from shared.sweep_state import FACTS, Part, PartProgress, Sweep, SweepProgress, parts_of
from shared.tally import Count, Tally

WAIT_FOR_ANOTHER = timedelta(seconds=2)
LEAST_SHARE = 0.001
"""A sweep that has come less far is told to end as if it had come so far."""


@dataclass(frozen=True)
class SweepReport:
    """How far a run came. `sweep` is the one that it worked on, `None` if another run is at it."""

    sweep: Sweep | None
    tally: Tally
    failures: tuple[str, ...] = ()
    gap: timedelta = timedelta(0)
    """From the end of the last sweep to now, or to when this one will be through, if that can be told."""

    def raise_failures(self) -> None:
        """Raise all failures together, so that the function's own failure shows them.

        Raises:
            ExceptionGroup: of `CallFailedError`s.
        """
        raise_all("sweep", self.failures)


def sweep(policy: Policy, ports: Ports, progress: SweepProgress, pace: Pace, *, by_hand: bool) -> SweepReport:
    """Go on with the sweep that is not through, or begin one: daily, or at once if asked by hand.

    Args:
        policy: the rules.
        ports: what to work on.
        progress: where the cursors are.
        pace: the time there is.
        by_hand: do not wait for the day to be over, but for another run to end.

    Raises:
        CallFailedError: the progress could not be read, or kept; the next run tries again.
    """
    while not progress.lease(pace.clock(), pace.clock() + LEASE):
        if not by_hand or pace.time_left() < TIME_TO_STOP + WAIT_FOR_ANOTHER:
            return SweepReport(None, Tally())
        pace.sleep(WAIT_FOR_ANOTHER)
    report = _Run(policy, ports, progress, pace).go_on(by_hand=by_hand)
    try:
        progress.release()
    except CallFailedError as error:  # the lease ends by itself; what was done is to be reported
        return replace(report, failures=(*report.failures, error.code))
    return report


@dataclass(frozen=True)
class _Run:
    policy: Policy
    ports: Ports
    progress: SweepProgress
    pace: Pace

    def go_on(self, *, by_hand: bool) -> SweepReport:
        """Find out which sweep it is, and work on it."""
        now = self.pace.clock()
        last = self.progress.read()
        if last is None or last.policy != self.policy.digest:
            return self._work(self._begin(last, now))  # timers are lost, or the policy is new: at once
        if last.finished is None:
            return self._work(last)
        if by_hand or now >= last.began + SWEPT_EVERY:
            return self._work(self._begin(last, now))
        return SweepReport(last, Tally(), gap=now - last.finished)

    def _begin(self, last: Sweep | None, now: datetime) -> Sweep:
        since = last.finished or last.last_finished if last else now
        # Two sweeps are told apart by when they began.
        began = max(now, add(last.began, MICROSECOND)) if last else now
        current = Sweep(began, self.policy.digest, last_finished=since)
        self.progress.begin(current)
        return current

    def _work(self, current: Sweep) -> SweepReport:
        """Work all parts that are not through; then the sweep is, or the next run goes on."""
        known = self.progress.read_parts(current)
        before = {part: known.get(part.name, PartProgress()) for part in parts_of(self.policy)}
        left = [part for part, each in before.items() if not each.done]
        parts = PartsOfSweep(current, self.policy, self.ports, self.progress, self.pace)
        worked = self.pace.side_by_side(lambda part: parts.work(part, before[part]), left)
        reports = dict(zip(left, worked, strict=True))
        after = before | {part: report.progress for part, report in reports.items()}
        tally = Tally.total(report.tally for report in reports.values())
        failures = tuple(report.failure for report in reports.values() if report.failure)
        if all(each.done for each in after.values()):
            current = self._finish(current, after)
            tally.add(Count.SWEEPS, int(current.finished is not None))
        elif failures and after == before and self.pace.clock() >= current.began + SWEPT_EVERY:
            # What is left fails each time. That must not keep the other parts from their daily sweep.
            self._begin(current, self.pace.clock())
        return SweepReport(current, tally, failures, self._gap(current, after))

    def _finish(self, current: Sweep, parts: Mapping[Part, PartProgress]) -> Sweep:
        counts = sum((each.counts for each in parts.values()), PartProgress().counts)
        finished = replace(current, finished=self.pace.clock(), counts=counts)
        return finished if self.progress.finish(finished) else current

    def _gap(self, current: Sweep, parts: Mapping[Part, PartProgress]) -> timedelta:
        """From the last sweep's end to this one's."""
        since = current.last_finished or current.began
        return (current.finished or self._projected_end(current, parts)) - since

    def _projected_end(self, current: Sweep, parts: Mapping[Part, PartProgress]) -> datetime:
        """As far as it can be told by what is through."""
        now = self.pace.clock()
        try:
            whole = sum(self.ports.records.about_how_many(each.table) for each in scanned_tables(self.policy))
        except CallFailedError:  # a guess is not worth the report
            return now
        through = sum(each.scanned for part, each in parts.items() if part.table != FACTS)
        if not 0 < through < whole:
            return now
        return current.began + (now - current.began) / max(through / whole, LEAST_SHARE)
