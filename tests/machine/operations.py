"""What may happen to a deployed Lapse, as values: so that a script that fails can be printed, and shrunk."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from shared.correct_fact import Correction
from shared.facts import FactKind
from shared.record import RecordRef
from shared.refused import RefusedError
from tests.builders import (
    NOW,
    contact_ref,
    event,
    shipment_ref,
    to_wire_text,
)

DAY = timedelta(days=1)
SHIPMENTS = tuple(shipment_ref(f"S-{number}") for number in (1, 2, 3))
CONTACTS = tuple(contact_ref(f"C-{number}") for number in (1, 2))
CANARY = "canary"
"""In each personal value, so that a copy anywhere is found."""

MALFORMED = (
    event("ShipmentDispatched", {"shipment_id": "S-1", "shipped_at": "2026-08-25T10:15:00"}),
    event("ContactLeft", {"contact_id": "", "notified_at": to_wire_text(NOW), "note": CANARY}),
    event("DisputeOpened", {"shipment_id": "S-1", "note": CANARY}),
    event("ErasureRequested", {"request_id": f"{CANARY}@example.org"}),
)

type Item = Mapping[str, Any]


class Hands(Protocol):
    """Whoever can do all this: to ports, or to deployed functions."""

    now: datetime

    def put(self, record: RecordRef, item: Item | None) -> None:
        """The business system writes a whole item, or deletes it."""

    def get(self, record: RecordRef) -> Item | None:
        """What the business system reads."""

    def deliver(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Events arrive."""

    def correct(self, record: RecordRef, correction: Correction) -> None:
        """An operator corrects a fact; may refuse."""

    def pause(self, until: datetime | None) -> None:
        """An operator pauses Lapse, or with none resumes."""

    def purge(self) -> None:
        """The purge runs."""

    def sweep(self) -> None:
        """The sweep runs."""


def day(number: float) -> datetime:
    """An instant so many days from the beginning."""
    return NOW + number * DAY


def new_item(record: RecordRef, name: str, /, **changes: Any) -> dict[str, Any]:
    """A record with all of its personal fields; a change to `None` leaves an attribute out."""
    jo = {"name": {"S": f"{CANARY} Jo {name}"}, "email": {"S": f"{CANARY}-{name}@example.org"}}
    item: dict[str, Any] = {**record.key, **jo}
    if record.table == "Shipments":
        item |= {
            "drop_ship": {"BOOL": True},
            "shipped_at": {"S": to_wire_text(day(-100))},
            "contact_number": {"S": f"{CANARY} 1 {name}"},
            "company": {"S": f"{CANARY} 2 {name}"},
            "address": {"M": {"city": {"S": "Huddersfield"}}},
            "gate": {"M": {"code": {"S": f"{CANARY} 3 {name}"}, "side": {"S": "left"}}},
        }
    else:
        item |= {"telephone": {"S": f"{CANARY} 4 {name}"}, "job_title": {"S": f"{CANARY} 5 {name}"}}
    return {key: value for key, value in (item | changes).items() if value is not None}


@dataclass(frozen=True)
class Writes:
    """The business system writes a whole item: a new one, or a cached copy, stale by now."""

    record: RecordRef
    changes: Mapping[str, Any] = field(default_factory=dict)

    def do(self, hands: Hands) -> None:
        hands.put(self.record, new_item(self.record, "new", **self.changes))


@dataclass(frozen=True)
class Updates:
    """It changes attributes of what is there; to `None`, it removes one."""

    record: RecordRef
    changes: Mapping[str, Any]

    def do(self, hands: Hands) -> None:
        there = hands.get(self.record)
        if there is not None:
            changed = {**there, **self.changes}
            hands.put(self.record, {name: value for name, value in changed.items() if value is not None})


@dataclass(frozen=True)
class Deletes:
    """It deletes a record."""

    record: RecordRef

    def do(self, hands: Hands) -> None:
        hands.put(self.record, None)


@dataclass(frozen=True)
class Arrive:
    """Events arrive together."""

    events: tuple[Mapping[str, Any], ...]

    def do(self, hands: Hands) -> None:
        hands.deliver(self.events)


@dataclass(frozen=True)
class Corrects:
    """An operator takes an instant back; one that was never told cannot be."""

    record: RecordRef
    kind: FactKind
    was: datetime
    becomes: datetime | None

    def do(self, hands: Hands) -> None:
        with suppress(RefusedError):
            hands.correct(self.record, Correction(self.kind, self.was, self.becomes, "staff-6"))


@dataclass(frozen=True)
class Pauses:
    """An operator pauses Lapse for some days, or with none resumes."""

    days: float | None

    def do(self, hands: Hands) -> None:
        hands.pause(hands.now + self.days * DAY if self.days else None)


@dataclass(frozen=True)
class Purges:
    """The purge is woken."""

    def do(self, hands: Hands) -> None:
        hands.purge()


@dataclass(frozen=True)
class Sweeps:
    """The sweep runs."""

    def do(self, hands: Hands) -> None:
        hands.sweep()


@dataclass(frozen=True)
class Waits:
    """Time passes."""

    days: float

    def do(self, hands: Hands) -> None:
        hands.now += self.days * DAY


type Operation = Writes | Updates | Deletes | Arrive | Corrects | Pauses | Purges | Sweeps | Waits


def id_of(record: RecordRef) -> str:
    """What its key says."""
    return str(next(iter(record.key.values()))["S"])
