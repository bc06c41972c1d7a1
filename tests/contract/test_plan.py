"""`lapse policy plan` on tables: its numbers equal what then happens, and it changes nothing."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.facts import Hold
from shared.hold_records import place_hold
from shared.instants import DAY, MINUTE, SECOND
from shared.policy_archive import PolicyArchive
from shared.policy_file import read_policy
from shared.prospect import AT_ONCE, bucket_of
from tests.builders import NOW, contact, contact_ref, left, returned, shipment, shipment_ref, to_wire_text
from tests.contract.test_restore import business_of, live, only_reading, rows_of
from tests.typed import Typed, typed
from tests.worlds import World

pytestmark = pytest.mark.parametrize("make_world", ["moto", "local stack"], indirect=True)

SHIPPED = (Path(__file__).parents[2] / "shared" / "policy.toml").read_bytes()
SIXTY = SHIPPED.replace(b'"P90D"', b'"P60D"').replace(b"2022-11-06", b"2026-08-25")
OLD, NEW = read_policy(SHIPPED), read_policy(SIXTY)
LONDON = ZoneInfo("Europe/London")
SOON = NOW + 5 * SECOND  # the skew that the purge allows for
# The ends of days and months around which something comes due; one that was left out would show.
ENDS = [
    *(datetime(2026, 8, 25, 23, 0, 5, tzinfo=UTC) + number * DAY for number in (3, 4, 6)),
    *(datetime(2026, month, 1, 0, 0, 5, tzinfo=LONDON).astimezone(UTC) for month in (10, 11)),
]


def inhabited(world: World) -> None:
    """Shipments and contacts of all ages, some held, returned or erased; all as the old policy has it."""
    for number in range(16):
        at = NOW - number * 7 * DAY
        world.business.put(
            shipment_ref(f"S-{number}"), shipment(f"S-{number}", shipped_at={"S": to_wire_text(at)})
        )
        world.business.put(contact_ref(f"C-{number}"), contact(f"C-{number}"))
        world.take(left(f"C-{number}", at), OLD)
    world.take(returned("C-9", NOW - DAY), OLD)
    for record in (shipment_ref("S-10"), contact_ref("C-10")):
        hold = Hold("fraud", "CASE-1", "staff-1", NOW - DAY, NOW + 45 * DAY)
        place_hold(record, hold, world.telling(OLD), world.for_holds)
    world.now = SOON
    world.sweep(OLD).raise_failures()
    world.purge(OLD).raise_failures()


def published(world: World) -> None:
    PolicyArchive(business_of(world).dynamodb, business_of(world).ledger_table).publish(SHIPPED, NOW)


def planned(world: World, tmp_path: Path, new: bytes, *options: str) -> Typed:
    file = tmp_path / "new.toml"
    file.write_bytes(new)
    business = business_of(world)
    tables = (*business.tables.values(), business.facts_table, business.ledger_table)
    before = [rows_of(business.dynamodb, table) for table in tables]
    with only_reading(world):
        done = typed(world, "policy", "plan", file, *options)
    assert [rows_of(business.dynamodb, table) for table in tables] == before
    assert "canary" not in done.out + done.err
    return done


def test_the_numbers_equal_what_then_happens(world: World, tmp_path: Path) -> None:
    """60 days for 90: in each day and month as many are erased, by each rule, as was said."""
    published(world)
    inhabited(world)
    done = planned(world, tmp_path, SIXTY, "--json")
    assert done.code == 0
    said = {rule_id: each["after"] for rule_id, each in done.json["rules"].items()}
    happened: dict[str, Counter[str]] = {rule.id: Counter() for rule in NEW.rules}
    for now in (SOON, *ENDS):
        world.now = now
        world.sweep(NEW).raise_failures()
        world.purge(NEW).raise_failures()
        erased = Counter(
            entry["rule"]
            for entry in world.business.entries()
            if entry["outcome"] == "erased" and entry["policy"] == NEW.digest
        )
        bucket = AT_ONCE if now == SOON else bucket_of(now - MINUTE, SOON, LONDON)
        for rule_id, number in erased.items():
            happened[rule_id][bucket.label] += number - happened[rule_id].total()
    assert {rule_id: dict(+each) for rule_id, each in happened.items()} == said
    assert done.json["at_once"] == 5
    assert not [item for item in live(world, "Shipments") if "email" in item]
    assert [item["contact_id"]["S"] for item in live(world, "Contacts") if "email" in item] == ["C-9"]


def test_what_it_says(world: World, tmp_path: Path) -> None:
    """For each rule what is written otherwise, when records are erased before and after, how they move."""
    published(world)
    inhabited(world)
    done = planned(world, tmp_path, SIXTY)
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert done.code == 0
    assert lines[0] == f"Policy PP001 ({OLD.digest[:12]}) -> PP001 ({NEW.digest[:12]})"
    assert 'updated: "2022-11-06" -> "2026-08-25"' in lines
    start = lines.index("delivery-contact: changed")
    assert lines[start + 1] == 'retain: "P90D" -> "P60D"'
    assert "at once 0 3" in lines[start:]
    assert "12 earlier · 1 at the same time" in lines[start:]
    assert lines[lines.index("delivery-erasure: unchanged") + 1] == "no records"
    assert "At once: 5 erasures (by the old policy 0)." in lines
    assert "limit" not in done.out
    assert "lapse policy attributes" not in done.out


def test_the_numbers_as_a_list(world: World, tmp_path: Path) -> None:
    """By rule and time, before and after; what the list cannot hold is said beside it."""
    published(world)
    inhabited(world)
    header, *rows = planned(world, tmp_path, SIXTY, "--csv").out.splitlines()
    assert header == "rule,state,erased,before,after"
    assert "delivery-contact,changed,at once,0,3" in rows
    beside = planned(world, tmp_path, SIXTY, "--csv").err
    assert beside == "At once: 5 erasures (by the old policy 0).\n"


def test_rules_that_come_and_go(world: World, tmp_path: Path) -> None:
    """A removed rule erases nothing any more; one that erases more does so at once; a limit is warned of."""
    published(world)
    inhabited(world)
    head, delivery, _leaver, *requests = SHIPPED.split(b"[[rules]]")
    more = delivery.replace(b'"email"]', b'"email", "name"]').replace(b'"name", "company"', b'"company"')
    new = b"[[rules]]".join([head.replace(b"50000", b"2"), more, *requests])
    done = planned(world, tmp_path, new, "--json").json
    assert (done["would_halt"], done["needs_other_roles"]) == (True, False)
    assert done["rules"]["leaver-contact"]["state"] == "removed"
    assert done["rules"]["leaver-contact"]["records"]["no_longer_covered"] == 12
    assert done["rules"]["leaver-contact"]["after"] == {}
    records: dict[str, Any] = done["rules"]["delivery-contact"]["records"]
    assert (records["same"], records["newly_covered"]) == (13, 3)
    assert [each["key"] for each in done["changes"]] == ["max_erasures_per_run"]
    said = planned(world, tmp_path, new).out
    assert "That is more than max_erasures_per_run: a run stops at 2." in said
    assert "leaver-contact: removed" in said
    assert "12 no longer erased" in said


def test_the_deployed_policy_is_not_known(world: World, tmp_path: Path) -> None:
    """Then it must be named; and all tables must be the stack's."""
    unknown = planned(world, tmp_path, SIXTY)
    assert (unknown.code, unknown.err.count("--old FILE")) == (1, 1)
    old = tmp_path / "old.toml"
    old.write_bytes(SHIPPED)
    assert planned(world, tmp_path, SIXTY, "--old", str(old), "--json").json["old"] == OLD.digest
    homeless = planned(world, tmp_path, SIXTY.replace(b'"Contacts"', b'"People"'), "--old", str(old))
    assert homeless.code == 1
    assert "about People" in homeless.err
    broken = planned(world, tmp_path, SIXTY.replace(b'"P60D"', b'"P3M"'), "--old", str(old))
    assert broken.code == 1
    assert "delivery-contact.retain" in broken.err
