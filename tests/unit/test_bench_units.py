"""The benchmark's arithmetic, by hand: DynamoDB's published sizes and units."""

from typing import Any

import pytest

from bench.units import Units, item_size, query_units, read_units, write_units

KB = 1024


def item(size: int) -> dict[str, Any]:
    """An item of exactly that size: one name of one byte, and text."""
    return {"k": {"S": "x" * (size - 1)}}


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "abc"}, 3),
        ({"S": "é漢"}, 5),
        ({"N": "0"}, 1),
        ({"N": "7"}, 2),
        ({"N": "12"}, 2),
        ({"N": "123"}, 3),
        ({"N": "1200"}, 2),
        ({"N": "0.0012"}, 2),
        ({"N": "-12"}, 3),
        ({"N": "1767225600"}, 5),
        ({"B": b"abcd"}, 4),
        ({"B": "YWJjZA=="}, 4),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["ab", "cde"]}, 5),
        ({"NS": ["1", "123"]}, 5),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"N": "1"}]}, 3 + 1 + 2 + 1 + 2),
        ({"M": {}}, 3),
        ({"M": {"city": {"S": "Leeds"}}}, 3 + 1 + 4 + 5),
        ({"M": {"a": {"M": {"b": {"BOOL": False}}}}}, 3 + 1 + 1 + (3 + 1 + 1 + 1)),
    ],
)
def test_a_value_takes_its_bytes_and_its_name(value: dict[str, Any], size: int) -> None:
    """UTF-8 for text, half a byte a digit, three bytes for a map or list and one for each element."""
    assert item_size({"name": value}) == len("name") + size


def test_a_record_by_hand() -> None:
    """11+6 key, 9+1 flag, 10+20 instant, 4+10 name, 7+(3+1+4+12) address, 5+21 e-mail."""
    record: dict[str, Any] = {
        "shipment_id": {"S": "S-1001"},
        "drop_ship": {"BOOL": True},
        "shipped_at": {"S": "2026-05-17T10:15:00Z"},
        "name": {"S": "Jo Example"},
        "address": {"M": {"city": {"S": "Huddersfield"}}},
        "email": {"S": "canary-jo@example.org"},
    }
    assert item_size(record) == 17 + 10 + 30 + 14 + 27 + 26


def test_no_item_takes_nothing() -> None:
    """But its read or delete is charged all the same."""
    assert item_size(None) == 0
    assert write_units(None, None) == 1
    assert read_units([None], consistent=True) == 1
    assert query_units([], consistent=True) == 1


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (None, item(KB), 1),
        (None, item(KB + 1), 2),
        (item(KB), None, 1),
        (item(4 * KB), item(10), 4),
        (item(10), item(3 * KB - 1), 3),
    ],
)
def test_a_write_counts_the_larger_of_before_and_after(before: Any, after: Any, units: int) -> None:
    """By the kilobyte, rounded up."""
    assert write_units(before, after) == units


def test_reads_by_key_are_rounded_one_by_one() -> None:
    """Two small items are two units; half of that if an old value will do."""
    items = [item(10), item(4 * KB), item(4 * KB + 1), None]
    assert read_units(items, consistent=True) == 1 + 1 + 2 + 1
    assert read_units(items, consistent=False) == 2.5


def test_a_query_is_rounded_as_a_whole() -> None:
    """Forty items of 100 bytes are one unit."""
    assert query_units([item(100)] * 40, consistent=True) == 1
    assert query_units([item(100)] * 41, consistent=True) == 2
    assert query_units([item(100)] * 41, consistent=False) == 1


def test_a_million_at_on_demand_prices() -> None:
    """$0.625 for a million writes, $0.125 for a million reads."""
    assert Units(write=3, read=4).dollars_per_million == pytest.approx(1.875 + 0.5)
    assert (Units(2, 2) + Units(4, 6)) / 2 == Units(3, 4)
