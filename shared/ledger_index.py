"""Adapter for reading the ledger: a shard's batches in order, and a record's entries through an index."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.aws import failures_of
from shared.dynamodb import batch_get
from shared.evidence import FORMAT, Outcome
from shared.failure import CallFailedError
from shared.instants import FIRST, parse_rfc3339
from shared.ledger_batch import BEGINNING, Batch, End, Kept, Line, entries_in, from_item
from shared.record import RecordRef

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_HINTS = ("rule", "outcome", "at")


class LedgerReader:
    """Evidence, by shard and sequence number from 1, and by record."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """Read this table."""
        self._client = client
        self._table = table

    def end(self, shard: int) -> End:
        """The end of a shard's chain, by a consistent read."""
        with failures_of("Query"):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="#shard = :shard",
                ProjectionExpression="#seq, #v, #hash",
                ExpressionAttributeNames={"#shard": "shard", "#seq": "seq", "#v": "v", "#hash": "hash"},
                ExpressionAttributeValues={":shard": {"S": partition(shard)}},
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=1,
            )
        if not answer["Items"]:
            return BEGINNING
        (last,) = answer["Items"]
        if last.get("v") != {"N": str(FORMAT)} or "hash" not in last:  # nothing can be chained to it
            raise CallFailedError("Query", "LedgerOfAnotherFormat")
        return int(last["seq"]["N"]), last["hash"]["S"]

    def batches(self, shard: int, after: int = 0) -> Iterator[Batch]:
        """A shard's batches in order, behind a sequence number, page by page as they are taken."""
        for item in self._items(partition(shard), after):
            yield from_item(item)

    def entries_of(self, record: RecordRef) -> list[Kept]:
        """The entries about a record, in order; one whose name was dropped is about none any more.

        The index gives hints only: a writer that crashed, or lost a race for a number, leaves rows that
        point at nothing, or at another's batch. So what is in the batches counts.
        """
        rows = self._items(index_partition(record.text))
        keys = [{"shard": {"S": partition(record.shard)}, "seq": row["seq"]} for row in rows]
        batches = [from_item(item) for item in batch_get(self._client, self._table, keys)]
        batches.sort(key=lambda batch: batch["seq"])
        kept = (each for batch in batches for each in entries_in(batch))
        return [each for each in kept if each.entry["record"] == record.text]

    def has_erased(self, record: RecordRef, rule_id: str, since: datetime = FIRST) -> bool:
        """Whether this record was erased by this rule at that instant or later, as the index has it.

        Rows are written after the removal that they tell of, so a row tells the truth about it even if its
        batch came to nothing: lost in a race, the same line follows in a later one.
        """
        rows = self._items(index_partition(record.text), consistent=False)
        return any(_tells(row, rule_id, since) for row in rows)

    def _batch(self, shard: str, seq: int) -> Batch | None:
        with failures_of("GetItem"):
            answer = self._client.get_item(
                TableName=self._table,
                Key={"shard": {"S": shard}, "seq": {"N": str(seq)}},
                ConsistentRead=True,
            )
        return from_item(answer["Item"]) if "Item" in answer else None

    def _items(self, of: str, after: int = 0, *, consistent: bool = True) -> Iterator[Mapping[str, Any]]:
        values = {":shard": {"S": of}} | ({":after": {"N": str(after)}} if after else {})
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "#shard = :shard" + (" AND #seq > :after" if after else ""),
            "ExpressionAttributeNames": {"#shard": "shard"} | ({"#seq": "seq"} if after else {}),
            "ExpressionAttributeValues": values,
            "ConsistentRead": consistent,
        }
        while True:
            with failures_of("Query"):
                answer = self._client.query(**request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _tells(row: Mapping[str, Any], rule_id: str, since: datetime) -> bool:
    """Whether an index row tells of an erasure by this rule; one that cannot be read tells nothing."""
    try:
        return any(
            line["rule"] == rule_id
            and line["outcome"] == Outcome.ERASED
            and parse_rfc3339(line["at"]) >= since
            for line in json.loads(row["lines"]["S"])
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def partition(shard: int) -> str:
    """The partition key of a shard's batches."""
    return f"{shard:02}"


def index_partition(record: str) -> str:
    """The partition key of a record's index rows."""
    return "of#" + hashlib.sha256(record.encode()).hexdigest()


def index_rows(seq: int, lines: Iterable[Line]) -> list[dict[str, Any]]:
    """The index rows that say that these lines are in the batch of this number; one for each record."""
    hints: dict[str, list[Mapping[str, str]]] = {}
    for line in lines:
        if line.record:
            hints.setdefault(line.record, []).append(line.hint)
    return [_row(seq, record, of_record) for record, of_record in hints.items()]


def rows_as_kept(batch: Batch, lines: Iterable[Line]) -> list[dict[str, Any]]:
    """The index rows of these lines' records, as another's batch of the same number has them."""
    hints: dict[str, list[Mapping[str, str]]] = {line.record: [] for line in lines if line.record}
    for each in entries_in(batch):
        if each.entry["record"] in hints:
            hints[each.entry["record"]].append({name: each.entry[name] for name in _HINTS})
    return [_row(int(batch["seq"]), record, of_record) for record, of_record in hints.items()]


def _row(seq: int, record: str, hints: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {
        "shard": {"S": index_partition(record)},
        "seq": {"N": str(seq)},
        "v": {"N": str(FORMAT)},
        "lines": {"S": json.dumps(hints, separators=(",", ":"), ensure_ascii=False)},
    }
