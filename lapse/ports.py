"""What operators see and touch beyond what the functions do: timers, wake-ups, evidence, runs."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from shared.evidence import Entry
from shared.last_purge import LastPurge
from shared.ledger_batch import Batch, Kept
from shared.record import RecordRef
from shared.sweep_state import PartProgress, Sweep
from shared.timer import Timer
from shared.waking import TimersToPut, WakeUps


class Timers(TimersToPut, Protocol):
    """The Due table."""

    def ready(self, shard: int, until: datetime, after: str, limit: int) -> Sequence[Timer]:
        """The shard's timers up to and including this instant, in order, from behind a sort key on."""

    def unreadable(self, shard: int) -> int:
        """How many rows of the shard `ready` could not understand, since it last began from the front."""

    def count(self, shard: int, since: datetime, until: datetime) -> int:
        """How many timers stand behind the one instant, up to and including the other. Seconds count."""

    def of_record(self, record: RecordRef) -> Sequence[Timer]:
        """All timers of a record, in order."""


class WakeUpsToSee(WakeUps, Protocol):
    """The purge's alarm clock, which can be looked at."""

    def stands(self, minute: datetime) -> bool:
        """Whether the purge is to be woken at this minute.

        Raises:
            CallFailedError: that cannot be told.
        """


class Ledger(Protocol):
    """The ledger, to be read and added to."""

    def append(self, shard: int, entries: Sequence[Entry]) -> None:
        """Keep evidence."""

    def batches(self, shard: int) -> Iterator[Batch]:
        """A shard's chain, in order."""

    def entries_of(self, record: RecordRef) -> list[Kept]:
        """The evidence about a record, in order."""


class Sweeps(Protocol):
    """The progress of sweeps."""

    def read(self) -> Sweep | None:
        """The last sweep."""

    def read_parts(self, sweep: Sweep) -> Mapping[str, PartProgress]:
        """How far the parts of this sweep came, by name."""


class Purges(Protocol):
    """What is known of the purges that ran."""

    def read(self) -> LastPurge | None:
        """The last one; none if nobody noted one."""


class Functions(Protocol):
    """The stack's functions."""

    def run(self, output: str) -> Mapping[str, Any]:
        """Invoke a function, which the stack's outputs name, by hand; what it answers."""
