"""What a client really sends: each call's operation, and the units of each DynamoDB request."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.units import (
    TRANSACTIONAL,
    Item,
    Units,
    item_size,
    query_units,
    read_units,
    write_units,
)

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.model import OperationModel
    from mypy_boto3_dynamodb import DynamoDBClient

_STASH = "lapse-bench"
_NARROWING = {"FilterExpression", "ProjectionExpression", "Select"}

type Request = Mapping[str, Any]
"""A request's parameters, as they travel."""


@dataclass
class CallCounter:
    """Counts the calls of the clients that it watches, by operation; retries and failures included."""

    calls: Counter[str] = field(default_factory=Counter)
    succeeded: Counter[str] = field(default_factory=Counter)
    retries: int = 0

    def watch(self, *clients: "BaseClient") -> None:
        """Count from now on."""
        for client in clients:
            client.meta.events.register("after-call.*.*", self._count)

    def _count(self, model: "OperationModel", parsed: Mapping[str, Any], **_: object) -> None:
        self.calls[model.name] += 1
        self.succeeded[model.name] += "Error" not in parsed
        self.retries += parsed["ResponseMetadata"].get("RetryAttempts", 0)


@dataclass
class UnitMeter:
    """Computes the units of all DynamoDB requests of a client, from the items before and after each.

    It looks at the items through a client of its own, between the watched client's call and the sending.
    """

    own: "DynamoDBClient"
    keys: Mapping[str, tuple[str, ...]]
    """Real table name to key attributes."""
    by_operation: dict[str, Units] = field(default_factory=dict)
    largest: dict[str, int] = field(default_factory=dict)
    """Of the items that were written, by table, in bytes."""

    def watch(self, client: "DynamoDBClient") -> None:
        """Compute from now on. Only for a client that one thread uses."""
        client.meta.events.register("before-call.dynamodb.*", self._before)
        client.meta.events.register("after-call.dynamodb.*", self._after)

    @property
    def total(self) -> Units:
        """Of all operations."""
        return sum(self.by_operation.values(), Units())

    def _before(
        self, model: "OperationModel", params: Mapping[str, Any], context: dict[str, Any], **_: object
    ) -> None:
        request = json.loads(params["body"])
        touched = list(self._touched(model.name, request))
        context[_STASH] = request, touched, [self._item(table, key) for table, key in touched]

    def _after(self, model: "OperationModel", context: dict[str, Any], **_: object) -> None:
        request, touched, before = context[_STASH]
        units = self._units(model.name, request, touched, before)
        self.by_operation[model.name] = self.by_operation.get(model.name, Units()) + units

    def _units(
        self, operation: str, request: Request, touched: list[tuple[str, Item]], before: list[Item | None]
    ) -> Units:
        match operation:
            case "Query":
                return Units(read=self._query_units(request))
            case "GetItem":
                return Units(read=read_units(before, consistent=_consistent(request)))
            case "BatchGetItem":
                consistent = all(map(_consistent, request["RequestItems"].values()))
                return Units(read=read_units(before, consistent=consistent))
            case _:
                factor = TRANSACTIONAL if operation == "TransactWriteItems" else 1
                return Units(write=factor * self._write_units(touched, before))

    def _write_units(self, touched: list[tuple[str, Item]], before: list[Item | None]) -> int:
        total = 0
        for (table, key), was in zip(touched, before, strict=True):
            now = self._item(table, key)
            self.largest[table] = max(self.largest.get(table, 0), item_size(was), item_size(now))
            total += write_units(was, now)
        return total

    def _query_units(self, request: Request) -> float:
        """Query again for all that the query went through: whole items, and before the filter."""
        whole = {name: value for name, value in request.items() if name not in _NARROWING}
        for aliases in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
            used = _used(request[aliases], request["KeyConditionExpression"])
            whole = {**whole, aliases: used}
        answer = self.own.query(**whole)
        return query_units(answer["Items"], consistent=_consistent(request))

    def _touched(self, operation: str, request: Request) -> Iterator[tuple[str, Item]]:
        """The table and key of each item that a request names; a query names none."""
        match operation:
            case "BatchGetItem" | "BatchWriteItem":
                for table, wanted in request["RequestItems"].items():
                    keys = wanted["Keys"] if "Keys" in wanted else [self._key(table, each) for each in wanted]
                    yield from ((table, key) for key in keys)
            case "BatchExecuteStatement":
                yield from (_deleted(each["Statement"]) for each in request["Statements"])
            case "TransactWriteItems":
                actions = [each for action in request["TransactItems"] for each in action.values()]
                yield from (self._named(each) for each in actions)
            case "PutItem" | "GetItem" | "UpdateItem" | "DeleteItem":
                yield self._named(request)
            case unknown if unknown != "Query":
                raise ValueError(f"{operation} is not known to the meter")

    def _named(self, request: Mapping[str, Any]) -> tuple[str, Item]:
        """The table and key of a request about one item; a put has its key in the item."""
        table = request["TableName"]
        return table, request["Key"] if "Key" in request else self._key(table, {"PutRequest": request})

    def _key(self, table: str, write: Mapping[str, Any]) -> Item:
        item = write["PutRequest"]["Item"]
        return {name: item[name] for name in self.keys[table]}

    def _item(self, table: str, key: Item) -> Item | None:
        found: Any = self.own.get_item(TableName=table, Key=dict(key), ConsistentRead=True)
        item: Item | None = found.get("Item")
        return item


def _deleted(statement: str) -> tuple[str, Item]:
    """The table and key that a conditional deletion names; a statement costs what the call would."""
    found = re.fullmatch(r'DELETE FROM "(.+?)" WHERE (.*)', statement)
    if found is None:
        raise ValueError("only deletions are known to the meter")
    values = dict(re.findall(r'"(\w+)" = \'(.*?)\'', found[2]))
    return found[1], {name: {"S": values[name]} for name in ("shard", "sk")}


def _consistent(request: Request) -> bool:
    return bool(request.get("ConsistentRead"))


def _used(aliases: Mapping[str, Any], expression: str) -> dict[str, Any]:
    """Those that the expression names: DynamoDB refuses others."""
    words = set(re.findall(r"[#:]\w+", expression))
    return {alias: value for alias, value in aliases.items() if alias in words}
