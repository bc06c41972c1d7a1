"""Sweeps, replays of restored tables and rebuilding of Facts, to be disturbed."""

from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from shared.facts import FactKind, Facts
from shared.failure import raise_all
from shared.found import Found
from shared.ledger_batch import Batch
from shared.rebuild_facts import Ports as RebuildPorts
from shared.rebuild_facts import pause_again, rebuild
from shared.record import RecordRef
from shared.replay import Pace, replay
from shared.replay import Ports as ReplayPorts
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
from tests.crash_scenarios import CORRECTIONS, DAY, DISPUTES, EVENTS, REQUESTS, state, take, with_records
from tests.crash_scenarios import POLICY as FUNCTIONS_POLICY
from tests.crashes import Scenario
from tests.memory import Memory, MemoryFacts, MemoryTables
from tests.operators import ReadLedger
from tests.worlds import MemoryBusiness, World, memory_world

POLICY = policy(
    delivery_rule(),
    delivery_rule(id="fax", erase=(("fax",),), retain=timedelta(days=30)),
    *policy().rules[1:],
)
SPENT = Facts(version=1, instants={FactKind.LEFT: frozenset({NOW - 2 * POLICY.ledger_retain})})
NEXT_RUNS = 3
LONG = timedelta(minutes=5)


def memory_of(world: World) -> Memory:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def without_timers() -> World:
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


def with_little_time() -> World:
    """The same, for a sweep that is to end after some pages."""
    world = without_timers()
    asked = iter(range(10))
    world.time_left = lambda: LONG if next(asked, None) is not None else timedelta(0)
    return world


def sweep(world: World) -> None:
    world.sweep(POLICY, by_hand=False).raise_failures()


def after_the_next_sweeps(world: World) -> dict[str, Any]:
    """All that must be the same in the end. Wake-ups and repeated news are hints, so they may differ."""
    world.time_left = lambda: LONG
    for _ in range(NEXT_RUNS):
        sweep(world)
        world.now += timedelta(minutes=5)
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


@dataclass
class FactsToRebuild(MemoryFacts):
    """The Facts table, for rebuilding it."""

    def put(self, record: RecordRef, before: Facts | None, after: Facts) -> bool:
        with self.memory.lock:
            unchanged = self._unchanged(record, before)
            if unchanged:
                self.memory.facts[record] = after
            return unchanged


def with_a_backup() -> World:
    """Tables from a backup of before anything was told; what was told since, and the evidence, is there."""
    world = with_records()
    backup = deepcopy(memory_of(world).items)
    take([*EVENTS, *DISPUTES])(world)
    world.purge(FUNCTIONS_POLICY)
    tables = replace(memory_of(world), items=backup)
    return replace(
        world,
        records=MemoryTables(tables),
        facts=MemoryFacts(tables),
        ledger=ReadLedger(tables),
        business=MemoryBusiness(tables),
    )


def replay_all(world: World) -> None:
    """Timer by timer, so that its sweep is cut short again and again."""
    ports: Any = ReplayPorts(world.records, world.facts, world.ledger, world.brake)
    pace = Pace(lambda: world.now, world.slept.append, lambda _due, _erased: True, most_timers=1)
    for table in ("Shipments", "Contacts"):
        raise_all("replay", replay(table, FUNCTIONS_POLICY, ports, pace).failures)


def told_of_all() -> World:
    """All has been told that can be."""
    world = with_records()
    take([*EVENTS, *DISPUTES, *REQUESTS])(world)
    for record, correction in CORRECTIONS:
        world.correct(record, correction, FUNCTIONS_POLICY)
    world.purge(FUNCTIONS_POLICY)
    world.pause(NOW + 3 * DAY, FUNCTIONS_POLICY)
    return world


def with_lost_facts() -> World:
    """The same; then Facts were lost: some whole, some in part, and a pause."""
    early = with_records()
    take(EVENTS)(early)
    old, world = memory_of(early).facts, told_of_all()
    memory = memory_of(world)
    memory.facts.clear()
    memory.facts.update(old)
    memory.pause = None
    return replace(world, facts=FactsToRebuild(memory), ledger=ReadLedger(memory))


def with_damaged_ledger() -> World:
    """The same; and of the ledger a batch cannot be read."""
    world = with_lost_facts()
    ledger = ReadLedger(memory_of(world))
    shard = max(number for number, batches in memory_of(world).batches.items() if batches)
    first, *others = ledger.batches(shard)
    ledger.forged[shard] = [Batch(**{**first, "body": "{"}), *others]
    return replace(world, ledger=ledger)


def rebuilding(world: World) -> RebuildPorts:
    return RebuildPorts(world.facts, world.ledger, world.brake)  # type: ignore[arg-type]


def rebuild_facts(world: World) -> None:
    rebuild(world.telling(FUNCTIONS_POLICY, "restore"), rebuilding(world))


def pause_as_before(world: World) -> None:
    pause_again(world.telling(FUNCTIONS_POLICY, "restore"), rebuilding(world))


SCENARIOS = {
    "sweep": Scenario("sweep", without_timers, sweep, after_the_next_sweeps, is_repeated=False),
    "sweep cut short": Scenario("sweep", with_little_time, sweep, after_the_next_sweeps, is_repeated=False),
    "replay": Scenario("replay", with_a_backup, replay_all, state),
    "rebuilding": Scenario("rebuild", with_lost_facts, rebuild_facts, state),
    "rebuilding from what is left": Scenario("rebuild", with_damaged_ledger, rebuild_facts, state),
    "the pause that was lost": Scenario("pause_again", with_lost_facts, pause_as_before, state),
}
