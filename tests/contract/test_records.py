"""The business tables: looks, counts, and the guarded erase with each of its guards."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.facts import FactKind
from shared.look import look_at
from shared.policy import Guard, Rule
from shared.record import RecordRef, View
from tests.builders import (
    LONG_AGO,
    PERSONAL,
    contact,
    contact_ref,
    delivery_rule,
    leaver_rule,
    shipment,
    shipment_ref,
)
from tests.contract.conftest import MakeWorld
from tests.worlds import TableSpec, World

RULE = delivery_rule()
HOLD = {"M": {"until": {"S": "2027-01-01T00:00:00Z"}}}


def look(world: World, rule: Rule, record: RecordRef) -> View:
    return look_at([(rule, record)], world.records, world.facts)[record]


def test_a_look_sees_the_view_and_no_personal_field(world: World) -> None:
    """A look returns match, anchor and hold mark; of the rest nothing."""
    world.business.put(shipment_ref(), shipment(legal_hold=HOLD))
    items = world.records.look([shipment_ref()], RULE.view_paths)
    seen = {"drop_ship": {"BOOL": True}, "shipped_at": {"S": "2026-05-17T10:15:00Z"}, "legal_hold": HOLD}
    assert {name: value for name, value in items[shipment_ref()].items() if name != "shipment_id"} == seen


def test_a_look_at_what_is_not_there(world: World) -> None:
    """A record that does not exist is said not to; one without any view attribute exists."""
    bare = {"shipment_id": {"S": "S-2"}, **PERSONAL}
    world.business.put(shipment_ref("S-2"), bare)
    absent, there = look(world, RULE, shipment_ref("S-1")), look(world, RULE, shipment_ref("S-2"))
    assert (absent.exists, dict(absent.attributes)) == (False, {})
    assert (there.exists, dict(there.attributes)) == (True, {})


def test_more_records_than_one_call_takes(world: World) -> None:
    """250 records are looked at, each once."""
    records = [shipment_ref(f"S-{number}") for number in range(250)]
    for number in range(0, 250, 5):
        world.business.put(records[number], shipment(f"S-{number}"))
    views = look_at([(RULE, record) for record in [*records, *records]], world.records, world.facts)
    assert [record for record in records if views[record].exists] == records[::5]


def test_all_fields_go_and_nothing_else(world: World) -> None:
    """The frame: every other attribute stays exactly as it was written."""
    others: dict[str, Any] = {
        "digits": {"N": "12345678901234567890123456789012345678"},
        "small": {"N": "-0.00000000000000000000000000000000000001"},
        "strings": {"SS": ["a", "ä", "漢字"]},
        "numbers": {"NS": ["1", "2.5"]},
        "binary": {"B": bytes(range(256))},
        "binaries": {"BS": [b"\x00", b"\xff"]},
        "nested": {"M": {"list": {"L": [{"M": {"email": {"S": "kept@example.org"}}}, {"NULL": True}]}}},
        "empty": {"S": ""},
        "empties": {"L": []},
        "email.": {"S": "another name"},
        "filler": {"S": "x" * 2000},
    }
    world.business.put(shipment_ref(), shipment(**others))
    removed = world.records.erase(RULE, shipment_ref(), look(world, RULE, shipment_ref()))
    assert set(removed) == set(RULE.erase)
    assert sorted_sets(world.business.get(shipment_ref())) == sorted_sets(
        shipment(**others, contact_number=None, email=None)
    )


def sorted_sets(item: Any) -> Any:
    assert item is not None
    return {
        name: {kind: sorted(each) if kind in {"SS", "NS", "BS"} else each for kind, each in value.items()}
        for name, value in item.items()
    }


@pytest.mark.parametrize(
    "change",
    [
        {"shipped_at": {"S": "2026-05-17T10:15:00+00:00"}},
        {"shipped_at": None},
        {"shipped_at": {"NULL": True}},
        {"drop_ship": {"BOOL": False}},
        {"drop_ship": {"S": "true"}},
        {"drop_ship": None},
        {"legal_hold": HOLD},
        {"legal_hold": {"M": {}}},
        {"contact_number": None, "email": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("with_facts", [False, True], ids=["plain", "transaction"])
def test_the_guard_refuses_what_changed_since_the_look(
    world: World, change: dict[str, Any], *, with_facts: bool
) -> None:
    """What was read must still be so, exactly, or nothing is erased; with and without a Facts row."""
    if with_facts:
        world.tell(shipment_ref(), FactKind.SHIPPED, LONG_AGO)
    world.business.put(shipment_ref(), shipment())
    view = look(world, RULE, shipment_ref())
    changed = shipment(**change)
    world.business.put(shipment_ref(), changed)
    assert list(world.records.erase(RULE, shipment_ref(), view)) == []
    assert world.business.get(shipment_ref()) == changed


def test_the_guard_refuses_a_hold_mark_that_was_removed_or_moved(world: World) -> None:
    """Also a mark that is gone is a change: what was decided was decided about another record."""
    world.business.put(shipment_ref(), shipment(legal_hold=HOLD))
    view = look(world, RULE, shipment_ref())
    world.business.put(shipment_ref(), shipment())
    assert list(world.records.erase(RULE, shipment_ref(), view)) == []


def test_null_is_guarded_as_null(world: World) -> None:
    """An anchor or a mark that is `NULL` is absent for the decision and exact for the guard."""
    world.business.put(shipment_ref(), shipment(shipped_at={"NULL": True}, legal_hold={"NULL": True}))
    view = look(world, RULE, shipment_ref())
    assert view.value(("shipped_at",)) is None
    assert set(world.records.erase(RULE, shipment_ref(), view)) == set(RULE.erase)


def test_facts_that_changed_since_the_look_refuse(world: World) -> None:
    """A return that is told between look and erase wins."""
    rule = leaver_rule()
    world.business.put(contact_ref(), contact())
    world.tell(contact_ref(), FactKind.LEFT, LONG_AGO)
    view = look(world, rule, contact_ref())
    world.tell(contact_ref(), FactKind.RETURNED, LONG_AGO + timedelta(days=1))
    assert list(world.records.erase(rule, contact_ref(), view)) == []
    assert world.business.get(contact_ref()) == contact()
    assert set(world.records.erase(rule, contact_ref(), look(world, rule, contact_ref()))) == set(rule.erase)


@pytest.mark.parametrize("guard", Guard)
def test_facts_that_came_since_the_look_refuse_where_the_rule_asks_for_it(world: World, guard: Guard) -> None:
    """Say, a hold whose mark was wiped at once: a rule guarded by Facts notices it, one by the record not."""
    rule = delivery_rule(guard=guard)
    world.business.put(shipment_ref(), shipment())
    view = look(world, rule, shipment_ref())
    world.tell(shipment_ref(), FactKind.SHIPPED, LONG_AGO)
    removed = set(world.records.erase(rule, shipment_ref(), view))
    assert removed == (set() if guard is Guard.FACTS else set(rule.erase))
    again = look(world, rule, shipment_ref())
    assert set(world.records.erase(rule, shipment_ref(), again)) == set(rule.erase) - removed


def test_a_rule_guarded_by_facts_erases_where_nothing_was_told(world: World) -> None:
    """All fields at once, and path by path where a parent is missing."""
    for number, rule in enumerate([delivery_rule(guard=Guard.FACTS), replace(NESTED, guard=Guard.FACTS)]):
        record = shipment_ref(f"S-{number}")
        world.business.put(record, shipment(f"S-{number}"))
        assert ("email",) in set(world.records.erase(rule, record, look(world, rule, record)))
        assert not world.records.has_fields(record, rule.erase)


@pytest.mark.parametrize("with_facts", [False, True], ids=["plain", "transaction"])
def test_a_deleted_record_is_not_created_again(world: World, *, with_facts: bool) -> None:
    """An update of a missing key would make a ghost item; the guard refuses it."""
    if with_facts:
        world.tell(shipment_ref(), FactKind.SHIPPED, LONG_AGO)
    world.business.put(shipment_ref(), shipment())
    view = look(world, RULE, shipment_ref())
    world.business.delete(shipment_ref())
    assert list(world.records.erase(RULE, shipment_ref(), view)) == []
    assert world.business.get(shipment_ref()) is None


def test_personal_fields_are_counted_without_reading_them(world: World) -> None:
    """Any one field counts; an absent record has none; an empty text and `NULL` are fields that are there."""
    assert not world.records.has_fields(shipment_ref(), RULE.erase)
    for there in ({"email": {"S": ""}}, {"contact_number": {"NULL": True}}):
        world.business.put(shipment_ref(), {"shipment_id": {"S": "S-1001"}, **there})
        assert world.records.has_fields(shipment_ref(), RULE.erase)
    world.business.put(shipment_ref(), shipment(email=None, contact_number=None))
    assert not world.records.has_fields(shipment_ref(), RULE.erase)


NESTED = delivery_rule(erase=(("email",), ("delivery", "phone"), ("delivery", "gate", "code")))


@pytest.mark.parametrize("with_facts", [False, True], ids=["plain", "transaction"])
@pytest.mark.parametrize(
    ("delivery", "kept"),
    [
        ({"M": {"phone": {"S": "1"}, "gate": {"M": {"code": {"S": "2"}, "left": {"BOOL": True}}}}}, True),
        ({"M": {"phone": {"S": "1"}}}, True),
        ({"M": {"gate": {"M": {}}}}, True),
        ({"S": "not a map"}, True),
        (None, False),
    ],
    ids=["all there", "no gate", "no code", "not a map", "no delivery"],
)
def test_nested_fields_whose_parents_are_missing(
    world: World, delivery: dict[str, Any] | None, *, kept: bool, with_facts: bool
) -> None:
    """A missing parent means that this path is absent already; the other fields go all the same."""
    if with_facts:
        world.tell(shipment_ref(), FactKind.SHIPPED, LONG_AGO)
    world.business.put(shipment_ref(), shipment(delivery=delivery))
    removed = world.records.erase(NESTED, shipment_ref(), look(world, NESTED, shipment_ref()))
    assert ("email",) in set(removed)
    assert not world.records.has_fields(shipment_ref(), NESTED.erase)
    item = world.business.get(shipment_ref())
    assert item is not None
    assert ("delivery" in item) is kept
    if delivery and "gate" in delivery.get("M", {}):
        assert "code" not in item["delivery"]["M"]["gate"]["M"]


def test_a_guard_that_fails_path_by_path_erases_nothing(world: World) -> None:
    """Also where a parent is missing, each single path is guarded."""
    world.business.put(shipment_ref(), shipment())
    view = look(world, NESTED, shipment_ref())
    held = shipment(legal_hold=HOLD)
    world.business.put(shipment_ref(), held)
    assert list(world.records.erase(NESTED, shipment_ref(), view)) == []
    assert world.business.get(shipment_ref()) == held


def test_composite_and_numeric_keys(make_world: MakeWorld) -> None:
    """A record of a single-table design, and one with a numeric sort key, are found and erased."""
    world = make_world([TableSpec("Orders", {"pk": "S", "sk": "N"})])
    rule = delivery_rule(table="Orders", match={})
    record = RecordRef("Orders", {"pk": {"S": "ORDER#1"}, "sk": {"N": "7"}})
    other = RecordRef("Orders", {"pk": {"S": "ORDER#1"}, "sk": {"N": "8"}})
    for each in (record, other):
        world.business.put(each, {**each.key, "shipped_at": {"S": "2026-05-17T10:15:00Z"}, **PERSONAL})
    assert world.records.has_fields(record, rule.erase)
    assert set(world.records.erase(rule, record, look(world, rule, record))) == set(rule.erase)
    assert not world.records.has_fields(record, rule.erase)
    assert world.records.has_fields(other, rule.erase)


def test_reserved_words_and_odd_names(world: World) -> None:
    """Names like `status`, `hold` and `a.b` are aliased, so that none is read as grammar."""
    rule = delivery_rule(
        match={("status",): {"S": "sent"}, ("a.b",): {"N": "1"}}, erase=(("hold",), ("until",))
    )
    item = {"shipment_id": {"S": "S-1001"}, "status": {"S": "sent"}, "a.b": {"N": "1"}, "hold": {"S": "x"}}
    world.business.put(shipment_ref(), item)
    assert set(world.records.erase(rule, shipment_ref(), look(world, rule, shipment_ref()))) == set(
        rule.erase
    )
    assert world.business.get(shipment_ref()) == {
        name: value for name, value in item.items() if name != "hold"
    }
