"""What the functions that take contract events from a queue have in common: batches with partial failures."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from shared.aws import CLIENT_CONFIG
from shared.business_tables import BusinessTables
from shared.config import EventSettings, policy_for
from shared.contract import read_event
from shared.dead_letters import DeadLetterQueue
from shared.deliveries import Deliveries
from shared.due_table import DueTable
from shared.facts_table import FactsWithEvidence
from shared.failure import code_of
from shared.ledger_table import LedgerTable
from shared.metrics import publish
from shared.policy import Policy
from shared.schedule_deletion import Ports, schedule_deletion
from shared.scheduler import SchedulerWakeUps
from shared.tally import Count, Tally
from shared.telling import Telling
from shared.wiring import clock, wake_ups

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@dataclass(frozen=True)
class Wired:
    """The adapters that such functions have in common."""

    policy: Policy
    records: BusinessTables
    ledger: LedgerTable
    facts: FactsWithEvidence
    timers: DueTable
    wake_ups: SchedulerWakeUps
    dead_letters: DeadLetterQueue


def wired(settings: EventSettings) -> Wired:
    """The adapters, for these settings."""
    dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
    ledger = LedgerTable(dynamodb, settings.ledger_table)
    return Wired(
        policy_for(settings),
        BusinessTables(dynamodb, settings.tables, settings.facts_table),
        ledger,
        FactsWithEvidence(dynamodb, settings.facts_table, ledger, settings.tables),
        DueTable(dynamodb, settings.due_table),
        wake_ups(settings, settings.purge_function_arn),
        DeadLetterQueue(settings.dead_letter_queue_url),
    )


def schedules_deletions(settings: EventSettings) -> Deliveries:
    """How the events that start and stop the clock are worked."""
    own = wired(settings)
    ports = Ports(own.records, own.facts, own.timers, own.wake_ups)

    def work(event: object, now: datetime) -> Tally:
        return schedule_deletion(read_event(event, now), Telling(own.policy, now, "event"), ports)

    return Deliveries(work, own.dead_letters, clock)


def serve(
    event: dict[str, Any], context: "LambdaContext", deliveries: Deliveries, logger: Logger, metrics: Metrics
) -> dict[str, Any]:
    """Work a batch of SQS messages.

    Returns:
        The partial batch response: only the messages that failed are delivered again.
    """
    tallies: list[Tally] = []

    def take(record: SQSRecord) -> None:
        try:
            tallies.append(deliveries.take(record.body))
        except Exception as error:
            tallies.append(Tally.of(Count.FAILED))
            logger.warning("will be tried again", extra={"code": code_of(error)})
            raise

    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    response = process_partial_response(event, take, processor, context)
    tally = Tally.total(tallies)
    tally.add(Count.EVENTS, len(tallies))
    publish(metrics, tally)
    logger.info("events taken", extra={"counts": tally.as_json()})
    return dict(response)
