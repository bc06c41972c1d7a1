"""Foreign events in, contract events out. The payload goes nowhere else: into no log, no queue, no error."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws import CLIENT_CONFIG
from shared.bus import EventBridgeBus
from shared.config import SourceSettings
from shared.failure import CallFailedError
from shared.mapping import map_event
from shared.outgoing import EventBus
from shared.sources import Outcome, Reason, Source
from shared.sources_file import shipped_sources

logger = Logger()
metrics = Metrics()

type Count = Callable[[str, int, dict[str, str]], None]


@cache
def wired() -> tuple[tuple[Source, ...], EventBus]:
    """The entries and the bus, made once for each execution environment."""
    bus_name = SourceSettings.from_environment().event_bus_name
    return shipped_sources(), EventBridgeBus(boto3.client("events", config=CLIENT_CONFIG), bus_name)


# False, not the default: an environment variable could turn the default into logging every payload.
@logger.inject_lambda_context(log_event=False)
def handler(event: object, _context: LambdaContext) -> dict[str, int]:
    """Map one foreign event. Raises only if the stack's bus fails, so that Lambda tries again."""
    counts = relay(event, datetime.now(UTC), *wired(), count)
    logger.info("foreign event taken", counts=counts)
    return counts


def relay(
    event: object, received_at: datetime, sources: Sequence[Source], bus: EventBus, counted: Count
) -> dict[str, int]:
    """Map the event, put what came out, and count what became nothing, by entry and reason.

    Raises:
        CallFailedError: the bus did not take all events.
    """
    outcomes = map_event(event, received_at, sources)
    try:
        bus.put([made for outcome in outcomes for made in outcome.events])
    except CallFailedError:
        lost = [Outcome(each.entry, reasons=(Reason.PUT_FAILED,)) for each in outcomes if each.events]
        _count_all(lost, counted)
        raise
    _count_all(outcomes, counted)
    return {
        "mapped": sum(len(outcome.events) for outcome in outcomes),
        "nothing": sum(reason.expected for outcome in outcomes for reason in outcome.reasons),
        "failed": sum(not reason.expected for outcome in outcomes for reason in outcome.reasons),
    }


def count(metric: str, number: int, dimensions: dict[str, str]) -> None:
    """Write a metric by its dimensions, and once more by service alone, for alarms."""
    for name, value in dimensions.items():
        metrics.add_dimension(name, value)
    metrics.add_dimensions(service=metrics.service)
    metrics.add_metric(metric, MetricUnit.Count, number)
    metrics.flush_metrics()


def _count_all(outcomes: Sequence[Outcome], counted: Count) -> None:
    for outcome in outcomes:
        if outcome.events:
            counted("MappedEvents", len(outcome.events), {"source": outcome.entry})
        for reason, number in Counter(outcome.reasons).items():
            by = (
                {"reason": reason.value}
                if reason.expected
                else {"source": outcome.entry, "reason": reason.value}
            )
            counted("NothingMapped" if reason.expected else "SourceFailures", number, by)
