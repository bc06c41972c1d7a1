"""Every alarm watches a metric that exists, by the very name and dimensions under which it is published."""

import io
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from typing import Any
from unittest.mock import patch

import pytest
from aws_lambda_powertools import Metrics

from shared.metrics import publish
from shared.retention import Why
from shared.tally import Count, Tally
from tests.template.life import Life, metrics_in
from tests.template.translated import Deployment

type Metric = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name, dimensions."""
NEEDED = {
    "dead letters": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "lapse-dead-letters"}),
    "failures": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "lapse-failures"}),
    "old shipments": ("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": "lapse-shipments"}),
    "old departures": ("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": "lapse-leavers"}),
    "purge errors": ("AWS/Lambda", "Errors", {"FunctionName": "lapse-purge"}),
    "source errors": ("AWS/Lambda", "Errors", {"FunctionName": "lapse-on-source"}),
    "implausible anchors": ("Lapse", "Implausible", {"service": "lapse"}),
    "source failures": ("Lapse", "SourceFailures", {"service": "lapse"}),
    "halted": ("Lapse", "Halted", {"service": "lapse"}),
    "wake-ups": ("Lapse", "WakeUpFailed", {"service": "lapse"}),
}


@pytest.mark.parametrize("needed", NEEDED.values(), ids=NEEDED.keys())
def test_there_is_an_alarm_for(own: Deployment, needed: tuple[str, str, Mapping[str, str]]) -> None:
    """Whatever somebody has to look at."""
    namespace, name, dimensions = needed
    assert (namespace, name, frozenset(dimensions.items())) in _watched(own)


def test_lapses_own_metrics_are_published_as_they_are_watched(own: Deployment, life: Life) -> None:
    """An alarm on a metric that nobody publishes is silent for ever: names and dimensions are the code's."""
    variables = own["PurgeFunction"]["Environment"]["Variables"]
    everything = Tally.total(Tally.of(count) for count in Count)
    everything.drop(Why.NO_MATCH)
    with patch.dict("os.environ", variables), redirect_stdout(io.StringIO()) as printed:
        metrics = Metrics()
        publish(metrics, everything)
        metrics.flush_metrics()
    published = _published(metrics_in(printed.getvalue()))
    published |= {each for printed_by in life.metrics.values() for each in _published(printed_by)}
    watched = {each for each in _watched(own) if not each[0].startswith("AWS/")}
    assert watched
    assert watched <= published, watched - published


def test_what_the_functions_count_in_their_life_is_watched(own: Deployment, life: Life) -> None:
    """The implausible anchor and the foreign event without an instant really arrive at their alarms."""
    for function, name in (("OnShipmentFunction", "Implausible"), ("OnSourceFunction", "SourceFailures")):
        metric = ("Lapse", name, frozenset({("service", "lapse")}))
        assert metric in _watched(own) & _published(life.metrics[function])


def test_the_prefix_is_the_service_of_the_metrics(everything: Deployment) -> None:
    """Alarms of one stack are not rung by another's metrics."""
    services = {dict(dimensions).get("service") for _, _, dimensions in _watched(everything)} - {None}
    assert services == {"acme"}
    for function in everything.of_type("AWS::Lambda::Function"):
        assert function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == "acme"


def test_alarms_go_to_the_topic(own: Deployment, everything: Deployment) -> None:
    """All of them, if there is one; missing data is no alarm, one occurrence is."""
    for alarm in everything.of_type("AWS::CloudWatch::Alarm"):
        assert alarm["AlarmActions"] == ["arn:aws:sns:eu-west-1:111122223333:alarms"]
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert alarm["EvaluationPeriods"] == 1
        counted = alarm["MetricName"] != "ApproximateAgeOfOldestMessage"
        assert alarm["Threshold"] == 1 if counted else 60 <= alarm["Threshold"] <= 3600
    for alarm in own.of_type("AWS::CloudWatch::Alarm"):
        assert "AlarmActions" not in alarm.properties


def _watched(stack: Deployment) -> set[Metric]:
    return {
        (
            alarm["Namespace"],
            alarm["MetricName"],
            frozenset((each["Name"], each["Value"]) for each in alarm["Dimensions"]),
        )
        for alarm in stack.of_type("AWS::CloudWatch::Alarm")
    }


def _published(blobs: Iterable[Mapping[str, Any]]) -> set[Metric]:
    """The metrics that CloudWatch makes of embedded metric format."""
    return {
        (directive["Namespace"], metric["Name"], frozenset((name, blob[name]) for name in dimensions))
        for blob in blobs
        for directive in blob["_aws"]["CloudWatchMetrics"]
        for dimensions in directive["Dimensions"]
        for metric in directive["Metrics"]
    }
