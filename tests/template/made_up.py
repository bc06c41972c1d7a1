"""Calls that no function makes, or that only some may make, as boto3 would be given them."""

import re
from collections.abc import Mapping
from typing import Any

from tests.builders import shipment_ref

type MadeUp = tuple[str, Mapping[str, Any]]
"""Operation of DynamoDB, and parameters."""

TABLE = "lapse-shipments"
FACTS = "lapse-facts"
LEDGER = "lapse-ledger"
KEY = shipment_ref().key


def look(table: str, projection: str | None, **names: str) -> MadeUp:
    """A BatchGetItem."""
    inner: dict[str, Any] = {"Keys": [KEY], "ConsistentRead": True}
    if projection:
        inner |= {"ProjectionExpression": projection, "ExpressionAttributeNames": names_of(**names)}
    return "BatchGetItem", {"RequestItems": {table: inner}}


def update(table: str, expression: str, condition: str = "", /, **more: Any) -> MadeUp:
    """An UpdateItem; its aliases are the attributes' own names."""
    names = names_of(**{name: name for name in re.findall(r"#(\w+)", f"{expression} {condition}")})
    call = {
        "TableName": table,
        "Key": KEY,
        "UpdateExpression": expression,
        "ExpressionAttributeNames": names,
    }
    return "UpdateItem", {**call, **({"ConditionExpression": condition} if condition else {}), **more}


def names_of(**names: str) -> dict[str, str]:
    """Expression attribute names."""
    return {f"#{alias}": name for alias, name in names.items()}


def query(table: str, **more: Any) -> MadeUp:
    """A Query by key."""
    return "Query", {
        "TableName": table,
        "KeyConditionExpression": "#id = :id",
        "ExpressionAttributeNames": names_of(id="shipment_id", email="email", drop_ship="drop_ship"),
        "ExpressionAttributeValues": {":id": KEY["shipment_id"]},
        **more,
    }


def scan(table: str, **more: Any) -> MadeUp:
    """A Scan; its aliases are the attributes' own names."""
    names = names_of(email="email", shipment_id="shipment_id", address="address")
    return "Scan", {"TableName": table, "ExpressionAttributeNames": names, **more}


def transaction(kind: str, inner: Mapping[str, Any]) -> MadeUp:
    """A transaction of one item."""
    return "TransactWriteItems", {"TransactItems": [{kind: dict(inner)}]}


def ledger(operation: str, **parameters: Any) -> MadeUp:
    """A call about the ledger."""
    return operation, {"TableName": "lapse-ledger", **parameters}


def in_ledger(key: str) -> dict[str, Any]:
    """A key of the ledger."""
    return {"shard": {"S": key}, "seq": {"N": "1"}}


def batch_in_ledger(write: Mapping[str, Any]) -> MadeUp:
    """A batch of one write."""
    return "BatchWriteItem", {"RequestItems": {"lapse-ledger": [write]}}
