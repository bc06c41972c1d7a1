"""The sweep's handler as Lambda calls it, on moto: its answer, its log, its metrics."""

import importlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from bench.sweep_function import Context
from tests.builders import contact, contact_ref, left, policy, shipment, shipment_ref
from tests.worlds import AwsBusiness, World, aws_world

LONG_TIME = Context(ends=float("1e9"))
MANUAL, RECURRING = {"v": 1, "cause": "manual"}, {"cause": "recurring"}


@pytest.fixture
def world() -> Iterator[World]:
    """Tables on moto."""
    with mock_aws():
        session = boto3.Session("test", "test", region_name="eu-west-1")
        session.client("events").create_event_bus(Name="lapse")
        yield aws_world(session.client("dynamodb"), session.client("scheduler"))


@pytest.fixture(autouse=True)
def _environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the template makes it."""
    business = world.business
    assert isinstance(business, AwsBusiness)
    settings = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "POWERTOOLS_SERVICE_NAME": uuid4().hex,  # a logger is kept by name, with its output
        "POWERTOOLS_METRICS_NAMESPACE": "Lapse",
        "TABLES": ",".join(f"{logical}={real}" for logical, real in business.tables.items()),
        "FACTS_TABLE": business.facts_table,
        "DUE_TABLE": business.facts_table.replace("facts", "due"),
        "LEDGER_TABLE": business.ledger_table,
        "WAKE_UP_GROUP": business.group,
        "WAKE_UP_ROLE_ARN": "arn:aws:iam::123456789012:role/wake-up",
        "FAILURE_QUEUE_ARN": "arn:aws:sqs:eu-west-1:123456789012:failures",
        "PURGE_FUNCTION_ARN": "arn:aws:lambda:eu-west-1:123456789012:function:lapse-purge",
        "EVENT_BUS_NAME": "lapse",
        "SWEEP_UNITS_PER_SECOND": "0",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


def cold_start() -> ModuleType:
    """The function's module, imported anew."""
    return importlib.reload(importlib.import_module("functions.sweep.app"))


def metrics_in(output: str) -> dict[str, float]:
    """The sums of all metrics, by name and, if there is one, rule."""
    sums: dict[str, float] = {}
    for line in output.splitlines():
        if '"_aws"' in line:
            written = json.loads(line)
            rule = f" {written['rule']}" if "rule" in written else ""
            for metric in written["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                name = metric["Name"] + rule
                sums[name] = sums.get(name, 0) + sum(written[metric["Name"]])
    return sums


def logged(output: str) -> dict[str, Any]:
    """The function's one line."""
    (line,) = (json.loads(line) for line in output.splitlines() if '"message":"swept"' in line)
    return {name: line[name] for name in ("finished", "counts", "failures")}


def test_a_sweep_by_hand(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """It answers and logs what it found; metrics have it by rule, and all together for the alarms."""
    world.business.put(shipment_ref(), shipment())
    world.business.put(shipment_ref("S-2"), shipment("S-2", shipped_at={"S": "canary-soon"}))
    world.business.put(contact_ref(), contact())
    world.take(left(), policy())
    summary = cold_start().handler(MANUAL, LONG_TIME)
    assert summary == {
        "finished": True,
        "counts": {
            "delivery-contact": {"overdue": 1, "without_timer": 1, "implausible": 1},
            "leaver-contact": {"overdue": 1},
        },
        "failures": [],
    }
    output = capsys.readouterr()
    assert logged(output.out) == summary
    metrics = metrics_in(output.out)
    assert metrics.pop("SweepGap") >= 0
    assert metrics == {
        "Sweeps": 1,
        "SweepOverdue": 2,
        "SweepOverdue delivery-contact": 1,
        "SweepOverdue leaver-contact": 1,
        "SweepWithoutTimer": 1,
        "SweepWithoutTimer delivery-contact": 1,
        "SweepImplausible": 1,
        "SweepImplausible delivery-contact": 1,
        **dict.fromkeys(("SweepReAdded", "SweepNoAnchor", "SweepHeld", "SweepWaiting", "SweepObserved"), 0),
    }
    assert "canary" not in output.out + output.err
    assert "S-2" not in output.out + output.err


def test_a_recurring_sweep_that_is_through(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Every five minutes it says how long ago that was, and does not count anything again."""
    world.business.put(shipment_ref(), shipment())
    app = cold_start()
    app.handler(RECURRING, LONG_TIME)
    capsys.readouterr()
    summary = app.handler(RECURRING, LONG_TIME)
    assert summary["finished"]
    metrics = metrics_in(capsys.readouterr().out)
    assert set(metrics) == {"SweepGap"}


def test_another_run_is_at_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Then this one knows nothing, and says nothing that would quiet an alarm."""
    now = datetime.now(UTC)
    assert world.progress.lease(now, now + timedelta(minutes=2))
    assert cold_start().handler(RECURRING, LONG_TIME) == {"finished": False, "counts": {}, "failures": []}
    assert metrics_in(capsys.readouterr().out) == {"SweepsBusy": 1}


def test_a_part_that_fails_fails_the_function(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """After all others were worked; the log names error codes only."""
    assert isinstance(world.business, AwsBusiness)
    world.business.dynamodb.delete_table(TableName=world.business.tables["Shipments"])
    world.business.put(contact_ref(), contact())
    world.take(left(), policy())
    with pytest.raises(ExceptionGroup, match="ResourceNotFoundException"):
        cold_start().handler(MANUAL, LONG_TIME)
    output = capsys.readouterr().out
    assert logged(output) == {
        "finished": False,
        "counts": {},
        "failures": ["ResourceNotFoundException"] * 4,
    }
    assert len(world.standing()) == 1
    assert "SweepGap" in metrics_in(output)
