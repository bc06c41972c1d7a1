"""Adapter for the Due table: timers in order within their shard, and the leases of the shards."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import batched
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from shared.aws import failures_of, tries
from shared.due_row import quotable, row_of_timer, shard_key, timer_of_row
from shared.dynamodb import MOST_WRITES, batch_get, batch_put
from shared.failure import CallFailedError
from shared.instants import to_text
from shared.record import RecordRef
from shared.timer import Timer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BEFORE_ALL = " "
_LEASES = "lease"
_DONE = {"", "ConditionalCheckFailed"}
"""A timer is gone, or was written again, and stays."""
_TRY_AGAIN = {
    *("InternalServerError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"),
    *("ThrottlingError", "TransactionConflict"),
}


class DueTable:
    """The timers: hints, which the records and the facts outlive."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """Work on this table; the leases that are taken belong to this object."""
        self._client = client
        self._table = table
        self._holder = uuid4().hex
        self._unreadable: dict[int, int] = {}

    def put(self, timers: Collection[Timer]) -> None:
        """As `TimersToPut.put`; equal timers are written once."""
        by_key = {(timer.record.shard, timer.sort_key): timer for timer in timers}
        batch_put(self._client, self._table, [row_of_timer(timer) for timer in by_key.values()])

    def missing(self, timers: Collection[Timer]) -> Sequence[Timer]:
        """As `TimersToSet.missing`; a row that cannot be read is none, so that it is written again."""
        keys = [
            {"shard": {"S": shard_key(timer.record.shard)}, "sk": {"S": timer.sort_key}}
            for timer in dict.fromkeys(timers)
        ]
        rows = batch_get(self._client, self._table, keys)
        standing = {row["sk"]["S"] for row in rows if timer_of_row(row)}
        return [timer for timer in timers if timer.sort_key not in standing]

    def ready(self, shard: int, until: datetime, after: str, limit: int) -> Sequence[Timer]:
        """As `TimersToWork.ready`: consistent. Rows that cannot be read are passed over, and remembered."""
        timers: list[Timer] = []
        if not after:
            self._unreadable[shard] = 0
        while (missing := limit - len(timers)) > 0:
            rows = self._rows(shard, until, after, missing)
            found = [timer for row in rows if (timer := timer_of_row(row))]
            self._unreadable[shard] += len(rows) - len(found)
            timers += found
            if len(rows) < missing:
                break
            after = rows[-1]["sk"]["S"]
        return timers

    def count(self, shard: int, since: datetime, until: datetime) -> int:
        """How many timers stand behind the one instant, up to and including the other. Seconds count."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "#shard = :shard AND #sk BETWEEN :since AND :until",
            "ExpressionAttributeNames": {"#shard": "shard", "#sk": "sk"},
            "ExpressionAttributeValues": {
                ":shard": {"S": shard_key(shard)},
                ":since": {"S": _end_of_second(since)},
                ":until": {"S": _end_of_second(until)},
            },
            "Select": "COUNT",
        }
        counted = 0
        while True:
            with failures_of("Query"):
                answer = self._client.query(**request)
            counted += answer["Count"]
            if "LastEvaluatedKey" not in answer:
                return counted
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def of_record(self, record: RecordRef) -> Sequence[Timer]:
        """All timers of a record, in order: by a read of its shard, which alone knows at what instants."""
        with failures_of("Query"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="#shard = :shard",
                FilterExpression="#table = :table AND #key = :key",
                ExpressionAttributeNames={"#shard": "shard", "#table": "table", "#key": "key"},
                ExpressionAttributeValues={
                    ":shard": {"S": shard_key(record.shard)},
                    ":table": {"S": record.table},
                    ":key": {"M": record.key},
                },
                ConsistentRead=True,
            )
            return [timer for page in pages for row in page["Items"] if (timer := timer_of_row(row))]

    def unreadable(self, shard: int) -> int:
        """As `TimersToWork.unreadable`."""
        return self._unreadable.get(shard, 0)

    def _rows(self, shard: int, until: datetime, after: str, limit: int) -> Sequence[Mapping[str, Any]]:
        with failures_of("Query"):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="#shard = :shard AND #sk BETWEEN :after AND :until",
                ExpressionAttributeNames={"#shard": "shard", "#sk": "sk"},
                ExpressionAttributeValues={
                    ":shard": {"S": shard_key(shard)},
                    ":after": {"S": after + _BEFORE_ALL},
                    ":until": {"S": _end_of_second(until)},
                },
                ConsistentRead=True,
                Limit=limit,
            )
        return answer["Items"]

    def remove(self, timers: Collection[Timer]) -> None:
        """As `TimersToWork.remove`: by the stamp that each writing leaves.

        PartiQL, because it deletes conditionally in batches, for half of what a transaction costs.
        """
        for some in batched(timers, MOST_WRITES, strict=False):
            left: Any = [{"Statement": self._deletion(each)} for each in some]
            attempts = tries("BatchExecuteStatement")
            while left:
                next(attempts)
                with failures_of("BatchExecuteStatement"):
                    answers = self._client.batch_execute_statement(Statements=left)["Responses"]
                codes = [answer.get("Error", {}).get("Code", "") for answer in answers]
                for code in set(codes) - _DONE - _TRY_AGAIN:
                    raise CallFailedError("BatchExecuteStatement", code)
                left = [each for each, code in zip(left, codes, strict=True) if code in _TRY_AGAIN]

    def _deletion(self, timer: Timer) -> str:
        key = {"shard": shard_key(timer.record.shard), "sk": timer.sort_key, "stamp": timer.stamp}
        condition = " AND ".join(f"\"{name}\" = '{quotable(value)}'" for name, value in key.items())
        return f'DELETE FROM "{self._table}" WHERE {condition}'  # noqa: S608 -- quoted, and nothing to escape

    def lease(self, shard: int, now: datetime, until: datetime) -> bool:
        """As `TimersToWork.lease`."""
        try:
            with failures_of("UpdateItem"):
                self._client.update_item(
                    TableName=self._table,
                    Key=_lease_key(shard),
                    UpdateExpression="SET #holder = :me, #until = :until",
                    ConditionExpression="attribute_not_exists(#holder) OR #holder = :me OR #until < :now",
                    ExpressionAttributeNames={"#holder": "holder", "#until": "until"},
                    ExpressionAttributeValues={
                        ":me": {"S": self._holder},
                        ":until": {"N": str(int(until.timestamp()))},
                        ":now": {"N": str(int(now.timestamp()))},
                    },
                )
        except CallFailedError as error:
            if error.code == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def release(self, shard: int) -> None:
        """As `TimersToWork.release`; a lease that was lost meanwhile stays with its new holder."""
        try:
            with failures_of("DeleteItem"):
                self._client.delete_item(
                    TableName=self._table,
                    Key=_lease_key(shard),
                    ConditionExpression="#holder = :me",
                    ExpressionAttributeNames={"#holder": "holder"},
                    ExpressionAttributeValues={":me": {"S": self._holder}},
                )
        except CallFailedError as error:
            if error.code != "ConditionalCheckFailedException":
                raise


def _end_of_second(instant: datetime) -> str:
    """Behind all keys of this second: they go on with "#" after it, and "$" comes next."""
    return to_text(instant.replace(microsecond=0)) + "$"


def _lease_key(shard: int) -> dict[str, Any]:
    return {"shard": {"S": _LEASES}, "sk": {"S": shard_key(shard)}}
