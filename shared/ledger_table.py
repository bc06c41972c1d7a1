"""Adapter for the ledger: append-only, a sequence of batches for each shard."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from shared.aws import failures_of
from shared.evidence import FORMAT, Entry
from shared.failure import CallFailedError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_ENTRIES = 100
MOST_BYTES = 300_000
"""Of a batch: DynamoDB's items may have 400 KB."""
_TRIES = 10


class LedgerTable:
    """Evidence, by shard and sequence number from 1."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """Work on this table."""
        self._client = client
        self._table = table
        self._tails: dict[int, int] = {}

    def open(self, shard: int) -> None:
        """As `Ledger.open`."""
        self._tails[shard] = self._tail(f"{shard:02}")

    def append(self, shard: int, entries: Sequence[Entry]) -> None:
        """As `Ledger.append`: each batch by one conditional put, so none is overwritten or kept twice."""
        for batch in _batches(entries):
            self._append_batch(f"{shard:02}", shard, batch)

    def _append_batch(self, partition: str, shard: int, entries: str) -> None:
        batch = uuid4().hex
        for _ in range(_TRIES):
            if shard not in self._tails:
                self.open(shard)
            number = self._tails[shard] + 1
            if self._put(partition, number, batch, entries):
                self._tails[shard] = number
                return
            del self._tails[shard]  # another run appended: its tail is to be read
        raise CallFailedError("append", "Contended")

    def _put(self, partition: str, number: int, batch: str, entries: str) -> bool:
        """Put a batch at a sequence number; one that is there may be this very one, its answer lost."""
        key = {"shard": {"S": partition}, "seq": {"N": str(number)}}
        try:
            with failures_of("PutItem"):
                self._client.put_item(
                    TableName=self._table,
                    Item={**key, "v": {"N": str(FORMAT)}, "batch": {"S": batch}, "entries": {"S": entries}},
                    ConditionExpression="attribute_not_exists(#seq)",
                    ExpressionAttributeNames={"#seq": "seq"},
                )
        except CallFailedError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            with failures_of("GetItem"):
                there = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)["Item"]
            return there["batch"]["S"] == batch
        return True

    def _tail(self, partition: str) -> int:
        with failures_of("Query"):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="#shard = :shard",
                ProjectionExpression="#seq",
                ExpressionAttributeNames={"#shard": "shard", "#seq": "seq"},
                ExpressionAttributeValues={":shard": {"S": partition}},
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=1,
            )
        return int(answer["Items"][0]["seq"]["N"]) if answer["Items"] else 0


def _batches(entries: Sequence[Entry]) -> Iterator[str]:
    """The entries as JSON arrays, of limited length and number."""
    batch: list[str] = []
    size = 0
    for entry in entries:
        text = json.dumps(entry.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        length = len(text.encode())
        if batch and (len(batch) == MOST_ENTRIES or size + length > MOST_BYTES):
            yield f"[{','.join(batch)}]"
            batch, size = [], 0
        batch.append(text)
        size += length
    if batch:
        yield f"[{','.join(batch)}]"
