"""Evidence: what became of a timer, and what Lapse was told. No contact detail and no hash of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.instants import to_text
from shared.record import Path

FORMAT = 3
"""Version of the ledger's entries and batches: 2 is the hash chain; in 3, details stand by the names."""


class Outcome(StrEnum):
    """What happened.

    Of timers: `ERASED`: DynamoDB acknowledged the removal of the fields, of which at least one was there.
    `ALREADY_ABSENT`: the fields were found absent by a count of zero; by whose hand is unknown.
    `RECORD_ABSENT`, `OBSERVED` (a rule that only observes found fields), `DROPPED` (with a reason).

    Of what Lapse was told: all that is in Facts, so that Facts can be rebuilt from these entries.
    """

    ERASED = "erased"
    ALREADY_ABSENT = "already_absent"
    RECORD_ABSENT = "record_absent"
    OBSERVED = "observed"
    DROPPED = "dropped"

    TOLD = "told"
    CORRECTED = "corrected"
    HOLD_PLACED = "hold_placed"
    HOLD_REFUSED = "hold_refused"
    HOLD_RELEASED = "hold_released"
    REQUESTED = "requested"
    ANSWERED = "answered"
    PAUSED = "paused"
    RESUMED = "resumed"
    HALTED = "halted"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of evidence. What an outcome does not have (a pause has no record) stays empty."""

    outcome: Outcome
    at: datetime
    cause: str
    """What brought it about: `wake-up`, `recurring`, `manual`, `event`, `operator`, `restore`."""
    policy: str
    """The policy's digest."""
    record: str = ""
    """The record's reference, `<table>#<typed key>`. It stands beside the hashed part, never in it."""
    rule: str = ""
    clause: str = ""
    due: datetime | None = None
    fields: tuple[Path, ...] = ()
    reason: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    """Of what Lapse was told: kinds, instants, case references and staff ids. They stand by the record."""

    def as_json(self) -> dict[str, Any]:
        """The entry as it is hashed, without record and details: instants in RFC 3339, paths as lists."""
        return {
            "v": FORMAT,
            "outcome": self.outcome.value,
            "at": to_text(self.at),
            "cause": self.cause,
            "policy": self.policy,
            "rule": self.rule,
            "clause": self.clause,
            "due": to_text(self.due) if self.due else "",
            "fields": [list(path) for path in self.fields],
            "reason": self.reason,
        }
