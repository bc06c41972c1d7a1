"""A record that somebody names by its key itself, as requests and operators do: found, or refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.key_template import MOST_KEY_BYTES
from shared.policy import Rule
from shared.record import RecordRef
from shared.refused import RefusedError
from tests.builders import delivery_rule, rules_from

TWO_PARTS = """
[[rules]]
id = "erasure"
clause = "9"
table = "Orders"
key = { pk = "ORDER#{shipment_id}", no = { N = "{order_no}" } }
trigger = "request"
erase = ["phone"]
mode = "enforce"
"""


def two_parts() -> Rule:
    (rule,) = rules_from(TWO_PARTS).rules
    return rule


def refusal(rule: Rule, values: dict[str, Any]) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        rule.record_of_key(values)
    return caught.value


@pytest.mark.parametrize("value", ["S-1", {"S": "S-1"}])
def test_a_key_of_text(value: object) -> None:
    """As text, or as DynamoDB types it."""
    found = delivery_rule().record_of_key({"shipment_id": value})
    assert found == RecordRef("Shipments", {"shipment_id": {"S": "S-1"}})


def test_a_whole_number_may_be_a_key_of_text() -> None:
    """As in events: JSON producers write ids as numbers."""
    found = delivery_rule().record_of_key({"shipment_id": 7})
    assert found.key == {"shipment_id": {"S": "7"}}


@pytest.mark.parametrize("value", [7, "7", "007", "7.0", {"N": "7"}, {"N": "07"}])
def test_a_key_of_a_number_is_canonical(value: object) -> None:
    """However it is written, it is one record, with one reference."""
    found = two_parts().record_of_key({"no": value, "pk": "ORDER#S-1"})
    assert found == RecordRef("Orders", {"pk": {"S": "ORDER#S-1"}, "no": {"N": "7"}})


def test_the_same_record_as_by_an_event() -> None:
    """A request finds the facts and timers that events left: their references are the same."""
    rule = two_parts()
    by_event = rule.record({"shipment_id": "S-1", "order_no": "0012"})
    assert rule.record_of_key({"pk": "ORDER#S-1", "no": 12}).text == by_event.text


def test_the_template_plays_no_part() -> None:
    """The key is named itself, so nothing is put around it."""
    assert two_parts().record_of_key({"pk": "S-1", "no": 1}).key["pk"] == {"S": "S-1"}


@pytest.mark.parametrize(
    "names",
    [(), ("pk",), ("no",), ("pk", "no", "canary"), ("pk", "canary")],
    ids=lambda names: "+".join(names) or "none",
)
def test_exactly_the_key_attributes_are_named(names: tuple[str, ...]) -> None:
    """None is left out and none added; what else was named may be anything, so it is not repeated."""
    refused = refusal(two_parts(), dict.fromkeys(names, "1"))
    assert (refused.field, refused.reason) == ("key", "must name exactly pk, no")


WRONG_SHAPES = [
    None,
    "",
    True,
    False,
    7.0,
    [],
    ["7"],
    {},
    {"S": ""},
    {"N": ""},
    {"S": 7},
    {"N": 7},
    {"N": True},
    {"B": "Nw=="},
    {"S": "7", "N": "7"},
    {"S": {"S": "7"}},
    pytest.param(10**5000, id="huge"),
    pytest.param(-(10**5000), id="huge-negative"),
]


@pytest.mark.parametrize("value", WRONG_SHAPES)
@pytest.mark.parametrize("name", ["pk", "no"])
def test_what_is_no_key_attribute_is_refused(name: str, value: object) -> None:
    """Text or a whole number; true is none, and a fraction may have lost digits."""
    refused = refusal(two_parts(), {"pk": "P", "no": 1, name: value})
    assert refused.field == f"key.{name}"
    assert refused.reason.startswith("must be text, a whole number, or {")


@pytest.mark.parametrize(("name", "value"), [("pk", {"N": "7"}), ("no", {"S": "7"})])
def test_a_key_attribute_of_another_type_is_refused(name: str, value: object) -> None:
    """It would be no record of the table, and DynamoDB would refuse each look at it."""
    assert refusal(two_parts(), {"pk": "P", "no": 1, name: value}).field == f"key.{name}"


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "plain"])
@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("pk", "canary@example.org", "looks like an e-mail address, which a key must not be"),
        ("no", "canary@example.org", "looks like an e-mail address, which a key must not be"),
        ("pk", "canary\ud800", "is not valid Unicode text"),
        ("no", "7\ud800", "is not valid Unicode text"),
        ("no", "canary", "is not a number that a key can hold"),
        ("no", "1e5", "is not a number that a key can hold"),
        ("no", "1" * 39, "is not a number that a key can hold"),
        ("pk", "ü" * (MOST_KEY_BYTES // 2) + "x", "makes a key longer than 1024 bytes"),
        ("pk", "\\" * 1024, "makes a record reference longer than 2048 bytes"),
    ],
    ids=lambda value: (
        value[:10].encode("ascii", "backslashreplace").decode() if isinstance(value, str) else ""
    ),
)
def test_a_text_that_cannot_be_a_key_is_refused(
    name: str,
    text: str,
    reason: str,
    typed: bool,  # noqa: FBT001 -- both ways to write it
) -> None:
    """As in events; the refusal names the attribute, and never says what stood in it."""
    kind = "N" if name == "no" else "S"
    refused = refusal(two_parts(), {"pk": "P", "no": 1, name: {kind: text} if typed else text})
    assert refused.reason == reason
    assert refused.field == ("key" if "reference" in reason else f"key.{name}")
    assert "canary" not in str(refused)


def test_the_longest_key_is_taken() -> None:
    """DynamoDB counts bytes."""
    longest = "ü" * (MOST_KEY_BYTES // 2)
    assert two_parts().record_of_key({"pk": longest, "no": 1}).key["pk"] == {"S": longest}


def test_a_huge_text_is_refused_at_once() -> None:
    """A search for an address takes the square of the length: on a whole event it would never end."""
    assert refusal(two_parts(), {"pk": "a" * 1_000_000, "no": 1}).field == "key.pk"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["S", "N", "x"]), inner),
    max_leaves=3,
)


@given(st.dictionaries(st.sampled_from(["pk", "no", "x"]), json_values))
def test_any_key_is_a_record_or_refused(values: dict[str, Any]) -> None:
    """No value of any type crashes the reader; and what it makes is found again under the same name."""
    try:
        found = two_parts().record_of_key(values)
    except RefusedError:
        return
    assert two_parts().record_of_key(found.key).text == found.text
