"""Events that Lapse puts on the stack's bus: contract events made of foreign ones, and news of its own.

News name records by table and key, cases and requests by their ids. Never a personal field.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.facts import Hold
from shared.instants import to_text
from shared.record import RecordRef

SOURCE = "lapse"
"""The source of all news."""
MARK_OUTDATED = "HoldMarkOutdated"
"""What the sweep says of a record whose hold mark is not as Facts have it."""


@dataclass(frozen=True)
class ContractEvent:
    """An event of the contract, ready for the stack's bus."""

    source: str
    detail_type: str
    detail: Mapping[str, Any]


class EventBus(Protocol):
    """Where contract events go."""

    def put(self, events: Sequence[ContractEvent]) -> None:
        """Put all of them, or raise `CallFailedError`; putting one twice is harmless."""


def erasure_completed(request_id: str, record: RecordRef, outcome: str, at: datetime) -> ContractEvent:
    """A request's answer for one record: nothing that the request's rule erases is there any more."""
    return _news(
        "ErasureCompleted", request_id=request_id, **_named(record), outcome=outcome, completed_at=to_text(at)
    )


def erasure_refused(
    request_id: str, table: str, key: Mapping[str, Any], reason: str, at: datetime
) -> ContractEvent:
    """A request's answer for one record: nothing was erased, and why."""
    named = {"table": table, "key": dict(key)}
    return _news("ErasureRefused", request_id=request_id, **named, reason=reason, refused_at=to_text(at))


def hold_refused(record: RecordRef, hold: Hold, reason: str) -> ContractEvent:
    """A dispute's answer: there was nothing left to hold."""
    return _news("HoldRefused", **_named(record), case_ref=hold.case_ref, reason=reason)


def hold_expiring(record: RecordRef, hold: Hold, until: datetime) -> ContractEvent:
    """A reminder: the hold lapses by itself then, and the record is purged."""
    return _news("HoldExpiring", **_named(record), case_ref=hold.case_ref, until=to_text(until))


def mark_outdated(record: RecordRef) -> ContractEvent:
    """For Lapse itself: the record's hold mark is not as Facts have it."""
    return _news(MARK_OUTDATED, record=record.text)


def plain_key(record: RecordRef) -> dict[str, str]:
    """A record's key without DynamoDB's types, as the contract's events write it."""
    return {name: str(next(iter(value.values()))) for name, value in record.key.items()}


def _named(record: RecordRef) -> dict[str, Any]:
    return {"table": record.table, "key": plain_key(record)}


def _news(detail_type: str, **detail: object) -> ContractEvent:
    return ContractEvent(SOURCE, detail_type, {"v": 1, **detail})
