"""Two purges at once, each with its own connections and workers, on the local stack."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from lapse.stack import Stack
from shared.business_tables import BusinessTables
from shared.due_table import DueTable
from shared.ledger_table import LedgerTable
from shared.tally import Count
from shared.timer import Timer
from tests.builders import LONG_AGO, NOW, PERSONAL, policy, shipment_ref, to_wire_text
from tests.worlds import AwsBusiness, World, aws_world

RECORDS = 2000
POLICY = policy()


def another(world: World) -> World:
    """The same tables in the hands of another function."""
    records, timers, ledger = world.records, world.timers, world.ledger
    assert isinstance(records, BusinessTables)
    assert isinstance(timers, DueTable)
    assert isinstance(ledger, LedgerTable)
    return replace(
        world,
        timers=DueTable(timers._client, timers._table),
        ledger=LedgerTable(ledger._client, ledger._table),
    )


def fill(world: World) -> None:
    """2,000 shipments that are due, and 100 that are not, with their timers."""
    business, timers = world.business, []
    assert isinstance(business, AwsBusiness)
    writes = []
    for number in range(RECORDS + 100):
        shipped_at = LONG_AGO if number < RECORDS else NOW
        record = shipment_ref(f"S-{number}")
        item = {**record.key, "drop_ship": {"BOOL": True}, "shipped_at": {"S": to_wire_text(shipped_at)}}
        writes.append({"PutRequest": {"Item": {**item, **PERSONAL}}})
        due = shipped_at + timedelta(days=90)
        timers.append(Timer(record, "delivery-contact", at=min(due, NOW), due=due))
    for start in range(0, len(writes), 25):
        some = writes[start : start + 25]
        business.dynamodb.batch_write_item(RequestItems={business.tables["Shipments"]: some})  # type: ignore[dict-item]
    world.timers.put(timers)


def test_two_purges_at_once(local_stack: Stack) -> None:
    """Each due record is erased once and has one entry; none early, none left, no lease in the way."""
    clients = local_stack.clients
    world = aws_world(clients.dynamodb, clients.scheduler)
    fill(world)
    with ThreadPoolExecutor(2) as runs, ThreadPoolExecutor(8) as ones, ThreadPoolExecutor(8) as others:
        both = [replace(world, side_by_side=ones.map), replace(another(world), side_by_side=others.map)]
        reports = list(runs.map(lambda each: each.purge(POLICY), both))
    assert sum(report.tally.counts[Count.ERASED] for report in reports) == RECORDS
    outcomes = [(record, outcome) for record, outcome, _ in world.outcomes()]
    assert sorted(outcomes) == sorted((shipment_ref(f"S-{n}").text, "erased") for n in range(RECORDS))
    assert isinstance(world.business, AwsBusiness)
    pages = clients.dynamodb.get_paginator("scan").paginate(TableName=world.business.tables["Shipments"])
    with_fields = sorted(i["shipment_id"]["S"] for page in pages for i in page["Items"] if "email" in i)
    assert with_fields == sorted(f"S-{number}" for number in range(RECORDS, RECORDS + 100))
    assert len(world.standing()) == 100
