"""An AWS account on moto in which Lapse is deployed and has some history, as a newcomer's demo would have.

The real connection is made to it. CloudFormation and Lambda, which moto would need whole functions for,
answer as the stack's would; so it is where moto answers nothing.
"""

import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import boto3
from moto import mock_aws

from lapse.connection import SHIPPED, connect
from lapse.controls import Controls
from shared.config import deployed_policy
from shared.facts import Hold
from shared.hold_records import place_hold
from shared.instants import DAY
from shared.policy_archive import PolicyArchive
from tests.builders import NOW, contact, contact_ref, left, opened, shipment, shipment_ref, to_wire_text
from tests.worlds import AwsBusiness, World, aws_world, make_table

REGION = "eu-west-1"
SUMMARIES: Mapping[str, Any] = {
    "lapse-purge": {"shards_finished": 16, "shards": 16, "counts": {"Erased": 1}},
    "lapse-sweep": {"finished": True, "counts": {"delivery-contact": {"overdue": 1}}},
    "lapse-seal": {"sealed": 1, "counts": {}, "findings": [], "failures": []},
}

NOT_IN_MOTO = (
    "sqs.ListMessageMoveTasks",
    "dynamodb.DescribeKinesisStreamingDestination",
    "backup.ListRecoveryPointsByResource",
)
"""Calls that are answered with nothing."""


@dataclass(frozen=True)
class Stack:
    """CloudFormation and Lambda of the stack in one."""

    outputs: Mapping[str, str]
    settings: Mapping[str, str]

    def describe_stacks(self, **_: Any) -> Any:
        named = [{"OutputKey": name, "OutputValue": each} for name, each in self.outputs.items()]
        return {"Stacks": [{"Outputs": named}]}

    def get_function_configuration(self, **_: Any) -> Any:
        return {
            "FunctionArn": "arn:aws:lambda:eu-west-1:000000000000:function:lapse-purge",
            "Environment": {"Variables": self.settings},
        }

    def list_event_source_mappings(self, **_: Any) -> Any:
        return {"EventSourceMappings": [{"FunctionArn": "arn:aws:lambda:eu-west-1:1:function:mirror"}]}

    def invoke(self, FunctionName: str, **_: Any) -> Any:  # noqa: N803 -- as boto3 has it
        return {"Payload": io.BytesIO(json.dumps(SUMMARIES[FunctionName]).encode())}


@dataclass(frozen=True)
class Session:
    """A boto3 session, but for what the stack answers itself."""

    stack: Stack
    region_name: str = REGION

    def client(self, service: str, **config: Any) -> Any:
        if service in {"cloudformation", "lambda"}:
            return self.stack
        client: Any = boto3.client(service, **config)  # type: ignore[call-overload]
        for call in NOT_IN_MOTO:
            client.meta.events.register(f"before-call.{call}", _nothing)
        return client


def _nothing(**_: Any) -> Any:
    return mock.Mock(status_code=200), {}


@contextmanager
def deployed() -> Iterator[Controls]:
    """The controls of such an account, at `NOW`."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    environment = {"AWS_DEFAULT_REGION": REGION, **dict.fromkeys(names, "test")}
    with mock.patch.dict(os.environ, environment), mock_aws():
        world = aws_world(boto3.client("dynamodb"), boto3.client("scheduler"))
        assert isinstance(world.business, AwsBusiness)
        _live(world, world.business)
        session: Any = Session(_stack(world.business))
        yield replace(connect("lapse", None, lambda: session), clock=lambda: NOW)


def _live(world: World, business: AwsBusiness) -> None:
    """Shipments and contacts, one of each told of, a hold, a policy; and a table out of a backup."""
    policy = deployed_policy()
    PolicyArchive(business.dynamodb, business.ledger_table).publish(SHIPPED.read_bytes(), NOW - DAY)
    recent = {"S": to_wire_text(NOW - 10 * DAY)}
    for name in ("S-1001", "S-1002"):
        business.put(shipment_ref(name), shipment(name, shipped_at=recent))
    for name in ("C-7", "C-8"):
        business.put(contact_ref(name), contact(name))
    world.take(left("C-7", NOW - 20 * DAY), policy)
    world.take(opened("S-1002"), policy)
    hold = Hold("damaged", "C-9", "staff-7", NOW - DAY, NOW + 10 * DAY)
    place_hold(shipment_ref(), hold, world.telling(policy), world.for_holds)
    make_table(business.dynamodb, "restored-shipments", {"shipment_id": "S"})
    business.dynamodb.put_item(TableName="restored-shipments", Item=shipment("S-1003", shipped_at=recent))


def _stack(business: AwsBusiness) -> Stack:
    queues = boto3.client("sqs")
    dead, failures = (queues.create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "failures"))
    boto3.client("events").create_event_bus(Name="bus")
    place: Any = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
    boto3.client("s3").create_bucket(Bucket="lapse-seals", **place)
    outputs = {
        "PurgeFunctionName": "lapse-purge",
        "SweepFunctionName": "lapse-sweep",
        "SealFunctionName": "lapse-seal",
        "SealBucketName": "lapse-seals",
        "DeadLetterQueueUrl": dead,
        "FailureQueueUrl": failures,
    }
    settings = {
        "TABLES": ",".join(f"{name}={real}" for name, real in business.tables.items()),
        "FACTS_TABLE": business.facts_table,
        "DUE_TABLE": business.due_table,
        "LEDGER_TABLE": business.ledger_table,
        "EVENT_BUS_NAME": "bus",
        "WAKE_UP_GROUP": business.group,
        "WAKE_UP_ROLE_ARN": "arn:aws:iam::000000000000:role/wake-up",
        "FAILURE_QUEUE_ARN": "arn:aws:sqs:eu-west-1:000000000000:failures",
    }
    return Stack(outputs, settings)
