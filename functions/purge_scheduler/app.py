"""The purge: woken by a wake-up, by the recurring rule or by hand, it erases what is due."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.answer_requests import Answering
from shared.aws import CLIENT_CONFIG
from shared.brake import FactsBrake
from shared.bus import LazyBus
from shared.business_tables import BusinessTables
from shared.config import PurgeSettings, policy_for, policy_text
from shared.due_table import DueTable
from shared.facts_table import FactsWithEvidence
from shared.last_purge import LastPurge
from shared.last_purge_table import LastPurgeTable
from shared.ledger_table import LedgerTable
from shared.metrics import publish
from shared.policy import Policy
from shared.policy_archive import PolicyArchive
from shared.purge_due import PurgeReport, purge_due
from shared.purge_ports import Pace, Ports
from shared.record import SHARDS
from shared.wiring import clock, wake_ups

logger = Logger()
metrics = Metrics()
settings = PurgeSettings.from_environment()
policy = policy_for(settings)
dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
last_purge = LastPurgeTable(dynamodb, settings.due_table)


@cache
def wired(own_arn: str) -> Ports:
    """The adapters, built once for each execution environment; its own ARN only the context tells."""
    ledger = LedgerTable(dynamodb, settings.ledger_table)
    facts = FactsWithEvidence(dynamodb, settings.facts_table, ledger, settings.tables)
    return Ports(
        BusinessTables(dynamodb, settings.tables, settings.facts_table),
        facts,
        DueTable(dynamodb, settings.due_table),
        ledger,
        wake_ups(settings, own_arn),
        FactsBrake(dynamodb, settings.facts_table),
        Answering(facts, LazyBus(settings.event_bus_name)),
    )


@cache
def archived() -> str:
    """The policy's digest, its text archived, once for each execution environment."""
    return PolicyArchive(dynamodb, settings.ledger_table).publish(policy_text(), clock())


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    """Work through what is due; answers with how far it came, and fails if anything failed."""
    archived()  # first: evidence names the policy by its digest
    cause = cause_of(event)
    report = purge(cause, context, policy, wired(context.invoked_function_arn))
    last_purge.note(LastPurge(clock(), cause, report.shards_finished), report.tally)
    publish(metrics, report.tally)
    metrics.add_metric("OldestOverdue", MetricUnit.Seconds, report.oldest_overdue.total_seconds())
    summary = {"shards_finished": report.shards_finished, "shards": SHARDS, "counts": report.tally.as_json()}
    logger.info("purged", extra=summary)
    report.raise_failures()
    return summary


def cause_of(event: dict[str, Any]) -> str:
    """What woke the purge; by hand, unless the event says otherwise."""
    cause = event.get("cause")
    return cause if cause in {"wake-up", "recurring"} else "manual"


def purge(cause: str, context: LambdaContext, policy: Policy, ports: Ports) -> PurgeReport:
    """Run the purge with a worker for each shard, for as long as the function may run."""
    with ThreadPoolExecutor(SHARDS) as workers:
        pace = Pace(
            clock=clock,
            time_left=lambda: timedelta(milliseconds=context.get_remaining_time_in_millis()),
            sleep=lambda pause: time.sleep(pause.total_seconds()),
            side_by_side=workers.map,
        )
        return purge_due(policy, ports, pace, cause)
