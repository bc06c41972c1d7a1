"""The days on which something else happens, from outside: events, table contents and commands only."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lapse import project
from lapse.demo_records import text
from tests.e2e.conftest import Deploy, Deployed
from tests.e2e.outside import (
    PERIOD,
    eventually,
    get,
    lapse,
    messages,
    now,
    outcomes,
    purge,
    put,
    rows,
    send,
    sweep,
    timers,
)

pytestmark = pytest.mark.e2e

LONG_AGO = PERIOD + timedelta(days=9)
OPERATOR = ("--by", "support-7")


@pytest.fixture(scope="module")
def stack(deploy: Deploy) -> Deployed:
    """A stack of its own: what it sweeps is only what these tests put there."""
    return deploy("life", parameters={"NamePrefix": "life"})


@pytest.fixture(scope="module")
def news(stack: Deployed) -> Callable[[], list[tuple[str, dict[str, Any]]]]:
    """What Lapse told on its bus so far: a queue of an outsider's own, subscribed to source `lapse`."""
    sqs, events, bus = stack.clients.sqs, stack.clients.events, stack.outputs["EventBusName"]
    url = sqs.create_queue(QueueName="news")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="news", EventBusName=bus, EventPattern=json.dumps({"source": ["lapse"]}))
    events.put_targets(Rule="news", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])

    def read() -> list[tuple[str, dict[str, Any]]]:
        told = [json.loads(body) for body, _ in messages(stack, url)]
        return [(each["detail-type"], each["detail"]) for each in told]

    return read


def shipment(shipment_id: str, ago: timedelta = LONG_AGO, **more: Any) -> dict[str, Any]:
    """A drop-shipped order, by default due for nine days."""
    return {
        "shipment_id": {"S": shipment_id},
        "drop_ship": {"BOOL": True},
        "shipped_at": {"S": text(now() - ago)},
        "contact_number": {"S": f"CANARY-number-{shipment_id}"},
        "email": {"S": f"CANARY-email-{shipment_id}"},
        "name": {"S": f"CANARY-name-{shipment_id}"},
        "address": {"S": "CANARY-address"},
        **more,
    }


def put_shipment(stack: Deployed, item: Mapping[str, Any]) -> None:
    put(stack, stack.outputs["ShipmentsTableName"], item)


def seen(stack: Deployed, shipment_id: str) -> dict[str, Any]:
    item = get(stack, stack.outputs["ShipmentsTableName"], shipment_id=shipment_id)
    assert item is not None
    return item


def is_erased(stack: Deployed, shipment_id: str) -> bool:
    return not {"contact_number", "email"} & seen(stack, shipment_id).keys()


def has_facts(stack: Deployed, record_id: str) -> bool:
    facts = rows(stack, stack.outputs["FactsTableName"])
    return any(f'"{record_id}"' in row["record"]["S"] for row in facts)


def is_told(stack: Deployed, record_id: str, outcome: str) -> bool:
    return outcome in outcomes(stack, record_id)


def opened(shipment_id: str, case: str = "CASE-1", **changes: str) -> dict[str, str]:
    """A dispute, opened yesterday, for a month."""
    return {
        "shipment_id": shipment_id,
        "reason_code": "courier_dispute",
        "case_ref": case,
        "opened_by": "support-7",
        "opened_at": text(now() - timedelta(days=1)),
        "until": text(now() + timedelta(days=30)),
        **changes,
    }


def closed(shipment_id: str, case: str = "CASE-1", **changes: str) -> dict[str, str]:
    """A dispute, closed just now."""
    details = {"closed_by": "support-7", "closed_at": text(now())}
    return {"shipment_id": shipment_id, "case_ref": case, **details, **changes}


def hold(stack: Deployed, shipment_id: str, *cases: str) -> None:
    """Open disputes, and wait until the record is marked."""
    send(stack, "orders", "DisputeOpened", *(opened(shipment_id, case) for case in cases or ("CASE-1",)))
    eventually(lambda: "legal_hold" in seen(stack, shipment_id))
    eventually(lambda: outcomes(stack, shipment_id).count("hold_placed") == max(len(cases), 1))


def test_what_no_event_told_of_is_found_and_erased(stack: Deployed) -> None:
    """The sweep sets the timer that no event set, and the purge it wakes erases."""
    put_shipment(stack, shipment("L-unheard"))
    put_shipment(stack, shipment("L-unheard-soon", PERIOD - timedelta(hours=30)))
    put_shipment(stack, shipment("L-unheard-later", PERIOD - timedelta(days=9)))
    assert sweep(stack)["delivery-contact"]["without_timer"] >= 2
    standing = {key[0] for key in timers(stack)}
    assert "L-unheard-soon" in standing
    assert "L-unheard-later" not in standing
    eventually(lambda: is_erased(stack, "L-unheard"), within=90)
    assert outcomes(stack, "L-unheard") == ["erased"]


def test_lost_timers_are_rebuilt(stack: Deployed) -> None:
    """With the Due table emptied nothing is lost but the time until the next sweep."""
    due = stack.outputs["DueTableName"]
    put_shipment(stack, shipment("L-lost", PERIOD - timedelta(hours=1)))
    event = {"shipment_id": "L-lost", "shipped_at": seen(stack, "L-lost")["shipped_at"]["S"]}
    send(stack, "orders", "ShipmentDispatched", event)
    eventually(lambda: ("L-lost",) in timers(stack))
    before = timers(stack)
    for row in rows(stack, due):
        stack.clients.dynamodb.delete_item(TableName=due, Key={"shard": row["shard"], "sk": row["sk"]})
    assert timers(stack) == {}
    sweep(stack)
    assert before.items() <= timers(stack).items()


def test_fields_that_come_back_are_erased_again(stack: Deployed) -> None:
    """A stale whole-item write brings them back: the sweep says so, and they go again."""
    item = shipment("L-back")
    put_shipment(stack, item)
    sweep(stack)
    purge(stack)
    assert is_erased(stack, "L-back")
    put_shipment(stack, item)
    assert sweep(stack)["delivery-contact"]["re_added"] == 1
    purge(stack)
    assert is_erased(stack, "L-back")
    assert outcomes(stack, "L-back") == ["erased", "erased"]


def test_two_cases_hold_until_the_last_is_closed(stack: Deployed) -> None:
    """Placed by events, extended and released by the command line: nothing goes before the last case does."""
    put_shipment(stack, shipment("L-held"))
    hold(stack, "L-held", "CASE-1", "CASE-2")
    sweep(stack)
    purge(stack)
    assert not is_erased(stack, "L-held")
    lapse(
        stack,
        "hold",
        "Shipments",
        "L-held",
        "--case",
        "CASE-2",
        "--reason",
        "lost",
        *OPERATOR,
        "--until",
        "P60D",
    )
    assert seen(stack, "L-held")["legal_hold"]["M"]["until"]["S"] > text(now() + timedelta(days=59))
    send(stack, "orders", "DisputeClosed", closed("L-held", "CASE-1"))
    eventually(lambda: "hold_released" in outcomes(stack, "L-held"))
    purge(stack)
    assert not is_erased(stack, "L-held")
    assert "L-held" in lapse(stack, "holds")
    lapse(stack, "release", "Shipments", "L-held", "--case", "CASE-2", *OPERATOR)
    purge(stack)
    assert is_erased(stack, "L-held")
    assert "legal_hold" not in seen(stack, "L-held")
    assert "L-held" not in lapse(stack, "holds")


def test_a_hold_lapses_by_itself(stack: Deployed) -> None:
    """At the end of a hold, which nobody released, the record is purged."""
    put_shipment(stack, shipment("L-lapse"))
    until = now() + timedelta(seconds=20)
    send(stack, "orders", "DisputeOpened", opened("L-lapse", until=text(until)))
    eventually(lambda: "legal_hold" in seen(stack, "L-lapse"))
    sweep(stack)
    purge(stack)
    assert now() > until or not is_erased(stack, "L-lapse")
    eventually(lambda: now() > until + timedelta(seconds=5))
    purge(stack)
    assert is_erased(stack, "L-lapse")


def test_a_wiped_mark_is_put_back(stack: Deployed) -> None:
    """A stale whole-item write wipes the mark: the record is held all the same, and marked again."""
    item = shipment("L-wiped")
    put_shipment(stack, item)
    hold(stack, "L-wiped")
    put_shipment(stack, item)
    purge(stack)
    sweep(stack)
    assert not is_erased(stack, "L-wiped")
    eventually(lambda: "legal_hold" in seen(stack, "L-wiped"))
    assert {**item, "legal_hold": seen(stack, "L-wiped")["legal_hold"]} == seen(stack, "L-wiped")


def test_disputes_count_by_their_own_instants(stack: Deployed) -> None:
    """Closed before it was opened, by arrival: closed. Opened again since: open. Too late: told so."""
    put_shipment(stack, shipment("L-order"))
    put_shipment(stack, shipment("L-again"))
    for shipment_id in ("L-order", "L-again"):
        send(
            stack, "orders", "DisputeClosed", closed(shipment_id, closed_at=text(now() - timedelta(hours=9)))
        )
        eventually(partial(is_told, stack, shipment_id, "hold_released"))
    send(stack, "orders", "DisputeOpened", opened("L-order"))
    send(stack, "orders", "DisputeOpened", opened("L-again", opened_at=text(now() - timedelta(hours=1))))
    eventually(lambda: "hold_placed" in outcomes(stack, "L-order"))
    eventually(lambda: "legal_hold" in seen(stack, "L-again"))
    sweep(stack)
    purge(stack)
    assert is_erased(stack, "L-order")
    assert not is_erased(stack, "L-again")


def test_a_hold_that_comes_too_late_is_refused(
    stack: Deployed, news: Callable[[], list[tuple[str, dict[str, Any]]]]
) -> None:
    """What is gone cannot be held: the evidence and the bus say so."""
    put_shipment(stack, shipment("L-late"))
    sweep(stack)
    purge(stack)
    send(stack, "orders", "DisputeOpened", opened("L-late"))
    eventually(lambda: "hold_refused" in outcomes(stack, "L-late"))
    eventually(lambda: any(kind == "HoldRefused" and "L-late" in str(detail) for kind, detail in news()))
    assert "legal_hold" not in seen(stack, "L-late")


def test_a_corrected_shipping_date_counts(stack: Deployed) -> None:
    """Later: not erased by the old one. Earlier: timed anew by the next sweep. No event is needed."""
    put_shipment(stack, shipment("L-later"))
    put_shipment(stack, shipment("L-earlier", PERIOD - timedelta(days=20)))
    for shipment_id in ("L-later", "L-earlier"):
        shipped_at = seen(stack, shipment_id)["shipped_at"]["S"]
        send(stack, "orders", "ShipmentDispatched", {"shipment_id": shipment_id, "shipped_at": shipped_at})
    put_shipment(stack, shipment("L-later", PERIOD - timedelta(days=20)))
    put_shipment(stack, shipment("L-earlier"))
    sweep(stack)
    purge(stack)
    assert is_erased(stack, "L-earlier")
    assert not is_erased(stack, "L-later")


def test_a_fact_is_corrected_by_an_operator(stack: Deployed) -> None:
    """A wrong departure is taken back, and telling it again does not bring it back."""
    table, wrong = stack.outputs["ContactsTableName"], now() - PERIOD + timedelta(days=1)
    right = wrong - timedelta(days=9)
    put(stack, table, {"contact_id": {"S": "L-fact"}, "email": {"S": "CANARY"}, "name": {"S": "CANARY"}})
    departure = {"contact_id": "L-fact", "notified_at": text(wrong)}
    send(stack, "crm", "ContactLeft", departure)
    eventually(lambda: ("L-fact",) in timers(stack))
    correction = ("correct", "Contacts", "L-fact", "--kind", "left", "--was", text(wrong))
    lapse(stack, *correction, "--is", text(right), "--yes", *OPERATOR)
    purge(stack)
    assert "email" not in (get(stack, table, contact_id="L-fact") or {})
    assert outcomes(stack, "L-fact") == ["told", "corrected", "erased"]


def test_requests_with_and_without_a_hold(
    stack: Deployed, news: Callable[[], list[tuple[str, dict[str, Any]]]]
) -> None:
    """More fields than the clock erases, but for what is kept as proof; held, when that ends; answered."""
    for shipment_id in ("L-asked", "L-asked-held"):
        put_shipment(stack, shipment(shipment_id, timedelta(days=3)))
    hold(stack, "L-asked-held")
    keys = [*("L-asked", "L-asked-held", "L-nobody")]
    request = {
        "request_id": "REQ-7",
        "requested_at": text(now()),
        "approved_by": "officer-1",
        "records": [{"table": "Shipments", "key": {"shipment_id": key}} for key in keys],
    }
    send(stack, "lapse.requests", "ErasureRequested", request)

    def answers() -> dict[str, str]:
        return {
            detail["key"]["shipment_id"]: detail.get("outcome") or detail["reason"]
            for kind, detail in news()
            if kind.startswith("Erasure") and detail["request_id"] == "REQ-7"
        }

    eventually(lambda: all("requested" in outcomes(stack, key) for key in keys))
    purge(stack)
    eventually(lambda: answers() == {"L-asked": "erased", "L-nobody": "record_absent"})
    assert seen(stack, "L-asked").keys() == {"shipment_id", "drop_ship", "shipped_at", "address"}
    assert "name" in seen(stack, "L-asked-held")
    assert "REQ-7" in lapse(stack, "requests")
    send(stack, "orders", "DisputeClosed", closed("L-asked-held"))
    eventually(lambda: "hold_released" in outcomes(stack, "L-asked-held"))
    purge(stack)
    eventually(lambda: answers().get("L-asked-held") == "erased")
    assert "REQ-7" not in lapse(stack, "requests")


def test_nothing_is_erased_while_paused(deploy: Deploy) -> None:
    """Paused: timers stand, and are overdue. Resumed: they go on."""
    stack = deploy("paused", parameters={"NamePrefix": "paused"})
    put_shipment(stack, shipment("L-paused"))
    lapse(stack, "pause", *OPERATOR, "--reason", "investigation", "--until", "P1D")
    sweep(stack)
    assert purge(stack)["counts"]["Paused"] == 1
    assert not is_erased(stack, "L-paused")
    assert purge(stack)["counts"]["Overdue"] == 1
    lapse(stack, "resume", *OPERATOR)
    purge(stack)
    assert is_erased(stack, "L-paused")


@pytest.fixture
def policy(tmp_path: Path) -> Callable[[str, str], Path]:
    """A policy file that differs from the shipped one in one place."""

    def changed(old: str, new: str) -> Path:
        shipped = (project.ROOT / "shared" / "policy.toml").read_text()
        assert old in shipped
        file = tmp_path / "policy.toml"
        file.write_text(shipped.replace(old, new, 1))
        return file

    return changed


def test_a_run_stops_at_its_limit(deploy: Deploy, policy: Callable[[str, str], Path]) -> None:
    """A mistyped rule erases no more than one run may, and everybody is told."""
    limited = policy("max_erasures_per_run = 50000", "max_erasures_per_run = 3")
    stack = deploy("limited", parameters={"NamePrefix": "limited"}, policy=limited)
    lapse(stack, "pause", *OPERATOR, "--reason", "investigation", "--until", "P1D")
    for number in range(10):
        put_shipment(stack, shipment(f"L-limit-{number}"))
    sweep(stack)
    lapse(stack, "resume", *OPERATOR)
    counts = purge(stack)["counts"]
    erased = [number for number in range(10) if is_erased(stack, f"L-limit-{number}")]
    assert (len(erased), counts["Erased"], counts["Halted"]) == (3, 3, 1)


def copy_table(stack: Deployed, source: str, target: str) -> None:
    """What a restore from a backup makes: a new table with the old contents."""
    dynamodb = stack.clients.dynamodb
    dynamodb.create_table(
        TableName=target,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "shipment_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "shipment_id", "KeyType": "HASH"}],
    )
    for item in rows(stack, source):
        dynamodb.put_item(TableName=target, Item=item)


def test_a_restored_table_is_brought_up_to_date(deploy: Deploy) -> None:
    """A copy from before a hold and an erasure: the check fails, the replay mends it, the check passes."""
    stack = deploy("backup", parameters={"NamePrefix": "backup"})
    live = stack.outputs["ShipmentsTableName"]
    for shipment_id in ("L-gone", "L-kept", "L-young"):
        ago = timedelta(days=3) if shipment_id == "L-young" else LONG_AGO
        put_shipment(stack, shipment(shipment_id, ago))
    copy_table(stack, live, "restored")
    hold(stack, "L-kept")
    sweep(stack)
    purge(stack)
    assert is_erased(stack, "L-gone")
    checking = ("restore", "check", "Shipments", "--as", "restored")
    assert "L-gone" in lapse(stack, *checking, status=1)
    lapse(stack, "restore", "replay", "Shipments", "--as", "restored", "--yes")
    lapse(stack, *checking)
    assert rows(stack, "restored") == rows(stack, live)


def test_a_plan_says_what_a_policy_will_do(deploy: Deploy, policy: Callable[[str, str], Path]) -> None:
    """After 60 days instead of 90: the plan's number of records is what is then erased."""
    stack = deploy("plan", parameters={"NamePrefix": "plan"})
    for number in range(8):
        put_shipment(stack, shipment(f"L-plan-{number}", timedelta(days=10 * number + 5)))
    sweep(stack)
    purge(stack)
    shorter = policy('retain = "P90D"', 'retain = "P60D"')
    plan = json.loads(lapse(stack, "policy", "plan", str(shorter), "--json"))
    changed = deploy(
        "plan-60",
        parameters={
            "NamePrefix": "plan60",
            "BusinessTables": f"Shipments={stack.outputs['ShipmentsTableName']},Contacts=plan-contacts",
            "BusinessTableArns": "arn:aws:dynamodb:eu-west-1:000000000000:table/plan-shipments",
        },
        policy=shorter,
    )
    sweep(changed)
    purge(changed)
    erased = [number for number in range(8) if is_erased(stack, f"L-plan-{number}")]
    assert (len(erased), erased) == (plan["at_once"], [6, 7])
