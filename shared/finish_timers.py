"""The end of the purge's work: evidence, answers, later timers; then the old ones go, and wake-ups come."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shared.failure import code_of
from shared.purge_ports import Pace, Ports, ShardReport
from shared.settle import Settled
from shared.tally import Count
from shared.telling import Telling
from shared.timer import Timer
from shared.waking import ensure_wake_up

FAILED_ANSWERS = 3
"""After so many, the rest of a batch's answers waits for the next run."""


@dataclass(frozen=True)
class Finishing:
    """What comes after settling, for one shard in one run."""

    report: ShardReport
    ports: Ports
    pace: Pace
    telling: Telling

    def finish(self, settled: Sequence[Settled]) -> None:
        """Evidence first, then later timers; then the old timers go. Wake-ups are hints, and come last."""
        entries = [entry for each in settled for entry in each.entries]
        if entries:
            self.ports.ledger.append(self.report.shard, entries)
        moving = [each for each in settled if not each.stands]
        self._move([each for each in moving if each.answer is None])
        self._move(list(self._answered([each for each in moving if each.answer])))

    def _move(self, moving: Sequence[Settled]) -> None:
        """Later timers first, then the old ones go, then the wake-ups."""
        later = [each.later for each in moving if each.later]
        if later:
            self.ports.timers.put(later)
        if moving:
            self.ports.timers.remove([each.timer for each in moving])
        self.report.failures += [each.failure for each in moving if each.failure]
        self.report.tally.add(Count.FAILED, sum(bool(each.failure) for each in moving))
        for timer in later:
            if self.pace.time_is_up or not self._ensure_wake_up(timer):
                return

    def _answered(self, asked: Sequence[Settled]) -> Iterator[Settled]:
        """Answer who asked, once there is evidence; where that fails, the timer comes again for it.

        One answer that fails must not stop the others, but a bus that hangs must not use up all the time.
        """
        failures: list[str] = []
        for each in asked:
            given_up = len(failures) >= FAILED_ANSWERS or self.pace.time_is_up
            failure = "NotAnswered" if given_up else self._answer(each)
            if failure:
                failures.append(failure)
                yield replace(each, later=each.timer.backed_off(self.pace.clock()), failure=failure)
            else:
                yield each

    def _answer(self, settled: Settled) -> str:
        """Answer one; the failure's code, if it could not be done."""
        answer = settled.answer
        if answer is None:
            return ""
        try:
            answered = self.ports.answering.answer(
                settled.timer.record, answer.outcome, answer.reason, self.telling
            )
        except Exception as error:  # noqa: BLE001 -- one answer must not stop the others; it is raised in the end
            return code_of(error)
        self.report.tally.add(Count.ANSWERS, answered)
        return ""

    def _ensure_wake_up(self, timer: Timer) -> bool:
        """Have the purge woken for a later timer; one that failed may wait for the recurring purge."""
        if timer.attempts:
            return True
        return ensure_wake_up(self.ports.wake_ups, timer.at, self.pace.clock(), self.report.tally)
