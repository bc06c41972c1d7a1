"""Events that start a clock, beside the main line: which instant counts, and a scheduler that is down."""

from dataclasses import replace
from datetime import datetime, timedelta

from shared.correct_fact import Correction
from shared.facts import FactKind
from shared.failure import CallFailedError
from shared.tally import Count
from tests.builders import LONG_AGO, NOW, delivery_rule, policy, shipment, shipment_ref, shipped, to_wire_text
from tests.memory import Memory, MemoryWakeUps
from tests.worlds import MemoryBusiness, World, memory_world

DAY = timedelta(days=1)
POLICY = policy()
RECORD = shipment_ref()


def memory_of(world: World) -> Memory:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def test_where_the_records_own_anchor_counts_alone_the_event_does_not() -> None:
    """It says when to look only while the record does not."""
    attribute_alone = policy(delivery_rule(anchor=replace(delivery_rule().anchor, fact=None)))
    world = memory_world()
    world.business.put(RECORD, shipment(shipped_at={"S": to_wire_text(NOW - DAY)}))
    world.take(shipped(at=LONG_AGO), attribute_alone)
    assert [timer.due for timer in world.standing()] == [NOW + 89 * DAY]


def test_an_instant_that_was_taken_back_starts_no_clock() -> None:
    """Told again it is known to be wrong: there is no anchor, and no timer is set."""
    world = memory_world()
    world.business.put(RECORD, shipment(shipped_at=None))
    world.take(shipped(), POLICY)
    world.correct(RECORD, Correction(FactKind.SHIPPED, LONG_AGO, None, "staff-6"), POLICY)
    memory_of(world).timers.clear()
    assert world.take(shipped(), POLICY).dropped == {"no_anchor": 1}
    assert world.standing() == []


def test_a_timer_whose_wake_up_fails_stands() -> None:
    """That is counted; the recurring purge serves it."""
    world = memory_world()
    world.business.put(RECORD, shipment())

    class Down(MemoryWakeUps):
        def ensure(self, minute: datetime) -> None:
            raise CallFailedError("CreateSchedule", "InternalServerException")

    world.wake_ups = Down(memory_of(world))
    assert world.take(shipped(), POLICY).counts == {Count.TIMERS: 1, Count.WAKE_UP_FAILED: 1}
    assert len(world.standing()) == 1
