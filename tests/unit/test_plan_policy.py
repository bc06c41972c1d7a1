"""A plan says what another policy would change, to the record and to the day; and changes nothing."""

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.facts import FactKind, Facts, Hold
from shared.instants import DAY, LAST, MINUTE, SECOND
from shared.plan_policy import plan
from shared.planned import Moved, Pair, Plan, pairs_of
from shared.policy import Merge, Mode, Policy, Rule
from shared.prospect import AT_ONCE, NO_KNOWN_END, Bucket, bucket_of, erased_at
from shared.record import View, WireValue
from tests.builders import (
    NOW,
    contact,
    contact_ref,
    delivery_rule,
    leaver_rule,
    left,
    policy,
    returned,
    shipment,
    shipment_ref,
    to_wire_text,
)
from tests.scans import only_scans
from tests.worlds import MemoryBusiness, World, memory_world

LONDON = ZoneInfo("Europe/London")
DELIVERY, LEAVER = delivery_rule(), leaver_rule()
OLD = policy(DELIVERY, digest="old")


def days(number: float) -> timedelta:
    return timedelta(days=number)


def rule(**changes: Any) -> Rule:
    return delivery_rule(**changes)


def becoming(*rules: Rule) -> Policy:
    return policy(*rules, digest="new")


SIXTY = becoming(rule(retain=days(60)))


def hold(until: datetime | None) -> Facts:
    return Facts(1, holds={"CASE-1": Hold("fraud", "CASE-1", "staff-1", NOW - days(1), until)})


def view(age: float, facts: Facts | None = None, **changes: WireValue) -> View:
    attributes: dict[tuple[str, ...], WireValue] = {
        ("drop_ship",): {"BOOL": True},
        ("shipped_at",): {"S": to_wire_text(NOW - days(age))},
    }
    return View(
        exists=True, attributes=attributes | {(name,): each for name, each in changes.items()}, facts=facts
    )


MARK = {"M": {"until": {"S": to_wire_text(NOW + days(9))}}}


@pytest.mark.parametrize(
    ("seen", "at"),
    [
        (view(100), NOW),
        (view(90), NOW),
        (view(89), NOW + days(1)),
        (view(100, hold(NOW + days(3))), NOW + days(3)),
        (view(89, hold(NOW + days(3))), NOW + days(3)),
        (view(80, hold(NOW + days(3))), NOW + days(10)),
        (view(89, hold(None)), LAST),
        (view(89, legal_hold=MARK), NOW + days(9)),
        (view(100, legal_hold={"S": "yes"}), LAST),
        (view(100, drop_ship={"BOOL": False}), None),
        (view(100, shipped_at={"S": "yesterday"}), None),
        (view(100, shipped_at={"NULL": True}), None),
        (View(exists=False, attributes={}, facts=None), None),
    ],
)
def test_when_a_record_is_erased(seen: View, at: datetime | None) -> None:
    """Now, when it is due, or when what holds it then has ended; as if the rule enforced."""
    assert erased_at(DELIVERY, seen, NOW) == at
    assert erased_at(rule(mode=Mode.OBSERVE), seen, NOW) == at


@pytest.mark.parametrize(
    ("at", "bucket"),
    [
        (NOW - days(100), AT_ONCE),
        (NOW, AT_ONCE),
        (NOW + MINUTE, Bucket(date(2026, 8, 25), "2026-08-25")),
        (datetime(2026, 8, 25, 22, 59, tzinfo=UTC), Bucket(date(2026, 8, 25), "2026-08-25")),
        (datetime(2026, 8, 25, 23, 0, tzinfo=UTC), Bucket(date(2026, 8, 26), "2026-08-26")),
        (datetime(2026, 8, 31, 22, 59, tzinfo=UTC), Bucket(date(2026, 8, 31), "2026-08-31")),
        (datetime(2026, 8, 31, 23, 0, tzinfo=UTC), Bucket(date(2026, 9, 1), "2026-09")),
        (datetime(2027, 1, 31, 23, 59, tzinfo=UTC), Bucket(date(2027, 1, 1), "2027-01")),
        (LAST, NO_KNOWN_END),
        (LAST - MINUTE, Bucket(date(9999, 12, 1), "9999-12")),
    ],
)
def test_by_local_day_for_a_week_then_by_month(at: datetime, bucket: Bucket) -> None:
    """What is over is at once; a day begins where the policy's days begin."""
    assert bucket_of(at, NOW, LONDON) == bucket


def test_a_month_that_the_days_reach_into() -> None:
    """The rest of it is counted apart, and stands in its place."""
    rest = bucket_of(NOW + days(10), NOW + days(2), LONDON)
    assert rest == Bucket(date(2026, 9, 3), "2026-09, the rest")
    assert bucket_of(NOW + days(8), NOW + days(2), LONDON) < rest < bucket_of(NOW + days(40), NOW, LONDON)


def test_rules_are_compared_by_their_names() -> None:
    """One that will be of other records is removed and new at the same time."""
    key = {"pk": DELIVERY.key["shipment_id"]}
    moved = replace(LEAVER, table="People")
    other_key = rule(id="x", key=key)
    new = rule(id="new")
    old = policy(DELIVERY, LEAVER, rule(id="x"))
    assert pairs_of(old, policy(rule(retain=days(1)), moved, other_key, new)) == [
        Pair("delivery-contact", DELIVERY, rule(retain=days(1))),
        Pair("leaver-contact", LEAVER, None),
        Pair("leaver-contact", None, moved),
        Pair("x", rule(id="x"), None),
        Pair("x", None, other_key),
        Pair("new", None, new),
    ]


def aged(*ages: float) -> World:
    """A world of shipments that were shipped so many days ago."""
    world = memory_world()
    for number, age in enumerate(ages):
        item = shipment(f"S-{number}", shipped_at={"S": to_wire_text(NOW - days(age))})
        world.business.put(shipment_ref(f"S-{number}"), item)
    return world


def planned(world: World, old: Policy, new: Policy, **options: Any) -> Plan:
    assert isinstance(world.business, MemoryBusiness)
    before = deepcopy(vars(world.business.memory) | {"lock": None, "stamps": None})
    scans, _ = only_scans(world.records, world.facts, options.pop("poisoned", ()))
    result = plan(old, new, scans, world.now, **options)
    assert vars(world.business.memory) | {"lock": None, "stamps": None} == before
    return result


def labels(counts: Counter[Bucket]) -> dict[str, int]:
    return {bucket.label: number for bucket, number in sorted(counts.items())}


def moved(planned: Plan, rule_id: str = "delivery-contact") -> dict[Moved, int]:
    return {each: number for each, number in planned.by_rule[rule_id].moved.items() if number}


def test_sixty_days_for_ninety() -> None:
    """Each record by the day that it is erased on, before and after; what is over comes at once."""
    result = planned(aged(100, 85, 70, 61, 59, 54, 40, 10), OLD, SIXTY)
    of_rule = result.by_rule["delivery-contact"]
    assert labels(of_rule.before) == {"at once": 1, "2026-08-30": 1, "2026-09": 4, "2026-10": 1, "2026-11": 1}
    assert labels(of_rule.after) == {
        "at once": 4,
        "2026-08-26": 1,
        "2026-08-31": 1,
        "2026-09": 1,
        "2026-10": 1,
    }
    assert moved(result) == {Moved.SAME: 1, Moved.EARLIER: 7}
    assert result.at_once == 4


def test_the_same_policy() -> None:
    """Nothing moves."""
    assert moved(planned(aged(100, 85, 10), OLD, OLD)) == {Moved.SAME: 3}


def test_a_longer_period() -> None:
    """What was due waits again; what cannot be erased by any of the two is not counted."""
    world = aged(100, 10)
    world.business.put(shipment_ref("S-gone"), shipment("S-gone", email=None, contact_number=None))
    world.business.put(shipment_ref("S-other"), shipment("S-other", drop_ship={"BOOL": False}))
    result = planned(world, OLD, becoming(rule(retain=days(365))))
    assert moved(result) == {Moved.LATER: 2}
    assert (result.by_rule["delivery-contact"].before.total(), result.at_once) == (2, 0)


def test_a_removed_rule_and_a_new_one() -> None:
    """The records of the one are not erased any more; those of the other are from now on."""
    result = planned(aged(100, 10), OLD, becoming(rule(id="new", erase=(("name",),))))
    assert moved(result) == {Moved.NO_LONGER_COVERED: 2}
    assert moved(result, "new") == {Moved.NEWLY_COVERED: 2}
    assert result.at_once == 1


def test_other_records_match() -> None:
    """Those that the rule will not be about any more, and those that it will be about."""
    world = aged(100, 10)
    world.business.put(shipment_ref("S-other"), shipment("S-other", drop_ship={"BOOL": False}))
    result = planned(world, OLD, becoming(rule(match={("drop_ship",): {"BOOL": False}})))
    assert moved(result) == {Moved.NO_LONGER_COVERED: 2, Moved.NEWLY_COVERED: 1}


def test_keys_of_another_kind_in_the_same_table() -> None:
    """A rule whose key template changes is about other records of the table."""
    template = replace(DELIVERY.key["shipment_id"], template="T-{shipment_id}")
    world = aged(100)
    world.business.put(shipment_ref("T-1"), shipment("T-1"))
    result = planned(world, OLD, becoming(rule(key={"shipment_id": template})))
    assert moved(result) == {Moved.NO_LONGER_COVERED: 1, Moved.SAME: 1}


def test_a_field_that_is_added() -> None:
    """Records that were erased before have that field still: they are overdue at once."""
    world = aged(100, 10)
    erased = shipment("S-erased", email=None, contact_number=None)
    world.business.put(shipment_ref("S-erased"), erased)
    more = becoming(rule(erase=(*DELIVERY.erase, ("name",))))
    result = planned(world, OLD, more)
    assert moved(result) == {Moved.SAME: 2, Moved.NEWLY_COVERED: 1}
    assert labels(result.by_rule["delivery-contact"].after)["at once"] == 2
    assert moved(planned(world, more, OLD)) == {Moved.SAME: 2, Moved.NO_LONGER_COVERED: 1}


def test_a_rule_that_only_observes_erases_nothing() -> None:
    """What it would erase is counted apart; once it enforces, all of that is newly covered."""
    observing = becoming(rule(mode=Mode.OBSERVE))
    world = aged(100, 10)
    result = planned(world, OLD, observing)
    assert moved(result) == {Moved.NO_LONGER_COVERED: 2, Moved.OBSERVED: 2}
    assert result.by_rule["delivery-contact"].after.total() == 0
    result = planned(world, observing, OLD)
    assert moved(result) == {Moved.NEWLY_COVERED: 2}
    assert (result.by_rule["delivery-contact"].before.total(), result.at_once) == (0, 1)


def test_a_hold_has_the_last_word() -> None:
    """By both policies the record is erased when its hold ends: nothing moves."""
    world = aged(70)
    assert isinstance(world.business, MemoryBusiness)
    world.business.memory.facts[shipment_ref("S-0")] = hold(NOW + days(100))
    result = planned(world, OLD, SIXTY)
    assert moved(result) == {Moved.SAME: 1}
    assert labels(result.by_rule["delivery-contact"].after) == {"2026-12": 1}
    world.business.memory.facts[shipment_ref("S-0")] = hold(None)
    assert labels(planned(world, OLD, SIXTY).by_rule["delivery-contact"].after) == {"no known end": 1}


def test_a_hold_that_outlasts_a_clock_that_still_runs() -> None:
    """Facts count for records that no policy calls due yet."""
    world = aged(10)
    assert isinstance(world.business, MemoryBusiness)
    world.business.memory.facts[shipment_ref("S-0")] = hold(NOW + days(100))
    assert moved(planned(world, OLD, SIXTY)) == {Moved.SAME: 1}


def test_rules_that_only_facts_start() -> None:
    """Facts are scanned, and the records that they are about are asked for their fields."""
    world = memory_world()
    for number, age in enumerate([100, 70, 10]):
        world.business.put(contact_ref(f"C-{number}"), contact(f"C-{number}"))
        world.take(left(f"C-{number}", NOW - days(age)), policy())
    world.take(returned("C-2", NOW - days(5)), policy())
    world.take(left("C-gone", NOW - days(70)), policy())
    result = planned(world, policy(LEAVER), becoming(replace(LEAVER, retain=days(60))))
    assert moved(result, "leaver-contact") == {Moved.SAME: 1, Moved.EARLIER: 1}
    assert result.at_once == 2


def test_an_anchor_that_moves_from_facts_to_the_record() -> None:
    """Both rules are judged where the anchor may stand, so each record is compared with itself."""
    fact_only = rule(anchor=replace(DELIVERY.anchor, attribute=None))
    world = aged(100, 50)
    world.tell(shipment_ref("S-0"), FactKind.SHIPPED, NOW - days(10))
    world.tell(shipment_ref("S-unknown"), FactKind.SHIPPED, NOW - days(10))
    assert moved(planned(world, policy(fact_only), OLD)) == {Moved.EARLIER: 1, Moved.NEWLY_COVERED: 1}
    assert moved(planned(world, OLD, policy(fact_only))) == {Moved.LATER: 1, Moved.NO_LONGER_COVERED: 1}


def test_several_instants() -> None:
    """Which of them counts may change, too."""
    latest = rule(anchor=replace(DELIVERY.anchor, merge=Merge.LATEST))
    earliest = rule(anchor=replace(DELIVERY.anchor, merge=Merge.EARLIEST))
    world = memory_world()
    world.business.put(shipment_ref(), shipment(shipped_at=None))
    world.tell(shipment_ref(), FactKind.SHIPPED, NOW - days(100))
    world.tell(shipment_ref(), FactKind.SHIPPED, NOW - days(1))
    assert moved(planned(world, policy(latest), becoming(earliest))) == {Moved.EARLIER: 1}


def test_whose_fields_they_are_is_asked_once() -> None:
    """Where the scan itself says so, nobody is asked; else once for the same fields of the same record."""
    world = aged(100, 10)
    scans, looked_at = only_scans(world.records, world.facts)
    plan(OLD, SIXTY, scans, NOW)
    assert looked_at.asked == []
    other = rule(id="other", erase=(("name",),))
    plan(policy(DELIVERY, other), becoming(rule(retain=days(60)), other), scans, NOW)
    assert sorted((record.text, tuple(fields)) for record, fields in looked_at.asked) == sorted(
        (shipment_ref(f"S-{number}").text, tuple(frozenset(fields)))
        for number in (0, 1)
        for fields in (DELIVERY.erase, other.erase)
    )


def test_facts_that_cannot_be_read_are_counted() -> None:
    """Their records are left out: when they are erased, nobody can tell. The others are sound."""
    world = aged(100, 100, 100)
    for number in range(3):
        world.tell(shipment_ref(f"S-{number}"), FactKind.LEFT, NOW)
    result = planned(world, OLD, SIXTY, poisoned={shipment_ref("S-1")})
    assert (moved(result), result.unreadable) == ({Moved.SAME: 2}, 1)


def test_progress_is_told() -> None:
    """Of all items that were scanned, also of those without personal fields."""
    world = aged(100, 10)
    world.business.put(shipment_ref("S-gone"), shipment("S-gone", email=None, contact_number=None))
    told: list[int] = []
    planned(world, OLD, SIXTY, advance=told.append)
    assert sum(told) == 3


ages = st.floats(0, 130).map(lambda age: round(age, 3))
holds = st.none() | st.floats(-5, 40).map(lambda length: NOW + days(round(length, 3)))
lives = st.lists(st.tuples(ages, holds, st.booleans(), st.booleans()), min_size=1, max_size=12)
news: st.SearchStrategy[Mapping[str, Any]] = st.fixed_dictionaries({
    "retain": st.sampled_from([days(60), days(90), days(120)]),
    "erase": st.sampled_from([DELIVERY.erase, (("email",), ("name",)), (("name",),)]),
    "mode": st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.OBSERVE]),
})  # fmt: skip


SOON = NOW + 5 * SECOND  # the skew that the purge allows for
NIGHTS = [datetime(2026, 8, 25, 23, 0, tzinfo=UTC) + number * DAY for number in range(7)]
MONTHS = [datetime(2026, month, 1, tzinfo=LONDON).astimezone(UTC) for month in (10, 11, 12)]
ENDS = [each + 5 * SECOND for each in (*NIGHTS, *MONTHS, datetime(2027, 1, 1, tzinfo=UTC))]


@settings(max_examples=60)
@given(lives, news)
def test_the_numbers_equal_what_then_happens(
    lives: list[tuple[float, datetime | None, bool, bool]], new: Mapping[str, Any]
) -> None:
    """The new policy is deployed; time after time it is swept and purged: as many are erased as was said."""
    world = aged(*(age for age, *_ in lives))
    assert isinstance(world.business, MemoryBusiness)
    for number, (_, until, has_email, matches) in enumerate(lives):
        record = shipment_ref(f"S-{number}")
        item = world.business.memory.items[record]
        item |= {"drop_ship": {"BOOL": matches}}
        for name in () if has_email else ("email", "contact_number"):
            del item[name]
        if until:
            world.business.memory.facts[record] = hold(until)
    changed = becoming(rule(**new))
    said = planned(world, OLD, changed).by_rule["delivery-contact"].after
    happened: Counter[Bucket] = Counter()
    for now in (SOON, *ENDS):
        world.now = now
        world.sweep(changed).raise_failures()
        world.purge(changed).raise_failures()
        erased = [entry for entry in world.business.entries() if entry["outcome"] == "erased"]
        day = AT_ONCE if now == SOON else bucket_of(now - MINUTE, NOW, LONDON)
        happened[day] += len(erased) - happened.total()
    assert +happened == said
