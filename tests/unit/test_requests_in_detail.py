"""Requests in detail: several for one record, what an answer says, and a scheduler that is down."""

from collections.abc import Mapping
from datetime import datetime

import pytest

from shared.answer_requests import Answering
from shared.evidence import Outcome
from shared.failure import CallFailedError
from shared.tally import Count
from tests.builders import policy, requested, shipment, shipment_ref
from tests.memory import Memory, MemoryWakeUps
from tests.worlds import MemoryBusiness, World, memory_world

POLICY = policy()
RECORD = shipment_ref()


def memory_of(world: World) -> Memory:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def asked_twice() -> World:
    """A world with a shipment and two requests for it."""
    world = memory_world()
    world.business.put(RECORD, shipment())
    for request_id in ("R-1", "R-2"):
        world.take(requested(RECORD, request_id=request_id), POLICY)
    return world


def test_one_answer_to_several_requests_names_each() -> None:
    """In evidence, a space between: no request id holds one."""
    world = asked_twice()
    answering = Answering(world.facts, world.bus)
    assert answering.answer(RECORD, Outcome.ERASED, "", world.telling(POLICY)) == 2
    assert world.tellings()[-1] == ("answered", "erased", {"requests": "R-1 R-2"})


@pytest.mark.parametrize(
    ("outcome", "reason", "said"),
    [
        (Outcome.ERASED, "whatever", {"outcome": "erased"}),
        (Outcome.ALREADY_ABSENT, "", {"outcome": "already_absent"}),
        (Outcome.DROPPED, "no_match", {"reason": "no_match"}),
        (Outcome.RECORD_ABSENT, "", {"reason": "record_absent"}),
    ],
)
def test_an_answer_says_what_became_of_it(outcome: Outcome, reason: str, said: Mapping[str, str]) -> None:
    """Of what was carried out the outcome; of a refusal the reason, or else the outcome; and which record."""
    world = asked_twice()
    Answering(world.facts, world.bus).answer(RECORD, outcome, reason, world.telling(POLICY))
    for _, detail in world.business.news():
        assert detail.items() >= said.items()
        assert (detail["table"], detail["key"]) == ("Shipments", {"shipment_id": "S-1001"})


def test_a_request_whose_wake_up_fails_is_begun_all_the_same() -> None:
    """That is counted; the recurring purge serves the timer."""
    world = memory_world()

    class Down(MemoryWakeUps):
        def ensure(self, minute: datetime) -> None:
            raise CallFailedError("CreateSchedule", "InternalServerException")

    world.wake_ups = Down(memory_of(world))
    tally = world.take(requested(RECORD), POLICY)
    assert tally.counts == {Count.REQUESTS: 1, Count.WAKE_UP_FAILED: 1}
    assert len(world.standing()) == 1
