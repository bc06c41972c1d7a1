"""Facts: a set of instants, whatever the order and number of deliveries, and small without harm."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.facts import MOST_INSTANTS, FactKind, Facts, Hold

START = datetime(2026, 1, 1, tzinfo=UTC)
LEFT, RETURNED, SHIPPED = FactKind.LEFT, FactKind.RETURNED, FactKind.SHIPPED

type Telling = tuple[FactKind, datetime]

instants = st.integers(0, 400).map(lambda hours: START + timedelta(hours=hours))
tellings = st.tuples(st.sampled_from(FactKind), instants)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def told(tellings: Iterable[Telling], facts: Facts | None = None) -> Facts:
    facts = facts or Facts()
    for kind, instant in tellings:
        facts = facts.told(kind, instant)
    return facts


def standing(
    tellings: Sequence[Telling], kind: FactKind = LEFT, cancel: FactKind = RETURNED
) -> list[datetime]:
    """The oracle: every instant ever told after the last cancel, in order."""
    last = max((instant for each, instant in tellings if each is cancel), default=None)
    return sorted(instant for each, instant in tellings if each is kind and (last is None or instant > last))


def test_what_was_not_told_is_empty() -> None:
    """An absent row is version 0, without instants or holds; no kind has no instants."""
    assert (Facts().version, Facts().holds) == (0, {})
    assert [Facts().of(kind) for kind in (*FactKind, None)] == [frozenset()] * 4


def test_telling_adds_an_instant_of_its_kind() -> None:
    """Each kind has its own set, and each change raises the version by one."""
    facts = told([(LEFT, day(1)), (LEFT, day(2)), (RETURNED, day(1))])
    assert facts == Facts(3, {LEFT: frozenset({day(1), day(2)}), RETURNED: frozenset({day(1)})})
    assert facts.of(SHIPPED) == frozenset()


def test_telling_leaves_the_rest_alone() -> None:
    """Holds stay as they are, and what was there before is not changed in place."""
    hold = Hold("fraud", "CASE-1", "U-1", since=day(0), until=None)
    before = Facts(7, {LEFT: frozenset({day(1)})}, {"CASE-1": hold})
    after = before.told(LEFT, day(2))
    assert after == Facts(8, {LEFT: frozenset({day(1), day(2)})}, {"CASE-1": hold})
    assert before == Facts(7, {LEFT: frozenset({day(1)})}, {"CASE-1": hold})


@given(st.lists(tellings, max_size=120))
def test_telling_twice_changes_nothing(told_before: list[Telling]) -> None:
    """The same instant again gives the very same facts, version included, however many were told before."""
    facts = Facts()
    for kind, instant in told_before:
        facts = facts.told(kind, instant)
        assert facts.told(kind, instant) is facts


@given(
    st.lists(tellings, max_size=MOST_INSTANTS).flatmap(
        lambda some: st.tuples(st.just(some), st.permutations(some + some[:9]))
    )
)
def test_the_order_of_telling_does_not_matter(orders: tuple[list[Telling], list[Telling]]) -> None:
    """Any order, with duplicates, makes the same sets, and a version for each different instant."""
    once, again = orders
    facts = told(once)
    assert facts == told(again)
    assert facts.version == len(set(once))
    for kind in FactKind:
        assert facts.of(kind) == {instant for each, instant in once if each is kind}


@given(st.lists(instants, max_size=200, unique=True), st.sampled_from(FactKind))
def test_a_kind_keeps_no_more_than_fifty(some: list[datetime], kind: FactKind) -> None:
    """The set stays small; up to the bound nothing is dropped."""
    facts = told((kind, instant) for instant in some)
    assert len(facts.of(kind)) == min(len(some), MOST_INSTANTS)
    assert facts.of(kind) <= set(some)


few_examples = settings(max_examples=30)  # each tells hundreds of instants
many = st.lists(st.tuples(st.sampled_from([LEFT, LEFT, LEFT, RETURNED]), instants), min_size=60, max_size=200)


@few_examples
@given(many, instants)
def test_beyond_the_bound_no_departure_counts_too_early(some: list[Telling], back: datetime) -> None:
    """Whatever was dropped, and whenever the contact returns, what counts was told and is never earlier."""
    every = [*some, (RETURNED, back)]
    for tellings_so_far, facts in ((some, told(some)), (every, told(every))):
        true = standing(tellings_so_far)
        kept = standing([(kind, instant) for kind in (LEFT, RETURNED) for instant in facts.of(kind)])
        assert set(kept) <= set(true)
        assert bool(kept) == bool(true)
        assert kept[-1:] == true[-1:]


@few_examples
@given(st.lists(instants, min_size=60, max_size=200, unique=True))
def test_beyond_the_bound_the_first_and_the_last_are_kept(some: list[datetime]) -> None:
    """Without a cancel, the earliest and the latest departure are exact."""
    kept = told((LEFT, instant) for instant in some).of(LEFT)
    assert (min(kept), max(kept)) == (min(some), max(some))


@few_examples
@given(st.permutations(range(80)))
def test_of_cancels_the_last_is_kept(days: list[int]) -> None:
    """Only the last return counts, so the earliest ones go first."""
    facts = told((RETURNED, day(number)) for number in days)
    assert facts.of(RETURNED) == {day(number) for number in range(80 - MOST_INSTANTS, 80)}


def test_spent_instants_go_first() -> None:
    """A departure at or before the last return decides nothing: it makes room for one that does."""
    spent = [(LEFT, day(number)) for number in range(10)]
    facts = told([*spent, (RETURNED, day(9)), *((LEFT, day(number)) for number in range(10, 60))])
    assert facts.of(LEFT) == {day(number) for number in range(10, 60)}


def test_of_standing_instants_the_one_nearest_its_successor_goes() -> None:
    """Taking the successor in its place is late by the least."""
    spread = [(LEFT, day(10 * number)) for number in range(MOST_INSTANTS)]
    facts = told(spread).told(LEFT, day(199))
    assert facts.of(LEFT) == {instant for _, instant in spread}
    facts = told(spread).told(LEFT, day(201))
    assert facts.of(LEFT) == {instant for _, instant in spread} - {day(200)} | {day(201)}


def test_nightly_repeats_do_not_lose_the_first_notice() -> None:
    """HR re-sends a departure every night with a new instant: the first one stands."""
    nights = [(LEFT, day(number)) for number in range(365)]
    assert min(told(nights).of(LEFT)) == day(0)


@pytest.mark.parametrize("dropped", [day(-1), day(199)], ids=["spent", "nearest-its-successor"])
def test_what_is_dropped_at_once_changes_nothing(dropped: datetime) -> None:
    """An instant that the bound drops leaves the facts, and their version, as they were."""
    facts = told([(RETURNED, day(0)), *((LEFT, day(10 * number)) for number in range(1, MOST_INSTANTS + 1))])
    assert facts.told(LEFT, dropped) is facts
