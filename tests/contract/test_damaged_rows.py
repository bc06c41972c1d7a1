"""Rows of the Due table that somebody damaged: passed over, told of aloud, and in nobody's way."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

import pytest

from shared.due_table import DueTable
from shared.instants import to_text
from shared.purge_shard import BATCH
from shared.retention import SKEW
from shared.tally import Count
from shared.timer import PUT_OFF_AT_MOST, Timer
from tests.builders import LONG_AGO, NOW, PERSONAL, policy, shipment_ref, to_wire_text
from tests.worlds import AwsBusiness, World

pytestmark = pytest.mark.parametrize("make_world", ["moto", "local stack"], indirect=True)

POLICY = policy()
SHARD = shipment_ref().shard
DUE = LONG_AGO + timedelta(days=90)
SECOND = timedelta(seconds=1)


def timer(name: str, at: datetime = DUE) -> Timer:
    return Timer(shipment_ref(name), "delivery-contact", at=at, due=at)


def names(number: int, start: str = "S") -> list[str]:
    """Shipments of one shard."""
    every = (f"{start}-{number}" for number in count())
    return list(islice((name for name in every if shipment_ref(name).shard == SHARD), number))


NAMES = names(10)


def amazon(world: World) -> AwsBusiness:
    assert isinstance(world.business, AwsBusiness)
    return world.business


def put_raw(world: World, sort_key: str, rest: Mapping[str, Any]) -> None:
    """A row in somebody else's hands."""
    row = {"shard": {"S": f"{SHARD:02}"}, "sk": {"S": sort_key}, **rest}
    amazon(world).dynamodb.put_item(TableName=amazon(world).due_table, Item=row)


def sound(name: str, at: datetime) -> dict[str, Any]:
    """All of a sound row but its key."""
    record = shipment_ref(name)
    return {
        "v": {"N": "1"},
        "table": {"S": record.table},
        "key": {"M": dict(record.key)},
        "rule": {"S": "delivery-contact"},
        "due": {"S": to_text(at)},
        "attempts": {"N": "0"},
        "stamp": {"S": "0" * 32},
    }


def without(name: str) -> Any:
    return lambda row: {each: value for each, value in row.items() if each != name}


def with_(**changes: Any) -> Any:
    return lambda row: {**row, **changes}


DAMAGES = {
    "nothing but its key": lambda _row: {"v": {"N": "2"}},
    **{f"no {name}": without(name) for name in ("table", "key", "rule", "due", "attempts", "stamp")},
    "a due instant that is none": with_(due={"S": "tomorrow"}),
    "attempts that are no number": with_(attempts={"S": "many"}),
    "attempts that are no whole number": with_(attempts={"N": "0.5"}),
    "a key that is text": with_(key={"S": "S-1"}),
    "a key in bytes": with_(key={"M": {"shipment_id": {"B": b"S-1"}}}),
    "a table that is a number": with_(table={"N": "1"}),
    "a rule that is not the sort key's": with_(rule={"S": "leaver-contact"}),
    "a rule that cannot be quoted": with_(rule={"S": "delivery'contact"}),
    "a stamp that cannot be quoted": with_(stamp={"S": "0' OR stamp <> '0"}),
    "another record's key": with_(key={"M": dict(shipment_ref(names(1)[0]).key)}),
}


def bad(world: World, at: datetime, number: int = 1, damage: Any = DAMAGES["nothing but its key"]) -> None:
    """Damaged rows, one after the other, all of one second."""
    for name in names(number, "bad"):
        put_raw(world, timer(name, at).sort_key, damage(sound(name, at)))


def fill(world: World, several: list[str], at: datetime = DUE) -> None:
    """Due shipments with their timers. Written at once: moto is slow."""
    rest = {"drop_ship": {"BOOL": True}, "shipped_at": {"S": to_wire_text(LONG_AGO)}, **PERSONAL}
    for name in several:
        world.business.put(shipment_ref(name), {**shipment_ref(name).key, **rest})
    world.timers.put([timer(name, at) for name in several])


def is_erased(world: World, name: str) -> bool:
    return "email" not in (world.business.get(shipment_ref(name)) or {"email": 1})


def rows(world: World) -> int:
    """All rows of the shard, readable or not."""
    answer = amazon(world).dynamodb.query(
        TableName=amazon(world).due_table,
        KeyConditionExpression="#shard = :shard",
        ExpressionAttributeNames={"#shard": "shard"},
        ExpressionAttributeValues={":shard": {"S": f"{SHARD:02}"}},
        Select="COUNT",
    )
    return answer["Count"]


def test_a_sound_row_in_anothers_shard(world: World) -> None:
    """It could not be removed from there, and would be worked for ever: it is as good as unreadable."""
    stray = next(name for name in (f"S-{n}" for n in range(99)) if shipment_ref(name).shard != SHARD)
    fill(world, names(1))
    put_raw(world, timer(stray).sort_key, sound(stray, DUE))
    assert world.purge(POLICY).failures == ("UnreadableTimer",)
    assert [record for record, _, _ in world.outcomes()] == [shipment_ref(names(1)[0]).text]


def test_a_row_whose_key_cannot_be_quoted(world: World) -> None:
    """It is whole, but no statement could remove it, nor the others of its batch with it."""
    fill(world, names(2))
    there = replace(timer(names(1, "bad")[0]), rule="delivery'contact")
    put_raw(
        world, there.sort_key, {**sound("", DUE), "rule": {"S": there.rule}, "key": {"M": there.record.key}}
    )
    report = world.purge(POLICY)
    assert (report.failures, report.tally.counts[Count.ERASED]) == (("UnreadableTimer",), 2)
    assert (world.standing(), rows(world)) == ([], 1)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_row_is_in_nobodys_way(world: World, damage: str) -> None:
    """Those before and behind it are worked; the run fails aloud, each time, until somebody mends the row."""
    before, behind = names(4)[:2], names(4)[2:]
    fill(world, before, DUE)
    bad(world, DUE + SECOND, damage=DAMAGES[damage])
    fill(world, behind, DUE + 2 * SECOND)
    for erased in (4, 0):
        report = world.purge(POLICY)
        assert report.failures == ("UnreadableTimer",)
        assert (report.tally.counts[Count.ERASED], report.shards_finished) == (erased, 16)
        world.now += timedelta(minutes=5)
    assert all(is_erased(world, name) for name in names(4))
    assert (len(world.outcomes()), rows(world)) == (4, 1)
    assert amazon(world).dynamodb.scan(TableName=amazon(world).ledger_table)["Count"] == 1 + 4


def test_damaged_rows_among_more_than_a_batch(world: World) -> None:
    """At the very front, within the first batch, at its end, at the very end: none costs a timer."""
    several = names(BATCH + 20)
    fill(world, several[: BATCH - 2], DUE)
    fill(world, several[BATCH - 2 :], DUE + 2 * SECOND)
    for at in (DUE - SECOND, DUE, DUE + SECOND, DUE + 3 * SECOND):
        bad(world, at, number=3)
    report = world.purge(POLICY)
    assert report.failures == ("UnreadableTimer",)
    assert report.tally.counts[Count.ERASED] == len(several)
    assert (world.standing(), rows(world)) == ([], 4 * 3)
    assert {(record, outcome) for record, outcome, _ in world.outcomes()} == {
        (shipment_ref(name).text, "erased") for name in several
    }


def test_more_damaged_rows_than_a_batch(world: World) -> None:
    """A whole page of them has no timer in it, and is not the end."""
    bad(world, DUE - SECOND, number=BATCH + 5)
    fill(world, names(2))
    report = world.purge(POLICY)
    assert (report.failures, report.tally.counts[Count.ERASED]) == (("UnreadableTimer",), 2)
    assert rows(world) == BATCH + 5


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 7, 100])
@pytest.mark.parametrize(
    "pattern", ["", "x", "g", "ggxxx", "xxxgg", "gxgxg", "ggxxxg", "xgxxggxx", "gggxxxgggx", "xxxxxxx"]
)
def test_pages_are_full_and_miss_nothing(world: World, pattern: str, limit: int) -> None:
    """Of good rows and bad: fewer than the limit only if there are no more, each once, in order."""
    rows = [
        (timer(name, DUE + n * SECOND), kind)
        for n, (name, kind) in enumerate(zip(NAMES, pattern, strict=False))
    ]
    several = [each for each, kind in rows if kind == "g"]
    world.timers.put(several)
    for each, kind in rows:
        if kind == "x":
            put_raw(world, each.sort_key, {"v": {"N": "2"}})
    found: list[Timer] = []
    until, after = DUE + timedelta(hours=1), ""
    while True:
        page = world.timers.ready(SHARD, until, after, limit)
        found += page
        if len(page) < limit:
            break
        after = page[-1].sort_key
    assert found == several
    assert bool(world.timers.unreadable(SHARD)) == ("x" in pattern)


def test_damaged_rows_are_told_of_though_much_is_left_standing(world: World) -> None:
    """Paused, with more standing than a batch: what the first page met is not forgotten over the second."""
    bad(world, DUE - SECOND, number=2)
    world.timers.put([timer(name) for name in names(BATCH + 5)])
    world.pause(NOW + timedelta(days=1), POLICY)
    assert world.purge(POLICY).failures == ("UnreadableTimer",)
    assert len(world.standing()) == BATCH + 5


def test_a_row_that_was_mended_is_worked(world: World) -> None:
    """Nothing more is to be done, and the failure is gone."""
    fill(world, names(1))
    (right,) = world.standing()
    put_raw(world, right.sort_key, {"v": {"N": "2"}})
    assert world.purge(POLICY).failures == ("UnreadableTimer",)
    world.timers.put([right])
    world.purge(POLICY).raise_failures()
    assert (is_erased(world, names(1)[0]), rows(world)) == (True, 0)


def test_the_sweep_mends_what_stands_in_a_timers_place(world: World) -> None:
    """A damaged row does not pass for the timer that it was: the sweep sets that one again."""
    fill(world, names(1))
    (right,) = world.standing()
    put_raw(world, right.sort_key, {"v": {"N": "2"}})
    assert world.purge(POLICY).failures == ("UnreadableTimer",)
    world.sweep(POLICY).raise_failures()
    assert world.standing() == [right]
    world.purge(POLICY).raise_failures()
    assert (is_erased(world, names(1)[0]), rows(world)) == (True, 0)


def test_a_damaged_row_of_later_does_not_count_yet(world: World) -> None:
    """It is met once it is about to be due; other shards' rows are theirs alone."""
    bad(world, NOW + PUT_OFF_AT_MOST + timedelta(minutes=1))
    world.purge(POLICY).raise_failures()
    timers = world.timers
    assert isinstance(timers, DueTable)
    timers.ready(SHARD, NOW + timedelta(days=1) - SKEW, "", 1)
    assert [shard for shard in range(16) if timers.unreadable(shard)] == [SHARD]
