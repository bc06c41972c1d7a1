"""Use case: find what should have a timer and has none. It erases nothing; it sets timers, wakes the purge.

A sweep is cut into parts, segments of tables, each with a cursor that outlives the run: whoever comes next
goes on where it stands.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from shared.failure import code_of, raise_all
from shared.finding import SEGMENTS, Cursor, Scanned, scanned_tables
from shared.policy import Policy
from shared.sweep_pages import EVERY, Counts, Pages, Ports
from shared.tally import Count, Tally

TIME_TO_STOP = timedelta(seconds=45)
"""Before the function's time is up: enough for a slow page."""
LEASE = timedelta(minutes=2)
"""Renewed with each page."""
WAIT_FOR_ANOTHER = timedelta(seconds=2)
FACTS = "#facts"
"""The part that scans Facts; no logical table name begins with a `#`."""


@dataclass(frozen=True)
class Part:
    """A segment of a table, or of Facts."""

    table: str
    segment: int

    @property
    def name(self) -> str:
        """`Shipments/3`."""
        return f"{self.table}/{self.segment}"


@dataclass(frozen=True)
class PartProgress:
    """How far a part came. Timers of all pages up to the cursor are set."""

    cursor: Cursor | None = None
    done: bool = False
    scanned: int = 0
    counts: Counts = field(default_factory=Counter)


@dataclass(frozen=True)
class Sweep:
    """A sweep, or the last one: when it began and ended, by which policy, and what it counted by rule."""

    began: datetime
    policy: str
    finished: datetime | None = None
    counts: Counts = field(default_factory=Counter)
    last_finished: datetime | None = None
    """When the one before it ended, or else when the first of all began."""


class SweepProgress(Protocol):
    """Where the progress of sweeps is kept."""

    def read(self) -> Sweep | None:
        """The last sweep."""

    def write(self, sweep: Sweep) -> None:
        """Begin or end a sweep."""

    def read_parts(self, sweep: Sweep) -> Mapping[str, PartProgress]:
        """How far the parts of this sweep came, by name."""

    def write_part(self, sweep: Sweep, part: str, progress: PartProgress) -> None:
        """Keep how far a part came."""

    def lease(self, now: datetime, until: datetime) -> bool:
        """Take or renew the sweep's lease; False if another run holds it."""

    def release(self) -> None:
        """Give this run's lease back."""


@dataclass(frozen=True)
class Pace:
    """The time that a run has, how its parts are worked, and how many read units a second it may use."""

    clock: Callable[[], datetime]
    time_left: Callable[[], timedelta]
    sleep: Callable[[timedelta], None]
    side_by_side: Callable[[Callable[[Part], "PartReport"], Iterable[Part]], Iterable["PartReport"]] = map
    units_per_second: float | None = None


@dataclass(frozen=True)
class PartReport:
    """How far one part came in this run."""

    progress: PartProgress
    tally: Tally
    failure: str = ""


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
    """
    while not progress.lease(pace.clock(), pace.clock() + LEASE):
        if not by_hand or pace.time_left() < TIME_TO_STOP + WAIT_FOR_ANOTHER:
            return SweepReport(None, Tally())
        pace.sleep(WAIT_FOR_ANOTHER)
    report = _Run(policy, ports, progress, pace).go_on(by_hand=by_hand)
    progress.release()
    return report


@dataclass(frozen=True)
class _Run:
    policy: Policy
    ports: Ports
    progress: SweepProgress
    pace: Pace

    def go_on(self, *, by_hand: bool) -> SweepReport:
        now = self.pace.clock()
        last = self.progress.read()
        if last is None or last.policy != self.policy.digest:
            return self._work(self._begin(last, now))  # timers are lost, or the policy is new: at once
        if last.finished is None:
            return self._work(last)
        if by_hand or now >= last.began + EVERY:
            return self._work(self._begin(last, now))
        return SweepReport(last, Tally(), gap=now - last.finished)

    def _begin(self, last: Sweep | None, now: datetime) -> Sweep:
        since = last.finished or last.last_finished if last else now
        current = Sweep(now, self.policy.digest, last_finished=since)
        self.progress.write(current)
        return current

    def _work(self, current: Sweep) -> SweepReport:
        parts = self._parts()
        done = dict(self.progress.read_parts(current))
        open_parts = [part for part in parts if not done.get(part.name, PartProgress()).done]
        reports = list(
            self.pace.side_by_side(
                lambda part: self._work_part(current, part, done.get(part.name, PartProgress())), open_parts
            )
        )
        done |= {part.name: report.progress for part, report in zip(open_parts, reports, strict=True)}
        tally = Tally.total(report.tally for report in reports)
        if all(done.get(part.name, PartProgress()).done for part in parts):
            counts: Counts = sum((each.counts for each in done.values()), Counter())
            current = replace(current, finished=self.pace.clock(), counts=counts)
            self.progress.write(current)
            tally.add(Count.SWEEPS)
        failures = tuple(report.failure for report in reports if report.failure)
        return SweepReport(current, tally, failures, self._gap(current, done))

    def _parts(self) -> list[Part]:
        """Part by part of all tables in turn, so that no table comes last."""
        tables = [*(each.table for each in scanned_tables(self.policy)), FACTS]
        return [Part(table, segment) for segment in range(SEGMENTS) for table in tables]

    def _work_part(self, current: Sweep, part: Part, progress: PartProgress) -> PartReport:
        """Page by page: first the page's timers, then the cursor. A page that comes twice changes nothing."""
        tally, failure = Tally(), ""
        try:
            while not progress.done and self.pace.time_left() >= TIME_TO_STOP:
                began = self.pace.clock()
                pages = Pages(self.policy, self.ports, began)
                progress, units = self._work_page(pages, part, progress)
                self.progress.write_part(current, part.name, progress)
                self.progress.lease(self.pace.clock(), self.pace.clock() + LEASE)
                tally = Tally.total([tally, pages.tally])
                self._slow_down(units, began)
        except Exception as error:  # noqa: BLE001 -- one part must not stop the others; it is raised in the end
            failure = code_of(error)
        return PartReport(progress, tally, failure)

    def _work_page(self, pages: Pages, part: Part, progress: PartProgress) -> tuple[PartProgress, float]:
        """How far the part came, and the read units that it took."""
        if part.table == FACTS:
            facts = self.ports.facts.scan(part.segment, progress.cursor)
            pages.work_facts(facts)
            following, scanned, units = facts.following, facts.scanned, facts.units
        else:
            records = self.ports.records.scan(self._scanned(part), part.segment, progress.cursor)
            pages.work_records(self._scanned(part), records)
            following, scanned, units = records.following, records.scanned, records.units
        counts = progress.counts + pages.counts
        return PartProgress(following, following is None, progress.scanned + scanned, counts), units

    def _scanned(self, part: Part) -> Scanned:
        return next(each for each in scanned_tables(self.policy) if each.table == part.table)

    def _slow_down(self, units: float, began: datetime) -> None:
        """Stay below the cap: each of the parts that run side by side has its share of it."""
        if self.pace.units_per_second is not None:
            share = self.pace.units_per_second / SEGMENTS
            left = timedelta(seconds=units / share) - (self.pace.clock() - began)
            self.pace.sleep(max(min(left, self.pace.time_left() - TIME_TO_STOP), timedelta(0)))

    def _gap(self, current: Sweep, done: Mapping[str, PartProgress]) -> timedelta:
        """From the last sweep's end to this one's, as far as it can be told by the part that is through."""
        now = self.pace.clock()
        since = current.last_finished or current.began
        if current.finished:
            return current.finished - since
        tables = [each.table for each in scanned_tables(self.policy)]
        whole = sum(self.ports.records.about_how_many(table) for table in tables)
        through = sum(each.scanned for name, each in done.items() if not name.startswith(FACTS))
        share = min(through / whole, 1) if whole else 1
        ends = current.began + (now - current.began) / share if share else now
        return max(ends, now) - since
