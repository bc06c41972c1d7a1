"""The way in for foreign events: what goes out, what is counted, and that the payload goes nowhere."""

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from functions.on_source import app
from shared.failure import CallFailedError
from shared.outgoing import ContractEvent
from shared.sources_file import read_sources, shipped_sources

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "events" / "sources"
RECEIVED = datetime(2026, 10, 1, 12, tzinfo=UTC)
CANARIES = ("canary.person@example.com", "Canary Person", "+44 20 7946 0999")
LEFT = b"""
version = 1
[[sources]]
id = "test-left"
match = { source = "webhook/test", detail_type = "left" }
kind = "ContactLeft"
for_each = "detail"
record_id = "item.id"
instant = "item.at"
instant_format = "rfc3339"
"""


class FakeBus:
    """Keeps what is put, or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.events: list[ContractEvent] = []
        self._fails = fails

    def put(self, events: Sequence[ContractEvent]) -> None:
        if self._fails:
            raise CallFailedError("PutEvents", "InternalFailure")
        self.events += events


class Counted(list[tuple[str, int, dict[str, str]]]):
    """Keeps what is counted."""

    def __call__(self, metric: str, number: int, dimensions: dict[str, str]) -> None:
        self.append((metric, number, dimensions))


def sample(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((SAMPLES / f"{name}.json").read_text()))


def leavers(*items: object) -> dict[str, object]:
    return {"source": "webhook/test", "detail-type": "left", "detail": list(items)}


def test_contract_events_go_out_and_are_counted_by_entry() -> None:
    """What a foreign event becomes is put on the stack's bus, and counted."""
    bus, counted = FakeBus(), Counted()
    answer = app.relay(sample("salesforce-contact-left"), RECEIVED, shipped_sources(), bus, counted)
    assert [event.detail["contact_id"] for event in bus.events] == [
        "003SAMPLE00000001A",
        "003SAMPLE00000002A",
    ]
    assert counted == [("MappedEvents", 2, {"source": "salesforce-contact-left"})]
    assert answer == {"mapped": 2, "nothing": 0, "failed": 0}


def test_good_records_go_out_and_bad_ones_are_counted_by_reason() -> None:
    """A bad record neither holds up the others nor raises, since a retry could not mend it."""
    bus, counted = FakeBus(), Counted()
    good = {"id": "C-1", "at": "2026-08-25T10:15:00Z"}
    event = leavers(good, {"id": CANARIES[0]}, {"id": CANARIES[0]}, {"id": "C-2"})
    answer = app.relay(event, RECEIVED, read_sources(LEFT), bus, counted)
    assert [event.detail["contact_id"] for event in bus.events] == ["C-1"]
    assert counted == [
        ("MappedEvents", 1, {"source": "test-left"}),
        ("SourceFailures", 2, {"source": "test-left", "reason": "id_malformed"}),
        ("SourceFailures", 1, {"source": "test-left", "reason": "instant_missing"}),
    ]
    assert answer == {"mapped": 1, "nothing": 0, "failed": 3}


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        ("okta-login.nothing", ("NothingMapped", 1, {"reason": "condition_not_met"})),
        ("shopify-order-test.nothing", ("NothingMapped", 1, {"reason": "ignored"})),
        (
            "shipstation-ship-notify.nothing",
            ("SourceFailures", 1, {"source": "shipstation-ship-notify", "reason": "needs_fetch"}),
        ),
    ],
)
def test_nothing_is_no_error(name: str, counted: tuple[str, int, dict[str, str]]) -> None:
    """An event that becomes nothing is counted, as an everyday matter or as a failure, and never raises."""
    bus, counts = FakeBus(), Counted()
    app.relay(sample(name), RECEIVED, shipped_sources(), bus, counts)
    assert (bus.events, counts) == ([], [counted])


def test_a_failing_bus_raises_a_code_and_is_counted() -> None:
    """Only a failing bus raises, so that Lambda tries again; the error holds a code and nothing else."""
    counted = Counted()
    with pytest.raises(CallFailedError) as caught:
        app.relay(
            sample("woocommerce-order-completed"), RECEIVED, shipped_sources(), FakeBus(fails=True), counted
        )
    assert str(caught.value) == "PutEvents: InternalFailure"
    dimensions = {"source": "woocommerce-order-completed", "reason": "put_failed"}
    assert counted == [("SourceFailures", 1, dimensions)]


DEPLOYED = """
import json, sys
from types import SimpleNamespace
import boto3
from moto import mock_aws
arn = "arn:aws:lambda:eu-west-1:111122223333:function:on_source"
names = {"function_name": "on_source", "invoked_function_arn": arn, "aws_request_id": "1"}
context = SimpleNamespace(memory_limit_in_mb=256, **names)
with mock_aws():
    boto3.client("events").create_event_bus(Name="lapse-test")
    from functions.on_source.app import handler
    for event in json.load(sys.stdin):
        handler(event, context)
"""


def run_deployed(*events: object, bus: str = "lapse-test") -> subprocess.CompletedProcess[str]:
    """Run the handler in a process of its own, told to log its events, which it must not."""
    environment = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "EVENT_BUS_NAME": bus,
        "POWERTOOLS_LOGGER_LOG_EVENT": "true",
        "POWERTOOLS_METRICS_NAMESPACE": "Lapse",
        "POWERTOOLS_SERVICE_NAME": "on_source",
    }
    command = [sys.executable, "-c", DEPLOYED]
    given = json.dumps(events)
    return subprocess.run(  # noqa: S603 -- this very interpreter
        command, cwd=ROOT, env=environment, input=given, capture_output=True, text=True, check=False
    )


def metric_lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if '"_aws"' in line]


def personal(event: dict[str, Any], **spoilt: object) -> dict[str, Any]:
    billing = {"name": CANARIES[1], "phone": CANARIES[2]}
    return event | {"detail": event["detail"] | {"email": CANARIES[0], "billing": billing} | spoilt}


def test_the_handler_says_nothing_of_the_payload() -> None:
    """Neither log nor metrics hold anything of the payload, whatever becomes of it."""
    order = sample("woocommerce-order-completed")
    events = [
        personal(order),
        personal(order, id=CANARIES[0]),
        personal(order, date_completed_gmt=CANARIES[1]),
        personal(order, status=CANARIES[2]),
        personal(order) | {"source": CANARIES[1]},
        personal(order) | {"detail-type": [CANARIES[1]]},
        CANARIES[1],
    ]
    ran = run_deployed(*events)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.count('"message":"foreign event taken"') == len(metric_lines(ran.stdout)) == len(events)
    assert not [canary for canary in (*CANARIES, "7301") if canary in ran.stdout]


def test_metrics_have_a_sum_for_alarms() -> None:
    """Each count is written by its dimensions, and by service alone, on which an alarm can stand."""
    (line,) = metric_lines(run_deployed(sample("shipstation-ship-notify.nothing")).stdout)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert sorted(map(sorted, directive["Dimensions"])) == [["reason", "service", "source"], ["service"]]
    expected = {"source": "shipstation-ship-notify", "reason": "needs_fetch", "service": "on_source"}
    assert line["SourceFailures"] == [1.0]
    assert expected.items() <= line.items()


def test_a_lost_bus_raises_without_the_payload() -> None:
    """What is printed of the error, its text and its causes, holds nothing of the payload."""
    ran = run_deployed(personal(sample("woocommerce-order-completed")), bus="none")
    assert (
        ran.stderr.splitlines()[-1] == "shared.failure.CallFailedError: PutEvents: ResourceNotFoundException"
    )
    assert not [canary for canary in (*CANARIES, "7301", "botocore") if canary in ran.stdout + ran.stderr]
    (line,) = metric_lines(ran.stdout)
    assert line["reason"] == "put_failed"
