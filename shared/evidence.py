"""Evidence: what became of a timer. Field names and references, no contact detail and no hash of one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.instants import to_text
from shared.record import Path

FORMAT = 1
"""Version of the ledger's entries and batches. 1 is the plain ledger; a hash chain will be 2."""


class Outcome(StrEnum):
    """What the purge found and did.

    `ERASED`: DynamoDB acknowledged the removal of the fields, of which at least one was there.
    `ALREADY_ABSENT`: the fields were found absent by a count of zero; by whose hand is unknown.
    """

    ERASED = "erased"
    ALREADY_ABSENT = "already_absent"
    RECORD_ABSENT = "record_absent"
    OBSERVED = "observed"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Entry:
    """One line of evidence."""

    record: str
    rule: str
    clause: str
    due: datetime
    at: datetime
    fields: tuple[Path, ...]
    outcome: Outcome
    reason: str
    cause: str
    policy: str

    def as_json(self) -> dict[str, Any]:
        """The entry as it is kept: instants in RFC 3339, field paths as lists of names."""
        return {
            "v": FORMAT,
            "record": self.record,
            "rule": self.rule,
            "clause": self.clause,
            "due": to_text(self.due),
            "at": to_text(self.at),
            "fields": [list(path) for path in self.fields],
            "outcome": self.outcome.value,
            "reason": self.reason,
            "cause": self.cause,
            "policy": self.policy,
        }
