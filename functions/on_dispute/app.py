"""`DisputeOpened` and `DisputeClosed` events, from their queue: holds placed, extended and released."""

from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.bus import LazyBus
from shared.config import NewsSettings
from shared.deliveries import Deliveries
from shared.disputes import read_dispute
from shared.hold_records import Ports
from shared.queue_handler import serve, wired
from shared.tally import Tally
from shared.telling import Telling
from shared.wiring import clock
from shared.work_dispute import work_dispute

logger = Logger()
metrics = Metrics()
settings = NewsSettings.from_environment()
own = wired(settings)
ports = Ports(own.records, own.facts, own.ledger, own.timers, own.wake_ups)
bus = LazyBus(settings.event_bus_name)


def work(event: object, now: datetime) -> Tally:
    """Work one event."""
    return work_dispute(read_dispute(event, own.policy, now), Telling(own.policy, now, "event"), ports, bus)


deliveries = Deliveries(work, own.dead_letters, clock)


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take a batch of SQS messages that hold EventBridge events; answers with the failed ones."""
    return serve(event, context, deliveries, logger, metrics)
