"""`ErasureRequested` events, from their queue: a fact and a timer for each record; the purge erases."""

from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.bus import LazyBus
from shared.config import NewsSettings
from shared.deliveries import Deliveries
from shared.queue_handler import serve, wired
from shared.request_erasure import Ports, request_erasure
from shared.requests import read_request
from shared.tally import Tally
from shared.telling import Telling
from shared.wiring import clock

logger = Logger()
metrics = Metrics()
settings = NewsSettings.from_environment()
own = wired(settings)
bus = LazyBus(settings.event_bus_name)
ports = Ports(own.facts, own.timers, own.wake_ups, bus)


def work(event: object, now: datetime) -> Tally:
    """Work one event."""
    return request_erasure(read_request(event, own.policy, now), Telling(own.policy, now, "event"), ports)


deliveries = Deliveries(work, own.dead_letters, clock)


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take a batch of SQS messages that hold EventBridge events; answers with the failed ones."""
    return serve(event, context, deliveries, logger, metrics)
