"""What happens in the one life: each thing that makes a function call AWS, or count what an alarm watches."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from unittest.mock import patch

import boto3

from lapse import project
from shared.brake import BrakeWithEvidence
from shared.config import deployed_policy
from shared.evidence import Entry, Outcome
from shared.ledger_table import LedgerTable
from shared.outgoing import mark_outdated
from shared.pausing import Pause, pause, resume
from shared.record import SHARDS
from shared.telling import Telling
from tests.builders import contact, event, shipment, shipment_ref, to_wire_text
from tests.template.translated import REGION, Deployment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Invoke(Protocol):
    """Lambda."""

    def __call__(self, function: str, payload: object, *, seconds_left: int = 300) -> None:
        """Invoke a function, which has so much time left."""


NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=100)
EIGHT_YEARS_AGO = NOW - timedelta(days=8 * 365)
"""Longer than the policy keeps the ledger."""
RECURRING = {"v": 1, "cause": "recurring"}
GONE: Mapping[str, None] = {"contact_number": None, "email": None, "name": None, "company": None}


def happenings(stack: Deployment, invoke: Invoke) -> None:
    """Let it all happen."""
    world = _Outside(stack, invoke)
    _a_usual_quarter(world)
    _overtaken_purge(world)
    _disputes(world)
    _requests(world)
    _pause(world)
    _sweep(world)
    _seals(world)
    _foreign_events(world)


@dataclass(frozen=True)
class _Outside:
    """The business systems, an operator, and whoever else works on the same tables."""

    stack: Deployment
    invoke: Invoke

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """A client whose calls are not recorded."""
        return boto3.Session(region_name=REGION).client("dynamodb")

    @cached_property
    def ledger(self) -> LedgerTable:
        """Another writer of evidence."""
        return LedgerTable(self.dynamodb, self.stack["LedgerTable"].ref)

    def put(self, table: str, *items: Mapping[str, Any]) -> None:
        """Put items, as a business system does."""
        for item in items:
            self.dynamodb.put_item(TableName=self.stack[table].ref, Item=dict(item))

    @contextmanager
    def overtaken(self, times: int) -> Iterator[None]:
        """Somebody appends to each chain just after a function has found its end, the first few times."""
        find_end, left = LedgerTable.open, dict.fromkeys(range(SHARDS), times)

        def found_too_early(opened: LedgerTable, shard: int) -> None:
            find_end(opened, shard)
            if opened is not self.ledger and left[shard]:
                left[shard] -= 1
                self.ledger.forget(shard)
                self.ledger.append(
                    shard, [Entry(outcome=Outcome.RESUMED, at=NOW, cause="operator", policy="0")]
                )

        with patch.object(LedgerTable, "open", found_too_early):
            yield


def _a_usual_quarter(world: _Outside) -> None:
    """Shipments and departures, 90 days later the purge; some of it is odd."""
    held = {"M": {"until": {"S": to_wire_text(NOW + timedelta(days=9))}}}
    implausible = shipment("implausible", shipped_at={"S": "1970-01-01T00:00:00Z"})
    world.put("ShipmentsTable", _long_ago("due"), _long_ago("held", legal_hold=held), implausible)
    world.put("ShipmentsTable", _long_ago("erased already", **GONE))
    world.put("ContactsTable", contact("left"))

    names = ("due", "erased already", "held", "implausible", "not there yet")
    world.invoke("OnShipmentFunction", _queued(*map(_shipped, names), "no event at all"))
    departures = (_left("left"), _left("long gone", EIGHT_YEARS_AGO))
    world.invoke("OnLeaverFunction", _queued(*departures, "no event at all"))
    world.put("ShipmentsTable", shipment("not there yet", shipped_at=None))
    world.invoke("PurgeFunction", RECURRING)


def _overtaken_purge(world: _Outside) -> None:
    """The chain goes on between finding its end and appending to it."""
    world.invoke("OnShipmentFunction", _queued(_shipped("due")))
    with world.overtaken(times=1):
        world.invoke("PurgeFunction", RECURRING)


def _disputes(world: _Outside) -> None:
    """Opened, extended, too late, before its record, wiped off the record, closed."""
    world.put("ShipmentsTable", shipment("disputed", shipped_at={"S": to_wire_text(NOW)}))
    opened, extended = (_opened("disputed", until=NOW + timedelta(days=days)) for days in (5, 10))
    extended["detail"]["opened_at"] = to_wire_text(NOW)
    world.invoke("OnDisputeFunction", _queued(opened, extended, _opened("no such shipment"), "no event"))
    with world.overtaken(times=2):  # when its transaction is refused, and when that is put on record
        world.invoke("OnDisputeFunction", _queued(_opened("erased already")))

    world.put("ShipmentsTable", shipment("disputed", shipped_at={"S": to_wire_text(NOW)}))
    outdated = mark_outdated(shipment_ref("disputed"))
    world.invoke("OnDisputeFunction", _queued(event(outdated.detail_type, outdated.detail, time=NOW)))
    detail = {"case_ref": "CASE-1", "closed_by": "staff-1", "closed_at": to_wire_text(NOW)}
    closed = event("DisputeClosed", {"shipment_id": "no such shipment", **detail}, time=NOW)
    world.invoke("OnDisputeFunction", _queued(closed))


def _requests(world: _Outside) -> None:
    """For a record, for one that is held, and for a table without a rule; the purge answers."""
    world.put("ShipmentsTable", shipment("unwanted", shipped_at={"S": to_wire_text(NOW)}))
    asked = [
        _shipment_named("unwanted"),
        _shipment_named("disputed"),
        {"table": "Parcels", "key": {"id": "1"}},
    ]
    detail = {"request_id": "R-1", "approved_by": "staff-1", "requested_at": to_wire_text(LONG_AGO)}
    request = event("ErasureRequested", {**detail, "records": asked}, time=NOW)
    world.invoke("OnErasureRequestFunction", _queued(request, "no event at all"))
    world.invoke("PurgeFunction", RECURRING)


def _pause(world: _Outside) -> None:
    """An operator pulls the brake while something is due, and releases it."""
    world.put("ShipmentsTable", _long_ago("due while paused"))
    world.invoke("OnShipmentFunction", _queued(_shipped("due while paused")))
    brake = BrakeWithEvidence(world.dynamodb, world.stack["FactsTable"].ref, world.ledger)
    telling = Telling(deployed_policy(), NOW, "operator")
    pause(Pause("staff-1", "audit", NOW, NOW + timedelta(days=1)), telling, brake)
    world.invoke("PurgeFunction", RECURRING)
    assert resume("staff-1", telling, brake)


def _sweep(world: _Outside) -> None:
    """Records without an event, fields that came back, a lost mark, facts that are too old or unreadable."""
    world.put("ShipmentsTable", _long_ago("no event"), _long_ago("due"))
    world.put("ShipmentsTable", shipment("disputed", shipped_at={"S": to_wire_text(NOW)}))
    world.put("ContactsTable", contact("left"))
    world.put("FactsTable", {"record": {"S": "Shipments#damaged"}})
    world.invoke("SweepFunction", RECURRING, seconds_left=0)  # stopped before it came anywhere
    world.invoke("SweepFunction", RECURRING)
    world.invoke("SweepFunction", {})


def _seals(world: _Outside) -> None:
    """Of old evidence and new; twice at once; of a batch that somebody damaged; and with nothing to do."""
    erased = Entry(
        outcome=Outcome.ERASED,
        at=EIGHT_YEARS_AGO,
        cause="manual",
        policy="0",
        record=shipment_ref("old").text,
    )
    fresh = next(shard for shard in range(SHARDS) if world.ledger.end(shard)[0] == 0)
    world.ledger.forget(fresh)
    world.ledger.append(fresh, [erased])
    world.invoke("SealFunction", RECURRING, seconds_left=0)
    world.invoke("SealFunction", RECURRING)
    world.ledger.append(fresh, [erased])
    key = {"shard": {"S": f"{fresh:02}"}, "seq": {"N": "2"}}
    item: Any = world.dynamodb.get_item(TableName=world.stack["LedgerTable"].ref, Key=key)["Item"]
    world.put("LedgerTable", {**item, "hash": {"S": "0"}})
    world.invoke("SealFunction", {})


def _foreign_events(world: _Outside) -> None:
    """Two that are mapped, one that cannot be."""
    for name in ("shopify-order-fulfilled", "okta-user-deactivated"):
        world.invoke("OnSourceFunction", _foreign(name))
    failing = _foreign("okta-user-deactivated")
    del failing["detail"]["published"]
    world.invoke("OnSourceFunction", failing)


def _foreign(name: str) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads((project.ROOT / "events" / "sources" / f"{name}.json").read_text())
    return sample


def _long_ago(shipment_id: str, **changes: Any) -> dict[str, Any]:
    return shipment(shipment_id, shipped_at={"S": to_wire_text(LONG_AGO)}, **changes)


def _shipped(shipment_id: str) -> dict[str, Any]:
    detail = {"shipment_id": shipment_id, "shipped_at": to_wire_text(LONG_AGO)}
    return event("ShipmentDispatched", detail, time=NOW)


def _left(contact_id: str, at: datetime = LONG_AGO) -> dict[str, Any]:
    return event("ContactLeft", {"contact_id": contact_id, "notified_at": to_wire_text(at)}, time=NOW)


def _opened(shipment_id: str, until: datetime = NOW + timedelta(days=5)) -> dict[str, Any]:
    yesterday = NOW - timedelta(days=1)
    who = {"reason_code": "damaged", "case_ref": "CASE-1", "opened_by": "staff-1"}
    when = {"opened_at": to_wire_text(yesterday), "until": to_wire_text(until)}
    return event("DisputeOpened", {"shipment_id": shipment_id, **who, **when}, time=NOW)


def _shipment_named(shipment_id: str) -> dict[str, Any]:
    return {"table": "Shipments", "key": {"shipment_id": shipment_id}}


def _queued(*bodies: object) -> dict[str, Any]:
    """A batch as Lambda hands it over."""
    return {
        "Records": [
            {
                "messageId": str(number),
                "body": json.dumps(body) if isinstance(body, dict) else body,
                "eventSource": "aws:sqs",
            }
            for number, body in enumerate(bodies)
        ]
    }
