"""A crash or a failure at any single port call of a sweep: after the next runs all is as if undisturbed."""

from contextlib import suppress
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from shared.facts import FactKind, Facts
from shared.failure import CallFailedError
from shared.found import Found
from tests.builders import (
    LONG_AGO,
    NOW,
    contact,
    contact_ref,
    delivery_rule,
    left,
    opened,
    policy,
    requested,
    shipment,
    shipment_ref,
    to_wire_text,
)
from tests.misbehaving import Crash, Fault, misbehaving
from tests.worlds import MemoryBusiness, World, memory_world

POLICY = policy(
    delivery_rule(),
    delivery_rule(id="fax", erase=(("fax",),), retain=timedelta(days=30)),
    *policy().rules[1:],
)
SPENT = Facts(version=1, instants={FactKind.LEFT: frozenset({NOW - 2 * POLICY.ledger_retain})})
NEXT_RUNS = 3


def memory_of(world: World) -> Any:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def with_records() -> World:
    """A record of each kind that a sweep may meet, and no timer."""
    world = memory_world()
    soon = {"shipped_at": {"S": to_wire_text(NOW - timedelta(days=89))}}
    lapsed = {"legal_hold": {"M": {"until": {"S": to_wire_text(LONG_AGO)}}}}
    items: dict[str, dict[str, Any]] = {
        "due": {},
        "soon": soon,
        "fax": {"fax": {"S": "1"}},
        "lapsed": lapsed,
        "held": {},
        "asked": {},
    }
    for name, changes in items.items():
        world.business.put(shipment_ref(name), shipment(name, **changes))
    world.business.put(contact_ref("left"), contact("left"))
    world.take(opened("held"), POLICY)
    world.business.put(shipment_ref("held"), shipment("held"))  # the mark is gone
    world.take(left("left"), POLICY)
    world.purge(POLICY)
    world.business.put(contact_ref("left"), contact("left"))  # the fields are back
    world.take(requested(shipment_ref("asked"), shipment_ref("gone"), requested_at=LONG_AGO), POLICY)
    memory_of(world).facts[contact_ref("forgotten")] = SPENT
    memory_of(world).timers.clear()
    return world


def state(world: World) -> dict[str, Any]:
    """All that must be the same in the end. Wake-ups and repeated news are hints, so they may differ."""
    memory = memory_of(world)
    assert memory.sweep is not None
    assert memory.sweep.finished is not None
    counts = {key: n for key, n in memory.sweep.counts.items() if key[1] is not Found.WITHOUT_TIMER}
    return deepcopy({
        "items": {record.text: item for record, item in memory.items.items()},
        "facts": {record.text: facts for record, facts in memory.facts.items()},
        "timers": [(timer.sort_key, timer.due) for timer in world.standing()],
        "news": {str(event) for event in memory.news},
        "counts": counts,
    })  # fmt: skip


def settled(fault: Fault | None) -> dict[str, Any]:
    """The state after a sweep, disturbed or not, and the next runs."""
    world = with_records()
    if fault:
        with suppress(Crash, CallFailedError):
            misbehaving(world, fault).sweep(POLICY, by_hand=False)
        assert len(fault.calls) > fault.at_call
    for _ in range(NEXT_RUNS):
        world.sweep(POLICY, by_hand=False).raise_failures()
        world.now += timedelta(minutes=5)
    return state(world)


def calls_of_a_sweep() -> list[str]:
    """The port calls of an undisturbed run, in order."""
    fault = Fault(-1, after=False, raises=Crash)
    misbehaving(with_records(), fault).sweep(POLICY)
    return fault.calls


CALLS = calls_of_a_sweep()
UNDISTURBED = settled(None)


def fault_points() -> list[Any]:
    names = ("before", "after")
    points = [(number, call, after) for number, call in enumerate(CALLS) for after in (False, True)]
    return [pytest.param(n, after, id=f"{names[after]} {n} {call}") for n, call, after in points]


def test_every_port_call_is_met() -> None:
    """The cases below pass through each call that a sweep that is not cut short can make."""
    assert set(CALLS) == {
        *("records.scan", "records.look", "records.has_fields"),
        *("facts.scan", "facts.read", "facts.forget"),
        *("timers.missing", "timers.put", "wake_ups.ensure", "ledger.has_erased", "bus.put"),
        *(f"progress.{name}" for name in ("lease", "read", "begin", "read_parts", "write_part", "finish")),
        "progress.release",
    }


def test_what_the_undisturbed_run_ends_with() -> None:
    """The end that all runs are compared with is the right one."""
    assert len(UNDISTURBED["timers"]) == 9
    assert len(UNDISTURBED["facts"]) == 4
    found = {f"{rule}: {what.value}": number for (rule, what), number in UNDISTURBED["counts"].items()}
    assert found == {
        "delivery-contact: overdue": 4,
        "delivery-contact: waiting": 1,
        "delivery-contact: held": 1,
        "fax: overdue": 1,
        "delivery-erasure: overdue": 1,
        "leaver-contact: overdue": 1,
        "leaver-contact: re_added": 1,
    }
    assert len(UNDISTURBED["news"]) == 3


@pytest.mark.parametrize(("call", "after"), fault_points())
def test_the_sweep_crashes(call: int, *, after: bool) -> None:
    """Wherever it is interrupted, the next runs bring everything to the same end."""
    assert settled(Fault(call, after=after, raises=Crash)) == UNDISTURBED


@pytest.mark.parametrize(("call", "after"), fault_points())
def test_a_call_of_the_sweep_fails(call: int, *, after: bool) -> None:
    """A failed call, or a lost answer, brings the page again, and nothing else."""
    failing = Fault(call, after=after, raises=lambda: CallFailedError("call", "Throttled"))
    assert settled(failing) == UNDISTURBED
