"""A deployed Lapse from outside: events in, table contents out."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lapse import project
from shared.ledger_batch import entries_in
from shared.ledger_index import LedgerReader
from shared.record import SHARDS
from tests.e2e.conftest import Deployed

PERIOD = timedelta(days=90)


def now() -> datetime:
    """The time now, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def send(
    deployed: Deployed, source: str, detail_type: str, *details: Mapping[str, Any], bus: str = ""
) -> None:
    """Put events onto the bus."""
    for detail in details:
        entry = {"EventBusName": bus or deployed.outputs["EventBusName"], "Source": source}
        answer = deployed.clients.events.put_events(
            Entries=[{**entry, "DetailType": detail_type, "Detail": json.dumps(detail)}]  # type: ignore[typeddict-item]
        )
        assert answer["FailedEntryCount"] == 0


def put(deployed: Deployed, table: str, item: Mapping[str, Any]) -> None:
    """Write a record as the business system does."""
    deployed.clients.dynamodb.put_item(TableName=table, Item=dict(item))


def get(deployed: Deployed, table: str, **key: str) -> dict[str, Any] | None:
    """Read a record as the business system does."""
    wire: Any = {name: {"S": value} for name, value in key.items()}
    return deployed.clients.dynamodb.get_item(TableName=table, Key=wire, ConsistentRead=True).get("Item")


def rows(deployed: Deployed, table: str) -> list[dict[str, Any]]:
    """All items of a table."""
    pages = deployed.clients.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [dict(item) for page in pages for item in page["Items"]]


def timers(deployed: Deployed) -> dict[tuple[str, ...], str]:
    """Standing timers: the values of the record's key, and when it is due."""
    due = [row for row in rows(deployed, deployed.outputs["DueTableName"]) if "rule" in row]
    return {
        tuple(text for each in row["key"]["M"].values() for text in each.values()): row["due"]["S"]
        for row in due
    }


def evidence(deployed: Deployed) -> list[dict[str, Any]]:
    """All ledger entries."""
    ledger = LedgerReader(deployed.clients.dynamodb, deployed.outputs["LedgerTableName"])
    batches = [batch for shard in range(SHARDS) for batch in ledger.batches(shard)]
    return [dict(kept.entry) for batch in batches for kept in entries_in(batch)]


def outcomes(deployed: Deployed, record_id: str) -> list[str]:
    """The outcomes that the ledger has of a record, in order."""
    return [each["outcome"] for each in evidence(deployed) if f'"{record_id}"' in each["record"]]


def sweep(deployed: Deployed) -> dict[str, dict[str, int]]:
    """Invoke the sweep by hand; what it counted, by rule."""
    answer = deployed.clients.functions.invoke(
        FunctionName=deployed.outputs["SweepFunctionName"], Payload=b"{}"
    )
    summary = json.loads(answer["Payload"].read())
    assert not answer.get("FunctionError"), summary
    assert summary["finished"]
    return dict(summary["counts"])


def lapse(deployed: Deployed, *arguments: str, status: int = 0) -> str:
    """Run the command line as an operator does; what it printed."""
    environment = {**os.environ, **deployed.stack.endpoint.environment(), "LAPSE_STACK": deployed.name}
    command = [str(project.ROOT / "bin" / "lapse"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603 -- the project's own command
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def purge(deployed: Deployed) -> dict[str, Any]:
    """Invoke the purge by hand."""
    answer = deployed.clients.functions.invoke(
        FunctionName=deployed.outputs["PurgeFunctionName"], Payload=b"{}"
    )
    summary = json.loads(answer["Payload"].read())
    assert not answer.get("FunctionError"), summary
    return dict(summary)


def messages(deployed: Deployed, url: str) -> list[tuple[str, str]]:
    """Bodies and reasons of all messages in a queue, left where they are."""
    sqs = deployed.clients.sqs
    found: list[Any] = []
    while batch := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=30
    ).get("Messages"):
        found += batch
    for each in found:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"], VisibilityTimeout=0)
    reasons = [each.get("MessageAttributes", {}).get("reason", {}).get("StringValue", "") for each in found]
    return [(each["Body"], reason) for each, reason in zip(found, reasons, strict=True)]


def schedules(deployed: Deployed) -> Sequence[Mapping[str, Any]]:
    """The standing wake-ups, in full."""
    group, scheduler = deployed.outputs["WakeUpGroupName"], deployed.clients.scheduler
    names = [each["Name"] for each in scheduler.list_schedules(GroupName=group)["Schedules"]]
    return [scheduler.get_schedule(Name=name, GroupName=group) for name in names]


def eventually(happens: Callable[[], object], *, within: float = 60) -> None:
    """Wait until it happens."""
    deadline = time.monotonic() + within
    while not happens():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)
