"""Copies of the business tables that outlive an erasure: what AWS says of them, as far as it may be asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

LONGEST_RECOVERY = 35
"""Days that point-in-time recovery reaches back, unless fewer are set."""
STREAM_HOURS = 24
"""How long a DynamoDB stream keeps what it carries."""


@dataclass(frozen=True)
class TableCopies:
    """Of one table. `None` where AWS did not say."""

    table: str
    """The policy's name of it."""
    recovery_days: int | None = None
    """How far point-in-time recovery reaches back; 0 if it is off."""
    streams: bool | None = None
    """Whether a stream carries old images."""


class CopiesOutside(Protocol):
    """What keeps copies that Lapse does not reach."""

    def of_tables(self) -> Sequence[TableCopies]:
        """For each business table, in the order of their names."""
