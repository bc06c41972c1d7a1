"""A use case that is disturbed at one port call, then recovers: it must end as if it had not been."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from shared.failure import CallFailedError
from tests.misbehaving import Crash, Fault, misbehaving
from tests.worlds import World


@dataclass(frozen=True)
class Scenario:
    """What is disturbed, in which world; how it recovers; and all that must be the same in the end."""

    use_case: str
    make: Callable[[], World]
    act: Callable[[World], object]
    end: Callable[[World], Any]
    """Lets everything run that comes by itself, and says what is there then."""
    is_repeated: bool = True
    """Whether a queue or an operator does it again if it fails; else what comes by itself is the recovery."""


@dataclass(frozen=True)
class Point:
    """One call of a scenario's undisturbed run."""

    scenario: str
    number: int
    call: str
    after: bool


def calls_of(scenario: Scenario) -> list[str]:
    """The port calls of an undisturbed run, in order."""
    fault = Fault(-1, after=False, raises=Crash)
    scenario.act(misbehaving(scenario.make(), fault))
    return fault.calls


def settled(scenario: Scenario, fault: Fault | None) -> Any:
    """The end after the act, disturbed or not, and its repetition.

    An act that says nothing of its failure is not repeated: nobody would know that it should be.
    """
    world, seems_done = scenario.make(), False
    if fault:
        with suppress(Crash, CallFailedError, ExceptionGroup):
            scenario.act(misbehaving(world, fault))
            seems_done = True
        assert len(fault.calls) > fault.at_call
    if scenario.is_repeated and not seems_done:
        scenario.act(world)
    return scenario.end(world)


def points_of(scenarios: Mapping[str, Scenario], calls: Mapping[str, Iterable[str]]) -> Iterator[Point]:
    """Before and after each call. A purge reads all shards: to disturb that in one scenario is enough."""
    for name in scenarios:
        for number, call in enumerate(calls[name]):
            if call == "timers.ready" and name != "purge":
                continue
            yield Point(name, number, call, after=False)
            yield Point(name, number, call, after=True)


def as_parameters(points: Iterable[Point]) -> list[Any]:
    """The points, with names that say where to look."""
    return [
        pytest.param(
            each, id=f"{each.scenario}: {'after' if each.after else 'before'} {each.number} {each.call}"
        )
        for each in points
    ]
