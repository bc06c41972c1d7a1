"""Conditions on moto's DynamoDB: what a scan finds and shows, and requests that DynamoDB would refuse."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shared.conditions import absence_scan, existence_scan, guarded_mark, projection
from shared.hold_mark import MarkChange
from shared.record import Path
from tests.builders import shipment_ref
from tests.worlds import make_table

NAME: Path = ("name",)
PHONE: Path = ("delivery", "phone")
HELD: dict[str, Any] = {"M": {"by": {"S": "lapse"}}}
ITEMS: dict[str, dict[str, Any]] = {
    "both": {"email": {"S": "canary"}, "delivery": {"M": {"phone": {"S": "canary"}}}, "name": {"S": "Jo"}},
    "one": {"delivery": {"M": {"phone": {"S": "canary"}, "hour": {"N": "9"}}}},
    "parent": {"delivery": {"M": {"hour": {"N": "9"}}}},
    "none": {"name": {"S": "Jo"}},
}


@pytest.fixture
def table() -> Iterator[Any]:
    """DynamoDB with these items."""
    with mock_aws():
        dynamodb = boto3.client("dynamodb", "eu-west-1", aws_access_key_id="t", aws_secret_access_key="t")
        make_table(dynamodb, "t", {"id": "S"})
        for each, item in ITEMS.items():
            dynamodb.put_item(TableName="t", Item={"id": {"S": each}, **item})
        yield dynamodb


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ([("email",)], {"both"}),
        ([PHONE], {"both", "one"}),
        ([("email",), PHONE], {"both", "one"}),
        ([("missing",)], set()),
    ],
)
def test_a_scan_finds_what_has_any_of_the_fields(table: Any, fields: list[Path], found: set[str]) -> None:
    """A field within a map counts, the map alone does not."""
    items = table.scan(TableName="t", **existence_scan(fields, [("id",)]))["Items"]
    assert {item["id"]["S"] for item in items} == found
    items = table.scan(TableName="t", **absence_scan(fields, [("id",)]))["Items"]
    assert {item["id"]["S"] for item in items} == ITEMS.keys() - found
    assert all(item.keys() == {"id"} for item in items)


def test_a_scan_shows_what_it_was_asked_for(table: Any) -> None:
    """And none of the fields whose existence it tests."""
    items = table.scan(TableName="t", **existence_scan([("email",)], [("id",), NAME]))["Items"]
    assert items == [{"id": {"S": "both"}, "name": {"S": "Jo"}}]


@pytest.mark.parametrize(
    ("paths", "shown"),
    [
        ([NAME, PHONE], {"name": {"S": "Jo"}, "delivery": {"M": {"phone": {"S": "canary"}}}}),
        ([PHONE, ("delivery",)], {"delivery": {"M": {"phone": {"S": "canary"}}}}),
        ([PHONE, PHONE], {"delivery": {"M": {"phone": {"S": "canary"}}}}),
    ],
    ids=["short and long", "one within another", "one twice"],
)
def test_paths_of_any_length_are_read_together(table: Any, paths: list[Path], shown: dict[str, Any]) -> None:
    """One within another comes with it: DynamoDB refuses paths that overlap."""
    item = table.get_item(TableName="t", Key={"id": {"S": "both"}}, **projection(paths))["Item"]
    assert item == shown


@pytest.mark.parametrize("mark", [None, HELD])
def test_a_mark_that_is_right_is_checked_and_not_written(mark: dict[str, Any] | None) -> None:
    """The business table's stream sees nothing where nothing changes."""
    kind, request = guarded_mark(shipment_ref(), MarkChange(exists=True, seen=mark, right=mark))
    assert kind == "ConditionCheck"
    assert "UpdateExpression" not in request


def test_a_request_without_values_names_none() -> None:
    """DynamoDB refuses an empty map of values; the emulators take it."""
    _, request = guarded_mark(shipment_ref(), MarkChange(exists=True))
    assert "ExpressionAttributeValues" not in request
    _, request = guarded_mark(shipment_ref(), MarkChange(exists=True, right=HELD))
    assert list(request["ExpressionAttributeValues"].values()) == [HELD]
