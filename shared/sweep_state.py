"""How far a sweep came, and where that is kept: it outlives each run."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.finding import SEGMENTS, Cursor, scanned_tables
from shared.found import Counts
from shared.policy import Policy

FACTS = "#facts"
"""The part that scans Facts; no logical table name begins with a `#`."""


@dataclass(frozen=True)
class Part:
    """A segment of a table, or of Facts."""

    table: str
    segment: int

    @property
    def name(self) -> str:
        """`Shipments/3`."""
        return f"{self.table}/{self.segment}"


def parts_of(policy: Policy) -> list[Part]:
    """All parts of a sweep, table by table in turn, so that no table comes last."""
    tables = [*(each.table for each in scanned_tables(policy)), FACTS]
    return [Part(table, segment) for segment in range(SEGMENTS) for table in tables]


@dataclass(frozen=True)
class PartProgress:
    """How far a part came. What all pages up to the cursor lead to is done, and in the counts."""

    cursor: Cursor | None = None
    done: bool = False
    scanned: int = 0
    counts: Counts = field(default_factory=Counter)
    failed: int = 0
    """How many runs in a row could not tell or count all that the page at the cursor led to."""


@dataclass(frozen=True)
class Sweep:
    """A sweep, or the last one: when it began and ended, by which policy, and what it counted by rule."""

    began: datetime
    policy: str
    finished: datetime | None = None
    counts: Counts = field(default_factory=Counter)
    last_finished: datetime | None = None
    """When the one before it ended, or else when the first of all began."""


class SweepProgress(Protocol):
    """Where the progress of sweeps is kept."""

    def read(self) -> Sweep | None:
        """The last sweep; none if what is kept was lost, or cannot be read."""

    def begin(self, sweep: Sweep) -> None:
        """Keep a new sweep in the place of the last one."""

    def finish(self, sweep: Sweep) -> bool:
        """Keep the end of a sweep; False if it is not the last one that began, or all was lost meanwhile."""

    def read_parts(self, sweep: Sweep) -> Mapping[str, PartProgress]:
        """How far the parts of this sweep came, by name."""

    def write_part(self, sweep: Sweep, part: str, progress: PartProgress) -> None:
        """Keep how far a part came."""

    def lease(self, now: datetime, until: datetime) -> bool:
        """Take or renew the sweep's lease; False if another run holds it."""

    def release(self) -> None:
        """Give this run's lease back."""
