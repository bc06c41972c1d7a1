"""`ContactLeft` and `ContactReturned` events, from their queue: facts, timers and wake-ups for leavers."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.config import EventSettings
from shared.queue_handler import schedules_deletions, serve

logger = Logger()
metrics = Metrics()
wired = schedules_deletions(EventSettings.from_environment())


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take a batch of SQS messages that hold EventBridge events; answers with the failed ones."""
    return serve(event, context, wired, logger, metrics)
