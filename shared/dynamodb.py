"""DynamoDB's batch calls, until nothing is left unprocessed."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

from shared.aws import failures_of, tries

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_READS = 100
"""What one BatchGetItem takes."""
MOST_WRITES = 25
"""What one BatchWriteItem takes."""


def batch_get(
    client: "DynamoDBClient",
    table: str,
    keys: Sequence[Mapping[str, Any]],
    **options: Any,  # noqa: ANN401
) -> Iterator[Mapping[str, Any]]:
    """The existing items of these keys, by consistent reads.

    Args:
        client: the client.
        table: the real table name.
        keys: the typed keys, each once.
        options: a projection.

    Raises:
        CallFailedError: the call failed, or DynamoDB kept leaving keys unprocessed.
    """
    for some in batched(keys, MOST_READS, strict=False):
        left: Any = {table: {"Keys": list(some), "ConsistentRead": True, **options}}
        attempts = tries("BatchGetItem")
        while left:
            next(attempts)
            with failures_of("BatchGetItem"):
                answer = client.batch_get_item(RequestItems=left)
            items = answer["Responses"].get(table, [])
            yield from items
            left = answer.get("UnprocessedKeys")
            if items:
                attempts = tries("BatchGetItem")  # large items come a few at a time: that is progress


def batch_put(client: "DynamoDBClient", table: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Put items, each key once.

    Raises:
        CallFailedError: the call failed, or DynamoDB kept leaving items unprocessed.
    """
    _batch_write(client, table, [{"PutRequest": {"Item": item}} for item in items])


def batch_delete(client: "DynamoDBClient", table: str, keys: Sequence[Mapping[str, Any]]) -> None:
    """Delete the items of these keys, each once; what is not there is no error.

    Raises:
        CallFailedError: as `batch_put`.
    """
    _batch_write(client, table, [{"DeleteRequest": {"Key": key}} for key in keys])


def _batch_write(client: "DynamoDBClient", table: str, writes: Sequence[Mapping[str, Any]]) -> None:
    for some in batched(writes, MOST_WRITES, strict=False):
        left: Any = {table: list(some)}
        for _ in tries("BatchWriteItem"):
            with failures_of("BatchWriteItem"):
                left = client.batch_write_item(RequestItems=left).get("UnprocessedItems")
            if not left:
                break
