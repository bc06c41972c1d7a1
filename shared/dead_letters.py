"""Adapter for the dead-letter queue: what no retry can mend goes there at once, whole."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import boto3

from shared.aws import CLIENT_CONFIG, failures_of
from shared.refused import RefusedError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True)
class DeadLetterQueue:
    """The stack's dead-letter queue."""

    url: str

    def keep(self, body: str, refused: RefusedError) -> None:
        """Keep a message with the reason of its refusal, which names a field and no value.

        Raises:
            CallFailedError: it could not be kept; the message is to be delivered again.
        """
        with failures_of("SendMessage"):
            self._client.send_message(
                QueueUrl=self.url,
                MessageBody=body,
                MessageAttributes={"reason": {"DataType": "String", "StringValue": str(refused)}},
            )

    @cached_property
    def _client(self) -> "SQSClient":
        """Made when it is first needed: hardly ever, and not at every cold start."""
        return boto3.client("sqs", config=CLIENT_CONFIG)
