"""What a sweep finds in Facts: departures, requests, hold marks that are wrong, facts of no more use."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.correct_fact import Correction
from shared.facts import FactKind, Facts, Hold, Request
from shared.failure import CallFailedError
from shared.finding import FactsPage
from shared.instants import LAST, SECOND
from shared.key_template import KeyTemplate
from shared.policy import Mode, Policy
from shared.record import RecordRef
from shared.sweep_pages import EXPIRES_SOON
from shared.tally import Count
from tests.builders import (
    LONG_AGO,
    NOW,
    closed,
    contact,
    contact_ref,
    leaver_rule,
    left,
    mark_outdated,
    opened,
    policy,
    requested,
    returned,
    shipment,
    shipment_ref,
    to_wire_text,
)
from tests.memory import MemoryFacts, MemoryTables
from tests.worlds import MemoryBusiness, World, memory_world

DAY = timedelta(days=1)
RETAIN = 90 * DAY
DUE = LONG_AGO + RETAIN
POLICY = policy()
SHIPMENT, CONTACT = shipment_ref(), contact_ref()
OUTDATED = [("HoldMarkOutdated", {"v": 1, "record": SHIPMENT.text})]


def memory_of(world: World) -> Any:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def swept(world: World, by: Policy = POLICY) -> dict[str, int]:
    """Sweep to the end; what was found, by rule and kind."""
    report = world.sweep(by)
    report.raise_failures()
    assert report.sweep is not None
    assert report.sweep.finished == world.now
    return {
        f"{rule}: {found.value}": number for (rule, found), number in report.sweep.counts.items() if number
    }


def with_leavers(*names: str) -> World:
    """Contacts that left long ago, whose timers were lost."""
    world = memory_world()
    for name in names or ("C-7",):
        world.business.put(contact_ref(name), contact(name))
        world.take(left(name), POLICY)
    lose_timers(world)
    return world


def lose_timers(world: World) -> None:
    memory_of(world).timers.clear()
    memory_of(world).minutes.clear()


def tell(world: World, record: RecordRef, **facts: Any) -> None:
    """What is known about a record, whoever told it."""
    memory_of(world).facts[record] = Facts(version=1, **facts)


def hold(until: Any, **changes: Any) -> Mapping[str, Hold]:
    return {"CASE-1": replace(Hold("damaged", "CASE-1", "staff-1", LONG_AGO, until), **changes)}


def request(**changes: Any) -> Mapping[str, Request]:
    return {"R-1": replace(Request("R-1", LONG_AGO, "staff-3"), **changes)}


def test_a_leaver_whose_timer_was_lost_is_found_in_facts() -> None:
    """Where only events say when somebody left, the contacts' table need not be scanned."""
    world = with_leavers()

    class NoScan(MemoryTables):
        def scan(self, of: Any, segment: int, after: Any) -> Any:
            assert of.table != "Contacts"
            return super().scan(of, segment, after)

    world.records = NoScan(memory_of(world))
    assert swept(world) == {"leaver-contact: overdue": 1, "leaver-contact: without_timer": 1}
    assert [(each.rule, each.record, each.at) for each in world.standing()] == [
        ("leaver-contact", CONTACT, DUE)
    ]
    world.purge(POLICY)
    assert "email" not in (world.business.get(CONTACT) or {})
    assert swept(world) == {}


def test_a_table_that_no_rule_has_anchors_in_is_never_scanned() -> None:
    """The scan of Facts finds all that such a policy is about."""
    world = with_leavers("C-1", "C-2", "C-3")

    class NoScan(MemoryTables):
        def scan(self, of: Any, segment: int, after: Any) -> Any:
            raise AssertionError

    world.records = NoScan(memory_of(world))
    assert swept(world, policy(leaver_rule()))["leaver-contact: overdue"] == 3


@pytest.mark.parametrize(
    ("ago", "found"),
    [
        (DAY, {"waiting": 1}),
        (RETAIN - DAY, {"waiting": 1, "without_timer": 1}),
        (100_000 * DAY, {"implausible": 1}),
    ],
    ids=["far", "near", "implausible"],
)
def test_leavers_are_counted(ago: timedelta, found: Mapping[str, int]) -> None:
    """As what they are; who has not left is not counted as lacking an anchor."""
    world = memory_world()
    world.business.put(CONTACT, contact())
    tell(world, CONTACT, instants={FactKind.LEFT: frozenset({NOW - ago})})
    world.business.put(contact_ref("C-8"), contact("C-8"))
    tell(world, contact_ref("C-8"), holds=hold(NOW + 30 * DAY))
    assert swept(world) == {f"leaver-contact: {name}": number for name, number in found.items()}


def test_who_returned_or_was_erased_or_is_gone_gets_no_timer() -> None:
    """Facts say who left; the record is looked at, and its fields are asked for."""
    world = with_leavers("C-back", "C-erased", "C-gone", "C-erased-long-held")
    world.take(returned("C-back", NOW), POLICY)
    for name in ("C-erased", "C-erased-long-held"):
        world.business.put(contact_ref(name), {"contact_id": {"S": name}, "name": {"S": "Jo Example"}})
    tell(
        world,
        contact_ref("C-erased-long-held"),
        instants={FactKind.LEFT: frozenset({LONG_AGO})},
        holds=hold(NOW + 30 * DAY),
    )
    world.business.delete(contact_ref("C-gone"))
    lose_timers(world)
    assert swept(world) == {}
    assert world.standing() == []


def test_an_observing_rule_over_facts_is_counted() -> None:
    """As for scanned tables."""
    assert swept(with_leavers(), policy(leaver_rule(mode=Mode.OBSERVE))) == {"leaver-contact: observed": 1}


def test_a_request_whose_timer_was_lost_is_answered() -> None:
    """Its timer is the one that the request set, so that sweeping again sets no other."""
    world = memory_world()
    world.business.put(SHIPMENT, shipment())
    world.take(requested(SHIPMENT), POLICY)
    lose_timers(world)
    assert "delivery-erasure: without_timer" in swept(world)
    assert [(each.rule, each.at) for each in world.standing()][-1] == ("delivery-erasure", NOW)
    assert "delivery-erasure: without_timer" not in swept(world)
    world.now += timedelta(minutes=1)
    world.purge(POLICY)
    assert [name for name, _ in world.business.news()] == ["ErasureCompleted"]


@pytest.mark.parametrize(
    ("item", "answer", "by"),
    [
        (None, "ErasureRefused", {}),
        (shipment(email=None, contact_number=None, name=None), "ErasureCompleted", {}),
        (shipment(), "ErasureRefused", {"mode": Mode.OBSERVE}),
    ],
    ids=["gone", "erased", "observed"],
)
def test_whoever_asked_is_answered_whatever_became_of_it(
    item: Mapping[str, Any] | None, answer: str, by: Mapping[str, Any]
) -> None:
    """There may be nothing to erase any more; somebody still waits."""
    rules = [replace(rule, **by) for rule in POLICY.rules if rule.id == "delivery-erasure"]
    world = memory_world()
    if item:
        world.business.put(SHIPMENT, item)
    tell(world, SHIPMENT, instants={FactKind.REQUESTED: frozenset({LONG_AGO})}, requests=request())
    swept(world, policy(*rules))
    swept(world, policy(*rules))
    assert [each.at for each in world.standing()] == [LONG_AGO]
    world.purge(policy(*rules))
    assert [name for name, _ in world.business.news()] == [answer]
    swept(world, policy(*rules))
    assert world.standing() == []


def test_a_request_whose_instant_cannot_be_read_is_looked_at_now() -> None:
    """What is broken there must not keep the answer until the end of time."""
    world = memory_world()
    tell(world, SHIPMENT, requests=request(requested_at=LAST))
    swept(world)
    assert [each.at for each in world.standing()] == [NOW]


def test_a_request_names_its_record_by_the_key_itself() -> None:
    """Also one whose key no event could make: of all kinds of records in a table some may be asked for."""
    (rule,) = (rule for rule in POLICY.rules if rule.id == "delivery-erasure")
    keys = {"shipment_id": KeyTemplate("S", "ORDER#{shipment_id}")}
    world = memory_world()
    world.business.put(SHIPMENT, shipment())
    tell(world, SHIPMENT, instants={FactKind.REQUESTED: frozenset({LONG_AGO})}, requests=request())
    swept(world, policy(replace(rule, key=keys)))
    assert len(world.standing()) == 1


def test_a_held_request_waits_for_the_holds_end() -> None:
    """There is nothing to say until then."""
    world = memory_world()
    world.business.put(SHIPMENT, shipment())
    world.take(opened(until=NOW + 30 * DAY), POLICY)
    world.take(requested(SHIPMENT, requested_at=LONG_AGO), POLICY)
    lose_timers(world)
    assert swept(world) == {"delivery-contact: held": 1, "delivery-erasure: held": 1}
    assert world.standing() == []
    world.now += 29 * DAY
    swept(world)
    assert {(each.rule, each.at) for each in world.standing()} == {
        ("delivery-contact", NOW + 30 * DAY),
        ("delivery-erasure", NOW + 30 * DAY),
    }


def test_what_a_request_erased_and_came_back_goes_again() -> None:
    """A request stands after its answer."""
    world = memory_world()
    world.business.put(SHIPMENT, shipment())
    world.take(requested(SHIPMENT), POLICY)
    world.now += timedelta(minutes=1)
    world.purge(POLICY)
    world.now += DAY
    assert swept(world) == {}
    world.business.put(SHIPMENT, shipment(contact_number=None, email=None))
    assert swept(world) == {
        "delivery-erasure: overdue": 1,
        "delivery-erasure: re_added": 1,
        "delivery-erasure: without_timer": 1,
    }


def news(world: World) -> list[tuple[str, dict[str, Any]]]:
    """What one sweep says."""
    before = len(world.business.news())
    swept(world)
    return world.business.news()[before:]


def test_a_mark_that_was_wiped_is_told_of_and_put_back() -> None:
    """A whole-item put took it away. The sweep writes no record: whoever may is told, once."""
    world = memory_world()
    world.business.put(SHIPMENT, shipment())
    world.take(opened(until=NOW + 30 * DAY), POLICY)
    assert news(world) == []
    world.business.put(SHIPMENT, shipment())
    assert news(world) == OUTDATED
    assert world.business.get(SHIPMENT) == shipment()
    world.take(mark_outdated(SHIPMENT), POLICY)
    assert "legal_hold" in (world.business.get(SHIPMENT) or {})
    assert news(world) == []


def test_a_mark_of_a_case_that_was_closed_is_told_of() -> None:
    """The business system's stale copy brought it back."""
    world = memory_world()
    world.business.put(SHIPMENT, shipment())
    world.take(opened(until=NOW + 30 * DAY), POLICY)
    stale = dict(world.business.get(SHIPMENT) or {})
    world.take(closed(closed_at=NOW), POLICY)
    world.business.put(SHIPMENT, stale)
    assert news(world) == OUTDATED


def test_a_lapsed_mark_that_facts_know_of_is_told_of_once() -> None:
    """Both scans see the record; only one of them speaks."""
    world = memory_world()
    world.business.put(SHIPMENT, shipment(shipped_at={"S": to_wire_text(NOW)}))
    world.take(opened(until=NOW + DAY), POLICY)
    world.now += 2 * DAY
    assert news(world) == OUTDATED


def mark(until: Any, **more: Any) -> dict[str, Any]:
    return {"legal_hold": {"M": {"until": {"S": until}, **more}}}


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (mark("2026-08-25T10:15:00Z"), OUTDATED),
        (mark("2026-08-25T10:15:00Z", by={"S": "lapse"}), OUTDATED),
        (mark("2026-08-25T10:15:01Z"), []),
        (mark("2026-08-25T10:15:01Z", by={"S": "lapse"}), []),
        (mark("when it is over"), []),
        ({"legal_hold": {"NULL": True}}, []),
    ],
    ids=["lapsed", "own-lapsed", "in-force", "own-in-force", "unreadable", "null"],
)
def test_a_mark_that_facts_know_nothing_of(item: Mapping[str, Any], told: list[Any]) -> None:
    """One that lapsed is cleared; one in force may be all that is left of a hold, and stays."""
    world = memory_world()
    world.business.put(SHIPMENT, shipment(**item))
    assert news(world) == told


def test_a_lapsed_hold_has_its_mark_cleared_after_the_purge() -> None:
    """The purge never touches the mark; then the record has no personal field, and Facts lead to it."""
    world = memory_world()
    world.business.put(SHIPMENT, shipment())
    world.take(opened(until=NOW + DAY), POLICY)
    world.now += 2 * DAY
    swept(world)
    world.purge(POLICY)
    assert "email" not in (world.business.get(SHIPMENT) or {})
    assert news(world) == OUTDATED
    world.take(mark_outdated(SHIPMENT), POLICY)
    assert "legal_hold" not in (world.business.get(SHIPMENT) or {})
    assert news(world) == []


@pytest.mark.parametrize(
    ("until", "told"),
    [(NOW + EXPIRES_SOON, 1), (NOW + EXPIRES_SOON + SECOND, 0), (NOW, 0), (None, 0)],
    ids=["soon", "later", "over", "unreadable"],
)
def test_a_hold_that_will_lapse_is_reminded_of(until: Any, told: int) -> None:
    """In its last 14 days, by each sweep; the event names the record and the case."""
    world = memory_world()
    tell(world, SHIPMENT, holds={**hold(until), "CASE-2": replace(hold(NOW + DAY)["CASE-1"], closed_at=NOW)})
    report = world.sweep(POLICY)
    assert report.tally.counts[Count.HOLDS_EXPIRING] == told
    assert (
        world.business.news()
        == [
            (
                "HoldExpiring",
                {
                    "v": 1,
                    "table": "Shipments",
                    "key": {"shipment_id": "S-1001"},
                    "case_ref": "CASE-1",
                    "until": "2026-09-08T10:15:00Z",
                },
            )
        ][:told]
    )


LONG_PAST = NOW - POLICY.ledger_retain - SECOND
SPENT: Mapping[str, Any] = {"instants": {FactKind.LEFT: frozenset({LONG_PAST})}}


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(SPENT, id="instant"),
        pytest.param({"holds": hold(LONG_PAST)}, id="lapsed-hold"),
        pytest.param({"holds": hold(None, since=LONG_PAST, closed_at=LONG_PAST)}, id="closed-hold"),
        pytest.param({"requests": request(answered_at=LONG_PAST)}, id="answered"),
    ],
)
def test_facts_that_nothing_can_use_are_forgotten(facts: Mapping[str, Any]) -> None:
    """The record is gone, and so is the oldest backup that could bring it back."""
    world = memory_world()
    tell(world, CONTACT, **facts)
    tell(world, contact_ref("C-8"), instants={FactKind.LEFT: frozenset({LONG_PAST + SECOND})})
    swept(world)
    assert set(memory_of(world).facts) == {contact_ref("C-8")}


def test_facts_outlive_every_backup_of_the_fields() -> None:
    """However soon the policy would forget them: a restored record must find out that its contact left."""
    short = policy(ledger_retain=timedelta(days=1))
    needed = max(rule.retain for rule in short.rules) + timedelta(days=35)
    world = memory_world()
    tell(world, CONTACT, instants={FactKind.LEFT: frozenset({NOW - needed - SECOND})})
    tell(world, contact_ref("C-8"), instants={FactKind.LEFT: frozenset({NOW - needed})})
    world.sweep(short).raise_failures()
    assert set(memory_of(world).facts) == {contact_ref("C-8")}


@pytest.mark.parametrize(
    ("facts", "known"),
    [
        pytest.param({"holds": hold(None)}, True, id="hold-without-end"),
        pytest.param({**SPENT, "requests": request()}, True, id="open-request"),
        pytest.param({"holds": hold(LONG_PAST + SECOND)}, True, id="ended-since"),
        pytest.param({"holds": hold(LONG_PAST, closed_at=LONG_PAST + SECOND)}, True, id="closed-since"),
        pytest.param({"requests": request(answered_at=LONG_PAST + SECOND)}, True, id="answered-since"),
        pytest.param({"withdrawn": {FactKind.LEFT: frozenset({NOW})}}, True, id="withdrawn"),
        pytest.param(SPENT, False, id="no-rule-knows-the-table"),
    ],
)
def test_facts_that_may_be_needed_stay(facts: Mapping[str, Any], *, known: bool) -> None:
    """Also those about a table that no rule is about any more: whether the record is there, nobody looked."""
    world = memory_world()
    record = CONTACT if known else RecordRef("Elsewhere", CONTACT.key)
    tell(world, record, **facts)
    swept(world)
    assert set(memory_of(world).facts) == {record}


def test_facts_of_a_record_that_exists_stay() -> None:
    """However old they are: a stale write may bring the fields back."""
    world = memory_world()
    world.business.put(CONTACT, {"contact_id": {"S": "C-7"}})
    tell(world, CONTACT, **SPENT)
    swept(world)
    assert set(memory_of(world).facts) == {CONTACT}


def test_what_is_told_just_now_is_not_forgotten() -> None:
    """The row goes only if it is as read; made anew, it has a version of its own."""
    world = memory_world()
    tell(world, CONTACT, **SPENT)

    class Between(MemoryFacts):
        def scan(self, segment: int, after: Any) -> FactsPage:
            page = super().scan(segment, after)
            if page.facts:
                del self.memory.facts[CONTACT]
                world.take(left(at=NOW), POLICY)
            return page

    world.facts = Between(memory_of(world))
    swept(world)
    facts = world.told(CONTACT)
    assert facts is not None
    assert facts.of(FactKind.LEFT) == {NOW}


def test_a_withdrawn_departure_is_not_forgotten() -> None:
    """Or the wrong event, delivered again, would bring it back."""
    world = memory_world()
    world.take(left(at=NOW), POLICY)
    world.correct(CONTACT, Correction(FactKind.LEFT, NOW, None, "staff-4"), POLICY)
    lose_timers(world)
    swept(world)
    world.take(left(at=NOW), POLICY)
    assert world.standing() == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (lambda: CallFailedError("BatchGetItem", "ValidationException"), None),
        (lambda: CallFailedError("BatchGetItem", "Throttled"), "Throttled"),
    ],
    ids=["key", "call"],
)
def test_a_record_that_cannot_be_looked_at(error: Callable[[], Exception], code: str | None) -> None:
    """A key that its table does not have spoils a look: the others are found, and it stays known."""
    bad = contact_ref("C-bad")

    class Broken(MemoryTables):
        def look(self, records: Collection[RecordRef], paths: Any) -> Any:
            if bad in records:
                raise error()
            return super().look(records, paths)

    world = with_leavers(*[f"C-{number}" for number in range(9)])
    tell(world, bad, **SPENT)
    memory_of(world).page = 1000
    world.records = Broken(memory_of(world))
    report = world.sweep(POLICY)
    assert report.failures == ((code,) if code else ())
    assert report.tally.counts[Count.UNREADABLE] == (0 if code else 1)
    others = {timer.record for timer in world.standing()}
    left_out = {each for each in memory_of(world).facts if each.shard % 4 == bad.shard % 4} if code else {bad}
    assert others == set(memory_of(world).facts) - left_out
    assert bad in memory_of(world).facts


def test_rows_of_facts_that_cannot_be_read_are_counted() -> None:
    """So that an alarm rings: nobody else looks at them before their record is due."""
    world = with_leavers()

    class Unreadable(MemoryFacts):
        def scan(self, segment: int, after: Any) -> FactsPage:
            return replace(super().scan(segment, after), unreadable=1)

    world.facts = Unreadable(memory_of(world))
    assert world.sweep(POLICY).tally.counts[Count.UNREADABLE] == 4
