"""The purge's work on one shard: batch by batch look and settle, and finish what was settled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from shared.failure import CallFailedError, code_of
from shared.finish_timers import Finishing
from shared.look import POISON, look_at
from shared.policy import Rule
from shared.purge_ports import Pace, Ports, ShardReport
from shared.record import RecordRef, View
from shared.retention import GRACE, SKEW
from shared.settle import Settled, Settling, rule_removed, settle
from shared.tally import Count, Tally
from shared.timer import PUT_OFF_AT_MOST, Timer

BATCH = 100
"""Timers worked on together: what one BatchGetItem can look at, and one ledger batch can hold."""
FRESH = timedelta(seconds=2)
"""How long a look is acted upon: a hold whose mark a business system wipes meanwhile would not be noticed."""
LEASE = timedelta(seconds=60)


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
        finishing, after = Finishing(report, self.ports, self.pace, self.settling.telling), ""
        while True:
            if self._is_paused():
                return
            timers = self._ready(report.shard, after, BATCH)
            settled = self._settle(timers, report.tally)
            finishing.finish(settled)
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
            if self.pace.time_is_up or self.settling.allowance.spent:
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
            if not self.pace.time_is_up:
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
            if len(left) < BATCH or self.pace.time_is_up:
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
