"""What a sweep finds in the business tables, what it sets, and what it counts."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.failure import CallFailedError
from shared.finding import RecordsPage
from shared.instants import SECOND
from shared.key_template import KeyTemplate
from shared.policy import Mode, Policy, Rule
from shared.record import RecordRef
from shared.retention import GRACE
from shared.sweep import SweepReport
from shared.tally import Count
from tests.builders import (
    LONG_AGO,
    NOW,
    contact,
    contact_ref,
    delivery_rule,
    left,
    opened,
    policy,
    returned,
    shipment,
    shipment_ref,
    shipped,
    to_wire_text,
)
from tests.memory import MemoryFacts, MemoryLedger, MemoryTables, MemoryTimers, MemoryWakeUps
from tests.worlds import MemoryBusiness, World, memory_world

DAY = timedelta(days=1)
RETAIN = 90 * DAY
DUE = LONG_AGO + RETAIN
POLICY = policy()
NO_MATCH: dict[str, Any] = {"drop_ship": {"BOOL": False}}
HELD_LONG = {"legal_hold": {"M": {"until": {"S": to_wire_text(NOW + 30 * DAY)}}}}


def memory_of(world: World) -> Any:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def with_shipments(*items: Mapping[str, Any]) -> World:
    """A world of these shipments, whose events never came."""
    world = memory_world()
    for number, item in enumerate(items):
        name = f"S-{number}"
        world.business.put(shipment_ref(name), {**item, "shipment_id": {"S": name}})
    return world


def counted(report: SweepReport) -> dict[str, int]:
    """What was found, by rule and kind; nothing is left out but what is none."""
    assert report.sweep is not None
    return {
        f"{rule}: {found.value}": number for (rule, found), number in report.sweep.counts.items() if number
    }


def swept(world: World, by: Policy = POLICY) -> dict[str, int]:
    """Sweep to the end; what was found."""
    report = world.sweep(by)
    report.raise_failures()
    assert report.sweep is not None
    assert report.sweep.finished == world.now
    return counted(report)


def shipped_at(instant: Any) -> dict[str, Any]:
    return {"shipped_at": {"S": to_wire_text(instant)}}


def test_a_record_whose_event_never_came_gets_a_timer_and_is_erased() -> None:
    """The sweep erases nothing: it sets the very timer that the event would have, and wakes the purge."""
    world = with_shipments(shipment())
    assert swept(world) == {"delivery-contact: overdue": 1, "delivery-contact: without_timer": 1}
    (timer,) = world.standing()
    assert (timer.rule, timer.at, timer.due) == ("delivery-contact", DUE, DUE)
    assert world.business.minutes() == [NOW + timedelta(minutes=1)]
    assert world.business.entries() == []
    assert world.business.get(shipment_ref("S-0")) == shipment("S-0")
    world.purge(POLICY)
    assert world.business.get(shipment_ref("S-0")) == shipment("S-0", contact_number=None, email=None)


def test_a_timer_that_stands_is_left_alone() -> None:
    """It is not written again, or a purge could not remove it; nor is its wake-up set again."""
    world = with_shipments(shipment())
    world.take(shipped("S-0"), POLICY)
    before = [timer.stamp for timer in world.standing()]
    memory_of(world).minutes.clear()
    assert swept(world) == {"delivery-contact: overdue": 1}
    assert [timer.stamp for timer in world.standing()] == before
    assert world.business.minutes() == []


@pytest.mark.parametrize(("ahead", "timers"), [(2 * DAY, 1), (2 * DAY + SECOND, 0)], ids=["last", "first"])
def test_timers_are_set_until_the_next_sweep_and_a_day_more(ahead: timedelta, timers: int) -> None:
    """What comes due later is for the next sweep: the Due table holds what is near, not all."""
    world = with_shipments(shipment(**shipped_at(NOW + ahead - RETAIN)))
    found = swept(world)
    assert len(world.standing()) == len(world.business.minutes()) == timers
    assert found.pop("delivery-contact: without_timer", 0) == timers
    assert found == {"delivery-contact: waiting": 1}


WITHOUT_TIMER = {"delivery-contact: without_timer": 1}


@pytest.mark.parametrize(
    ("item", "found"),
    [
        pytest.param(shipped_at(NOW - RETAIN - GRACE), {"overdue": 1, "without_timer": 1}, id="overdue"),
        pytest.param(
            shipped_at(NOW - RETAIN - GRACE + SECOND), {"waiting": 1, "without_timer": 1}, id="just-due"
        ),
        pytest.param(shipped_at(NOW), {"waiting": 1}, id="waiting"),
        pytest.param(HELD_LONG, {"held": 1}, id="held"),
        pytest.param({"shipped_at": None}, {"no_anchor": 1}, id="no-anchor"),
        pytest.param({"shipped_at": {"NULL": True}}, {"no_anchor": 1}, id="null-anchor"),
        pytest.param({"shipped_at": {"S": "1970-01-01T00:00:00Z"}}, {"implausible": 1}, id="1970"),
        pytest.param({"shipped_at": {"S": "soon"}}, {"implausible": 1}, id="unreadable"),
        pytest.param(NO_MATCH, {}, id="no-match"),
        pytest.param({**NO_MATCH, "shipped_at": None}, {}, id="no-match-no-anchor"),
        pytest.param({"email": None, "contact_number": None}, {}, id="no-personal-field"),
        pytest.param({"email": None}, {"overdue": 1, "without_timer": 1}, id="one-personal-field"),
    ],
)
def test_what_is_counted(item: Mapping[str, Any], found: Mapping[str, int]) -> None:
    """Each record with personal fields counts as what it is, by rule; the others do not count."""
    world = with_shipments(shipment(**item))
    assert swept(world) == {f"delivery-contact: {name}": number for name, number in found.items()}
    assert len(world.standing()) == found.get("without_timer", 0)


def test_a_rule_that_only_observes_gets_no_timers_and_is_counted() -> None:
    """The sweep reports each day what it would erase: one evidence a day for each record would be a flood."""
    world = with_shipments(shipment(), shipment(**shipped_at(NOW)))
    assert swept(world, policy(delivery_rule(mode=Mode.OBSERVE))) == {
        "delivery-contact: observed": 1,
        "delivery-contact: waiting": 1,
    }
    assert world.standing() == []


def test_a_hold_that_ends_soon_has_a_timer_at_its_end() -> None:
    """By the mark on the record, or by Facts alone."""
    until = NOW + DAY
    by_mark = {"legal_hold": {"M": {"until": {"S": to_wire_text(until)}}}}
    world = with_shipments(shipment(**by_mark), shipment())
    world.take(opened("S-1", until=until), POLICY)
    world.business.put(shipment_ref("S-1"), shipment("S-1"))
    memory_of(world).timers.clear()
    assert swept(world) == {"delivery-contact: held": 2, "delivery-contact: without_timer": 2}
    assert [timer.at for timer in world.standing()] == [until, until]


def test_facts_count_where_the_record_has_no_anchor() -> None:
    """A record that came after its event: the fact says when it is due."""
    world = memory_world()
    world.take(shipped("S-0"), POLICY)
    world.business.put(shipment_ref("S-0"), shipment("S-0", shipped_at=None))
    memory_of(world).timers.clear()
    assert swept(world) == {"delivery-contact: overdue": 1, "delivery-contact: without_timer": 1}
    assert [timer.at for timer in world.standing()] == [DUE]


def test_facts_are_read_only_where_they_may_matter() -> None:
    """Most records are not due: for them nothing is read but the scan's own page."""
    asked: list[RecordRef] = []

    class Asked(MemoryFacts):
        def read(self, records: Collection[RecordRef]) -> Any:
            asked.extend(records)
            return super().read(records)

    world = with_shipments(
        shipment(**shipped_at(NOW)), shipment(**NO_MATCH), shipment(shipped_at={"S": "soon"}), shipment()
    )
    world.facts = Asked(memory_of(world))
    swept(world)
    assert asked == [shipment_ref("S-3")]
    asked.clear()
    world.business.put(shipment_ref("S-3"), shipment("S-3", shipped_at=None))
    attribute_alone = replace(delivery_rule().anchor, fact=None)
    swept(world, policy(delivery_rule(anchor=attribute_alone)))
    assert asked == []


def phone_and_email() -> tuple[Rule, Rule]:
    """Two rules of one table, with fields and periods of their own."""
    return (
        delivery_rule(erase=(("email",),)),
        delivery_rule(id="fax", erase=(("fax",),), retain=30 * DAY),
    )


def test_of_one_rule_the_scan_saw_the_fields() -> None:
    """Asking for each record would cost as much as reading all of them."""

    class Sure(MemoryTables):
        def scan(self, of: Any, segment: int, after: Any) -> RecordsPage:
            return MemoryTables(self.memory).scan(of, segment, after)

        def has_fields(self, record: RecordRef, paths: Any) -> bool:
            raise AssertionError

    world = with_shipments(shipment(), shipment(**shipped_at(NOW)), shipment(**HELD_LONG))
    world.take(shipped("S-0"), POLICY)
    world.records = Sure(memory_of(world))
    assert swept(world) == {f"delivery-contact: {what}": 1 for what in ("overdue", "waiting", "held")}


def test_of_several_rules_only_those_whose_fields_are_there_count() -> None:
    """The filter of one scan sees that there is some field; whose it is, is asked before a timer is set."""
    world = with_shipments(
        shipment(),
        shipment(email=None, fax={"S": "canary-1"}),
        shipment(fax={"S": "canary-1"}),
        shipment(email=None),
    )
    assert swept(world, policy(*phone_and_email())) == {
        "delivery-contact: overdue": 2,
        "delivery-contact: without_timer": 2,
        "fax: overdue": 2,
        "fax: without_timer": 2,
    }
    assert sorted((timer.record.key["shipment_id"]["S"], timer.rule) for timer in world.standing()) == [
        ("S-0", "delivery-contact"),
        ("S-1", "fax"),
        ("S-2", "delivery-contact"),
        ("S-2", "fax"),
    ]


@pytest.mark.parametrize(
    ("changes", "item", "kind"),
    [
        ({}, HELD_LONG, "held"),
        ({"mode": Mode.OBSERVE}, {}, "observed"),
        ({}, {"shipped_at": {"S": "soon"}}, "implausible"),
    ],
    ids=["held", "observed", "implausible"],
)
def test_of_several_rules_none_is_reported_for_the_fields_of_another(
    changes: Mapping[str, Any], item: Mapping[str, Any], kind: str
) -> None:
    """Also where nothing is to be done, what an operator will look into is asked for."""
    email, fax = (replace(rule, **changes) for rule in phone_and_email())
    world = with_shipments(shipment(**item))
    assert swept(world, policy(email, fax)) == {f"delivery-contact: {kind}": 1}


def test_each_table_is_scanned_once_for_all_its_rules() -> None:
    """Page by page and segment by segment, but never rule by rule."""
    scans: list[tuple[str, int, Any]] = []

    class Scans(MemoryTables):
        def scan(self, of: Any, segment: int, after: Any) -> RecordsPage:
            scans.append((of.table, segment, str(after)))
            return super().scan(of, segment, after)

    world = with_shipments(*[shipment()] * 9)
    world.records = Scans(memory_of(world))
    swept(world, policy(*phone_and_email(), *POLICY.rules[1:]))
    assert {table for table, _, _ in scans} == {"Shipments"}
    assert len(scans) == len(set(scans))
    assert {segment for _, segment, _ in scans} == {0, 1, 2, 3}


KINDS = (
    ("ORDER#1", "META"),
    ("ORDER#1", "METADATA"),
    ("ORDER#2", "LINE"),
    ("CUSTOMER#1", "META"),
    ("ORDER#", "META"),
)


def test_a_table_of_several_kinds_of_records() -> None:
    """Of a single-table design a rule takes only the records whose keys its events could make."""
    keys = {"pk": KeyTemplate("S", "ORDER#{shipment_id}"), "sk": KeyTemplate("S", "META")}
    rule = delivery_rule(table="Main", key=keys, match={})
    world = memory_world()
    for pk, sk in KINDS:
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        world.business.put(RecordRef("Main", key), {**shipment(), **key})
    assert swept(world, policy(rule)) == {
        "delivery-contact: overdue": 1,
        "delivery-contact: without_timer": 1,
    }
    assert [timer.record.key["pk"]["S"] for timer in world.standing()] == ["ORDER#1"]


def test_fields_that_came_back_are_reported() -> None:
    """A business system wrote its stale copy back: the fields go again, and somebody is to look into it."""
    world = with_shipments(shipment())
    world.take(shipped("S-0"), POLICY)
    world.purge(POLICY)
    assert swept(world) == {}
    world.business.put(shipment_ref("S-0"), shipment("S-0"))
    again = {
        "delivery-contact: overdue": 1,
        "delivery-contact: without_timer": 1,
        "delivery-contact: re_added": 1,
    }
    assert swept(world) == again
    del again["delivery-contact: without_timer"]
    assert swept(world) == again
    world.purge(POLICY)
    assert swept(world) == {}


def test_who_leaves_twice_has_not_been_re_added() -> None:
    """After a return, new fields are right; at the second departure's end they are erased the first time."""
    world = memory_world()
    world.business.put(contact_ref(), contact())
    world.take(left(), POLICY)
    world.purge(POLICY)
    world.take(returned(at=NOW), POLICY)
    world.business.put(contact_ref(), contact())
    world.take(left(at=NOW + DAY), POLICY)
    world.now = NOW + DAY + RETAIN + GRACE
    assert swept(world) == {"leaver-contact: overdue": 1}
    world.purge(POLICY)
    world.business.put(contact_ref(), contact())
    assert swept(world)["leaver-contact: re_added"] == 1


def test_another_rules_erasure_is_no_prior_erasure() -> None:
    """What a request erased may have been all of it; each rule has its own evidence."""
    world = with_shipments(shipment())
    world.take(shipped("S-0"), POLICY)
    world.purge(POLICY)
    world.business.put(shipment_ref("S-0"), shipment("S-0"))
    assert "other: re_added" not in swept(world, policy(delivery_rule(id="other")))


def purge_behind(world: World) -> None:
    """Whatever a scan sees is erased before the sweep goes on."""

    class Behind(MemoryTables):
        def scan(self, of: Any, segment: int, after: Any) -> RecordsPage:
            page = super().scan(of, segment, after)
            if page.items:
                world.purge(POLICY)
            return page

    world.records = Behind(memory_of(world))


def test_a_purge_is_faster_than_the_sweep() -> None:
    """No timer is set for what is gone since the scan saw it, and nothing is called re-added."""
    world = with_shipments(*[shipment()] * 5)
    for number in range(5):
        world.take(shipped(f"S-{number}"), POLICY)
    purge_behind(world)
    assert swept(world) == {}
    assert world.standing() == []
    assert [outcome for _, outcome, _ in world.outcomes()] == ["erased"] * 5


def test_a_purge_that_has_not_removed_its_timer_yet() -> None:
    """Its evidence is there, the timer stands: the fields are gone, not back."""
    world = with_shipments(shipment())
    world.take(shipped("S-0"), POLICY)
    timers = world.standing()
    purge_behind(world)

    class Late(MemoryTimers):
        def remove(self, timers: Collection[Any]) -> None:
            pass

    world.timers = Late(memory_of(world))
    assert "delivery-contact: re_added" not in swept(world)
    assert world.standing() == timers


def test_wake_ups_are_one_for_a_minute() -> None:
    """However many timers there are for it."""
    calls: list[Any] = []

    class Calls(MemoryWakeUps):
        def ensure(self, minute: Any) -> None:
            calls.append(minute)
            super().ensure(minute)

    world = with_shipments(*[shipment()] * 30)
    memory_of(world).page = 1000
    world.wake_ups = Calls(memory_of(world))
    swept(world)
    assert len(world.standing()) == 30
    assert len(calls) == 4  # one for each segment


def test_a_scheduler_that_hangs_is_asked_once() -> None:
    """The timers stand, and the recurring purge serves them; the failure is counted."""

    class Down(MemoryWakeUps):
        def ensure(self, minute: Any) -> None:
            raise CallFailedError("CreateSchedule", "ReadTimeoutError")

    world = with_shipments(*[shipment(**shipped_at(NOW - RETAIN + timedelta(minutes=n))) for n in range(30)])
    memory_of(world).page = 1000
    world.wake_ups = Down(memory_of(world))
    report = world.sweep(POLICY)
    assert report.failures == ()
    assert report.tally.counts[Count.WAKE_UP_FAILED] == 4
    assert len(world.standing()) == 30


def test_a_ledger_that_is_down_delays_no_erasure() -> None:
    """The timers come before what is only counted; the page comes again for its counts."""

    class Down(MemoryLedger):
        def has_erased(self, *_args: Any, **_more: Any) -> bool:
            raise CallFailedError("Query", "Throttled")

    world = with_shipments(shipment())
    world.ledger, ledger = Down(memory_of(world)), world.ledger
    report = world.sweep(POLICY)
    assert report.failures == ("Throttled",)
    assert report.sweep is not None
    assert report.sweep.finished is None
    assert len(world.standing()) == 1
    world.ledger = ledger
    assert swept(world) == {"delivery-contact: overdue": 1}


def broken(*records: RecordRef, error: Callable[[], Exception]) -> Callable[..., Any]:
    """A port's method that fails if it is asked for one of these records."""

    def check(asked: Collection[RecordRef]) -> None:
        if set(asked) & set(records):
            raise error()

    return check


@pytest.mark.parametrize(
    "error",
    [lambda: KeyError("version"), lambda: CallFailedError("BatchGetItem", "ValidationException")],
    ids=["row", "key"],
)
def test_facts_that_cannot_be_read_stop_one_record(error: Callable[[], Exception]) -> None:
    """The other records of its page get their timers; it is counted, and alarmed."""
    check = broken(shipment_ref("S-3"), error=error)

    @dataclass
    class Broken(MemoryFacts):
        def read(self, records: Collection[RecordRef]) -> Any:
            check(records)
            return super().read(records)

    world = with_shipments(*[shipment()] * 9)
    memory_of(world).page = 1000
    world.facts = Broken(memory_of(world))
    report = world.sweep(POLICY)
    assert report.failures == ()
    assert report.tally.counts[Count.UNREADABLE] == 1
    assert counted(report)["delivery-contact: overdue"] == 8
    assert shipment_ref("S-3") not in {timer.record for timer in world.standing()}
    assert len(world.standing()) == 8


def test_facts_that_cannot_be_reached_stop_the_page() -> None:
    """A failed call is no broken row: the page comes again, and nobody is left out."""
    world = with_shipments(*[shipment()] * 9)

    class Down(MemoryFacts):
        def read(self, records: Collection[RecordRef]) -> Any:
            raise CallFailedError("BatchGetItem", "Throttled")

    world.facts, facts = Down(memory_of(world)), world.facts
    report = world.sweep(POLICY)
    assert set(report.failures) == {"Throttled"}
    assert report.tally.counts[Count.UNREADABLE] == 0
    assert world.standing() == []
    world.facts = facts
    assert swept(world)["delivery-contact: overdue"] == 9
