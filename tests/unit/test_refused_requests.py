"""Who was told that nothing is erased finds it so: a refused request starts nothing later of itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.facts import MOST_REQUESTS, FactKind, Facts, Request
from shared.facts_of_entries import rebuilt
from shared.policy import Mode, Policy
from shared.rebuild_facts import merged
from shared.record import RecordRef
from shared.settle import TRIES_OF_UNKNOWN_RULES
from tests.builders import NOW, policy, requested, shipment, shipment_ref, to_wire_text
from tests.worlds import MemoryBusiness, World, memory_world

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
RECORD = shipment_ref()
POLICY = policy()
WITHOUT = policy(*(rule for rule in POLICY.rules if not rule.on_request))
JUST_SHIPPED = shipment(shipped_at={"S": to_wire_text(NOW)})
"""Nothing is due by the clock for as long as these cases last."""


def on_request(**changes: Any) -> Policy:
    """The shipped policy, with its rules for requests changed."""
    return policy(*(replace(rule, **changes) if rule.on_request else rule for rule in POLICY.rules))


OBSERVING = on_request(mode=Mode.OBSERVE)
MATCHING = on_request(match={("drop_ship",): {"BOOL": True}})
NO_MATCH = {**JUST_SHIPPED, "drop_ship": {"BOOL": False}}


@dataclass(frozen=True)
class Refusal:
    """What is there, and under which policy, when it is refused; and the policy once it could be erased."""

    item: dict[str, Any] | None
    under: Policy
    afterwards: Policy


REFUSALS = {
    "record_absent": Refusal(None, POLICY, POLICY),
    "observed": Refusal(JUST_SHIPPED, OBSERVING, POLICY),
    "no_match": Refusal(NO_MATCH, MATCHING, MATCHING),
}
reasons = pytest.mark.parametrize("reason", REFUSALS)


def purge(world: World, rules: Policy = POLICY, *, after: timedelta = MINUTE) -> None:
    world.now += after
    world.purge(rules).raise_failures()


def sweep_and_purge(world: World, rules: Policy) -> None:
    """A day on, when all there is to find is found and all that is due is worked."""
    world.now += DAY
    world.sweep(rules).raise_failures()
    purge(world, rules)


def answers(world: World) -> list[tuple[str, str]]:
    """What those who asked were told: the request, and how it ended."""
    return [(said["request_id"], said.get("outcome") or said["reason"]) for _, said in world.business.news()]


def told(world: World) -> Facts:
    return world.told(RECORD) or Facts()


def memory_of(world: World) -> Any:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def refused(reason: str) -> World:
    """A world in which R-1 was refused for this reason."""
    world, case = memory_world(), REFUSALS[reason]
    if case.item:
        world.business.put(RECORD, case.item)
    world.take(requested(RECORD), case.under)
    purge(world, case.under)
    assert answers(world) == [("R-1", reason)]
    return world


@reasons
def test_what_was_refused_does_not_erase_later(reason: str) -> None:
    """The record appears, the rule enforces, the match becomes true: neither sweep nor purge goes by it."""
    world = refused(reason)
    world.business.put(RECORD, JUST_SHIPPED)
    for _ in range(3):
        sweep_and_purge(world, REFUSALS[reason].afterwards)
    assert world.business.get(RECORD) == JUST_SHIPPED
    assert (answers(world), world.standing(NOW + 30 * DAY)) == ([("R-1", reason)], [])


@reasons
def test_the_same_request_sent_again_is_taken_anew(reason: str) -> None:
    """Once it can be carried out, it is, and who asked is told the other thing."""
    world = refused(reason)
    world.business.put(RECORD, JUST_SHIPPED)
    world.take(requested(RECORD), REFUSALS[reason].afterwards)
    purge(world, REFUSALS[reason].afterwards)
    assert answers(world) == [("R-1", reason), ("R-1", "erased")]
    assert "email" not in (world.business.get(RECORD) or {"email": 1})


@reasons
def test_the_same_request_sent_again_in_vain_is_refused_again(reason: str) -> None:
    """Nothing has changed: each delivery has its answer, and leaves as little behind as the first."""
    world, case = refused(reason), REFUSALS[reason]
    world.take(requested(RECORD), case.under)
    purge(world, case.under)
    assert answers(world) == [("R-1", reason)] * 2
    assert told(world).of(FactKind.REQUESTED) == frozenset()
    assert world.standing() == []


def test_a_completed_request_sent_again_is_not() -> None:
    """It stands as it was answered, and nobody is told twice."""
    world = memory_world()
    world.business.put(RECORD, JUST_SHIPPED)
    world.take(requested(RECORD), POLICY)
    purge(world)
    was = told(world)
    world.take(requested(RECORD), POLICY)
    purge(world)
    assert (answers(world), told(world)) == ([("R-1", "erased")], was)


@pytest.mark.parametrize("later", [timedelta(0), DAY], ids=["of the same instant", "of a later one"])
def test_of_a_refused_and_a_completed_request_the_completed_one_stands(later: timedelta) -> None:
    """What is written back goes again by R-2, though R-1 was refused, and asked at the same time."""
    world = refused("record_absent")
    world.business.put(RECORD, JUST_SHIPPED)
    world.now += later
    world.take(requested(RECORD, request_id="R-2", requested_at=NOW + later), POLICY)
    purge(world)
    assert told(world).of(FactKind.REQUESTED) == {NOW + later}
    world.business.put(RECORD, JUST_SHIPPED)
    sweep_and_purge(world, POLICY)
    assert "email" not in (world.business.get(RECORD) or {"email": 1})
    assert answers(world) == [("R-1", "record_absent"), ("R-2", "erased")]


def test_a_refusal_takes_nothing_from_what_was_completed_before() -> None:
    """R-1 was completed, then R-2 refused: R-1 stands, so what comes back is erased."""
    world = memory_world()
    world.business.put(RECORD, JUST_SHIPPED)
    world.take(requested(RECORD), MATCHING)
    purge(world, MATCHING)
    world.business.put(RECORD, NO_MATCH)
    world.take(requested(RECORD, request_id="R-2"), MATCHING)
    purge(world, MATCHING)
    assert answers(world) == [("R-1", "erased"), ("R-2", "no_match")]
    world.business.put(RECORD, JUST_SHIPPED)
    sweep_and_purge(world, MATCHING)
    assert "email" not in (world.business.get(RECORD) or {"email": 1})


def test_a_request_whose_rule_is_gone_is_answered() -> None:
    """Once its timer is given up, not before: an older version may be about. Nothing starts it again."""
    world = memory_world()
    world.business.put(RECORD, JUST_SHIPPED)
    world.take(requested(RECORD), POLICY)
    for _ in range(TRIES_OF_UNKNOWN_RULES + 1):
        assert answers(world) == []
        purge(world, WITHOUT, after=17 * MINUTE)
    assert (answers(world), world.standing()) == ([("R-1", "rule_removed")], [])
    sweep_and_purge(world, POLICY)
    assert world.business.get(RECORD) == JUST_SHIPPED


def test_a_request_whose_rule_was_renamed_waits_for_the_sweep() -> None:
    """The old rule's timer answers nobody, because another rule carries it out."""
    world, renamed = memory_world(), on_request(id="erasure")
    renamed = policy(*(rule for rule in renamed.rules if not rule.on_request or rule.table == RECORD.table))
    world.business.put(RECORD, JUST_SHIPPED)
    world.take(requested(RECORD), POLICY)
    for _ in range(TRIES_OF_UNKNOWN_RULES + 1):
        purge(world, renamed, after=17 * MINUTE)
    assert answers(world) == []
    sweep_and_purge(world, renamed)
    assert answers(world) == [("R-1", "erased")]


@reasons
def test_the_ledger_gives_refused_requests_back(reason: str) -> None:
    """Facts of the entries alone are the very same: after the refusal, asked again, and answered again."""
    world, case = refused(reason), REFUSALS[reason]
    history: list[Callable[[], object]] = [
        lambda: None,
        lambda: world.take(requested(RECORD, requested_at=NOW + MINUTE), case.under),
        lambda: purge(world, case.under),
        lambda: world.take(requested(RECORD, request_id="R-2"), case.afterwards),
        lambda: world.business.put(RECORD, JUST_SHIPPED),
        lambda: purge(world, case.afterwards),
    ]
    for act in history:
        act()
        of_entries = rebuilt(world.business.entries())[RECORD.text]
        assert replace(of_entries, version=0) == replace(told(world), version=0)
    assert [each.answer for each in told(world).requests.values()] == [reason, "erased"]


def rebuilt_over(world: World, backup: Facts) -> Facts:
    """What stands once an older backup of Facts was completed from the ledger; twice is once."""
    from_ledger = rebuilt(world.business.entries())[RECORD.text]
    after = merged(backup, from_ledger)
    assert merged(after, from_ledger) == after
    return after


def test_a_backup_from_before_the_refusal_does_not_open_it_again() -> None:
    """The request stood open there: the ledger knows the answer, and nothing is erased by it."""
    world = memory_world()
    world.take(requested(RECORD), POLICY)
    backup = told(world)
    purge(world)
    refused_facts = told(world)
    after = rebuilt_over(world, backup)
    assert (after.requests, after.of(FactKind.REQUESTED)) == (refused_facts.requests, frozenset())
    memory_of(world).facts[RECORD] = after
    world.business.put(RECORD, JUST_SHIPPED)
    sweep_and_purge(world, POLICY)
    assert world.business.get(RECORD) == JUST_SHIPPED


def test_a_backup_from_after_the_refusal_does_not_refuse_it_again() -> None:
    """It was asked again since: it is open, and will be answered."""
    world = refused("record_absent")
    backup = told(world)
    world.take(requested(RECORD), POLICY)
    after = rebuilt_over(world, backup)
    assert after.open_requests() == told(world).open_requests()
    assert after.of(FactKind.REQUESTED) == {NOW}


REQUESTS = [
    Request(f"R-{number}", NOW + (number % 5) * DAY, "staff-3") for number in range(2 * MOST_REQUESTS)
]
WORDS = ("erased", "already_absent", "record_absent", "observed", "no_match", "rule_removed")
type Step = Callable[[Facts, datetime], Facts]


def ask(numbers: range) -> Step:
    return lambda facts, _at: _asked(facts, numbers)


def _asked(facts: Facts, numbers: range) -> Facts:
    for number in numbers:
        facts = facts.requested(REQUESTS[number])
    return facts


def answer_all(word: str) -> Step:
    return lambda facts, at: facts.answered([each.request_id for each in facts.open_requests()], at, word)


numbers = st.integers(0, 2 * MOST_REQUESTS - 1)
steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(numbers, numbers).map(lambda ends: ask(range(min(ends), max(ends) + 1))),
    st.sampled_from(WORDS).map(answer_all),
)


def known(facts: Facts) -> tuple[list[Request], list[Request]]:
    """The requests that wait, and those that were answered."""
    answered = [each for each in facts.requests.values() if each.answered_at]
    return list(facts.open_requests()), answered


@given(st.lists(steps, max_size=12))
def test_requests_are_few_and_none_that_waits_is_dropped(history: list[Step]) -> None:
    """Of the answered ones only so many are kept, in whatever order they came, how often, and how ended.

    Refused ones start no clock: no instant is left that only they asked for; those that stand have theirs.
    """
    facts = Facts()
    for number, step in enumerate(history):
        waiting = {each.request_id for each in facts.open_requests()}
        after = step(facts, NOW + number * MINUTE)
        still = {each.request_id for each in after.open_requests()}
        answered = {each.request_id for each in known(after)[1]}
        assert waiting <= still or not still, "a request that waited is gone"
        assert len(answered) <= MOST_REQUESTS
        assert len(after.requests) <= max(MOST_REQUESTS, len(still))
        assert (after.version == facts.version) == (after == facts)
        standing = {each.requested_at for each in after.requests.values() if not each.is_refused}
        assert standing <= after.of(FactKind.REQUESTED)
        facts = after
    assert answer_all("no_match")(facts, NOW + DAY).open_requests() == ()


@given(st.permutations(range(6)), st.sets(st.integers(0, 5)))
def test_duplicates_and_order_of_requests_do_not_matter(order: list[int], twice: set[int]) -> None:
    """Told in any order, some twice: the same requests wait, and once refused none starts a clock."""
    in_turn = _asked(Facts(), range(6))
    mixed = Facts()
    for number in [*order, *twice]:
        mixed = mixed.requested(REQUESTS[number])
    assert replace(mixed, version=0) == replace(in_turn, version=0)
    nothing = answer_all("record_absent")(mixed, NOW)
    assert nothing.of(FactKind.REQUESTED) == frozenset()


def test_a_burst_of_requests_does_not_stay() -> None:
    """Sixty wait at once; answered together, no more are kept than of any."""
    number = MOST_REQUESTS + 10
    waiting = _asked(Facts(), range(number))
    assert len(waiting.open_requests()) == number
    assert len(answer_all("erased")(waiting, NOW).requests) == MOST_REQUESTS


def test_other_records_are_not_touched() -> None:
    """A refusal is about one record: the request's other record is erased, and stays so."""
    world, other = memory_world(), RecordRef("Shipments", {"shipment_id": {"S": "S-2"}})
    world.business.put(other, {**JUST_SHIPPED, **other.key})
    world.take(requested(RECORD, other), POLICY)
    purge(world)
    assert sorted(answers(world)) == [("R-1", "erased"), ("R-1", "record_absent")]
    facts = world.told(other) or Facts()
    assert told(world).of(FactKind.REQUESTED) == frozenset()
    assert facts.of(FactKind.REQUESTED) == {NOW}
