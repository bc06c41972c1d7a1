"""What a sweep only counts or tells must not keep it from what it is for: timers."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from shared.failure import CallFailedError
from shared.finding import SEGMENTS, Cursor, RecordsPage, Scanned
from shared.outgoing import ContractEvent
from shared.policy import Policy
from shared.record import Path, RecordRef
from shared.set_timers import UNANSWERED
from shared.sweep_part import FAILED_PAGES
from tests.builders import NOW, delivery_rule, policy, shipment, shipment_ref, to_wire_text
from tests.memory import MemoryBus, MemoryLedger, MemoryTables
from tests.worlds import MemoryBusiness, World, memory_world

POLICY: Policy = policy()
RECORDS = 80
LAPSED = {"M": {"until": {"S": to_wire_text(NOW - timedelta(days=1))}}}


@dataclass
class DownBus(MemoryBus):
    """A bus that takes nothing, for so many calls."""

    calls_down: int = 10**9

    def put(self, events: Collection[ContractEvent]) -> None:
        self.calls_down -= 1
        if self.calls_down >= 0:
            raise CallFailedError("PutEvents", "InternalFailure")
        super().put(list(events))


@dataclass
class DownLedger(MemoryLedger):
    """A ledger that cannot be asked."""

    asked: int = 0

    def has_erased(self, record: RecordRef, rule_id: str, since: datetime) -> bool:
        self.asked += 1
        raise CallFailedError("Query", "InternalServerError")


def world_of_lapsed_marks() -> World:
    """Shipments that are due, whose marks are to be told of."""
    world = memory_world()
    for number in range(RECORDS):
        world.business.put(shipment_ref(f"S-{number}"), shipment(f"S-{number}", legal_hold=LAPSED))
    assert isinstance(world.business, MemoryBusiness)
    world.business.memory.page = RECORDS
    return world


def swept(world: World, runs: int) -> list[tuple[str, ...]]:
    """What failed in each of so many runs, five minutes apart."""
    failures = []
    for _ in range(runs):
        failures.append(world.sweep(POLICY, by_hand=False).failures)
        world.now += timedelta(minutes=5)
    return failures


@pytest.mark.parametrize("down", ["bus", "ledger"])
def test_what_is_down_for_ever_delays_no_timer(down: str) -> None:
    """The pages are worked a few times more, and then passed; each run that met the failure says so."""
    world = world_of_lapsed_marks()
    assert isinstance(world.business, MemoryBusiness)
    memory = world.business.memory
    if down == "bus":
        world.bus = DownBus(memory)
    else:
        world.ledger = DownLedger(memory)
    failures = swept(world, FAILED_PAGES + 1)
    assert all(failures)
    if isinstance(world.ledger, DownLedger):
        assert world.ledger.asked <= (FAILED_PAGES + 1) * SEGMENTS * UNANSWERED
    assert len(world.standing()) == RECORDS
    assert world.sweep(POLICY, by_hand=False).failures == ()


@dataclass
class Throttled(MemoryTables):
    """A business table that is scanned, but answers no question about a record; or about some only."""

    asked: int = 0
    code: str = "ThrottlingException"
    hot: Collection[RecordRef] | None = None

    def has_fields(self, record: RecordRef, paths: Collection[Path]) -> bool:
        if self.hot is not None and record not in self.hot:
            return super().has_fields(record, paths)
        self.asked += 1
        raise CallFailedError("Query", self.code)

    def scan(self, of: Scanned, segment: int, after: Cursor | None) -> RecordsPage:
        return MemoryTables(self.memory).scan(of, segment, after)


def test_records_that_cannot_be_asked_about_delay_no_other() -> None:
    """Their page is worked again, then passed. Once they can be asked about, they have timers, too."""
    world = world_of_lapsed_marks()
    assert isinstance(world.business, MemoryBusiness)
    all_records = {shipment_ref(f"S-{number}") for number in range(RECORDS)}
    hot = {shipment_ref(f"S-{number}") for number in range(UNANSWERED - 1)}
    world.records = Throttled(world.business.memory, hot=hot)
    failures = swept(world, 1)
    assert {timer.record for timer in world.standing()} == all_records - hot
    failures += swept(world, FAILED_PAGES)
    assert set(sum(failures, ())) == {"ThrottlingException"}
    world.records = MemoryTables(world.business.memory)
    world.sweep(POLICY).raise_failures()
    assert {timer.record for timer in world.standing()} == all_records


def test_a_record_whose_questions_all_fail_is_one_record() -> None:
    """However many rules are about it: the others are asked."""
    rules = [replace(delivery_rule(), id=f"rule-{number}") for number in range(2 * UNANSWERED)]
    world = world_of_lapsed_marks()
    assert isinstance(world.business, MemoryBusiness)
    world.records = Throttled(world.business.memory, hot=[shipment_ref("S-1")])
    world.sweep(policy(*rules), by_hand=False)
    assert len(world.standing()) == (RECORDS - 1) * len(rules)


def test_a_table_that_answers_nothing_is_asked_little() -> None:
    """Each question takes its time. Who is not asked has a timer: the purge will see."""
    world = world_of_lapsed_marks()
    assert isinstance(world.business, MemoryBusiness)
    world.records = throttled = Throttled(world.business.memory)
    assert set(sum(swept(world, 1), ())) == {"ThrottlingException"}
    assert throttled.asked == SEGMENTS * UNANSWERED
    assert len(world.standing()) == RECORDS - SEGMENTS * UNANSWERED


def test_records_with_keys_that_cannot_be_read_are_no_reason_to_stop_asking() -> None:
    """However many there are: the table answers for the others."""
    world = world_of_lapsed_marks()
    assert isinstance(world.business, MemoryBusiness)
    world.records = poisoned = Throttled(world.business.memory, code="ValidationException")
    swept(world, FAILED_PAGES + 1)
    assert poisoned.asked == (FAILED_PAGES + 1) * RECORDS
    assert world.sweep(POLICY, by_hand=False).failures == ()


def test_what_was_down_for_a_while_is_told_later() -> None:
    """A page that could not be told of is worked again by the next run."""
    world = world_of_lapsed_marks()
    assert isinstance(world.business, MemoryBusiness)
    world.bus = DownBus(world.business.memory, calls_down=2)
    failures = swept(world, 2)
    assert failures[0] == ("InternalFailure", "InternalFailure")
    assert failures[1] == ()
    told = {str(detail["record"]) for _, detail in world.business.news()}
    assert told == {shipment_ref(f"S-{number}").text for number in range(RECORDS)}
