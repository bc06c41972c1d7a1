"""References of records, which must stay the same for years, and views, which hold no personal field."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.facts import Facts
from shared.record import SHARDS, Path, RecordRef, View, WireValue, at_path

keys = st.dictionaries(
    st.text(max_size=5),
    st.tuples(st.sampled_from("SN"), st.text(st.characters(exclude_categories=["Cs"]), max_size=8)).map(
        lambda each: {each[0]: each[1]}
    ),
    min_size=1,
    max_size=2,
)


@pytest.mark.parametrize(
    ("record", "text", "digest", "shard"),
    [
        pytest.param(
            RecordRef("Shipments", {"shipment_id": {"S": "S-1001"}}),
            'Shipments#{"shipment_id":{"S":"S-1001"}}',
            "39501c7fbc5970fabb764b46f20a8d184299f0da936d9b714f1797a641b87f3c",
            15,
            id="simple",
        ),
        pytest.param(
            RecordRef("Orders", {"sk": {"S": 'a"#\\'}, "pk": {"N": "7"}}),
            'Orders#{"pk":{"N":"7"},"sk":{"S":"a\\"#\\\\"}}',
            "dae3bb22bcaf95fc37724ac0d62d8a0c6179f0d903383bfba07235c1c8a95c36",
            10,
            id="composite-and-hostile",
        ),
        pytest.param(
            RecordRef("Contacts", {"contact_id": {"S": "Zoë😀"}}),
            'Contacts#{"contact_id":{"S":"Zoë😀"}}',
            "ccd86d1d0d909f4b1684e096bbc15ddc56f9ece1365c651a07b422a1ecb01743",
            8,
            id="beyond-ascii",
        ),
    ],
)
def test_references_never_change(record: RecordRef, text: str, digest: str, shard: int) -> None:
    """Facts, timers and evidence of past years are found by these very texts, digests and shards."""
    assert (record.text, record.key_digest, record.shard) == (text, digest, shard)


def test_there_are_sixteen_shards() -> None:
    """The number of shards is part of every timer's key: another one would lose them."""
    assert SHARDS == 16


@given(keys)
def test_every_record_has_one_of_the_shards(key: dict[str, WireValue]) -> None:
    """Whatever the key, the shard is one that the purge reads."""
    assert RecordRef("T", key).shard in range(16)


def test_records_spread_over_the_shards() -> None:
    """No shard is left out, and none has more than twice its part."""
    shards = [RecordRef("Shipments", {"shipment_id": {"S": f"S-{number}"}}).shard for number in range(3200)]
    counts = [shards.count(shard) for shard in range(16)]
    assert min(counts) > 100
    assert max(counts) < 400


@given(keys)
def test_the_order_of_key_attributes_does_not_matter(key: dict[str, WireValue]) -> None:
    """The same key is the same record, in sets and mappings too."""
    record, again = RecordRef("T", key), RecordRef("T", dict(reversed(key.items())))
    assert record == again
    assert (record.text, hash(record)) == (again.text, hash(again))


@given(keys, keys)
def test_different_keys_are_different_records(one: dict[str, WireValue], other: dict[str, WireValue]) -> None:
    """Neither separators nor quotes in a key make two records one."""
    first, second = RecordRef("T", one), RecordRef("T", other)
    assert (first.text == second.text) == (first.key_digest == second.key_digest) == (one == other)


@given(keys)
def test_a_reference_can_be_read_again(key: dict[str, WireValue]) -> None:
    """Facts and evidence name records by their text: it leads back to the very same record."""
    record = RecordRef("T", key)
    assert RecordRef.of(record.text) == record


@pytest.mark.parametrize(
    "key_text",
    [
        "",
        "{}",
        "[]",
        '["id"]',
        '"id"',
        "7",
        "null",
        '{"id":"7"}',
        '{"id":["S"]}',
        '{"id":{}}',
        '{"id":{"S":7}}',
        '{"id":{"N":"7","S":"7"}}',
        '{"id":{"S":"7"},"sort":{"N":7}}',
        '{"id": {"S": "7"}}',
        '{"sort":{"S":"7"},"id":{"S":"7"}}',
        pytest.param("[" * 100_000, id="deeper than can be read"),
    ],
)
def test_what_is_no_typed_key_is_no_reference(key_text: str) -> None:
    """Names, each with one type and a text, written in the one canonical way; nothing else will do."""
    with pytest.raises(ValueError, match=r"^(not a record reference|Expecting value.*)$"):
        RecordRef.of(f"T#{key_text}")


def test_references_hash_apart() -> None:
    """A hundred in a mapping are found at once, not one after the other."""
    references = [RecordRef("T", {"id": {"N": str(number)}}) for number in range(100)]
    assert len({hash(each) for each in references}) > 90


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(RecordRef("A", {"id": {"S": "7"}}), RecordRef("B", {"id": {"S": "7"}}), id="table"),
        pytest.param(RecordRef("A", {"id": {"S": "7"}}), RecordRef("A", {"id": {"N": "7"}}), id="type"),
        pytest.param(RecordRef("A", {"id": {"S": "7"}}), RecordRef("A", {"key": {"S": "7"}}), id="name"),
    ],
)
def test_table_type_and_name_belong_to_the_reference(one: RecordRef, other: RecordRef) -> None:
    """The same value elsewhere, or of another type, is another record."""
    assert one != other
    assert one.text != other.text


def test_the_digest_is_of_the_key_alone() -> None:
    """A table's name does not enter the digest: a timer's rule says which table."""
    key = {"id": {"S": "7"}}
    digest = hashlib.sha256(b'{"id":{"S":"7"}}').hexdigest()
    assert RecordRef("A", key).key_digest == RecordRef("B", key).key_digest == digest


ITEM: dict[str, Any] = {
    "name": {"S": "x"},
    "a.b": {"S": "dotted"},
    "a": {"M": {"b": {"M": {"c": {"N": "1"}}}, "d.e": {"BOOL": False}, "none": {"NULL": True}}},
    "list": {"L": [{"S": "x"}]},
    "empty": {"M": {}},
    "none": {"NULL": True},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("name",), {"S": "x"}),
        (("a", "b", "c"), {"N": "1"}),
        (("a", "b"), {"M": {"c": {"N": "1"}}}),
        (("a.b",), {"S": "dotted"}),
        (("a", "d.e"), {"BOOL": False}),
        (("none",), {"NULL": True}),
        (("a", "none"), {"NULL": True}),
        (("empty",), {"M": {}}),
        (("missing",), None),
        (("missing", "b"), None),
        (("a", "missing"), None),
        (("a", "missing", "c"), None),
        (("name", "b"), None),
        (("list", "0"), None),
        (("none", "b"), None),
        (("empty", "b", "c"), None),
    ],
    ids=lambda each: "/".join(each) if isinstance(each, tuple) else "",
)
def test_the_value_at_a_path(path: Path, value: WireValue | None) -> None:
    """Names lead through maps only; a dot is part of a name; what is missing on the way is no value."""
    assert at_path(ITEM, path) == value


@pytest.mark.parametrize(
    ("attributes", "value"),
    [
        pytest.param({("a", "b"): {"S": "x"}}, {"S": "x"}, id="there"),
        pytest.param({("a", "b"): {"BOOL": False}}, {"BOOL": False}, id="false-is-there"),
        pytest.param({("a", "b"): {"S": ""}}, {"S": ""}, id="empty-is-there"),
        pytest.param({("a", "b"): {"NULL": True}}, None, id="null"),
        pytest.param({("a",): {"S": "x"}}, None, id="absent"),
    ],
)
def test_null_and_absent_are_the_same_to_a_view(
    attributes: dict[Path, WireValue], value: WireValue | None
) -> None:
    """`NULL` reads as absent, but is kept as read: the guard compares it."""
    view = View(exists=True, attributes=attributes, facts=Facts())
    assert view.value(("a", "b")) == value
    assert view.attributes == attributes
