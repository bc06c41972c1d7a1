"""What makes a record's key, at its limits; tests whose names can be called, for `make mutants`."""

import pytest

from shared.key_template import _MOST_BITS, KeyTemplate
from shared.policy import MOST_REFERENCE_BYTES, Rule
from shared.record import WireValue
from shared.refused import RefusedError
from tests.builders import delivery_rule

ORDER = KeyTemplate("S", "ORDER#{order_id}")


def two_parts() -> Rule:
    """A rule whose records have two key attributes of text."""
    return delivery_rule(key={name: KeyTemplate("S", f"{{{name}}}") for name in ("pk", "sk")})


def refusal(rule: Rule, **values: object) -> str:
    with pytest.raises(RefusedError) as refused:
        rule.record_of_key(values)
    return str(refused.value)


@pytest.mark.parametrize(
    ("value", "could"),
    [
        ({"S": "ORDER#7"}, True),
        ({"S": "ORDER#two\nlines"}, True),
        ({"S": "ORDER#"}, False),
        ({"S": "ORDERS#7"}, False),
        ({"S": "ITEM#7"}, False),
        ({"N": "7"}, False),
        ({"S": 7}, False),
        (None, False),
    ],
    ids=["an id", "any id", "no id", "longer", "another kind", "a number", "no text", "nothing"],
)
def test_what_an_event_could_have_made(value: WireValue | None, could: bool) -> None:  # noqa: FBT001 -- an expectation
    """What stands around the field is there, and something between."""
    assert ORDER.could_render(value) == could


def test_a_reference_may_be_just_as_long_as_it_may() -> None:
    """One byte more is refused: the reference is a key of Lapse's own."""
    rule = two_parts()
    around = len(rule.record_of_key({"pk": "p", "sk": "s"}).text) - 2
    half = (MOST_REFERENCE_BYTES - around) // 2
    rest = MOST_REFERENCE_BYTES - around - half
    assert len(rule.record_of_key({"pk": "p" * half, "sk": "s" * rest}).text) == MOST_REFERENCE_BYTES
    reason = f"key: makes a record reference longer than {MOST_REFERENCE_BYTES} bytes"
    assert refusal(rule, pk="p" * half, sk="s" * (rest + 1)) == reason


def test_a_text_that_is_no_unicode_is_no_key() -> None:
    """Half a surrogate pair could not be sent."""
    assert refusal(two_parts(), pk="canary\ud800", sk="s") == "key.pk: is not valid Unicode text"


def test_a_whole_number_is_written_out_if_it_may_be_a_key() -> None:
    """Longer ones are not: writing them takes long, and none of them is a number of DynamoDB."""
    rule = delivery_rule(key={"no": KeyTemplate("N", "{no}")})
    largest = 2**_MOST_BITS - 1
    assert refusal(rule, no=largest) == "key.no: is not a number that a key can hold"
    assert refusal(rule, no=largest + 1) == 'key.no: must be text, a whole number, or {"N": "…"}'
