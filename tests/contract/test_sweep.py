"""The sweep on the tables: what was missed, lost, wiped, written back or corrected is found, and erased."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.due_table import DueTable
from shared.facts import FactKind, Facts
from shared.finding import SEGMENTS, Cursor, Scanned, scanned_tables
from shared.found import Found
from shared.policy import Policy
from shared.record import RecordRef
from shared.retention import GRACE
from shared.sweep import SweepReport
from shared.sweep_progress import SweepTable
from shared.sweep_state import PartProgress, Sweep
from shared.tally import Count
from tests.builders import (
    LONG_AGO,
    NOW,
    PERSONAL,
    contact,
    contact_ref,
    delivery_rule,
    left,
    mark_outdated,
    opened,
    policy,
    requested,
    rules_from,
    shipment,
    shipment_ref,
    shipped,
    to_wire_text,
)
from tests.contract.conftest import MakeWorld
from tests.memory import MemoryProgress
from tests.worlds import AwsBusiness, MemoryBusiness, TableSpec, World

DAY = timedelta(days=1)
RETAIN = 90 * DAY
POLICY = policy()
ERASED = {"contact_number": None, "email": None}


def swept(world: World, by: Policy = POLICY) -> dict[str, int]:
    """Sweep to the end; what was found, by rule and kind."""
    report = world.sweep(by)
    report.raise_failures()
    assert report.sweep is not None
    assert report.sweep.finished is not None
    return found_in(report)


def found_in(report: SweepReport) -> dict[str, int]:
    assert report.sweep is not None
    return {
        f"{rule}: {found.value}": number for (rule, found), number in report.sweep.counts.items() if number
    }


def purge(world: World, by: Policy = POLICY) -> None:
    world.purge(by).raise_failures()


def lose_due_table(world: World) -> None:
    """Somebody emptied the Due table: timers, leases, the sweep's progress."""
    if isinstance(world.business, MemoryBusiness):
        memory = world.business.memory
        memory.timers, memory.leases, memory.parts, memory.sweep = {}, {}, {}, None
        return
    assert isinstance(world.timers, DueTable)
    client, table = world.timers._client, world.timers._table
    for row in client.scan(TableName=table)["Items"]:
        client.delete_item(TableName=table, Key={"shard": row["shard"], "sk": row["sk"]})


def test_events_that_never_came(world: World) -> None:
    """Shipped long ago, and nobody said so: found, erased, and gone for the next sweep."""
    for name in ("S-1", "S-2", "S-3"):
        world.business.put(shipment_ref(name), shipment(name))
    world.business.put(shipment_ref("S-new"), shipment("S-new", shipped_at={"S": to_wire_text(NOW)}))
    assert swept(world) == {
        "delivery-contact: overdue": 3,
        "delivery-contact: waiting": 1,
        "delivery-contact: without_timer": 3,
    }
    assert world.business.minutes() == [NOW + timedelta(minutes=1)]
    purge(world)
    assert world.business.get(shipment_ref("S-1")) == shipment("S-1", **ERASED)
    assert [outcome for _, outcome, _ in world.outcomes()] == ["erased"] * 3
    assert swept(world) == {"delivery-contact: waiting": 1}
    assert world.standing() == []


def test_timers_that_stand_are_not_written_again(world: World) -> None:
    """A purge that is removing them would have to leave them standing."""
    world.business.put(shipment_ref(), shipment())
    world.take(shipped(), POLICY)
    stamps = [timer.stamp for timer in world.standing()]
    assert swept(world) == {"delivery-contact: overdue": 1}
    assert [timer.stamp for timer in world.standing()] == stamps


def test_the_due_table_is_emptied(world: World) -> None:
    """One sweep, which begins at once, rebuilds what is due before the next one."""
    soon = {"shipped_at": {"S": to_wire_text(NOW - RETAIN + DAY)}}
    world.business.put(shipment_ref("S-due"), shipment("S-due"))
    world.business.put(shipment_ref("S-soon"), shipment("S-soon", **soon))
    world.business.put(contact_ref(), contact())
    world.take(left(), POLICY)
    world.take(requested(shipment_ref("S-none"), requested_at=LONG_AGO), POLICY)
    swept(world)
    timers = world.standing()
    assert {timer.rule for timer in timers} == {"delivery-contact", "leaver-contact", "delivery-erasure"}
    lose_due_table(world)
    assert world.standing() == []
    world.now += timedelta(minutes=5)
    report = world.sweep(POLICY, by_hand=False)
    assert found_in(report)["delivery-contact: without_timer"] == 2
    assert world.standing() == timers


def test_fields_written_back_are_erased_again_and_reported(world: World) -> None:
    """The order system's cached copy brought them back; a flag `done` would have hidden them."""
    world.business.put(shipment_ref(), shipment())
    world.take(shipped(), POLICY)
    purge(world)
    world.business.put(shipment_ref(), shipment())
    assert swept(world) == {
        "delivery-contact: overdue": 1,
        "delivery-contact: re_added": 1,
        "delivery-contact: without_timer": 1,
    }
    purge(world)
    assert world.business.get(shipment_ref()) == shipment(**ERASED)
    assert [outcome for _, outcome, _ in world.outcomes()] == ["erased", "erased"]


def test_an_erasure_before_the_due_instant_is_no_reason(world: World) -> None:
    """After an erasure the clock was started anew, and ran out again: those fields were right until then."""
    world.business.put(shipment_ref(), shipment())
    world.take(shipped(), POLICY)
    purge(world)
    world.business.put(shipment_ref(), shipment(shipped_at={"S": to_wire_text(NOW)}))
    world.now += RETAIN + GRACE
    assert swept(world) == {"delivery-contact: overdue": 1, "delivery-contact: without_timer": 1}


def test_a_hold_mark_wiped_by_a_whole_item_put(world: World) -> None:
    """The record is held all the same, and its mark comes back by the event that the sweep sends."""
    world.business.put(shipment_ref(), shipment())
    world.take(opened(), POLICY)
    marked = world.business.get(shipment_ref())
    world.business.put(shipment_ref(), shipment())
    assert swept(world) == {"delivery-contact: held": 1}
    assert world.business.get(shipment_ref()) == shipment()
    (event,) = [event for event in world.business.news() if event[0] == "HoldMarkOutdated"]
    assert event[1] == {"v": 1, "record": shipment_ref().text}
    world.take(mark_outdated(RecordRef.of(event[1]["record"])), POLICY)
    assert world.business.get(shipment_ref()) == marked


@pytest.mark.parametrize(
    ("corrected", "erased_at"),
    [(LONG_AGO - 20 * DAY, NOW), (LONG_AGO + 20 * DAY, LONG_AGO + 20 * DAY + RETAIN)],
    ids=["earlier", "later"],
)
def test_a_corrected_anchor(world: World, corrected: Any, erased_at: Any) -> None:
    """Of an earlier one the sweep learns; of a later one the purge, when the old timer comes."""
    at = LONG_AGO + RETAIN - 20 * DAY
    world.now = at
    world.business.put(shipment_ref(), shipment())
    world.take(shipped(), POLICY)
    world.business.put(shipment_ref(), shipment(shipped_at={"S": to_wire_text(corrected)}))
    world.now = at + timedelta(minutes=1)
    swept(world)
    purge(world)
    early = corrected < LONG_AGO
    assert ("email" not in (world.business.get(shipment_ref()) or {})) == early
    world.now = max(NOW, erased_at - DAY)
    swept(world)
    purge(world)
    assert ("email" not in (world.business.get(shipment_ref()) or {})) == early
    world.now = erased_at + timedelta(minutes=1)
    purge(world)
    assert "email" not in (world.business.get(shipment_ref()) or {})


def test_a_shorter_period(world: World) -> None:
    """Sixty days instead of ninety: the next run sweeps at once, though today's sweep is through."""
    aged = {"shipped_at": {"S": to_wire_text(NOW - 70 * DAY)}}
    world.business.put(shipment_ref(), shipment(**aged))
    assert swept(world) == {"delivery-contact: waiting": 1}
    assert world.standing() == []
    sixty = policy(delivery_rule(retain=60 * DAY), *POLICY.rules[1:], digest="sixty")
    world.now += timedelta(minutes=5)
    assert found_in(world.sweep(sixty, by_hand=False)) == {
        "delivery-contact: overdue": 1,
        "delivery-contact: without_timer": 1,
    }
    assert [timer.at for timer in world.standing()] == [NOW - 10 * DAY]
    purge(world, sixty)
    assert world.business.get(shipment_ref()) == shipment(**ERASED, **aged)


def test_leavers_are_found_by_facts(world: World) -> None:
    """Of all contacts only those that left are looked at; who never did is not even read."""
    for number in range(5):
        world.business.put(contact_ref(f"C-{number}"), contact(f"C-{number}"))
    world.take(left("C-1"), POLICY)
    world.take(left("C-2", NOW), POLICY)
    lose_due_table(world)
    assert swept(world) == {
        "leaver-contact: overdue": 1,
        "leaver-contact: waiting": 1,
        "leaver-contact: without_timer": 1,
    }
    assert [timer.record for timer in world.standing()] == [contact_ref("C-1")]
    purge(world)
    assert swept(world) == {"leaver-contact: waiting": 1}


def test_facts_of_no_more_use_are_forgotten(world: World) -> None:
    """Their record is gone, and evidence of it, too; a version that is not as read stays."""
    old = NOW - POLICY.ledger_retain - DAY
    world.tell(contact_ref("C-gone"), FactKind.LEFT, old)
    world.tell(contact_ref("C-told"), FactKind.LEFT, old)
    world.business.put(contact_ref("C-here"), contact("C-here"))
    world.tell(contact_ref("C-here"), FactKind.LEFT, old)
    read = world.told(contact_ref("C-told"))
    assert read is not None
    world.tell(contact_ref("C-told"), FactKind.LEFT, NOW)
    world.facts.forget(contact_ref("C-told"), read)
    swept(world)
    assert world.told(contact_ref("C-gone")) is None
    assert world.told(contact_ref("C-told")) is not None
    assert world.told(contact_ref("C-here")) is not None
    world.facts.forget(contact_ref("C-gone"), Facts())


def pages_of(world: World, of: Scanned) -> tuple[list[dict[str, Any]], Counter[int], int]:
    """All that scans return, how many items each segment went through, and in how many pages."""
    items: list[dict[str, Any]] = []
    through: Counter[int] = Counter()
    pages = 0
    for segment in range(SEGMENTS):
        cursor: Cursor | None = None
        while True:
            page = world.records.scan(of, segment, cursor)
            items += [dict(item) for item in page.items.values()]
            through[segment] += page.scanned
            pages += 1
            assert pages < 100
            cursor = page.following
            if cursor is None:
                break
    return items, through, pages


def test_scans_see_each_record_once_and_no_personal_value(world: World) -> None:
    """Segments share a table among them, and return key, match, anchor and mark of who has such fields."""
    for number in range(20):
        name = f"S-{number}"
        hold = {"legal_hold": {"M": {"until": {"S": to_wire_text(NOW)}}}}
        without = ERASED if number % 2 else {}
        world.business.put(shipment_ref(name), shipment(name, **hold, **without))
    items, through, _ = pages_of(world, scanned_tables(POLICY)[0])
    assert sorted(item["shipment_id"]["S"] for item in items) == sorted(f"S-{n}" for n in range(0, 20, 2))
    assert {name for item in items for name in item} == {
        "shipment_id",
        "drop_ship",
        "shipped_at",
        "legal_hold",
    }
    assert sum(through.values()) == 20
    assert len(through) == SEGMENTS
    if isinstance(world.business, MemoryBusiness):
        assert world.records.about_how_many("Shipments") == 20


def test_scans_go_on_behind_the_last_page(world: World) -> None:
    """A page ends at 1 MB, whatever of it the filter lets through; the next begins where it ended."""
    for number in range(20):
        large = {"notes": {"S": "x" * 300_000}}
        world.business.put(shipment_ref(f"S-{number}"), shipment(f"S-{number}", **large))
    items, through, pages = pages_of(world, scanned_tables(POLICY)[0])
    assert sorted(item["shipment_id"]["S"] for item in items) == sorted(f"S-{n}" for n in range(20))
    assert sum(through.values()) == 20
    assert pages > SEGMENTS


def test_scans_of_nested_fields_and_composite_keys(make_world: MakeWorld) -> None:
    """Reserved words, maps, numeric keys: what a look can read, a scan can."""
    by = rules_from(
        """
        [[rules]]
        id = "nested"
        clause = "1"
        table = "Main"
        key = { pk = "ORDER#{order_id}", sk = { N = "{parcel}" } }
        match = { order = { kind = "drop-ship" } }
        trigger = "shipment"
        anchor = { attribute = ["status", "at"] }
        anchor_format = "epoch-seconds"
        anchor_merge = "latest"
        retain = "P90D"
        counting = "elapsed"
        erase = [["to", "email"], ["to", "phone"]]
        mode = "enforce"
        """
    )
    world = make_world([TableSpec("Main", {"pk": "S", "sk": "N"})])
    at = str(int(LONG_AGO.timestamp()))
    for number, to in enumerate(({"email": PERSONAL["email"]}, {"name": {"S": "Jo Example"}}, None)):
        key = {"pk": {"S": "ORDER#1"}, "sk": {"N": str(number)}}
        item = {**key, "order": {"M": {"kind": {"S": "drop-ship"}}}, "status": {"M": {"at": {"N": at}}}}
        world.business.put(RecordRef("Main", key), {**item, **({"to": {"M": to}} if to else {})})
    items, _, _ = pages_of(world, scanned_tables(by)[0])
    assert [item["sk"] for item in items] == [{"N": "0"}]
    assert "canary" not in str(items)
    assert swept(world, by) == {"nested: overdue": 1, "nested: without_timer": 1}
    purge(world, by)
    record = RecordRef("Main", {"pk": {"S": "ORDER#1"}, "sk": {"N": "0"}})
    assert (world.business.get(record) or {})["to"] == {"M": {}}


IN_ROWS = pytest.mark.parametrize("make_world", ["moto", "local stack"], indirect=True)
"""In memory there are no rows that could be broken."""
SWEEP = Sweep(NOW, "digest", last_finished=LONG_AGO)
COUNTS = Counter({("rule", Found.OVERDUE): 3, ("other", Found.RE_ADDED): 1})


def test_progress_comes_back_as_it_was_kept(world: World) -> None:
    """The last sweep, and its parts; those of an earlier sweep are none."""
    progress = world.progress
    assert progress.read() is None
    progress.begin(SWEEP)
    assert progress.read() == SWEEP
    assert progress.read_parts(SWEEP) == {}
    parts = {
        "Shipments/0": PartProgress({"shipment_id": {"S": "S-1"}}, done=False, scanned=7, counts=COUNTS),
        "#facts/3": PartProgress(None, done=True, scanned=0),
    }
    for name, part in parts.items():
        progress.write_part(SWEEP, name, part)
    assert progress.read_parts(SWEEP) == parts
    again = replace(SWEEP, began=NOW + DAY, last_finished=None)
    progress.begin(again)
    assert progress.read_parts(again) == {}
    progress.write_part(again, "Shipments/0", PartProgress(None))
    assert progress.read_parts(again) == {"Shipments/0": PartProgress(None)}


def test_only_the_last_sweep_can_be_finished(world: World) -> None:
    """One that another took the place of, or that was lost, ends in nothing."""
    progress, done = world.progress, replace(SWEEP, finished=NOW + DAY, counts=COUNTS)
    assert not progress.finish(done)
    assert progress.read() is None
    progress.begin(SWEEP)
    assert progress.finish(done)
    assert progress.finish(done)
    assert progress.read() == done
    later = replace(SWEEP, began=NOW + DAY)
    progress.begin(later)
    assert not progress.finish(done)
    assert progress.read() == later


def another(progress: object) -> MemoryProgress | SweepTable:
    """The same progress in the hands of another run."""
    if isinstance(progress, SweepTable):
        return SweepTable(progress._client, progress._table)
    assert isinstance(progress, MemoryProgress)
    return MemoryProgress(progress.memory, holder="another")


def test_a_sweep_is_leased_to_one_run(world: World) -> None:
    """Until it gives it back, or does not renew it; and no shard's lease is in its way."""
    ours, theirs = world.progress, another(world.progress)
    assert world.timers.lease(0, NOW, NOW + DAY)
    assert ours.lease(NOW, NOW + DAY)
    assert ours.lease(NOW, NOW + 2 * DAY)
    assert not theirs.lease(NOW + DAY, NOW + 3 * DAY)
    theirs.release()
    assert not theirs.lease(NOW + DAY, NOW + 3 * DAY)
    ours.release()
    assert theirs.lease(NOW + DAY, NOW + 3 * DAY)
    assert ours.lease(NOW + 3 * DAY + timedelta(seconds=1), NOW + 4 * DAY)


@IN_ROWS
@pytest.mark.parametrize(
    "row",
    [{"v": {"N": "2"}}, {"sweep": {"S": "{"}}, {"sweep": {"S": "{}"}}, {"began": {"S": "now"}}, {"v": None}],
)
def test_progress_that_cannot_be_read_is_none(world: World, row: dict[str, Any]) -> None:
    """Of another version of Lapse, or broken: a sweep can do without, and begins anew."""
    assert isinstance(world.progress, SweepTable)
    world.progress.begin(SWEEP)
    world.progress.write_part(SWEEP, "Shipments/0", PartProgress(None, done=True))
    client, table = world.progress._client, world.progress._table
    for name in ("whole", "Shipments/0"):
        key = {"shard": {"S": "sweep"}, "sk": {"S": name}}
        changed = {**client.get_item(TableName=table, Key=key)["Item"], **row}
        client.put_item(TableName=table, Item={name: value for name, value in changed.items() if value})
    assert world.progress.read() is None
    assert world.progress.read_parts(SWEEP) == {}
    swept(world)
    assert world.progress.read() is not None


@IN_ROWS
def test_rows_of_facts_that_cannot_be_read(world: World) -> None:
    """A pause is none of them; what somebody broke is counted, and the others are swept."""
    assert isinstance(world.business, AwsBusiness)
    world.business.put(contact_ref(), contact())
    world.take(left(), POLICY)
    world.pause(NOW + DAY, POLICY)
    lose_due_table(world)
    client, table = world.business.dynamodb, world.business.facts_table
    for text in ("Contacts#{}", "Contacts#5", "Contacts#", "#", 'Contacts#{"contact_id":{"S":"C-8"}}'):
        client.put_item(TableName=table, Item={"record": {"S": text}, "v": {"N": "1"}, "left": {"S": "x"}})
    report = world.sweep(POLICY)
    assert report.failures == ()
    assert report.tally.counts[Count.UNREADABLE] == 5
    assert [timer.record for timer in world.standing()] == [contact_ref()]
