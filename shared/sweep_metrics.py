"""What a sweep counted as CloudWatch metrics, in the embedded metric format."""

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from shared.found import Counts, Found


def publish_by_rule(metrics: Metrics, counts: Counts) -> None:
    """Publish what a sweep found, with the rule as a dimension; and all rules together, for alarms."""
    for (rule, found), number in counts.items():
        name = metric_of(found)
        with single_metric(
            name, MetricUnit.Count, number, default_dimensions=metrics.dimension_set
        ) as by_rule:
            by_rule.add_dimension("rule", rule)
    for found in Found:
        total = sum(number for (_, each), number in counts.items() if each is found)
        metrics.add_metric(metric_of(found), MetricUnit.Count, total)


def metric_of(found: Found) -> str:
    """The metric's name: `SweepReAdded`."""
    return "Sweep" + found.value.title().replace("_", "")
