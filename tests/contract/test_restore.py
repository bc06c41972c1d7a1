"""A copy of a table made before holds and erasures, treated as a restored backup, by commands."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.facts import Closing, FactKind, Facts, Hold
from shared.facts_rebuilding import FactsToRebuildTable
from shared.failure import CallFailedError
from shared.hold_records import place_hold, release_hold
from shared.instants import to_text
from shared.ledger_index import partition
from shared.record import RecordRef
from tests.builders import (
    NOW,
    contact,
    contact_ref,
    event,
    left,
    policy,
    returned,
    shipment,
    shipment_ref,
    to_wire_text,
)
from tests.typed import typed
from tests.worlds import AwsBusiness, World, make_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.parametrize("make_world", ["moto", "local stack"], indirect=True)

DAY = timedelta(days=1)
POLICY = policy()
WRITES = {
    *("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"),
    *("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"),
}
type Rows = list[dict[str, Any]]


def business_of(world: World) -> AwsBusiness:
    assert isinstance(world.business, AwsBusiness)
    return world.business


def rows_of(dynamodb: "DynamoDBClient", table: str) -> Rows:
    rows = dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
    return sorted((dict(row) for row in rows), key=lambda row: json.dumps(row, sort_keys=True))


def live(world: World, table: str) -> Rows:
    return rows_of(business_of(world).dynamodb, business_of(world).tables[table])


def restored(world: World, table: str, backup: Rows) -> str:
    """A table of another name, with the items of a backup; its name."""
    business = business_of(world)
    name = f"{business.tables[table]}-restored"
    make_table(business.dynamodb, name, {f"{table.lower()[:-1]}_id": "S"})
    for item in backup:
        business.dynamodb.put_item(TableName=name, Item=item)
    return name


@contextmanager
def only_reading(world: World) -> Iterator[None]:
    """Whoever writes meanwhile fails."""

    def refuse(model: Any, **_: Any) -> None:
        assert model.name not in WRITES, f"{model.name} changes something"

    events = business_of(world).dynamodb.meta.events
    events.register("before-call.dynamodb", refuse)
    try:
        yield
    finally:
        events.unregister("before-call.dynamodb", refuse)


def held(world: World, record: RecordRef, until: datetime) -> None:
    hold = Hold("fraud", "CASE-1", "staff-1", world.now - DAY, until)
    place_hold(record, hold, world.telling(POLICY), world.for_holds)


def released(world: World, record: RecordRef) -> None:
    closing = Closing("CASE-1", "staff-2", world.now)
    release_hold(record, closing, world.telling(POLICY), world.for_holds)


def erasing(world: World, record: RecordRef) -> None:
    detail = {
        "request_id": "R-1",
        "requested_at": to_wire_text(world.now - DAY),
        "approved_by": "staff-3",
        "records": [{"table": record.table, "key": {name: value["S"] for name, value in record.key.items()}}],
    }
    world.take({**event("ErasureRequested", detail), "source": "lapse.requests"}, POLICY)


def purged(world: World) -> None:
    world.sweep(POLICY).raise_failures()
    world.purge(POLICY).raise_failures()


def with_shipments(world: World) -> None:
    """Shipments of which each meets something else."""
    ages = {"S-due": 100, "S-held": 100, "S-closed": 100, "S-asked": 10, "S-later": 80, "S-young": 10}
    for name, age in ages.items():
        at = {"S": to_wire_text(NOW - age * DAY)}
        world.business.put(shipment_ref(name), shipment(name, shipped_at=at))
    held(world, shipment_ref("S-closed"), NOW + 30 * DAY)


def go_on(world: World) -> None:
    """What happens after the backup was made."""
    held(world, shipment_ref("S-held"), NOW + 30 * DAY)
    released(world, shipment_ref("S-closed"))
    erasing(world, shipment_ref("S-asked"))
    purged(world)
    world.now += 11 * DAY
    purged(world)


def test_check_fails_then_replay_then_check_passes(world: World) -> None:
    """The restored table comes to where the live one is, and nothing else is touched; all is evidence."""
    with_shipments(world)
    backup = live(world, "Shipments")
    go_on(world)
    name = restored(world, "Shipments", backup)
    there, news = live(world, "Shipments"), list(world.business.news())
    timers, facts = world.standing(), rows_of(business_of(world).dynamodb, business_of(world).facts_table)
    with only_reading(world):
        found = typed(world, "restore", "check", "Shipments", "--as", name, "--json")
    assert (found.code, found.json["passed"]) == (1, False)
    assert found.json["counts"] == {
        "overdue": 3,  # S-due, S-later, and S-asked by the rule for requests
        "due": 0,
        "erased_is_back": 0,
        "hold_unmarked": 1,
        "mark_outdated": 1,
        "unreadable": 0,
    }
    replayed = typed(world, "restore", "replay", "Shipments", "--as", name, "--json")
    assert (replayed.code, replayed.json["through"], replayed.json["marks"]) == (0, True, 2)
    assert rows_of(business_of(world).dynamodb, name) == there
    with only_reading(world):
        passed = typed(world, "restore", "check", "Shipments", "--as", name)
    assert (passed.code, passed.out.split()[1:4]) == (0, ["may", "be", "used"])
    assert live(world, "Shipments") == there
    assert list(world.business.news()) == news
    assert world.standing() == timers
    assert rows_of(business_of(world).dynamodb, business_of(world).facts_table) == facts
    causes = {entry["cause"] for entry in world.business.entries() if entry["outcome"] == "erased"}
    assert causes == {"manual", "restore"}
    assert "canary" not in found.out + found.err + replayed.out + replayed.err + passed.out


def test_what_is_wrong_and_what_is_done_as_lists(world: World) -> None:
    """As many faults as are to be named; the others, the verdict and the way on stand beside the list."""
    with_shipments(world)
    backup = live(world, "Shipments")
    go_on(world)
    name = restored(world, "Shipments", backup)
    options = ("Shipments", "--as", name, "--csv")
    found = typed(world, "restore", "check", *options, "--show", "1")
    rows = list(csv.DictReader(io.StringIO(found.out)))
    assert (found.code, [row["what"] for row in rows]) == (1, ["hold_unmarked", "mark_outdated", "overdue"])
    assert rows[0] == {
        "what": "hold_unmarked",
        "table": "Shipments",
        "key": "shipment_id=S-held",
        "rule": "",
        "why": "",
    }
    assert found.err.splitlines() == [
        "overdue: 2 more, which are not in the list (--show).",
        f"{name} may NOT be used as Shipments yet.",
        "Run `lapse restore replay`: it erases what is due, and puts the marks right.",
    ]
    replayed = typed(world, "restore", "replay", *options)
    assert replayed.out.splitlines()[:3] == ["done,records", "hold marks put right,2", "erased,4"]
    assert replayed.err == f"Through. Now: lapse restore check Shipments --as {name}\n"
    passed = typed(world, "restore", "check", *options)
    assert (passed.code, passed.out) == (0, "what,table,key,rule,why\n")
    assert passed.err.startswith(f"{name} may be used as Shipments")


def test_a_second_replay_finds_nothing(world: World) -> None:
    """It may be run as often as one likes."""
    with_shipments(world)
    backup = live(world, "Shipments")
    go_on(world)
    name = restored(world, "Shipments", backup)
    typed(world, "restore", "replay", "Shipments", "--as", name)
    entries = world.business.entries()
    again = typed(world, "restore", "replay", "Shipments", "--as", name, "--json")
    assert (again.code, again.json["marks"], again.json["counts"]["erased"]) == (0, 0, 0)
    assert world.business.entries() == entries


def test_a_backup_from_before_the_anchor(world: World) -> None:
    """The check names the record, why it is not due, and what is to be done; once that is done, it passes."""
    with_shipments(world)
    backup = live(world, "Shipments")
    go_on(world)
    (due,) = [item for item in backup if item["shipment_id"] == {"S": "S-due"}]
    del due["shipped_at"]
    name = restored(world, "Shipments", backup)
    typed(world, "restore", "replay", "Shipments", "--as", name)
    found = typed(world, "restore", "check", "Shipments", "--as", name, "--json")
    assert found.code == 1
    assert found.json["faults"] == [
        {
            "what": "erased_is_back",
            "table": "Shipments",
            "key": {"shipment_id": "S-due"},
            "rule": "delivery-contact",
            "why": "no_anchor",
        }
    ]
    said = " ".join(typed(world, "restore", "check", "Shipments", "--as", name).out.split())
    assert "Shipments S-due erased before, and back delivery-contact no anchor" in said
    assert "give it the one that the business system knows (`shipped_at`), then replay" in said
    business_of(world).dynamodb.update_item(
        TableName=name,
        Key={"shipment_id": {"S": "S-due"}},
        UpdateExpression="SET shipped_at = :at",
        ExpressionAttributeValues={":at": {"S": to_wire_text(NOW - 100 * DAY)}},
    )
    assert typed(world, "restore", "replay", "Shipments", "--as", name).code == 0
    assert typed(world, "restore", "check", "Shipments", "--as", name).code == 0


def test_facts_were_lost_too(world: World) -> None:
    """They come back from the ledger; then the table is replayed, and both are as they were."""
    dynamodb, facts_table = business_of(world).dynamodb, business_of(world).facts_table
    for name in ("C-left", "C-back", "C-held", "C-stays"):
        world.business.put(contact_ref(name), contact(name))
    backup = live(world, "Contacts")
    for name in ("C-left", "C-back", "C-held"):
        world.take(left(name), POLICY)
    world.take(returned("C-back", NOW - DAY), POLICY)
    held(world, contact_ref("C-held"), NOW + 30 * DAY)
    purged(world)
    there, facts = live(world, "Contacts"), rows_of(dynamodb, facts_table)
    world.pause(NOW + DAY, POLICY)
    for row in rows_of(dynamodb, facts_table):
        dynamodb.delete_item(TableName=facts_table, Key={"record": row["record"]})
    name = restored(world, "Contacts", backup)
    found = typed(world, "restore", "check", "Contacts", "--as", name)
    assert found.code == 1
    assert "lapse restore facts" in found.out
    rebuilt = typed(world, "restore", "facts", "--json")
    pulled = {"by": "staff-4", "reason_code": "investigation", "until": to_text(NOW + DAY)}
    assert rebuilt.json == {"records": 3, "added": 3, "completed": 0, "unreadable": 0, "paused_again": pulled}
    assert typed(world, "restore", "facts", "--json").json["added"] == 0
    stopped = typed(world, "restore", "replay", "Contacts", "--as", name)
    assert stopped.code == 1
    assert "lapse resume" in stopped.out
    world.resume(POLICY)
    again = [{**row, "version": {"N": "0"}} for row in rows_of(dynamodb, facts_table)]
    assert again == [{**row, "version": {"N": "0"}} for row in facts]
    assert typed(world, "restore", "replay", "Contacts", "--as", name).code == 0
    assert typed(world, "restore", "check", "Contacts", "--as", name).code == 0
    assert rows_of(dynamodb, name) == there


def test_facts_of_an_older_backup_are_completed(world: World) -> None:
    """A row that lacks something is merged with what the ledger knows, and its version rises."""
    dynamodb, facts_table = business_of(world).dynamodb, business_of(world).facts_table
    before = world.tell(contact_ref(), FactKind.LEFT, NOW - 2 * DAY)
    old = rows_of(dynamodb, facts_table)
    after = world.tell(contact_ref(), FactKind.LEFT, NOW - DAY)
    dynamodb.put_item(TableName=facts_table, Item=old[0])
    assert typed(world, "restore", "facts", "--json").json["completed"] == 1
    told = world.told(contact_ref())
    assert told is not None
    assert (told.instants, told.version) == (after.instants, before.version + 1)
    with only_reading(world):
        assert typed(world, "restore", "facts", "--json").json["completed"] == 0


def test_a_ledger_that_cannot_be_read_whole(world: World) -> None:
    """The command says so, and ends with 1: what stood there is not in Facts. The rest is."""
    business = business_of(world)
    world.tell(contact_ref(), FactKind.LEFT, NOW)
    world.tell(contact_ref(), FactKind.LEFT, NOW - DAY)
    key = {"shard": {"S": partition(contact_ref().shard)}, "seq": {"N": "1"}}
    business.dynamodb.update_item(
        TableName=business.ledger_table,
        Key=key,
        UpdateExpression="SET body = :body",
        ExpressionAttributeValues={":body": {"S": "{"}},
    )
    business.dynamodb.delete_item(TableName=business.facts_table, Key={"record": {"S": contact_ref().text}})
    rebuilt = typed(world, "restore", "facts")
    assert rebuilt.code == 1
    assert "1 parts of the ledger cannot be read: see `lapse ledger verify`." in rebuilt.out
    told = world.told(contact_ref())
    assert told is not None
    assert told.of(FactKind.LEFT) == {NOW - DAY}


def test_rows_of_facts_are_put_only_as_they_were_seen(world: World) -> None:
    """One that is there already, or was changed since, stays; what else fails is a failure."""
    business = business_of(world)
    table = FactsToRebuildTable(business.dynamodb, business.facts_table)
    one, other = Facts(3).told(FactKind.LEFT, NOW), Facts(7).told(FactKind.LEFT, NOW - DAY)
    assert table.put(contact_ref(), None, one)
    assert not table.put(contact_ref(), None, other)
    assert not table.put(contact_ref(), other, other)
    assert world.told(contact_ref()) == one
    assert table.put(contact_ref(), one, other)
    assert world.told(contact_ref()) == other
    with pytest.raises(CallFailedError, match="ResourceNotFoundException"):
        FactsToRebuildTable(business.dynamodb, "no-such-table").put(contact_ref(), None, one)


def test_the_operator_is_asked_past_the_limit(world: World) -> None:
    """Declined, it stops; with --yes, nobody is asked."""
    limited = policy(max_erasures_per_run=2)
    with_shipments(world)
    name = restored(world, "Shipments", live(world, "Shipments"))
    world.now += 100 * DAY
    replay = ("restore", "replay", "Shipments", "--as", name)
    declined = typed(world, *replay, answers="n\n", policy=limited)
    assert declined.code == 1
    assert "A run may erase 2. Go on?" in declined.err
    assert "Stopped as you said." in declined.out
    assert all("email" in item for item in rows_of(business_of(world).dynamodb, name))
    assert typed(world, *replay, "--yes", policy=limited).code == 0
    assert typed(world, "restore", "check", "Shipments", "--as", name).code == 0


def test_what_is_not_the_restored_table_is_refused(world: World) -> None:
    """Its rules would be applied to other records: nothing is even looked at."""
    business = business_of(world)
    contacts = business.tables["Contacts"]
    make_table(business.dynamodb, f"{contacts}-numbers", {"shipment_id": "N"})
    for command in ("check", "replay"):
        for table, name, why in (
            ("Shipments", contacts, "another table of this stack"),
            ("Shipments", f"{contacts}-numbers", "another key than delivery-contact names"),
            ("Shipments", f"{contacts}-none", "no table of that name"),
            ("Parcels", contacts, "no such table"),
        ):
            refused = typed(world, "restore", command, table, "--as", name)
            assert refused.code == 1
            assert why in " ".join(refused.err.split())


def test_after_the_cut_over(world: World) -> None:
    """The restored table is the live one then, and can be checked as that."""
    with_shipments(world)
    go_on(world)
    name = business_of(world).tables["Shipments"]
    assert typed(world, "restore", "check", "Shipments", "--as", name).code == 0
