"""Hold against purge: exactly one wins, both are told the truth, and ledger, facts and record agree.

1,024 races in memory, in every order of the first eight calls that the two make to the tables, and 1,458 in
which the order system writes in between; and 200 on the local stack, of functions with their own connections.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import product
from random import Random
from threading import Condition
from typing import Any

import pytest

from lapse.stack import Stack
from shared.facts import FactKind, Facts, Hold
from shared.failure import CallFailedError
from shared.hold_records import Held, place_hold
from shared.instants import to_text
from shared.ledger import verify
from shared.ledger_index import LedgerReader, partition
from shared.policy import Guard, Policy
from shared.purge_due import PurgeReport
from shared.record import SHARDS, RecordRef
from shared.tally import Count
from shared.timer import Timer
from tests.builders import LONG_AGO, NOW, PERSONAL, policy, shipment, shipment_ref, shipped, to_wire_text
from tests.worlds import AwsBusiness, BusinessSystem, World, another, aws_world, memory_world

POLICY = policy()
RECORD = shipment_ref()
END = NOW + timedelta(days=10)
HOLD = Hold("damaged", "CASE-1", "staff-1", NOW, END)
MARK = {"M": {"by": {"S": "lapse"}, "until": {"S": to_text(END)}}}
LAPSED = {"M": {"until": {"S": to_wire_text(LONG_AGO)}}}
ORDERED_CALLS = 8
SHAPES: dict[str, dict[str, Any]] = {
    "no facts": {},
    "facts": {"shipped_at": None},
    "a mark that is NULL": {"legal_hold": {"NULL": True}},
    "a mark that lapsed": {"legal_hold": LAPSED},
}


@dataclass
class Turns:
    """Lets two functions make their calls one at a time, in a given order, and then as they come."""

    order: list[str]
    ended: set[str] = field(default_factory=set)
    moved: Condition = field(default_factory=Condition)

    def call(self, who: str, method: Callable[..., Any], *arguments: Any) -> Any:
        with self.moved:
            assert self.moved.wait_for(lambda: self._may(who), timeout=10)
            if self.order:
                self.order.pop(0)
            try:
                return method(*arguments)
            finally:
                self.moved.notify_all()

    def end(self, who: str) -> None:
        with self.moved:
            self.ended.add(who)
            self.moved.notify_all()

    def _may(self, who: str) -> bool:
        while self.order and self.order[0] in self.ended:
            self.order.pop(0)
        return not self.order or self.order[0] == who


@dataclass
class Port:
    """A port whose calls wait for their turn."""

    port: Any
    who: str
    turns: Turns

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return lambda *arguments: self.turns.call(self.who, getattr(self.port, method), *arguments)


def taking_turns(world: World, who: str, turns: Turns) -> World:
    """The world in the hands of a function whose calls to records, Facts and ledger wait for their turn."""
    ports: Any = {name: Port(getattr(world, name), who, turns) for name in ("records", "facts", "ledger")}
    return replace(world, **ports)


def raced(
    world: World,
    order: Sequence[str],
    rules: Policy = POLICY,
    order_system: Callable[[], object] = lambda: None,
) -> tuple[Held, PurgeReport]:
    """Place a hold and run the purge at once, while the order system writes; what the two were told."""
    turns = Turns(list(order))
    mine, theirs = taking_turns(world, "hold", turns), taking_turns(world, "purge", turns)

    def run[Result](who: str, act: Callable[[], Result]) -> Result:
        try:
            return act()
        finally:
            turns.end(who)

    with ThreadPoolExecutor(3) as functions:
        held = functions.submit(
            run, "hold", lambda: place_hold(RECORD, HOLD, mine.telling(POLICY), mine.for_holds)
        )
        report = functions.submit(run, "purge", lambda: theirs.purge(rules))
        functions.submit(run, "order system", lambda: turns.call("order system", order_system)).result()
        return held.result(), report.result()


def due(changes: dict[str, Any]) -> World:
    """A shipment that is due, with its timer; where the record has no date of its own, Facts have it."""
    world = memory_world()
    world.business.put(RECORD, shipment())
    world.take(shipped(), POLICY)
    world.business.put(RECORD, shipment(**changes))
    if "shipped_at" in changes:
        world.tell(RECORD, FactKind.SHIPPED, LONG_AGO)
    return world


def unmarked(item: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (item or {}).items() if name != "legal_hold"}


def agree(world: World, item: dict[str, Any], held: Held, report: PurgeReport) -> None:
    """Record, facts, ledger, timers and both answers tell of the same winner."""
    report.raise_failures()
    holds = (world.told(RECORD) or Facts()).holds
    outcomes = [outcome for _, outcome, _ in world.outcomes()]
    words = [outcome for outcome, _, _ in world.tellings() if outcome != "told"]
    if held is Held.PLACED:
        assert unmarked(world.business.get(RECORD)) == unmarked(item)
        assert (holds, words, outcomes) == ({"CASE-1": HOLD}, ["hold_placed"], [])
        assert (report.tally.counts[Count.HELD], report.tally.counts[Count.ERASED]) == (1, 0)
        assert {timer.at for timer in world.standing()} == {END}
    else:
        assert held is Held.TOO_LATE
        left = {name: item[name] for name in item if name not in PERSONAL}
        assert unmarked(world.business.get(RECORD)) == unmarked(left)
        assert (holds, words, outcomes) == ({}, ["hold_refused"], ["erased"])
        assert (report.tally.counts[Count.HELD], report.tally.counts[Count.ERASED]) == (0, 1)
        assert world.standing() == []
    world.now = END + timedelta(seconds=5)
    world.purge(POLICY).raise_failures()
    assert [outcome for _, outcome, _ in world.outcomes()] == ["erased"]
    assert "email" not in (world.business.get(RECORD) or {"email": 1})


@pytest.mark.parametrize("shape", SHAPES)
def test_every_order_of_calls_has_one_winner(shape: str) -> None:
    """Whatever comes between whatever: 256 orders for each shape of record, four times over."""
    winners = Counter[Held]()
    for order in product(("hold", "purge"), repeat=ORDERED_CALLS):
        world = due(SHAPES[shape])
        item = world.business.get(RECORD)
        assert item is not None
        held, report = raced(world, order)
        assert (world.business.get(RECORD) or {}).get("legal_hold") == (
            MARK if held is Held.PLACED else item.get("legal_hold")
        )
        agree(world, item, held, report)
        winners[held] += 1
    assert sum(winners.values()) == 2**ORDERED_CALLS
    assert min(winners[Held.PLACED], winners[Held.TOO_LATE]) > 2**ORDERED_CALLS / 10


@pytest.mark.parametrize("guard", Guard)
def test_an_order_system_that_wipes_the_mark_in_between(guard: Guard) -> None:
    """It sets or wipes a mark at any moment: neither winner is deceived, as far as Facts guard the erase."""
    rules = policy(replace(POLICY.rules[0], guard=guard), *POLICY.rules[1:])
    for order in product(("hold", "purge", "order system"), repeat=6):
        world = due({} if guard is Guard.FACTS else {"shipped_at": None})
        item = world.business.get(RECORD)
        assert item is not None

        def scribble(business: BusinessSystem = world.business) -> None:
            now = business.get(RECORD) or {}
            business.put(RECORD, unmarked(now) if "legal_hold" in now else {**now, "legal_hold": LAPSED})

        held, report = raced(world, order, rules, scribble)
        agree(world, item, held, report)


RACES, FUNCTIONS = 200, 4


def fill(world: World) -> list[RecordRef]:
    """Shipments that are due, with their timers."""
    records = [shipment_ref(f"S-{number}") for number in range(RACES)]
    rest = {"drop_ship": {"BOOL": True}, "shipped_at": {"S": to_wire_text(LONG_AGO)}, **PERSONAL}
    for record in records:
        world.business.put(record, {**record.key, **rest})
    at = LONG_AGO + timedelta(days=90)
    world.timers.put([Timer(record, "delivery-contact", at=at, due=at) for record in records])
    return records


def placing(world: World, records: Sequence[RecordRef]) -> Iterator[tuple[RecordRef, Held]]:
    """Place holds one after the other, as a function does whose queue delivers again what failed."""
    mine = another(world)
    for record in records:
        for _ in range(5):
            try:
                yield record, place_hold(record, HOLD, mine.telling(POLICY), mine.for_holds)
            except CallFailedError:
                continue
            break


def test_functions_that_race_on_the_local_stack(local_stack: Stack) -> None:
    """Four functions place holds while the purge erases: each record has one winner; chains are whole."""
    clients = local_stack.clients
    world = aws_world(clients.dynamodb, clients.scheduler)
    records = fill(world)
    Random(7).shuffle(records)  # noqa: S311 -- an order, no secret
    parts = [records[start::FUNCTIONS] for start in range(FUNCTIONS)]
    with ThreadPoolExecutor(FUNCTIONS) as functions, ThreadPoolExecutor(2) as workers:
        holders = [functions.submit(lambda part: list(placing(world, part)), part) for part in parts]
        report = replace(world, side_by_side=workers.map).purge(POLICY)
        told = dict(each for holder in holders for each in holder.result())
    report.raise_failures()
    placed = {record for record, held in told.items() if held is not Held.TOO_LATE}
    assert told.keys() == set(records)
    assert 0 < len(placed) < RACES
    assert report.tally.counts[Count.ERASED] == RACES - len(placed)
    erased = {record for record, outcome, _ in world.outcomes() if outcome == "erased"}
    assert erased == {record.text for record in records} - {record.text for record in placed}
    told_of = [(each["record"], each["outcome"]) for each in world.business.entries() if not each["rule"]]
    words = {Held.PLACED: "hold_placed", Held.KNOWN: "hold_placed", Held.TOO_LATE: "hold_refused"}
    assert sorted(told_of) == sorted((record.text, words[held]) for record, held in told.items())
    known = world.facts.read(records)
    for record in records:
        item = world.business.get(record)
        assert item is not None
        holds = known[record].holds if record in known else {}
        assert ("email" in item, item.get("legal_hold"), holds) == (
            (True, MARK, {"CASE-1": HOLD}) if record in placed else (False, None, {})
        )
    assert isinstance(world.business, AwsBusiness)
    reader = LedgerReader(clients.dynamodb, world.business.ledger_table)
    assert [each for n in range(SHARDS) for each in verify(partition(n), reader.batches(n))] == []
