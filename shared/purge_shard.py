"""The purge's work on one shard: batch by batch look, settle, keep evidence, answer, and move the timers."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Protocol

from shared.answer_requests import Answering
from shared.evidence import Entry
from shared.failure import CallFailedError, code_of
from shared.look import POISON, FactsToRead, look_at
from shared.pausing import Brake
from shared.policy import Rule
from shared.record import RecordRef, View
from shared.retention import GRACE, SKEW
from shared.settle import RecordsToErase, Settled, Settling, rule_removed, settle
from shared.tally import Count, Tally
from shared.timer import PUT_OFF_AT_MOST, Timer
from shared.waking import TimersToPut, WakeUps, ensure_wake_up

BATCH = 100
"""Timers worked on together: what one BatchGetItem can look at, and one ledger batch can hold."""
TIME_TO_STOP = timedelta(seconds=60)
"""Before the function's time is up: enough for a slow settling, and for the batch's evidence."""
FRESH = timedelta(seconds=2)
"""How long a look is acted upon: a hold whose mark a business system wipes meanwhile would not be noticed."""
LEASE = timedelta(seconds=60)
FAILED_ANSWERS = 3
"""After so many, the rest of a batch's answers waits for the next run."""


class TimersToWork(TimersToPut, Protocol):
    """The Due table, for the purge."""

    def ready(self, shard: int, until: datetime, after: str, limit: int) -> Sequence[Timer]:
        """The shard's timers up to and including this instant, in order, from behind a sort key on.

        Fewer than the limit only if there are no more.
        """

    def unreadable(self, shard: int) -> int:
        """How many rows of the shard `ready` could not understand, since it last began from the front."""

    def remove(self, timers: Collection[Timer]) -> None:
        """Remove timers, but for those that were written again since they were read."""

    def lease(self, shard: int, now: datetime, until: datetime) -> bool:
        """Take or renew this run's lease of a shard, unless another run holds it."""

    def release(self, shard: int) -> None:
        """Give this run's lease back."""


class Ledger(Protocol):
    """Append-only evidence."""

    def open(self, shard: int) -> None:
        """Find the end of a shard's evidence: that it cannot be reached is to be known before erasing."""

    def append(self, shard: int, entries: Sequence[Entry]) -> None:
        """Keep a batch of evidence; kept once, however often it is tried."""


@dataclass(frozen=True)
class Ports:
    """What this use case works on."""

    records: RecordsToErase
    facts: FactsToRead
    timers: TimersToWork
    ledger: Ledger
    wake_ups: WakeUps
    brake: Brake
    answering: Answering


@dataclass(frozen=True)
class Pace:
    """The time that a run has, and how its shards are worked: side by side, or in turn."""

    clock: Callable[[], datetime]
    time_left: Callable[[], timedelta]
    sleep: Callable[[timedelta], None]
    side_by_side: Callable[[Callable[[int], "ShardReport"], Iterable[int]], Iterable["ShardReport"]] = map


@dataclass
class ShardReport:
    """How far one shard came."""

    shard: int
    tally: Tally = field(default_factory=Tally)
    failures: list[str] = field(default_factory=list)
    busy: bool = False
    finished: bool = False
    oldest_overdue: timedelta = timedelta(0)


@dataclass(frozen=True)
class ShardRun:
    """One run's work on its shards, one after the other or side by side."""

    settling: Settling
    ports: Ports
    pace: Pace

    def work_shard(self, shard: int) -> ShardReport:
        """Work through one shard's timers, each once, under a lease."""
        report = ShardReport(shard)
        try:
            if not self._ready(shard, after="", limit=1):
                report.finished = True
            elif self._lease(shard):
                try:
                    self.ports.ledger.open(shard)
                    self._work_batches(report)
                finally:
                    self.ports.timers.release(shard)
            else:
                report.busy = True
            if not report.busy:
                self._measure(report)
            if self.ports.timers.unreadable(shard):
                report.failures.append("UnreadableTimer")
        except Exception as error:  # noqa: BLE001 -- one shard must not stop the others; it is raised in the end
            report.failures.append(code_of(error))
        return report

    def count_pause(self, tally: Tally) -> tuple[str, ...]:
        """Count whether Lapse is paused, also when nothing is due; the failure's code if that is unknown."""
        try:
            tally.add(Count.PAUSED, int(self._is_paused()))
        except CallFailedError as error:
            return (error.code,)
        return ()

    def _work_batches(self, report: ShardReport) -> None:
        """Work under the lease that was just taken, which each further batch renews."""
        after = ""
        while True:
            if self._is_paused():
                return
            timers = self._ready(report.shard, after, BATCH)
            settled = self._settle(timers, report.tally)
            self._finish(report, settled)
            stopped = len(settled) < len(timers)
            report.finished = len(timers) < BATCH and not stopped
            if stopped or report.finished or not self._lease(report.shard):
                return
            after = timers[-1].sort_key

    def _settle(self, timers: Sequence[Timer], tally: Tally) -> list[Settled]:
        """Settle timers until the time is up; those left over stand as they are."""
        looked_at, views = self.pace.clock(), self._look(timers)
        is_slow = self._is_old(looked_at)
        settled: list[Settled] = []
        for position, timer in enumerate(timers):
            if self._time_is_up() or self.settling.allowance.spent:
                break
            if not is_slow and self._is_old(looked_at):
                looked_at, views = self.pace.clock(), self._look(timers[position:])
                is_slow = self._is_old(looked_at)
            if is_slow:  # then each timer has a look of its own, and is settled at once
                views = self._look([timer])
            settled.append(self._settle_one(timer, views, tally))
        return settled

    def _is_old(self, looked_at: datetime) -> bool:
        """Whether a look is not to be acted upon any more."""
        return self.pace.clock() - looked_at > FRESH

    def _settle_one(self, timer: Timer, views: dict[RecordRef, View | str], tally: Tally) -> Settled:
        rule = self._rule(timer)
        if rule is None:
            return rule_removed(timer, self.settling, tally)
        view = views[timer.record]
        if isinstance(view, str):
            return Settled(timer, later=timer.backed_off(self.pace.clock()), failure=view)
        return settle(timer, rule, view, self.settling, tally)

    def _finish(self, report: ShardReport, settled: list[Settled]) -> None:
        """Evidence first, then later timers; then the old timers go. Wake-ups are hints, and come last."""
        entries = [entry for each in settled for entry in each.entries]
        if entries:
            self.ports.ledger.append(report.shard, entries)
        moving = [each for each in settled if not each.stands]
        self._move(report, [each for each in moving if each.answer is None])
        self._move(report, list(self._answered([each for each in moving if each.answer], report.tally)))

    def _move(self, report: ShardReport, moving: Sequence[Settled]) -> None:
        """Later timers first, then the old ones go, then the wake-ups."""
        later = [each.later for each in moving if each.later]
        if later:
            self.ports.timers.put(later)
        if moving:
            self.ports.timers.remove([each.timer for each in moving])
        report.failures += [each.failure for each in moving if each.failure]
        report.tally.add(Count.FAILED, sum(bool(each.failure) for each in moving))
        for timer in later:
            if self._time_is_up() or not self._ensure_wake_up(timer, report.tally):
                return

    def _answered(self, asked: Sequence[Settled], tally: Tally) -> Iterator[Settled]:
        """Answer who asked, once there is evidence; where that fails, the timer comes again for it.

        One answer that fails must not stop the others, but a bus that hangs must not use up all the time.
        """
        failures: list[str] = []
        for each in asked:
            given_up = len(failures) >= FAILED_ANSWERS or self._time_is_up()
            failure = "NotAnswered" if given_up else self._answer(each, tally)
            if failure:
                failures.append(failure)
                yield replace(each, later=each.timer.backed_off(self.pace.clock()), failure=failure)
            else:
                yield each

    def _answer(self, settled: Settled, tally: Tally) -> str:
        """Answer one; the failure's code, if it could not be done."""
        answer = settled.answer
        if answer is None:
            return ""
        try:
            answered = self.ports.answering.answer(
                settled.timer.record, answer.outcome, answer.reason, self.settling.telling
            )
        except Exception as error:  # noqa: BLE001 -- as above; it is raised in the end
            return code_of(error)
        tally.add(Count.ANSWERS, answered)
        return ""

    def _ensure_wake_up(self, timer: Timer, tally: Tally) -> bool:
        """Have the purge woken for a later timer; one that failed may wait for the recurring purge."""
        if timer.attempts:
            return True
        return ensure_wake_up(self.ports.wake_ups, timer.at, self.pace.clock(), tally)

    def _look(self, timers: Sequence[Timer]) -> dict[RecordRef, View | str]:
        """Look at the timers' records, table by table; where a look fails there is its error code instead."""
        known = [(rule, timer.record) for timer in timers if (rule := self._rule(timer))]
        known.sort(key=lambda look: look[1].table)
        views: dict[RecordRef, View | str] = {}
        for _, looks in groupby(known, key=lambda look: look[1].table):
            views |= self._look_at_table(list(looks))
        return views

    def _look_at_table(self, looks: list[tuple[Rule, RecordRef]]) -> dict[RecordRef, View | str]:
        try:
            return dict(look_at(looks, self.ports.records, self.ports.facts))
        except Exception as error:  # noqa: BLE001 -- what one record's row holds must not stop the others
            code = code_of(error)
            alone = len(looks) == 1 or (isinstance(error, CallFailedError) and code not in POISON)
        views: dict[RecordRef, View | str] = {record: code for _, record in looks}
        for look in () if alone else looks:
            if not self._time_is_up():
                views |= self._look_at_table([look])
        return views

    def _measure(self, report: ShardReport) -> None:
        """How late the shard is: the timers that are left, with those that were put off."""
        now, after = self.pace.clock(), ""
        while True:
            left = self.ports.timers.ready(report.shard, now + PUT_OFF_AT_MOST, after, BATCH)
            overdue = [now - timer.due for timer in left if timer.due + GRACE <= now]
            report.tally.add(Count.OVERDUE, len(overdue))
            report.oldest_overdue = max([report.oldest_overdue, *overdue])
            if len(left) < BATCH or self._time_is_up():
                return
            after = left[-1].sort_key

    def _is_paused(self) -> bool:
        pause = self.ports.brake.read()
        return pause is not None and pause.in_force(self.pace.clock())

    def _rule(self, timer: Timer) -> Rule | None:
        rule = self.settling.policy.rule(timer.rule)
        return rule if rule and rule.is_about(timer.record) else None

    def _ready(self, shard: int, after: str, limit: int) -> Sequence[Timer]:
        return self.ports.timers.ready(shard, self.pace.clock() - SKEW, after, limit)

    def _lease(self, shard: int) -> bool:
        now = self.pace.clock()
        return self.ports.timers.lease(shard, now, now + LEASE)

    def _time_is_up(self) -> bool:
        return self.pace.time_left() < TIME_TO_STOP
