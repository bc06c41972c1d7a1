"""What the demo puts into the tables and onto the bus: invented records of every kind, and their end."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

DAY = timedelta(days=1)
PERIOD = 90 * DAY
PERSONAL = {"Shipments": ("contact_number", "email"), "Contacts": ("telephone", "email")}
ON_REQUEST = {
    "Shipments": ("contact_number", "email", "name", "company"),
    "Contacts": ("telephone", "email", "job_title"),
}
KEYS = {"Shipments": "shipment_id", "Contacts": "contact_id"}

type Item = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """A contract event, as a producer puts it onto the bus."""

    source: str
    detail_type: str
    detail: Mapping[str, Any]


@dataclass
class Cohort:
    """Records of one kind, and whether they must be erased.

    `events` are sent in any order, some twice. `early_events` are sent before all others, and before the
    records: what stops or moves a clock that has run out must not race with the purge. Records without any
    event are found by the sweep.
    """

    name: str
    table: str
    erased: bool
    due_soon: bool = False
    on_request: bool = False
    items: list[Item] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    early_events: list[Event] = field(default_factory=list)


@dataclass(frozen=True)
class Malformed:
    """An event that must be refused, with that reason."""

    event: Event
    reason: str


class Maker:
    """Makes cohorts around an instant: all that is relative to now is relative to it."""

    def __init__(self, now: datetime, seed: int = 7) -> None:
        """Make records as of now; the same seed makes the same."""
        self._now = now
        self._random = random.Random(seed)  # noqa: S311 -- invented people, not secrets
        self._number = 0

    def cohorts(self) -> list[Cohort]:
        """All cohorts, shipments first."""
        return [*self._shipments(), *self._contacts()]

    def malformed(self) -> list[Malformed]:
        """Events that no retry can mend."""
        good = {"shipment_id": "S-malformed", "shipped_at": text(self._now)}
        far = text(self._now + 3 * DAY)
        no_instant = "must be an RFC 3339 instant with an offset"
        return [
            Malformed(shipped({**good, "shipped_at": 1780000000}), f"shipped_at: {no_instant}"),
            Malformed(shipped({**good, "shipped_at": "2026-08-25T10:15:00"}), f"shipped_at: {no_instant}"),
            Malformed(shipped({**good, "shipped_at": far}), "shipped_at: is more than a day ahead"),
            Malformed(shipped({"shipment_id": "S-malformed"}), "shipped_at: is missing"),
            Malformed(shipped({"shipped_at": text(self._now)}), "shipment_id: is missing"),
            Malformed(shipped({**good, "shipment_id": ""}), "shipment_id: is empty"),
            Malformed(
                shipped({**good, "shipment_id": "S" * 257}), "shipment_id: is longer than 256 characters"
            ),
            Malformed(shipped({**good, "v": 2}), "v: must be 1"),
            Malformed(
                left({"contact_id": "jo@example.org"}),
                "contact_id: looks like an e-mail address, which an id must not be",
            ),
        ]

    def _shipments(self) -> Iterable[Cohort]:
        long_ago = [self._now - PERIOD - self._some(1, 60) for _ in range(200)]
        soon = [self._now - PERIOD + timedelta(seconds=20 + 1.5 * number) for number in range(40)]
        lately = [self._now - self._some(1, 80) for _ in range(200)]
        yield self._shipped("overdue", long_ago[:60], erased=True)
        due_soon = self._shipped("due within two minutes", soon, erased=True)
        due_soon.due_soon = True
        yield due_soon
        yield self._shipped("not yet due", lately[:60], erased=False)
        yield self._shipped("not drop-shipped", long_ago[60:100], erased=False, drop_ship={"BOOL": False})
        hold = {"M": {"until": {"S": text(self._now + 30 * DAY)}}}
        yield self._shipped("held in a dispute", long_ago[100:120], erased=False, legal_hold=hold)
        yield self._shipped("anchor only in the event", long_ago[120:135], erased=True, shipped_at=None)
        for odd in ("1970-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "25.08.2025 10:15"):
            name = f"implausible anchor ({odd[:4].rstrip('.')}…)"
            yield self._shipped(name, long_ago[135:140], erased=False, shipped_at={"S": odd})
        yield self._disputed("dispute opened", long_ago[185:190], closed=False)
        yield self._disputed("dispute opened and closed", long_ago[190:195], closed=True)
        unheard = self._shipped("no event at all", long_ago[195:200], erased=True)
        unheard.events.clear()
        yield unheard
        yield self._requested("asked to be erased", lately[75:80])
        early = self._shipped("event before its record", long_ago[140:155], erased=True, shipped_at=None)
        early.early_events, early.events = early.events, []
        yield early
        yield self._parcels("two parcels, both long ago", long_ago[155:170], long_ago[170:185], erased=True)
        yield self._parcels("two parcels, one lately", lately[60:75], long_ago[185:200], erased=False)

    def _contacts(self) -> Iterable[Cohort]:
        long_ago = [self._now - PERIOD - self._some(10, 60) for _ in range(75)]
        soon = [self._now - PERIOD + timedelta(seconds=20 + 3 * number) for number in range(20)]
        lately = [self._now - self._some(1, 80) for _ in range(30)]
        yield self._left("left long ago", [[at] for at in long_ago[:40]], erased=True)
        due_soon = self._left("left, due within two minutes", [[at] for at in soon], erased=True)
        due_soon.due_soon = True
        yield due_soon
        yield self._left("left lately", [[at] for at in lately], erased=False)
        yield self._left("left and returned", [[at, at + DAY] for at in long_ago[40:60]], erased=False)
        again = [[at, at + DAY, at + 2 * DAY] for at in long_ago[60:75]]
        yield self._left("left, returned, left again", again, erased=True)
        stayed = Cohort("never left", "Contacts", erased=False)
        stayed.items = [self._contact(self._id("C")) for _ in range(30)]
        yield stayed

    def _shipped(
        self, name: str, instants: list[datetime], *, erased: bool, **changes: Item | None
    ) -> Cohort:
        cohort = Cohort(name, "Shipments", erased)
        for at in instants:
            shipment_id = self._id("S")
            cohort.items.append(self._shipment(shipment_id, at, changes))
            cohort.events.append(shipped({"shipment_id": shipment_id, "shipped_at": text(at)}))
        return cohort

    def _disputed(self, name: str, instants: list[datetime], *, closed: bool) -> Cohort:
        cohort = self._shipped(name, instants, erased=closed)
        for item in cohort.items:
            case = {"shipment_id": item["shipment_id"]["S"], "case_ref": f"CASE-{item['shipment_id']['S']}"}
            opened = {"opened_at": text(self._now - DAY), "until": text(self._now + 30 * DAY)}
            by = {"reason_code": "courier_dispute", "opened_by": "support-7"}
            cohort.early_events.append(Event("orders", "DisputeOpened", {**case, **by, **opened}))
            if closed:
                closing = {"closed_by": "support-7", "closed_at": text(self._now)}
                cohort.events.append(Event("orders", "DisputeClosed", {**case, **closing}))
        return cohort

    def _requested(self, name: str, instants: list[datetime]) -> Cohort:
        cohort = self._shipped(name, instants, erased=True)
        cohort.on_request = True
        records = [
            {"table": "Shipments", "key": {"shipment_id": each["shipment_id"]["S"]}} for each in cohort.items
        ]
        asked = {"request_id": "REQ-1", "requested_at": text(self._now), "approved_by": "officer-1"}
        cohort.events = [Event("lapse.requests", "ErasureRequested", {**asked, "records": records})]
        return cohort

    def _parcels(self, name: str, first: list[datetime], second: list[datetime], *, erased: bool) -> Cohort:
        cohort = Cohort(name, "Shipments", erased)
        for early, late in zip(first, second, strict=True):
            shipment_id = self._id("S")
            cohort.items.append(self._shipment(shipment_id, early, {"shipped_at": None}))
            cohort.early_events.append(shipped({"shipment_id": shipment_id, "shipped_at": text(early)}))
            cohort.events.append(shipped({"shipment_id": shipment_id, "shipped_at": text(late)}))
        return cohort

    def _left(self, name: str, histories: list[list[datetime]], *, erased: bool) -> Cohort:
        """Departures and returns in turn."""
        cohort = Cohort(name, "Contacts", erased)
        for instants in histories:
            contact_id = self._id("C")
            cohort.items.append(self._contact(contact_id))
            for number, at in enumerate(instants):
                away = number % 2 == 0
                detail = {"contact_id": contact_id, "notified_at" if away else "returned_at": text(at)}
                if away:
                    cohort.events.append(left(detail))
                else:
                    cohort.early_events.append(returned(detail))
        return cohort

    def _shipment(self, shipment_id: str, at: datetime, changes: Mapping[str, Item | None]) -> Item:
        item: dict[str, Item | None] = {
            "shipment_id": {"S": shipment_id},
            "drop_ship": {"BOOL": True},
            "shipped_at": {"S": text(at)},
            "status": {"S": "dispatched"},
            "name": {"S": f"Customer {shipment_id}"},
            "address": {"M": {"street": {"S": "1 Example Street"}, "city": {"S": "Huddersfield"}}},
            "weight_g": {"N": str(self._random.randint(50, 40_000))},
            "contact_number": {"S": f"+44 7700 900{self._random.randint(0, 999):03}"},
            "email": {"S": f"{shipment_id.lower()}@example.org"},
            **changes,
        }
        return {name: value for name, value in item.items() if value is not None}

    def _contact(self, contact_id: str) -> Item:
        return {
            "contact_id": {"S": contact_id},
            "name": {"S": f"Contact {contact_id}"},
            "organisation": {"S": "Example Ltd"},
            "telephone": {"S": f"+44 7700 900{self._random.randint(0, 999):03}"},
            "email": {"S": f"{contact_id.lower()}@example.org"},
        }

    def _id(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}-{1000 + self._number}"

    def _some(self, least: int, most: int) -> timedelta:
        return timedelta(seconds=self._random.randint(least * 86_400, most * 86_400))


def shipped(detail: Mapping[str, Any]) -> Event:
    """A `ShipmentDispatched` event."""
    return Event("orders", "ShipmentDispatched", detail)


def left(detail: Mapping[str, Any]) -> Event:
    """A `ContactLeft` event."""
    return Event("crm", "ContactLeft", detail)


def returned(detail: Mapping[str, Any]) -> Event:
    """A `ContactReturned` event."""
    return Event("crm", "ContactReturned", detail)


def text(instant: datetime) -> str:
    """An instant as RFC 3339, in whole seconds."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
