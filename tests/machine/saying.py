"""What events say of records, and what evidence says was told: each in the oracle's own words."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from shared.record import RecordRef
from tests.builders import contact_ref, shipment_ref
from tests.simulation.history import Asked, Closing, Corrected, Instant, Opening, Said


def said_by(event: Mapping[str, Any]) -> Iterator[tuple[RecordRef, Said]]:
    """What a sound event says, of each record that it names."""
    detail = event["detail"]
    match event["detail-type"]:
        case "ShipmentDispatched":
            yield shipment_ref(detail["shipment_id"]), Instant("shipped", _at(detail, "shipped_at"))
        case "ContactLeft":
            yield contact_ref(detail["contact_id"]), Instant("left", _at(detail, "notified_at"))
        case "ContactReturned":
            yield contact_ref(detail["contact_id"]), Instant("returned", _at(detail, "returned_at"))
        case "DisputeOpened":
            when = _at(detail, "opened_at"), _at(detail, "until")
            opening = Opening(detail["case_ref"], *when, detail["reason_code"], detail["opened_by"])
            yield shipment_ref(detail["shipment_id"]), opening
        case "DisputeClosed":
            closing = Closing(detail["case_ref"], _at(detail, "closed_at"), detail["closed_by"])
            yield shipment_ref(detail["shipment_id"]), closing
        case "ErasureRequested":
            for each in detail["records"]:
                key = {name: {"S": text} for name, text in each["key"].items()}
                asked = Asked(detail["request_id"], _at(detail, "requested_at"))
                yield RecordRef(each["table"], key), asked


def said_in(entry: Mapping[str, Any]) -> Said | None:
    """What an entry is evidence of, if of something that was said."""
    details = entry["details"]
    match entry["outcome"]:
        case "told":
            return Instant(details["kind"], _at(details, "instant"))
        case "corrected":
            becomes = _at(details, "becomes") if "becomes" in details else None
            return Corrected(details["kind"], _at(details, "was"), becomes)
        case "hold_placed":
            when = _at(details, "since"), _at(details, "until")
            return Opening(details["case_ref"], *when, details["reason_code"], details["opened_by"])
        case "hold_released":
            return Closing(details["case_ref"], _at(details, "closed_at"), details["closed_by"])
        case "requested":
            return Asked(details["request_id"], _at(details, "requested_at"))
    return None


def _at(said: Mapping[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(said[name])
