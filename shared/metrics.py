"""A tally as CloudWatch metrics, in the embedded metric format."""

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from shared.tally import Tally


def publish(metrics: Metrics, tally: Tally) -> None:
    """Publish what was counted; dropped timers with their reason as a dimension."""
    for count, number in tally.counts.items():
        if number:
            metrics.add_metric(count.value, MetricUnit.Count, number)
    for seconds in tally.seconds_to_erase:
        metrics.add_metric("SecondsToErase", MetricUnit.Seconds, seconds)
    for reason, number in tally.dropped.items():
        with single_metric(
            "Dropped", MetricUnit.Count, number, default_dimensions=metrics.dimension_set
        ) as dropped:
            dropped.add_dimension("reason", reason)
