"""Use case: pull the brake. While Lapse is paused nothing is erased; what is overdue is shown as overdue."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.evidence import Entry, Outcome
from shared.telling import Telling

SHARD_OF_PAUSES = 0
"""A pause is about no record: its evidence is in the first chain."""


@dataclass(frozen=True)
class Pause:
    """Who paused Lapse, why, and until when; it ends by itself."""

    paused_by: str
    reason_code: str
    since: datetime | None
    until: datetime | None
    """`None` where what is stored cannot be read: then it is in force."""

    def in_force(self, now: datetime) -> bool:
        """Whether nothing may be erased now."""
        return self.until is None or self.until > now

    def outlasts(self, other: "Pause") -> bool:
        """Whether it ends later; one without an end never does."""
        return other.until is not None and (self.until is None or self.until > other.until)


class Brake(Protocol):
    """Where a pause stands, for the purge."""

    def read(self) -> Pause | None:
        """The last pause, if it was not ended by hand."""


class BrakeToPull(Brake, Protocol):
    """Where a pause stands, for operators."""

    def put(self, pause: Pause | None, entry: Entry) -> None:
        """Pause, or with none resume; with evidence, or not at all."""


def pause(wanted: Pause, telling: Telling, brake: BrakeToPull) -> None:
    """Pause erasing at the next batch of each shard."""
    details: dict[str, datetime | str | None] = {
        "by": wanted.paused_by,
        "reason_code": wanted.reason_code,
        "until": wanted.until,
    }
    brake.put(wanted, telling.entry(Outcome.PAUSED, None, **details))


def resume(resumed_by: str, telling: Telling, brake: BrakeToPull) -> bool:
    """Go on erasing; False if nothing was paused."""
    standing = brake.read()
    if standing is None or not standing.in_force(telling.now):
        return False
    brake.put(None, telling.entry(Outcome.RESUMED, None, by=resumed_by))
    return True
