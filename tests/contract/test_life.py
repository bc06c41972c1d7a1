"""From event to evidence: both use cases, on the same tables, in all three worlds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.policy import Mode
from shared.record import RecordRef
from shared.settle import TRIES_OF_UNKNOWN_RULES
from shared.tally import Count
from tests.builders import (
    LONG_AGO,
    NOW,
    PERSONAL,
    contact,
    contact_ref,
    delivery_rule,
    event,
    leaver_rule,
    left,
    opened,
    policy,
    returned,
    rules_from,
    shipment,
    shipment_ref,
    shipped,
    to_wire_text,
)
from tests.contract.conftest import MakeWorld
from tests.worlds import TableSpec, World

DAY = timedelta(days=1)
DUE = LONG_AGO + timedelta(days=90)
POLICY = policy()
ERASED_SHIPMENT = shipment(contact_number=None, email=None)
ERASED_CONTACT = {name: value for name, value in contact().items() if name not in {"telephone", "email"}}


def contact_of(world: World) -> dict[str, Any] | None:
    return world.business.get(contact_ref())


def shipment_of(world: World) -> dict[str, Any] | None:
    return world.business.get(shipment_ref())


def outcomes(world: World) -> list[tuple[str, str]]:
    return [(outcome, reason) for _, outcome, reason in world.outcomes()]


def test_a_shipment_is_erased_when_due_and_not_before(world: World) -> None:
    """From the due second on, with a clock's skew to spare: contact fields go, proof of shipping stays."""
    world.now = LONG_AGO
    world.business.put(shipment_ref(), shipment())
    world.take(shipped(), POLICY)
    assert world.business.minutes() == [datetime.fromisoformat("2026-08-15T10:16:00Z")]
    world.now = DUE + timedelta(seconds=4)
    world.purge(POLICY)
    assert shipment_of(world) == shipment()
    world.now = DUE + timedelta(seconds=5)
    report = world.purge(POLICY, "wake-up")
    assert report.tally.seconds_to_erase == [5.0]
    assert shipment_of(world) == ERASED_SHIPMENT
    assert world.standing() == []
    (entry,) = world.business.entries()
    assert (entry["due"], entry["at"]) == ("2026-08-15T10:15:00Z", "2026-08-15T10:15:05Z")
    assert (entry["outcome"], entry["cause"], entry["clause"]) == ("erased", "wake-up", "2.2.1")
    assert entry["fields"] == [["contact_number"], ["email"]]
    assert entry["policy"] == POLICY.digest
    assert world.told(shipment_ref()) is None


def test_delivered_twice_erased_once(world: World) -> None:
    """The same event again makes the same timer; one after the erasure ends with evidence of absence."""
    world.business.put(shipment_ref(), shipment())
    world.take(shipped(), POLICY)
    world.take(shipped(), POLICY)
    assert len(world.standing()) == 1
    world.purge(POLICY)
    world.take(shipped(), POLICY)
    world.purge(POLICY)
    assert shipment_of(world) == ERASED_SHIPMENT
    assert outcomes(world) == [("already_absent", ""), ("erased", "")]


def test_an_event_before_its_record(world: World) -> None:
    """It is kept as a fact and counted; the record that comes later without an anchor is erased by it."""
    tally = world.take(shipped(), POLICY)
    assert tally.counts[Count.UNKNOWN_RECORD] == tally.counts[Count.FACTS] == tally.counts[Count.TIMERS] == 1
    world.business.put(shipment_ref(), shipment(shipped_at=None))
    world.purge(POLICY)
    assert shipment_of(world) == shipment(shipped_at=None, contact_number=None, email=None)


ATTRIBUTE_ALONE = replace(delivery_rule().anchor, fact=None)


def test_an_event_before_its_record_where_only_the_records_anchor_counts(world: World) -> None:
    """The event says when to look, and nothing is kept of it; what to erase by, the record says."""
    attribute_alone = policy(delivery_rule(anchor=ATTRIBUTE_ALONE))
    world.take(shipped(), attribute_alone)
    assert [each.at for each in world.standing()] == [DUE]
    assert world.told(shipment_ref()) is None
    world.business.put(shipment_ref(), shipment(shipped_at={"S": to_wire_text(NOW - DAY)}))
    world.purge(attribute_alone)
    assert [each.at for each in world.standing()] == [NOW + 89 * DAY]
    world.now = NOW + 90 * DAY
    world.purge(attribute_alone)
    assert "email" not in (shipment_of(world) or {})


def test_a_record_that_never_came(world: World) -> None:
    """Nothing is created; the timer ends with evidence."""
    world.take(shipped(), POLICY)
    world.purge(POLICY)
    assert shipment_of(world) is None
    assert outcomes(world) == [("record_absent", "")]
    assert world.standing() == []


def test_the_records_own_anchor_wins(world: World) -> None:
    """The event says long ago, the record says yesterday: nothing is due."""
    world.business.put(shipment_ref(), shipment(shipped_at={"S": to_wire_text(NOW - DAY)}))
    world.take(shipped(), POLICY)
    world.purge(POLICY)
    assert [each.at for each in world.standing()] == [NOW + 89 * DAY]
    assert world.told(shipment_ref()) is None


def test_several_parcels_without_an_anchor_on_the_record(world: World) -> None:
    """The latest parcel starts the clock, in any order of arrival."""
    world.business.put(shipment_ref(), shipment(shipped_at=None))
    world.take(shipped(at=NOW - DAY), POLICY)
    world.take(shipped(at=LONG_AGO), POLICY)
    world.purge(POLICY)
    assert shipment_of(world) == shipment(shipped_at=None)
    world.now = NOW + 90 * DAY
    world.purge(POLICY)
    assert shipment_of(world) == shipment(shipped_at=None, contact_number=None, email=None)


@pytest.mark.parametrize(
    "item", [shipment(drop_ship={"BOOL": False}), shipment(drop_ship=None)], ids=["false", "absent"]
)
def test_a_record_that_does_not_match_gets_no_timer(world: World, item: dict[str, Any]) -> None:
    """The rule is about drop-shipped orders only."""
    world.business.put(shipment_ref(), item)
    assert world.take(shipped(), POLICY).dropped == {"no_match": 1}
    assert world.standing() == []


def test_a_record_that_no_longer_matches_is_dropped(world: World) -> None:
    """The truth at the time counts, and leaves evidence."""
    world.business.put(shipment_ref(), shipment())
    world.take(shipped(), POLICY)
    world.business.put(shipment_ref(), shipment(drop_ship={"BOOL": False}))
    world.purge(POLICY)
    assert shipment_of(world) == shipment(drop_ship={"BOOL": False})
    assert outcomes(world) == [("dropped", "no_match")]


@pytest.mark.parametrize(
    "text", ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "25/08/2026", "2026-05-17T10:15:00"]
)
def test_an_implausible_anchor_is_never_erased(world: World, text: str) -> None:
    """Neither an event nor a timer that stands already makes the fields go; both are counted."""
    world.business.put(shipment_ref(), shipment())
    world.take(shipped(), POLICY)
    world.business.put(shipment_ref(), shipment(shipped_at={"S": text}))
    assert world.take(shipped(), POLICY).counts[Count.IMPLAUSIBLE] == 1
    assert world.purge(POLICY).tally.counts[Count.IMPLAUSIBLE] == 1
    assert shipment_of(world) == shipment(shipped_at={"S": text})
    assert outcomes(world) == [("dropped", "implausible")]


def test_a_leaver_is_erased_and_keeps_the_name(world: World) -> None:
    """Only the facts know of the departure."""
    world.business.put(contact_ref(), contact())
    world.take(left(), POLICY)
    world.purge(POLICY)
    assert contact_of(world) == ERASED_CONTACT
    assert outcomes(world) == [("erased", "")]


def test_a_departure_without_an_instant_counts_from_the_events_own_time(world: World) -> None:
    """`notified_at` may be left out."""
    world.business.put(contact_ref(), contact())
    world.take(event("ContactLeft", {"contact_id": "C-7"}, time=LONG_AGO), POLICY)
    assert [each.at for each in world.standing()] == [DUE]


RETURN = returned(at=LONG_AGO + DAY)


@pytest.mark.parametrize(
    ("events", "erased"),
    [
        ([left(), RETURN], False),
        ([RETURN, left()], False),
        ([left(), RETURN, left(at=LONG_AGO + 2 * DAY)], True),
        ([left(at=LONG_AGO + 2 * DAY), left(), RETURN], True),
        ([left(), returned()], False),
        ([RETURN, left(at=NOW - DAY)], False),
    ],
    ids=["returned", "return first", "left again", "left again, late news", "tie", "left yesterday"],
)
def test_departures_and_returns_in_any_order(
    world: World, events: list[dict[str, Any]], *, erased: bool
) -> None:
    """The earliest departure after the latest return counts; arrival means nothing."""
    world.business.put(contact_ref(), contact())
    for each in [*events, *events]:
        world.take(each, POLICY)
    world.purge(POLICY)
    assert contact_of(world) == (ERASED_CONTACT if erased else contact())


def test_a_departure_is_kept_also_where_the_record_says_when(world: World) -> None:
    """The record's own anchor wins, and the fact is there should it ever be wiped."""
    rule = leaver_rule()
    both = policy(replace(rule, anchor=replace(rule.anchor, attribute=("left_at",))))
    world.business.put(contact_ref(), contact() | {"left_at": {"S": to_wire_text(NOW - DAY)}})
    assert world.take(left(), both).counts[Count.FACTS] == 1
    world.purge(both)
    assert contact_of(world) == contact() | {"left_at": {"S": to_wire_text(NOW - DAY)}}
    world.business.put(contact_ref(), contact())
    world.take(left(), both)
    world.purge(both)
    assert contact_of(world) == ERASED_CONTACT


def test_an_absurd_departure_beside_a_true_one(world: World) -> None:
    """A date of 1970 counts only if it is alone, and then it is implausible; else it would win for ever."""
    absurd = left(at=datetime(1970, 1, 1, tzinfo=UTC))
    world.business.put(contact_ref(), contact())
    assert world.take(absurd, POLICY).counts[Count.IMPLAUSIBLE] == 1
    assert world.standing() == []
    world.take(left(), POLICY)
    world.take(absurd, POLICY)
    world.purge(POLICY)
    assert contact_of(world) == ERASED_CONTACT


def test_a_whole_item_put_after_a_departure(world: World) -> None:
    """A business system that saves its cached copy wipes nothing that Lapse was told."""
    world.business.put(contact_ref(), contact())
    world.take(left(), POLICY)
    world.business.put(contact_ref(), contact())
    world.purge(POLICY)
    assert contact_of(world) == ERASED_CONTACT


def test_a_hold_mark_keeps_the_fields_until_it_ends(world: World) -> None:
    """The timer is moved to the hold's end, which is what is promised now, and the purge is woken then."""
    until = NOW + 10 * DAY
    held = shipment(legal_hold={"M": {"until": {"S": to_wire_text(until)}}})
    world.business.put(shipment_ref(), held)
    world.take(shipped(), POLICY)
    assert world.purge(POLICY).tally.counts[Count.HELD] == 1
    assert shipment_of(world) == held
    assert [(each.at, each.due) for each in world.standing()] == [(until, until)]
    assert datetime.fromisoformat("2026-09-04T10:16:00Z") in world.business.minutes()
    world.now = until + timedelta(seconds=5)
    world.purge(POLICY)
    assert shipment_of(world) == ERASED_SHIPMENT | {"legal_hold": held["legal_hold"]}


def test_a_whole_item_put_after_a_hold(world: World) -> None:
    """A hold in Facts holds, also when the mark on the record was wiped."""
    world.business.put(shipment_ref(), shipment())
    world.take(shipped(), POLICY)
    world.take(opened(), POLICY)
    world.business.put(shipment_ref(), shipment())
    assert world.purge(POLICY).tally.counts[Count.HELD] == 1
    assert shipment_of(world) == shipment()
    world.now = NOW + 11 * DAY
    world.purge(POLICY)
    assert shipment_of(world) == ERASED_SHIPMENT


def test_a_hold_without_a_readable_end_is_in_force(world: World) -> None:
    """It is looked at again and again, and never erased."""
    held = shipment(legal_hold={"M": {"until": {"S": "soon"}}})
    world.business.put(shipment_ref(), held)
    world.take(shipped(), POLICY)
    for _ in range(3):
        world.purge(POLICY)
        world.now += 2 * DAY
    assert shipment_of(world) == held


def test_an_observing_rule_reports_and_erases_nothing(world: World) -> None:
    """It says what it would have erased, and tells it from what is gone already."""
    observing = policy(delivery_rule(mode=Mode.OBSERVE), leaver_rule())
    world.business.put(shipment_ref(), shipment())
    world.take(shipped(), observing)
    assert world.purge(observing).tally.counts[Count.OBSERVED] == 1
    assert shipment_of(world) == shipment()
    assert outcomes(world) == [("observed", "")]
    world.business.put(shipment_ref(), ERASED_SHIPMENT)
    world.take(shipped(), observing)
    world.purge(observing)
    assert outcomes(world) == [("already_absent", ""), ("observed", "")]


def test_a_date_corrected_to_later(world: World) -> None:
    """The record's new value counts: nothing is erased early, and the timer moves."""
    world.business.put(shipment_ref(), shipment())
    world.take(shipped(), POLICY)
    corrected = shipment(shipped_at={"S": to_wire_text(NOW - DAY)})
    world.business.put(shipment_ref(), corrected)
    assert world.purge(POLICY).tally.counts[Count.WAITING] == 1
    assert shipment_of(world) == corrected
    assert [(each.at, each.due) for each in world.standing()] == [(NOW + 89 * DAY, NOW + 89 * DAY)]


def test_a_rule_that_was_removed_or_moved_drops_its_timers(world: World) -> None:
    """A timer outlives its rule only as evidence, once no function can be of an older version any more."""
    world.business.put(shipment_ref(), shipment())
    for number, other in enumerate([policy(leaver_rule()), policy(delivery_rule(table="Parcels"))], 1):
        world.take(shipped(), POLICY)
        world.purge(other)
        assert len(outcomes(world)) == number - 1
        for _ in range(TRIES_OF_UNKNOWN_RULES):
            world.now += timedelta(minutes=16)
            world.purge(other)
        assert shipment_of(world) == shipment()
        assert outcomes(world) == [("dropped", "rule_removed")] * number
        assert world.standing() == []


def test_a_rule_that_a_purge_does_not_know_yet(world: World) -> None:
    """While a new version is deployed, an old purge leaves the timers of a new rule to the new one."""
    world.business.put(shipment_ref(), shipment())
    world.take(shipped(), POLICY)
    world.purge(policy(leaver_rule()))
    world.now += timedelta(minutes=16)
    world.purge(POLICY)
    assert shipment_of(world) == ERASED_SHIPMENT
    assert outcomes(world) == [("erased", "")]


SINGLE_TABLE = rules_from("""
[[rules]]
id = "order-contact"
clause = "2.2.1"
table = "Orders"
key = { pk = "ORDER#{shipment_id}", sk = { N = "{parcel}" } }
match = { meta = { type = "order" } }
trigger = "shipment"
anchor = { attribute = ["meta", "shipped"] }
anchor_format = "epoch-millis"
anchor_merge = "latest"
retain = "P90D"
counting = "calendar-days"
erase = [["delivery", "phone"], ["delivery", "e.mail"]]
keep = ["name"]
mode = "enforce"
""")


def order(delivery: dict[str, Any]) -> dict[str, Any]:
    shipped_at = {"N": str(int(LONG_AGO.timestamp() * 1000))}
    return {
        "pk": {"S": "ORDER#1-é"},
        "sk": {"N": "7"},
        "meta": {"M": {"type": {"S": "order"}, "shipped": shipped_at}},
        "delivery": {"M": delivery},
        "email": {"S": "kept@example.org"},
    }


def test_an_existing_table_in_single_table_design(make_world: MakeWorld) -> None:
    """Composite and numeric keys, nested anchor, match and fields; a missing nested field is no obstacle."""
    world = make_world([TableSpec("Orders", {"pk": "S", "sk": "N"})])
    record = RecordRef("Orders", {"pk": {"S": "ORDER#1-é"}, "sk": {"N": "7"}})
    world.business.put(record, order({"phone": {"S": "canary-1"}, "city": {"S": "Leeds"}}))
    world.take(event("ShipmentDispatched", {**shipped("1-é")["detail"], "parcel": "007.0"}), SINGLE_TABLE)
    world.purge(SINGLE_TABLE)
    assert world.business.get(record) == order({"city": {"S": "Leeds"}})


@pytest.mark.parametrize("shipment_id", ["S" * 256, "漢" * 256, '"}#,\n\x00S', "../../etc", "#", "ORDER#1#2"])
def test_hostile_ids(world: World, shipment_id: str) -> None:
    """Whatever an id holds, it names its own record and no other."""
    other = shipment_id[:-1] + "x"
    for each in (shipment_id, other):
        world.business.put(shipment_ref(each), shipment(each))
    world.take(shipped(shipment_id), POLICY)
    world.purge(POLICY)
    assert world.business.get(shipment_ref(shipment_id)) == shipment(
        shipment_id, contact_number=None, email=None
    )
    assert world.business.get(shipment_ref(other)) == shipment(other)


def test_a_day_of_many_records(world: World) -> None:
    """120 due, 40 not yet: exactly the due ones are erased, in one run, each with its evidence."""
    for number in range(160):
        at = LONG_AGO if number < 120 else NOW - DAY
        item = {"shipment_id": {"S": f"S-{number}"}, "drop_ship": {"BOOL": True}, **PERSONAL}
        world.business.put(shipment_ref(f"S-{number}"), item | {"shipped_at": {"S": to_wire_text(at)}})
        world.take(shipped(f"S-{number}", at), POLICY)
    report = world.purge(POLICY)
    assert report.tally.counts[Count.ERASED] == 120
    assert report.shards_finished == 16
    left_over = [n for n in range(160) if "email" in (world.business.get(shipment_ref(f"S-{n}")) or {})]
    assert left_over == list(range(120, 160))
    assert len(world.business.entries()) == 120
    assert len(world.standing()) == 40
