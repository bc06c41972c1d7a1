"""What was refused or failed: how much there is of it, and who moves it back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Redriven:
    """How far SQS is with moving dead letters back, or how it ended; `failure` is a code."""

    status: str
    moved: int
    failure: str = ""


class DeadLetters(Protocol):
    """The handlers' dead-letter queue; and beside it that of rules, schedules, purge and sweep."""

    def count(self) -> int:
        """Roughly how many messages are in it."""

    def reasons(self, advance: Callable[[int], object] = ...) -> Mapping[str, int]:
        """How many messages there are by reason; of very many, the first ones. `advance` hears of each."""

    def redrive(self) -> None:
        """Have those that failed moved back to their queues, which then goes on by itself.

        Raises:
            TroubleError: nothing is moved, and why.
        """

    def last_redrive(self) -> Redriven | None:
        """The last time that this was done, if it is known."""

    def failures(self) -> int:
        """Roughly how many messages of rules, schedules, purge and sweep failed."""


@dataclass(frozen=True)
class Letters:
    """The dead letters: how many there are, and of those that were looked at, how many by reason."""

    about: int
    by_reason: Mapping[str, int]

    @property
    def looked_at(self) -> int:
        """Of how many the reason is known."""
        return sum(self.by_reason.values())

    @property
    def number(self) -> int:
        """How many there are at least: SQS's own number is a rough one."""
        return max(self.about, self.looked_at)

    @property
    def refused(self) -> int:
        """How many no retry mends."""
        return sum(times for reason, times in self.by_reason.items() if reason.startswith("refused"))

    @property
    def failed(self) -> int:
        """How many may be redriven."""
        return self.number - self.refused

    @property
    def by_number(self) -> list[tuple[str, int]]:
        """The most frequent reasons first."""
        return sorted(self.by_reason.items(), key=lambda each: (-each[1], each[0]))
