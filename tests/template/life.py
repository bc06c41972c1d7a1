"""The functions' own handlers, run on moto with the settings that the translated template gives them.

One life with everything in it that makes a function call AWS: what they call and what they print is recorded.
"""

import contextlib
import importlib
import io
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.kms.models import kms_backends

from tests.template.calls import Call, record_calls
from tests.template.happenings import Invoke, happenings
from tests.template.translated import REGION, Deployment
from tests.worlds import make_table

type Metric = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name, dimensions."""
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}


@dataclass
class Life:
    """What each function, by logical id, called; the metrics it printed; and how often it was invoked."""

    calls: dict[str, list[Call]] = field(default_factory=dict)
    metrics: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    invocations: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Context:
    """What Lambda tells a handler about itself."""

    invoked_function_arn: str
    seconds_left: int
    function_name: str = "function"
    memory_limit_in_mb: int = 512
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> int:
        """The same all the time."""
        return self.seconds_left * 1000


def live(stack: Deployment) -> Life:
    """Live through it."""
    life = Life()
    with mock_aws(), patch.dict("os.environ", _CREDENTIALS):
        _create(stack)
        with _functions(stack, life) as invoke:
            happenings(stack, invoke)
    return life


def _create(stack: Deployment) -> None:
    session = boto3.Session(region_name=REGION)
    for table in stack.of_type("AWS::DynamoDB::Table"):
        kinds = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
        keys = [each["AttributeName"] for each in table["KeySchema"]]
        make_table(session.client("dynamodb"), table.ref, {key: kinds[key] for key in keys})
    for queue in stack.of_type("AWS::SQS::Queue"):
        session.client("sqs").create_queue(QueueName=queue["QueueName"])
    session.client("scheduler").create_schedule_group(Name=stack["WakeUpGroup"].ref)
    kms: Any = session.client("kms")
    for key in stack.of_type("AWS::KMS::Key"):
        made = kms.create_key(KeySpec=key["KeySpec"], KeyUsage=key["KeyUsage"])["KeyMetadata"]
        known: Any = kms_backends[made["AWSAccountId"]][REGION].keys
        known[key.ref] = known[made["KeyId"]]  # moto chooses ids of its own
    where: Any = {"LocationConstraint": REGION}
    for bucket in stack.of_type("AWS::S3::Bucket"):
        session.client("s3").create_bucket(Bucket=bucket.ref, CreateBucketConfiguration=where)
    session.client("events").create_event_bus(Name=stack["EventBus"].ref)


@contextlib.contextmanager
def _functions(stack: Deployment, life: Life) -> Iterator[Invoke]:
    """The functions as Lambda runs them: each with its own settings and modules."""
    loaded: dict[str, Any] = {}

    def invoke(function: str, payload: object, *, seconds_left: int = 300) -> None:
        it, output = stack[function], printed[function]
        calls = life.calls.setdefault(function, [])
        before = len(recorded)
        with _environment(it["Environment"]["Variables"]), contextlib.redirect_stdout(output):
            if function not in loaded:
                loaded[function] = importlib.import_module(it["Handler"].rpartition(".")[0])
            loaded[function].handler(payload, Context(it.arn, seconds_left))
        calls += recorded[before:]
        life.invocations[function] += 1
        life.metrics[function] = metrics_in(output.getvalue())

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


def published_in(blobs: Iterable[Mapping[str, Any]]) -> set[Metric]:
    """The metrics that CloudWatch makes of embedded metric format."""
    return {
        (directive["Namespace"], metric["Name"], frozenset((name, blob[name]) for name in dimensions))
        for blob in blobs
        for directive in blob["_aws"]["CloudWatchMetrics"]
        for dimensions in directive["Dimensions"]
        for metric in directive["Metrics"]
    }
