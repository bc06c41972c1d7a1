"""The usual way, for comparison: one schedule for each record, with the record's key in its input.

Honest but minimal: it looks before it erases and guards what it read, and its schedules delete themselves. It
keeps no evidence, knows no holds and no departures, and nothing finds a record whose schedule was lost.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bench.place import RETAIN, Case

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

_FUNCTION = "arn:aws:lambda:eu-west-1:000000000000:function:erase"
_ROLE = "arn:aws:iam::000000000000:role/erase"


@dataclass(frozen=True)
class UsualWay:
    """Takes shipments, and erases one record for each invocation."""

    dynamodb: "DynamoDBClient"
    scheduler: "EventBridgeSchedulerClient"
    table: str
    group: str

    def take(self, case: Case) -> None:
        """Make the record's schedule."""
        shipment_id = case.record.key["shipment_id"]["S"]
        due = datetime.fromisoformat(case.item["shipped_at"]["S"]) + RETAIN
        self.scheduler.create_schedule(
            Name=f"erase-{hashlib.sha256(shipment_id.encode()).hexdigest()[:40]}",
            GroupName=self.group,
            ScheduleExpression=f"at({due + timedelta(seconds=59):%Y-%m-%dT%H:%M:00})",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={"Arn": _FUNCTION, "RoleArn": _ROLE, "Input": json.dumps({"shipment_id": shipment_id})},
        )

    def invoke(self, schedule_input: str, now: datetime) -> bool:
        """Erase one record if it is due, as its schedule's invocation does; says whether."""
        key = {"shipment_id": {"S": json.loads(schedule_input)["shipment_id"]}}
        item = self.dynamodb.get_item(
            TableName=self.table,
            Key=key,
            ConsistentRead=True,
            ProjectionExpression="drop_ship, shipped_at",
        ).get("Item")
        if not item or item["drop_ship"] != {"BOOL": True}:
            return False
        if datetime.fromisoformat(item["shipped_at"]["S"]) + RETAIN > now:
            return False
        self.dynamodb.update_item(
            TableName=self.table,
            Key=key,
            UpdateExpression="REMOVE contact_number, email",
            ConditionExpression="attribute_exists(shipment_id) AND drop_ship = :match AND shipped_at = :seen",
            ExpressionAttributeValues={":match": {"BOOL": True}, ":seen": item["shipped_at"]},
        )
        return True


def schedule_input(case: Case) -> str:
    """What the record's schedule hands to the function."""
    return json.dumps({"shipment_id": case.record.key["shipment_id"]["S"]})
