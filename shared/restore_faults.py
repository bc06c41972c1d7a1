"""What may be wrong with a table that was restored from a backup."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Wrong(StrEnum):
    """What keeps a restored table from being used."""

    OVERDUE = "overdue"
    DUE = "due"
    BACK = "erased_is_back"
    """The ledger calls fields erased that are there, and by the restored record they are not due."""
    UNMARKED = "hold_unmarked"
    """A hold is in force, and the record does not say so, or says something else."""
    OUTDATED = "mark_outdated"
    """The record is marked as held, and by what Facts know it is not: its cases were closed since."""
    UNREADABLE = "unreadable"
    """Facts or evidence about a record, or the record, cannot be read: what it should be is not known."""


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong with one record, by which rule, and why the purge would not mend it."""

    what: Wrong
    record: str
    rule: str = ""
    why: str = ""


@dataclass
class Checked:
    """What was found: how often, and the first records of each kind."""

    most: int
    counts: Counter[Wrong] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the table may be used."""
        return not self.counts.total()

    def find(self, fault: Fault) -> None:
        """Count one more."""
        self.counts[fault.what] += 1
        if sum(each.what is fault.what for each in self.faults) < self.most:
            self.faults.append(fault)

    def add(self, other: "Checked") -> None:
        """Add what another part of the scan found."""
        self.counts += other.counts
        for kind in Wrong:
            both = [each for each in (*self.faults, *other.faults) if each.what is kind]
            rest = [each for each in self.faults if each.what is not kind]
            self.faults = rest + both[: self.most]
