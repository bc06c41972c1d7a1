"""The ledger's reads in their particulars: what they cost, what they say when they fail, and at the turn."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.evidence import Entry, Outcome
from shared.failure import CallFailedError
from shared.instants import to_text
from shared.ledger_batch import BEGINNING, chained, seal, to_item
from shared.ledger_index import LedgerReader, index_partition, index_rows, rows_as_kept
from shared.ledger_table import LedgerTable
from tests.answering import Client, failing
from tests.builders import NOW, shipment_ref

RECORD = shipment_ref()
ENTRY = Entry(outcome=Outcome.ERASED, at=NOW, cause="manual", policy="d", record=RECORD.text, rule="rule")
END = {"Items": [{"seq": {"N": "4"}, "v": {"N": "3"}, "hash": {"S": "abcd"}}]}
ERASED = f'[{{"rule":"rule","outcome":"erased","at":"{to_text(NOW)}"}}]'
LINES = [seal(ENTRY, b"s" * 16)]


def has_erased(lines: str, since: datetime = NOW) -> bool:
    """Whether an index row with these lines tells of an erasure since then."""
    client: Any = Client({"Items": [{"lines": {"S": lines}}]})
    return LedgerReader(client, "ledger").has_erased(RECORD, "rule", since)


def test_an_erasure_at_that_very_instant_is_one() -> None:
    """`At that instant or later`; one before is of another time."""
    assert has_erased(ERASED)
    assert not has_erased(ERASED, NOW + timedelta(microseconds=1))


@pytest.mark.parametrize(
    "lines", ["", "7", "[7]", "[{}]", '[{"rule":"rule","outcome":"erased","at":"soon"}]']
)
def test_a_row_that_cannot_be_read_tells_nothing(lines: str) -> None:
    """It is a hint, and there may be none."""
    assert not has_erased(lines)


def test_a_hint_is_not_worth_a_consistent_read() -> None:
    """Which costs twice as much; what was erased long ago is everywhere by now."""
    client: Any = Client({"Items": []})
    LedgerReader(client, "ledger").has_erased(RECORD, "rule")
    assert client.calls[0]["ExpressionAttributeValues"] == {":shard": {"S": index_partition(RECORD.text)}}
    assert client.calls[0]["ConsistentRead"] is False


def test_all_else_is_read_consistently() -> None:
    """Where the chain ends, what it holds, and whose batch has a number."""
    lost = failing("ConditionalCheckFailedException")
    client: Any = Client(END, {}, lost, {}, END, {}, {}, {"Items": []}, {"Items": []})
    ledger = LedgerTable(client, "ledger")
    ledger.append(3, [ENTRY])
    assert ledger.entries_of(RECORD) == []
    assert list(ledger.batches(3)) == []
    reads = [call for call in client.calls if call["operation"] in {"query", "get_item"}]
    assert [call["ConsistentRead"] for call in reads] == [True] * 5


@pytest.mark.parametrize(
    ("after", "condition", "names", "values"),
    [
        (0, "#shard = :shard", {"#shard": "shard"}, {":shard": {"S": "03"}}),
        (
            7,
            "#shard = :shard AND #seq > :after",
            {"#shard": "shard", "#seq": "seq"},
            {":shard": {"S": "03"}, ":after": {"N": "7"}},
        ),
    ],
    ids=["from the first on", "from behind a number on"],
)
def test_a_chain_is_read_page_by_page(
    after: int, condition: str, names: dict[str, str], values: dict[str, Any]
) -> None:
    """To the page that names no next one; without values that are not used, which DynamoDB refuses."""
    batches: list[Any] = [chained("03", (seq, "ab"), LINES) for seq in range(3)]
    first, second, third = map(to_item, batches)
    next_page = {"shard": {"S": "03"}, "seq": {"N": "2"}}
    client: Any = Client({"Items": [first, second], "LastEvaluatedKey": next_page}, {"Items": [third]})
    reader = LedgerReader(client, "ledger")
    assert list(reader.batches(3, after) if after else reader.batches(3)) == batches
    request = {
        "operation": "query",
        "TableName": "ledger",
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ConsistentRead": True,
    }
    assert client.calls == [request, {**request, "ExclusiveStartKey": next_page}]


def test_the_end_of_a_chain_is_one_row() -> None:
    """Its number and hash, of the last batch alone; an empty chain ends before its first."""
    client: Any = Client(END, {"Items": []})
    reader = LedgerReader(client, "ledger")
    assert (reader.end(3), reader.end(3)) == ((4, "abcd"), BEGINNING)
    assert client.calls[0] == {
        "operation": "query",
        "TableName": "ledger",
        "KeyConditionExpression": "#shard = :shard",
        "ProjectionExpression": "#seq, #v, #hash",
        "ExpressionAttributeNames": {"#shard": "shard", "#seq": "seq", "#v": "v", "#hash": "hash"},
        "ExpressionAttributeValues": {":shard": {"S": "03"}},
        "ScanIndexForward": False,
        "ConsistentRead": True,
        "Limit": 1,
    }


@pytest.mark.parametrize(
    "last",
    [
        {},
        {"v": {"N": "1"}},
        {"v": {"N": "2"}, "hash": {"S": "abcd"}},
        {"hash": {"S": "abcd"}},
        {"v": {"N": "3"}},
    ],
)
def test_a_chain_of_another_format_has_no_end(last: dict[str, Any]) -> None:
    """Or one whose last batch has no hash: nothing can be chained to it."""
    client: Any = Client({"Items": [{"seq": {"N": "4"}, **last}]})
    with pytest.raises(CallFailedError, match="LedgerOfAnotherFormat"):
        LedgerReader(client, "ledger").end(3)


def test_a_records_entries_come_in_order() -> None:
    """Of the batches that the index points at, in whatever order they come; others' entries are left out."""
    other = seal(replace(ENTRY, record="U#{}"), b"t" * 16)
    chain: list[Any] = [chained("15", (seq, "ab"), [other, *LINES]) for seq in range(2)]
    rows = [{"seq": {"N": "1"}, "lines": {"S": "[]"}}, {"seq": {"N": "2"}, "lines": {"S": "[]"}}]
    items = [to_item(batch) for batch in reversed(chain)]
    client: Any = Client({"Items": rows}, {"Responses": {"ledger": items}})
    found = LedgerReader(client, "ledger").entries_of(RECORD)
    assert [(each.seq, each.position) for each in found] == [(1, 1), (2, 1)]
    assert client.calls[0]["ExpressionAttributeValues"] == {":shard": {"S": index_partition(RECORD.text)}}
    keys = [{"shard": {"S": "15"}, "seq": {"N": number}} for number in ("1", "2")]
    assert client.calls[1]["RequestItems"]["ledger"]["Keys"] == keys


def test_whose_batch_has_a_number_is_asked_by_its_key() -> None:
    """And of that table; there may be none."""
    (batch,) = (chained("03", (4, "abcd"), LINES),)
    client: Any = Client({"Item": to_item(batch)}, {})
    reader = LedgerReader(client, "ledger")
    assert (reader._batch("03", 5), reader._batch("03", 6)) == (batch, None)
    key = {"shard": {"S": "03"}, "seq": {"N": "5"}}
    request = {"operation": "get_item", "TableName": "ledger", "Key": key, "ConsistentRead": True}
    assert client.calls[0] == request


def test_any_line_of_a_row_may_tell_of_it() -> None:
    """By this rule and outcome; what else became of the record there is no erasure."""
    other = ERASED[1:-1].replace("erased", "observed")
    assert has_erased(f"[{other},{ERASED[1:-1]}]")
    assert not has_erased(f"[{other}]")
    assert not has_erased(ERASED.replace('"rule":"rule"', '"rule":"another"'))


def test_rows_of_the_index() -> None:
    """One for each record, with all that a batch says of it, short; none for what is about no record."""
    pause = Entry(outcome=Outcome.PAUSED, at=NOW, cause="operator", policy="d")
    other = replace(ENTRY, record="T#{}", rule="é")
    lines = [seal(each, b"s" * 16) for each in (ENTRY, pause, other, ENTRY)]
    assert index_rows(7, lines) == [
        {
            "shard": {"S": "of#" + hashlib.sha256(RECORD.text.encode()).hexdigest()},
            "seq": {"N": "7"},
            "v": {"N": "3"},
            "lines": {"S": f"[{ERASED[1:-1]},{ERASED[1:-1]}]"},
        },
        {
            "shard": {"S": "of#" + hashlib.sha256(b"T#{}").hexdigest()},
            "seq": {"N": "7"},
            "v": {"N": "3"},
            "lines": {"S": ERASED.replace('"rule":"rule"', '"rule":"é"')},
        },
    ]


def test_rows_as_another_batch_has_them() -> None:
    """Of the records of these lines alone: what that batch says of them, or nothing."""
    mine = [seal(replace(ENTRY, record=record), b"s" * 16) for record in (RECORD.text, "T#{}", "")]
    theirs: Any = chained("03", (6, "ab"), [seal(replace(ENTRY, record="U#{}"), b"t" * 16), *LINES])
    rows = {row["shard"]["S"]: (row["seq"]["N"], row["lines"]["S"]) for row in rows_as_kept(theirs, mine)}
    assert rows == {index_partition(RECORD.text): ("7", ERASED), index_partition("T#{}"): ("7", "[]")}


@pytest.mark.parametrize(
    ("answers", "act", "said"),
    [
        ([failing("Denied")], lambda ledger: ledger.open(3), "Query"),
        ([failing("Denied")], lambda ledger: ledger.entries_of(RECORD), "Query"),
        ([END, {}, failing("Denied"), {}], lambda ledger: ledger.append(3, [ENTRY]), "PutItem"),
        (
            [END, {}, failing("ConditionalCheckFailedException"), failing("Denied")],
            lambda ledger: ledger.append(3, [ENTRY]),
            "GetItem",
        ),
    ],
    ids=["the end", "a record's rows", "a batch", "whose batch it is"],
)
def test_a_failure_says_what_was_called(
    answers: list[Any], act: Callable[[LedgerTable], object], said: str
) -> None:
    """The operation, as a role names it, and the code: with these an operator finds the missing right."""
    client: Any = Client(*answers)
    with pytest.raises(CallFailedError) as raised:
        act(LedgerTable(client, "ledger"))
    assert str(raised.value) == f"{said}: Denied"
