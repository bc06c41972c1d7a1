"""Adapters that make several calls of AWS: wherever that is cut off, doing it again ends the same."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shared.business_tables import BusinessTables
from shared.config import policy_text
from shared.due_table import DueTable
from shared.failure import CallFailedError
from shared.look import look_at
from shared.policy_archive import PolicyArchive
from shared.timer import Timer
from tests.builders import LONG_AGO, NOW, delivery_rule, shipment, shipment_ref
from tests.machine.clients import Client, Trouble, Troubles, When
from tests.misbehaving import Crash
from tests.worlds import AwsBusiness, World, aws_world

RULE = delivery_rule(erase=(("email",), ("contact_number",), ("gate", "code")))
TIMERS = [Timer(shipment_ref(f"S-{number}"), RULE.id, LONG_AGO, LONG_AGO) for number in range(30)]
CUTS = (Trouble.CRASH_BEFORE, Trouble.CRASH_AFTER, Trouble.LOST_ANSWER)
MOST_CALLS = 12

type Act = Callable[[World, Any], object]


@cache
def session() -> boto3.Session:
    """One for all, since each would read the services' models anew."""
    return boto3.Session("test", "test", region_name="eu-west-1")


def amazon(world: World) -> AwsBusiness:
    assert isinstance(world.business, AwsBusiness)
    return world.business


def publish(world: World, client: Any) -> None:
    PolicyArchive(client, amazon(world).ledger_table).publish(policy_text(), NOW)


def erase(world: World, client: Any) -> None:
    tables = BusinessTables(client, amazon(world).tables, amazon(world).facts_table)
    view = look_at([(RULE, shipment_ref())], world.records, world.facts)[shipment_ref()]
    tables.erase(RULE, shipment_ref(), view)


def put_timers(world: World, client: Any) -> None:
    DueTable(client, amazon(world).due_table).put(TIMERS)


def remove_timers(world: World, client: Any) -> None:
    DueTable(client, amazon(world).due_table).remove(world.standing())


ACTS: dict[str, tuple[Act, Act]] = {
    "publish": (lambda *_: None, publish),
    "erase": (lambda world, _: world.business.put(shipment_ref(), shipment()), erase),
    "put timers": (lambda *_: None, put_timers),
    "remove timers": (put_timers, remove_timers),
}


def rows(world: World) -> list[dict[str, Any]]:
    """All items of all tables, without stamps."""
    client, business = amazon(world).dynamodb, amazon(world)
    tables = [*business.tables.values(), business.due_table, business.ledger_table]
    items = [item for table in tables for item in client.scan(TableName=table)["Items"]]
    return sorted(({k: v for k, v in item.items() if k != "stamp"} for item in items), key=repr)


def ended(name: str, at: Mapping[When, Trouble]) -> tuple[list[dict[str, Any]], int]:
    """The rows after the act, cut off or not, and its repetition; and how many calls it made."""
    prepare, act = ACTS[name]
    with mock_aws():
        plain, troubles = session().client("dynamodb"), Troubles()
        world = aws_world(plain, session().client("scheduler"))
        prepare(world, plain)
        troubles.begin(at)
        with suppress(Crash, CallFailedError):
            act(world, Client(plain, troubles))
        calls = troubles.calls.total()
        act(world, plain)
        return rows(world), calls


@pytest.mark.parametrize("trouble", CUTS)
@pytest.mark.parametrize("name", ACTS)
def test_done_again_it_ends_the_same(name: str, trouble: Trouble) -> None:
    """At each of its calls, before and after."""
    undisturbed, calls = ended(name, {})
    assert 2 <= calls <= MOST_CALLS
    for number in range(calls):
        assert ended(name, {number: trouble})[0] == undisturbed
