"""What the functions and the operator do, to be disturbed; and what must be the same in the end."""

from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared.correct_fact import Correction
from shared.facts import FactKind, Facts
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
from tests.crashes import Scenario
from tests.worlds import MemoryBusiness, World, memory_world

DAY = timedelta(days=1)
NESTED = delivery_rule(erase=(("email",), ("contact_number",), ("gate", "code")))
POLICY = policy(NESTED, leaver_rule(), *policy().rules[2:])
HELD_UNTIL = NOW + 5 * DAY
INVOICE = RecordRef("Invoices", {"invoice_no": {"S": "I-1"}})
DAYS = (0.1, 1, 6, 300)
"""From one purge to the next: until all has come due, and every hold has ended."""
MAY_BE_REPEATED = {"hold_refused", "paused", "halted"}
"""Evidence of what changes no fact: who is refused, pauses or is stopped again, has it again."""
HALTING = replace(POLICY, max_erasures_per_run=1)

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


def purge_until_halted(world: World) -> None:
    world.purge(HALTING).raise_failures()


def correct(world: World) -> None:
    for record, correction in CORRECTIONS:
        world.correct(record, correction, POLICY)


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


def until_all_is_due(world: World) -> dict[str, Any]:
    """The state in the end, and what was gone already on the way there: in time, not just some day."""
    gone = []
    for days in DAYS:
        later(world, days)
        gone.append({name for name, item in state(world)["items"].items() if "email" not in item})
    return {**state(world), "gone": gone}


SCENARIOS = {
    "events": Scenario("schedule_deletion", with_records, take(EVENTS), until_all_is_due),
    "purge": Scenario("purge_due", with_changes, purge, until_all_is_due, is_repeated=False),
    "purge that halts": Scenario("purge_due", with_changes, purge_until_halted, until_all_is_due),
    "disputes": Scenario("work_dispute", with_timers, take(DISPUTES), until_all_is_due),
    "releases": Scenario("work_dispute", with_holds, take(RELEASES), until_all_is_due),
    "purge of what is held": Scenario("purge_due", with_holds, purge, until_all_is_due, is_repeated=False),
    "marks": Scenario("work_dispute", with_wrong_marks, take(OUTDATED), until_all_is_due),
    "requests": Scenario("request_erasure", with_timers, take(REQUESTS), until_all_is_due),
    "purge of what was asked for": Scenario(
        "purge_due", with_requests, purge, until_all_is_due, is_repeated=False
    ),
    "corrections": Scenario("correct_fact", with_timers, correct, until_all_is_due),
    "pause": Scenario(
        "pause", with_timers, lambda world: world.pause(NOW + 3 * DAY, POLICY), until_all_is_due
    ),
    "resume": Scenario("resume", paused, lambda world: world.resume(POLICY), until_all_is_due),
}
