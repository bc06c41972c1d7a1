"""A crash before or after any single port call, then recovery: the same end as undisturbed.

Recovery is what AWS does: the queue delivers the event again, and the next purge finds the timers.
"""

from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from shared.failure import CallFailedError
from tests.builders import (
    NOW,
    contact,
    contact_ref,
    delivery_rule,
    leaver_rule,
    left,
    policy,
    returned,
    shipment,
    shipment_ref,
    shipped,
    to_wire_text,
)
from tests.misbehaving import Crash, Fault, misbehaving
from tests.worlds import MemoryBusiness, World, memory_world

NESTED = delivery_rule(erase=(("email",), ("contact_number",), ("gate", "code")))
POLICY = policy(NESTED, leaver_rule())
HELD_UNTIL = NOW + timedelta(days=5)
EVENTS = [
    shipped("S-due"),
    shipped("S-later", NOW - timedelta(days=1)),
    shipped("S-held"),
    shipped("S-absent"),
    shipped("S-no-match"),
    shipped("S-no-anchor"),
    shipped("S-gone"),
    shipped("S-corrected"),
    left("C-left"),
    left("C-back"),
    returned("C-back", NOW - timedelta(days=1)),
]


def with_records() -> World:
    """A record of every kind that a timer may meet."""
    world = memory_world()
    hold = {"M": {"until": {"S": to_wire_text(HELD_UNTIL)}}}
    world.business.put(shipment_ref("S-due"), shipment("S-due"))
    world.business.put(shipment_ref("S-later"), shipment("S-later", shipped_at={"S": to_wire_text(NOW)}))
    world.business.put(shipment_ref("S-held"), shipment("S-held", legal_hold=hold))
    world.business.put(shipment_ref("S-no-match"), shipment("S-no-match"))
    world.business.put(shipment_ref("S-no-anchor"), shipment("S-no-anchor", shipped_at=None))
    world.business.put(shipment_ref("S-gone"), shipment("S-gone", email=None, contact_number=None))
    world.business.put(shipment_ref("S-corrected"), shipment("S-corrected"))
    for contact_id in ("C-left", "C-back"):
        world.business.put(contact_ref(contact_id), contact(contact_id))
    return world


def with_timers() -> World:
    """The same, after the events; then the business system changed two records."""
    world = with_records()
    for event in EVENTS:
        world.take(event, POLICY)
    world.business.put(shipment_ref("S-no-match"), shipment("S-no-match", drop_ship={"BOOL": False}))
    world.business.put(
        shipment_ref("S-corrected"), shipment("S-corrected", shipped_at={"S": to_wire_text(NOW)})
    )
    return world


def take_all(world: World) -> None:
    for event in EVENTS:
        world.take(event, POLICY)


def purge(world: World) -> None:
    world.purge(POLICY).raise_failures()


def later(world: World, days: float) -> None:
    """Time goes on: leases expire, back-offs end."""
    world.now += timedelta(days=days)
    world.purge(POLICY)


def state(world: World) -> dict[str, Any]:
    """All that must be the same in the end; of the evidence only who has some: a crash may repeat it."""
    assert isinstance(world.business, MemoryBusiness)
    memory = world.business.memory
    return deepcopy({
        "items": {record.text: item for record, item in memory.items.items()},
        "facts": {record.text: facts for record, facts in memory.facts.items()},
        "timers": [(timer.sort_key, timer.due) for timer in world.standing()],
        "evidence": {(entry["record"], entry["rule"]) for entry in world.business.entries()},
    })  # fmt: skip


def calls_of(make: Callable[[], World], action: Callable[[World], None]) -> list[str]:
    """The port calls of an undisturbed run, in order."""
    fault = Fault(-1, after=False, raises=Crash)
    action(misbehaving(make(), fault))
    return fault.calls


def settled(
    make: Callable[[], World], action: Callable[[World], None], fault: Fault | None
) -> dict[str, Any]:
    """The state after the action, disturbed or not, its repetition, and the time until all has come due."""
    world = make()
    if fault:
        with suppress(Crash, CallFailedError, ExceptionGroup):
            action(misbehaving(world, fault))
        assert len(fault.calls) > fault.at_call
    if action is take_all:
        take_all(world)
    for days in (0.1, 1, 6, 100):
        later(world, days)
    return state(world)


PURGE_CALLS = calls_of(with_timers, purge)
EVENT_CALLS = calls_of(with_records, take_all)


def crash_points(calls: list[str]) -> list[Any]:
    names = ("before", "after")
    points = [(number, call, after) for number, call in enumerate(calls) for after in (False, True)]
    return [pytest.param(n, after, id=f"{names[after]} {n} {call}") for n, call, after in points]


def test_every_port_call_is_met() -> None:
    """The cases below pass through each call that the use cases can make."""
    purging = {
        "records.look",
        "records.erase",
        "records.has_fields",
        "facts.read",
        "ledger.open",
        "ledger.append",
    }
    timing = {f"timers.{name}" for name in ("ready", "lease", "release", "put", "remove")}
    assert set(PURGE_CALLS) == purging | timing | {"wake_ups.ensure"}
    assert set(EVENT_CALLS) == {"records.look", "facts.read", "facts.tell", "timers.put", "wake_ups.ensure"}


@pytest.mark.parametrize(("call", "after"), crash_points(PURGE_CALLS))
def test_the_purge_crashes(call: int, *, after: bool) -> None:
    """Wherever the purge is interrupted, the next one brings everything to the same end."""
    crashed = settled(with_timers, purge, Fault(call, after=after, raises=Crash))
    assert crashed == settled(with_timers, purge, None)


@pytest.mark.parametrize(("call", "after"), crash_points(EVENT_CALLS))
def test_an_event_handler_crashes(call: int, *, after: bool) -> None:
    """Wherever a handler is interrupted, the event's next delivery brings everything to the same end."""
    crashed = settled(with_records, take_all, Fault(call, after=after, raises=Crash))
    assert crashed == settled(with_records, take_all, None)


@pytest.mark.parametrize(("call", "after"), crash_points(PURGE_CALLS))
def test_a_call_of_the_purge_fails(call: int, *, after: bool) -> None:
    """A failed call, or a lost answer, costs nothing but time."""

    def failing() -> BaseException:
        return CallFailedError("call", "Throttled")

    failed = settled(with_timers, purge, Fault(call, after=after, raises=failing))
    assert failed == settled(with_timers, purge, None)


def test_what_the_undisturbed_run_ends_with() -> None:
    """The end that all runs are compared with is the right one."""
    end = settled(with_timers, purge, None)
    with_email = sorted(name for name, item in end["items"].items() if "email" in item)
    assert len(with_email) == 2
    assert any("C-back" in name for name in with_email)
    assert any("S-no-match" in name for name in with_email)
    assert end["timers"] == []
    assert len(end["evidence"]) == 10


def test_events_in_between_change_nothing() -> None:
    """The interrupted purge and a redelivered event together come to the same end."""
    for call in range(len(PURGE_CALLS)):
        world = with_timers()
        with pytest.raises(Crash):
            purge(misbehaving(world, Fault(call, after=True, raises=Crash)))
        world.take(shipped("S-due"), POLICY)
        later(world, days=0.1)
        item = world.business.get(shipment_ref("S-due"))
        assert item is not None
        assert "email" not in item


@pytest.mark.parametrize(("call", "after"), crash_points(EVENT_CALLS))
def test_a_call_of_an_event_handler_fails(call: int, *, after: bool) -> None:
    """A failed call, or a lost answer, brings the event again, and nothing else."""
    failing = Fault(call, after=after, raises=lambda: CallFailedError("call", "Throttled"))
    assert settled(with_records, take_all, failing) == settled(with_records, take_all, None)
