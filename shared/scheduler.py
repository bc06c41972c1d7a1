"""Adapter for the wake-ups: one-time schedules, one for each minute that has timers."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from shared.aws import failures_of
from shared.failure import CallFailedError
from shared.instants import to_text

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

FORMAT = 1
"""Version of the input that a wake-up hands to the purge."""
_NAME = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_MOST_REMEMBERED = 10_000


@dataclass
class SchedulerWakeUps:
    """The stack's schedule group, whose schedules invoke the purge and then delete themselves."""

    client: "EventBridgeSchedulerClient"
    group: str
    role_arn: str
    purge_function_arn: str
    failure_queue_arn: str
    _ensured: set[datetime] = field(default_factory=set)

    def ensure(self, minute: datetime) -> None:
        """As `WakeUps.ensure`; what was ensured once is remembered: if it went, the recurring purge is there.

        Raises:
            ValueError: the minute makes no schedule name, which is a programming error.
        """
        if minute in self._ensured:
            return
        name = _name_of(minute)
        if not _NAME.fullmatch(name) or minute.second or minute.microsecond:
            raise ValueError("a wake-up has a whole minute")
        try:
            with failures_of("CreateSchedule"):
                self._create(name, minute)
        except CallFailedError as error:
            if error.code != "ConflictException":  # it is there already
                raise
        if len(self._ensured) >= _MOST_REMEMBERED:
            self._ensured.clear()
        self._ensured.add(minute)

    def stands(self, minute: datetime) -> bool:
        """Whether the purge is to be woken at this minute."""
        try:
            with failures_of("GetSchedule"):
                self.client.get_schedule(GroupName=self.group, Name=_name_of(minute))
        except CallFailedError as error:
            if error.code != "ResourceNotFoundException":
                raise
            return False
        return True

    def _create(self, name: str, minute: datetime) -> None:
        self.client.create_schedule(
            Name=name,
            GroupName=self.group,
            ScheduleExpression=f"at({minute:%Y-%m-%dT%H:%M:%S})",
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": self.purge_function_arn,
                "RoleArn": self.role_arn,
                "Input": json.dumps({"v": FORMAT, "cause": "wake-up", "minute": to_text(minute)}),
                "DeadLetterConfig": {"Arn": self.failure_queue_arn},
            },
        )


def _name_of(minute: datetime) -> str:
    return f"purge-{minute:%Y%m%dT%H%M}"
