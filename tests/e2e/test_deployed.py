"""The deployed stack through the public contract: events in, table contents out."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lapse.demo_records import Maker, text
from tests.e2e.conftest import Deploy, Deployed
from tests.e2e.outside import (
    PERIOD,
    eventually,
    evidence,
    get,
    messages,
    now,
    purge,
    put,
    rows,
    schedules,
    send,
    timers,
)

pytestmark = pytest.mark.e2e

EVERYTHING: dict[str, Any] = {
    "digits": {"N": "12345678901234567890123456789012345678"},
    "tiny": {"N": "0.00000000000000000000000000000000000001"},
    "strings": {"SS": ["a", "ä", "漢字🚚"]},
    "numbers": {"NS": ["-1", "2.5"]},
    "binary": {"B": bytes(range(256))},
    "nested": {
        "M": {"list": {"L": [{"M": {"email": {"S": "kept@example.org"}}}, {"NULL": True}, {"BOOL": False}]}}
    },
    "filler": {"S": "ü" * 1300},
}


def shipment(shipment_id: str, shipped_at: str, **more: Any) -> dict[str, Any]:
    item = {
        "shipment_id": {"S": shipment_id},
        "drop_ship": {"BOOL": True},
        "shipped_at": {"S": shipped_at},
        "contact_number": {"S": f"CANARY-number-{shipment_id}"},
        "email": {"S": f"CANARY-email-{shipment_id}"},
        "name": {"S": f"CANARY-name-{shipment_id}"},
        **more,
    }
    return {name: value for name, value in item.items() if value is not None}


def without_contact(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in item.items() if name not in {"contact_number", "email", "telephone"}
    }


def comparable(item: dict[str, Any] | None) -> object:
    assert item is not None
    return {
        name: {k: sorted(v) if k in {"SS", "NS"} else v for k, v in value.items()}
        for name, value in item.items()
    }


def test_due_in_half_a_minute_and_due_in_an_hour(deployed: Deployed) -> None:
    """By real wake-ups: one is erased within three minutes of its due instant, whole but for two fields."""
    table, due = deployed.outputs["ShipmentsTableName"], now() + timedelta(seconds=30)
    soon = shipment("E-soon", text(due - PERIOD), **EVERYTHING)
    later = shipment("E-later", text(due - PERIOD + timedelta(hours=1)), **EVERYTHING)
    for item in (soon, later):
        put(deployed, table, item)
        send(
            deployed,
            "orders",
            "ShipmentDispatched",
            {"shipment_id": item["shipment_id"]["S"], "shipped_at": item["shipped_at"]["S"]},
        )
    certain = due + timedelta(seconds=5)
    wake_up = f"purge-{certain + timedelta(seconds=-certain.second % 60):%Y%m%dT%H%M}"
    eventually(lambda: wake_up in [each["Name"] for each in schedules(deployed)], within=20)
    eventually(lambda: "email" not in (get(deployed, table, shipment_id="E-soon") or {}), within=210)
    assert now() <= due + timedelta(minutes=3)
    assert comparable(get(deployed, table, shipment_id="E-soon")) == comparable(without_contact(soon))
    assert comparable(get(deployed, table, shipment_id="E-later")) == comparable(later)
    (entry,) = [each for each in evidence(deployed) if "E-soon" in each["record"]]
    assert (entry["cause"], entry["due"]) in {("wake-up", text(due)), ("recurring", text(due))}


def test_leavers_and_returns(deployed: Deployed) -> None:
    """Return before departure, doubled events: who came back stays, who left goes."""
    table, long_ago = deployed.outputs["ContactsTableName"], now() - PERIOD - timedelta(days=9)
    contacts = {
        name: {
            "contact_id": {"S": name},
            "name": {"S": f"CANARY-{name}"},
            "telephone": {"S": "CANARY-1"},
            "email": {"S": "CANARY-2"},
        }
        for name in ("E-left", "E-back")
    }
    for item in contacts.values():
        put(deployed, table, item)
    send(
        deployed,
        "crm",
        "ContactReturned",
        {"contact_id": "E-back", "returned_at": text(long_ago + timedelta(days=1))},
    )
    facts = deployed.outputs["FactsTableName"]
    eventually(lambda: any("E-back" in row["record"]["S"] for row in rows(deployed, facts)))
    departure = {"contact_id": "E-back", "notified_at": text(long_ago)}
    send(
        deployed,
        "crm",
        "ContactLeft",
        departure,
        {"contact_id": "E-left", "notified_at": text(long_ago)},
        departure,
    )
    eventually(
        lambda: sum("E-" in row["record"]["S"] and "left" in row for row in rows(deployed, facts)) == 2
    )
    put(deployed, table, contacts["E-left"])  # a whole-item put of a cached copy
    eventually(lambda: purge(deployed) and "email" not in (get(deployed, table, contact_id="E-left") or {}))
    assert get(deployed, table, contact_id="E-left") == without_contact(contacts["E-left"])
    assert get(deployed, table, contact_id="E-back") == contacts["E-back"]


def test_malformed_events_are_dead_lettered_with_their_reason(deployed: Deployed) -> None:
    """Each at once, whole; its neighbours in the batch become timers."""
    malformed = Maker(now()).malformed()
    for each in malformed:
        send(deployed, each.event.source, each.event.detail_type, each.event.detail)
        send(
            deployed,
            "orders",
            "ShipmentDispatched",
            {"shipment_id": "E-neighbour", "shipped_at": text(now())},
        )
    url = deployed.outputs["DeadLetterQueueUrl"]
    eventually(lambda: len(messages(deployed, url)) >= len(malformed))
    seen = messages(deployed, url)
    assert sorted(reason for _, reason in seen) == sorted(each.reason for each in malformed)
    assert sorted(json.dumps(json.loads(body)["detail"]) for body, _ in seen) == sorted(
        json.dumps(each.event.detail) for each in malformed
    )
    eventually(lambda: ("E-neighbour",) in timers(deployed))


OWN_POLICY = """
version = 1
id = "own"
updated = 2026-01-01
timezone = "Europe/London"
[[rules]]
id = "order-contact"
clause = "2.2.1"
table = "Orders"
key = { pk = "ORDER#{shipment_id}", sk = { N = "{parcel}" } }
match = { kind = "order" }
trigger = "shipment"
anchor = { attribute = ["meta", "shipped"] }
anchor_format = "epoch-seconds"
anchor_merge = "latest"
retain = "P90D"
counting = "elapsed"
erase = [["delivery", "phone"], ["delivery", "gate", "code"], "email"]
keep = ["name"]
mode = "enforce"
"""


def test_an_existing_table_of_ones_own(deployed: Deployed, deploy: Deploy, tmp_path: Path) -> None:
    """A single-table design, named by the stack's parameters, with a policy chosen when building."""
    dynamodb = deployed.clients.dynamodb
    kinds: Any = [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
    ]
    schema: Any = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    arn = dynamodb.create_table(
        TableName="our-orders", AttributeDefinitions=kinds, KeySchema=schema, BillingMode="PAY_PER_REQUEST"
    )["TableDescription"]["TableArn"]
    policy = tmp_path / "policy.toml"
    policy.write_text(OWN_POLICY)
    own = deploy(
        "own",
        policy=policy,
        parameters={
            "NamePrefix": "own",
            "BusinessTables": "Orders=our-orders",
            "BusinessTableArns": arn,
            "ViewAttributes": "kind,legal_hold,meta,pk,sk",
            "ErasedAttributes": "delivery,email",
        },
    )
    assert "ShipmentsTableName" not in own.outputs
    shipped = int((now() - PERIOD - timedelta(days=1)).timestamp())
    item: dict[str, Any] = {
        "pk": {"S": "ORDER#7"},
        "sk": {"N": "2"},
        "kind": {"S": "order"},
        "meta": {"M": {"shipped": {"N": str(shipped)}}},
        "delivery": {"M": {"phone": {"S": "CANARY-3"}, "city": {"S": "Leeds"}}},
        "email": {"S": "CANARY-4"},
    }
    put(own, "our-orders", item)
    send(own, "orders", "ShipmentDispatched", {"shipment_id": "7", "parcel": 2, "shipped_at": text(now())})
    eventually(lambda: timers(own))
    purge(own)
    left = dynamodb.get_item(TableName="our-orders", Key={"pk": item["pk"], "sk": item["sk"]})["Item"]
    assert left == {**without_contact(item), "delivery": {"M": {"city": {"S": "Leeds"}}}}


def test_no_personal_value_anywhere_but_in_the_business_tables(deployed: Deployed) -> None:
    """Canaries of all records so far are in no log, queue, timer, fact, ledger entry, schedule or metric."""
    test = shipment("E-canary", text(now() - PERIOD - timedelta(days=1)))
    put(deployed, deployed.outputs["ShipmentsTableName"], test)
    stray = {"shipment_id": "E-canary", "shipped_at": test["shipped_at"]["S"], "email": "CANARY-stray"}
    send(deployed, "orders", "ShipmentDispatched", stray)
    eventually(lambda: any("E-canary" in each["record"] for each in evidence(deployed)), within=150)
    tables = [deployed.outputs[f"{name}TableName"] for name in ("Due", "Facts", "Ledger")]
    queues = deployed.clients.sqs.list_queues().get("QueueUrls", [])
    logs = deployed.logs()
    sinks = {
        "logs": logs,
        "emulator's log": deployed.stack.log_file.read_text().splitlines(),
        "tables": [row for table in tables for row in rows(deployed, table)],
        "queues": [message for url in queues for message in messages(deployed, url)],
        "schedules": schedules(deployed),
    }
    assert all(any(word in line for line in logs) for word in ("events taken", "purged", '"_aws"', "Erased"))
    assert {name: "CANARY" in json.dumps(sink, default=str) for name, sink in sinks.items()} == dict.fromkeys(
        sinks, False
    )
