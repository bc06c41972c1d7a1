"""Use case: a table restored from a backup is brought to where it would be, had it been purged all along.

Hold marks are set again from Facts; then it is swept and purged, by the use cases that do so every day.
The timers live in memory: the deployed purge, which works on the live table, must not see them. A replay that
was interrupted is run again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

from shared.answer_requests import Answering
from shared.finding import SEGMENTS, FactsToScan, RecordsToScan
from shared.found import Counts
from shared.hold_mark import right_mark
from shared.hold_records import FactsToHold, put_mark_right
from shared.hold_records import Ports as HoldPorts
from shared.pausing import Brake
from shared.policy import Guard, Policy
from shared.purge_due import purge_due
from shared.purge_ports import Ledger
from shared.purge_ports import Pace as PurgePace
from shared.purge_ports import Ports as PurgePorts
from shared.record import HOLD_MARK
from shared.replay_ports import FactsAsTheyAre, Nobody, NobodyAsked, ProgressInMemory, TimersInMemory
from shared.restore import of_table
from shared.scanning import Scans
from shared.settle import RecordsToErase
from shared.sweep import sweep
from shared.sweep_part import Pace as SweepPace
from shared.sweep_ports import PastErasures
from shared.sweep_ports import Ports as SweepPorts
from shared.tally import Count, Tally

CAUSE = "restore"
MOST_TIMERS = 10_000
"""In memory at a time, or little more: then they are purged before the sweep goes on."""
PAUSES = (timedelta(0), timedelta(seconds=5), timedelta(seconds=10))
"""Before each try to work timers: those that a failure left standing would end with this process."""
_AN_HOUR = timedelta(hours=1)
"""There is no function whose time would be up."""


class RecordsToReplay(RecordsToScan, RecordsToErase, Protocol):
    """The restored table."""


class FactsToReplay(FactsToHold, FactsToScan, Protocol):
    """The real facts, and the marks on the restored table."""


class LedgerToReplay(Ledger, PastErasures, Protocol):
    """The real ledger."""


@dataclass(frozen=True)
class Ports:
    """What this use case works on."""

    records: RecordsToReplay
    facts: FactsToReplay
    ledger: LedgerToReplay
    brake: Brake


@dataclass(frozen=True)
class Pace:
    """The time, how segments and shards are worked, and whom to ask and to tell."""

    clock: Callable[[], datetime]
    sleep: Callable[[timedelta], None]
    may_erase: Callable[[int, int], bool]
    """Whether to go on, of so many that are due, after so many erased: there is a limit per run."""
    side_by_side: Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]] = map
    advance: Callable[[int], object] = lambda _: None
    most_timers: int = MOST_TIMERS


class Stopped(StrEnum):
    """Why it came to its end early."""

    PAUSED = "paused"
    DECLINED = "declined"


@dataclass
class Replayed:
    """How far it came. `failures` are error codes: what they stand for is to be tried again."""

    marks: int = 0
    tally: Tally = field(default_factory=Tally)
    counts: Counts | None = None
    failures: tuple[str, ...] = ()
    stopped: Stopped | None = None

    @property
    def through(self) -> bool:
        """Whether all was done that can be done."""
        return self.counts is not None and not self.failures and self.stopped is None


def replay(table: str, policy: Policy, ports: Ports, pace: Pace) -> Replayed:
    """Re-mark, sweep and purge a restored table.

    Args:
        table: its logical name; the ports lead to the restored one.
        policy: the deployed rules.
        ports: what to work on.
        pace: the time, and whom to ask.

    Raises:
        CallFailedError: a call failed; it is to be run again.
    """
    return _Replay(of_table(policy, table), ports, pace).run()


class _Replay:
    def __init__(self, policy: Policy, ports: Ports, pace: Pace) -> None:
        # A hold that is placed meanwhile marks the live record: of this one, only Facts know that it is held.
        rules = tuple(replace(rule, guard=Guard.FACTS) for rule in policy.rules)
        self._policy, self._ports, self._pace = replace(policy, rules=rules), ports, pace
        self._timers = TimersInMemory()
        self._progress = ProgressInMemory(pace.advance)
        self._done = Replayed()
        self._allowed = policy.max_erasures_per_run or 0

    def run(self) -> Replayed:
        self._put_marks_right()
        while self._done.stopped is None and self._done.counts is None and not self._done.failures:
            self._sweep_some()
            self._purge()
        return self._done

    def _put_marks_right(self) -> None:
        scans = Scans(self._ports.records, self._ports.facts)
        parts = [partial(self._put_marks_of_segment_right, scans, segment) for segment in range(SEGMENTS)]
        self._done.marks = sum(self._pace.side_by_side(lambda part: part(), parts))

    def _put_marks_of_segment_right(self, scans: Scans, segment: int) -> int:
        ports = HoldPorts(self._ports.records, self._ports.facts, self._ports.ledger, self._timers, Nobody())
        number = 0
        for page in scans.of_facts(self._policy.rules, segment):
            now = self._pace.clock()
            for record, view in page.views.items():
                seen = view.value(HOLD_MARK)
                if view.exists and right_mark(view.facts, seen, now) != seen:
                    number += put_mark_right(record, now, ports)
        return number

    def _sweep_some(self) -> None:
        """Sweep until there are many timers; the next time goes on from there."""
        ports, nobody = self._ports, Nobody()
        facts = FactsAsTheyAre(ports.facts)
        pace = SweepPace(
            self._pace.clock, self._time_to_sweep, self._pace.sleep, side_by_side=self._pace.side_by_side
        )
        sweeping = SweepPorts(ports.records, facts, self._timers, nobody, ports.ledger, nobody)
        report = sweep(self._policy, sweeping, self._progress, pace, by_hand=True)
        self._done.failures += report.failures
        if report.sweep and report.sweep.finished:
            self._done.counts = report.sweep.counts

    def _purge(self) -> None:
        """Purge what was found. The limit per run is kept here: it is the operator who may lift it."""
        due = self._timers.count(self._pace.clock())
        if not self._is_allowed(due):
            self._done.stopped = Stopped.DECLINED
            return
        nobody = Nobody()
        ports = PurgePorts(
            records=self._ports.records,
            facts=self._ports.facts,
            timers=self._timers,
            ledger=self._ports.ledger,
            wake_ups=nobody,
            brake=self._ports.brake,
            answering=Answering(NobodyAsked(), nobody),
        )
        pace = PurgePace(self._pace.clock, lambda: _AN_HOUR, self._pace.sleep, self._pace.side_by_side)
        policy = replace(self._policy, max_erasures_per_run=None)
        for pause in PAUSES:
            self._pace.sleep(pause)
            report = purge_due(policy, ports, pace, CAUSE)
            self._done.tally = Tally.total([self._done.tally, report.tally])
            self._done.failures += report.failures
            if report.tally.counts[Count.PAUSED]:
                self._done.stopped = Stopped.PAUSED
            if not report.failures:
                break
            # What was erased without evidence, since the ledger failed, has its timer still: once more.
        self._timers.clear()

    def _is_allowed(self, due: int) -> bool:
        """Whether so many may be erased; if not, the operator is asked."""
        limit, erased = self._policy.max_erasures_per_run, self._done.tally.counts[Count.ERASED]
        if limit is None or erased + due <= self._allowed:
            return True
        self._allowed = erased + limit
        return self._pace.may_erase(due, erased)

    def _time_to_sweep(self) -> timedelta:
        return _AN_HOUR if len(self._timers) < self._pace.most_timers else timedelta(0)
