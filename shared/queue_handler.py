"""What the functions that take contract events from a queue have in common: batches with partial failures."""

from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from shared.aws import CLIENT_CONFIG
from shared.business_tables import BusinessTables
from shared.config import EventSettings, policy_for
from shared.dead_letters import DeadLetterQueue
from shared.deliveries import Deliveries
from shared.due_table import DueTable
from shared.facts_table import FactsTable
from shared.failure import code_of
from shared.metrics import publish
from shared.schedule_deletion import Ports
from shared.tally import Count, Tally
from shared.wiring import clock, wake_ups

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def deliveries(settings: EventSettings) -> Deliveries:
    """What a function works its messages with."""
    dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
    ports = Ports(
        BusinessTables(dynamodb, settings.tables, settings.facts_table),
        FactsTable(dynamodb, settings.facts_table),
        DueTable(dynamodb, settings.due_table),
        wake_ups(settings, settings.purge_function_arn),
    )
    return Deliveries(policy_for(settings), ports, DeadLetterQueue(settings.dead_letter_queue_url), clock)


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
