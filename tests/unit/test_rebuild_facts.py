"""Facts come back from the ledger as they were, whatever was told and however much of them was lost."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.correct_fact import Correction
from shared.evidence import Entry, Outcome
from shared.facts import Closing, FactKind, Facts, Hold, Request
from shared.facts_of_entries import UNREADABLE, UNREADABLE_LEDGER, is_readable, longest_pause, rebuilt
from shared.failure import CallFailedError
from shared.hold_records import place_hold, release_hold
from shared.instants import to_text
from shared.ledger_batch import BEGINNING, Batch, Kept, chained, entries_in, seal
from shared.pausing import Pause, pause, resume
from shared.rebuild_facts import Ports, merged, pause_again, rebuild
from shared.record import SHARDS, RecordRef
from shared.refused import RefusedError
from shared.request_erasure import request_erasure
from shared.requests import Asked, ErasureRequested
from shared.telling import Telling
from tests.builders import (
    NOW,
    as_kept,
    contact,
    contact_ref,
    left,
    policy,
    returned,
    shipment,
    shipment_ref,
    shipped,
)
from tests.memory import Memory, MemoryBrake, MemoryFacts
from tests.worlds import MemoryBusiness, World, memory_world

POLICY = policy()
CONTACT, SHIPMENT = contact_ref(), shipment_ref()
LEFT, SHIPPED = FactKind.LEFT, FactKind.SHIPPED

type Action = Callable[[World], object]


def hour(number: float) -> datetime:
    return NOW - timedelta(days=200) + timedelta(hours=number)


def corrected(world: World, record: RecordRef, was: datetime, becomes: datetime | None) -> None:
    kind = LEFT if record == CONTACT else SHIPPED
    with suppress(RefusedError):  # it was never told: then there is nothing to correct
        world.correct(record, Correction(kind, was, becomes, "staff-9"), POLICY)


def asked(world: World, number: int, at: datetime, record: RecordRef) -> None:
    rule = POLICY.request_rule(record.table)
    key = {name: value["S"] for name, value in record.key.items()}
    request = Request(f"R-{number}", at, "staff-3")
    asking = ErasureRequested(request, (Asked(record.table, key, rule, record),))
    request_erasure(asking, world.telling(POLICY), world.for_requests)


def held(world: World, record: RecordRef, case: int, since: datetime, until: datetime) -> None:
    hold = Hold("fraud", f"CASE-{case}", "staff-1", since, until)
    place_hold(record, hold, world.telling(POLICY), world.for_holds)


def released(world: World, record: RecordRef, case: int, at: datetime) -> None:
    release_hold(record, Closing(f"CASE-{case}", "staff-2", at), world.telling(POLICY), world.for_holds)


def later(world: World, hours: int) -> None:
    world.now += timedelta(hours=hours)


hours = st.integers(0, 60).map(hour)
cases = st.integers(1, 3)
records = st.sampled_from([CONTACT, SHIPMENT])
actions: st.SearchStrategy[Action] = st.one_of(
    hours.map(lambda at: lambda world: world.take(left(at=at), POLICY)),
    hours.map(lambda at: lambda world: world.take(returned(at=at), POLICY)),
    hours.map(lambda at: lambda world: world.take(shipped(at=at), POLICY)),
    st.tuples(records, hours, st.none() | hours).map(lambda args: lambda world: corrected(world, *args)),
    st.tuples(records, cases, hours, st.integers(1, 6000)).map(
        lambda args: lambda world: held(world, *args[:3], args[2] + timedelta(hours=args[3]))
    ),
    st.tuples(records, cases, hours).map(lambda args: lambda world: released(world, *args)),
    st.tuples(st.integers(1, 3), hours, records).map(lambda args: lambda world: asked(world, *args)),
    st.integers(1, 3000).map(lambda number: lambda world: later(world, number)),
    st.just(lambda world: world.purge(POLICY)),
)


def lived(history: Iterable[Action]) -> World:
    """A world in which all of this happened to a contact, and to a shipment without a date of its own."""
    world = memory_world()
    world.business.put(CONTACT, contact())
    world.business.put(SHIPMENT, shipment(shipped_at=None))
    for action in history:
        action(world)
    return world


def memory_of(world: World) -> Memory:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def said(facts: Facts) -> Facts:
    return replace(facts, version=0)


@given(st.lists(actions, max_size=40))
def test_what_was_told_is_in_the_ledger(history: list[Action]) -> None:
    """Of any history the entries alone give the very same facts: nothing is told without its evidence."""
    world = lived(history)
    before = {record.text: said(facts) for record, facts in memory_of(world).facts.items()}
    after = {text: said(facts) for text, facts in rebuilt(world.business.entries()).items()}
    assert after == before


def test_a_history_that_has_everything() -> None:
    """The cases above can meet each kind of entry: this one does, and gives each part of Facts back."""
    world = lived([
        lambda world: world.take(left(at=hour(1)), POLICY),
        lambda world: world.take(returned(at=hour(2)), POLICY),
        lambda world: corrected(world, CONTACT, hour(1), hour(3)),
        lambda world: held(world, SHIPMENT, 1, hour(4), NOW + timedelta(days=1)),
        lambda world: released(world, SHIPMENT, 1, hour(5)),
        lambda world: asked(world, 1, hour(6), SHIPMENT),
        lambda world: world.purge(POLICY),
    ])  # fmt: skip
    outcomes = {entry["outcome"] for entry in world.business.entries()}
    assert outcomes >= {"told", "corrected", "hold_placed", "hold_released", "requested", "answered"}
    facts = rebuilt(world.business.entries())
    assert said(facts[CONTACT.text]) == Facts(
        instants={LEFT: frozenset({hour(3)}), FactKind.RETURNED: frozenset({hour(2)})},
        withdrawn={LEFT: frozenset({hour(1)})},
    )
    of_shipment = facts[SHIPMENT.text]
    until = NOW + timedelta(days=1)
    closed = Hold("fraud", "CASE-1", "staff-1", hour(4), until, closed_at=hour(5), closed_by="staff-2")
    assert of_shipment.holds == {"CASE-1": closed}
    assert of_shipment.requests == {"R-1": Request("R-1", hour(6), "staff-3", NOW, "erased")}


@dataclass
class Rows:
    """The Facts table, for rebuilding it. Others may tell something just before a put."""

    memory: Memory
    meanwhile: list[Action] = field(default_factory=list)
    world: World | None = None
    puts: int = 0

    def read(self, records: Any) -> Any:
        return MemoryFacts(self.memory).read(records)

    def put(self, record: RecordRef, before: Facts | None, after: Facts) -> bool:
        self.puts += 1
        if self.meanwhile and self.world:
            self.meanwhile.pop(0)(self.world)
        if not MemoryFacts(self.memory)._unchanged(record, before):
            return False
        self.memory.facts[record] = after
        return True


@dataclass
class Chains:
    """The ledger, read back as the real one is: from batches."""

    memory: Memory
    asked: list[RecordRef] = field(default_factory=list)

    def batches(self, shard: int) -> list[Batch]:
        batches: list[Batch] = []
        end = BEGINNING
        for entries in self.memory.batches.get(shard, []):
            batches.append(chained(f"{shard:02}", end, [seal(each, b"salt") for each in entries]))
            end = (int(batches[-1]["seq"]), batches[-1]["hash"])
        return batches

    def entries_of(self, record: RecordRef) -> Sequence[Kept]:
        self.asked.append(record)
        kept = (each for batch in self.batches(record.shard) for each in entries_in(batch))
        return [each for each in kept if each.entry["record"] == record.text]


def ports(world: World, rows: Rows | None = None) -> Ports:
    memory = memory_of(world)
    return Ports(rows or Rows(memory), Chains(memory), MemoryBrake(memory))


def restoring(world: World) -> Telling:
    return world.telling(POLICY, "restore")


@given(st.lists(actions, max_size=20), st.lists(actions, max_size=10), st.sets(records))
def test_facts_lost_in_part_or_whole_come_back(
    before: list[Action], after: list[Action], lost: set[RecordRef]
) -> None:
    """Rows were lost, things went on, then Facts are rebuilt: as if nothing had been lost. Twice is once.

    What went on without the lost rows may have been told anew: so it is compared with all that was told.
    """
    world = lived(before)
    memory = memory_of(world)
    for record in lost:
        memory.facts.pop(record, None)
    for action in after:
        action(world)
    rebuild(restoring(world), ports(world))
    entries = world.business.entries()
    assert {record.text: said(each) for record, each in memory.facts.items()} == {
        text: said(each) for text, each in rebuilt(entries).items()
    }
    again = rebuild(restoring(world), ports(world))
    assert (again.added, again.completed) == (0, 0)
    assert world.business.entries() == entries


@given(st.lists(actions, max_size=20), st.lists(actions, max_size=20))
def test_an_older_backup_of_facts_is_brought_up_to_date(old: list[Action], new: list[Action]) -> None:
    """Corrections of corrections, holds extended and closed since: the ledger's word is the last one."""
    world = lived(old)
    memory = memory_of(world)
    backup = dict(memory.facts)
    for action in new:
        action(world)
    until_now = {record: said(facts) for record, facts in memory.facts.items()}
    memory.facts = backup
    rebuild(restoring(world), ports(world))
    for record, facts in until_now.items():
        now = memory.facts[record]
        assert {kind: now.of(kind) for kind in FactKind} == {kind: facts.of(kind) for kind in FactKind}
        assert (now.holds, now.requests) == (facts.holds, facts.requests)


def test_what_is_complete_is_left_alone() -> None:
    """No row is looked into or written that lacks nothing; a rebuilt one begins a version of its own."""
    world = lived([lambda world: world.take(left(at=hour(1)), POLICY)])
    memory = memory_of(world)
    rows, chains = Rows(memory), Chains(memory)
    assert rebuild(restoring(world), replace(ports(world, rows), ledger=chains)).records == 1
    assert (rows.puts, chains.asked) == (0, [])
    was = memory.facts.pop(CONTACT)
    world.now += timedelta(seconds=10)
    assert rebuild(restoring(world), ports(world, rows)).added == 1
    assert memory.facts[CONTACT].version == Facts.begun(world.now).version > was.version


def test_what_is_told_while_it_is_rebuilt_stays() -> None:
    """Somebody tells something between the reading and the writing: nothing of either is lost."""
    world = lived([lambda world: world.take(left(at=hour(1)), POLICY)])
    memory = memory_of(world)
    memory.facts.clear()
    rows = Rows(memory, [lambda world: world.take(left(at=hour(2)), POLICY)], world)
    done = rebuild(restoring(world), ports(world, rows))
    assert (done.added, done.completed) == (0, 1)
    assert memory.facts[CONTACT].of(LEFT) == {hour(1), hour(2)}


def test_a_correction_made_while_it_is_rebuilt_stands() -> None:
    """What was read of the ledger is older than the correction: the wrong instant does not come back."""
    world = lived([lambda world: world.take(left(at=hour(1)), POLICY)])
    memory = memory_of(world)
    memory.facts[CONTACT] = replace(memory.facts[CONTACT], instants={LEFT: frozenset({hour(9)})})
    correction: Action = lambda world: corrected(world, CONTACT, hour(9), hour(5))  # noqa: E731 -- a history of one
    rebuild(restoring(world), ports(world, Rows(memory, [correction], world)))
    assert memory.facts[CONTACT].of(LEFT) == {hour(1), hour(5)}


def test_two_at_once() -> None:
    """What the other one rebuilt meanwhile lacks nothing: it is neither written nor counted again."""
    world = lived([lambda world: world.take(left(at=hour(1)), POLICY)])
    memory_of(world).facts.clear()
    rows = Rows(memory_of(world), [lambda world: rebuild(restoring(world), ports(world))], world)
    done = rebuild(restoring(world), ports(world, rows))
    assert (done.added, done.completed, rows.puts) == (0, 0, 1)


def test_a_correction_of_a_correction() -> None:
    """The backup of Facts is from between the two: the last word is the ledger's."""
    world = lived([
        lambda world: world.take(left(at=hour(1)), POLICY),
        lambda world: corrected(world, CONTACT, hour(1), hour(2)),
    ])  # fmt: skip
    between = memory_of(world).facts[CONTACT]
    assert between.of(LEFT) == {hour(2)}
    corrected(world, CONTACT, hour(2), hour(1))
    memory_of(world).facts[CONTACT] = between
    rebuild(restoring(world), ports(world))
    assert memory_of(world).facts[CONTACT].of(LEFT) == {hour(1)}


def test_it_gives_up_on_facts_that_others_keep_changing() -> None:
    """After some tries, with a failure that says so: it is to be run again."""
    world = lived([lambda world: world.take(left(at=hour(1)), POLICY)])
    memory_of(world).facts.clear()
    others: list[Action] = [
        lambda world, n=n: world.take(left(at=hour(n)), POLICY)  # type: ignore[misc]
        for n in range(2, 20)
    ]
    with pytest.raises(CallFailedError, match="Contended"):
        rebuild(restoring(world), ports(world, Rows(memory_of(world), others, world)))


def test_entries_that_cannot_be_used() -> None:
    """One that lacks a detail is counted, not guessed at; one whose name was dropped is about nobody."""
    world = lived([lambda world: world.take(left(at=hour(1)), POLICY)])
    (told,) = memory_of(world).batches[CONTACT.shard][0]
    memory_of(world).batches[CONTACT.shard] += [
        [replace(told, details={"kind": "left"})],
        [replace(told, details={"kind": "stolen", "instant": "2026-01-01T00:00:00Z"})],
        [replace(told, record="")],
        [replace(told, record="no reference", details=told.details)],
        [replace(told, outcome=Outcome.ERASED, details={})],
    ]
    memory_of(world).facts.clear()
    done = rebuild(restoring(world), ports(world))
    assert (done.records, done.added, done.unreadable) == (1, 1, 3)
    assert memory_of(world).facts.keys() == {CONTACT}


def test_a_batch_that_cannot_be_read_is_counted() -> None:
    """The others are read all the same. It may have told of a hold: so Lapse is paused first."""
    world = lived([lambda world: world.take(left(at=hour(1)), POLICY)])
    memory_of(world).facts.clear()
    before: list[Pause | None] = []
    rows = Rows(memory_of(world), [lambda world: before.append(memory_of(world).pause)], world)
    done = rebuild(restoring(world), replace(ports(world, rows), ledger=Damaged(memory_of(world))))
    assert (done.added, done.unreadable) == (1, 1)
    assert before == [UNREADABLE_LEDGER], "paused first"
    pauses = [entry for entry in world.business.entries() if entry["outcome"] == Outcome.PAUSED]
    rebuild(restoring(world), replace(ports(world), ledger=Damaged(memory_of(world))))
    assert [each for each in world.business.entries() if each["outcome"] == Outcome.PAUSED] == pauses
    assert world.resume(POLICY)
    rebuild(restoring(world), replace(ports(world), ledger=Damaged(memory_of(world))))
    assert memory_of(world).pause == UNREADABLE_LEDGER


def test_the_pause_of_the_runbook_is_no_reason_to_go_on_when_it_ends() -> None:
    """Whoever pauses for a day before rebuilding is paused without an end, if the ledger is damaged."""
    world = lived([lambda world: world.take(left(at=hour(1)), POLICY)])
    memory_of(world).facts.clear()
    world.pause(NOW + timedelta(days=1), POLICY)
    rebuild(restoring(world), replace(ports(world), ledger=Damaged(memory_of(world))))
    assert memory_of(world).pause == UNREADABLE_LEDGER


def test_a_pause_that_was_lost_outlasts_the_runbooks() -> None:
    """A month's pause is lost with Facts; somebody pauses for a day, and rebuilds."""
    world = lived([])
    month = replace(PAUSE, until=NOW + timedelta(days=30))
    pause(month, world.telling(POLICY, "operator"), world.brake)
    memory_of(world).pause = None
    world.pause(NOW + timedelta(days=1), POLICY)
    assert pause_again(restoring(world), ports(world))
    assert memory_of(world).pause == month
    assert not pause_again(restoring(world), ports(world))


class Damaged(Chains):
    """Chains that begin with a batch that cannot be read."""

    def batches(self, shard: int) -> list[Batch]:
        sound = super().batches(shard)
        return [Batch(**{**sound[0], "body": "{"}), *sound] if sound else []


class Dropped(Chains):
    """Chains of which all names are gone, but for those of the last batch."""

    def batches(self, shard: int) -> list[Batch]:
        chain = super().batches(shard)
        return [Batch(**{**batch, "names": None}) for batch in chain[:-1]] + chain[-1:]


@pytest.fixture
def nameless() -> World:
    """A contact was told of and held, and Lapse paused; names and Facts are gone, but for the last word."""
    world = lived([
        lambda world: world.take(left(at=hour(1)), POLICY),
        lambda world: held(world, CONTACT, 1, hour(2), NOW + timedelta(days=9)),
        lambda world: asked(world, 1, hour(3), CONTACT),
        lambda world: corrected(world, CONTACT, hour(1), hour(2)),
    ])  # fmt: skip
    memory = memory_of(world)
    pause(PAUSE, world.telling(POLICY, "operator"), world.brake)
    memory.pause = None
    memory.batches[0].append([Entry(outcome=Outcome.HALTED, at=NOW, cause="manual", policy="")])
    memory.facts.clear()
    return world


def test_names_that_were_dropped_in_time_are_no_damage(nameless: World) -> None:
    """What their entries told of is nobody's any more: no record, no fault, no pause, and no ghost of one."""
    world, memory = nameless, memory_of(nameless)
    world.now += POLICY.names_needed + timedelta(microseconds=1)
    of_the_old = replace(ports(world), ledger=Dropped(memory))
    assert pause_again(restoring(world), of_the_old) is None
    done = rebuild(restoring(world), of_the_old)
    assert (done.records, done.added, done.unreadable) == (1, 1, 0)
    assert memory.pause is None
    assert memory.facts.keys() == {CONTACT}
    assert memory.facts[CONTACT].of(LEFT) == {hour(2)}
    assert (memory.facts[CONTACT].holds, memory.facts[CONTACT].requests) == ({}, {})


def test_names_that_are_gone_before_their_time_are_damage(nameless: World) -> None:
    """One of their entries tells of a hold that is in force, and nobody knows of what record."""
    world, memory = nameless, memory_of(nameless)
    world.now += POLICY.names_needed
    too_soon = replace(ports(world), ledger=Dropped(memory))
    assert pause_again(restoring(world), too_soon) == UNREADABLE_LEDGER
    memory.pause = None
    done = rebuild(restoring(world), too_soon)
    assert (done.records, done.added, done.unreadable) == (1, 1, 3)
    assert memory.pause == UNREADABLE_LEDGER


def test_a_nameless_entry_of_no_time_is_damage() -> None:
    """Nobody can say that it is old."""
    world = lived([lambda world: world.take(left(at=hour(1)), POLICY)])
    (batch,) = Chains(memory_of(world)).batches(CONTACT.shard)
    world.now += POLICY.names_retain
    for at in ("", "yesterday"):
        undated = Batch(**{**batch, "names": None, "body": batch["body"].replace(to_text(NOW), at)})
        assert not rebuild(restoring(world), replace(ports(world), ledger=Only(undated))).added
        assert memory_of(world).pause == UNREADABLE_LEDGER
        memory_of(world).pause = None


@dataclass
class Only:
    """A ledger of one batch."""

    batch: Batch

    def batches(self, shard: int) -> list[Batch]:
        return [self.batch] if self.batch["shard"] == f"{shard:02}" else []

    def entries_of(self, _record: RecordRef) -> Sequence[Kept]:
        raise AssertionError


def test_a_pause_that_was_ended_stays_ended_without_names() -> None:
    """That somebody resumed is hashed; who did, is in the name, and may be gone."""
    world = lived([])
    pause(PAUSE, world.telling(POLICY, "operator"), world.brake)
    resume("staff-2", world.telling(POLICY, "operator"), world.brake)
    paused, resumed = world.business.entries()
    assert longest_pause([paused, {**resumed, "details": {}}]) is None


def test_a_ledger_that_can_be_read_pauses_nothing() -> None:
    """Only what may have told of a hold does."""
    world = lived([lambda world: world.take(left(at=hour(1)), POLICY)])
    memory_of(world).facts.clear()
    rebuild(restoring(world), ports(world))
    assert memory_of(world).pause is None


def test_a_row_whose_evidence_is_damaged_is_left_alone() -> None:
    """Half of it might bring back what was corrected in the other half. It is counted, and Lapse paused."""
    name = next(f"C-{n}" for n in range(999) if contact_ref(f"C-{n}").shard == SHARDS - 1)
    record, world = contact_ref(name), lived([lambda world: world.take(left(name, hour(1)), POLICY)])
    present = replace(memory_of(world).facts[record], instants={})
    memory_of(world).facts[record] = present

    class Damaged(Chains):
        def entries_of(self, record: RecordRef) -> Sequence[Kept]:
            raise ValueError

    done = rebuild(restoring(world), replace(ports(world), ledger=Damaged(memory_of(world))))
    assert (done.completed, done.unreadable) == (0, 1)
    assert memory_of(world).pause == UNREADABLE_LEDGER
    assert memory_of(world).facts == {record: present}


def test_what_only_the_row_knows_stays() -> None:
    """Nothing is taken back: a hold, a request or an instant without evidence stands beside the rebuilt."""
    hold = Hold("fraud", "CASE-9", "staff-1", hour(1), None, closed_at=hour(2), closed_by="staff-2")
    unopened = Hold("", "CASE-8", "", None, None, closed_at=hour(3), closed_by="staff-2")
    request = Request("R-9", hour(1), "staff-3", hour(4), "erased")
    present = Facts(
        7,
        {LEFT: frozenset({hour(1)}), FactKind.REQUESTED: frozenset({hour(1)})},
        {"CASE-9": hold, "CASE-8": unopened},
        {"R-9": request},
        {LEFT: frozenset({hour(8)})},
    )
    assert merged(present, Facts()) == present
    both = merged(present, Facts(3, {LEFT: frozenset({hour(2)})}))
    assert both == replace(
        present, version=8, instants={**present.instants, LEFT: frozenset({hour(1), hour(2)})}
    )


PAUSE = Pause("staff-1", "bad_rule", NOW, NOW + timedelta(days=2))


def test_a_pause_that_was_lost_with_facts_is_pulled_again() -> None:
    """With the first one's words, and evidence of its own; not if it was ended, has lapsed, or stands."""
    world = lived([])
    pause(PAUSE, world.telling(POLICY, "operator"), world.brake)
    assert not pause_again(restoring(world), ports(world))
    memory_of(world).pause = None
    assert pause_again(restoring(world), ports(world))
    assert memory_of(world).pause == PAUSE
    assert [entry["cause"] for entry in world.business.entries()] == ["operator", "restore"]
    memory_of(world).pause = None
    world.now = NOW + timedelta(days=2)
    assert not pause_again(restoring(world), ports(world))


def test_a_pause_that_was_ended_stays_ended() -> None:
    """The brake's last word counts."""
    world = lived([])
    pause(PAUSE, world.telling(POLICY, "operator"), world.brake)
    resume("staff-2", world.telling(POLICY, "operator"), world.brake)
    assert longest_pause(world.business.entries()) is None
    assert not pause_again(restoring(world), ports(world))


def test_what_may_have_been_a_pause_is_one() -> None:
    """Unless it was ended by an entry that can be read."""
    world = lived([])
    pause(PAUSE, world.telling(POLICY, "operator"), world.brake)
    entries = world.business.entries()
    assert longest_pause([UNREADABLE]) == longest_pause([*entries, UNREADABLE]) == UNREADABLE_LEDGER
    assert longest_pause([UNREADABLE, *entries]) == UNREADABLE_LEDGER
    damaged = replace(ports(world), ledger=Damaged(memory_of(world)))
    resume("staff-2", world.telling(POLICY, "operator"), world.brake)
    assert not pause_again(restoring(world), damaged)
    memory_of(world).batches[0].pop()
    assert pause_again(restoring(world), damaged)
    assert memory_of(world).pause == UNREADABLE_LEDGER


def test_a_lapsed_pause_is_no_reason_to_leave_lapse_running() -> None:
    """Another one that stands, but has ended, is replaced."""
    world = lived([])
    pause(PAUSE, world.telling(POLICY, "operator"), world.brake)
    memory_of(world).pause = replace(PAUSE, until=NOW)
    assert pause_again(restoring(world), ports(world))
    assert memory_of(world).pause == PAUSE


def test_an_entry_without_a_readable_time_is_none() -> None:
    """An answer counts by the entry's own instant, so it must have one."""
    entry = Entry(outcome=Outcome.ANSWERED, at=NOW, cause="manual", policy="", details={"requests": "R-1"})
    assert is_readable(as_kept(entry))
    assert not is_readable({**as_kept(entry), "at": "yesterday"})
