"""I10: no timer goes without a trace, and nothing is erased without one; unless the whole table is lost."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.memory import Memory
from tests.simulation.oracle import Oracle
from tests.simulation.places import Removal, Run

if TYPE_CHECKING:
    from datetime import datetime

type RecordAndRule = tuple[str, str]


class TimersJudge:
    """Looks at the Due table after each step."""

    def __init__(self, oracle: Oracle, memory: Memory) -> None:
        self._oracle, self._memory = oracle, memory
        self._timers: dict[tuple[int, str], RecordAndRule] = {}
        """As they stood after the last step."""
        self._lost: list[tuple[datetime, set[RecordAndRule]]] = []
        """Those that were lost, and when: a purge may have read them before."""

    def look(self, run: Run | None) -> None:
        """I10: a timer that goes leaves evidence, or a later timer; unless the whole table was lost."""
        if self._timers.keys() == self._memory.timers.keys():
            return
        standing_now = {key: (each.record.text, each.rule) for key, each in self._memory.timers.items()}
        left = {*standing_now.values(), *(run.ended if run else ())}
        for key in self._timers.keys() - standing_now.keys() if run else ():
            if self._timers[key] not in left:
                what = f"{self._timers[key][0]}: a timer went without evidence or a later one"
                self._oracle.violated("I10", what)
        if not run and len(self._timers) > len(standing_now):
            self._lost.append((self._oracle.now, set(self._timers.values())))
        self._timers = standing_now

    def judge_erased(self, removals: Sequence[Removal]) -> None:
        """I10: nothing is erased without a timer; those of a replay are its own."""
        for removal in removals:
            lost = [each for when, timers in self._lost if when >= removal.run.began for each in timers]
            standing_then = [*self._timers.values(), *lost]
            rules = {rule for text, rule in standing_then if text == removal.record.text}
            if not removal.run.is_restore and not rules & set(removal.dues):
                self._oracle.violated("I10", "erased without a timer", removal.record)

    def are_to_come_or_lost(self, removal: Removal) -> bool:
        """Whether a removal's timer waits for the end of a hold, or went with the whole table."""
        waiting = list(self._timers.values())
        lost = [each for when, timers in self._lost if when >= removal.when for each in timers]
        return any(text == removal.record.text and rule in removal.dues for text, rule in (*waiting, *lost))
