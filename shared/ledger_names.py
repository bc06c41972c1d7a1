"""Adapter for the ledger's own retention: a batch's names are dropped, and what the index has of them."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from shared.aws import failures_of
from shared.dynamodb import batch_delete
from shared.failure import CallFailedError
from shared.ledger_batch import Batch
from shared.ledger_index import LedgerReader, index_partition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class NamesOfLedger(LedgerReader):
    """The ledger, to be read, and to lose names: nothing else of it can be changed."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """Work on this table."""
        super().__init__(client, table)
        self._writes = client

    def drop_names(self, batch: Batch) -> None:
        """As `LedgerToSeal.drop_names`: the index first, or a crash would leave rows that nobody finds again.

        Raises:
            CallFailedError: a call failed; what is left is dropped by the next run.
        """
        seq = str(batch["seq"])
        for record in sorted(_records_in(batch)):
            batch_delete(self._writes, self._table, list(self._rows_up_to(record, seq)))
        removal: Any = {
            "TableName": self._table,
            "Key": {"shard": {"S": batch["shard"]}, "seq": {"N": seq}},
            "UpdateExpression": "REMOVE #names",
            "ConditionExpression": "attribute_exists(#names)",  # an update alone would make an item
            "ExpressionAttributeNames": {"#names": "names"},
        }
        try:
            with failures_of("UpdateItem"):
                self._writes.update_item(**removal)
        except CallFailedError as error:
            if error.code != "ConditionalCheckFailedException":  # another run was here
                raise

    def _rows_up_to(self, record: str, seq: str) -> Iterator[dict[str, Any]]:
        """The keys of a record's index rows: those that a crashed writer left behind, too."""
        request: Any = {
            "TableName": self._table,
            "KeyConditionExpression": "#shard = :shard AND #seq <= :seq",
            "ProjectionExpression": "#shard, #seq",
            "ExpressionAttributeNames": {"#shard": "shard", "#seq": "seq"},
            "ExpressionAttributeValues": {":shard": {"S": index_partition(record)}, ":seq": {"N": seq}},
            "ConsistentRead": True,
        }
        while True:
            with failures_of("Query"):
                answer = self._writes.query(**request)
            yield from ({"shard": row["shard"], "seq": row["seq"]} for row in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _records_in(batch: Batch) -> set[str]:
    """The records that a batch names; none by names that cannot be read: then they go all the same."""
    try:
        names = json.loads(batch["names"] or "[]")
        return {record for name in names for record in _record_in(name)}
    except (TypeError, ValueError, RecursionError):
        return set()


def _record_in(name: object) -> Iterator[str]:
    match name:  # of format 2 there are two parts
        case [_, str(record), *_] if record and record.encode(errors="ignore").decode() == record:
            yield record  # what is not valid Unicode could not be written of
