"""The ledger's batches as DynamoDB keeps them, and as they come back: damaged, too, or without names."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from shared.evidence import Entry, Outcome
from shared.instants import to_text
from shared.ledger_batch import (
    MOST_BYTES,
    Batch,
    Line,
    UnreadableBatchError,
    chained,
    entries_in,
    from_item,
    seal,
    split,
    to_item,
)
from tests.builders import LONG_AGO, NOW, shipment_ref

RECORD = shipment_ref().text
ENTRY = Entry(
    outcome=Outcome.ERASED, at=NOW, cause="manual", policy="d", record=RECORD, rule="rule", due=LONG_AGO
)
PAUSE = Entry(outcome=Outcome.PAUSED, at=NOW, cause="operator", policy="d", details={"by": "staff-1"})
BATCH = chained("03", (4, "ab" * 32), [seal(ENTRY, b"s" * 16), seal(PAUSE, b"t" * 16)])
ITEM: dict[str, Any] = {
    "shard": {"S": "03"},
    "seq": {"N": "5"},
    "v": {"N": "3"},
    "prev": {"S": "ab" * 32},
    "hash": {"S": BATCH["hash"]},
    "body": {"S": BATCH["body"]},
    "names": {"S": BATCH["names"]},
}


def without(*names: str, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**ITEM, **changes}.items() if name not in names}


def test_a_batch_as_an_item() -> None:
    """Texts, but for the number and the version of the format; and the other way round."""
    assert to_item(BATCH) == ITEM
    assert from_item(ITEM) == BATCH


@pytest.mark.parametrize("name", ["prev", "hash", "body"])
@pytest.mark.parametrize("damage", ["missing", "of another type"])
def test_what_is_damaged_is_empty(name: str, damage: str) -> None:
    """So that the verifier says what is wrong, and nothing fails on the way to it."""
    item = without(name) if damage == "missing" else without(**{name: {"N": "7"}})
    expected: Any = {**BATCH, name: ""}
    assert from_item(item) == expected


def test_names_that_were_dropped_are_none() -> None:
    """Which is not the same as names that are damaged."""
    assert from_item(without("names"))["names"] is None
    assert from_item(without(names={"N": "7"}))["names"] == ""


@pytest.mark.parametrize(("written", "read"), [("7", 7), ("7.0", 7), ("7.5", Decimal("7.5"))])
def test_a_forged_number_stays_what_it_is(written: str, read: object) -> None:
    """A whole one is whole; any other is nobody's number, and is not rounded to somebody's."""
    seq = from_item(without(seq={"N": written}))["seq"]
    assert (seq, type(seq)) == (read, type(read))


def test_entries_come_with_their_place_and_what_they_tell_of() -> None:
    """Shard, number and position, from 0; an entry that is about no record has none."""
    first, second = entries_in(from_item(without(seq={"N": "9"})))
    assert (first.shard, first.seq, first.position) == ("03", 9, 0)
    assert (second.shard, second.seq, second.position) == ("03", 9, 1)
    assert (first.entry["record"], first.entry["details"]) == (RECORD, {})
    assert (second.entry["record"], second.entry["details"]) == ("", {"by": "staff-1"})


def test_without_names_entries_tell_of_nobody() -> None:
    """All else that they say is there: what became of what, when, by which rule."""
    kept = [each.entry for each in entries_in(from_item(without("names")))]
    assert [(each["record"], each["details"]) for each in kept] == [("", {}), ("", {})]
    for entry, each in zip((ENTRY, PAUSE), kept, strict=True):
        told = {name: value for name, value in each.items() if name != "commitment"}
        assert told == {**entry.as_json(), "record": "", "details": {}}


def test_what_stands_in_an_entry_is_no_name() -> None:
    """Somebody wrote a record and details where they do not belong: only what is committed to counts."""
    body = json.loads(BATCH["body"])
    body["entries"][0].update(record="canary", details={"by": "canary"})
    batch: Batch = {**BATCH, "body": json.dumps(body)}
    assert not any("canary" in repr(each) for each in entries_in(batch))


def test_names_that_do_not_fit_are_no_names() -> None:
    """One for each entry, or nothing is said."""
    batch: Batch = {**BATCH, "names": json.dumps(json.loads(str(BATCH["names"]))[:1])}
    with pytest.raises(UnreadableBatchError, match="^shard 03, batch 5$"):
        list(entries_in(batch))


@pytest.mark.parametrize(
    "name",
    [
        *(7, "x", [], ["salt"], ["salt", "record"], ["salt", 7, {}], [7, "record", {}]),
        *(["salt", "record", "x"], ["salt", "record", {"by": 7}], ["salt", "record", {}, {}]),
    ],
)
def test_a_name_is_a_salt_a_record_and_details(name: object) -> None:
    """Texts; whatever else stands there names nobody."""
    batch: Batch = {**BATCH, "names": json.dumps([name, None])}
    with pytest.raises(UnreadableBatchError, match="^shard 03, batch 5$"):
        list(entries_in(batch))


@pytest.mark.parametrize("names", [None, BATCH["names"], "[null,null]"])
@pytest.mark.parametrize("version", [None, 1, 2, 4])
def test_a_batch_of_another_format_is_not_read(version: int | None, names: str | None) -> None:
    """With names, without, or of nobody: in format 2 a pause was, and had its details in what is hashed."""
    body = {**json.loads(BATCH["body"]), "v": version}
    with pytest.raises(UnreadableBatchError):
        list(entries_in({**BATCH, "names": names, "body": json.dumps(body)}))


@pytest.mark.parametrize("body", ["", "{", "7", "[]", "{}", '{"v":3}', '{"v":3,"entries":7}', "[" * 100_000])
def test_a_body_that_is_none_is_not_read(body: str) -> None:
    """Which batch that is, is said, and nothing of what stands there."""
    for names in (None, BATCH["names"]):
        with pytest.raises(UnreadableBatchError, match="^shard 03, batch 5$"):
            list(entries_in({**BATCH, "names": names, "body": body}))


def test_a_line_has_what_the_index_keeps() -> None:
    """The record, and a hint of what happened to it: enough to know an earlier erasure."""
    line = seal(ENTRY, b"s" * 16)
    assert line.record == RECORD
    assert line.hint == {"rule": "rule", "outcome": "erased", "at": to_text(NOW)}


def test_a_batch_may_be_just_full() -> None:
    """Not a byte of what an item may have is left unused; one more begins the next batch."""
    line = seal(ENTRY, b"s" * 16)

    def batches(of_bytes: int) -> list[int]:
        lines: list[Line] = [replace(line, size=of_bytes), replace(line, size=100_000)]
        return [len(batch) for batch in split(lines)]

    frame = 300 + 2 * len(",,")
    assert batches(MOST_BYTES - 100_000 - frame) == [2]
    assert batches(MOST_BYTES - 100_000 - frame + 1) == [1, 1]
