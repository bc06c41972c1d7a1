"""Foreign events become contract events, or nothing for a reason that quotes nothing."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract import read_event
from shared.instants import to_text
from shared.mapping import map_event
from shared.sources import Kind, Outcome, Reason, Source
from shared.sources_file import SourcesError, read_sources, shipped_sources

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "events" / "sources"
REAL_EVENTS = ROOT.parent / "shared" / "real-events"
RECEIVED = datetime(2026, 10, 1, 12, tzinfo=UTC)
SHIPPED_SOURCES = shipped_sources()
AT = "2026-08-25T10:15:00Z"
AT_QUARTER = "2026-08-25T10:15:00.250000Z"

needs_real_events = pytest.mark.skipif(
    not REAL_EVENTS.is_dir(), reason="the payloads of real systems (../shared/real-events) are not here"
)


def entry(more: str = "", **keys: str) -> tuple[Source, ...]:
    """One entry for webhook/test, by its TOML; `keys` replace single lines, an empty one drops it."""
    lines = {
        "id": '"test-entry"',
        "match.source": '"webhook/test"',
        "match.detail_type": '"shipped"',
        "kind": '"ShipmentDispatched"',
        "record_id": '"detail.id"',
        "instant": '"detail.at"',
        "instant_format": '"rfc3339"',
    } | {name.replace("match_", "match."): value for name, value in keys.items()}
    body = "\n".join(f"{name} = {value}" for name, value in lines.items() if value)
    return read_sources(f"version = 1\n[[sources]]\n{body}\n{more}".encode())


def wrapped(detail: object, source: str = "webhook/test", detail_type: str = "shipped") -> dict[str, object]:
    return {"source": source, "detail-type": detail_type, "detail": detail}


def details(outcomes: tuple[Outcome, ...]) -> list[tuple[str, dict[str, Any]]]:
    return [(event.detail_type, dict(event.detail)) for outcome in outcomes for event in outcome.events]


def reasons(outcomes: tuple[Outcome, ...]) -> list[str]:
    return [reason.value for outcome in outcomes for reason in outcome.reasons]


def shipped(shipment_id: str, at: str = AT) -> tuple[str, dict[str, Any]]:
    return "ShipmentDispatched", {"v": 1, "shipment_id": shipment_id, "shipped_at": at}


def left(contact_id: str, at: str = AT_QUARTER) -> tuple[str, dict[str, Any]]:
    return "ContactLeft", {"v": 1, "contact_id": contact_id, "notified_at": at}


def returned(contact_id: str, at: str = AT_QUARTER) -> tuple[str, dict[str, Any]]:
    return "ContactReturned", {"v": 1, "contact_id": contact_id, "returned_at": at}


OWN_SAMPLES: dict[str, tuple[list[tuple[str, dict[str, Any]]], list[str]]] = {
    "shopify-order-fulfilled": ([shipped("gid://shopify/Order/9007199254740993")], []),
    "shopify-order-on-hold.nothing": ([], ["condition_not_met"]),
    "shopify-order-test.nothing": ([], ["ignored"]),
    "shopify-order-edited-later.nothing": ([], ["condition_not_met"]),
    "shopify-order-access-denied.nothing": ([], ["condition_not_met"]),
    "shopify-fulfillment-created": ([shipped("9007199254740995")], []),
    "woocommerce-order-completed": ([shipped("7301")], []),
    "woocommerce-order-processing.nothing": ([], ["condition_not_met"]),
    "bigcommerce-shipment-created": ([shipped("8801")], []),
    "okta-user-deactivated": ([left("00uSAMPLEUSER0000001")], []),
    "okta-user-activated": ([returned("00uSAMPLEUSER0000001")], []),
    "okta-login.nothing": ([], ["condition_not_met"]),
    "salesforce-contact-left": ([left("003SAMPLE00000001A"), left("003SAMPLE00000002A")], []),
    "salesforce-contact-returned": ([returned("003SAMPLE00000001A")], []),
    "salesforce-contact-renamed.nothing": ([], ["condition_not_met"]),
    "salesforce-contact-gap.nothing": ([], ["needs_fetch"]),
    "shipstation-ship-notify.nothing": ([], ["needs_fetch"]),
}


def test_every_sample_has_its_expectation() -> None:
    """A sample without an expectation would prove nothing."""
    assert sorted(path.stem for path in SAMPLES.glob("*.json")) == sorted(OWN_SAMPLES)


@pytest.mark.parametrize("name", OWN_SAMPLES)
def test_own_samples(name: str) -> None:
    """Each ready entry maps its sample exactly, and what must become nothing does, for the right reason."""
    outcomes = map_event(json.loads((SAMPLES / f"{name}.json").read_text()), RECEIVED, SHIPPED_SOURCES)
    assert (details(outcomes), reasons(outcomes)) == OWN_SAMPLES[name]


@pytest.mark.parametrize("name", [name for name, (events, _) in OWN_SAMPLES.items() if events])
def test_the_contract_takes_what_comes_out(name: str) -> None:
    """What the handlers behind the bus read from it is what the foreign event said."""
    event = json.loads((SAMPLES / f"{name}.json").read_text())
    for made in (each for outcome in map_event(event, RECEIVED, SHIPPED_SOURCES) for each in outcome.events):
        told = read_event(
            {"detail-type": made.detail_type, "time": AT, "detail": dict(made.detail)}, RECEIVED
        )
        assert to_text(told.instant) in {AT, AT_QUARTER}


def real(path: str) -> Any:
    return json.loads((REAL_EVENTS / path).read_text())


@needs_real_events
@pytest.mark.parametrize(
    ("path", "source", "detail_type", "events", "why"),
    [
        (
            "shipped/shopify-fulfillments.create.json",
            "webhook/shopify",
            "fulfillments/create",
            [shipped("820982911946154508", "2022-01-01T00:00:00Z")],
            [],
        ),
        (
            "shipped/shopify-fulfillment_orders.cancelled.json",
            "webhook/shopify",
            "fulfillment_orders/cancelled",
            [],
            ["no_entry"],
        ),
        (
            "shipped/woocommerce-order.updated-completed.json",
            "webhook/woocommerce",
            "order.updated",
            [shipped("727", "2017-03-22T19:30:35Z")],
            [],
        ),
        (
            "shipped/woocommerce-order.created-processing.json",
            "webhook/woocommerce",
            "order.updated",
            [],
            ["condition_not_met"],
        ),
        (
            "shipped/woocommerce-order.created-processing.json",
            "webhook/woocommerce",
            "order.created",
            [],
            ["no_entry"],
        ),
        (
            "shipped/bigcommerce-store.shipment.created.json",
            "webhook/bigcommerce",
            "store/shipment/created",
            [shipped("251", "2019-06-25T17:14:17Z")],
            [],
        ),
        ("shipped/shipstation-SHIP_NOTIFY.json", "webhook/shipstation", "SHIP_NOTIFY", [], ["needs_fetch"]),
        (
            "shipped/easypost-tracker.updated-noresult.json",
            "webhook/easypost",
            "tracker.updated",
            [],
            ["no_entry"],
        ),
        (
            "left/okta-user.lifecycle.deactivate.json",
            "aws.partner/okta.com/example/lapse",
            "SystemLog",
            [left("00u3m90rxKjGQ0G6L1d6", "2020-11-16T18:15:12.862000Z")],
            [],
        ),
        ("left/hubspot-contact.batch.json", "webhook/hubspot", "contact", [], ["no_entry"]),
    ],
)
def test_real_bodies(path: str, source: str, detail_type: str, events: list[Any], why: list[str]) -> None:
    """The bodies that real systems publish, wrapped in the envelope, become exactly this."""
    outcomes = map_event(wrapped(real(path), source, detail_type), RECEIVED, SHIPPED_SOURCES)
    assert (details(outcomes), reasons(outcomes)) == (events, why)


@needs_real_events
@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("shipped/shopify-eventbridge-captured-order.json", "condition_not_met"),
        ("shipped/shopify-eventbridge-captured-accessdenied.json", "condition_not_met"),
        ("left/okta-eventbridge-envelope.json", "condition_not_met"),
        ("left/salesforce-eventbridge-envelope.json", "no_entry"),
    ],
)
def test_real_envelopes_that_must_become_nothing(path: str, why: str) -> None:
    """Captured events that say nothing of a shipment or a departure become nothing."""
    outcomes = map_event(real(path), RECEIVED, SHIPPED_SOURCES)
    assert (details(outcomes), reasons(outcomes)) == ([], [why])


@needs_real_events
def test_real_shopify_order_once_fulfilled() -> None:
    """The captured order, were it fulfilled, counts; as a test order it is left out."""
    event = real("shipped/shopify-eventbridge-captured-order.json")
    order = event["detail"]["payload"]["data"]["order"]
    order["displayFulfillmentStatus"] = "FULFILLED"
    assert reasons(map_event(event, RECEIVED, SHIPPED_SOURCES)) == ["ignored"]
    order["test"] = False
    expected = shipped("gid://shopify/Order/18906468024599", "2026-09-26T18:01:25Z")
    assert details(map_event(event, RECEIVED, SHIPPED_SOURCES)) == [expected]


@needs_real_events
def test_real_salesforce_contact_change() -> None:
    """A captured change of name is no departure; with the customer's field set it is, for every record id."""
    payload = real("left/salesforce-contact.ChangeEvent.update.json")
    event = wrapped({"payload": payload}, "aws.partner/salesforce.com/a/b", "ContactChangeEvent")
    assert reasons(map_event(event, RECEIVED, SHIPPED_SOURCES)) == ["condition_not_met"]
    payload["ChangeEventHeader"]["changedFields"].append("Left_Organisation__c")
    payload["Left_Organisation__c"] = True
    payload["ChangeEventHeader"]["recordIds"].append("003ak00000SAMPLEAA")
    at = "2025-04-24T13:18:26Z"
    assert details(map_event(event, RECEIVED, SHIPPED_SOURCES)) == [
        left("003ak00000IiFInAAN", at),
        left("003ak00000SAMPLEAA", at),
    ]


@needs_real_events
def test_real_array_at_the_top() -> None:
    """HubSpot's body is an array: an entry of one's own maps its elements, some and not others."""
    sources = entry(
        match_detail_type='"contact"', kind='"ContactLeft"', for_each='"detail"', record_id='"item.objectId"',
        instant='"item.occurredAt"', instant_format='"epoch-millis"',
        ignore_if="""["item.subscriptionType == 'contact.creation'"]""",
    )  # fmt: skip
    outcomes = map_event(
        wrapped(real("left/hubspot-contact.batch.json"), detail_type="contact"), RECEIVED, sources
    )
    assert details(outcomes) == [left("123", "2024-11-14T19:23:30.994000Z")]
    assert reasons(outcomes) == ["ignored"]


@needs_real_events
@pytest.mark.parametrize(
    ("name", "mode", "events", "why"),
    [
        ("delivered", "production", [shipped("EZ4000000004", "2014-11-19T10:51:54Z")], []),
        ("delivered", "test", [], ["ignored"]),
        ("in_transit", "production", [shipped("1", "2024-07-31T19:27:00Z")], []),
        ("noresult", "production", [], ["condition_not_met"]),
    ],
)
def test_real_tracker_by_an_own_entry(name: str, mode: str, events: list[Any], why: list[str]) -> None:
    """EasyPost's array is in no order, so the earliest scan is asked for; test mode is nothing."""
    sources = entry(
        match_conditions='["detail.result != `null`"]',
        record_id='"detail.result.tracking_code"',
        instant="\"min(detail.result.tracking_details[?status != 'pre_transit'].datetime)\"",
        ignore_if="""["detail.mode == 'test'"]""",
    )
    body = real(f"shipped/easypost-tracker.updated-{name}.json") | {"mode": mode}
    outcomes = map_event(wrapped(body), RECEIVED, sources)
    assert (details(outcomes), reasons(outcomes)) == (events, why)


@pytest.mark.parametrize(
    ("record_id", "why"),
    [
        (None, "id_missing"),
        ("", "id_missing"),
        (" ", "id_malformed"),
        ("S-1 ", "id_malformed"),
        ("S\n1", "id_malformed"),
        ("marit.sample@example.com", "id_malformed"),
        ("marit.sample\uff20example.com", "id_malformed"),
        ("marit.sample%40example.com", "id_malformed"),
        ("x" * 257, "id_malformed"),
        pytest.param("\ud800", "id_malformed", id="lone surrogate"),
        (True, "id_malformed"),
        (False, "id_malformed"),
        (8.209829119461545e17, "id_malformed"),
        (float("nan"), "id_malformed"),
        (-1, "id_malformed"),
        (10**256, "id_malformed"),
        pytest.param(10**5000, "id_malformed", id="huge"),
        ([], "id_malformed"),
        ({"id": "S-1"}, "id_malformed"),
    ],
)
def test_ids_that_are_none(record_id: object, why: str) -> None:
    """An id is a short printable text or a whole number, and never an e-mail address."""
    assert reasons(map_event(wrapped({"id": record_id, "at": AT}), RECEIVED, entry())) == [why]


@pytest.mark.parametrize(
    ("record_id", "text"),
    [(2**53 + 1, "9007199254740993"), (0, "0"), ("0007", "0007"), ("x" * 256, "x" * 256)],
)
def test_ids_stay_exact(record_id: object, text: str) -> None:
    """Whole numbers keep every digit, texts every character."""
    assert details(map_event(wrapped({"id": record_id, "at": AT}), RECEIVED, entry())) == [shipped(text)]


@pytest.mark.parametrize(
    ("written", "at", "expected"),
    [
        ("rfc3339", "2026-08-25T12:15:00+02:00", AT),
        ("rfc3339", "2026-08-25T10:15:00", "instant_unreadable"),
        ("rfc3339", 1787652900, "instant_unreadable"),
        ("rfc3339", None, "instant_missing"),
        ("rfc3339", "", "instant_missing"),
        ("rfc3339", True, "instant_unreadable"),
        ("rfc3339", [AT], "instant_unreadable"),
        ("rfc3339", "1999-12-31T23:59:59Z", "instant_implausible"),
        ("rfc3339", "2000-01-01T00:00:00Z", "2000-01-01T00:00:00Z"),
        ("rfc3339", "2026-10-02T12:00:00Z", "2026-10-02T12:00:00Z"),
        ("rfc3339", "2026-10-02T12:00:00.000001Z", "instant_implausible"),
        ("rfc3339", "0001-01-01T00:00:00+14:00", "instant_unreadable"),
        ("epoch-seconds", 1787652900, AT),
        ("epoch-seconds", "1787652900", AT),
        ("epoch-seconds", 1787652900.25, AT_QUARTER),
        ("epoch-seconds", 1787652900250, "instant_unreadable"),
        ("epoch-seconds", 0, "instant_implausible"),
        ("epoch-seconds", float("nan"), "instant_unreadable"),
        ("epoch-seconds", float("inf"), "instant_unreadable"),
        pytest.param("epoch-seconds", 10**5000, "instant_unreadable", id="huge"),
        ("epoch-millis", 1787652900250, AT_QUARTER),
        ("epoch-millis", 1787652900, "instant_implausible"),
    ],
)
def test_instants(written: str, at: object, expected: str) -> None:
    """An instant is read in the declared format or not at all, and lies between 2000 and a day ahead."""
    outcomes = map_event(wrapped({"id": "S-1", "at": at}), RECEIVED, entry(instant_format=f'"{written}"'))
    assert (details(outcomes), reasons(outcomes)) in [([shipped("S-1", expected)], []), ([], [expected])]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [("UTC", AT), ("Europe/London", "2026-08-25T09:15:00Z"), ("Asia/Tokyo", "2026-08-25T01:15:00Z")],
)
def test_naive_times_are_read_in_their_zone(zone: str, expected: str) -> None:
    """A time without an offset means what its declared zone makes of it."""
    sources = entry(instant_format='"naive"', instant_zone=f'"{zone}"')
    outcomes = map_event(wrapped({"id": "S-1", "at": "2026-08-25T10:15:00"}), RECEIVED, sources)
    assert details(outcomes) == [shipped("S-1", expected)]


def test_time_of_receipt_is_said_explicitly() -> None:
    """An event without an instant counts from its receipt, if and only if the entry says so."""
    sources = entry(instant="", instant_format="", time_of_receipt="true")
    assert details(map_event(wrapped({"id": "S-1"}), RECEIVED, sources)) == [
        shipped("S-1", "2026-10-01T12:00:00Z")
    ]
    assert reasons(map_event(wrapped({"id": "S-1"}), RECEIVED, entry())) == ["instant_missing"]


def test_good_records_go_out_beside_bad_ones() -> None:
    """One bad record of an array is counted, and holds up none of the others."""
    sources = entry(for_each='"detail"', record_id='"item.id"', instant='"item.at"')
    items = [
        {"id": "S-1", "at": AT},
        {"id": None, "at": AT},
        7,
        {"id": "S-2", "at": "soon"},
        {"id": "S-3", "at": AT},
    ]
    outcomes = map_event(wrapped(items), RECEIVED, sources)
    assert details(outcomes) == [shipped("S-1"), shipped("S-3")]
    assert reasons(outcomes) == ["id_missing", "id_missing", "instant_unreadable"]


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([], "no_records"),
        (None, "records_malformed"),
        ({}, "records_malformed"),
        ("S-1", "records_malformed"),
    ],
)
def test_arrays_that_are_empty_or_none(items: object, why: str) -> None:
    """An empty array is an everyday matter; something else in its place is not."""
    outcomes = map_event(
        wrapped({"all": items}), RECEIVED, entry(for_each='"detail.all"', record_id='"item"')
    )
    assert reasons(outcomes) == [why]


def test_named_fields_travel_and_are_checked_like_ids() -> None:
    """Own key templates get their fields; one that is missing or an address stops the record."""
    sources = entry('[sources.fields]\norder_no = "detail.number"\n')
    assert details(map_event(wrapped({"id": "S-1", "at": AT, "number": 42}), RECEIVED, sources)) == [
        ("ShipmentDispatched", {"v": 1, "shipment_id": "S-1", "shipped_at": AT, "order_no": "42"})
    ]
    assert reasons(map_event(wrapped({"id": "S-1", "at": AT}), RECEIVED, sources)) == ["field_missing"]
    mail = wrapped({"id": "S-1", "at": AT, "number": "marit.sample@example.com"})
    assert reasons(map_event(mail, RECEIVED, sources)) == ["field_malformed"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (True, []),
        (False, ["condition_not_met"]),
        (None, ["condition_not_met"]),
        (0, ["expression_failed"]),
        ("no", ["expression_failed"]),
    ],
)
def test_conditions_say_true_or_false(answer: object, why: list[str]) -> None:
    """JMESPath takes 0 and "no" for true; Lapse does not guess what a system means by them."""
    outcomes = map_event(
        wrapped({"id": "S-1", "at": AT, "done": answer}), RECEIVED, entry(match_conditions='["detail.done"]')
    )
    assert reasons(outcomes) == why
    assert details(outcomes) == ([] if why else [shipped("S-1")])


def test_a_condition_guards_the_next() -> None:
    """Conditions are asked in order and no further than the first that does not hold."""
    sources = entry(match_conditions="""["detail.id != `null`", "starts_with(detail.id, 'S')"]""")
    assert reasons(map_event(wrapped({"at": AT}), RECEIVED, sources)) == ["condition_not_met"]
    assert reasons(map_event(wrapped({"id": 7, "at": AT}), RECEIVED, sources)) == ["expression_failed"]


def test_what_cannot_be_judged_is_not_mapped() -> None:
    """A comparison of text and number, or an answer neither true nor false, fails the record only."""
    for condition in ("detail.id > `5`", "detail.id"):
        sources = entry(ignore_if=f'["{condition}"]')
        assert reasons(map_event(wrapped({"id": "S-1", "at": AT}), RECEIVED, sources)) == [
            "expression_failed"
        ]


def test_sources_match_whole_or_by_their_beginning() -> None:
    """A trailing star stands for any ending; without one the source is taken whole."""
    event = wrapped({"id": "S-1", "at": AT})
    assert reasons(map_event(event, RECEIVED, entry(match_source='"webhook/t*"'))) == []
    assert reasons(map_event(event, RECEIVED, entry(match_source='"webhook/t"'))) == ["no_entry"]
    assert reasons(map_event(event, RECEIVED, entry(match_source='"webhook/test/*"'))) == ["no_entry"]


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "text",
        7,
        {},
        {"source": "webhook/test", "detail-type": "shipped"},
        {"source": 1, "detail-type": "shipped", "detail": {}},
        wrapped({}, detail_type="shipped") | {"detail-type": None},
    ],
)
def test_what_is_no_envelope(event: object) -> None:
    """Whatever is handed in, it is refused and not raised."""
    assert reasons(map_event(event, RECEIVED, SHIPPED_SOURCES)) == ["envelope_malformed"]


def test_deep_nesting_is_survived() -> None:
    """A payload nested deeper than Python recurses fails one expression, and nothing else."""
    deep: list[Any] = []
    for _ in range(sys.getrecursionlimit() * 200):
        deep = [deep]
    for sources in (entry(), entry(record_id='"to_string(detail.id)"')):
        assert len(reasons(map_event(wrapped({"id": deep, "at": AT}), RECEIVED, sources))) == 1


CANARY = "Zanzibar"
text = st.text(max_size=8).map(lambda some: CANARY + some)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | text
    | st.sampled_from(["", AT, "marit@example.com", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "at", "type", "item"]) | text, inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def mutated_samples(draw: st.DrawFn) -> object:
    """One of the samples, with one value somewhere replaced by anything."""
    event = json.loads((SAMPLES / f"{draw(st.sampled_from(sorted(OWN_SAMPLES)))}.json").read_text())
    at = event
    while True:
        key = draw(st.sampled_from(sorted(at)) if isinstance(at, dict) else st.integers(0, len(at) - 1))
        if not isinstance(at[key], dict | list) or not at[key] or draw(st.booleans()):
            at[key] = draw(json_values)
            return event
        at = at[key]


@settings(max_examples=300)
@given(json_values | mutated_samples() | json_values.map(wrapped))
def test_nothing_raises_and_nothing_leaks(event: object) -> None:
    """Whatever comes in: no exception, and only reasons, entry names and contract events come out."""
    sources = (
        *SHIPPED_SOURCES,
        *entry(for_each='"detail[?type]"', record_id='"item.id"', instant='"max(item.at)"'),
    )
    for outcome in map_event(event, RECEIVED, sources):
        assert outcome.events or outcome.reasons
        assert CANARY not in outcome.entry
        assert all(isinstance(reason, Reason) for reason in outcome.reasons)
        for made in outcome.events:
            assert made.detail_type in set(Kind)
            names = [value for value in made.detail.values() if isinstance(value, str)]
            assert len(names) == len(made.detail) - 1
            assert all(0 < len(name) <= 256 and "@" not in name for name in names)
            json.dumps(made.detail).encode()


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"record_id": '"detail..id"'}, "sources.1 (test-entry): record_id: is not JMESPath"),
        ({"record_id": '"detail.id]"'}, "record_id: is not JMESPath"),
        ({"record_id": '""'}, "record_id: must be a JMESPath expression"),
        ({"record_id": "7"}, "record_id: must be a JMESPath expression"),
        ({"record_id": '"lower(detail.id)"'}, "record_id: calls lower(), which JMESPath does not have"),
        ({"record_id": '"to_string()"'}, "record_id: calls to_string() with 0 argument(s), not 1"),
        (
            {"match_conditions": '["detail.status == \\"done\\""]'},
            "match.conditions.0: compares with a field",
        ),
        ({"match_conditions": '["detail.test == true"]'}, "match.conditions.0: compares with a field"),
        ({"match_source": '"webhook/*/test"'}, "match.source: "),
        ({"match_detail_typ": '"shipped"'}, "match.detail_typ: Extra inputs are not permitted"),
        ({"kind": '"DisputeOpened"'}, "kind: "),
        ({"kind": ""}, "needs kind and record_id, or refuse"),
        ({"record_id": ""}, "needs kind and record_id, or refuse"),
        ({"instant": "", "instant_format": ""}, "needs either instant or time_of_receipt = true"),
        ({"time_of_receipt": "true"}, "needs either instant or time_of_receipt = true"),
        ({"instant_format": ""}, "instant_format: belongs to an instant"),
        ({"instant_format": '"iso"'}, "instant_format: "),
        ({"instant_format": '"naive"'}, "instant_zone: naive times and bare dates need it"),
        ({"instant_zone": '"UTC"'}, "instant_zone: naive times and bare dates need it"),
        (
            {"instant_format": '"naive"', "instant_zone": '"Mars/Olympus"'},
            "instant_zone: is not a known time zone",
        ),
        ({"fields": '{ shipment_id = "detail.x" }'}, "fields: the contract has a shipment_id already"),
        ({"fields": '{ "Order-No" = "detail.x" }'}, "fields.Order-No"),
        (
            {"refuse": '"needs_fetch"'},
            "refuse: stands alone, without instant, instant_format, kind, record_id",
        ),
        ({"refuse": '"bored"'}, "refuse: "),
        ({"id": '"a b"'}, "sources.1 (a b): id: "),
    ],
)
def test_configuration_errors_say_where(keys: dict[str, str], problem: str) -> None:
    """A mistake is found when the file is loaded, and named by entry and key."""
    with pytest.raises(SourcesError) as caught:
        entry(**keys)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (b"version = 1\nsources = 7", "sources: "),
        (b"version = 2", "version: "),
        (b"version =", "not TOML"),
        (b"\xff", "not TOML"),
        (
            b'version = 1\n[[sources]]\nid = "a"\n[[sources]]\nid = "a"',
            "sources.2 (a): match: Field required",
        ),
    ],
)
def test_files_that_are_none(file: bytes, problem: str) -> None:
    """A file that is not of this format is refused as such."""
    with pytest.raises(SourcesError, match=r".") as caught:
        read_sources(file)
    assert problem in str(caught.value)


def test_ids_are_unique() -> None:
    """Two entries of one name could not be told apart in metrics."""
    body = '[[sources]]\nid = "twin"\nmatch = { source = "a", detail_type = "b" }\nrefuse = "needs_fetch"\n'
    with pytest.raises(SourcesError, match="the id twin stands there twice"):
        read_sources(f"version = 1\n{body}{body}".encode())
