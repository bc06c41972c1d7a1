"""Two purges and a sweep at once, each with its own connections and workers, on the local stack."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from lapse.stack import Stack
from shared.ledger import verify
from shared.ledger_index import LedgerReader, partition
from shared.record import SHARDS
from shared.tally import Count
from shared.timer import Timer
from tests.builders import LONG_AGO, NOW, PERSONAL, policy, shipment_ref, to_wire_text
from tests.worlds import AwsBusiness, World, another, aws_world

RECORDS, WITHOUT_TIMER = 2000, 200
POLICY = policy()


def fill(world: World) -> None:
    """2,000 shipments that are due, of which 200 have no timer, and 100 that are not due, with theirs."""
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
    world.timers.put(timers[WITHOUT_TIMER:])


def test_two_purges_and_a_sweep_at_once(local_stack: Stack) -> None:
    """Each due record is erased once and has one entry that says so; none early, none left; chains verify."""
    clients = local_stack.clients
    world = aws_world(clients.dynamodb, clients.scheduler)
    fill(world)
    with ThreadPoolExecutor(3) as runs, ThreadPoolExecutor(8) as ones, ThreadPoolExecutor(8) as others:
        both = [replace(world, side_by_side=ones.map), replace(another(world), side_by_side=others.map)]
        swept = runs.submit(another(world).sweep, POLICY)
        reports = list(runs.map(lambda each: each.purge(POLICY), both))
        sweep = swept.result()
    reports.append(world.purge(POLICY))
    for report in (*reports, sweep):
        report.raise_failures()
    assert sum(report.tally.counts[Count.ERASED] for report in reports) == RECORDS
    assert sweep.sweep is not None
    assert sweep.sweep.finished is not None
    outcomes = Counter((record, outcome) for record, outcome, _ in world.outcomes())
    erased = {record: number for (record, outcome), number in outcomes.items() if outcome == "erased"}
    assert erased == dict.fromkeys((shipment_ref(f"S-{n}").text for n in range(RECORDS)), 1)
    # What the sweep saw just before it was erased got a timer again, which then found the fields absent.
    assert {outcome for _, outcome in outcomes} <= {"erased", "already_absent"}
    assert isinstance(world.business, AwsBusiness)
    pages = clients.dynamodb.get_paginator("scan").paginate(TableName=world.business.tables["Shipments"])
    with_fields = sorted(i["shipment_id"]["S"] for page in pages for i in page["Items"] if "email" in i)
    assert with_fields == sorted(f"S-{number}" for number in range(RECORDS, RECORDS + 100))
    assert len(world.standing()) == 100
    reader = LedgerReader(clients.dynamodb, world.business.ledger_table)
    assert [each for n in range(SHARDS) for each in verify(partition(n), reader.batches(n))] == []
