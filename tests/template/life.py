"""The functions' own handlers, run on moto with the settings that the translated template gives them.

One life with everything in it that makes a function call AWS: what they call and what they print is recorded.
"""

import contextlib
import importlib
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws

from lapse import project
from shared.ledger_table import LedgerTable
from tests.builders import contact, event, shipment, to_wire_text
from tests.template.calls import Call, record_calls
from tests.template.translated import REGION, Deployment
from tests.worlds import make_table

_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
_NOW = datetime.now(UTC)
LONG_AGO = _NOW - timedelta(days=100)


@dataclass
class Life:
    """What each function, by logical id, called; and the metrics it printed."""

    calls: dict[str, list[Call]] = field(default_factory=dict)
    metrics: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What Lambda tells a handler about itself."""

    invoked_function_arn: str
    function_name: str = "function"
    memory_limit_in_mb: int = 512
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> int:
        """Plenty."""
        return 300_000


type Invoke = Callable[[str, object], None]


def live(stack: Deployment) -> Life:
    """Live through it."""
    life = Life()
    with mock_aws(), patch.dict("os.environ", _CREDENTIALS):
        _create(stack)
        with _functions(stack, life) as invoke:
            _happenings(stack, invoke)
    return life


def _happenings(stack: Deployment, invoke: Invoke) -> None:
    business = boto3.Session(region_name=REGION).client("dynamodb")
    shipments, contacts, ledger = (
        stack[name].ref for name in ("ShipmentsTable", "ContactsTable", "LedgerTable")
    )
    long_ago = {"S": to_wire_text(LONG_AGO)}
    held = {"M": {"until": {"S": to_wire_text(_NOW + timedelta(days=9))}}}
    absent = {"contact_number": None, "email": None}
    for item in (
        shipment("due", shipped_at=long_ago),
        shipment("erased already", shipped_at=long_ago, **absent),
        shipment("held", shipped_at=long_ago, legal_hold=held),
        shipment("implausible", shipped_at={"S": "1970-01-01T00:00:00Z"}),
    ):
        business.put_item(TableName=shipments, Item=item)
    business.put_item(TableName=contacts, Item=contact("left"))

    names = ("due", "erased already", "held", "implausible", "not there yet")
    invoke("OnShipmentFunction", _queued(*map(_shipped, names), "no event at all"))
    invoke("OnLeaverFunction", _queued(_left("left"), "no event at all"))
    business.put_item(TableName=shipments, Item=shipment("not there yet", shipped_at=None))
    invoke("PurgeFunction", {"v": 1, "cause": "recurring"})

    open_ledger = LedgerTable.open
    shards: set[int] = set()

    def overtaken(opened: LedgerTable, shard: int) -> None:
        """Another run appends just after this one has found the end."""
        open_ledger(opened, shard)
        if shard in shards:
            return
        shards.add(shard)
        following = {"shard": {"S": f"{shard:02}"}, "seq": {"N": str(opened._tails[shard] + 1)}}
        business.put_item(TableName=ledger, Item={**following, "batch": {"S": "another"}})

    invoke("OnShipmentFunction", _queued(_shipped("due")))
    with patch.object(LedgerTable, "open", overtaken):
        invoke("PurgeFunction", {"v": 1, "cause": "recurring"})

    for name in ("shopify-order-fulfilled", "okta-user-deactivated"):
        invoke("OnSourceFunction", _foreign(name))
    failing = _foreign("okta-user-deactivated")
    del failing["detail"]["published"]
    invoke("OnSourceFunction", failing)


def _foreign(name: str) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads((project.ROOT / "events" / "sources" / f"{name}.json").read_text())
    return sample


def _shipped(shipment_id: str) -> dict[str, Any]:
    detail = {"shipment_id": shipment_id, "shipped_at": to_wire_text(LONG_AGO)}
    return event("ShipmentDispatched", detail, time=_NOW)


def _left(contact_id: str) -> dict[str, Any]:
    detail = {"contact_id": contact_id, "notified_at": to_wire_text(LONG_AGO)}
    return event("ContactLeft", detail, time=_NOW)


def _queued(*bodies: object) -> dict[str, Any]:
    """A batch as Lambda hands it over."""
    return {
        "Records": [
            {
                "messageId": str(number),
                "body": json.dumps(body) if isinstance(body, dict) else body,
                "eventSource": "aws:sqs",
            }
            for number, body in enumerate(bodies)
        ]
    }


def _create(stack: Deployment) -> None:
    session = boto3.Session(region_name=REGION)
    for table in stack.of_type("AWS::DynamoDB::Table"):
        kinds = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
        keys = [each["AttributeName"] for each in table["KeySchema"]]
        make_table(session.client("dynamodb"), table.ref, {key: kinds[key] for key in keys})
    for queue in stack.of_type("AWS::SQS::Queue"):
        session.client("sqs").create_queue(QueueName=queue["QueueName"])
    session.client("scheduler").create_schedule_group(Name=stack["WakeUpGroup"].ref)
    session.client("events").create_event_bus(Name=stack["EventBus"].ref)


@contextlib.contextmanager
def _functions(stack: Deployment, life: Life) -> Iterator[Invoke]:
    """The functions as Lambda runs them: each with its own settings and modules."""
    loaded: dict[str, Any] = {}

    def invoke(name: str, payload: object) -> None:
        function = stack[name]
        calls = life.calls.setdefault(name, [])
        before = len(recorded)
        with _environment(function["Environment"]["Variables"]), contextlib.redirect_stdout(printed[name]):
            if name not in loaded:
                loaded[name] = importlib.import_module(function["Handler"].rpartition(".")[0])
            loaded[name].handler(payload, Context(function.arn))
        calls += recorded[before:]
        life.metrics[name] = metrics_in(printed[name].getvalue())

    recorded: list[Call] = []
    printed = {function.id: io.StringIO() for function in stack.of_type("AWS::Lambda::Function")}
    modules = {name: it for name, it in sys.modules.items() if name.startswith("functions.")}
    for name in modules:
        del sys.modules[name]
    record_calls(recorded)
    try:
        yield invoke
    finally:
        boto3.DEFAULT_SESSION = None
        for name in [name for name in sys.modules if name.startswith("functions.")]:
            del sys.modules[name]
        sys.modules.update(modules)


def _environment(variables: Mapping[str, str]) -> Any:
    return patch.dict("os.environ", {name: str(value) for name, value in variables.items()})


def metrics_in(printed: str) -> list[dict[str, Any]]:
    """The lines of embedded metric format among what was printed."""
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]
