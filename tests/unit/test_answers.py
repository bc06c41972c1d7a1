"""Answers to requests beside the main line: refusals, lost answers, what is asked while it is worked."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.answer_requests import Answering
from shared.evidence import Entry, Outcome
from shared.facts import Facts
from shared.failure import CallFailedError
from shared.finish_timers import FAILED_ANSWERS
from shared.instants import to_text
from shared.outgoing import ContractEvent
from shared.policy import Mode, Policy, Rule
from shared.record import Path, RecordRef, View
from shared.retention import Why
from shared.settle import TRIES_OF_UNKNOWN_RULES
from shared.tally import Count
from tests.builders import (
    LONG_AGO,
    NOW,
    closed,
    contact,
    contact_ref,
    left,
    opened,
    policy,
    requested,
    returned,
    shipment,
    shipment_ref,
    shipped,
    to_wire_text,
)
from tests.memory import Memory, MemoryBus, MemoryFacts, MemoryTables
from tests.worlds import MemoryBusiness, World, memory_world

DAY = timedelta(days=1)
SECONDS = timedelta(seconds=5)
POLICY = policy()
RECORD = shipment_ref()
REQUEST_RULE = next(rule for rule in POLICY.rules if rule.id == "delivery-erasure")
PROOF = shipment(contact_number=None, email=None, name=None)


def memory_of(world: World) -> Memory:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def asked_for(item: dict[str, Any] | None = None, policy: Policy = POLICY) -> World:
    """A world with a shipment, or another item, and a request that is due."""
    world = memory_world()
    world.business.put(RECORD, item or shipment())
    world.take(requested(RECORD), policy)
    world.now += SECONDS
    return world


def with_rule(**changes: Any) -> Policy:
    """The shipped policy with its request rule for shipments changed."""
    return policy(*POLICY.rules[:2], replace(REQUEST_RULE, **changes), POLICY.rules[3])


def answers(world: World) -> list[tuple[str, str]]:
    """Each answer's kind, and what became of it."""
    return [(kind, str(said.get("outcome", said.get("reason")))) for kind, said in world.business.news()]


@pytest.mark.parametrize(
    ("item", "rules", "answer"),
    [
        pytest.param(shipment(), POLICY, ("ErasureCompleted", "erased"), id="there"),
        pytest.param(PROOF, POLICY, ("ErasureCompleted", "already_absent"), id="gone already"),
        pytest.param(shipment(shipped_at=None), POLICY, ("ErasureCompleted", "erased"), id="no clock runs"),
        pytest.param(
            shipment(shipped_at={"S": "soon"}), POLICY, ("ErasureCompleted", "erased"), id="an absurd clock"
        ),
        pytest.param(
            shipment(drop_ship={"BOOL": False}),
            POLICY,
            ("ErasureCompleted", "erased"),
            id="other rules' match",
        ),
        pytest.param(shipment(), with_rule(mode=Mode.OBSERVE), ("ErasureRefused", "observed"), id="observed"),
        pytest.param(
            PROOF, with_rule(mode=Mode.OBSERVE), ("ErasureCompleted", "already_absent"), id="observed, gone"
        ),
        pytest.param(
            shipment(),
            with_rule(match={("drop_ship",): {"BOOL": False}}),
            ("ErasureRefused", "no_match"),
            id="a rule with a match",
        ),
    ],
)
def test_what_became_of_it(item: dict[str, Any], rules: Policy, answer: tuple[str, str]) -> None:
    """Completed means: nothing of what the rule erases is there. Else it is refused, with the reason."""
    world = asked_for(item, rules)
    report = world.purge(rules)
    report.raise_failures()
    assert answers(world) == [answer]
    assert report.tally.counts[Count.ANSWERS] == 1
    facts = world.told(RECORD) or Facts()
    assert (facts.requests["R-1"].answer, facts.requests["R-1"].answered_at) == (answer[1], world.now)
    assert facts.open_requests() == ()
    assert world.standing() == []
    gone = world.business.get(RECORD) == {name: item[name] for name in item if name in PROOF}
    assert gone == (answer[0] == "ErasureCompleted")


def test_an_absurd_instant_is_refused_with_the_reason() -> None:
    """A request of 1970 is due by nothing that can be believed."""
    world = memory_world()
    world.business.put(RECORD, shipment())
    world.take(requested(RECORD, requested_at="1970-01-01T00:00:00Z"), POLICY)
    world.purge(POLICY)
    assert answers(world) == [("ErasureRefused", Why.IMPLAUSIBLE.value)]
    assert world.business.get(RECORD) == shipment()


def test_a_request_for_tomorrow_waits() -> None:
    """A clock that goes ahead by some hours makes nothing early."""
    world = memory_world()
    world.business.put(RECORD, shipment())
    world.take(requested(RECORD, requested_at=NOW + DAY), POLICY)
    world.purge(POLICY)
    assert (answers(world), world.business.get(RECORD)) == ([], shipment())
    world.now = NOW + DAY + SECONDS
    world.purge(POLICY)
    assert answers(world) == [("ErasureCompleted", "erased")]


def test_what_the_clock_erased_is_already_absent() -> None:
    """The clock's timer is no answer to a request: its own is, and says what it found."""
    world = memory_world()
    world.business.put(RECORD, PROOF | {"email": {"S": "canary-jo@example.org"}})
    world.take(shipped(), POLICY)
    world.purge(POLICY)
    assert world.business.news() == []
    world.take(requested(RECORD), POLICY)
    world.now += SECONDS
    world.purge(POLICY)
    assert answers(world) == [("ErasureCompleted", "already_absent")]


def test_clock_and_request_at_once() -> None:
    """Both timers of one record in one run: each ends with its evidence, and nobody is in the other's way."""
    world = asked_for()
    world.take(shipped(), POLICY)
    report = world.purge(POLICY)
    report.raise_failures()
    assert world.business.get(RECORD) == PROOF
    assert [kind for kind, _ in answers(world)] == ["ErasureCompleted"]
    assert world.standing() == []


def test_a_contact_that_returned_is_erased_on_request() -> None:
    """The clock is cancelled; whoever is asked for by name is erased all the same."""
    world = memory_world()
    world.business.put(contact_ref(), contact())
    world.take(left(), POLICY)
    world.take(returned(at=LONG_AGO + DAY), POLICY)
    world.take(requested(contact_ref()), POLICY)
    world.now += SECONDS
    world.purge(POLICY)
    assert "email" not in (world.business.get(contact_ref()) or {"email": 1})
    assert sorted(reason for _, _, reason in world.outcomes()) == ["", "cancelled"]


@dataclass
class Down(MemoryBus):
    """A bus that fails a number of times, before or after it took the events."""

    times: int = 1
    after: bool = False

    def put(self, events: Sequence[ContractEvent]) -> None:
        if self.times and not self.after:
            self.times -= 1
            raise CallFailedError("PutEvents", "InternalFailure")
        super().put(events)
        if self.times:
            self.times -= 1
            raise CallFailedError("PutEvents", "ReadTimeoutError")


def test_an_answer_that_cannot_be_sent_is_sent_later() -> None:
    """The fields are gone, with evidence; the failure is shown; the timer comes again for the answer."""
    world = asked_for()
    world.bus = Down(memory_of(world))
    report = world.purge(POLICY)
    assert report.failures == ("InternalFailure",)
    assert (world.business.get(RECORD), answers(world)) == (PROOF, [])
    assert len((world.told(RECORD) or Facts()).open_requests()) == 1
    (timer,) = world.standing()
    assert (timer.due, timer.attempts) == (NOW, 1)
    world.now = timer.at + SECONDS
    world.purge(POLICY).raise_failures()
    assert answers(world) == [("ErasureCompleted", "already_absent")]
    assert (world.standing(), (world.told(RECORD) or Facts()).open_requests()) == ([], ())
    assert sorted(outcome for _, outcome, _ in world.outcomes()) == ["already_absent", "erased"]


def test_an_answer_whose_arrival_is_unknown_is_sent_again() -> None:
    """Twice is harmless, and tells the same request; not at all would be a promise broken."""
    world = asked_for()
    world.bus = Down(memory_of(world), after=True)
    world.purge(POLICY)
    world.now += timedelta(minutes=2)
    world.purge(POLICY).raise_failures()
    assert answers(world) == [("ErasureCompleted", "erased"), ("ErasureCompleted", "already_absent")]
    assert {said["request_id"] for _, said in world.business.news()} == {"R-1"}


def test_one_answer_that_fails_stops_no_other() -> None:
    """Nor does a failing answer keep the timers of other records standing."""
    world = asked_for()
    other = next(ref for n in range(99) if (ref := shipment_ref(f"S-{n}")).shard == RECORD.shard)
    world.business.put(other, shipment(other.key["shipment_id"]["S"]))
    world.take(requested(other, request_id="R-2"), POLICY)
    world.bus = Down(memory_of(world))
    assert world.purge(POLICY).failures == ("InternalFailure",)
    assert len(answers(world)) == 1
    assert len(world.standing()) == 1


def test_a_request_that_comes_while_another_is_answered() -> None:
    """It is not taken for answered: its own timer serves it."""
    world = asked_for()

    @dataclass
    class Meanwhile(MemoryBus):
        def put(self, events: Sequence[ContractEvent]) -> None:
            if not self.memory.news:
                world.take(requested(RECORD, request_id="R-2", requested_at=world.now), POLICY)
            super().put(events)

    disturbed = replace(world, bus=Meanwhile(memory_of(world)))
    disturbed.purge(POLICY).raise_failures()
    assert [each.request_id for each in (world.told(RECORD) or Facts()).open_requests()] == ["R-2"]
    world.now += SECONDS
    world.purge(POLICY).raise_failures()
    assert [said["request_id"] for _, said in world.business.news()] == ["R-1", "R-2"]


def test_a_hold_that_comes_while_it_is_worked_postpones_the_answer() -> None:
    """The guard refuses, the timer moves to the hold's end, and nobody is told that anything was erased."""
    world = asked_for()

    @dataclass
    class Held(MemoryTables):
        def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            world.take(opened(), POLICY)
            return super().erase(rule, record, view)

    replace(world, records=Held(memory_of(world))).purge(POLICY).raise_failures()
    assert answers(world) == []
    assert {timer.at for timer in world.standing() if timer.rule == REQUEST_RULE.id} == {NOW + 10 * DAY}
    world.take(closed(), POLICY)
    world.purge(POLICY)
    assert answers(world) == [("ErasureCompleted", "erased")]


def test_a_part_that_was_erased_is_no_completion() -> None:
    """A record stops matching between two paths: what went has its evidence, who asked hears the truth."""
    rules = with_rule(match={("drop_ship",): {"BOOL": True}})
    world = asked_for(policy=rules)

    @dataclass
    class Halfway(MemoryTables):
        def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            world.business.put(record, shipment(email=None, drop_ship={"BOOL": False}))
            return [("email",)]

    replace(world, records=Halfway(memory_of(world))).purge(rules)
    assert [(outcome, reason) for _, outcome, reason in world.outcomes()] == [
        ("dropped", "no_match"),
        ("erased", ""),
    ]
    assert answers(world) == [("ErasureRefused", "no_match")]


@pytest.mark.parametrize(
    ("left", "answered"),
    [
        pytest.param(PROOF, [("ErasureCompleted", "erased")], id="others removed the rest"),
        pytest.param(
            shipment(email=None, legal_hold={"M": {"until": {"S": to_wire_text(NOW + DAY)}}}), [], id="held"
        ),
    ],
)
def test_what_comes_between_two_paths(left: dict[str, Any], answered: list[tuple[str, str]]) -> None:
    """What Lapse removed it says was erased, and not before nothing is left; a hold postpones the answer."""
    world = asked_for()

    @dataclass
    class Halfway(MemoryTables):
        def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            world.business.put(record, left)
            return [("email",)]

    replace(world, records=Halfway(memory_of(world))).purge(POLICY).raise_failures()
    assert answers(world) == answered
    assert len(world.standing()) == (not answered)
    assert "erased" in [outcome for _, outcome, _ in world.outcomes()]


def test_what_was_refused_is_not_erased_later() -> None:
    """The record came after the refusal: who asked was told that nothing is erased, so nothing is."""
    world = memory_world()
    world.take(requested(RECORD), POLICY)
    (timer,) = world.standing()
    world.now += SECONDS
    world.purge(POLICY)
    assert answers(world) == [("ErasureRefused", "record_absent")]
    world.business.put(RECORD, shipment())
    world.timers.put([timer])
    world.purge(POLICY)
    assert world.business.get(RECORD) == shipment()
    assert [(outcome, reason) for _, outcome, reason in world.outcomes()] == [
        ("dropped", "no_anchor"),
        ("record_absent", ""),
    ]
    assert len(answers(world)) == 1


def test_what_was_refused_may_be_asked_again() -> None:
    """By the same request: it is begun anew, and answered anew."""
    world = memory_world()
    world.take(requested(RECORD), POLICY)
    world.now += SECONDS
    world.purge(POLICY)
    world.business.put(RECORD, shipment())
    world.take(requested(RECORD), POLICY)
    world.purge(POLICY)
    assert answers(world) == [("ErasureRefused", "record_absent"), ("ErasureCompleted", "erased")]
    assert [outcome for outcome, _, _ in world.tellings()] == ["requested", "answered"] * 2


def test_a_request_that_no_rule_carries_out_any_more_is_refused() -> None:
    """Its rule was removed: once no older version can be about, who asked is told."""
    world = asked_for()
    by_the_clock_alone = policy(*POLICY.rules[:2])
    for _ in range(TRIES_OF_UNKNOWN_RULES + 1):
        assert answers(world) == []
        world.purge(by_the_clock_alone).raise_failures()
        world.now += timedelta(minutes=17)
    assert answers(world) == [("ErasureRefused", "rule_removed")]
    assert (world.business.get(RECORD), world.standing()) == (shipment(), [])


def test_a_request_whose_rule_was_renamed_is_served() -> None:
    """The old rule's timer is dropped without an answer: the new one's gives it."""
    world = asked_for()
    renamed = with_rule(id="erasure")
    for _ in range(TRIES_OF_UNKNOWN_RULES + 1):
        world.purge(renamed)
        world.now += timedelta(minutes=17)
    assert (answers(world), len((world.told(RECORD) or Facts()).open_requests())) == ([], 1)
    world.take(requested(RECORD), renamed)
    world.purge(renamed)
    assert answers(world) == [("ErasureCompleted", "erased")]


def test_a_bus_that_is_down_is_not_asked_for_every_answer() -> None:
    """After a few failures the rest waits: each has its evidence, and a timer that comes again to answer."""
    world, bus = memory_world(), Down(memory_of(memory_world()), times=1000)
    names = [name for name in (f"S-{n}" for n in range(500)) if shipment_ref(name).shard == RECORD.shard][:10]
    for name in names:
        world.business.put(shipment_ref(name), shipment(name))
        world.take(requested(shipment_ref(name), request_id=f"R-{name}"), POLICY)
    world.now += SECONDS
    report = replace(world, bus=bus).purge(POLICY)
    assert Counter(report.failures) == {"InternalFailure": FAILED_ANSWERS, "NotAnswered": 10 - FAILED_ANSWERS}
    assert 1000 - bus.times == FAILED_ANSWERS
    assert len(world.standing()) == len(world.outcomes()) == 10
    world.now += timedelta(minutes=2)
    world.purge(POLICY).raise_failures()
    assert (len(answers(world)), world.standing()) == (10, [])


def test_answers_come_after_what_needs_none() -> None:
    """A bus that hangs keeps no other timer standing: they are gone before it is asked."""
    world = asked_for()
    world.take(shipped(), POLICY)
    seen: list[list[str]] = []

    class Hanging(MemoryBus):
        def put(self, events: Sequence[ContractEvent]) -> None:
            seen.append([timer.rule for timer in world.standing()])
            super().put(events)

    replace(world, bus=Hanging(memory_of(world))).purge(POLICY)
    assert seen == [[REQUEST_RULE.id]]


def test_a_paused_lapse_answers_nothing() -> None:
    """What is not done is not said; it is shown as open until it is."""
    world = asked_for()
    world.pause(NOW + DAY, POLICY)
    world.purge(POLICY)
    assert (answers(world), world.business.get(RECORD)) == ([], shipment())
    world.resume(POLICY)
    world.purge(POLICY)
    assert answers(world) == [("ErasureCompleted", "erased")]


def test_facts_that_others_keep_changing_leave_the_timer_for_the_answer() -> None:
    """The event went, but that it went could not be kept: it is sent again rather than never."""
    world = asked_for()

    @dataclass
    class Contended(MemoryFacts):
        def change(self, record: RecordRef, before: Facts | None, after: Facts, *others: Any) -> bool:
            return False

    report = replace(world, facts=Contended(memory_of(world))).purge(POLICY)
    assert report.failures == ("Contended",)
    assert len(world.standing()) == len(answers(world)) == 1


def test_what_nobody_asked_needs_no_answer() -> None:
    """Of the clock's rules nobody is told; nor is anybody of a record without facts."""
    world = memory_world()
    telling = world.telling(POLICY)
    answering = Answering(world.facts, world.bus)
    assert answering.answer(RECORD, Outcome.ERASED, "", telling) == 0
    world.take(shipped("S-2"), POLICY)
    assert answering.answer(shipment_ref("S-2"), Outcome.ERASED, "", telling) == 0
    assert world.business.news() == []


def test_the_evidence_of_an_answer() -> None:
    """Which requests, what was said, by which policy; and no name, no address."""
    world = asked_for()
    world.purge(POLICY, "recurring")
    (entry,) = (each for each in memory_of(world).batches[RECORD.shard][-1])
    assert entry == Entry(
        outcome=Outcome.ANSWERED,
        at=world.now,
        cause="recurring",
        policy=POLICY.digest,
        record=RECORD.text,
        reason="erased",
        details={"requests": "R-1"},
    )
    details = {
        "request_id": "R-1",
        "requested_at": to_text(NOW),
        "approved_by": "staff-3",
        "rule": REQUEST_RULE.id,
    }
    assert world.tellings()[0] == ("requested", "", details)


@pytest.mark.parametrize("disturb", [lambda _world: None, lambda world: world.take(opened(), POLICY)])
def test_no_personal_value_is_said_or_kept(disturb: Callable[[World], object]) -> None:
    """Facts, evidence, timers and news of a request hold ids, codes and instants alone."""
    world = memory_world()
    world.business.put(RECORD, shipment(shipped_at={"S": to_wire_text(NOW)}))
    disturb(world)
    world.take(requested(RECORD, note="canary-a", contact={"email": "canary-b@example.org"}), POLICY)
    world.now += SECONDS
    world.purge(POLICY)
    memory = memory_of(world)
    assert "canary" not in repr((memory.facts, memory.timers, memory.batches, memory.news, memory.minutes))
