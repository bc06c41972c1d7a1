"""Holding and releasing beside the main line: others in between, lost answers, several records and rules."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from shared.evidence import Entry
from shared.facts import Closing, Facts, Hold
from shared.failure import CallFailedError
from shared.hold_mark import MarkChange
from shared.hold_records import Held, place_hold, put_mark_right, release_hold
from shared.instants import to_text
from shared.key_template import KeyTemplate
from shared.record import Path, RecordRef, WireValue
from shared.retention import wake_up_minute
from shared.tally import Count
from tests.builders import (
    LONG_AGO,
    NOW,
    closed,
    delivery_rule,
    mark_outdated,
    opened,
    policy,
    requested,
    shipment,
    shipment_ref,
    shipped,
)
from tests.memory import (
    Memory,
    MemoryBus,
    MemoryFacts,
    MemoryLedger,
    MemoryTables,
    MemoryTimers,
    MemoryWakeUps,
)
from tests.worlds import MemoryBusiness, World, memory_world

DAY = timedelta(days=1)
DUE = LONG_AGO + 90 * DAY
END = NOW + 10 * DAY
POLICY = policy()
RECORD = shipment_ref()
HOLD = Hold("damaged", "CASE-1", "staff-1", NOW, END)
CLOSING = Closing("CASE-1", "staff-2", NOW)
ERASED = shipment(contact_number=None, email=None)


def mark(until: datetime) -> WireValue:
    return {"M": {"by": {"S": "lapse"}, "until": {"S": to_text(until)}}}


def memory_of(world: World) -> Memory:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def with_due() -> World:
    """A world with a due shipment and its timer."""
    world = memory_world()
    world.business.put(RECORD, shipment())
    world.take(shipped(), POLICY)
    return world


def place(world: World, hold: Hold = HOLD, record: RecordRef = RECORD) -> Held:
    return place_hold(record, hold, world.telling(POLICY), world.for_holds)


@pytest.mark.parametrize(
    ("words", "end"),
    [
        pytest.param([opened(), opened(opened_at=NOW + DAY, until=END + DAY)], END + DAY, id="extended"),
        pytest.param([opened(), opened(opened_at=NOW + DAY, until=END - DAY)], END - DAY, id="shortened"),
        pytest.param([opened(), opened(case_ref="CASE-2", until=END + DAY)], END + DAY, id="two cases"),
        pytest.param(
            [opened(), closed(), opened(opened_at=NOW + timedelta(hours=25))], END, id="opened again"
        ),
        pytest.param([opened(), opened(case_ref="CASE-2"), closed()], END, id="one of two closed"),
        pytest.param([opened(), closed()], None, id="closed"),
        pytest.param([opened(opened_at=NOW + DAY), closed()], None, id="closed as it was opened"),
        pytest.param(
            [opened(), opened(case_ref="CASE-2"), closed(), closed(case_ref="CASE-2")], None, id="both"
        ),
    ],
)
def test_events_about_holds_in_any_order(words: list[dict[str, Any]], end: datetime | None) -> None:
    """They count by their own instants; told twice they change nothing; the mark says what Facts say."""
    for order in permutations(words):
        world = with_due()
        world.now = NOW + DAY
        for word in order:
            world.take(word, POLICY)
        before = world.told(RECORD), world.tellings(), world.business.get(RECORD)
        for word in order:
            world.take(word, POLICY)
        assert (world.told(RECORD), world.tellings(), world.business.get(RECORD)) == before
        assert world.business.get(RECORD) == shipment(legal_hold=mark(end) if end else None)
        after_the_end(world, end)


def after_the_end(world: World, end: datetime | None) -> None:
    """The purge erases at the end of the hold and not before."""
    world.now = NOW + 2 * DAY
    world.purge(POLICY).raise_failures()
    assert world.business.get(RECORD) == (shipment(legal_hold=mark(end)) if end else ERASED)
    world.now = END + 2 * DAY
    world.purge(POLICY).raise_failures()
    assert "email" not in (world.business.get(RECORD) or {"email": 1})
    assert world.standing() == []


def test_what_the_caller_is_told() -> None:
    """Placed, known, or too late: the truth at the moment that it was decided."""
    world = with_due()
    assert [place(world), place(world), place(world, replace(HOLD, until=END + DAY))] == [
        Held.PLACED,
        Held.KNOWN,
        Held.PLACED,
    ]
    telling = world.telling(POLICY)
    assert release_hold(RECORD, CLOSING, telling, world.for_holds)
    assert not release_hold(RECORD, CLOSING, telling, world.for_holds)
    world.purge(POLICY)
    assert place(world, replace(HOLD, since=NOW + DAY)) is Held.TOO_LATE
    assert place(world, replace(HOLD, case_ref="CASE-2", until=NOW)) is Held.PLACED


@dataclass
class Meanwhile(MemoryFacts):
    """Facts with something happening just before each change is committed, a number of times."""

    happens: Callable[[], object] = lambda: None
    times: int = 1

    def change(
        self, record: RecordRef, before: Facts | None, after: Facts, entry: Entry, mark: MarkChange | None
    ) -> bool:
        self._happen()
        return super().change(record, before, after, entry, mark)

    def mark(self, record: RecordRef, facts: Facts | None, change: MarkChange) -> bool:
        self._happen()
        return super().mark(record, facts, change)

    def _happen(self) -> None:
        if self.times:
            self.times -= 1
            self.happens()


def disturbed(world: World, happens: Callable[[], object], times: int = 1) -> World:
    """The same world, in which this happens between look and commit."""
    return replace(world, facts=Meanwhile(memory_of(world), happens, times))


def test_another_case_that_is_placed_meanwhile() -> None:
    """Neither is lost: the second looks again, and the mark is for the longer."""
    world = with_due()
    other = opened(case_ref="CASE-2", until=END + DAY)
    assert place(disturbed(world, lambda: world.take(other, POLICY))) is Held.PLACED
    assert (world.told(RECORD) or Facts()).holds.keys() == {"CASE-1", "CASE-2"}
    assert world.business.get(RECORD) == shipment(legal_hold=mark(END + DAY))


def test_a_whole_item_put_meanwhile() -> None:
    """The mark is set on what the order system wrote last, and on nothing else of it."""
    world = with_due()
    stale = shipment(name={"S": "Another"}, legal_hold=mark(NOW + DAY))
    assert place(disturbed(world, lambda: world.business.put(RECORD, stale))) is Held.PLACED
    assert world.business.get(RECORD) == {**stale, "legal_hold": mark(END)}


def test_a_record_that_comes_or_goes_meanwhile() -> None:
    """A record that appears is marked; one that disappears is held all the same, should it come back."""
    world = memory_world()
    assert place(disturbed(world, lambda: world.business.put(RECORD, shipment()))) is Held.PLACED
    assert world.business.get(RECORD) == shipment(legal_hold=mark(END))
    world = with_due()
    assert place(disturbed(world, lambda: world.business.delete(RECORD))) is Held.TOO_LATE
    assert world.told(RECORD) is None
    assert place(world) is Held.PLACED
    assert world.business.get(RECORD) is None


def test_a_purge_meanwhile_wins() -> None:
    """The hold was not committed, so it is refused, and nothing says that it stands."""
    world = with_due()
    disturbed_world = disturbed(world, lambda: world.purge(POLICY))
    assert place(disturbed_world) is Held.TOO_LATE
    assert world.business.get(RECORD) == ERASED
    assert [outcome for outcome, _, _ in world.tellings()] == ["hold_refused"]


@pytest.mark.parametrize("act", [place, lambda world: world.take(closed(), POLICY)], ids=["hold", "release"])
def test_somebody_who_writes_all_the_time(act: Callable[[World], object]) -> None:
    """After a few tries it gives up: the event comes again, and nothing was begun."""
    world, numbers = with_due(), iter(range(1, 1000))
    world.take(opened(case_ref="CASE-9"), POLICY)
    evidence = world.business.entries()

    def rewrite() -> None:
        until = END + next(numbers) * DAY
        world.business.put(RECORD, shipment(legal_hold=mark(until)))

    with pytest.raises(CallFailedError, match="Contended"):
        act(disturbed(world, rewrite, times=100))
    assert world.business.entries() == evidence
    disturbed_world = disturbed(world, rewrite, times=100)
    with pytest.raises(CallFailedError, match="mark: Contended"):
        put_mark_right(RECORD, NOW, disturbed_world.for_holds)


def test_a_few_disturbances_are_overcome() -> None:
    """Contention costs tries, not the hold."""
    world, numbers = with_due(), iter(range(1000))

    def rewrite() -> None:
        world.business.put(RECORD, shipment(legal_hold=mark(END + next(numbers) * DAY)))

    assert place(disturbed(world, rewrite, times=4)) is Held.PLACED
    assert world.business.get(RECORD) == shipment(legal_hold=mark(END))


def test_a_lost_answer_is_found_to_be_known() -> None:
    """The transaction was made; the event comes again, changes nothing, and sets the timers it lacked."""
    world = with_due()

    @dataclass
    class Lost(MemoryFacts):
        def change(self, *args: Any) -> bool:
            assert super().change(*args)
            raise CallFailedError("TransactWriteItems", "ReadTimeoutError")

    with pytest.raises(CallFailedError, match="ReadTimeoutError"):
        replace(world, facts=Lost(memory_of(world))).take(opened(), POLICY)
    evidence, memory_of(world).timers = world.business.entries(), {}
    assert world.take(opened(), POLICY).counts == {Count.TIMERS: 1}
    assert world.business.entries() == evidence
    assert [each.at for each in world.standing()] == [END]


def test_a_release_that_comes_again_sets_the_timers_it_lacked() -> None:
    """The first delivery may have ended between fact and timer."""
    world = with_due()
    place(world)
    world.take(closed(), POLICY)
    memory_of(world).timers = {}
    assert world.take(closed(), POLICY).counts[Count.HOLDS_RELEASED] == 0
    assert [each.at for each in world.standing()] == [DUE]


def test_a_refusal_whose_news_cannot_be_sent_comes_again() -> None:
    """Somebody waits for the truth: the event is delivered again, and says it again in the evidence."""
    world = with_due()
    world.purge(POLICY)

    class Down(MemoryBus):
        def put(self, events: Any) -> None:
            raise CallFailedError("PutEvents", "InternalFailure")

    with pytest.raises(CallFailedError, match="PutEvents"):
        replace(world, bus=Down(memory_of(world))).take(opened(), POLICY)
    world.take(opened(), POLICY)
    assert [kind for kind, _ in world.business.news()] == ["HoldRefused"]
    assert [outcome for outcome, _, _ in world.tellings()] == ["hold_refused"] * 2


def test_a_scheduler_that_is_down_keeps_no_hold_away() -> None:
    """A wake-up is a hint: hold and timer stand, and the recurring purge serves them."""
    world = with_due()

    @dataclass
    class Down(MemoryWakeUps):
        def ensure(self, minute: datetime) -> None:
            raise CallFailedError("CreateSchedule", "ThrottlingException")

    world.wake_ups = Down(memory_of(world))
    assert place(world) is Held.PLACED
    assert [each.at for each in world.standing()] == [DUE, END]


def test_the_truth_is_asked_for_before_it_is_told() -> None:
    """That a transaction was refused does not mean that the fields are gone: a count says so, or not."""
    world, asked = with_due(), list[Collection[Path]]()

    @dataclass
    class Counted(MemoryTables):
        def has_fields(self, record: RecordRef, paths: Collection[Path]) -> bool:
            asked.append(paths)
            return super().has_fields(record, paths)

    world.records = Counted(memory_of(world))
    moved = shipment(legal_hold=mark(NOW + DAY))
    assert place(disturbed(world, lambda: world.business.put(RECORD, moved))) is Held.PLACED
    assert [set(paths) for paths in asked] == [{("contact_number",), ("email",)}]


def test_what_a_hold_keeps_is_what_the_clock_would_erase() -> None:
    """That the name is still there is no reason to hold a record whose contact details are gone."""
    world = memory_world()
    world.business.put(RECORD, ERASED)
    assert place(world) is Held.TOO_LATE
    only_requests = policy(*(rule for rule in POLICY.rules if rule.on_request))
    assert place_hold(RECORD, HOLD, world.telling(only_requests), world.for_holds) is Held.PLACED


def test_a_dispute_about_several_records() -> None:
    """Each is held, or refused, by itself; who is refused is told which."""
    parcels = delivery_rule(id="parcels", table="Parcels", key={"pk": KeyTemplate("S", "P#{shipment_id}")})
    both, parcel = policy(delivery_rule(), parcels), RecordRef("Parcels", {"pk": {"S": "P#S-1001"}})
    world = memory_world()
    world.business.put(RECORD, shipment())
    world.business.put(parcel, {**parcel.key, "name": {"S": "Jo"}})
    counts = world.take(opened(), both).counts
    assert (counts[Count.HOLDS_PLACED], counts[Count.HOLDS_REFUSED]) == (1, 1)
    assert [(kind, said["table"], said["key"]) for kind, said in world.business.news()] == [
        ("HoldRefused", "Parcels", {"pk": "P#S-1001"})
    ]
    assert world.take(closed(), both).counts[Count.HOLDS_RELEASED] == 2


def test_a_release_times_every_rule_about_the_record() -> None:
    """What was asked for while the record was held is due at once, too; each with its wake-up."""
    world = with_due()
    world.take(opened(), POLICY)
    world.take(requested(RECORD), POLICY)
    world.now += timedelta(seconds=5)
    world.purge(POLICY)
    assert {timer.at for timer in world.standing()} == {END}
    world.now = NOW + DAY
    world.take(closed(), POLICY)
    standing = {(timer.rule, timer.at) for timer in world.standing()}
    assert standing == {(rule, END) for rule in ("delivery-contact", "delivery-erasure")} | {
        ("delivery-contact", DUE),
        ("delivery-erasure", NOW),
    }
    assert wake_up_minute(NOW, world.now) in world.business.minutes()


def test_a_record_that_nothing_is_due_for_gets_no_timer() -> None:
    """Released or held: what no rule is about, or what has no anchor, is not looked at for nothing."""
    world = memory_world()
    world.business.put(RECORD, shipment(drop_ship={"BOOL": False}))
    assert place(world) is Held.PLACED
    world.take(closed(), POLICY)
    assert world.standing() == []


def test_a_mark_is_put_right_without_facts() -> None:
    """One of Lapse's own that lapsed goes; one that is in force is all that is left of a hold, and stays."""
    world = memory_world()
    for until, right in ((NOW, shipment()), (END, shipment(legal_hold=mark(END)))):
        world.business.put(RECORD, shipment(legal_hold=mark(until)))
        world.take(mark_outdated(RECORD), POLICY)
        assert world.business.get(RECORD) == right
    assert world.business.entries() == []


def test_a_mark_is_put_right_by_what_is_so_then() -> None:
    """A release that comes between look and commit wins: no mark of a closed case is set."""
    world = with_due()
    place(world)
    world.business.put(RECORD, shipment())
    world.now = NOW + DAY
    disturbed_world = disturbed(world, lambda: world.take(closed(), POLICY))
    assert not put_mark_right(RECORD, world.now, disturbed_world.for_holds)
    assert world.business.get(RECORD) == shipment()


def test_a_record_whose_stale_mark_is_taken_away_is_timed_anew() -> None:
    """Its timer was put off to the end of the hold that the mark still told of."""
    world = with_due()
    place(world)
    world.take(closed(), POLICY)
    world.business.put(RECORD, shipment(legal_hold=mark(END)))
    world.purge(POLICY)
    assert {timer.at for timer in memory_of(world).timers.values()} == {END}
    disturbed_once = replace(world, timers=FailingOnce(memory_of(world)))
    with pytest.raises(CallFailedError, match="timers: down"):
        disturbed_once.take(mark_outdated(RECORD), POLICY)
    assert disturbed_once.take(mark_outdated(RECORD), POLICY).counts[Count.MARKS_PUT_RIGHT] == 0
    world.purge(POLICY)
    assert world.business.get(RECORD) == ERASED


@dataclass
class FailingOnce(MemoryTimers):
    """A Due table that cannot be written the first time."""

    down: bool = True

    def put(self, timers: Any) -> None:
        if self.down:
            self.down = False
            raise CallFailedError("timers", "down")
        super().put(timers)


def test_a_record_that_is_gone_has_no_mark_to_put_right() -> None:
    """Nothing is created."""
    world = memory_world()
    place(world)
    assert world.take(mark_outdated(RECORD), POLICY).counts[Count.MARKS_PUT_RIGHT] == 0
    assert world.business.get(RECORD) is None


def test_evidence_that_cannot_be_kept_keeps_the_refusal_back() -> None:
    """What is not in the evidence is not said: the event comes again."""
    world = with_due()
    world.purge(POLICY)

    @dataclass
    class Down(MemoryLedger):
        def append(self, shard: int, entries: Any) -> None:
            raise CallFailedError("PutItem", "ThrottlingException")

    with pytest.raises(CallFailedError, match="PutItem"):
        replace(world, ledger=Down(memory_of(world))).take(opened(), POLICY)
    assert world.business.news() == []


def test_no_personal_value_is_said_or_kept() -> None:
    """Facts, evidence, timers and news of a held record hold ids, codes and instants alone."""
    world = with_due()
    stray = {"note": "canary-a", "contact": {"email": "canary-b@example.org"}}
    world.take(opened(**stray), POLICY)
    world.take(closed(**stray), POLICY)
    world.purge(POLICY)
    world.now += DAY
    world.take(opened(opened_at=NOW + DAY + timedelta(seconds=1), **stray), POLICY)
    memory = memory_of(world)
    assert [kind for kind, _ in world.business.news()] == ["HoldRefused"]
    seen = (memory.facts, memory.timers, memory.batches, memory.news, memory.minutes)
    assert "canary" not in repr(seen)
