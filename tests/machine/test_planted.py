"""Each planted bug is noticed, by whom it should be; and the sound program passes the very same steps."""

from collections.abc import Sequence
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shared.policy import Guard
from tests.machine.clients import Client, Troubles
from tests.machine.deployed import deployed
from tests.machine.planted import PLANTED, Planted, Step
from tests.machine.ports import OnPorts, contents
from tests.machine.watching import BETWEEN, Watched
from tests.simulation.oracle import Invariant
from tests.simulation.promises import editions
from tests.worlds import World, aws_world, memory_world

USUAL = editions(Guard.RECORD, None)["usual"]
BY_MACHINE = [name for name, each in PLANTED.items() if each.by]
BY_COMPARISON = [name for name, each in PLANTED.items() if not each.by]


def noticed(bug: Planted) -> set[Invariant]:
    """What the machine's oracle says after the steps."""
    edition = editions(bug.guard, None)["usual"]
    with deployed(edition.policy) as deployment:
        watched = Watched(deployment, edition)
        for each in bug.steps:
            watched.now += BETWEEN
            deployment.troubles.begin(
                each.at,
                lambda others=each.meanwhile: [other.do(watched) for other in others],  # type: ignore[misc]
            )
            each.operation.do(watched)
        if not watched.oracle.violations:
            watched.become_quiet(sweeping=bug.sweeping)
        return {each.invariant for each in watched.oracle.violations}


def ends(steps: Sequence[Step], world: World) -> dict[str, Any]:
    hands = OnPorts(world, USUAL.policy)
    for each in steps:
        each.operation.do(hands)
    return contents(hands)


def is_told_apart(bug: Planted, session: boto3.Session) -> bool:
    """Whether the steps end otherwise on moto, with short pages, than in memory."""
    with mock_aws():
        dynamodb: Any = Client(session.client("dynamodb"), Troubles())
        on_moto = ends(bug.steps, aws_world(dynamodb, session.client("scheduler")))
    return on_moto != ends(bug.steps, memory_world())


@pytest.mark.parametrize("name", BY_MACHINE)
def test_the_machine_notices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the invariant that says what is wrong."""
    bug = PLANTED[name]
    assert noticed(bug) == set()
    bug.plant(monkeypatch)
    assert bug.by in noticed(bug)


@pytest.mark.parametrize("name", BY_COMPARISON)
def test_the_comparison_notices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same steps end otherwise."""
    bug, session = PLANTED[name], boto3.Session("test", "test", region_name="eu-west-1")
    assert not is_told_apart(bug, session)
    bug.plant(monkeypatch)
    assert is_told_apart(bug, session)


def test_each_says_what_is_wrong() -> None:
    """In one line, for the report."""
    assert all(each.what.endswith(".") for each in PLANTED.values())
