"""Telling Facts something new: facts, evidence and the record's hold mark change together, or not at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.evidence import Entry, Outcome
from shared.facts import Facts
from shared.failure import CallFailedError
from shared.hold_mark import MarkChange
from shared.instants import to_text
from shared.look import FactsToRead
from shared.policy import Policy
from shared.record import RecordRef
from shared.tally import Tally

TRIES = 5
"""How often a change looks again because somebody else was faster."""


class FactsToChange(FactsToRead, Protocol):
    """The Facts table, for writing."""

    def change(
        self, record: RecordRef, before: Facts | None, after: Facts, entry: Entry, mark: MarkChange | None
    ) -> bool:
        """Keep changed facts with their evidence and the record's mark, all or nothing.

        Returns False, and changes nothing, if facts or record are no longer as they were seen.
        """


class EvidenceToKeep(Protocol):
    """The ledger, for what changes no facts."""

    def append(self, shard: int, entries: Sequence[Entry]) -> None:
        """Keep evidence."""


@dataclass(frozen=True)
class Telling:
    """When, by which policy and through whom something is told."""

    policy: Policy
    now: datetime
    cause: str
    """As in evidence: `event`, `operator`, `restore`, or what woke the purge."""
    tally: Tally = field(default_factory=Tally)
    """What came of it, beside the result: timers set anew, wake-ups that failed."""

    def entry(
        self,
        outcome: Outcome,
        record: RecordRef | None,
        reason: str = "",
        /,
        **details: datetime | str | None,
    ) -> Entry:
        """One line of evidence; details that are empty are left out."""
        texts = {
            name: to_text(each) if isinstance(each, datetime) else each for name, each in details.items()
        }
        return Entry(
            outcome=outcome,
            at=self.now,
            cause=self.cause,
            policy=self.policy.digest,
            record=record.text if record else "",
            reason=reason,
            details={name: text for name, text in texts.items() if text},
        )


def tell(
    record: RecordRef, changed: Callable[[Facts], Facts], entry: Entry, facts: FactsToChange
) -> Facts | None:
    """Change what is known about a record; None if what is told was known already.

    Args:
        record: the record.
        changed: the change; may be made several times, on what was just read.
        entry: its evidence.
        facts: the Facts table.

    Raises:
        CallFailedError: a call failed, or others kept changing the same facts.
    """
    for _ in range(TRIES):
        known = facts.read([record]).get(record)
        before = known or Facts.begun(entry.at)
        after = changed(before)
        if after == before:
            return None
        if facts.change(record, known, after, entry, None):
            return after
    raise CallFailedError("tell", "Contended")
