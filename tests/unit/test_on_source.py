"""The way in for foreign events: what goes out, what is counted, and that the payload goes nowhere."""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from moto import mock_aws

from functions.on_source import app
from shared.failure import CallFailedError
from shared.sources import ContractEvent
from shared.sources_file import read_sources, shipped_sources

SAMPLES = Path(__file__).parents[2] / "events" / "sources"
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


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[LambdaContext]:
    """The function's environment, told to log its events, which it must not."""
    del capsys  # named so that it is set up first: the logger's stream is the one that it watches
    monkeypatch.setattr(app.logger.registered_handler, "stream", sys.stdout)
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    monkeypatch.delenv("POWERTOOLS_DEV", raising=False)
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("EVENT_BUS_NAME", "lapse-test")
    monkeypatch.setattr(app.metrics, "namespace", "Lapse")
    monkeypatch.setattr(app.metrics, "service", "on_source")
    app.wired.cache_clear()
    with mock_aws():
        boto3.client("events").create_event_bus(Name="lapse-test")
        context = SimpleNamespace(
            function_name="on_source",
            memory_limit_in_mb=256,
            invoked_function_arn="arn:aws:lambda:eu-west-1:111122223333:function:on_source",
            aws_request_id="00000000-0000-4000-8000-000000000000",
        )
        yield cast("LambdaContext", context)
    app.wired.cache_clear()


def metric_lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if '"_aws"' in line]


def personal(event: dict[str, Any]) -> dict[str, Any]:
    detail = event["detail"] | {"email": CANARIES[0], "billing": {"name": CANARIES[1], "phone": CANARIES[2]}}
    return event | {"detail": detail}


@pytest.mark.parametrize(
    "spoil", [{}, {"id": CANARIES[0]}, {"date_completed_gmt": CANARIES[1]}, {"status": CANARIES[2]}]
)
def test_the_handler_says_nothing_of_the_payload(
    deployed: LambdaContext, capsys: pytest.CaptureFixture[str], spoil: dict[str, object]
) -> None:
    """Neither log nor metrics hold anything of the payload, whatever becomes of it."""
    event = personal(sample("woocommerce-order-completed"))
    event["detail"] |= spoil
    assert sum(app.handler(event, deployed).values()) == 1
    output = "".join(capsys.readouterr())
    assert "foreign event taken" in output
    assert not [canary for canary in CANARIES if canary in output]


def test_metrics_have_a_sum_for_alarms(deployed: LambdaContext, capsys: pytest.CaptureFixture[str]) -> None:
    """Each count is written by its dimensions, and by service alone, on which an alarm can stand."""
    app.handler(sample("shipstation-ship-notify.nothing"), deployed)
    (line,) = metric_lines(capsys.readouterr().out)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert sorted(map(sorted, directive["Dimensions"])) == [["reason", "service", "source"], ["service"]]
    expected = {"source": "shipstation-ship-notify", "reason": "needs_fetch", "service": "on_source"}
    assert line["SourceFailures"] == [1.0]
    assert expected.items() <= line.items()


def test_a_lost_bus_raises_without_the_payload(
    deployed: LambdaContext, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the Lambda runtime prints of the error, its text and its causes, holds nothing of the payload."""
    monkeypatch.setenv("EVENT_BUS_NAME", "bus that is\nnone")
    app.wired.cache_clear()
    with pytest.raises(CallFailedError) as caught:
        app.handler(personal(sample("woocommerce-order-completed")), deployed)
    assert caught.value.__suppress_context__
    output = "".join(capsys.readouterr()) + str(caught.value) + repr(caught.value)
    assert not [canary for canary in (*CANARIES, "7301") if canary in output]
    (line,) = metric_lines(output)
    assert line["reason"] == "put_failed"
