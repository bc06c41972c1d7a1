"""Adapter for the stack's two dead-letter queues: counted, looked at without their bodies, redriven."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapse.controls import Redriven
from lapse.trouble import TroubleError
from shared.aws import failures_of
from shared.failure import CallFailedError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType
    from mypy_boto3_sqs.type_defs import MessageTypeDef

MOST_LOOKED_AT = 2000
"""Messages of which the reasons are counted; more are not worth the wait."""
_BATCH = 10
_OUT_OF_SIGHT = 60
"""Seconds for which a looked-at message is hidden, lest it be counted twice. It is shown again after."""
_NUMBERS: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
_MANAGES_NO_MOVES = {
    "InvalidAction",
    "UnknownOperation",
    "UnknownOperationException",
    "NotImplemented",
    "501",
}
"""What engines say that have no message move tasks, as AWS has."""
_RUNNING = {"UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation"}


@dataclass(frozen=True)
class StackDeadLetters:
    """As `DeadLetters`: the handlers' queue, and that of rules, schedules, purge and sweep."""

    client: "SQSClient"
    url: str
    failures_url: Callable[[], str]
    """Asked for when it is needed: stacks of older versions do not say it."""

    def count(self) -> int:
        """As `DeadLetters.count`."""
        return self._count(self.url)

    def failures(self) -> int:
        """As `DeadLetters.failures`."""
        return self._count(self.failures_url())

    def reasons(self, advance: Callable[[int], object] = int) -> Mapping[str, int]:
        """As `DeadLetters.reasons`."""
        counts: Counter[str] = Counter()
        seen: dict[str, str] = {}
        try:
            for message in self._looked_at(seen):
                counts[_reason(message)] += 1
                advance(1)
        finally:
            self._show_again(list(seen.values()))
        return counts

    def redrive(self) -> None:
        """As `DeadLetters.redrive`."""
        try:
            with failures_of("StartMessageMoveTask"):
                self.client.start_message_move_task(SourceArn=self._arn())
        except CallFailedError as error:
            if error.code in _MANAGES_NO_MOVES:
                raise TroubleError(
                    f"This SQS moves no messages (StartMessageMoveTask: {error.code}): nothing was redriven.",
                    "The local stack is no full SQS. Send the events again: lapse send EVENT.json.",
                ) from None
            if error.code in _RUNNING:
                raise TroubleError(
                    f"SQS does not start a redrive now ({error.code}).",
                    "Is one running? `lapse dead-letters` shows the last one.",
                ) from None
            raise

    def last_redrive(self) -> Redriven | None:
        """As `DeadLetters.last_redrive`."""
        try:
            with failures_of("ListMessageMoveTasks"):
                found = self.client.list_message_move_tasks(SourceArn=self._arn(), MaxResults=1)
        except CallFailedError as error:
            if error.code in _MANAGES_NO_MOVES or error.code.startswith("AccessDenied"):
                return None  # a remark beside the counts: not worth to go without them
            raise
        for task in found.get("Results", []):
            moved = task.get("ApproximateNumberOfMessagesMoved", 0)
            return Redriven(task.get("Status", ""), moved, task.get("FailureReason", ""))
        return None

    def _count(self, url: str) -> int:
        """Also those that somebody looks at just now: they are there all the same."""
        return sum(map(int, self._attributes(url, *_NUMBERS)))

    def _arn(self) -> str:
        (arn,) = self._attributes(self.url, "QueueArn")
        return arn

    def _attributes(self, url: str, *names: "QueueAttributeNameType") -> list[str]:
        with failures_of("GetQueueAttributes"):
            answer = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return [answer["Attributes"][name] for name in names]

    def _looked_at(self, seen: dict[str, str]) -> "Iterator[MessageTypeDef]":
        """Each message once; `seen` are the receipts of those that are out of sight meanwhile."""
        while len(seen) < MOST_LOOKED_AT:
            with failures_of("ReceiveMessage"):
                answer = self.client.receive_message(
                    QueueUrl=self.url,
                    MaxNumberOfMessages=_BATCH,
                    VisibilityTimeout=_OUT_OF_SIGHT,
                    WaitTimeSeconds=1,  # asks all of SQS's servers: an empty answer means that there is none
                    MessageAttributeNames=["reason"],
                    MessageSystemAttributeNames=["DeadLetterQueueSourceArn"],
                )
            new = [each for each in answer.get("Messages", []) if each["MessageId"] not in seen]
            seen |= {each["MessageId"]: each["ReceiptHandle"] for each in answer.get("Messages", [])}
            if not new:
                return
            yield from new

    def _show_again(self, receipts: list[str]) -> None:
        for start in range(0, len(receipts), _BATCH):
            batch = receipts[start : start + _BATCH]
            with failures_of("ChangeMessageVisibility"):
                self.client.change_message_visibility_batch(
                    QueueUrl=self.url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                        for number, receipt in enumerate(batch)
                    ],
                )


def _reason(message: "MessageTypeDef") -> str:
    """Why it is there: as the handler said, or else that it failed, and in which queue."""
    attributes = message.get("MessageAttributes", {})
    if "reason" in attributes:
        return f"refused: {attributes['reason'].get('StringValue', '')}"
    source = message.get("Attributes", {}).get("DeadLetterQueueSourceArn", "").rpartition(":")[2]
    return f"no reason: failed 5 times{f' ({source})' if source else ''}"
