"""The contract's events: a refusal names the field and never its value; what is accepted is told exactly."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract import Told, read_event
from shared.facts import FactKind
from shared.key_template import KeyTemplate
from shared.policy import Rule, Trigger
from shared.record import RecordRef
from shared.refused import RefusedError
from tests.builders import delivery_rule

NOW = datetime(2026, 8, 25, 12, 0, tzinfo=UTC)
TIME = "2026-08-25T11:00:00Z"
THEN = "2026-08-25T10:15:00+01:00"
CANARY = "canary"
KINDS = {
    "ShipmentDispatched": ("shipment_id", "shipped_at"),
    "ContactLeft": ("contact_id", "notified_at"),
    "ContactReturned": ("contact_id", "returned_at"),
}


class Missing(Enum):
    """Not there; with a name that is the same in each process, for the ids of tests."""

    MISSING = "missing"


MISSING = Missing.MISSING

texts = st.text(max_size=12).map(lambda text: CANARY + text)
some_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def event(
    detail_type: object = "ShipmentDispatched", time: object = TIME, **changes: object
) -> dict[str, Any]:
    """A valid event with some fields of its detail changed, or left out where `MISSING`."""
    id_name, instant_name = KINDS.get(str(detail_type), ("shipment_id", "shipped_at"))
    detail = {id_name: "S-1001", instant_name: THEN} | changes
    return {
        "version": "0",
        "detail-type": detail_type,
        "time": time,
        "detail": {name: value for name, value in detail.items() if value is not MISSING},
    }


def refusal(given_event: object, rule: Rule | None = None) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        read_event(given_event, NOW).record(rule or delivery_rule())
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize(
    ("detail_type", "trigger", "kind"),
    [
        ("ShipmentDispatched", Trigger.SHIPMENT, FactKind.SHIPPED),
        ("ContactLeft", Trigger.LEAVER, FactKind.LEFT),
        ("ContactReturned", Trigger.LEAVER, FactKind.RETURNED),
    ],
)
def test_each_event_tells_an_instant_of_its_kind(detail_type: str, trigger: Trigger, kind: FactKind) -> None:
    """The detail-type says which rules start and what kind of fact it is; the instant is in UTC."""
    told = read_event(event(detail_type), NOW)
    assert (told.trigger, told.kind) == (trigger, kind)
    assert told.instant == datetime(2026, 8, 25, 9, 15, tzinfo=UTC)
    assert told.fields[KINDS[detail_type][0]] == "S-1001"


def test_a_departure_may_leave_out_when() -> None:
    """Without `notified_at`, the notice is as old as the event."""
    told = read_event(event("ContactLeft", notified_at=MISSING), NOW)
    assert told.instant == datetime(2026, 8, 25, 11, 0, tzinfo=UTC)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])).filter(
            lambda name: name not in {"shipment_id", "shipped_at", "v"}
        ),
        some_json,
        max_size=4,
    )
)
def test_unknown_fields_are_ignored(extra: dict[str, Any]) -> None:
    """Whatever a producer adds, the event tells the same."""
    told, plain = read_event(event(**extra), NOW), read_event(event(), NOW)
    assert (told.trigger, told.kind, told.instant) == (plain.trigger, plain.kind, plain.instant)
    assert told.record(delivery_rule()) == plain.record(delivery_rule())


@pytest.mark.parametrize("detail_type", KINDS)
@pytest.mark.parametrize("which", ["id", "instant"])
def test_a_missing_field_is_refused(detail_type: str, which: str) -> None:
    """Ids and instants are mandatory; only a departure's instant may be left out."""
    name = KINDS[detail_type][which == "instant"]
    if name == "notified_at":
        return
    refused = refusal(event(detail_type, **{name: MISSING}))
    assert (refused.field, refused.reason) == (name, "is missing")


@pytest.mark.parametrize("name", ["detail-type", "time", "detail"])
def test_a_missing_part_of_the_envelope_is_refused(name: str) -> None:
    """EventBridge's own fields are needed too."""
    refused = refusal({part: value for part, value in event().items() if part != name})
    assert (refused.field, refused.reason) == (name, "is missing")


@pytest.mark.parametrize("whole", [None, [], "canary", 5, True, [event()]], ids=repr)
def test_what_is_no_event_is_refused(whole: object) -> None:
    """A message that holds something else is refused as a whole."""
    assert refusal(whole).field == "event"


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("detail-type", event(f"{CANARY}Left")),
        ("detail-type", event(5)),
        ("detail-type", event("DisputeOpened")),
        ("detail-type", event("shipmentdispatched")),
        ("time", event(time=CANARY)),
        ("time", event(time="2026-08-25T11:00:00")),
        ("time", event(time=1787652900)),
        ("detail", {**event(), "detail": CANARY}),
        ("detail", {**event(), "detail": [CANARY]}),
        ("detail", {**event(), "detail": None}),
    ],
)
def test_a_malformed_envelope_is_refused(name: str, changed: Mapping[str, Any]) -> None:
    """An unknown detail-type, or a time that is none, names the field."""
    assert refusal(changed).field == name


@pytest.mark.parametrize("detail_type", KINDS)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("x" * 257, id="257-characters"),
        pytest.param("😀" * 257, id="257-wide-characters"),
        pytest.param(5, id="integer"),
        pytest.param(5.0, id="float"),
        pytest.param(True, id="boolean"),
        pytest.param(None, id="null"),
        pytest.param([CANARY], id="list"),
        pytest.param({"S": CANARY}, id="object"),
        pytest.param(f"{CANARY}\ud800", id="lone-surrogate"),
        pytest.param(f"{CANARY}@example.org", id="e-mail"),
        pytest.param(f" {CANARY}@example.org", id="e-mail-after-space"),
        pytest.param(f"Jo <{CANARY}@example.org>", id="e-mail-in-brackets"),
        pytest.param(f"mailto:{CANARY}@example.org", id="e-mail-link"),
    ],
)
def test_a_malformed_id_is_refused(detail_type: str, value: object) -> None:
    """An id is text of 1 to 256 characters, valid Unicode, and no e-mail address."""
    id_name = KINDS[detail_type][0]
    assert refusal(event(detail_type, **{id_name: value})).field == id_name


@pytest.mark.parametrize("value", ["x", "x" * 256, "#", "a b", "A@1", "0", "Zoë", "{shipment_id}"])
def test_an_id_of_1_to_256_characters_is_accepted(value: str) -> None:
    """An id may hold anything that is no e-mail address; braces in it are no template."""
    told = read_event(event(shipment_id=value), NOW)
    assert told.record(delivery_rule()) == RecordRef("Shipments", {"shipment_id": {"S": value}})


@pytest.mark.parametrize("detail_type", KINDS)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("2026-08-25T10:15:00", id="naive"),
        pytest.param("2026-08-25", id="date"),
        pytest.param(CANARY, id="no-instant"),
        pytest.param("", id="empty"),
        pytest.param("1787652900", id="epoch-as-text"),
        pytest.param(1787652900, id="epoch"),
        pytest.param(True, id="boolean"),
        pytest.param([TIME], id="list"),
        pytest.param({CANARY: TIME}, id="object"),
        pytest.param("2026-08-25T10:15:00Z\ud800", id="lone-surrogate"),
        pytest.param("2026-08-25T10:15:00+24:00", id="impossible-offset"),
    ],
)
def test_a_malformed_instant_is_refused(detail_type: str, value: object) -> None:
    """An instant is RFC 3339 text with an offset, and nothing else."""
    name = KINDS[detail_type][1]
    refused = refusal(event(detail_type, **{name: value}))
    assert refused.field == name
    assert refused.reason.startswith("must be an RFC 3339 instant with an offset")


@pytest.mark.parametrize("detail_type", KINDS)
def test_an_instant_more_than_a_day_ahead_is_refused(detail_type: str) -> None:
    """A day ahead may be a clock or a zone; more is a mistake or forged."""
    name, limit = KINDS[detail_type][1], NOW + timedelta(days=1)
    assert read_event(event(detail_type, **{name: limit.isoformat()}), NOW).instant == limit
    refused = refusal(event(detail_type, **{name: (limit + timedelta(microseconds=1)).isoformat()}))
    assert (refused.field, refused.reason) == (name, "is more than a day ahead")


def test_the_events_own_time_more_than_a_day_ahead_is_refused() -> None:
    """Where the event's time stands for the instant, the same limit holds."""
    refused = refusal(event("ContactLeft", time="2026-08-26T12:00:01Z", notified_at=MISSING))
    assert (refused.field, refused.reason) == ("time", "is more than a day ahead")


@pytest.mark.parametrize("detail_type", KINDS)
@pytest.mark.parametrize("version", [2, 0, "1", None, True, 1.0, [1], CANARY], ids=repr)
def test_another_version_is_refused(detail_type: str, version: object) -> None:
    """`v` is the number 1, or absent."""
    assert refusal(event(detail_type, v=version)).field == "v"
    assert read_event(event(detail_type, v=1), NOW).instant == read_event(event(detail_type), NOW).instant


@given(st.sampled_from([*KINDS]), st.sampled_from(["id", "instant", "v"]), some_json)
def test_arbitrary_values_are_refused_without_being_shown(
    detail_type: str, which: str, value: object
) -> None:
    """Whatever stands in a field, a refusal names a field of the contract and shows nothing of the value."""
    id_name, instant_name = KINDS[detail_type]
    name = {"id": id_name, "instant": instant_name, "v": "v"}[which]
    try:
        read_event(event(detail_type, **{name: value}), NOW)
    except RefusedError as error:
        refused = error
    else:
        return  # some text is a valid id
    assert refused.field == name
    assert CANARY not in str(refused)


@given(some_json | st.builds(lambda detail: {**event(), "detail": detail}, some_json))
def test_arbitrary_events_are_refused_without_being_shown(value: object) -> None:
    """Whatever JSON comes, reading refuses; nothing of it, nor of its unknown fields' names, is shown."""
    assert refusal(value).field in {"event", "detail-type", "detail", "shipment_id"}


def test_a_name_that_is_no_text_is_not_shown() -> None:
    """Names that are not valid Unicode are refused, and are not shown either."""
    refused = refusal(event(**{f"{CANARY}\ud800": 1}))
    assert str(refused).encode()


def test_refusals_read_well() -> None:
    """A refusal can be shown to the producer's developers: field, colon, what is wrong."""
    assert str(refusal(event(shipment_id=MISSING))) == "shipment_id: is missing"
    assert str(refusal(event(shipment_id=5))) == "shipment_id: must be text"
    assert str(refusal(event(shipment_id="a@example.org"))) == (
        "shipment_id: looks like an e-mail address, which an id must not be"
    )


def rule_with_key(**key: KeyTemplate) -> Rule:
    return delivery_rule(key=key)


def fields_told(**fields: object) -> Told:
    return Told(Trigger.SHIPMENT, FactKind.SHIPPED, NOW, fields)


def test_a_composite_key_is_filled_in_from_several_fields() -> None:
    """Single-table designs: templates around and between fields, and a constant part."""
    rule = rule_with_key(
        pk=KeyTemplate("S", "ORDER#{order_id}"), sk=KeyTemplate("S", "{region}/PARCEL#{parcel}")
    )
    told = read_event(event(order_id="O-1", region="{order_id}", parcel=2), NOW)
    assert told.record(rule).key == {"pk": {"S": "ORDER#O-1"}, "sk": {"S": "{order_id}/PARCEL#2"}}


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("7", "7"),
        ("007", "7"),
        ("7.0", "7"),
        (7, "7"),
        ("-7.50", "-7.5"),
        ("0", "0"),
        ("-0", "0"),
        ("0.000", "0"),
        ("700", "700"),
        ("0.07", "0.07"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("00012345678901234567890123456789012345678.00", "12345678901234567890123456789012345678"),
        ("1.2345678901234567890123456789012345678", "1.2345678901234567890123456789012345678"),
        ("1" + "0" * 125, "1" + "0" * 125),
        ("0." + "0" * 129 + "1", "0." + "0" * 129 + "1"),
    ],
)
def test_a_number_key_is_written_in_one_way(value: object, number: str) -> None:
    """As DynamoDB writes it, all 38 digits exact: 7, 007 and 7.0 are one record, and others are not."""
    rule = rule_with_key(order_no=KeyTemplate("N", "{order_no}"))
    assert fields_told(order_no=value).record(rule).key == {"order_no": {"N": number}}


@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(-(10**38) + 1, 10**38 - 1))
def test_different_numbers_are_different_records(one: int, other: int) -> None:
    """No two numbers of up to 38 digits come out as the same key."""
    rule = rule_with_key(order_no=KeyTemplate("N", "{order_no}"))
    first, second = (fields_told(order_no=str(number)).record(rule) for number in (one, other))
    assert (first == second) == (one == other)
    assert first.key["order_no"]["N"] == str(one)


@pytest.mark.parametrize(
    "value",
    [
        CANARY,
        "1e5",
        "NaN",
        "Infinity",
        "+7",
        " 7",
        "7_0",
        "\u0667",
        "123456789012345678901234567890123456789",
        "0.123456789012345678901234567890123456789",
        "1" + "0" * 126,
        "0." + "0" * 130 + "1",
        "1" * 201,
    ],
)
def test_what_is_no_number_of_dynamodb_is_refused(value: str) -> None:
    """More than 38 digits, magnitudes outside DynamoDB's, exponents and words are no numbers of a key."""
    rule = rule_with_key(order_no=KeyTemplate("N", "{order_no}"))
    with pytest.raises(RefusedError) as caught:
        fields_told(order_no=value).record(rule)
    assert str(caught.value) == "order_no: is not a number that a key can hold"


@pytest.mark.parametrize(
    "value", [MISSING, None, "", "x" * 257, 1.5, True, ["x"], {CANARY: 1}, f"{CANARY}\ud800"], ids=ascii
)
def test_a_field_that_a_key_reads_is_an_id_or_a_whole_number(value: object) -> None:
    """What an own key template reads is held to the same limits, and named."""
    rule = rule_with_key(pk=KeyTemplate("S", "ORDER#{order_id}"))
    assert refusal(event(order_id=value), rule).field == "order_id"


@pytest.mark.parametrize("value", [f"{CANARY}@example.org", f"{CANARY} <{CANARY}@example.org>"])
def test_a_key_that_comes_out_as_an_e_mail_address_is_refused(value: str) -> None:
    """Keys stand in evidence for years: no template brings an address in there."""
    rule = rule_with_key(pk=KeyTemplate("S", "ORDER#{order_id}"))
    refused = refusal(event(order_id=value), rule)
    assert (refused.field, refused.reason) == (
        "order_id",
        "looks like an e-mail address, which a key must not be",
    )


def test_an_e_mail_address_put_together_by_a_template_is_refused() -> None:
    """Neither part is an address, the key is."""
    rule = rule_with_key(pk=KeyTemplate("S", "{name}-x{domain}"))
    assert refusal(event(name=f"{CANARY}@", domain="example.org"), rule).field == "name, domain"


def test_a_key_of_too_many_bytes_is_refused() -> None:
    """1,024 bytes, not characters, are a key's limit: 256 four-byte characters are the most."""
    rule = rule_with_key(pk=KeyTemplate("S", "{order_id}"))
    assert fields_told(order_id="😀" * 256).record(rule).key == {"pk": {"S": "😀" * 256}}
    longer = rule_with_key(pk=KeyTemplate("S", "{order_id}{parcel}"))
    with pytest.raises(RefusedError) as caught:
        fields_told(order_id="😀" * 256, parcel="x").record(longer)
    assert str(caught.value) == "order_id, parcel: makes a key longer than 1024 bytes"


def test_a_reference_of_too_many_bytes_is_refused() -> None:
    """A reference is itself a key of Facts: two long key attributes, escaped, may exceed its 2,048 bytes."""
    rule = rule_with_key(pk=KeyTemplate("S", "{order_id}"), sk=KeyTemplate("S", "{parcel}"))
    with pytest.raises(RefusedError) as caught:
        fields_told(order_id="😀" * 256, parcel="😀" * 256).record(rule)
    assert str(caught.value) == "order_id, parcel: makes a record reference longer than 2048 bytes"
    assert fields_told(order_id="😀" * 256, parcel="😀" * 200).record(rule).table == "Shipments"


def test_events_are_read_as_they_come_from_json() -> None:
    """JSON's escapes may smuggle in what is no text: a lone surrogate is refused, not crashed on."""
    body = json.dumps(event()).replace("S-1001", "\\ud800")
    assert refusal(json.loads(body)).field == "shipment_id"
