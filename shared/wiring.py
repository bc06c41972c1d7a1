"""What the functions have in common when they put their adapters together: the clock, and the wake-ups."""

from datetime import UTC, datetime

import boto3

from shared.aws import WAKE_UP_CONFIG
from shared.config import TimerSettings
from shared.scheduler import SchedulerWakeUps


def clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def wake_ups(settings: TimerSettings, purge_function_arn: str) -> SchedulerWakeUps:
    """The stack's schedule group, as the alarm clock of the purge."""
    return SchedulerWakeUps(
        boto3.client("scheduler", config=WAKE_UP_CONFIG),
        group=settings.wake_up_group,
        role_arn=settings.wake_up_role_arn,
        purge_function_arn=purge_function_arn,
        failure_queue_arn=settings.failure_queue_arn,
    )
