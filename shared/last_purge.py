"""The note that a purge leaves, for people. Nothing depends on it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class LastPurge:
    """A purge that ran to its end: when that was, what woke it, and how many of the shards it finished."""

    finished: datetime
    cause: str
    shards_finished: int
