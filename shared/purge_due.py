"""Use case: work through the timers that are due. Erase, then evidence, then the timer goes."""

from dataclasses import dataclass
from datetime import timedelta

from shared.allowance import Allowance
from shared.evidence import Outcome
from shared.failure import CallFailedError, raise_all
from shared.pausing import SHARD_OF_PAUSES
from shared.policy import Policy
from shared.purge_ports import TIME_TO_STOP, Ledger, Pace, Ports
from shared.purge_shard import ShardRun
from shared.record import SHARDS
from shared.settle import Settling
from shared.tally import Count, Tally

RECURRING = "recurring"
"""The cause of runs that come by every few minutes, whatever is due: if they stay away, an alarm rings."""
WAITS_FOR_BUSY_SHARDS = 4
WAIT_FOR_BUSY_SHARDS = timedelta(seconds=5)


@dataclass(frozen=True)
class PurgeReport:
    """How far a run came. `failures` are error codes, one for each timer or shard that failed.

    `oldest_overdue` is how long ago the oldest timer was due that this run left standing.
    """

    tally: Tally
    failures: tuple[str, ...]
    shards_finished: int
    oldest_overdue: timedelta

    def raise_failures(self) -> None:
        """Raise all failures together, so that the function's own failure shows them.

        Raises:
            ExceptionGroup: of `CallFailedError`s.
        """
        raise_all("purge", self.failures)


def purge_due(policy: Policy, ports: Ports, pace: Pace, cause: str) -> PurgeReport:
    """Work through all timers that are ready, shard by shard.

    One failing record never stops the others: its timer is put off with its due instant kept. A shard that
    another run holds is tried again for a while.

    Args:
        policy: the rules.
        ports: what to work on.
        pace: the time there is.
        cause: what woke the purge, for the evidence.
    """
    allowance = Allowance(policy.max_erasures_per_run)
    settling = Settling(policy, ports.records, ports.facts, pace.clock, cause, allowance)
    run = ShardRun(settling, ports, pace)
    reports = list(pace.side_by_side(run.work_shard, range(SHARDS)))
    for _ in range(WAITS_FOR_BUSY_SHARDS):
        busy = [report.shard for report in reports if report.busy]
        if not busy or pace.time_left() < TIME_TO_STOP + WAIT_FOR_BUSY_SHARDS:
            break
        pace.sleep(WAIT_FOR_BUSY_SHARDS)
        reports = [report for report in reports if not report.busy]
        reports += pace.side_by_side(run.work_shard, busy)
    tally = Tally.total(report.tally for report in reports)
    tally.add(Count.PURGES)
    tally.add(Count.RECURRING_PURGES, int(cause == RECURRING))
    tally.add(Count.SHARDS_BUSY, sum(report.busy for report in reports))
    finished = sum(report.finished for report in reports)
    failures = tuple(code for report in reports for code in report.failures)
    failures += run.count_pause(tally)
    if allowance.spent and finished < SHARDS:
        tally.add(Count.HALTED)
        failures += _keep_halt(settling, ports.ledger)
    oldest_overdue = max(report.oldest_overdue for report in reports)
    return PurgeReport(tally, failures, finished, oldest_overdue)


def _keep_halt(settling: Settling, ledger: Ledger) -> tuple[str, ...]:
    """Evidence that the run stopped at its limit; the failure's code if there is none."""
    limit = str(settling.policy.max_erasures_per_run)
    try:
        ledger.append(SHARD_OF_PAUSES, [settling.telling.entry(Outcome.HALTED, None, limit=limit)])
    except CallFailedError as error:
        return (error.code,)
    return ()
