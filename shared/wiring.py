"""The adapters, put together from a function's settings."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import boto3

from shared.aws import CLIENT_CONFIG
from shared.business_tables import BusinessTables
from shared.config import EventSettings, PurgeSettings, TimerSettings, deployed_policy
from shared.dead_letters import DeadLetterQueue
from shared.deliveries import Deliveries
from shared.due_table import DueTable
from shared.facts_table import FactsTable
from shared.ledger_table import LedgerTable
from shared.purge_due import Ports as PurgePorts
from shared.schedule_deletion import Ports as EventPorts
from shared.scheduler import SchedulerWakeUps

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient


def clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def deliveries(settings: EventSettings) -> Deliveries:
    """What the functions that take events from a queue work with."""
    dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
    scheduler = boto3.client("scheduler", config=CLIENT_CONFIG)
    facts = FactsTable(dynamodb, settings.facts_table)
    records = BusinessTables(dynamodb, settings.tables, settings.facts_table)
    timers = DueTable(dynamodb, settings.due_table)
    ports = EventPorts(records, facts, timers, _wake_ups(scheduler, settings, settings.purge_function_arn))
    queue = DeadLetterQueue(settings.dead_letter_queue_url)
    return Deliveries(deployed_policy(), ports, queue, clock)


def purge_ports(settings: PurgeSettings) -> Callable[[str], PurgePorts]:
    """What the purge works on, once it knows its own ARN, which only its context tells."""
    dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
    scheduler = boto3.client("scheduler", config=CLIENT_CONFIG)
    records = BusinessTables(dynamodb, settings.tables, settings.facts_table)
    facts = FactsTable(dynamodb, settings.facts_table)
    timers = DueTable(dynamodb, settings.due_table)
    ledger = LedgerTable(dynamodb, settings.ledger_table)
    return cache(
        lambda own_arn: PurgePorts(records, facts, timers, ledger, _wake_ups(scheduler, settings, own_arn))
    )


def _wake_ups(
    scheduler: "EventBridgeSchedulerClient", settings: TimerSettings, purge_function_arn: str
) -> SchedulerWakeUps:
    return SchedulerWakeUps(
        scheduler,
        group=settings.wake_up_group,
        role_arn=settings.wake_up_role_arn,
        purge_function_arn=purge_function_arn,
        failure_queue_arn=settings.failure_queue_arn,
    )
