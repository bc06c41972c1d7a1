"""The virtual clock, and all that is under way: functions that run side by side, and what is yet to happen.

A function is a greenlet: at each call of a port it steps back, and goes on when the call's time has come. So
whatever else happens meanwhile comes between any two calls, and the same seed gives the same order.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from greenlet import getcurrent, greenlet

type Happening = Callable[[], object]
"""Returns `False` if nothing happened: then it was no step."""


class Crash(BaseException):
    """The function's process ends here; no handler of the program's sees it."""


class Task:
    """One run of a function: its process has a clock of its own, and its time is limited.

    `done` is called in the end with the result, or with what ended it.
    """

    def __init__(  # noqa: PLR0913 -- what Lambda would know of a run
        self,
        name: str,
        work: Callable[["Task"], Any],
        done: Callable[[Any, BaseException | None], object],
        *,
        skew: timedelta,
        deadline: datetime,
        chance: Random,
    ) -> None:
        self.name, self.skew, self.deadline, self.chance = name, skew, deadline, chance
        self.run: Any = None
        """Whose work it is, for the oracle."""
        self.dead = False
        self.disturbed = False
        """Whether a fault struck it: then it may know less than what became of its calls."""
        self._work, self._done = work, done
        self.greenlet = greenlet(self._run)

    def _run(self) -> None:
        try:
            result = self._work(self)
        except (Exception, Crash) as error:  # noqa: BLE001 -- as Lambda does: whatever it is, the run has failed
            self._done(None, error)
        else:
            self._done(result, None)


class Hub:
    """Does one thing after the other, in the order of their instants."""

    def __init__(self, seed: int, now: datetime) -> None:
        self.now = now
        self.steps = 0
        self.acting: Task | None = None
        """Whose step it is, if it is a function's."""
        self.trace = hashlib.sha256(str(seed).encode())
        self.told: list[str] | None = None
        """What the trace says, if somebody wants to read it."""
        self._pending: list[tuple[datetime, int, Happening | Task]] = []
        self._numbers = count()
        self._seed = seed
        self._main = getcurrent()

    def chance(self, name: str) -> Random:
        """Dice of its own for each thing: dropping one happening leaves the dice of the others alone."""
        return Random(f"{self._seed} {name}")  # noqa: S311 -- the same seed is to give the same run

    def at(self, when: datetime, happening: Happening) -> None:
        """Have something happen."""
        heappush(self._pending, (max(when, self.now), next(self._numbers), happening))

    def start(self, task: Task) -> None:
        """Begin a function's run, now."""
        heappush(self._pending, (self.now, next(self._numbers), task))

    def wait(self, task: Task, pause: timedelta) -> None:
        """Let others go on for so long. Within a function's run only."""
        assert getcurrent() is task.greenlet
        heappush(self._pending, (self.now + pause, next(self._numbers), task))
        self._main.switch()

    def note(self, *words: object) -> None:
        """Keep in the trace what was done."""
        line = f"{self.now.isoformat()} {' '.join(map(str, words))}"
        self.trace.update(line.encode())
        if self.told is not None:
            self.told.append(line)

    def explain(self, text: Callable[[], object]) -> None:
        """Add to what can be read, where somebody reads: it is not worth the time otherwise."""
        if self.told is not None:
            self.told.append(f"    {text()}")

    def run(self, until: datetime, after_each: Callable[[], object]) -> None:
        """Let everything happen up to an instant, and look at it after each step."""
        while self._pending and self._pending[0][0] <= until:
            self.now, _, what = heappop(self._pending)
            self.acting = what if isinstance(what, Task) else None
            if isinstance(what, Task):
                what.greenlet.switch()
            elif what() is False:
                continue
            self.steps += 1
            after_each()
        self.now = max(self.now, until)
