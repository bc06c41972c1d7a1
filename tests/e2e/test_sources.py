"""Foreign systems' raw payloads, put onto the partner's bus: timers with the right instants, or nothing."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lapse.demo_records import text
from tests.e2e.conftest import Deploy, Deployed
from tests.e2e.outside import PERIOD, eventually, evidence, messages, rows, schedules, send, timers

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
OWN = ROOT / "events" / "sources"
REAL = ROOT.parent / "shared" / "real-events"
PARTNER_BUS = "partner"


@pytest.fixture(scope="module")
def wired(deploy: Deploy, deployed: Deployed) -> Deployed:
    """A stack of its own that listens to a partner's bus."""
    deployed.clients.events.create_event_bus(Name=PARTNER_BUS)
    return deploy("sources", parameters={"NamePrefix": "sources", "PartnerEventBus": PARTNER_BUS})


def put_raw(wired: Deployed, source: str, detail_type: str, detail: Any) -> None:
    """Put a payload onto the partner's bus; as only AWS may put `aws.` sources, those go to the function."""
    if not source.startswith("aws."):
        send(wired, source, detail_type, detail, bus=PARTNER_BUS)
        return
    envelope = {"version": "0", "source": source, "detail-type": detail_type, "detail": detail}
    name = wired.outputs["SourceFunctionName"]
    answer = wired.clients.functions.invoke(FunctionName=name, Payload=json.dumps(envelope).encode())
    assert not answer.get("FunctionError")


def counts(wired: Deployed) -> Counter[str]:
    """What on_source has counted so far as nothing or as a failure, by reason."""
    seen: Counter[str] = Counter()
    for line in wired.logs():
        written = json.loads(line) if '"_aws"' in line else {}
        for name in {"NothingMapped", "SourceFailures"} & written.keys():
            seen[written["reason"]] += int(sum(written[name]))
    return seen


def dues(wired: Deployed) -> dict[str, str]:
    """When each record is due that a foreign event named: by its timer, or by evidence if it is past."""
    past = {
        next(iter(json.loads(each["record"].partition("#")[2]).values()))["S"]: each["due"]
        for each in evidence(wired)
    }
    return past | {key[0]: due for key, due in timers(wired).items()}


def sample(name: str) -> dict[str, Any]:
    return dict(json.loads((OWN / f"{name}.json").read_text()))


def test_own_samples_become_timers(wired: Deployed) -> None:
    """Shopify, WooCommerce, BigCommerce, Okta, Salesforce: each record is due 90 days after its instant."""
    names = ["shopify-order-fulfilled", "shopify-fulfillment-created", "woocommerce-order-completed"]
    names += ["bigcommerce-shipment-created", "okta-user-deactivated", "salesforce-contact-left"]
    for each in map(sample, names):
        put_raw(wired, each["source"], each["detail-type"], each["detail"])
    shipped, departed = (
        "2026-11-23T10:15:00Z",
        "2026-11-23T10:15:01Z",
    )  # 90 days later; a quarter second rounds up
    expected = dict.fromkeys(
        ("gid://shopify/Order/9007199254740993", "9007199254740995", "7301", "8801"), shipped
    )
    expected |= dict.fromkeys(("00uSAMPLEUSER0000001", "003SAMPLE00000001A", "003SAMPLE00000002A"), departed)
    eventually(lambda: expected.items() <= dues(wired).items())


def test_who_came_back_is_a_fact(wired: Deployed) -> None:
    """A return is kept beside the departure."""
    for each in (sample("okta-user-activated"), sample("salesforce-contact-returned")):
        put_raw(wired, each["source"], each["detail-type"], each["detail"])
    facts = wired.outputs["FactsTableName"]
    eventually(lambda: sum("returned" in row for row in rows(wired, facts)) == 2)


def test_what_must_become_nothing_becomes_nothing(wired: Deployed) -> None:
    """Test orders, other states, logins, renames, events that need a fetch: counted by reason, no event."""
    before, known = counts(wired), dues(wired)
    for each in map(sample, sorted(path.stem for path in OWN.glob("*.nothing.json"))):
        put_raw(wired, each["source"], each["detail-type"], each["detail"])
    expected = Counter(condition_not_met=6, ignored=1, needs_fetch=2)
    eventually(lambda: counts(wired) - before == expected)
    assert dues(wired) == known


def test_a_webhook_body_handed_to_the_function(wired: Deployed) -> None:
    """A front door that has no bus may invoke the function itself."""
    event = sample("bigcommerce-shipment-created")
    event["detail"]["data"]["orderId"] = 8802
    name = wired.outputs["SourceFunctionName"]
    answer = wired.clients.functions.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    assert json.loads(answer["Payload"].read()) == {"mapped": 1, "nothing": 0, "failed": 0}
    eventually(lambda: "8802" in dues(wired))


REAL_BODIES = {
    "shipped/shopify-fulfillments.create.json": ("webhook/shopify", "fulfillments/create"),
    "shipped/woocommerce-order.updated-completed.json": ("webhook/woocommerce", "order.updated"),
    "shipped/woocommerce-order.created-processing.json": ("webhook/woocommerce", "order.updated"),
    "shipped/bigcommerce-store.shipment.created.json": ("webhook/bigcommerce", "store/shipment/created"),
    "left/okta-user.lifecycle.deactivate.json": ("aws.partner/okta.com/x/y", "SystemLog"),
}
REAL_INSTANTS = {
    "820982911946154508": "2022-01-01T00:00:00Z",
    "727": "2017-03-22T19:30:35Z",
    "251": "2019-06-25T17:14:17Z",
    "00u3m90rxKjGQ0G6L1d6": "2020-11-16T18:15:13Z",
}


@pytest.mark.skipif(not REAL.is_dir(), reason="real systems' payloads (../shared/real-events) are not here")
def test_real_payloads(wired: Deployed) -> None:
    """What real systems publish: the right records with the right due instants; the others are nothing."""
    before = counts(wired)
    for path, (source, detail_type) in REAL_BODIES.items():
        put_raw(wired, source, detail_type, json.loads((REAL / path).read_text()))
    for envelope in [*REAL.glob("*/*envelope*.json"), *REAL.glob("shipped/*captured*.json")]:
        event = json.loads(envelope.read_text())
        put_raw(wired, event["source"], event["detail-type"], event["detail"])
    expected = {key: text(datetime.fromisoformat(at) + PERIOD) for key, at in REAL_INSTANTS.items()}
    eventually(lambda: expected.items() <= dues(wired).items())
    eventually(lambda: counts(wired) - before == Counter(condition_not_met=4, no_entry=1))


def personal_values(value: Any) -> Iterator[str]:
    """Names, addresses, mails and telephones in a payload: texts of words, with an @, or called phone."""
    if isinstance(value, dict):
        yield from (
            each for name, each in value.items() if "phone" in name and isinstance(each, str) and each
        )
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from personal_values(each)
    elif isinstance(value, str) and len(value) > 6 and ("@" in value or " " in value):
        yield value


def test_nothing_of_a_raw_payload_is_kept(wired: Deployed) -> None:
    """No name, address or mail of any payload is in a queue, a log (the emulator's too) or a table."""
    body = sample("woocommerce-order-completed")
    put_raw(wired, body["source"], body["detail-type"], body["detail"])
    eventually(lambda: any("MappedEvents" in line for line in wired.logs()))
    paths = [*OWN.glob("*.json"), *(REAL.glob("*/*.json") if REAL.is_dir() else [])]
    values = {each for path in paths for each in personal_values(json.loads(path.read_text()))}
    tables = [name for key, name in wired.outputs.items() if key.endswith("TableName")]
    sinks = [
        *wired.logs(),
        wired.stack.log_file.read_text(),
        *(json.dumps(row, default=str) for table in tables for row in rows(wired, table)),
        *(
            json.dumps(each)
            for url in wired.clients.sqs.list_queues()["QueueUrls"]
            for each in messages(wired, url)
        ),
        *(json.dumps(each, default=str) for each in schedules(wired)),
    ]
    assert len(values) > 10
    assert [value for value in sorted(values) if any(value in sink for sink in sinks)] == []
