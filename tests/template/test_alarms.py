"""Every alarm watches a metric that exists, by the very name and dimensions under which it is published."""

from collections.abc import Mapping

import pytest

from tests.template.life import Life, Metric, published_in
from tests.template.translated import Deployment, Resource

NEEDED = {
    "dead letters": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "lapse-dead-letters"}),
    "failures": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "lapse-failures"}),
    "old shipments": ("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": "lapse-shipments"}),
    "old departures": ("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": "lapse-leavers"}),
    "old disputes": ("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": "lapse-disputes"}),
    "old requests": ("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": "lapse-requests"}),
    "purge errors": ("AWS/Lambda", "Errors", {"FunctionName": "lapse-purge"}),
    "sweep errors": ("AWS/Lambda", "Errors", {"FunctionName": "lapse-sweep"}),
    "seal errors": ("AWS/Lambda", "Errors", {"FunctionName": "lapse-seal"}),
    "a ledger that is not sealed": ("Lapse", "SealGap", {"service": "lapse"}),
    "a broken chain": ("Lapse", "BrokenChains", {"service": "lapse"}),
    "an object among the seals that is none": ("Lapse", "ForeignSeals", {"service": "lapse"}),
    "source errors": ("AWS/Lambda", "Errors", {"FunctionName": "lapse-on-source"}),
    "overdue": ("Lapse", "OldestOverdue", {"service": "lapse"}),
    "a silent purge": ("Lapse", "RecurringPurges", {"service": "lapse"}),
    "a sweep that does not come to its end": ("Lapse", "SweepGap", {"service": "lapse"}),
    "the brake": ("Lapse", "Paused", {"service": "lapse"}),
    "expiring holds": ("Lapse", "HoldsExpiring", {"service": "lapse"}),
    "unreadable facts": ("Lapse", "Unreadable", {"service": "lapse"}),
    "implausible anchors": ("Lapse", "Implausible", {"service": "lapse"}),
    "implausible anchors that no event told of": ("Lapse", "SweepImplausible", {"service": "lapse"}),
    "source failures": ("Lapse", "SourceFailures", {"service": "lapse"}),
    "halted": ("Lapse", "Halted", {"service": "lapse"}),
    "wake-ups": ("Lapse", "WakeUpFailed", {"service": "lapse"}),
}


@pytest.mark.parametrize("needed", NEEDED.values(), ids=NEEDED.keys())
def test_there_is_an_alarm_for(own: Deployment, needed: tuple[str, str, Mapping[str, str]]) -> None:
    """Whatever somebody has to look at."""
    namespace, name, dimensions = needed
    assert (namespace, name, frozenset(dimensions.items())) in _watched(own)


def test_lapses_own_metrics_are_published_as_they_are_watched(
    own: Deployment, published: set[Metric]
) -> None:
    """An alarm on a metric that nobody publishes is silent for ever: names and dimensions are the code's."""
    watched = {each for each in _watched(own) if not each[0].startswith("AWS/")}
    assert watched
    assert watched <= published, watched - published


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("OnShipmentFunction", "Implausible"),
        ("PurgeFunction", "OldestOverdue"),
        ("PurgeFunction", "RecurringPurges"),
        ("PurgeFunction", "Paused"),
        ("SweepFunction", "SweepGap"),
        ("SweepFunction", "SweepImplausible"),
        ("SweepFunction", "HoldsExpiring"),
        ("SweepFunction", "Unreadable"),
        ("SealFunction", "SealGap"),
        ("SealFunction", "BrokenChains"),
        ("OnSourceFunction", "SourceFailures"),
    ],
)
def test_what_the_functions_count_in_their_life_is_watched(
    own: Deployment, life: Life, function: str, name: str
) -> None:
    """What went wrong in it really arrives at its alarm."""
    metric = ("Lapse", name, frozenset({("service", "lapse")}))
    assert metric in _watched(own) & published_in(life.metrics[function])


def test_each_purge_and_each_sweep_says_how_late_it_is(life: Life) -> None:
    """Also if nothing is late; otherwise these alarms could not tell well from silent."""
    for function, names in (
        ("PurgeFunction", {"OldestOverdue", "RecurringPurges"}),
        ("SweepFunction", {"SweepGap"}),
        ("SealFunction", {"SealGap"}),
    ):
        said = [blob for blob in life.metrics[function] if names <= blob.keys()]
        assert len(said) == life.invocations[function]
    purges = life.metrics["PurgeFunction"]
    assert max(value for blob in purges for value in blob["OldestOverdue"]) > 900  # while paused


def test_the_prefix_is_the_service_of_the_metrics(everything: Deployment) -> None:
    """Alarms of one stack are not rung by another's metrics."""
    services = {dict(dimensions).get("service") for _, _, dimensions in _watched(everything)} - {None}
    assert services == {"acme"}
    for function in everything.of_type("AWS::Lambda::Function"):
        assert function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == "acme"


LATENESS = {
    "ApproximateAgeOfOldestMessage": 15 * 60,
    "OldestOverdue": 15 * 60,
    "SweepGap": 26 * 3600,
    "SealGap": 26 * 3600,
}
"""The metrics in seconds, and from when on they are alarming. All others are counts."""
HEARTBEATS = {"RecurringPurges", "SweepGap", "SealGap"}
"""Whose silence is alarming."""


def test_when_alarms_ring(any_stack: Deployment) -> None:
    """At one occurrence, or at the declared lateness; at silence only where there must be a sound."""
    for alarm in any_stack.of_type("AWS::CloudWatch::Alarm"):
        name = alarm["MetricName"]
        if name == "RecurringPurges":
            assert (_rings(alarm), _rings(alarm, 1), _rings(alarm, 1, 1, 1)) == (True, False, False)
            continue
        least = LATENESS.get(name, 1)
        assert _rings(alarm) == (name in HEARTBEATS), alarm.id
        assert not _rings(alarm, 0, least - 1), alarm.id
        assert _rings(alarm, 0, least), alarm.id
        assert _rings(alarm, 0, 0, least, 0), alarm.id


def test_a_heartbeat_is_missed_in_time_and_not_too_soon(any_stack: Deployment) -> None:
    """Both beat every five minutes; a run of the sweep can take fifteen, and others say nothing meanwhile."""
    periods = {each["MetricName"]: each["Period"] for each in any_stack.of_type("AWS::CloudWatch::Alarm")}
    assert periods["RecurringPurges"] == 15 * 60
    assert 15 * 60 + 5 * 60 < periods["SweepGap"] <= 3600
    assert any_stack["SweepFunction"]["Timeout"] == 15 * 60
    assert any_stack["RecurringSealRule"]["ScheduleExpression"] == "rate(1 hour)"
    assert 2 * 3600 <= periods["SealGap"] <= 4 * 3600


def _rings(alarm: Resource, *values: float) -> bool:
    """Whether an alarm rings at these values of one period; it looks at one period only."""
    assert alarm["EvaluationPeriods"] == 1
    if not values:
        return bool(alarm["TreatMissingData"] == "breaching")
    assert alarm["Statistic"] in {"Sum", "Maximum"}
    statistic = sum(values) if alarm["Statistic"] == "Sum" else max(values)
    threshold: float = alarm["Threshold"]
    match alarm["ComparisonOperator"]:
        case "GreaterThanOrEqualToThreshold":
            return statistic >= threshold
        case "LessThanThreshold":
            return statistic < threshold
    raise NotImplementedError(alarm["ComparisonOperator"])


def test_alarms_go_to_the_topic(own: Deployment, everything: Deployment) -> None:
    """All of them, if there is one."""
    for alarm in everything.of_type("AWS::CloudWatch::Alarm"):
        assert alarm["AlarmActions"] == ["arn:aws:sns:eu-west-1:111122223333:alarms"]
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
