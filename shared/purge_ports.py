"""What the purge works with, and what it reports of a shard."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from shared.answer_requests import Answering
from shared.evidence import Entry
from shared.look import FactsToRead
from shared.pausing import Brake
from shared.settle import RecordsToErase
from shared.tally import Tally
from shared.timer import Timer
from shared.waking import TimersToPut, WakeUps

TIME_TO_STOP = timedelta(seconds=60)
"""Before the function's time is up: enough for a slow settling, and for the batch's evidence."""


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

    @property
    def time_is_up(self) -> bool:
        """Whether nothing new is to be begun."""
        return self.time_left() < TIME_TO_STOP


@dataclass
class ShardReport:
    """How far one shard came."""

    shard: int
    tally: Tally = field(default_factory=Tally)
    failures: list[str] = field(default_factory=list)
    busy: bool = False
    finished: bool = False
    oldest_overdue: timedelta = timedelta(0)
