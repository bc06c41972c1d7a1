"""Working one part of a sweep, page by page, at a pace."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.failure import code_of
from shared.finding import SEGMENTS, scanned_tables
from shared.policy import Policy
from shared.sweep_pages import Pages
from shared.sweep_ports import Ports
from shared.sweep_state import FACTS, Part, PartProgress, Sweep, SweepProgress
from shared.tally import Tally

TIME_TO_STOP = timedelta(seconds=45)
"""Before the function's time is up: enough for a slow page."""
FAILED_PAGES = 3
"""How often a page is worked again whose timers are set, but of which not all could be told or counted."""
LEASE = timedelta(minutes=2)
"""Renewed with each page; correctness never rests on it."""


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
class PartsOfSweep:
    """The parts of one sweep, to be worked side by side."""

    current: Sweep
    policy: Policy
    ports: Ports
    progress: SweepProgress
    pace: Pace

    def work(self, part: Part, progress: PartProgress) -> PartReport:
        """Page by page: first what the page leads to, then the cursor. Never raises."""
        tally, failure = Tally(), ""
        try:
            while not progress.done and self.pace.time_left() >= TIME_TO_STOP:
                began = self.pace.clock()
                pages = Pages(self.policy, self.ports, began)
                further, units = self._work_page(pages, part, progress)
                failure = next(iter(pages.failures), failure)
                if pages.failures and progress.failed < FAILED_PAGES:
                    again = replace(progress, failed=progress.failed + 1)
                    self.progress.write_part(self.current, part.name, again)
                    break
                further = replace(further, failed=progress.failed if pages.failures else 0)
                self.progress.write_part(self.current, part.name, further)
                progress, tally = further, Tally.total([tally, pages.tally])
                if not self._slow_down(units, began):
                    break
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
            of = next(each for each in scanned_tables(self.policy) if each.table == part.table)
            records = self.ports.records.scan(of, part.segment, progress.cursor)
            pages.work_records(of, records)
            following, scanned, units = records.following, records.scanned, records.units
        counts = progress.counts + pages.counts
        return PartProgress(following, following is None, progress.scanned + scanned, counts), units

    def _slow_down(self, units: float, began: datetime) -> bool:
        """Stay below the cap, and renew the lease for so long; False if another run took it over."""
        now = self.pace.clock()
        pause = self._pause(units, now - began)
        if not self.progress.lease(now, now + pause + LEASE):
            return False
        if pause:
            self.pace.sleep(pause)
        return True

    def _pause(self, units: float, taken: timedelta) -> timedelta:
        """Each of the parts that run side by side has its share of the cap."""
        if self.pace.units_per_second is None:
            return timedelta(0)
        left = timedelta(seconds=units / self.pace.units_per_second * SEGMENTS) - taken
        return max(min(left, self.pace.time_left() - TIME_TO_STOP), timedelta(0))
