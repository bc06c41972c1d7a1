"""A table restored from a backup: what is wrong is found; the replay mends that, and changes nothing else."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapse.aws_stores import AwsStores
from lapse.trouble import TroubleError
from shared.facts import Closing, FactKind, Hold
from shared.failure import CallFailedError
from shared.finding import SEGMENTS, view_of
from shared.hold_records import place_hold, release_hold
from shared.ledger_batch import Kept
from shared.policy import Mode, Policy
from shared.record import HOLD_MARK, RecordRef
from shared.replay import MOST_TIMERS, Pace, Ports, Replayed, Stopped, replay
from shared.replay_ports import ProgressInMemory, TimersInMemory
from shared.restore import Pace as CheckPace
from shared.restore import Ports as CheckPorts
from shared.restore import check
from shared.restore_faults import Checked, Fault, Wrong
from shared.retention import Erase, decide
from shared.sweep_state import PartProgress, Sweep
from shared.tally import Count
from shared.timer import Timer
from tests.builders import (
    LONG_AGO,
    NOW,
    contact,
    contact_ref,
    delivery_rule,
    event,
    left,
    policy,
    returned,
    shipment,
    shipment_ref,
    to_wire_text,
)
from tests.memory import Memory, MemoryFacts, MemoryTables
from tests.misbehaving import Crash, Meanwhile, misbehaving
from tests.misbehaving import Fault as Misfortune
from tests.operators import ReadLedger
from tests.scans import only_scans
from tests.worlds import MemoryBusiness, World, memory_world

DAY = timedelta(days=1)
POLICY = policy()
SHIPMENT, CONTACT = shipment_ref(), contact_ref()

type Items = dict[RecordRef, dict[str, Any]]


def memory_of(world: World) -> Memory:
    assert isinstance(world.business, MemoryBusiness)
    return world.business.memory


def with_records() -> World:
    """A shipment that is due, a contact who left long ago; the ledger can be read."""
    world = memory_world()
    world = replace(world, ledger=ReadLedger(memory_of(world)))
    world.business.put(SHIPMENT, shipment())
    world.business.put(CONTACT, contact())
    world.take(left(), POLICY)
    return world


def backup_of(world: World) -> Items:
    return deepcopy(memory_of(world).items)


def purged(world: World, policy: Policy = POLICY) -> World:
    world.sweep(policy).raise_failures()
    world.purge(policy).raise_failures()
    return world


def restored(world: World, backup: Items) -> World:
    """The same world, but for the business tables: they are others, as the backup has them."""
    memory = memory_of(world)
    tables = replace(memory, items=dict(deepcopy(backup)))
    return replace(
        world,
        records=MemoryTables(tables),
        facts=MemoryFacts(tables),
        business=MemoryBusiness(tables),
    )


def checked(world: World, table: str = "Shipments", policy: Policy = POLICY, **options: Any) -> Checked:
    """The check of a restored table; that it can only look, its ports see to."""
    scans, _ = only_scans(world.records, world.facts, options.pop("poisoned", ()))
    ports = CheckPorts(scans, ReadLedger(memory_of(world)))
    most = options.pop("most", 10)
    return check(table, policy, ports, CheckPace(lambda: world.now, **options), most)


def faults(world: World, table: str = "Shipments", policy: Policy = POLICY) -> list[tuple[str, str, str]]:
    return sorted((each.what, each.rule, each.why) for each in checked(world, table, policy).faults)


def never(due: int, erased: int) -> bool:
    raise AssertionError((due, erased))


def replayed(
    world: World,
    table: str = "Shipments",
    policy: Policy = POLICY,
    may_erase: Callable[[int, int], bool] = never,
    most_timers: int = MOST_TIMERS,
) -> Replayed:
    ports = Ports(world.records, world.facts, world.ledger, world.brake)
    pace = Pace(lambda: world.now, world.slept.append, may_erase, most_timers=most_timers)
    return replay(table, policy, ports, pace)


def held(world: World, record: RecordRef, until: datetime, case: str = "CASE-1") -> None:
    hold = Hold("fraud", case, "staff-1", world.now - DAY, until)
    place_hold(record, hold, world.telling(POLICY), world.for_holds)


def erasing(world: World, record: RecordRef, request_id: str = "R-1") -> None:
    key = {name: value["S"] for name, value in record.key.items()}
    asked = event(
        "ErasureRequested",
        {
            "request_id": request_id,
            "requested_at": to_wire_text(world.now),
            "approved_by": "staff-3",
            "records": [{"table": record.table, "key": key}],
        },
    )
    world.take({**asked, "source": "lapse.requests"}, POLICY)


# The check


def test_a_backup_from_before_the_erasure() -> None:
    """What was erased is back, and overdue."""
    world = with_records()
    backup = backup_of(world)
    purged(world)
    assert checked(world).passed
    assert checked(world, "Contacts").passed
    again = restored(world, backup)
    assert faults(again) == [("overdue", "delivery-contact", "")]
    assert faults(again, "Contacts") == [("overdue", "leaver-contact", "")]


def test_due_is_not_yet_overdue() -> None:
    """A record that came due a moment ago keeps the table from being used, too."""
    world = with_records()
    world.business.put(
        SHIPMENT, shipment(shipped_at={"S": to_wire_text(NOW - 90 * DAY - timedelta(minutes=14))})
    )
    assert faults(world) == [("due", "delivery-contact", "")]
    world.now += timedelta(minutes=1)
    assert faults(world) == [("overdue", "delivery-contact", "")]


def test_a_hold_that_the_record_does_not_show() -> None:
    """The backup is from before the hold: Facts know it, and the restored record does not say so."""
    world = with_records()
    backup = backup_of(world)
    held(world, SHIPMENT, NOW + 30 * DAY)
    assert faults(world) == []
    assert faults(restored(world, backup)) == [("hold_unmarked", "", "")]
    world.now += 31 * DAY
    assert faults(restored(world, backup)) == [("overdue", "delivery-contact", "")]


def test_a_mark_with_another_end_is_wrong() -> None:
    """The hold was extended since."""
    world = with_records()
    held(world, SHIPMENT, NOW + 30 * DAY)
    backup = backup_of(world)
    world.now += timedelta(hours=1)
    held(world, SHIPMENT, NOW + 60 * DAY)
    assert faults(restored(world, backup)) == [("hold_unmarked", "", "")]


def test_a_mark_of_a_case_that_was_closed_since() -> None:
    """The backup is from before the closing: the old mark would hold the record, which nothing else does."""
    world = with_records()
    held(world, SHIPMENT, NOW + 30 * DAY)
    backup = backup_of(world)
    closing = Closing("CASE-1", "staff-2", NOW)
    release_hold(SHIPMENT, closing, world.telling(POLICY), world.for_holds)
    again = restored(world, backup)
    assert faults(again) == [("mark_outdated", "", "")]
    again.now += 31 * DAY
    assert faults(again) == [("overdue", "delivery-contact", "")], "a mark that lapsed holds nothing"
    backup[SHIPMENT][HOLD_MARK[0]] = {"S": "by lapse, who knows until when"}
    assert faults(restored(world, backup)) == [], "a mark of somebody else is theirs to take away"
    backup[SHIPMENT][HOLD_MARK[0]] = {"M": {"by": {"S": "lapse"}}}
    assert faults(restored(world, backup)) == [("mark_outdated", "", "")]


def test_a_hold_of_a_record_that_the_backup_lacks() -> None:
    """There is nothing to be marked."""
    world = with_records()
    backup = backup_of(world)
    del backup[SHIPMENT]
    held(world, SHIPMENT, NOW + 30 * DAY)
    assert checked(restored(world, backup)).passed


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"shipped_at": None}, "no_anchor"),
        ({"shipped_at": {"S": "1970-01-01T00:00:00Z"}}, "implausible"),
        ({"drop_ship": {"BOOL": False}}, "no_match"),
    ],
)
def test_what_the_ledger_calls_erased_and_the_record_does_not_call_due(
    changes: Mapping[str, Any], why: str
) -> None:
    """The backup is from before the record was as it was when it was erased: it is named, with the reason."""
    world = with_records()
    backup = backup_of(world)
    backup[SHIPMENT] = shipment(**changes)
    assert checked(restored(world, backup)).passed
    purged(world)
    assert faults(restored(world, backup)) == [("erased_is_back", "delivery-contact", why)]
    for name in ("email", "contact_number"):
        del backup[SHIPMENT][name]
    assert checked(restored(world, backup)).passed


def test_a_rule_that_only_observes_since() -> None:
    """The replay will not erase by it, but the ledger says that the fields are gone."""
    world = with_records()
    backup = backup_of(world)
    purged(world)
    observing = policy(delivery_rule(mode=Mode.OBSERVE))
    assert faults(restored(world, backup), policy=observing) == [
        ("erased_is_back", "delivery-contact", "observed")
    ]


def test_fields_of_which_some_were_erased() -> None:
    """Those count that the ledger names: a field that joined the rule later was never erased."""
    world = with_records()
    backup = backup_of(world)
    backup[SHIPMENT] = shipment(shipped_at=None, email=None)
    purged(world, policy(delivery_rule(erase=(("email",),))))
    assert checked(restored(world, backup)).passed
    backup[SHIPMENT] = shipment(shipped_at=None, contact_number=None)
    assert faults(restored(world, backup)) == [("erased_is_back", "delivery-contact", "no_anchor")]


def test_what_was_found_absent_was_not_erased_by_lapse() -> None:
    """Fields that were never there when they were due, and came later, are not back."""
    world = with_records()
    world.business.put(SHIPMENT, shipment(email=None, contact_number=None))
    world.timers.put([timer(NOW - DAY)])
    world.purge(POLICY).raise_failures()
    entries = [entry for entry in world.business.entries() if entry["record"] == SHIPMENT.text]
    assert [entry["outcome"] for entry in entries] == ["already_absent"]
    assert checked(restored(world, {SHIPMENT: shipment(shipped_at=None)})).passed


def test_holds_of_another_table() -> None:
    """That one has a check of its own."""
    world = with_records()
    held(world, CONTACT, NOW + DAY)
    del memory_of(world).items[CONTACT][HOLD_MARK[0]]
    del memory_of(world).items[SHIPMENT]
    assert checked(world).passed
    assert faults(world, "Contacts") == [("hold_unmarked", "", "")]


def test_what_only_facts_start_and_facts_do_not_know() -> None:
    """Facts were lost, too: the ledger remembers that the contact was erased."""
    world = with_records()
    backup = backup_of(world)
    purged(world)
    memory_of(world).facts.clear()
    assert faults(restored(world, backup), "Contacts") == [("erased_is_back", "leaver-contact", "no_anchor")]


def test_a_contact_who_returned_may_be_back() -> None:
    """Whoever returned, or left again, or is held, has fields that nobody asks to be gone by now."""
    world = with_records()
    backup = backup_of(world)
    purged(world)
    world.take(returned(at=NOW - 2 * DAY), POLICY)
    assert checked(restored(world, backup), "Contacts").passed
    world.take(left(at=NOW - DAY), POLICY)
    assert checked(restored(world, backup), "Contacts").passed
    world = restored(world, backup)
    world.now += 89 * DAY
    held(world, CONTACT, world.now + 30 * DAY)
    assert checked(world, "Contacts").passed


def test_facts_that_cannot_be_read() -> None:
    """Whether they hold the record is not known: the check does not pass, and the others are judged."""
    world = with_records()
    backup = backup_of(world)
    world.tell(SHIPMENT, FactKind.LEFT, NOW)
    world.business.put(shipment_ref("S-2"), shipment("S-2"))
    backup[shipment_ref("S-2")] = shipment("S-2")
    result = checked(restored(world, backup), poisoned={SHIPMENT})
    assert (result.counts[Wrong.OVERDUE], result.counts[Wrong.UNREADABLE]) == (1, 2)
    assert not result.passed


def test_evidence_that_cannot_be_read() -> None:
    """Whether the fields were erased is not known: the check does not pass."""
    world = with_records()
    world.business.put(SHIPMENT, shipment(shipped_at=None))

    class Damaged(ReadLedger):
        def entries_of(self, record: RecordRef) -> list[Kept]:
            raise ValueError

    scans, _ = only_scans(world.records, world.facts)
    ports = CheckPorts(scans, Damaged(memory_of(world)))
    found = check("Shipments", POLICY, ports, CheckPace(lambda: world.now), 10)
    assert found.faults == [Fault(Wrong.UNREADABLE, SHIPMENT.text)]


def test_counts_are_whole_and_names_are_few() -> None:
    """All are counted; of each kind the first are named."""
    world = with_records()
    for number in range(20):
        record = shipment_ref(f"S-{number}")
        world.business.put(record, shipment(record.key["shipment_id"]["S"]))
    backup = backup_of(world)
    for number in range(8):
        held(world, shipment_ref(f"S-{number}"), NOW + DAY)
    result = checked(restored(world, backup), most=3)
    assert result.counts == {Wrong.OVERDUE: 13, Wrong.UNMARKED: 8}
    assert [each.what for each in sorted(result.faults)] == [Wrong.UNMARKED] * 3 + [Wrong.OVERDUE] * 3


def test_progress_of_a_check_is_told() -> None:
    """Items of the table, and rows of Facts."""
    told: list[int] = []
    checked(with_records(), advance=told.append)
    assert sum(told) == 2


# The replay


def test_a_replay_brings_the_table_to_where_it_was() -> None:
    """Erased again, held again, marked again: as the live table is; then the check passes."""
    world = with_records()
    for name in ("S-held", "S-later", "S-closed"):
        world.business.put(shipment_ref(name), shipment(name))
    world.business.put(
        shipment_ref("S-later"), shipment("S-later", shipped_at={"S": to_wire_text(NOW - 80 * DAY)})
    )
    held(world, shipment_ref("S-closed"), NOW + 30 * DAY)
    backup = backup_of(world)
    held(world, shipment_ref("S-held"), NOW + 30 * DAY)
    closing = Closing("CASE-1", "staff-2", NOW)
    release_hold(shipment_ref("S-closed"), closing, world.telling(POLICY), world.for_holds)
    purged(world)
    live = backup_of(world)
    again = restored(world, backup)
    assert not checked(again).passed
    done = replayed(again)
    assert (done.through, done.marks, done.tally.counts[Count.ERASED]) == (True, 2, 2)
    shipments = {record: item for record, item in live.items() if record.table == "Shipments"}
    assert {r: i for r, i in memory_of(again).items.items() if r.table == "Shipments"} == shipments
    assert checked(again).passed
    assert memory_of(world).items == live
    assert again.business.get(CONTACT) == contact(), "another table is another replay"


def test_a_replay_is_evidence() -> None:
    """With a cause of its own; and it finds that the fields were erased before."""
    world = with_records()
    backup = backup_of(world)
    purged(world)
    again = restored(world, backup)
    done = replayed(again)
    (entry,) = [entry for entry in world.business.entries() if entry["cause"] == "restore"]
    assert (entry["outcome"], entry["cause"], entry["record"]) == ("erased", "restore", SHIPMENT.text)
    assert done.counts is not None
    assert {what.value: number for (_, what), number in done.counts.items() if number} == {
        "overdue": 1,
        "without_timer": 1,
        "re_added": 1,
    }


def test_nobody_hears_of_a_replay() -> None:
    """No wake-ups, no timers of the live table, no news, no answers, and Facts stay as they are."""
    world = with_records()
    backup = backup_of(world)
    erasing(world, SHIPMENT)
    world.now += timedelta(seconds=10)
    purged(world)
    erasing(world, CONTACT, "R-2")
    held(world, shipment_ref("S-2"), NOW + DAY)
    world.now += timedelta(seconds=10)
    memory = memory_of(world)
    before = deepcopy((memory.facts, memory.timers, memory.minutes, memory.news, memory.sweep, memory.leases))
    again = restored(world, backup)
    assert replayed(again).through
    assert replayed(again, "Contacts").through
    assert before == (memory.facts, memory.timers, memory.minutes, memory.news, memory.sweep, memory.leases)
    assert set(again.business.get(SHIPMENT) or ()) == {"shipment_id", "drop_ship", "shipped_at", "address"}
    assert set(again.business.get(CONTACT) or ()) == {"contact_id", "name"}


def test_old_facts_of_records_that_the_backup_lacks_stay() -> None:
    """The sweep forgets facts of records that are long gone; these may be in the live table."""
    world = with_records()
    world.tell(shipment_ref("S-new"), FactKind.SHIPPED, NOW - 10_000 * DAY)
    world.tell(contact_ref("C-new"), FactKind.LEFT, NOW - 10_000 * DAY)
    replayed(restored(world, backup_of(world)))
    assert shipment_ref("S-new") in memory_of(world).facts
    assert contact_ref("C-new") in memory_of(world).facts


def test_a_pause_holds_for_a_replay() -> None:
    """Marks are set; nothing is erased, and it says so."""
    world = with_records()
    backup = backup_of(world)
    world.pause(NOW + DAY, POLICY)
    held(world, shipment_ref("S-2"), NOW + DAY)
    again = restored(world, {**backup, shipment_ref("S-2"): shipment("S-2")})
    done = replayed(again)
    assert (done.stopped, done.through, done.marks) == (Stopped.PAUSED, False, 1)
    assert again.business.get(SHIPMENT) == shipment()
    world.resume(POLICY)
    assert replayed(again).through


def many(number: int) -> World:
    world = with_records()
    for each in range(number):
        world.business.put(shipment_ref(f"S-{each}"), shipment(f"S-{each}"))
    return restored(world, backup_of(world))


@dataclass
class Asked:
    """An operator who agrees so many times."""

    agrees: int
    questions: list[tuple[int, int]]

    def __call__(self, due: int, erased: int) -> bool:
        self.questions.append((due, erased))
        return len(self.questions) <= self.agrees


def test_the_limit_per_run_asks_the_operator() -> None:
    """Never more than the limit is erased unasked; declined, it stops, and can be run again."""
    few = replace(POLICY, max_erasures_per_run=5)
    world, asked = many(11), Asked(1, [])
    done = replayed(world, policy=few, may_erase=asked, most_timers=4)
    assert done.stopped is Stopped.DECLINED
    assert [erased for _, erased in asked.questions] == sorted(erased for _, erased in asked.questions)
    first, second = asked.questions
    assert first[0] + first[1] > 5
    assert done.tally.counts[Count.ERASED] == second[1] <= 5 + first[0]
    again = Asked(100, [])
    assert replayed(world, policy=few, may_erase=again).through
    assert checked(world).passed
    assert not [entry for entry in world.business.entries() if entry["outcome"] == "halted"]


def test_whoever_agrees_agrees_to_all_that_are_due() -> None:
    """They were told how many: the purge does not halt at the limit once more."""
    world, asked = many(11), Asked(1, [])
    assert replayed(world, policy=replace(POLICY, max_erasures_per_run=5), may_erase=asked).through
    assert asked.questions == [(12, 0)]
    assert checked(world).passed


def test_whoever_agrees_is_asked_again_after_as_many() -> None:
    """Not with each piece."""
    asked = Asked(100, [])
    few = replace(POLICY, max_erasures_per_run=10)
    assert replayed(many(40), policy=few, may_erase=asked, most_timers=2).through
    assert 3 <= len(asked.questions) <= 5


def test_up_to_the_limit_nobody_is_asked() -> None:
    """Also where it is done in pieces."""
    exact = replace(POLICY, max_erasures_per_run=12)
    assert replayed(many(11), policy=exact, most_timers=3).tally.counts[Count.ERASED] == 12
    without = replace(POLICY, max_erasures_per_run=None)
    assert replayed(many(11), policy=without, most_timers=3).tally.counts[Count.ERASED] == 12


@dataclass
class Impatient:
    """A clock that is not to be asked for ever."""

    world: World
    left: int = 5_000

    def __call__(self) -> datetime:
        self.left -= 1
        assert self.left
        return self.world.now


def test_timers_for_tomorrow_are_not_in_the_way() -> None:
    """The sweep finds more than there may be in memory: they are dropped, for the live sweep to set."""
    world = with_records()
    tomorrow = {"S": to_wire_text(NOW - 89 * DAY)}
    for number in range(20):
        world.business.put(shipment_ref(f"S-{number}"), shipment(f"S-{number}", shipped_at=tomorrow))
    again = restored(world, backup_of(world))
    ports = Ports(again.records, again.facts, again.ledger, again.brake)
    done = replay(
        "Shipments", POLICY, ports, Pace(Impatient(again), again.slept.append, never, most_timers=3)
    )
    assert (done.through, done.tally.counts[Count.ERASED]) == (True, 1)


def test_timers_in_memory_are_bounded() -> None:
    """The sweep stops for the purge whenever there are many: a page of each part more, and no further."""
    world = many(200)
    most = 0

    class Watching(MemoryTables):
        def look(self, records: Collection[RecordRef], paths: Any) -> Any:
            nonlocal most
            most = max(most, len(records))
            return super().look(records, paths)

    before = len(world.business.entries())
    watched = replace(world, records=Watching(memory_of(world)))
    assert replayed(watched, most_timers=10).tally.counts[Count.ERASED] == 201
    assert len(world.business.entries()) - before == 201
    assert most <= 10 + 2 * SEGMENTS * memory_of(world).page


def crash_points() -> list[Any]:
    world = restored(*_interrupted())
    misfortune = Misfortune(-1, after=False, raises=Crash)
    replayed(misbehaving(world, misfortune))
    names = ("before", "after")
    points = [(n, call, after) for n, call in enumerate(misfortune.calls) for after in (False, True)]
    return [pytest.param(n, after, id=f"{names[after]} {n} {call}") for n, call, after in points]


def _interrupted() -> tuple[World, Items]:
    """A backup of records of which one was erased since, one held, and one is due only now."""
    world = with_records()
    world.business.put(shipment_ref("S-held"), shipment("S-held"))
    backup = backup_of(world)
    held(world, shipment_ref("S-held"), NOW + 30 * DAY)
    purged(world)
    return world, backup


@pytest.mark.parametrize(("call", "after"), crash_points())
@pytest.mark.parametrize(
    "raises", [Crash, lambda: CallFailedError("call", "Throttled")], ids=["crash", "fails"]
)
def test_interrupted_and_run_again(call: int, *, after: bool, raises: Callable[[], BaseException]) -> None:
    """Wherever a replay ends early, the next one comes to the same table, and the check passes."""
    world = restored(*_interrupted())
    done: Replayed | None = None
    with suppress(Crash, CallFailedError):
        done = replayed(misbehaving(world, Misfortune(call, after=after, raises=raises)))
    harmless = done is not None and done.through
    assert not harmless or checked(world).passed
    assert replayed(world).through
    assert checked(world).passed
    undisturbed = restored(*_interrupted())
    replayed(undisturbed)
    assert memory_of(world).items == memory_of(undisturbed).items


def test_a_hold_that_is_placed_just_before_the_erase_keeps_the_restored_record() -> None:
    """It marks the live record, not this one: so the erase itself asks whether facts still say nothing."""
    calls = Misfortune(-1, after=False, raises=Crash)
    before = with_records()
    replayed(misbehaving(restored(before, backup_of(before)), calls))
    live = with_records()
    world = restored(live, backup_of(live))
    moment = calls.calls.index("records.erase")
    replayed(misbehaving(world, Meanwhile(moment, lambda: held(live, SHIPMENT, NOW + DAY))))
    kept = world.business.get(SHIPMENT)
    assert kept is not None
    assert kept["email"] == shipment()["email"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_what_was_erased_when_the_ledger_failed_gets_its_evidence(*, after: bool) -> None:
    """The same run works its timers again: the next one would find nothing there, and say nothing."""
    world = restored(*_interrupted())
    calls = Misfortune(-1, after=False, raises=Crash)
    replayed(misbehaving(restored(*_interrupted()), calls))
    failing = Misfortune(calls.calls.index("ledger.append"), after, lambda: CallFailedError("append", "Down"))
    done = replayed(misbehaving(world, failing))
    erased = [record for record, _, _ in world.outcomes() if record == shipment_ref().text]
    restoring = [e for e in world.business.entries() if e["cause"] == "restore" and e["record"] in erased]
    assert {each["outcome"] for each in restoring} & {"erased", "already_absent"}
    assert (done.failures, done.through) == (("Down",), False)
    assert world.slept == [timedelta(0), timedelta(seconds=5)], "the ledger has time to recover"
    assert replayed(world).through


def test_what_fails_is_told() -> None:
    """A record that cannot be looked at is a failure: the replay is not through."""
    world = restored(*_interrupted())
    misfortune = Misfortune(0, after=False, raises=lambda: CallFailedError("call", "Throttled"))

    class Failing(MemoryTables):
        def erase(self, *_: Any) -> Any:
            raise misfortune.raises()

    done = replayed(replace(world, records=Failing(memory_of(world))))
    assert (done.failures, done.through) == (("Throttled",), False)


def test_a_scan_that_fails_ends_it() -> None:
    """What was found until then is purged; the rest is for the next time."""
    world = restored(*_interrupted())

    class Failing(MemoryTables):
        def scan(self, *_: Any) -> Any:
            raise CallFailedError("Scan", "Throttled")

    ports = Ports(Failing(memory_of(world)), world.facts, world.ledger, world.brake)
    done = replay("Shipments", POLICY, ports, Pace(Impatient(world), world.slept.append, never))
    assert (set(done.failures), done.through) == ({"Throttled"}, False)


def test_progress_of_a_replay_is_told() -> None:
    """Each item and each row of Facts once."""
    world, told = many(5), list[int]()
    ports = Ports(world.records, world.facts, world.ledger, world.brake)
    replay(
        "Shipments", POLICY, ports, Pace(lambda: world.now, world.slept.append, never, advance=told.append)
    )
    assert sum(told) == len(memory_of(world).facts) + 6


hours = st.integers(0, 3000)
lives = st.lists(
    st.tuples(
        st.sampled_from(["ship", "leave", "return", "hold", "close", "ask", "purge", "wait", "backup"]),
        st.sampled_from(["1", "2"]),
        hours,
    ),
    max_size=25,
)


def happen(world: World, what: str, name: str, number: int) -> None:
    shipment_of, contact_of, at = shipment_ref(f"S-{name}"), contact_ref(f"C-{name}"), timedelta(hours=number)
    match what:
        case "ship":
            item = shipment(f"S-{name}", shipped_at={"S": to_wire_text(world.now - at)})
            world.business.put(shipment_of, item)
        case "leave":
            world.business.put(contact_of, contact(f"C-{name}"))
            world.take(left(f"C-{name}", world.now - at), POLICY)
        case "return":
            world.take(returned(f"C-{name}", world.now - at), POLICY)
        case "hold":
            held(world, shipment_of if number % 2 else contact_of, world.now + at, f"CASE-{number % 3}")
        case "close":
            closing = Closing(f"CASE-{number % 3}", "staff-2", world.now)
            record = shipment_of if number % 2 else contact_of
            release_hold(record, closing, world.telling(POLICY), world.for_holds)
        case "ask":
            erasing(world, shipment_of if number % 2 else contact_of, f"R-{number}")
        case "purge":
            purged(world)
        case _:
            world.now += at


@settings(max_examples=200)
@given(lives)
def test_never_early_never_late_through_a_restore(history: list[tuple[str, str, int]]) -> None:
    """Whatever happened before and after the backup: exactly that is erased which is due and not held now."""
    world = with_records()
    backup = backup_of(world)
    for what, name, number in history:
        if what == "backup":
            backup = backup_of(world)
        else:
            happen(world, what, name, number)
    again = restored(world, backup)
    expected = {record: _as_it_should_be(again, record, item) for record, item in backup.items()}
    for table in ("Shipments", "Contacts"):
        assert replayed(again, table).through
    there = memory_of(again).items
    without_marks = {
        record: {name: value for name, value in item.items() if (name,) != HOLD_MARK}
        for record, item in there.items()
    }
    assert without_marks == expected
    found = {each.what for table in ("Shipments", "Contacts") for each in checked(again, table).faults}
    assert found <= {Wrong.BACK}


def _as_it_should_be(world: World, record: RecordRef, item: dict[str, Any]) -> dict[str, Any]:
    """The item less what is due by now, by the rules as they stand."""
    rules = POLICY.about(record)
    view = view_of(item, rules, memory_of(world).facts.get(record))
    mine = {name: value for name, value in item.items() if (name,) != HOLD_MARK}
    view = replace(view, attributes={p: v for p, v in view.attributes.items() if p != HOLD_MARK})
    due = [rule for rule in rules if isinstance(decide(rule, view, world.now), Erase)]
    gone = {path[0] for rule in due for path in rule.erase}
    return {name: value for name, value in mine.items() if name not in gone}


# What stands in for the deployed tables


def test_a_table_that_is_still_being_restored() -> None:
    """It is there before its items are: what is not looked at is not found."""
    client: Any = SimpleNamespace(describe_table=lambda **_: {"Table": {"TableStatus": "CREATING"}})
    with pytest.raises(TroubleError, match="not ready yet"):
        AwsStores(client, {}, "facts", "ledger").restored("Shipments", "restored", POLICY)


def timer(at: datetime, record: RecordRef = SHIPMENT) -> Timer:
    return Timer(record, "delivery-contact", at=at, due=at)


def test_timers_in_memory_are_as_those_of_the_due_table() -> None:
    """Ready up to and including this second, page by page, each once; those written again stay."""
    timers = TimersInMemory()
    later = NOW + timedelta(seconds=1)
    timers.put([timer(later), timer(NOW), timer(LONG_AGO), timer(NOW)])
    timers.put([timer(NOW, shipment_ref("S-2"))])
    assert (len(timers), timers.count(NOW)) == (4, 3)
    ready = timers.ready(SHIPMENT.shard, NOW + timedelta(milliseconds=999), "", 10)
    assert list(ready) == [timer(LONG_AGO), timer(NOW)]
    assert list(timers.ready(SHIPMENT.shard, NOW, ready[0].sort_key, 10)) == [timer(NOW)]
    assert list(timers.ready(SHIPMENT.shard, NOW, "", 1)) == [timer(LONG_AGO)]
    assert timers.missing([timer(NOW), timer(NOW, contact_ref())]) == [timer(NOW, contact_ref())]
    timers.put([ready[1]])
    timers.remove(ready)
    assert list(timers.ready(SHIPMENT.shard, NOW, "", 10)) == [timer(NOW)]
    assert timers.lease(0, NOW, later)
    timers.release(0)
    timers.clear()
    assert len(timers) == 0


def test_progress_in_memory() -> None:
    """Kept while the replay runs, and told as it grows."""
    told: list[int] = []
    progress = ProgressInMemory(told.append)
    sweep = Sweep(NOW, "digest")
    assert progress.read() is None
    progress.begin(sweep)
    progress.write_part(sweep, "Shipments/0", PartProgress({"at": 1}, scanned=3))
    progress.write_part(sweep, "Shipments/0", PartProgress(None, done=True, scanned=5))
    assert progress.read_parts(sweep)["Shipments/0"].done
    assert told == [3, 2]
    finished = replace(sweep, finished=NOW)
    assert progress.finish(finished)
    assert progress.read() == finished
    assert progress.lease(NOW, NOW)
    progress.release()
