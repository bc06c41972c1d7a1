"""Lapse's own tables: timers and leases, facts, evidence, wake-ups."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.due_table import DueTable
from shared.evidence import Entry, Outcome
from shared.facts import MOST_INSTANTS, Closing, FactKind, Facts, Hold, Request
from shared.instants import SECOND
from shared.ledger_table import LedgerTable
from shared.pausing import Pause
from shared.record import RecordRef
from shared.scheduler import SchedulerWakeUps
from shared.timer import Timer
from tests.builders import LONG_AGO, NOW, as_kept, contact_ref, policy, shipment_ref
from tests.memory import MemoryTimers
from tests.worlds import AwsBusiness, World

RECORD = shipment_ref()
SHARD = RECORD.shard


def timer(at: datetime, record: RecordRef = RECORD) -> Timer:
    return Timer(record, "delivery-contact", at=at, due=at - SECOND, attempts=3)


def another(timers: object) -> DueTable | MemoryTimers:
    """The same table in the hands of another run."""
    if isinstance(timers, DueTable):
        return DueTable(timers._client, timers._table)
    assert isinstance(timers, MemoryTimers)
    return MemoryTimers(timers.memory, holder="another")


def test_a_timer_comes_back_as_it_was_put(world: World) -> None:
    """The typed key, the rule, both instants and the attempts survive."""
    put = timer(NOW)
    world.timers.put([put])
    assert world.timers.ready(SHARD, NOW, "", 10) == [put]


def test_ready_up_to_and_including_this_second(world: World) -> None:
    """A timer of this very second is ready; one of the next is not."""
    world.timers.put([timer(NOW), timer(NOW + SECOND)])
    assert [each.at for each in world.timers.ready(SHARD, NOW, "", 10)] == [NOW]
    assert [each.at for each in world.timers.ready(SHARD, NOW + timedelta(milliseconds=999), "", 10)] == [NOW]
    assert world.timers.ready(SHARD, NOW - timedelta(microseconds=1), "", 10) == []


def test_ready_goes_on_behind_a_key(world: World) -> None:
    """Pages follow each other without gap or repetition, in order of time."""
    timers = [timer(NOW - timedelta(seconds=number)) for number in range(30)]
    world.timers.put(timers)
    seen: list[Timer] = []
    while page := world.timers.ready(SHARD, NOW, seen[-1].sort_key if seen else "", 7):
        seen += page
    assert seen == timers[::-1]


def test_a_row_that_cannot_be_understood_is_passed_over(world: World) -> None:
    """However many there are, the timers behind them are found; how many there were is known."""
    timers = [timer(NOW - timedelta(seconds=number)) for number in range(3)]
    world.timers.put(timers)
    broken = [f"2026-08-25T10:1{n}:0{n}Z#r#x" for n in range(5)] + ["2026-08-25T10:14:59Z"]
    if isinstance(world.business, AwsBusiness):
        for key in broken:
            row = {"shard": {"S": f"{SHARD:02}"}, "sk": {"S": key}}
            world.business.dynamodb.put_item(TableName=world.business.due_table, Item=row)
    for limit in (1, 2, 10):
        seen: list[Timer] = []
        while page := world.timers.ready(SHARD, NOW, seen[-1].sort_key if seen else "", limit):
            seen += page
            if len(page) < limit:
                break
        assert seen == timers[::-1]
    world.timers.ready(SHARD, NOW, "", 10)
    assert world.timers.unreadable(SHARD) == (6 if isinstance(world.business, AwsBusiness) else 0)
    assert world.timers.unreadable((SHARD + 1) % 16) == 0


def test_shards_are_apart(world: World) -> None:
    """A shard's query shows its own timers only, and no lease."""
    other = next(ref for number in range(100) if (ref := shipment_ref(f"S-{number}")).shard != SHARD)
    world.timers.put([timer(NOW), timer(NOW, other)])
    assert world.timers.lease(SHARD, NOW, NOW + timedelta(seconds=60))
    assert [each.record for each in world.timers.ready(SHARD, NOW, "", 10)] == [RECORD]
    assert len(world.standing()) == 2


def test_equal_timers_are_one(world: World) -> None:
    """The same event twice writes the same timer, also within one call."""
    world.timers.put([timer(NOW), timer(NOW)])
    world.timers.put([timer(NOW)])
    assert len(world.standing()) == 1


def test_a_timer_that_was_written_again_stays(world: World) -> None:
    """What was read is removed only if nobody wrote the same timer meanwhile: it may mean something new."""
    world.timers.put([timer(NOW), timer(NOW - SECOND)])
    read = world.timers.ready(SHARD, NOW, "", 10)
    world.timers.put([timer(NOW)])
    world.timers.remove(read)
    assert [each.at for each in world.standing()] == [NOW]
    world.timers.remove(world.timers.ready(SHARD, NOW, "", 10))
    assert world.standing() == []


def test_many_timers_are_removed(world: World) -> None:
    """More timers than one call takes are removed, and removing them again is harmless."""
    world.timers.put([timer(NOW - timedelta(seconds=number)) for number in range(60)])
    timers = world.timers.ready(SHARD, NOW, "", 100)
    assert len(timers) == 60
    world.timers.remove(timers)
    world.timers.remove(timers)
    assert world.standing() == []


def test_a_lease_excludes_others_until_it_expires(world: World) -> None:
    """One run holds a shard: it may renew, others wait until it gives back or its time is up."""
    other, minute = another(world.timers), timedelta(seconds=60)
    assert world.timers.lease(SHARD, NOW, NOW + minute)
    assert world.timers.lease(SHARD, NOW, NOW + minute)
    assert not other.lease(SHARD, NOW + minute, NOW + 2 * minute)
    assert other.lease((SHARD + 1) % 16, NOW, NOW + minute)
    assert other.lease(SHARD, NOW + minute + SECOND, NOW + 3 * minute)
    world.timers.release(SHARD)
    assert not world.timers.lease(SHARD, NOW + 2 * minute, NOW + 4 * minute)
    other.release(SHARD)
    assert world.timers.lease(SHARD, NOW, NOW + minute)


def test_facts_gather_by_kind(world: World) -> None:
    """Instants of several kinds stand beside each other; another record has its own."""
    first = world.tell(contact_ref(), FactKind.LEFT, NOW)
    world.tell(contact_ref(), FactKind.RETURNED, NOW + SECOND)
    told = world.tell(contact_ref(), FactKind.LEFT, NOW + timedelta(microseconds=5))
    assert told == world.told(contact_ref())
    assert told.of(FactKind.LEFT) == {NOW, NOW + timedelta(microseconds=5)}
    assert told.of(FactKind.RETURNED) == {NOW + SECOND}
    assert told.version == first.version + 2
    assert world.told(contact_ref("C-8")) is None


def test_telling_again_changes_nothing(world: World) -> None:
    """A fact that is known does not raise the version: an erase under way is not disturbed."""
    first = world.tell(contact_ref(), FactKind.LEFT, NOW)
    assert world.tell(contact_ref(), FactKind.LEFT, NOW) == first
    assert world.told(contact_ref()) == first
    assert len(world.tellings()) == 1


def test_many_instants_stay_few(world: World) -> None:
    """A departure that is re-sent every night for months leaves a small row with the first of them."""
    told = world.tell(contact_ref(), FactKind.LEFT, NOW)
    for day in range(MOST_INSTANTS + 10):
        told = world.tell(contact_ref(), FactKind.LEFT, NOW + timedelta(days=day))
        assert min(told.of(FactKind.LEFT)) == NOW
    assert len(told.of(FactKind.LEFT)) == MOST_INSTANTS
    assert told == world.told(contact_ref())


def test_facts_come_back_as_they_were_told(world: World) -> None:
    """Instants, what was withdrawn of them, holds of all shapes, requests and their answers."""
    day = timedelta(days=1)
    facts = (
        Facts.begun(NOW)
        .told(FactKind.LEFT, NOW)
        .told(FactKind.RETURNED, NOW + timedelta(microseconds=1))
        .corrected(FactKind.LEFT, NOW, NOW - day)
        .held(Hold("fraud", "CASE-1", "staff-1", NOW, NOW + day))
        .released(Closing("CASE-1", "staff-2", NOW + SECOND))
        .released(Closing("CASE/2026#7", "staff-2", NOW))
        .held(Hold("lost", "CASE-3", "staff-1", NOW, NOW + day))
        .requested(Request("R-1", NOW, "staff-3"))
        .requested(Request("R-2", NOW + day, "staff-3"))
        .answered(["R-1"], NOW + SECOND, "erased")
    )
    assert world.facts.change(RECORD, None, facts, entry(0), None)
    assert world.told(RECORD) == facts
    fewer = facts.corrected(FactKind.RETURNED, NOW + timedelta(microseconds=1), None)
    assert world.facts.change(RECORD, facts, fewer, entry(1), None)
    assert (world.told(RECORD) or Facts()).of(FactKind.RETURNED) == frozenset()


def test_a_pause_stands_until_it_is_ended(world: World) -> None:
    """Who, why, from when until when; the last one counts; its evidence is in the first chain."""
    assert world.brake.read() is None
    for until in (NOW + timedelta(days=1), NOW + timedelta(hours=1), None):
        world.pause(until, policy())
        assert world.brake.read() == Pause("staff-4", "investigation", NOW, until)
    assert world.resume(policy())
    assert world.brake.read() is None
    assert not world.resume(policy())
    assert [outcome for outcome, _, _ in world.tellings()] == ["paused"] * 3 + ["resumed"]


def entry(number: int) -> Entry:
    return Entry(
        outcome=Outcome.ERASED,
        at=NOW,
        cause="manual",
        policy="d" * 64,
        record=shipment_ref(f"S-{number}").text,
        rule="r",
        clause="2.2.1",
        due=NOW,
        fields=(("email",), ("delivery", "phone")),
    )


def kept(number: int) -> dict[str, Any]:
    """The same, as it is read again."""
    return as_kept(entry(number))


def test_evidence_is_kept_in_order(world: World) -> None:
    """Batches of a shard follow each other, a large one is split, and nothing is overwritten."""
    world.ledger.append(3, [entry(0)])
    world.ledger.append(3, [entry(number) for number in range(1, 251)])
    assert world.business.entries() == [kept(number) for number in range(251)]


def test_two_runs_append_to_one_shard(world: World) -> None:
    """Each append finds the true tail, whatever another run added meanwhile."""
    ledger = world.ledger
    other = LedgerTable(ledger._client, ledger._table) if isinstance(ledger, LedgerTable) else ledger
    for number in range(0, 8, 2):
        ledger.append(3, [entry(number)])
        other.append(3, [entry(number + 1)])
    assert world.business.entries() == [kept(number) for number in range(8)]


def test_a_wake_up_that_is_there_is_success(world: World) -> None:
    """One schedule for each minute, whoever asks for it and how often."""
    minute = datetime.fromisoformat("2027-02-21T14:05:00Z")
    wake_ups = world.wake_ups
    world.wake_ups.ensure(minute)
    if isinstance(wake_ups, SchedulerWakeUps):
        group = (wake_ups.group, wake_ups.role_arn, wake_ups.purge_function_arn, wake_ups.failure_queue_arn)
        wake_ups = SchedulerWakeUps(wake_ups.client, *group)
    wake_ups.ensure(minute)
    wake_ups.ensure(minute + timedelta(minutes=1))
    assert world.business.minutes() == [minute, minute + timedelta(minutes=1)]


def test_all_timers_of_a_record_are_found(world: World) -> None:
    """At whatever instants they stand, and those of no other record."""
    mine = [Timer(shipment_ref(), "rule", at, NOW) for at in (LONG_AGO, NOW)]
    others = [Timer(shipment_ref(f"S-{number}"), "rule", NOW, NOW) for number in range(40)]
    world.timers.put([*mine, *others])
    found = world.timers.of_record(shipment_ref())  # type: ignore[attr-defined]
    assert list(found) == mine


def test_a_wake_up_can_be_looked_for(world: World) -> None:
    """By its minute."""
    minute = datetime(2099, 2, 21, 14, 5, tzinfo=UTC)
    world.wake_ups.ensure(minute)
    stands = world.wake_ups.stands  # type: ignore[attr-defined]
    assert (stands(minute), stands(minute + timedelta(minutes=1))) == (True, False)
