"""What people and systems say about records: for the oracle, and as the events that Lapse receives."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.record import RecordRef
from tests.simulation.history import Asked, Closing, Instant, Opening, Said

DETAIL_TYPES = {
    "shipped": ("orders", "ShipmentDispatched"),
    "left": ("crm", "ContactLeft"),
    "returned": ("crm", "ContactReturned"),
    "opened": ("orders", "DisputeOpened"),
    "closed": ("orders", "DisputeClosed"),
    "asked": ("lapse.requests", "ErasureRequested"),
}


def said(kind: str, *words: Any) -> Said:
    """As the oracle keeps it."""
    match kind:
        case "opened" | "hold":
            case, since, until = words
            return Opening(case, since, until, "damaged", "staff-1")
        case "closed" | "release":
            case, at = words
            return Closing(case, at, "staff-2")
        case "asked":
            request, at, *_others = words
            return Asked(request, at)
    return Instant(kind, words[0])


def event_of(kind: str, record: RecordRef, words: tuple[Any, ...], now: datetime) -> dict[str, Any]:
    """The event by which it is told."""
    source, detail_type = DETAIL_TYPES[kind]
    return envelope(source, detail_type, _detail(kind, record, words), now)


def foreign_event(record: RecordRef, shipped: datetime, email: str) -> dict[str, Any]:
    """The same shipment, as another system publishes it."""
    detail = {"data": {"orderId": _id(record)}, "created_at": int(shipped.timestamp()), "email": email}
    return {"source": "webhook/bigcommerce", "detail-type": "store/shipment/created", "detail": detail}


def malformed_event(number: int, now: datetime, canary: str) -> dict[str, Any]:
    """One of several events that are to be refused."""
    naive, ahead = now.replace(tzinfo=None).isoformat(), (now + timedelta(days=40)).isoformat()
    request = {"request_id": "R", "requested_at": naive, "approved_by": "a", "records": []}
    details: list[tuple[str, dict[str, Any]]] = [
        ("ShipmentDispatched", {"shipment_id": "S-1", "shipped_at": naive}),
        ("ShipmentDispatched", {"shipment_id": "S-1", "shipped_at": ahead}),
        ("ShipmentDispatched", {"shipment_id": "S-1", "shipped_at": int(now.timestamp())}),
        ("ContactLeft", {"contact_id": "", "notified_at": now.isoformat()}),
        ("ContactReturned", {"contact_id": f"{canary}@example.org", "returned_at": naive}),
        ("DisputeOpened", {"shipment_id": "S-1", "note": canary}),
        ("ErasureRequested", request),
    ]
    detail_type, detail = details[number % len(details)]
    return envelope("orders", detail_type, detail, now)


def envelope(source: str, detail_type: str, detail: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """As EventBridge delivers it."""
    return {"source": source, "detail-type": detail_type, "time": now.isoformat(), "detail": dict(detail)}


def _id(record: RecordRef) -> str:
    return str(next(iter(record.key.values()))["S"])


def _detail(kind: str, record: RecordRef, words: tuple[Any, ...]) -> dict[str, Any]:
    match kind:
        case "shipped":
            return {"shipment_id": _id(record), "shipped_at": words[0].isoformat()}
        case "left":
            return {"contact_id": _id(record), "notified_at": words[0].isoformat()}
        case "returned":
            return {"contact_id": _id(record), "returned_at": words[0].isoformat()}
        case "opened":
            case, since, until = words
            hold = {"reason_code": "damaged", "case_ref": case, "opened_by": "staff-1"}
            return {
                "shipment_id": _id(record),
                **hold,
                "opened_at": since.isoformat(),
                "until": until.isoformat(),
            }
        case "closed":
            case, at = words
            closed = {"case_ref": case, "closed_by": "staff-2", "closed_at": at.isoformat()}
            return {"shipment_id": _id(record), **closed}
    request, at, *others = words
    named = [
        {"table": each.table, "key": {name: text["S"] for name, text in each.key.items()}}
        for each in (record, *others)
    ]
    return {"request_id": request, "requested_at": at.isoformat(), "approved_by": "staff-3", "records": named}
