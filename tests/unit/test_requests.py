"""Requests to erase: one malformed record refuses the whole request, and no value is ever shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.facts import Request
from shared.instants import MICROSECOND
from shared.policy import Policy
from shared.record import RecordRef
from shared.refused import RefusedError
from shared.requests import MOST_RECORDS, read_request
from tests.builders import NOW, contact_ref, event, policy, requested, rules_from, shipment_ref

POLICY = policy()
CANARY = "canary"
MISSING = object()
SHIPMENT = {"table": "Shipments", "key": {"shipment_id": "S-1001"}}

texts = st.text(max_size=12).map(lambda text: CANARY + " " + text)
some_json = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def changed(**changes: object) -> dict[str, Any]:
    """A valid request with some fields changed, or left out where `MISSING`."""
    detail = {**requested(shipment_ref())["detail"], **changes}
    return event("ErasureRequested", {name: each for name, each in detail.items() if each is not MISSING})


def refusal(given_event: object, rules: Policy = POLICY) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        read_request(given_event, rules, NOW)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def test_a_request_names_records_and_who_approved_it() -> None:
    """For each record the policy's rule for requests, in the order of the request; unknown fields go."""
    asked_at = "2026-08-25T11:00:00+01:00"
    both = requested(shipment_ref(), contact_ref(), requested_at=asked_at, v=1, note=CANARY)
    told = read_request(both, POLICY, NOW)
    assert told.request == Request("R-1", datetime(2026, 8, 25, 10, 0, tzinfo=UTC), "staff-3")
    assert [each.record for each in told.asked] == [shipment_ref(), contact_ref()]
    assert [each.rule.id if each.rule else "" for each in told.asked] == [
        "delivery-erasure",
        "contact-erasure",
    ]


@pytest.mark.parametrize("name", ["request_id", "requested_at", "approved_by", "records"])
def test_every_field_is_mandatory(name: str) -> None:
    """Who asked for what, when, and who approved it."""
    refused = refusal(changed(**{name: MISSING}))
    assert (refused.field, refused.reason) == (name, "is missing")


@pytest.mark.parametrize("name", ["request_id", "approved_by"])
@pytest.mark.parametrize(
    "value",
    [
        *("", "x" * 65, f"{CANARY}@example.org", f"{CANARY} wants it gone", f"{CANARY}\n", f"-{CANARY}"),
        *(7, None, [CANARY], {"S": CANARY}),
    ],
    ids=ascii,
)
def test_a_reference_is_no_free_text(name: str, value: object) -> None:
    """Too narrow for an address or a story; of 64 characters at most."""
    assert refusal(changed(**{name: value})).field == name


@pytest.mark.parametrize(
    "value", ["", CANARY, "2026-08-25", "2026-08-25T10:15:00", 1787652900, None], ids=repr
)
def test_an_instant_has_an_offset(value: object) -> None:
    """RFC 3339 text, and nothing else."""
    assert refusal(changed(requested_at=value)).field == "requested_at"


def test_what_was_asked_was_asked_already() -> None:
    """A day ahead may be a clock; more is a mistake."""
    limit = NOW + timedelta(days=1)
    assert read_request(changed(requested_at=limit.isoformat()), POLICY, NOW).request.requested_at == limit
    refused = refusal(changed(requested_at=(limit + MICROSECOND).isoformat()))
    assert (refused.field, refused.reason) == ("requested_at", "is more than a day ahead")


@pytest.mark.parametrize(
    ("records", "field"),
    [
        pytest.param([], "records", id="none"),
        pytest.param([SHIPMENT] * (MOST_RECORDS + 1), "records", id="too many"),
        pytest.param(SHIPMENT, "records", id="no list"),
        pytest.param([SHIPMENT, CANARY], "records.1", id="text for a record"),
        pytest.param([SHIPMENT, None], "records.1", id="null for a record"),
        pytest.param([{"key": {"shipment_id": "S"}}], "records.0.table", id="no table"),
        pytest.param([{"table": "", "key": {"a": "b"}}], "records.0.table", id="empty table"),
        pytest.param([{"table": CANARY * 20, "key": {"a": "b"}}], "records.0.table", id="a long table"),
        pytest.param([{"table": 5, "key": {"a": "b"}}], "records.0.table", id="a number for a table"),
        pytest.param([{"table": f"{CANARY}@b.c", "key": {"a": "b"}}], "records.0.table", id="an address"),
        pytest.param([SHIPMENT, {"table": "Shipments"}], "records.1.key", id="no key"),
        pytest.param([{"table": "Shipments", "key": CANARY}], "records.0.key", id="text for a key"),
        pytest.param([{"table": "Shipments", "key": {}}], "records.0.key", id="an empty key"),
        pytest.param([{"table": "Shipments", "key": {CANARY: "S"}}], "records.0.key", id="another name"),
        pytest.param(
            [{"table": "Shipments", "key": {**SHIPMENT, CANARY: "x"}}], "records.0.key", id="one more"
        ),
    ],
)
def test_a_malformed_list_of_records_is_refused(records: object, field: str) -> None:
    """The refusal says which record, by its number, and which part of it."""
    assert refusal(changed(records=records)).field == field


@pytest.mark.parametrize(
    "value",
    [
        *("", None, True, 1.5, [CANARY], {}, {CANARY: "x"}, {"N": "7"}, {"S": CANARY, "N": "7"}, {"S": 7}),
        *(f"{CANARY}@example.org", f"{CANARY}\ud800", CANARY * 200, 10**400),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_one_malformed_record_refuses_the_whole_request(value: object) -> None:
    """Nothing of it is begun: half a request would be answered by halves."""
    broken = {"table": "Shipments", "key": {"shipment_id": value}}
    refused = refusal(changed(records=[SHIPMENT, broken]))
    assert refused.field == "records.1.key.shipment_id"


@pytest.mark.parametrize("value", ["S-1001", {"S": "S-1001"}])
def test_a_key_is_named_plainly_or_with_its_type(value: object) -> None:
    """Both name the same record."""
    told = read_request(changed(records=[{"table": "Shipments", "key": {"shipment_id": value}}]), POLICY, NOW)
    assert told.asked[0].record == shipment_ref()


def test_a_table_without_a_rule_for_requests_is_no_refusal() -> None:
    """The others are begun; this one is answered: there is no rule."""
    other = {"table": "Invoices", "key": {"invoice_no": 7, "part": {"N": "1"}}, "note": CANARY}
    told = read_request(changed(records=[other, SHIPMENT]), POLICY, NOW)
    unknown, known = told.asked
    assert (unknown.table, unknown.rule, unknown.record) == ("Invoices", None, None)
    assert known.record == shipment_ref()
    by_the_clock_alone = policy(*POLICY.rules[:2])
    assert read_request(requested(shipment_ref()), by_the_clock_alone, NOW).asked[0].rule is None


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ({}, "key"),
        ({"a": "1", "b": "2", "c": "3"}, "key"),
        ({f"{CANARY} Jo": "1"}, "key"),
        ({f"{CANARY}@example.org": "1"}, "key"),
        ({"id": f"{CANARY}@example.org"}, "key"),
        ({"id": {"S": f"{CANARY}@example.org"}}, "key"),
        ({"id": {"note": CANARY}}, "key"),
        ({"id": {"N": CANARY}}, "key"),
        ({"id": ""}, "key"),
        ({"id": CANARY * 200}, "key"),
    ],
    ids=str,
)
def test_what_an_answer_would_repeat_is_a_key(key: dict[str, Any], field: str) -> None:
    """Also of a table that has no rule: the answer names the record, so nothing else may pass for its key."""
    assert (
        refusal(changed(records=[SHIPMENT, {"table": "Invoices", "key": key}])).field == f"records.1.{field}"
    )


def test_a_key_template_plays_no_part() -> None:
    """A request names the key attributes themselves, as the table has them."""
    orders = rules_from("""
[[rules]]
id = "order-erasure"
clause = "9"
table = "Orders"
key = { pk = "ORDER#{order_id}", sk = { N = "{parcel}" } }
trigger = "request"
erase = ["email"]
mode = "enforce"
""")
    named = {"table": "Orders", "key": {"pk": "ORDER#7", "sk": "007"}}
    told = read_request(changed(records=[named]), orders, NOW)
    assert told.asked[0].record == RecordRef("Orders", {"pk": {"S": "ORDER#7"}, "sk": {"N": "7"}})
    wrong = {"table": "Orders", "key": {"pk": "ORDER#7", "sk": CANARY}}
    assert refusal(changed(records=[wrong]), orders).field == "records.0.key.sk"


@pytest.mark.parametrize("version", [2, "1", None, CANARY], ids=repr)
def test_another_version_is_refused(version: object) -> None:
    """`v` is the number 1, or absent."""
    assert refusal(changed(v=version)).field == "v"


@pytest.mark.parametrize("detail_type", ["ErasureCompleted", "DisputeOpened", CANARY])
def test_other_events_are_refused(detail_type: str) -> None:
    """A rule that sends something else is a mistake that is to be seen."""
    assert refusal(event(detail_type, requested(shipment_ref())["detail"])).field == "detail-type"


@given(st.sampled_from(["request_id", "requested_at", "approved_by", "records"]), some_json)
def test_arbitrary_values_are_refused_without_being_shown(name: str, value: object) -> None:
    """Whatever stands in a field, the refusal names the field, or a part of it, and shows nothing of it."""
    assert refusal(changed(**{name: value})).field.partition(".")[0] == name


@given(st.dictionaries(st.sampled_from(["table", "key", "x"]), some_json | st.just("Shipments")))
def test_arbitrary_records_are_refused_or_without_a_rule(record: dict[str, Any]) -> None:
    """A record that is none is refused by its number; of a table that nobody knows, it is kept as named."""
    try:
        told = read_request(changed(records=[record]), POLICY, NOW)
    except RefusedError as error:
        refused = error
    else:
        assert (told.asked[0].table, told.asked[0].rule) == (record["table"], None)
        return
    assert refused.field.startswith("records.0")
    assert CANARY not in str(refused)
