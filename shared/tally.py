"""What a run counted: the numbers behind metrics, logs and alarms."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from shared.retention import Why


class Count(StrEnum):
    """What is counted, by the name of its metric."""

    EVENTS = "Events"
    PURGES = "Purges"
    RECURRING_PURGES = "RecurringPurges"
    SWEEPS = "Sweeps"
    UNREADABLE = "Unreadable"
    FACTS = "Facts"
    TIMERS = "Timers"
    NO_RULE = "NoRule"
    UNKNOWN_RECORD = "UnknownRecord"
    ERASED = "Erased"
    ALREADY_ABSENT = "AlreadyAbsent"
    RECORD_ABSENT = "RecordAbsent"
    OBSERVED = "Observed"
    WAITING = "Waiting"
    HELD = "Held"
    IMPLAUSIBLE = "Implausible"
    FAILED = "Failed"
    WAKE_UP_FAILED = "WakeUpFailed"
    NOTE_FAILED = "NoteFailed"
    REFUSED = "Refused"
    SHARDS_BUSY = "ShardsBusy"
    HALTED = "Halted"
    PAUSED = "Paused"
    OVERDUE = "Overdue"
    ANSWERS = "Answers"
    REQUESTS = "Requests"
    HOLDS_PLACED = "HoldsPlaced"
    HOLDS_RELEASED = "HoldsReleased"
    HOLDS_REFUSED = "HoldsRefused"
    HOLDS_EXPIRING = "HoldsExpiring"
    MARKS_PUT_RIGHT = "MarksPutRight"
    SEALS = "Seals"
    BROKEN_CHAINS = "BrokenChains"
    FOREIGN_SEALS = "ForeignSeals"
    UNNAMED_BATCHES = "UnnamedBatches"


@dataclass
class Tally:
    """Counts, dropped timers by reason, and seconds between due and erased."""

    counts: Counter[Count] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    seconds_to_erase: list[float] = field(default_factory=list)

    def add(self, count: Count, number: int = 1) -> None:
        """Count some more."""
        self.counts[count] += number

    def drop(self, why: Why) -> None:
        """Count a record that nothing is to be done about; implausible anchors also apart, for the alarm."""
        self.dropped[why.value] += 1
        if why is Why.IMPLAUSIBLE:
            self.add(Count.IMPLAUSIBLE)

    def include(self, other: "Tally") -> None:
        """Count what another counted, too."""
        self.counts += other.counts
        self.dropped += other.dropped
        self.seconds_to_erase += other.seconds_to_erase

    @classmethod
    def of(cls, count: Count) -> "Tally":
        """One of something."""
        return cls(Counter({count: 1}))

    @classmethod
    def total(cls, tallies: Iterable["Tally"]) -> "Tally":
        """The sum of several tallies."""
        total = cls()
        for each in tallies:
            total.include(each)
        return total

    def as_json(self) -> dict[str, object]:
        """The counts for a log line."""
        counts: dict[str, object] = {count.value: number for count, number in self.counts.items() if number}
        return counts | ({"Dropped": dict(self.dropped)} if self.dropped else {})
