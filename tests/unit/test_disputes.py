"""Events about holds: what is malformed is refused by the field's name, and no value is ever shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.disputes import Closed, MarkOutdated, Opened, permitted, read_dispute
from shared.facts import Closing, Hold
from shared.instants import MICROSECOND
from shared.key_template import KeyTemplate
from shared.record import RecordRef
from shared.refused import RefusedError
from tests.builders import NOW, closed, delivery_rule, event, mark_outdated, opened, policy, shipment_ref

POLICY = policy(max_hold=timedelta(days=30), hold_reasons=frozenset({"damaged", "fraud"}))
CANARY = "canary"
MISSING = object()
DAY = timedelta(days=1)
REFERENCES = [("DisputeOpened", name) for name in ("reason_code", "case_ref", "opened_by")]
REFERENCES += [("DisputeClosed", name) for name in ("case_ref", "closed_by")]
INSTANTS = [("DisputeOpened", "opened_at"), ("DisputeOpened", "until"), ("DisputeClosed", "closed_at")]
IDS = [("DisputeOpened", "shipment_id"), ("DisputeClosed", "shipment_id")]

no_reference = [
    pytest.param("", id="empty"),
    pytest.param("x" * 65, id="65 characters"),
    pytest.param(f"{CANARY}@example.org", id="e-mail"),
    pytest.param(f"{CANARY}@", id="an @ alone"),
    pytest.param(f"{CANARY} says she never got it", id="free text"),
    pytest.param(f"{CANARY}\n", id="line break"),
    pytest.param(f"#{CANARY}", id="begins with a separator"),
    pytest.param(f"{CANARY}é", id="beyond ASCII"),
    pytest.param(f"{CANARY}\ud800", id="lone surrogate"),
    pytest.param(7, id="number"),
    pytest.param(None, id="null"),
    pytest.param([CANARY], id="list"),
    pytest.param({"S": CANARY}, id="object"),
]
no_instant = ["", CANARY, "2026-08-25", "2026-08-25T10:15:00", 1787652900, None, [CANARY], True]

texts = st.text(max_size=12).map(lambda text: CANARY + " " + text)
some_json = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def changed(detail_type: str, **changes: object) -> dict[str, Any]:
    """A valid event with some fields of its detail changed, or left out where `MISSING`."""
    usual = (opened() if detail_type == "DisputeOpened" else closed())["detail"]
    detail = {**usual, **changes}
    return event(detail_type, {name: each for name, each in detail.items() if each is not MISSING})


def refusal(given_event: object) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        read_dispute(given_event, POLICY, NOW)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def test_an_opened_dispute_is_a_hold() -> None:
    """Which record, why, which case, who, from when until when; instants in UTC."""
    told = read_dispute(opened(opened_at="2026-08-25T11:00:00+01:00", v=1, note=CANARY), POLICY, NOW)
    since = datetime(2026, 8, 25, 10, 0, tzinfo=UTC)
    hold = Hold("damaged", "CASE-1", "staff-1", since, NOW + 10 * DAY)
    assert told == Opened((shipment_ref(),), hold)


def test_a_closed_dispute_is_a_closing() -> None:
    """Which record, which case, who, and when."""
    told = read_dispute(closed(note={CANARY: CANARY}), POLICY, NOW)
    assert told == Closed((shipment_ref(),), Closing("CASE-1", "staff-2", NOW + DAY))


@pytest.mark.parametrize(("detail_type", "name"), [*REFERENCES, *INSTANTS, *IDS])
def test_every_field_is_mandatory(detail_type: str, name: str) -> None:
    """A hold without a reason, a case, a name or an end is none."""
    refused = refusal(changed(detail_type, **{name: MISSING}))
    assert (refused.field, refused.reason) == (name, "is missing")


@pytest.mark.parametrize(("detail_type", "name"), REFERENCES)
@pytest.mark.parametrize("value", no_reference)
def test_a_reference_is_no_free_text(detail_type: str, name: str, value: object) -> None:
    """Letters, digits and a few marks, 64 at most: too narrow for an address or a story."""
    assert refusal(changed(detail_type, **{name: value})).field == name


@pytest.mark.parametrize("value", ["x", "x" * 64, "CASE-2026/08+1", "u.name:7#8_9", "0"])
def test_references_of_systems_are_taken(value: str) -> None:
    """What case systems and directories call things."""
    told = read_dispute(opened(case_ref=value, opened_by=value), POLICY, NOW)
    assert isinstance(told, Opened)
    assert (told.hold.case_ref, told.hold.opened_by) == (value, value)


@pytest.mark.parametrize(("detail_type", "name"), INSTANTS)
@pytest.mark.parametrize("value", no_instant, ids=repr)
def test_an_instant_has_an_offset(detail_type: str, name: str, value: object) -> None:
    """RFC 3339 text, and nothing else."""
    refused = refusal(changed(detail_type, **{name: value}))
    assert (refused.field, refused.reason) == (name, "must be an RFC 3339 instant with an offset")


@pytest.mark.parametrize(("detail_type", "name"), IDS)
@pytest.mark.parametrize("value", ["", "x" * 257, f"{CANARY}@example.org", 5, None, [CANARY]], ids=ascii)
def test_an_id_names_a_record(detail_type: str, name: str, value: object) -> None:
    """As in all events: text of 1 to 256 characters, and no e-mail address."""
    assert refusal(changed(detail_type, **{name: value})).field == name


@pytest.mark.parametrize("reason", ["DAMAGED", "other", CANARY])
def test_a_reason_is_one_of_the_policys(reason: str) -> None:
    """The refusal says which there are."""
    refused = refusal(opened(reason_code=reason))
    assert (refused.field, refused.reason) == ("reason_code", "is none of damaged, fraud")


SINCE = NOW - 5 * DAY


@pytest.mark.parametrize(
    ("until", "permitted"),
    [
        (SINCE - DAY, False),
        (SINCE, False),
        (SINCE + timedelta(seconds=1), True),
        (SINCE + 30 * DAY, True),
        (SINCE + 30 * DAY + timedelta(seconds=1), False),
    ],
    ids=["before", "as it begins", "a second", "the longest", "longer"],
)
def test_a_hold_ends_after_it_begins_and_within_the_longest(until: datetime, permitted: bool) -> None:  # noqa: FBT001 -- an expectation
    """The policy's `max_hold` counts from the opening: a hold for ever is none that a policy permits."""
    told = opened(opened_at=SINCE, until=until)
    if permitted:
        assert isinstance(read_dispute(told, POLICY, NOW), Opened)
    else:
        assert refusal(told).field == "until"


@pytest.mark.parametrize("hold", [Hold("fraud", "C", "U", None, NOW), Hold("fraud", "C", "U", NOW, None)])
def test_a_hold_by_hand_needs_both_instants(hold: Hold) -> None:
    """Operators are held to the same rules."""
    with pytest.raises(RefusedError, match="until: must be after"):
        permitted(hold, POLICY)
    whole = Hold("fraud", "C", "U", NOW, NOW + DAY)
    assert permitted(whole, POLICY) is whole


@pytest.mark.parametrize(("detail_type", "name"), [INSTANTS[0], INSTANTS[2]])
def test_what_happened_is_not_more_than_a_day_ahead(detail_type: str, name: str) -> None:
    """A hold's end may be: nothing else."""
    limit = NOW + DAY
    read_dispute(changed(detail_type, **{name: limit.isoformat()}), POLICY, NOW)
    refused = refusal(changed(detail_type, **{name: (limit + MICROSECOND).isoformat()}))
    assert (refused.field, refused.reason) == (name, "is more than a day ahead")


@pytest.mark.parametrize("detail_type", ["DisputeOpened", "DisputeClosed"])
@pytest.mark.parametrize("version", [2, "1", None, CANARY], ids=repr)
def test_another_version_is_refused(detail_type: str, version: object) -> None:
    """`v` is the number 1, or absent."""
    assert refusal(changed(detail_type, v=version)).field == "v"


@pytest.mark.parametrize("detail_type", ["ShipmentDispatched", "ErasureRequested", "disputeopened", CANARY])
def test_other_events_are_refused(detail_type: str) -> None:
    """A rule that sends something else is a mistake that is to be seen."""
    assert refusal(event(detail_type, opened()["detail"])).field == "detail-type"


names = st.sampled_from([*REFERENCES, *INSTANTS, *IDS])


@given(names, some_json)
def test_arbitrary_values_are_refused_without_being_shown(which: tuple[str, str], value: object) -> None:
    """Whatever stands in a field, the refusal names the field and shows nothing of it."""
    detail_type, name = which
    if name == "shipment_id" and isinstance(value, str):
        return  # any text is an id
    assert refusal(changed(detail_type, **{name: value})).field == name


def test_each_record_that_the_rules_find_is_held() -> None:
    """Two rules about one record are one; rules of two tables that ship are two; others are not asked."""
    parcels = delivery_rule(id="parcels", table="Parcels", key={"pk": KeyTemplate("S", "P#{shipment_id}")})
    several = policy(delivery_rule(), delivery_rule(id="again"), parcels, *policy().rules[1:])
    told = read_dispute(opened(), several, NOW)
    assert isinstance(told, Opened)
    assert told.records == (shipment_ref(), RecordRef("Parcels", {"pk": {"S": "P#S-1001"}}))


def test_a_field_that_a_rules_key_reads_is_needed() -> None:
    """A dispute names the record as a shipment does."""
    rule = delivery_rule(key={"pk": KeyTemplate("S", "{tenant}"), "sk": KeyTemplate("N", "{shipment_id}")})
    with pytest.raises(RefusedError, match="tenant: is missing"):
        read_dispute(opened("7"), policy(rule), NOW)
    told = read_dispute(opened("7", tenant="T"), policy(rule), NOW)
    assert isinstance(told, Opened)
    assert told.records == (RecordRef("Shipments", {"pk": {"S": "T"}, "sk": {"N": "7"}}),)


def test_an_outdated_mark_names_its_record() -> None:
    """The sweep's own news, by the record's reference."""
    assert read_dispute(mark_outdated(shipment_ref()), POLICY, NOW) == MarkOutdated(shipment_ref())


@pytest.mark.parametrize(
    "text",
    [
        *("", CANARY, "#", "T#", "T#{}", "T#[]", "T#1", 'T#"x"', 'T#{"a"', "T#" + "[" * 100_000),
        *('T#{"a": {"S":"x"}}', 'T#{"b":{"S":"x"},"a":{"S":"x"}}', 'T#{"a":{"S":"x"}}x'),
        *('T#{"a":1}', 'T#{"a":{}}', 'T#{"a":{"N":7}}', 'T#{"a":{"N":"7","S":"x"}}', 'T#{"a":"x"}'),
        *(5, None, {"T": {"a": {"S": "x"}}}),
    ],
    ids=lambda text: repr(text)[:40],
)
def test_what_is_no_reference_is_refused(text: object) -> None:
    """It must read as references are written, to the letter: canonical JSON of a typed key."""
    assert refusal(event("HoldMarkOutdated", {"record": text})).field == "record"
