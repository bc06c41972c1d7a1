"""Use case: a dispute holds a record, is extended, or is closed. For events and for operators."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from shared.evidence import Outcome
from shared.facts import Closing, Facts, Hold
from shared.failure import CallFailedError
from shared.hold_mark import MarkChange, mark_change
from shared.look import RecordsToLookAt
from shared.record import HOLD_MARK, Path, RecordRef, WireValue, at_path
from shared.telling import TRIES, EvidenceToKeep, FactsToChange, Telling
from shared.timing import Timing
from shared.waking import TimersToPut, WakeUps


class Held(StrEnum):
    """What became of a hold."""

    PLACED = "placed"
    """Facts know it, and the record is marked, if there is one."""
    KNOWN = "known"
    """It was told before, or something later about the case was."""
    TOO_LATE = "too_late"
    """The personal fields that it would keep are gone."""


class RecordsToMark(RecordsToLookAt, Protocol):
    """The business tables, for holds."""

    def has_fields(self, record: RecordRef, paths: Collection[Path]) -> bool:
        """Whether any of the fields is on the record, asked without reading them."""


class FactsToHold(FactsToChange, Protocol):
    """The Facts table, for holds."""

    def mark(self, record: RecordRef, facts: Facts | None, change: MarkChange) -> bool:
        """Put the record's mark right, if facts and record are still as seen; False if they are not."""


@dataclass(frozen=True)
class Ports:
    """What this use case works on."""

    records: RecordsToMark
    facts: FactsToHold
    ledger: EvidenceToKeep
    timers: TimersToPut
    wake_ups: WakeUps

    @property
    def timing(self) -> Timing:
        """What a record is timed anew with."""
        return Timing(self.records, self.facts, self.timers, self.wake_ups)


def place_hold(record: RecordRef, hold: Hold, telling: Telling, ports: Ports) -> Held:
    """Place a hold, or extend or shorten one of the same case.

    One transaction keeps the fact, its evidence and the record's mark, on condition that a personal field is
    still there: of a hold and a purge exactly one commits. A record that does not exist yet is held, too.

    Args:
        record: the record.
        hold: with a reason and an end that the policy permits.
        telling: through whom, and when.
        ports: what to work on.

    Raises:
        CallFailedError: a call failed, or others kept writing the record; the hold may or may not stand, and
            is to be placed again.
    """
    details: dict[str, datetime | str | None] = {
        "case_ref": hold.case_ref,
        "reason_code": hold.reason_code,
        "opened_by": hold.opened_by,
        "since": hold.since,
        "until": hold.until,
    }
    for _ in range(TRIES):
        known, (exists, seen) = ports.facts.read([record]).get(record), _seen_mark(record, ports.records)
        before = known or Facts.begun(telling.now)
        after = before.held(hold)
        if after == before:
            telling.tally.include(ports.timing.time_anew(record, telling.policy, telling.now))
            return Held.KNOWN
        holds_now = after.holds[hold.case_ref].in_force(telling.now)
        needs = telling.policy.held_fields(record.table) if holds_now else ()
        mark = mark_change(after, exists=exists, seen=seen, now=telling.now, needs=needs)
        if ports.facts.change(
            record, known, after, telling.entry(Outcome.HOLD_PLACED, record, **details), mark
        ):
            telling.tally.include(ports.timing.time_anew(record, telling.policy, telling.now))
            return Held.PLACED
        if exists and needs and not ports.records.has_fields(record, needs):
            refused = telling.entry(Outcome.HOLD_REFUSED, record, Held.TOO_LATE, **details)
            ports.ledger.append(record.shard, [refused])
            return Held.TOO_LATE
    raise CallFailedError("hold", "Contended")


def release_hold(record: RecordRef, closing: Closing, telling: Telling, ports: Ports) -> bool:
    """Close a case, and time the record at once; False if that was known already.

    A case that was never opened is closed as well: its opening may come later, and is then of the past.

    Raises:
        CallFailedError: a call failed; the case is to be closed again.
    """
    details: dict[str, datetime | str | None] = {
        "case_ref": closing.case_ref,
        "closed_by": closing.closed_by,
        "closed_at": closing.closed_at,
    }
    entry = telling.entry(Outcome.HOLD_RELEASED, record, **details)
    for _ in range(TRIES):
        known, (exists, seen) = ports.facts.read([record]).get(record), _seen_mark(record, ports.records)
        before = known or Facts.begun(telling.now)
        after = before.released(closing)
        mark = mark_change(after, exists=exists, seen=seen, now=telling.now)
        if after == before or ports.facts.change(record, known, after, entry, mark):
            # Also if it was known: the timers of the first time may have been lost on the way.
            telling.tally.include(ports.timing.time_anew(record, telling.policy, telling.now))
            return after != before
    raise CallFailedError("release", "Contended")


def put_mark_right(record: RecordRef, now: datetime, ports: Ports) -> bool:
    """Make a record's hold mark say what Facts say; False if it does.

    Raises:
        CallFailedError: a call failed, or others kept writing the record.
    """
    for _ in range(TRIES):
        known, (exists, seen) = ports.facts.read([record]).get(record), _seen_mark(record, ports.records)
        change = mark_change(known, exists=exists, seen=seen, now=now)
        if change.right == change.seen:
            return False
        if ports.facts.mark(record, known, change):
            return True
    raise CallFailedError("mark", "Contended")


def _seen_mark(record: RecordRef, records: RecordsToLookAt) -> tuple[bool, WireValue | None]:
    """Whether a record exists, and its hold mark."""
    found = records.look([record], [HOLD_MARK])
    return record in found, at_path(found.get(record, {}), HOLD_MARK)
