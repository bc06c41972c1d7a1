"""Writing the ledger, call by call: what is put in which order, and what is known of the chain's end."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared import ledger_table
from shared.evidence import Entry, Outcome
from shared.failure import CallFailedError
from shared.ledger import verify
from shared.ledger_batch import Batch, chained, from_item, seal, to_item
from shared.ledger_index import index_partition
from shared.ledger_table import LedgerTable
from tests.answering import Client, failing
from tests.builders import NOW, shipment_ref

RECORD = shipment_ref()
ENTRY = Entry(outcome=Outcome.ERASED, at=NOW, cause="manual", policy="d", record=RECORD.text, rule="rule")
EMPTY: dict[str, Any] = {"Items": []}


TAKEN = failing("ConditionalCheckFailedException")


class Writes(Client):
    """The ledger's client."""

    def batches(self) -> list[Batch]:
        """The batches that were put, in order."""
        return [from_item(call["Item"]) for call in self.calls if call["operation"] == "put_item"]

    def rows(self) -> list[tuple[str, str]]:
        """The rows that were written to the index, in order: of which number, with which lines."""
        requests = [call["RequestItems"] for call in self.calls if call["operation"] == "batch_write_item"]
        rows = [each["PutRequest"]["Item"] for request in requests for each in request["ledger"]]
        assert {row["shard"]["S"] for row in rows} <= {index_partition(RECORD.text)}
        return [(row["seq"]["N"], row["lines"]["S"]) for row in rows]


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Between which lengths the pauses were chosen; they take no time here."""
    chosen: list[tuple[float, float]] = []

    def uniform(shortest: float, longest: float) -> float:
        chosen.append((shortest, longest))
        return longest

    monkeypatch.setattr(ledger_table, "uniform", uniform)
    monkeypatch.setattr(ledger_table, "sleep", lambda _seconds: None)
    return chosen


def ledger(*answers: Any) -> tuple[LedgerTable, Writes]:
    client: Any = Writes(*answers)
    return LedgerTable(client, "ledger"), client


def of_others(seq: int, prev: str = "") -> Batch:
    """Somebody else's batch about the same record."""
    return chained("03", (seq - 1, prev), [seal(ENTRY, b"t" * 16)])


def test_the_end_is_read_once() -> None:
    """Each batch follows the one before, and all of them make a sound chain with salts of their own."""
    table, client = ledger(EMPTY, *[{}] * 4)
    table.append(3, [ENTRY, ENTRY])
    table.append(3, [ENTRY])
    assert client.operations == ["query", *["batch_write_item", "put_item"] * 2]
    assert list(verify("03", client.batches())) == []
    assert [seq for seq, _ in client.rows()] == ["1", "2"]
    names = [name for batch in client.batches() for name in json.loads(str(batch["names"]))]
    assert {len(salt) for salt, *_ in names} == {32}
    assert len({salt for salt, *_ in names}) == 3


def test_a_batch_is_put_where_none_is() -> None:
    """On condition that nobody has the number."""
    table, client = ledger(EMPTY, {}, {})
    table.append(3, [ENTRY])
    put = client.calls[2]
    assert {name: put[name] for name in put if name != "Item"} == {
        "operation": "put_item",
        "TableName": "ledger",
        "ConditionExpression": "attribute_not_exists(#seq)",
        "ExpressionAttributeNames": {"#seq": "seq"},
    }


def test_a_lost_race_puts_the_index_right_and_goes_on() -> None:
    """The winner's rows again, the end read anew, and the same lines under the next number."""
    winner = of_others(1)
    end = {"Items": [{"seq": {"N": "1"}, "v": {"N": "3"}, "hash": {"S": winner["hash"]}}]}
    table, client = ledger(EMPTY, {}, TAKEN, {"Item": to_item(winner)}, {}, end, {}, {})
    table.append(3, [ENTRY])
    first = ["query", "batch_write_item", "put_item", "get_item", "batch_write_item"]
    assert client.operations == [*first, "query", "batch_write_item", "put_item"]
    assert [batch["prev"] for batch in client.batches()] == ["", winner["hash"]]
    assert [seq for seq, _ in client.rows()] == ["1", "1", "2"]
    assert client.calls[3]["Key"] == {"shard": {"S": "03"}, "seq": {"N": "1"}}


def test_a_failure_leaves_its_own_batch_in_place() -> None:
    """What stands there is this very batch: kept once, and the next one follows it."""
    client: Any = Writes()

    def answers() -> Iterator[Any]:
        yield from [EMPTY, {}, failing("InternalServerError")]
        yield {"Item": client.calls[2]["Item"]}
        yield from [{}, {}]

    client.answers = answers()
    table = LedgerTable(client, "ledger")
    table.append(3, [ENTRY])
    table.append(3, [ENTRY])
    assert list(verify("03", client.batches())) == []
    assert client.operations.count("query") == 1


@pytest.mark.parametrize("kept", [{}, {"Item": to_item(of_others(1))}], ids=["nobody's", "another's"])
def test_a_failure_that_says_nothing_is_told(kept: dict[str, Any]) -> None:
    """Whether or not another has the number by now; and the end is read anew."""
    table, client = ledger(EMPTY, {}, failing("InternalServerError"), kept, EMPTY, {}, {})
    with pytest.raises(CallFailedError, match="^PutItem: InternalServerError$"):
        table.append(3, [ENTRY])
    table.append(3, [ENTRY])
    assert client.operations.count("query") == 2


def test_pauses_grow_to_half_a_second(bounds: list[tuple[float, float]]) -> None:
    """Ten tries, nine pauses, each of any length up to twice the one before."""
    table, _ = ledger(*[EMPTY, {}, failing("TransactionConflictException"), {}] * 10)
    with pytest.raises(CallFailedError, match="^append: Contended$"):
        table.append(3, [ENTRY])
    assert bounds == [(0, longest) for longest in (0.04, 0.08, 0.16, 0.32, 0.5, 0.5, 0.5, 0.5, 0.5)]


def test_what_was_prepared_is_the_end_once_it_committed() -> None:
    """No look is needed then; one that was forgotten is read anew, and cannot be said to have committed."""
    table, client = ledger(EMPTY, EMPTY)
    first, row = table.writes(3, [ENTRY])
    table.appended(3)
    (second, _) = table.writes(3, [ENTRY])
    assert [put["Put"]["TableName"] for put in (first, row, second)] == ["ledger"] * 3
    assert row["Put"]["Item"]["seq"] == {"N": "1"}
    assert list(verify("03", [from_item(put["Put"]["Item"]) for put in (first, second)])) == []
    table.forget(3)
    with pytest.raises(KeyError):
        table.appended(3)
    assert table.writes(3, [ENTRY])[0]["Put"]["Item"]["seq"] == {"N": "1"}
    assert client.operations == ["query", "query"]


def test_what_was_never_known_can_be_forgotten() -> None:
    """Whoever is in doubt says so."""
    table, _ = ledger()
    table.forget(3)
