"""The functions' handlers as Lambda calls them, on moto: batches, refusals, failures, logs and metrics."""

import importlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from lapse.demo_records import Maker
from shared.facts import Facts
from shared.facts_table import FactsWithEvidence
from shared.failure import CallFailedError
from shared.last_purge_table import LastPurgeTable
from shared.policy_file import PolicyError
from tests.builders import (
    LONG_AGO,
    closed,
    contact,
    contact_ref,
    event,
    left,
    mark_outdated,
    opened,
    requested,
    shipment,
    shipment_ref,
    shipped,
    to_wire_text,
)
from tests.worlds import AwsBusiness, World, aws_world

EVENTS = Path(__file__).parents[2] / "events"
ACCOUNT = "123456789012"


DONE: dict[str, Any] = {"batchItemFailures": []}


class Context:
    """What Lambda tells a function about itself."""

    function_name = "lapse"
    memory_limit_in_mb = 512
    invoked_function_arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:lapse-purge"
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


@dataclass
class Deployment:
    """The handlers, and what they work on."""

    world: World
    business: AwsBusiness
    queue: str
    news_queue: str

    def dead_letters(self) -> list[tuple[str, str]]:
        """Body and reason of each dead letter."""
        sqs, found = boto3.client("sqs"), []
        while messages := sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            found += [(each["Body"], each["MessageAttributes"]["reason"]["StringValue"]) for each in messages]
        return found

    def news(self) -> list[tuple[str, dict[str, Any]]]:
        """What Lapse said on the bus, and nobody asked for yet."""
        sqs, found = boto3.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=self.news_queue, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            found += [json.loads(each["Body"]) for each in messages]
        return [(each["detail-type"], each["detail"]) for each in found]

    def handler(self, name: str) -> ModuleType:
        """A function's module, imported anew as at a cold start."""
        return importlib.reload(importlib.import_module(f"functions.{name}.app"))


def listen(queue: str) -> None:
    """A bus, of which all that Lapse says goes to this queue."""
    events, arn = boto3.client("events"), f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{queue.rpartition('/')[2]}"
    events.create_event_bus(Name="lapse")
    events.put_rule(Name="news", EventBusName="lapse", EventPattern=json.dumps({"source": ["lapse"]}))
    events.put_targets(Rule="news", EventBusName="lapse", Targets=[{"Id": "news", "Arn": arn}])


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Tables, queue and environment as the template makes them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", uuid4().hex)  # a logger is kept by name, with its output
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Lapse")
    with mock_aws():
        world = aws_world(boto3.client("dynamodb"), boto3.client("scheduler"))
        business, sqs = world.business, boto3.client("sqs")
        assert isinstance(business, AwsBusiness)
        queue, news = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dead-letters", "news"))
        listen(news)
        seals, key = make_seals()
        settings = {
            "TABLES": ",".join(f"{logical}={real}" for logical, real in business.tables.items()),
            "FACTS_TABLE": business.facts_table,
            "DUE_TABLE": business.facts_table.replace("facts", "due"),
            "LEDGER_TABLE": business.ledger_table,
            "WAKE_UP_GROUP": business.group,
            "WAKE_UP_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/wake-up",
            "FAILURE_QUEUE_ARN": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:failures",
            "PURGE_FUNCTION_ARN": Context.invoked_function_arn,
            "DEAD_LETTER_QUEUE_URL": queue,
            "EVENT_BUS_NAME": "lapse",
            "SWEEP_UNITS_PER_SECOND": "0",
            "SEAL_BUCKET": seals,
            "SEAL_KEY_ARN": key,
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield Deployment(world, business, queue, news)


def make_seals() -> tuple[str, str]:
    """The bucket of the seals, by its name, and the key that signs them, by its ARN."""
    place: Any = {"LocationConstraint": "eu-west-1"}
    boto3.client("s3").create_bucket(Bucket="seals", CreateBucketConfiguration=place)
    key = boto3.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    return "seals", key["KeyMetadata"]["Arn"]


def batch(*bodies: object) -> dict[str, Any]:
    """SQS messages as Lambda delivers them."""
    return {
        "Records": [
            {"messageId": f"m-{number}", "body": body if isinstance(body, str) else json.dumps(body)}
            for number, body in enumerate(bodies)
        ]
    }


def metrics_in(output: str) -> dict[str, float]:
    """The sums of all metrics in the output, by name."""
    sums: dict[str, float] = {}
    for line in output.splitlines():
        if '"_aws"' in line:
            written = json.loads(line)
            for metric in written["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                values = written[metric["Name"]]
                sums[metric["Name"]] = sums.get(metric["Name"], 0) + sum(values)
    return sums


def test_events_become_timers_and_timers_erasures(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole line through real handlers, with its metrics."""
    deployment.business.put(shipment_ref(), shipment())
    deployment.business.put(contact_ref(), contact())
    assert deployment.handler("on_shipment").handler(batch(shipped()), Context()) == DONE
    assert deployment.handler("on_leaver").handler(batch(left()), Context()) == DONE
    summary = deployment.handler("purge_scheduler").handler({"cause": "wake-up"}, Context())
    assert summary == {"shards": 16, "shards_finished": 16, "counts": {"Erased": 2, "Purges": 1}}
    assert deployment.business.get(shipment_ref()) == shipment(contact_number=None, email=None)
    assert "email" not in (deployment.business.get(contact_ref()) or {})
    counted = metrics_in(capsys.readouterr().out)
    assert (counted["Timers"], counted["Facts"], counted["Erased"]) == (2, 1, 2)
    assert counted["SecondsToErase"] > 0


def test_disputes_and_requests_through_their_handlers(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """Held, asked for, released, erased, answered; a dispute that comes too late is told so. With metrics."""
    now = datetime.now(UTC)
    since, until = now - timedelta(days=1), now + timedelta(days=9)
    deployment.business.put(shipment_ref(), shipment(company={"S": "Example Ltd"}))
    on_dispute, purge = deployment.handler("on_dispute"), deployment.handler("purge_scheduler")
    on_request = deployment.handler("on_erasure_request")
    held = opened(opened_at=since, until=until)
    assert on_dispute.handler(batch(held, mark_outdated(shipment_ref())), Context()) == DONE
    assert deployment.handler("on_shipment").handler(batch(shipped()), Context()) == DONE
    assert on_request.handler(batch(requested(shipment_ref(), requested_at=since)), Context()) == DONE
    assert purge.handler({}, Context())["counts"] == {"Held": 2, "Purges": 1}
    assert "legal_hold" in (deployment.business.get(shipment_ref()) or {})
    assert on_dispute.handler(batch(closed(closed_at=now)), Context()) == DONE
    assert purge.handler({}, Context())["counts"]["Answers"] == 1
    left_of_it = shipment(contact_number=None, email=None, name=None)
    assert deployment.business.get(shipment_ref()) == left_of_it
    assert (
        on_dispute.handler(batch(opened(case_ref="CASE-2", opened_at=since, until=until)), Context()) == DONE
    )
    said = [(kind, each.get("request_id", each.get("case_ref"))) for kind, each in deployment.news()]
    assert said == [("ErasureCompleted", "R-1"), ("HoldRefused", "CASE-2")]
    output = capsys.readouterr()
    counted = metrics_in(output.out)
    names = ("HoldsPlaced", "HoldsReleased", "HoldsRefused", "Requests", "Answers")
    assert [counted[name] for name in names] == [1] * 5
    assert "canary" not in output.out + output.err


@pytest.mark.parametrize("name", ["on_dispute", "on_erasure_request"])
def test_malformed_disputes_and_requests_are_dead_lettered(deployment: Deployment, name: str) -> None:
    """At once and whole, with the field's name; the rest of the batch goes on."""
    good = opened(opened_at=datetime.now(UTC), until=datetime.now(UTC) + timedelta(days=1))
    good = good if name == "on_dispute" else requested(shipment_ref())
    bodies = [event(good["detail-type"], {**good["detail"], "v": 2}), shipped(), good]
    assert deployment.handler(name).handler(batch(*bodies), Context()) == DONE
    assert sorted(reason for _, reason in deployment.dead_letters()) == [
        "detail-type: is none that this function takes",
        "v: must be 1",
    ]
    assert (deployment.world.told(shipment_ref()) or Facts()).version > 0


def test_only_the_failed_message_comes_again(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message whose call fails does not stop the others of its batch."""
    app, change = deployment.handler("on_shipment"), FactsWithEvidence.change

    def failing(facts: FactsWithEvidence, record: Any, *others: Any) -> Any:
        if "S-2" in record.text:
            raise CallFailedError("TransactWriteItems", "ThrottlingException")
        return change(facts, record, *others)

    monkeypatch.setattr(FactsWithEvidence, "change", failing)
    response = app.handler(batch(shipped("S-1"), shipped("S-2"), shipped("S-3")), Context())
    assert response == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    response = app.handler(batch(shipped("S-2")), Context())
    assert response == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
    assert [timer.record for timer in deployment.world.standing()] == [
        shipment_ref("S-1"),
        shipment_ref("S-3"),
    ]


def test_what_no_retry_can_mend_is_dead_lettered_at_once(deployment: Deployment) -> None:
    """Whole, with the reason that names a field and no value; the rest of the batch goes on."""
    malformed = [each for each in Maker(datetime.now(UTC)).malformed() if each.event.source == "orders"]
    bodies = [event(each.event.detail_type, each.event.detail) for each in malformed]
    app = deployment.handler("on_shipment")
    assert app.handler(batch(*bodies, "not JSON", shipped()), Context()) == DONE
    seen = deployment.dead_letters()
    bodies_seen = sorted(body for body, _ in seen)
    assert bodies_seen == sorted([*(json.dumps(body) for body in bodies), "not JSON"])
    assert {reason for _, reason in seen} == {"body: is not JSON", *(each.reason for each in malformed)}


def test_a_refused_message_that_cannot_be_kept_comes_again(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost: without a dead-letter queue the message stays in its own."""
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", deployment.queue + "-gone")
    response = deployment.handler("on_shipment").handler(batch("not JSON"), Context())
    assert response == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}


def test_the_purge_fails_aloud_and_says_no_value(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """The function's own failure names error codes only, so that its alarm rings and nothing leaks."""
    deployment.business.put(shipment_ref(), shipment())
    deployment.handler("on_shipment").handler(batch(shipped()), Context())
    boto3.client("dynamodb").delete_table(TableName=deployment.business.tables["Shipments"])
    purge = deployment.handler("purge_scheduler")
    with pytest.raises(ExceptionGroup, match="1 failed: ResourceNotFoundException"):
        purge.handler({"cause": "recurring"}, Context())
    assert metrics_in(capsys.readouterr().out)["Failed"] == 1


def test_the_last_purge_is_noted(deployment: Deployment) -> None:
    """When it ended, what woke it, how far it came. The row is no timer, and in nobody's way."""
    noted = LastPurgeTable(boto3.client("dynamodb"), os.environ["DUE_TABLE"])
    assert noted.read() is None
    purge, before = deployment.handler("purge_scheduler"), datetime.now(UTC)
    for cause in ("recurring", "wake-up"):
        assert purge.handler({"cause": cause}, Context())["shards_finished"] == 16
        last = noted.read()
        assert last is not None
        assert (last.cause, last.shards_finished) == (cause, 16)
        assert before <= last.finished <= datetime.now(UTC)
    assert deployment.world.standing() == []


@pytest.mark.parametrize(
    "damage", [{"v": {"N": "2"}}, {"finished": {"S": "soon"}}, {"shards_finished": {"S": "16"}}, {"v": {}}]
)
def test_a_note_that_cannot_be_read_is_none(deployment: Deployment, damage: dict[str, Any]) -> None:
    """Of another version of Lapse, or broken: the next purge writes it anew."""
    table, client = os.environ["DUE_TABLE"], boto3.client("dynamodb")
    deployment.handler("purge_scheduler").handler({}, Context())
    (row,) = [each for each in client.scan(TableName=table)["Items"] if each["shard"] == {"S": "purge"}]
    kept = {name: value for name, value in {**row, **damage}.items() if value}
    client.put_item(TableName=table, Item=kept)
    assert LastPurgeTable(client, table).read() is None
    deployment.handler("purge_scheduler").handler({}, Context())
    assert LastPurgeTable(client, table).read() is not None


def test_a_purge_that_cannot_be_noted_has_purged(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The note is for people: that it failed is counted, and fails nothing."""
    deployment.business.put(shipment_ref(), shipment())
    deployment.handler("on_shipment").handler(batch(shipped()), Context())
    purge = deployment.handler("purge_scheduler")
    monkeypatch.setattr(purge.last_purge, "_table", "gone")
    summary = purge.handler({}, Context())
    assert summary["counts"] == {"Erased": 1, "Purges": 1, "NoteFailed": 1}
    assert metrics_in(capsys.readouterr().out)["NoteFailed"] == 1


def test_a_setting_that_is_missing_fails_at_the_cold_start(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Required settings have no defaults, and the error shows no other setting's value."""
    monkeypatch.delenv("DUE_TABLE")
    with pytest.raises(ValueError, match="due_table") as raised:
        deployment.handler("on_shipment")
    assert deployment.queue not in str(raised.value)
    assert os.environ["FACTS_TABLE"] not in str(raised.value)


def test_a_rule_without_a_table_fails_at_the_cold_start(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rule's table must be among the settings, or each of its events would fail, one by one."""
    monkeypatch.setenv("TABLES", "Shipments=a, Parcels=b")
    with pytest.raises(PolicyError, match="^leaver-contact.table: "):
        deployment.handler("purge_scheduler")


def test_nothing_personal_is_logged(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither records nor malformed events leave a personal value in logs or metrics."""
    deployment.business.put(shipment_ref(), shipment())
    stray = {"email": "canary-a@example.org", "shipped_at": "canary-b", "note": {"phone": "canary-c"}}
    bodies = [event("ShipmentDispatched", {**shipped()["detail"], **stray}), shipped(), "canary-d not JSON"]
    deployment.handler("on_shipment").handler(batch(*bodies), Context())
    deployment.handler("purge_scheduler").handler({}, Context())
    output = capsys.readouterr()
    assert "purged" in output.out
    assert "canary" not in output.out + output.err


@pytest.mark.parametrize("name", sorted(path.stem for path in EVENTS.glob("*.json")))
def test_the_sample_events_are_taken(deployment: Deployment, name: str) -> None:
    """Each function's sample under events/ is what it is invoked with."""
    response = deployment.handler(name).handler(json.loads((EVENTS / f"{name}.json").read_text()), Context())
    assert response.get("batchItemFailures", []) == []
    assert deployment.dead_letters() == []


def test_the_wake_up_invokes_the_purge_and_says_no_record(deployment: Deployment) -> None:
    """A schedule's name and input hold a minute; its target is the purge, its dead letters have a queue."""
    today = datetime.now(UTC)
    deployment.business.put(shipment_ref(), shipment(shipped_at={"S": to_wire_text(today)}))
    deployment.handler("on_shipment").handler(batch(shipped(at=today), shipped("S-2", LONG_AGO)), Context())
    scheduler = boto3.client("scheduler")
    standing = scheduler.list_schedules(GroupName=deployment.business.group)["Schedules"]
    assert len(standing) == 2
    for each in standing:
        schedule = scheduler.get_schedule(Name=each["Name"], GroupName=deployment.business.group)
        assert "S-" not in json.dumps(schedule, default=str)
        assert schedule["Target"]["Arn"] == Context.invoked_function_arn
        assert schedule["Target"]["DeadLetterConfig"]["Arn"].endswith(":failures")
        assert schedule["ActionAfterCompletion"] == "DELETE"
        assert json.loads(schedule["Target"]["Input"])["cause"] == "wake-up"
