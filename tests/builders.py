"""What tests are made of: the shipped policy with changes, records, events."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.config import deployed_policy
from shared.evidence import Entry
from shared.policy import Policy, Rule
from shared.policy_file import read_policy
from shared.record import RecordRef

NOW = datetime(2026, 8, 25, 10, 15, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=100)
PERSONAL = {"contact_number": {"S": "canary-07700900123"}, "email": {"S": "canary-jo@example.org"}}


def policy(*rules: Rule, **changes: Any) -> Policy:
    """The shipped policy, or one of other rules."""
    shipped = deployed_policy()
    return replace(shipped, rules=rules or shipped.rules, **changes)


def delivery_rule(**changes: Any) -> Rule:
    """The shipped rule for delivery contacts, changed."""
    return replace(deployed_policy().rules[0], **changes)


def leaver_rule(**changes: Any) -> Rule:
    """The shipped rule for leavers, changed."""
    return replace(deployed_policy().rules[1], **changes)


def rules_from(text: str) -> Policy:
    """A policy of rules written in TOML, under a usual head."""
    head = 'version = 1\nid = "T"\nupdated = 2026-01-01\ntimezone = "Europe/London"\n'
    return read_policy((head + text).encode())


def shipment(shipment_id: str = "S-1001", /, **changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """A shipped, drop-shipped order in wire format; a change to `None` leaves the attribute out."""
    item: dict[str, Any] = {
        "shipment_id": {"S": shipment_id},
        "drop_ship": {"BOOL": True},
        "shipped_at": {"S": to_wire_text(LONG_AGO)},
        "name": {"S": "Jo Example"},
        "address": {"M": {"city": {"S": "Huddersfield"}}},
        **PERSONAL,
        **changes,
    }
    return {name: value for name, value in item.items() if value is not None}


def contact(contact_id: str = "C-7") -> dict[str, Any]:
    """A contact in wire format."""
    return {
        "contact_id": {"S": contact_id},
        "name": {"S": "Jo Example"},
        "telephone": {"S": "canary-07700900456"},
        "email": {"S": "canary-jo@example.org"},
    }


def shipment_ref(shipment_id: str = "S-1001") -> RecordRef:
    """The reference of a shipment."""
    return RecordRef("Shipments", {"shipment_id": {"S": shipment_id}})


def contact_ref(contact_id: str = "C-7") -> RecordRef:
    """The reference of a contact."""
    return RecordRef("Contacts", {"contact_id": {"S": contact_id}})


def to_wire_text(instant: datetime) -> str:
    """An instant as business systems write it."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


SOURCES = {"Contact": "crm", "Erasure": "lapse.requests", "HoldMark": "lapse"}
"""Who sends which events, by the beginning of their detail-type; all others are the order system's."""


def event(detail_type: str, detail: Mapping[str, Any], time: datetime = NOW) -> dict[str, Any]:
    """An event as EventBridge delivers it."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": detail_type,
        "source": next((who for start, who in SOURCES.items() if detail_type.startswith(start)), "orders"),
        "time": to_wire_text(time),
        "detail": dict(detail),
    }


def shipped(shipment_id: str = "S-1001", at: datetime = LONG_AGO) -> dict[str, Any]:
    """A `ShipmentDispatched` event."""
    return event("ShipmentDispatched", {"shipment_id": shipment_id, "shipped_at": to_wire_text(at)})


def left(contact_id: str = "C-7", at: datetime = LONG_AGO) -> dict[str, Any]:
    """A `ContactLeft` event."""
    return event("ContactLeft", {"contact_id": contact_id, "notified_at": to_wire_text(at)})


def returned(contact_id: str = "C-7", at: datetime = LONG_AGO) -> dict[str, Any]:
    """A `ContactReturned` event."""
    return event("ContactReturned", {"contact_id": contact_id, "returned_at": to_wire_text(at)})


def opened(shipment_id: str = "S-1001", /, **changes: object) -> dict[str, Any]:
    """A `DisputeOpened` event: unless changed, CASE-1, opened now, for ten days. Instants are written out."""
    usual = {"reason_code": "damaged", "case_ref": "CASE-1", "opened_by": "staff-1", "opened_at": NOW}
    detail = {"shipment_id": shipment_id, **usual, "until": NOW + timedelta(days=10), **changes}
    return event("DisputeOpened", _written(detail))


def closed(shipment_id: str = "S-1001", /, **changes: object) -> dict[str, Any]:
    """A `DisputeClosed` event: unless changed, CASE-1, closed a day from now."""
    usual = {"case_ref": "CASE-1", "closed_by": "staff-2", "closed_at": NOW + timedelta(days=1)}
    return event("DisputeClosed", _written({"shipment_id": shipment_id, **usual, **changes}))


def mark_outdated(record: RecordRef) -> dict[str, Any]:
    """What the sweep says of a record whose hold mark is not as Facts have it."""
    return event("HoldMarkOutdated", {"v": 1, "record": record.text})


def requested(*records: RecordRef, request_id: str = "R-1", **changes: object) -> dict[str, Any]:
    """An `ErasureRequested` event: unless changed, R-1, asked for now."""
    named = [
        {"table": each.table, "key": {name: next(iter(value.values())) for name, value in each.key.items()}}
        for each in records
    ]
    usual = {"request_id": request_id, "requested_at": NOW, "approved_by": "staff-3", "records": named}
    return event("ErasureRequested", _written({**usual, **changes}))


def as_kept(entry: Entry) -> dict[str, Any]:
    """An entry as the ledger gives it back, but for its commitment."""
    return {**entry.as_json(), "record": entry.record, "details": dict(entry.details)}


def _written(detail: Mapping[str, object]) -> dict[str, object]:
    return {
        name: to_wire_text(value) if isinstance(value, datetime) else value for name, value in detail.items()
    }
