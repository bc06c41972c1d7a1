"""A crash or a failure before or after any single port call, then recovery: the same end as undisturbed.

Recovery is what AWS and people do: the queue delivers the event again, the operator repeats the command, and
the next purge finds the timers.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, partial
from typing import Any

import pytest

from shared.correct_fact import Correction
from shared.facts import FactKind, Facts
from shared.failure import CallFailedError
from shared.record import RecordRef
from tests.builders import (
    LONG_AGO,
    NOW,
    closed,
    contact,
    contact_ref,
    delivery_rule,
    leaver_rule,
    left,
    mark_outdated,
    opened,
    policy,
    requested,
    returned,
    shipment,
    shipment_ref,
    shipped,
    to_wire_text,
)
from tests.misbehaving import Crash, Fault, Meanwhile, misbehaving
from tests.worlds import MemoryBusiness, World, memory_world

DAY = timedelta(days=1)
NESTED = delivery_rule(erase=(("email",), ("contact_number",), ("gate", "code")))
POLICY = policy(NESTED, leaver_rule(), *policy().rules[2:])
HELD_UNTIL = NOW + 5 * DAY
INVOICE = RecordRef("Invoices", {"invoice_no": {"S": "I-1"}})
DAYS = (0.1, 1, 6, 300)
"""From one purge to the next: until all has come due, and every hold has ended."""
MAY_BE_REPEATED = {"hold_refused", "paused"}
"""Evidence of what changes no fact: who is refused again, or pauses again, has it again."""

EVENTS = [
    shipped("S-due"),
    shipped("S-later", NOW - DAY),
    shipped("S-held"),
    shipped("S-absent"),
    shipped("S-no-match"),
    shipped("S-no-anchor"),
    shipped("S-gone"),
    shipped("S-corrected"),
    left("C-left"),
    returned("C-back", NOW - DAY),
    left("C-back"),
]
DISPUTES = [
    opened("S-due", until=HELD_UNTIL),
    opened("S-later", until=NOW + 200 * DAY),
    opened("S-absent", until=HELD_UNTIL),
    opened("S-gone", until=HELD_UNTIL),
    opened("S-no-match", until=HELD_UNTIL),
    opened("S-no-match", case_ref="CASE-2", until=HELD_UNTIL + DAY),
    closed("S-corrected"),
    opened("S-corrected", until=HELD_UNTIL),
]
RELEASES = [closed("S-due"), closed("S-no-match"), closed("S-never"), closed("S-absent")]
REQUESTS = [
    requested(shipment_ref("S-due"), shipment_ref("S-later"), INVOICE, shipment_ref("S-absent")),
    requested(shipment_ref("S-later"), shipment_ref("S-held"), contact_ref("C-back"), request_id="R-2"),
]
OUTDATED = [mark_outdated(shipment_ref(each)) for each in ("S-wiped", "S-stale", "S-absent", "S-later")]
CORRECTIONS = [
    (contact_ref("C-left"), Correction(FactKind.LEFT, LONG_AGO, NOW - DAY, "staff-6")),
    (contact_ref("C-back"), Correction(FactKind.RETURNED, NOW - DAY, None, "staff-6")),
    (shipment_ref("S-no-anchor"), Correction(FactKind.SHIPPED, LONG_AGO, NOW - 2 * DAY, "staff-6")),
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
    """The same, after the events."""
    world = with_records()
    take(EVENTS)(world)
    return world


def with_changes() -> World:
    """The same; then the business system changed two records."""
    world = with_timers()
    world.business.put(shipment_ref("S-no-match"), shipment("S-no-match", drop_ship={"BOOL": False}))
    world.business.put(
        shipment_ref("S-corrected"), shipment("S-corrected", shipped_at={"S": to_wire_text(NOW)})
    )
    return world


def with_holds() -> World:
    """The same as with timers, after the disputes."""
    world = with_timers()
    take(DISPUTES)(world)
    return world


def with_requests() -> World:
    """The same as with timers, after the requests, as they are due."""
    world = with_timers()
    take(REQUESTS)(world)
    world.now += timedelta(seconds=5)
    return world


def with_wrong_marks() -> World:
    """A hold whose mark was wiped by a whole-item put, and a mark whose hold was released."""
    world = with_holds()
    for name, word in (("S-wiped", opened), ("S-stale", closed)):
        world.business.put(shipment_ref(name), shipment(name))
        world.take(opened(name, until=HELD_UNTIL), POLICY)
        stale = world.business.get(shipment_ref(name)) or {}
        world.take(word(name), POLICY)
        world.business.put(shipment_ref(name), shipment(name) if name == "S-wiped" else stale)
    return world


def paused() -> World:
    """The same as with timers, while Lapse is paused."""
    world = with_timers()
    world.pause(NOW + 3 * DAY, POLICY)
    return world


def take(events: list[dict[str, Any]]) -> Callable[[World], None]:
    """Deliver events."""

    def deliver(world: World) -> None:
        for event in events:
            world.take(event, POLICY)

    return deliver


def purge(world: World) -> None:
    world.purge(POLICY).raise_failures()


def correct(world: World) -> None:
    for record, correction in CORRECTIONS:
        world.correct(record, correction, POLICY)


@dataclass(frozen=True)
class Scenario:
    """What is disturbed, in which world; and whether it is done again, or the next purge is the recovery."""

    make: Callable[[], World]
    act: Callable[[World], object]
    is_repeated: bool = True


SCENARIOS = {
    "events": Scenario(with_records, take(EVENTS)),
    "purge": Scenario(with_changes, purge, is_repeated=False),
    "disputes": Scenario(with_timers, take(DISPUTES)),
    "releases": Scenario(with_holds, take(RELEASES)),
    "purge of what is held": Scenario(with_holds, purge, is_repeated=False),
    "marks": Scenario(with_wrong_marks, take(OUTDATED)),
    "requests": Scenario(with_timers, take(REQUESTS)),
    "purge of what was asked for": Scenario(with_requests, purge, is_repeated=False),
    "corrections": Scenario(with_timers, correct),
    "pause": Scenario(with_timers, lambda world: world.pause(NOW + 3 * DAY, POLICY)),
    "resume": Scenario(paused, lambda world: world.resume(POLICY)),
}


def later(world: World, days: float) -> None:
    """Time goes on: leases expire, back-offs end."""
    world.now += timedelta(days=days)
    world.purge(POLICY)


def forgetful(facts: Facts) -> Facts:
    """Facts without what a disturbance may change: the version, and when and by which word was answered."""
    answered = {
        name: replace(each, answered_at=NOW if each.answered_at else None, answer="")
        for name, each in facts.requests.items()
    }
    return replace(facts, version=0, requests=answered)


def words(world: World) -> Iterator[tuple[str, ...]]:
    """The evidence of what was told; an answer's word may be another, since the fields were found absent."""
    for entry in world.business.entries():
        if not entry["rule"]:
            reason = "" if entry["outcome"] == "answered" else entry["reason"]
            yield entry["outcome"], entry["record"], reason, repr(sorted(entry["details"].items()))


def state(world: World) -> dict[str, Any]:
    """All that must be the same in the end; of evidence and news that may be repeated, only what there is."""
    assert isinstance(world.business, MemoryBusiness)
    memory = world.business.memory
    counted = Counter(words(world))
    return {
        "items": {record.text: deepcopy(item) for record, item in memory.items.items()},
        "facts": {record.text: forgetful(facts) for record, facts in memory.facts.items()},
        "timers": [(timer.sort_key, timer.due) for timer in world.standing()],
        "settled": {(entry["record"], entry["rule"]) for entry in world.business.entries() if entry["rule"]},
        "words": {word: 1 if word[0] in MAY_BE_REPEATED else number for word, number in counted.items()},
        "news": {
            (kind, repr(said["key"]), said.get("request_id"), said.get("case_ref"))
            for kind, said in world.business.news()
        },
        "pause": memory.pause,
    }


def calls_of(scenario: Scenario) -> list[str]:
    """The port calls of an undisturbed run, in order."""
    fault = Fault(-1, after=False, raises=Crash)
    scenario.act(misbehaving(scenario.make(), fault))
    return fault.calls


def settled(scenario: Scenario, fault: Fault | None) -> dict[str, Any]:
    """The state after the act, disturbed or not, its repetition, and the time until all has come due."""
    world = scenario.make()
    if fault:
        with suppress(Crash, CallFailedError, ExceptionGroup):
            scenario.act(misbehaving(world, fault))
        assert len(fault.calls) > fault.at_call
    if scenario.is_repeated:
        scenario.act(world)
    return until_all_is_due(world)


def until_all_is_due(world: World) -> dict[str, Any]:
    """The state in the end, and what was gone already on the way there: in time, not just some day."""
    gone = []
    for days in DAYS:
        later(world, days)
        gone.append({name for name, item in state(world)["items"].items() if "email" not in item})
    return {**state(world), "gone": gone}


@cache
def undisturbed(name: str) -> dict[str, Any]:
    return settled(SCENARIOS[name], None)


CALLS = {name: calls_of(scenario) for name, scenario in SCENARIOS.items()}
POINTS = [
    pytest.param(name, number, after, id=f"{name}: {'after' if after else 'before'} {number} {call}")
    for name, calls in CALLS.items()
    for number, call in enumerate(calls)
    for after in (False, True)
    if call != "timers.ready" or name == "purge"  # a purge reads many shards; once is enough to disturb that
]


@pytest.mark.parametrize(("name", "call", "after"), POINTS)
def test_a_crash_changes_nothing_in_the_end(name: str, call: int, *, after: bool) -> None:
    """Wherever a function's process ends, the next delivery, command or purge brings it to the same end."""
    assert settled(SCENARIOS[name], Fault(call, after=after, raises=Crash)) == undisturbed(name)


@pytest.mark.parametrize(("name", "call", "after"), POINTS)
def test_a_failed_call_changes_nothing_in_the_end(name: str, call: int, *, after: bool) -> None:
    """A call that failed, or whose answer was lost, costs nothing but time."""
    failing = Fault(call, after=after, raises=lambda: CallFailedError("call", "Throttled"))
    assert settled(SCENARIOS[name], failing) == undisturbed(name)


def test_every_port_call_is_met() -> None:
    """The cases above pass through each call that the use cases can make."""
    met = {call for calls in CALLS.values() for call in calls}
    timers = {f"timers.{name}" for name in ("ready", "lease", "release", "put", "remove")}
    records = {f"records.{name}" for name in ("look", "erase", "has_fields")}
    facts = {f"facts.{name}" for name in ("read", "change", "mark")}
    ledger = {"ledger.open", "ledger.append"}
    assert met == timers | records | facts | ledger | {
        "wake_ups.ensure",
        "brake.read",
        "brake.put",
        "bus.put",
    }


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
    said = {name: Counter(kind for kind, *_ in undisturbed(name)["news"]) for name in SCENARIOS}
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
