"""What the functions that take contract events from a queue have in common: batches with partial failures."""

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics

from shared.deliveries import Deliveries
from shared.failure import CallFailedError
from shared.metrics import publish
from shared.tally import Count, Tally

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def serve(
    event: dict[str, Any], _context: "LambdaContext", deliveries: Deliveries, logger: Logger, metrics: Metrics
) -> dict[str, Any]:
    """Work a batch of SQS messages.

    Written out: importing powertools' batch processor would take as long as importing all of pydantic.

    Returns:
        The partial batch response: only the messages that failed are delivered again.
    """
    tallies: list[Tally] = []
    failed: list[str] = []
    for message in event["Records"]:
        try:
            tallies.append(deliveries.take(message["body"]))
        except Exception as error:  # noqa: BLE001 -- one message must not stop the others; this one comes again
            tallies.append(Tally.of(Count.FAILED))
            failed.append(message["messageId"])
            logger.warning("will be tried again", extra=_failure(error))
    tally = Tally.total(tallies)
    tally.add(Count.EVENTS, len(tallies))
    publish(metrics, tally)
    logger.info("events taken", counts=tally.as_json())
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _failure(error: Exception) -> dict[str, str]:
    """What failed, by name and code: a message might echo a value."""
    if isinstance(error, CallFailedError):
        return {"operation": error.operation, "code": error.code}
    return {"code": type(error).__name__}
