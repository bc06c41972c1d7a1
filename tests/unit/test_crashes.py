"""A crash or a failure before or after any single port call, then recovery: the same end as undisturbed.

Recovery is what AWS and people do: the queue delivers the event again, the operator repeats the command, and
the next purge or sweep finds what stands. The scenarios are in `tests/crash_scenarios*.py`.
"""

from collections import Counter
from datetime import timedelta
from functools import cache, partial
from typing import Any

import pytest

from shared.failure import CallFailedError
from tests import crash_scenarios, crash_scenarios_of_messages, crash_scenarios_of_runs
from tests.builders import shipment_ref, shipped
from tests.crash_scenarios import POLICY, later, purge, until_all_is_due, with_changes
from tests.crashes import Point, as_parameters, calls_of, points_of, settled
from tests.misbehaving import Crash, Fault, Meanwhile, misbehaving

SCENARIOS = {
    **crash_scenarios.SCENARIOS,
    **crash_scenarios_of_runs.SCENARIOS,
    **crash_scenarios_of_messages.SCENARIOS,
}
CALLS = {name: calls_of(scenario) for name, scenario in SCENARIOS.items()}
POINTS = as_parameters(points_of(SCENARIOS, CALLS))


@cache
def undisturbed(name: str) -> Any:
    return settled(SCENARIOS[name], None)


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_changes_nothing_in_the_end(point: Point) -> None:
    """Wherever a function's process ends, the next delivery, command or run brings it to the same end."""
    fault = Fault(point.number, after=point.after, raises=Crash)
    assert settled(SCENARIOS[point.scenario], fault) == undisturbed(point.scenario)


@pytest.mark.parametrize("point", POINTS)
def test_a_failed_call_changes_nothing_in_the_end(point: Point) -> None:
    """A call that failed, or whose answer was lost, costs nothing but time."""
    fault = Fault(point.number, after=point.after, raises=lambda: CallFailedError("call", "Throttled"))
    assert settled(SCENARIOS[point.scenario], fault) == undisturbed(point.scenario)


def names_with_email(end: dict[str, Any]) -> set[str]:
    return {
        item.get("shipment_id", item.get("contact_id"))["S"]
        for item in end["items"].values()
        if "email" in item
    }


@pytest.mark.parametrize(
    ("name", "with_email", "counts"),
    [
        ("events", {"C-back"}, {"told": 5}),
        ("purge", {"C-back", "S-no-match"}, {"told": 5}),
        ("disputes", {"C-back"}, {"told": 5, "hold_placed": 6, "hold_refused": 1, "hold_released": 1}),
        ("requests", set(), {"told": 5, "requested": 6, "answered": 5}),
        ("corrections", set(), {"told": 5, "corrected": 3}),
        ("pause", {"C-back"}, {"told": 5, "paused": 1}),
        ("resume", {"C-back"}, {"told": 5, "paused": 1, "resumed": 1}),
    ],
)
def test_what_the_undisturbed_runs_end_with(name: str, with_email: set[str], counts: dict[str, int]) -> None:
    """The end that all disturbed runs are compared with is the right one."""
    end = undisturbed(name)
    assert (names_with_email(end), end["timers"]) == (with_email, [])
    assert Counter(word[0] for word in end["words"]) == counts


def test_what_the_undisturbed_runs_say() -> None:
    """Who asked, or disputed too late, was told so."""
    said = {
        name: Counter(kind for kind, *_ in undisturbed(name)["news"]) for name in crash_scenarios.SCENARIOS
    }
    answers = {"ErasureCompleted": 5, "ErasureRefused": 2}
    assert said["requests"] == said["purge of what was asked for"] == answers
    assert said["disputes"] == {"HoldRefused": 1}
    assert said["purge"] == {}


def test_events_in_between_change_nothing() -> None:
    """The interrupted purge and a redelivered event together come to the same end."""
    for call in range(len(CALLS["purge"])):
        world = with_changes()
        with pytest.raises(Crash):
            purge(misbehaving(world, Fault(call, after=True, raises=Crash)))
        world.take(shipped("S-due"), POLICY)
        later(world, days=0.1)
        assert "email" not in (world.business.get(shipment_ref("S-due")) or {"email": 1})


@pytest.mark.parametrize("name", ["releases", "requests", "corrections"])
def test_a_purge_before_the_redelivery_changes_nothing(name: str) -> None:
    """What was begun and not finished is found by a purge that comes first, or by the delivery after it."""
    scenario = SCENARIOS[name]
    for call in range(len(CALLS[name])):
        world = scenario.make()
        with pytest.raises(Crash):
            scenario.act(misbehaving(world, Fault(call, after=True, raises=Crash)))
        later(world, days=0)
        scenario.act(world)
        # That purge went by what was so then: what was corrected later may be gone already.
        any_time: dict[str, Any] = {"gone": []}
        assert until_all_is_due(world) | any_time == undisturbed(name) | any_time


@pytest.mark.parametrize("name", ["events", "releases", "marks", "requests", "corrections"])
def test_a_purge_between_any_two_calls_changes_nothing(name: str) -> None:
    """Nothing that was begun gets lost: whatever a purge does too soon, what comes after brings it back."""
    scenario, compared = SCENARIOS[name], ("items", "facts", "timers", "news")
    for call in range(len(CALLS[name])):
        world = scenario.make()
        world.now += timedelta(seconds=5)
        meanwhile = Meanwhile(call, partial(later, world, days=0))
        scenario.act(misbehaving(world, meanwhile))
        assert meanwhile.calls > call
        end = until_all_is_due(world)
        assert [end[part] for part in compared] == [undisturbed(name)[part] for part in compared]
