"""The contract's events about disputes: a hold is opened, or extended, or closed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contract import (
    Detail,
    Id,
    Instant,
    Reference,
    not_ahead,
    open_envelope,
    record_named,
    validated,
)
from shared.facts import Closing, Hold
from shared.instants import add
from shared.outgoing import MARK_OUTDATED
from shared.policy import Policy, Trigger
from shared.record import RecordRef
from shared.refused import RefusedError


class _DisputeOpened(Detail):
    shipment_id: Id
    reason_code: Reference
    case_ref: Reference
    opened_by: Reference
    opened_at: Instant
    until: Instant


class _DisputeClosed(Detail):
    shipment_id: Id
    case_ref: Reference
    closed_by: Reference
    closed_at: Instant


class _MarkOutdated(Detail):
    record: str


@dataclass(frozen=True)
class Opened:
    """A case holds these records."""

    records: tuple[RecordRef, ...]
    hold: Hold


@dataclass(frozen=True)
class Closed:
    """A case does not hold these records any more."""

    records: tuple[RecordRef, ...]
    closing: Closing


@dataclass(frozen=True)
class MarkOutdated:
    """The record's hold mark is to be looked at."""

    record: RecordRef


def read_dispute(event: object, policy: Policy, now: datetime) -> Opened | Closed | MarkOutdated:
    """Validate an event about a hold.

    Args:
        event: the event, as parsed from JSON.
        policy: the rules, which name the records, the reason codes and the longest hold.
        now: an aware UTC instant.

    Raises:
        RefusedError: names the field and what is wrong with it, never its value.
    """
    envelope = open_envelope(event, {"DisputeOpened", "DisputeClosed", MARK_OUTDATED})
    if envelope.detail_type == MARK_OUTDATED:
        return MarkOutdated(_record(validated(_MarkOutdated, envelope.detail).record))
    if envelope.detail_type == "DisputeClosed":
        closed = validated(_DisputeClosed, envelope.detail)
        closed_at = not_ahead(closed.closed_at, "closed_at", now)
        closing = Closing(closed.case_ref, closed.closed_by, closed_at)
        return Closed(_disputed(policy, envelope.detail), closing)
    told = validated(_DisputeOpened, envelope.detail)
    since = not_ahead(told.opened_at, "opened_at", now)
    hold = Hold(told.reason_code, told.case_ref, told.opened_by, since, told.until)
    return Opened(_disputed(policy, envelope.detail), permitted(hold, policy))


def permitted(hold: Hold, policy: Policy) -> Hold:
    """The hold, if its reason is one of the policy's and its end within the longest hold.

    Raises:
        RefusedError: it is not; names the field.
    """
    if hold.reason_code not in policy.hold_reasons:
        raise RefusedError("reason_code", f"is none of {', '.join(sorted(policy.hold_reasons))}")
    if hold.since is None or hold.until is None or hold.until <= hold.since:
        raise RefusedError("until", "must be after the hold begins")
    if hold.until > add(hold.since, policy.max_hold):
        raise RefusedError("until", "is further from the hold's beginning than the policy's max_hold")
    return hold


def _disputed(policy: Policy, fields: Mapping[str, Any]) -> tuple[RecordRef, ...]:
    """The records that the rules about shipments find by the event's fields, each once."""
    rules = policy.triggered_by(Trigger.SHIPMENT)
    return tuple(dict.fromkeys(record_named(rule, fields) for rule in rules))


def _record(text: str) -> RecordRef:
    try:
        return RecordRef.of(text)
    except ValueError:
        raise RefusedError("record", "is not a record reference") from None
