"""Erasure on request: asked for, held, refused, answered; on the same tables, in all three worlds."""

from datetime import timedelta
from typing import Any

from shared.instants import to_text
from shared.outgoing import plain_key
from shared.record import RecordRef
from shared.tally import Count
from tests.builders import (
    NOW,
    closed,
    contact,
    contact_ref,
    opened,
    policy,
    requested,
    shipment,
    shipment_ref,
    to_wire_text,
)
from tests.worlds import World

DAY = timedelta(days=1)
END = NOW + 10 * DAY
POLICY = policy()
SHIPMENT, CONTACT = shipment_ref(), contact_ref()
JUST_SHIPPED = shipment(shipped_at={"S": to_wire_text(NOW)}, company={"S": "Example Ltd"})
PROOF = {name: JUST_SHIPPED[name] for name in ("shipment_id", "drop_ship", "shipped_at", "address")}
"""What a request leaves of a shipment."""


def served(world: World) -> list[tuple[str, dict[str, Any]]]:
    """The news after the purge that a request wakes."""
    world.now += timedelta(seconds=5)
    world.purge(POLICY).raise_failures()
    return world.business.news()


def completed(
    world: World, record: RecordRef, outcome: str, request_id: str = "R-1"
) -> tuple[str, dict[str, Any]]:
    said = {"v": 1, "request_id": request_id, "table": record.table, "key": plain_key(record)}
    return "ErasureCompleted", {**said, "outcome": outcome, "completed_at": to_text(world.now)}


def refused(
    world: World, record: RecordRef, reason: str, request_id: str = "R-1"
) -> tuple[str, dict[str, Any]]:
    said = {"v": 1, "request_id": request_id, "table": record.table, "key": plain_key(record)}
    return "ErasureRefused", {**said, "reason": reason, "refused_at": to_text(world.now)}


def test_what_is_asked_for_is_erased_now(world: World) -> None:
    """More than the clock erases, though nothing is due by it; the proof is kept; who asked is answered."""
    world.business.put(SHIPMENT, JUST_SHIPPED)
    world.business.put(CONTACT, {**contact(), "job_title": {"S": "Buyer"}})
    assert world.take(requested(SHIPMENT, CONTACT), POLICY).counts == {Count.REQUESTS: 2}
    assert NOW + timedelta(minutes=1) in world.business.minutes()
    news = served(world)
    assert world.business.get(SHIPMENT) == PROOF
    assert world.business.get(CONTACT) == {name: contact()[name] for name in ("contact_id", "name")}
    assert sorted(news, key=repr) == [
        completed(world, CONTACT, "erased"),
        completed(world, SHIPMENT, "erased"),
    ]
    assert world.standing() == []
    entries = {entry["record"]: entry for entry in world.business.entries() if entry["rule"]}
    assert {entry["clause"] for entry in entries.values()} == {"9"}
    assert entries[SHIPMENT.text]["fields"] == [["company"], ["contact_number"], ["email"], ["name"]]
    told = {(outcome, each.get("request_id", each.get("requests"))) for outcome, _, each in world.tellings()}
    assert told == {("requested", "R-1"), ("answered", "R-1")}


def test_a_request_that_comes_again_is_answered_once(world: World) -> None:
    """Neither the event nor the timer that it sets again says anything twice."""
    world.business.put(SHIPMENT, JUST_SHIPPED)
    for _ in range(2):
        world.take(requested(SHIPMENT), POLICY)
    served(world)
    told, answers = world.told(SHIPMENT), world.business.news()
    world.take(requested(SHIPMENT), POLICY)
    assert served(world) == answers == [completed_then(answers)]
    assert world.told(SHIPMENT) == told
    assert [outcome for outcome, _, _ in world.tellings()] == ["requested", "answered"]


def completed_then(news: list[tuple[str, dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
    """The only answer, which says that it was erased."""
    ((kind, said),) = news
    assert (kind, said["outcome"]) == ("ErasureCompleted", "erased")
    return kind, said


def test_a_held_record_is_erased_when_the_hold_ends(world: World) -> None:
    """Nobody is answered before; then one at the hold's release, the other at its end."""
    released, lapsed = SHIPMENT, shipment_ref("S-2")
    for record in (released, lapsed):
        name = record.key["shipment_id"]["S"]
        world.business.put(record, {**JUST_SHIPPED, "shipment_id": {"S": name}})
        world.take(opened(name), POLICY)
    world.take(requested(released, lapsed), POLICY)
    assert served(world) == []
    world.take(closed(), POLICY)
    news = [*served(world)]
    assert news == [completed(world, released, "erased")]
    world.now = END
    assert served(world) == [*news, completed(world, lapsed, "erased")]
    assert world.business.get(released) == PROOF
    assert "name" not in (world.business.get(lapsed) or {"name": 1})


def test_a_record_that_is_not_there_is_refused(world: World) -> None:
    """Nothing was erased, and nothing is created; who asked is told so, once."""
    world.take(requested(SHIPMENT), POLICY)
    assert served(world) == [refused(world, SHIPMENT, "record_absent")]
    assert world.business.get(SHIPMENT) is None
    assert world.standing() == []


def test_a_table_without_a_rule_is_refused_at_once(world: World) -> None:
    """The other records of the request are served all the same."""
    world.business.put(SHIPMENT, JUST_SHIPPED)
    invoice = RecordRef("Invoices", {"invoice_no": {"S": "I-1"}})
    counts = world.take(requested(invoice, SHIPMENT), POLICY).counts
    assert (counts[Count.NO_RULE], counts[Count.REQUESTS]) == (1, 1)
    answer = refused(world, invoice, "no_rule")
    assert world.business.news() == [answer]
    assert served(world) == [answer, completed(world, SHIPMENT, "erased")]


def test_two_requests_for_one_record_are_both_answered(world: World) -> None:
    """One erasure answers both; a third that comes later is told that the fields were absent."""
    world.business.put(SHIPMENT, JUST_SHIPPED)
    for request_id in ("R-1", "R-2"):
        world.take(requested(SHIPMENT, request_id=request_id), POLICY)
    news = served(world)
    assert news == [completed(world, SHIPMENT, "erased", each) for each in ("R-1", "R-2")]
    world.take(requested(SHIPMENT, request_id="R-3", requested_at=world.now), POLICY)
    assert served(world)[2:] == [completed(world, SHIPMENT, "already_absent", "R-3")]
    answered = [each for outcome, _, each in world.tellings() if outcome == "answered"]
    assert answered == [{"requests": "R-1 R-2"}, {"requests": "R-3"}]


def test_fields_that_are_written_back_go_again_and_nobody_is_told_twice(world: World) -> None:
    """The request stands after its answer: any later timer finds it, and erases by it."""
    world.business.put(SHIPMENT, JUST_SHIPPED)
    world.take(requested(SHIPMENT), POLICY)
    answers = served(world)
    world.business.put(SHIPMENT, JUST_SHIPPED)
    world.take(requested(SHIPMENT), POLICY)
    assert served(world) == answers
    assert world.business.get(SHIPMENT) == PROOF
    assert [outcome for _, outcome, _ in world.outcomes()] == ["erased", "erased"]
