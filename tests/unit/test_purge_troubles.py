"""What once stopped the purge, lost evidence or lost a timer: found in review, and kept from coming back."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.failure import CallFailedError
from shared.policy import Rule
from shared.purge_ports import TIME_TO_STOP
from shared.purge_shard import BATCH
from shared.record import SHARDS, Path, RecordRef, View
from shared.retention import SKEW
from shared.tally import Count
from tests.builders import LONG_AGO, NOW, delivery_rule, policy, shipment, shipment_ref, shipped, to_wire_text
from tests.memory import MemoryFacts, MemoryLedger, MemoryTables, MemoryTimers, MemoryWakeUps
from tests.worlds import MemoryBusiness, World, memory_world

POLICY = policy()
DUE = LONG_AGO + timedelta(days=90)


def memory_of(world: World) -> Any:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def with_due(*names: str) -> World:
    """A world with these due shipments and their timers."""
    world = memory_world()
    for name in names:
        world.business.put(shipment_ref(name), shipment(name))
        world.take(shipped(name), POLICY)
    return world


def is_erased(world: World, name: str) -> bool:
    return "email" not in (world.business.get(shipment_ref(name)) or {"email": 1})


def one_shard(number: int) -> list[str]:
    """Names of shipments that share a shard."""
    return [name for name in (f"S-{n}" for n in range(100 * number)) if shipment_ref(name).shard == 3][
        :number
    ]


def test_a_hold_until_the_end_of_time() -> None:
    """Its wake-up is at the last minute that there is; the records around it are worked all the same."""
    forever, *others = one_shard(5)
    world = with_due(forever, *others)
    until = {"legal_hold": {"M": {"until": {"S": "9999-12-31T23:59:59Z"}}}}
    world.business.put(shipment_ref(forever), shipment(forever, **until))
    world.purge(POLICY).raise_failures()
    assert all(is_erased(world, name) for name in others)
    assert not is_erased(world, forever)
    assert datetime.fromisoformat("9999-12-31T23:59:00Z") in world.business.minutes()


def test_facts_that_cannot_be_read_stop_one_record() -> None:
    """A row that somebody broke fails alone, and its shard goes on."""
    broken, *others = one_shard(5)
    world = with_due(broken, *others)

    @dataclass
    class Broken(MemoryFacts):
        def read(self, records: Collection[RecordRef]) -> Any:
            if shipment_ref(broken) in records:
                raise KeyError("version")
            return super().read(records)

    world.facts = Broken(memory_of(world))
    assert world.purge(POLICY).failures == ("KeyError",)
    assert all(is_erased(world, name) for name in others)
    assert [timer.record for timer in world.standing()] == [shipment_ref(broken)]


def test_a_shard_that_cannot_be_read_stops_no_other() -> None:
    """Whatever is in the way of one shard, the report of all others is there."""
    world = with_due(*(f"S-{number}" for number in range(40)))
    broken = shipment_ref("S-0").shard

    @dataclass
    class Broken(MemoryTimers):
        def ready(self, shard: int, until: datetime, after: str, limit: int) -> Any:
            if shard == broken:
                raise KeyError("rule")
            return super().ready(shard, until, after, limit)

    world.timers = Broken(memory_of(world))
    report = world.purge(POLICY)
    assert (report.failures, report.shards_finished) == (("KeyError",), 15)
    assert report.tally.counts[Count.ERASED] == 40 - sum(
        shipment_ref(f"S-{number}").shard == broken for number in range(40)
    )


def test_timers_that_cannot_be_understood_are_a_failure() -> None:
    """They are passed over, not forgotten: somebody has to look; the others of the shard are worked."""
    world = with_due(*one_shard(5))

    @dataclass
    class Spoilt(MemoryTimers):
        def unreadable(self, shard: int) -> int:
            return int(shard in {3, 7})

    world.timers = Spoilt(memory_of(world))
    report = world.purge(POLICY)
    assert report.failures == ("UnreadableTimer",) * 2
    assert report.tally.counts[Count.ERASED] == 5


@dataclass
class FailingWakeUps(MemoryWakeUps):
    """A scheduler that is down."""

    asked: int = 0

    def ensure(self, minute: datetime) -> None:
        self.asked += 1
        raise CallFailedError("CreateSchedule", "ReadTimeoutError")


def test_a_scheduler_that_is_down_does_not_stop_the_purge() -> None:
    """A wake-up is a hint: timers are moved and removed first, and one failure is enough to stop asking."""
    names = one_shard(30)
    world = with_due(*names)
    for number, name in enumerate(names[10:]):
        later = NOW - timedelta(days=number)
        world.business.put(shipment_ref(name), shipment(name, shipped_at={"S": to_wire_text(later)}))
    world.wake_ups = FailingWakeUps(memory_of(world))
    report = world.purge(POLICY)
    report.raise_failures()
    assert (report.tally.counts[Count.ERASED], report.tally.counts[Count.WAKE_UP_FAILED]) == (10, 1)
    assert world.wake_ups.asked == 1
    assert min(timer.at for timer in world.standing()) > NOW


@pytest.mark.parametrize("code", ["ThrottlingException", "ReadTimeoutError", "AccessDeniedException"])
def test_a_table_that_fails_is_not_asked_once_for_each_record(code: str) -> None:
    """Only a key that the table cannot read is worth asking one by one; the rest is put off together."""
    world = with_due(*one_shard(50))

    @dataclass
    class Down(MemoryTables):
        looks: int = 0

        def look(self, records: Collection[RecordRef], paths: Collection[Path]) -> Any:
            self.looks += 1
            raise CallFailedError("BatchGetItem", code)

    world.records = down = Down(memory_of(world))
    assert world.purge(POLICY).failures == (code,) * 50
    assert down.looks == 1
    assert {timer.due for timer in world.standing()} == {DUE}


def test_asking_one_by_one_ends_when_the_time_is_up() -> None:
    """A slow table does not get the function killed."""
    world = with_due(*one_shard(50))
    times = iter([timedelta(minutes=5)] * 10)
    world.time_left = lambda: next(times, TIME_TO_STOP - timedelta(seconds=1))

    @dataclass
    class Picky(MemoryTables):
        looks: int = 0

        def look(self, records: Collection[RecordRef], paths: Collection[Path]) -> Any:
            self.looks += 1
            raise CallFailedError("BatchGetItem", "ValidationException")

    world.records = picky = Picky(memory_of(world))
    world.purge(POLICY)
    assert 1 < picky.looks < 20
    assert len(world.standing()) == 50


NESTED = delivery_rule(erase=(("email",), ("delivery", "phone"), ("contact_number",)))


@dataclass
class PathByPath(MemoryTables):
    """Tables that erase path by path, as where a parent is missing; the answers to some erasures are lost."""

    lost: set[Path] = field(default_factory=set)
    after: Callable[[], None] = lambda: None

    def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
        removed = [path for path in super().erase(rule, record, view) if path not in self.lost]
        self.after()
        return removed


def evidence(world: World) -> dict[str, set[str]]:
    """The fields by outcome."""
    found: dict[str, set[str]] = {}
    for entry in world.business.entries():
        found.setdefault(entry["outcome"], set()).update(".".join(path) for path in entry["fields"])
    return found


def test_each_field_has_evidence_also_where_a_parent_is_missing() -> None:
    """What was not there to be removed is said to be absent, not left out."""
    world = with_due("S-1")
    world.records = PathByPath(memory_of(world))
    world.purge(policy(NESTED))
    assert evidence(world) == {"erased": {"email", "contact_number"}, "already_absent": {"delivery.phone"}}


def test_a_lost_answer_between_two_paths_leaves_evidence_of_both() -> None:
    """The field whose removal nobody acknowledged is found absent, cause unknown."""
    world = with_due("S-1")
    world.records = PathByPath(memory_of(world), lost={("email",)})
    world.purge(policy(NESTED))
    assert evidence(world) == {"erased": {"contact_number"}, "already_absent": {"delivery.phone", "email"}}


def test_a_failure_after_a_removal_keeps_its_evidence() -> None:
    """What DynamoDB acknowledged is written down, though the look that was to follow failed."""
    world = with_due("S-1")

    @dataclass
    class Then(PathByPath):
        broken: bool = False

        def look(self, records: Collection[RecordRef], paths: Collection[Path]) -> Any:
            if self.broken:
                raise CallFailedError("BatchGetItem", "ReadTimeoutError")
            return super().look(records, paths)

    tables = Then(memory_of(world))
    tables.after = lambda: setattr(tables, "broken", True)
    world.records = tables
    corrected = LONG_AGO + timedelta(days=2)
    world.business.put(shipment_ref("S-1"), shipment("S-1", shipped_at={"S": to_wire_text(corrected)}))
    assert world.purge(policy(NESTED)).failures == ("ReadTimeoutError",)
    assert evidence(world) == {"erased": {"email", "contact_number"}}
    dues = {entry["due"] for entry in world.business.entries() if entry["outcome"] == "erased"}
    assert dues == {to_wire_text(corrected + timedelta(days=90))}, (
        "the due by which it was decided, not the timer's"
    )
    tables.broken = False
    tables.after = lambda: None
    world.now += timedelta(minutes=2)
    world.purge(policy(NESTED)).raise_failures()
    assert evidence(world)["already_absent"] == {"email", "contact_number", "delivery.phone"}
    assert world.standing() == []


def test_a_record_that_is_put_back_while_its_timer_goes() -> None:
    """The order system writes the whole item again and says so: the new timer is not taken for the old."""
    world = with_due("S-1", "S-2")

    @dataclass
    class PutBack(MemoryLedger):
        done: bool = False

        def append(self, shard: int, entries: Any) -> None:
            super().append(shard, entries)
            if not self.done:
                self.done = True
                for name in ("S-1", "S-2"):
                    world.business.put(shipment_ref(name), shipment(name))
                    world.take(shipped(name), POLICY)

    world.ledger = PutBack(memory_of(world))
    world.purge(POLICY)
    world.purge(POLICY)
    assert is_erased(world, "S-1")
    assert is_erased(world, "S-2")
    assert world.standing() == []


def test_without_a_ledger_nothing_is_erased() -> None:
    """That evidence cannot be kept is noticed before the first erasure."""
    world = with_due(*(f"S-{number}" for number in range(40)))

    @dataclass
    class Unreachable(MemoryLedger):
        def open(self, shard: int) -> None:
            raise CallFailedError("Query", "AccessDeniedException")

    world.ledger = Unreachable(memory_of(world))
    assert set(world.purge(POLICY).failures) == {"AccessDeniedException"}
    assert memory_of(world).leases == {}  # given back: the next run need not wait for them
    assert not any(is_erased(world, f"S-{number}") for number in range(40))


def test_what_is_absent_already_does_not_use_up_the_allowance() -> None:
    """Redelivered events of erased records must not trip the brake."""
    world = with_due("S-1", "S-2", "S-3")
    for name in ("S-1", "S-2", "S-3"):
        world.business.put(shipment_ref(name), shipment(name, email=None, contact_number=None))
    world.take(shipped("S-4"), POLICY)
    world.business.put(shipment_ref("S-4"), shipment("S-4"))
    report = world.purge(policy(max_erasures_per_run=2))
    counts = report.tally.counts
    assert (counts[Count.ALREADY_ABSENT], counts[Count.ERASED], counts[Count.HALTED]) == (3, 1, 0)


def test_a_hold_is_no_lateness() -> None:
    """A record that was held is late from the hold's end on, not from its due instant."""
    world = with_due("S-1")
    until = NOW + timedelta(days=15)
    hold = {"legal_hold": {"M": {"until": {"S": to_wire_text(until)}}}}
    world.business.put(shipment_ref("S-1"), shipment("S-1", **hold))
    world.purge(POLICY)
    world.now = until + timedelta(seconds=40)
    assert world.purge(POLICY).tally.seconds_to_erase == [40.0]


def test_an_event_that_no_rule_is_about_is_counted() -> None:
    """It cannot be kept, because no rule says which record it names; that is not to go unseen."""
    world = memory_world()
    assert world.take(shipped(), policy(policy().rules[1])).counts == {Count.NO_RULE: 1}


def test_a_run_that_halts_halfway_through_a_record_leaves_its_timer() -> None:
    """What was removed has its evidence, and the next run goes on where this one stopped."""
    world = with_due("S-1")

    @dataclass
    class Halfway(MemoryTables):
        def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            world.business.put(record, shipment("S-1", email=None))
            return [("email",)]

    world.records = Halfway(memory_of(world))
    world.purge(policy(max_erasures_per_run=1))
    assert evidence(world) == {"erased": {"email"}}
    assert [(timer.at, timer.due) for timer in world.standing()] == [(DUE, DUE)]
    world.records = MemoryTables(memory_of(world))
    world.purge(POLICY)
    assert is_erased(world, "S-1")
    assert world.standing() == []


def test_timers_that_stand_are_passed_once() -> None:
    """A page of timers that stay where they are does not keep the run from ending."""
    world = with_due(*one_shard(BATCH + 20))

    @dataclass
    class Counted(MemoryTimers):
        pages: int = 0

        def ready(self, shard: int, until: datetime, after: str, limit: int) -> Any:
            self.pages += shard == 3
            assert self.pages < 10
            return super().ready(shard, NOW, after, limit)

    world.timers = timers = Counted(memory_of(world))
    world.now = DUE - timedelta(days=1)  # a clock that was set back: nothing is due by it
    world.purge(POLICY)
    assert timers.pages == 1 + 2 + 2  # a first look, two batches, and what is left is measured
    assert len(world.standing()) == BATCH + 20


def test_nothing_is_looked_at_before_it_is_certainly_due() -> None:
    """Timers wait for the skew between clocks, too: a look would be wasted."""
    world = with_due("S-1")

    @dataclass
    class Unseen(MemoryTables):
        def look(self, records: Collection[RecordRef], paths: Collection[Path]) -> Any:
            raise AssertionError("looked too early")

    world.records = Unseen(memory_of(world))
    world.now = DUE + SKEW - timedelta(seconds=1)
    world.purge(POLICY).raise_failures()
    assert world.purge(POLICY).shards_finished == SHARDS


def test_a_timer_that_is_put_off_needs_no_wake_up() -> None:
    """The recurring purge comes by before; a wake-up for each failure would only add to the trouble."""
    world = with_due("S-1")
    before = world.business.minutes()

    @dataclass
    class Failing(MemoryTables):
        def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            raise CallFailedError("erase", "Throttled")

    world.records = Failing(memory_of(world))
    world.purge(POLICY)
    assert len(world.standing()) == 1
    assert world.business.minutes() == before
