"""The dashboard shows figures that exist, all alarms, and nothing behind something else."""

import json
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import pytest

from tests.template.life import Metric
from tests.template.translated import ACCOUNT, REGION, Deployment


@pytest.fixture(scope="module")
def widgets(own: Deployment) -> list[Mapping[str, Any]]:
    """Its widgets, as CloudWatch reads them."""
    (dashboard,) = own.of_type("AWS::CloudWatch::Dashboard")
    shown: list[Mapping[str, Any]] = json.loads(dashboard["DashboardBody"])["widgets"]
    return shown


def test_each_figure_of_lapse_is_published(widgets: list[Mapping[str, Any]], published: set[Metric]) -> None:
    """A graph of a metric that nobody publishes is empty for ever, and looks like peace."""
    shown = {each for each in _metrics(widgets) if each[0] == "Lapse"}
    assert {name for _, name, _ in shown} >= {
        "OldestOverdue",
        "SweepOverdue",
        "SweepHeld",
        "Erased",
        "Paused",
    }
    assert shown <= published, shown - published


def test_each_figure_of_aws_is_of_a_resource_of_the_stack(
    widgets: list[Mapping[str, Any]], own: Deployment
) -> None:
    """Each queue in which something can wait, and each function."""
    shown = {
        dimension for name, _, pairs in _metrics(widgets) if name.startswith("AWS/") for dimension in pairs
    }
    queues = {("QueueName", each["QueueName"]) for each in own.of_type("AWS::SQS::Queue")}
    functions = {("FunctionName", each.ref) for each in own.of_type("AWS::Lambda::Function")}
    assert shown == queues | functions


def test_all_alarms_are_on_it(any_stack: Deployment) -> None:
    """Also those of the next function."""
    (dashboard,) = any_stack.of_type("AWS::CloudWatch::Dashboard")
    widgets = json.loads(dashboard["DashboardBody"])["widgets"]
    (shown,) = [each["properties"]["alarms"] for each in widgets if each["type"] == "alarm"]
    assert sorted(shown) == sorted(each.arn for each in any_stack.of_type("AWS::CloudWatch::Alarm"))
    assert all(arn.startswith(f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:") for arn in shown)


def test_nothing_lies_behind_something_else(widgets: list[Mapping[str, Any]]) -> None:
    """CloudWatch would show one of the two."""
    assert all(each["x"] + each["width"] <= 24 for each in widgets)
    for one, other in combinations(widgets, 2):
        assert not (_meet(one, other, "x", "width") and _meet(one, other, "y", "height")), (one, other)


def test_each_graph_keeps_its_own_period(own: Deployment) -> None:
    """Or CloudWatch would take one by the range shown, and "erased a day" were erased in an hour."""
    (dashboard,) = own.of_type("AWS::CloudWatch::Dashboard")
    assert json.loads(dashboard["DashboardBody"])["periodOverride"] == "inherit"


def test_its_address_is_an_output(own: Deployment) -> None:
    """In the stack's own region, by the dashboard's own name."""
    (dashboard,) = own.of_type("AWS::CloudWatch::Dashboard")
    address = own.outputs["DashboardUrl"]
    assert address.startswith(f"https://{REGION}.console.aws.amazon.com/cloudwatch/")
    assert address.endswith(f"name={dashboard['DashboardName']}")


def _metrics(widgets: list[Mapping[str, Any]]) -> Iterator[Metric]:
    for widget in widgets:
        for row in widget["properties"].get("metrics", []):
            namespace, name, *dimensions = [each for each in row if isinstance(each, str)]
            yield namespace, name, frozenset(zip(dimensions[::2], dimensions[1::2], strict=True))


def _meet(one: Mapping[str, Any], other: Mapping[str, Any], begin: str, length: str) -> bool:
    return bool(one[begin] < other[begin] + other[length] and other[begin] < one[begin] + one[length])
