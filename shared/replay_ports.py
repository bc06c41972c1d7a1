"""What a replay has in the place of the deployed stack: timers of its own, and nobody to wake or tell."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock

from shared.facts import Facts
from shared.finding import Cursor, FactsPage, FactsToScan
from shared.instants import to_text
from shared.outgoing import ContractEvent
from shared.record import RecordRef
from shared.sweep_state import PartProgress, Sweep
from shared.timer import Timer


@dataclass
class TimersInMemory:
    """Timers that live as long as this object. The deployed purge works on another table, and sees none."""

    _shards: dict[int, dict[str, Timer]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __len__(self) -> int:
        """How many there are."""
        with self._lock:
            return sum(map(len, self._shards.values()))

    def count(self, until: datetime) -> int:
        """How many of them are for this instant or before."""
        with self._lock:
            return sum(timer.at <= until for timers in self._shards.values() for timer in timers.values())

    def put(self, timers: Collection[Timer]) -> None:
        """As `TimersToPut.put`."""
        with self._lock:
            for timer in timers:
                # A copy: `remove` tells by it whether the timer was written again.
                self._shards.setdefault(timer.record.shard, {})[timer.sort_key] = replace(timer)

    def missing(self, timers: Collection[Timer]) -> Sequence[Timer]:
        """As `TimersToSet.missing`."""
        with self._lock:
            return [each for each in timers if each.sort_key not in self._shards.get(each.record.shard, {})]

    def ready(self, shard: int, until: datetime, after: str, limit: int) -> Sequence[Timer]:
        """As `TimersToWork.ready`."""
        last = to_text(until.replace(microsecond=0)) + "$"  # keys go on with "#", which comes before
        with self._lock:
            timers = self._shards.get(shard, {})
            keys = sorted(key for key in timers if after < key < last)
            return [timers[key] for key in keys[:limit]]

    def unreadable(self, shard: int) -> int:  # noqa: ARG002 -- nothing is written and read again here
        """As `TimersToWork.unreadable`: none."""
        return 0

    def remove(self, timers: Collection[Timer]) -> None:
        """As `TimersToWork.remove`."""
        with self._lock:
            for timer in timers:
                standing = self._shards.get(timer.record.shard, {})
                if standing.get(timer.sort_key) is timer:
                    del standing[timer.sort_key]

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._shards.clear()

    def lease(self, _shard: int, _now: datetime, _until: datetime) -> bool:
        """As `TimersToWork.lease`: nobody else is there."""
        return True

    def release(self, shard: int) -> None:
        """As `TimersToWork.release`."""


@dataclass
class ProgressInMemory:
    """How far the sweep of a replay came; `advance` is told of it. One that was interrupted begins anew."""

    advance: Callable[[int], object]
    _sweep: Sweep | None = None
    _parts: dict[str, PartProgress] = field(default_factory=dict)

    def read(self) -> Sweep | None:
        """As `SweepProgress.read`."""
        return self._sweep

    def begin(self, sweep: Sweep) -> None:
        """As `SweepProgress.begin`."""
        self._sweep = sweep

    def finish(self, sweep: Sweep) -> bool:
        """As `SweepProgress.finish`."""
        self._sweep = sweep
        return True

    def read_parts(self, _sweep: Sweep) -> Mapping[str, PartProgress]:
        """As `SweepProgress.read_parts`."""
        return self._parts

    def write_part(self, _sweep: Sweep, part: str, progress: PartProgress) -> None:
        """As `SweepProgress.write_part`."""
        self.advance(progress.scanned - self._parts.get(part, PartProgress()).scanned)
        self._parts[part] = progress

    def lease(self, _now: datetime, _until: datetime) -> bool:
        """As `SweepProgress.lease`."""
        return True

    def release(self) -> None:
        """As `SweepProgress.release`."""


class Nobody:
    """Nobody is woken, and nobody is told: who works with the live table hears of it when that is swept."""

    def ensure(self, minute: datetime) -> None:
        """As `WakeUps.ensure`."""

    def put(self, events: Sequence[ContractEvent]) -> None:
        """As `EventBus.put`."""


@dataclass(frozen=True)
class FactsAsTheyAre:
    """Facts that are only read: a record that the restored table lacks may be in the live one."""

    facts: FactsToScan

    def read(self, records: Collection[RecordRef]) -> Mapping[RecordRef, Facts]:
        """As `FactsToRead.read`."""
        return self.facts.read(records)

    def scan(self, segment: int, after: Cursor | None) -> FactsPage:
        """As `FactsToScan.scan`."""
        return self.facts.scan(segment, after)

    def forget(self, record: RecordRef, facts: Facts) -> None:
        """As `FactsToSweep.forget`: they stay."""


class NobodyAsked:
    """Facts without requests, for answering: they are answered for the live table, and not twice."""

    def read(self, _records: Collection[RecordRef]) -> Mapping[RecordRef, Facts]:
        """As `FactsToRead.read`."""
        return {}

    def change(self, *_told: object) -> bool:
        """As `FactsToChange.change`: there is nothing to change."""
        return False
