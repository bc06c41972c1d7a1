"""A world: the ports of both use cases, and a business system's own hands on the same tables.

The same cases run in three worlds (in memory, on moto, on the local stack) and end in the same contents.
"""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from shared.answer_requests import Answering
from shared.brake import BrakeWithEvidence
from shared.config import deployed_policy
from shared.contract import read_event
from shared.correct_fact import Correction, correct_fact
from shared.disputes import read_dispute
from shared.due_table import DueTable
from shared.evidence import Outcome
from shared.facts import FactKind, Facts
from shared.facts_table import FactsToSweepTable, FactsWithEvidence
from shared.finding import RecordsToScan
from shared.hold_records import FactsToHold
from shared.hold_records import Ports as HoldPorts
from shared.ledger_batch import entries_in
from shared.ledger_index import LedgerReader
from shared.ledger_table import LedgerTable
from shared.outgoing import EventBus
from shared.pausing import BrakeToPull, Pause, pause, resume
from shared.policy import Policy
from shared.purge_due import PurgeReport, purge_due
from shared.purge_ports import Ledger, Pace, ShardReport, TimersToWork
from shared.purge_ports import Ports as PurgePorts
from shared.record import SHARDS, RecordRef
from shared.request_erasure import Ports as RequestPorts
from shared.request_erasure import request_erasure
from shared.requests import read_request
from shared.schedule_deletion import Ports as EventPorts
from shared.schedule_deletion import schedule_deletion
from shared.scheduler import SchedulerWakeUps
from shared.settle import RecordsToErase
from shared.sweep import SweepReport, sweep
from shared.sweep_part import Pace as SweepPace
from shared.sweep_ports import FactsToSweep, PastErasures, TimersToSet
from shared.sweep_ports import Ports as SweepPorts
from shared.sweep_progress import SweepTable
from shared.sweep_state import SweepProgress
from shared.table_scans import ScannedTables
from shared.tally import Tally
from shared.telling import Telling, tell
from shared.timer import Timer
from shared.waking import WakeUps
from shared.work_dispute import work_dispute
from tests.builders import NOW, as_kept
from tests.memory import (
    Memory,
    MemoryBrake,
    MemoryBus,
    MemoryFacts,
    MemoryLedger,
    MemoryProgress,
    MemoryTables,
    MemoryTimers,
    MemoryWakeUps,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

LATER = NOW + timedelta(days=36_500)


class Records(RecordsToErase, RecordsToScan, Protocol):
    """The business tables, for purge and sweep."""


class FactsOfAll(FactsToHold, FactsToSweep, Protocol):
    """Facts, for events, holds and sweep."""


class Timers(TimersToWork, TimersToSet, Protocol):
    """The Due table, for purge and sweep."""


class Evidence(Ledger, PastErasures, Protocol):
    """The ledger, for purge and sweep."""


class AllFactsTable(FactsWithEvidence, FactsToSweepTable):
    """The adapters of Facts in one."""


class BusinessSystem(Protocol):
    """What an order system or a CRM does to its own tables, and what a test wants to see."""

    @abstractmethod
    def put(self, record: RecordRef, item: Mapping[str, Any]) -> None: ...
    @abstractmethod
    def get(self, record: RecordRef) -> dict[str, Any] | None: ...
    @abstractmethod
    def delete(self, record: RecordRef) -> None: ...
    @abstractmethod
    def entries(self) -> list[dict[str, Any]]: ...
    @abstractmethod
    def minutes(self) -> list[datetime]: ...
    @abstractmethod
    def news(self) -> list[tuple[str, dict[str, Any]]]: ...


@dataclass
class World:
    """The ports, a clock that only moves when told, and the business system."""

    records: Records
    facts: FactsOfAll
    timers: Timers
    ledger: Evidence
    wake_ups: WakeUps
    brake: BrakeToPull
    bus: EventBus
    progress: SweepProgress
    business: BusinessSystem
    now: datetime = NOW
    clock: Callable[[], datetime] | None = None
    time_left: Callable[[], timedelta] = lambda: timedelta(minutes=5)
    slept: list[timedelta] = field(default_factory=list)
    side_by_side: Callable[[Callable[[int], ShardReport], Iterable[int]], Iterable[ShardReport]] = map

    def take(self, event: Mapping[str, Any], policy: Policy) -> Tally:
        """Deliver an event, to the function that takes events of its detail-type."""
        telling = self.telling(policy)
        match event["detail-type"]:
            case "DisputeOpened" | "DisputeClosed" | "HoldMarkOutdated":
                dispute = read_dispute(event, policy, self.now)
                return work_dispute(dispute, telling, self.for_holds, self.bus)
            case "ErasureRequested":
                return request_erasure(read_request(event, policy, self.now), telling, self.for_requests)
            case _:
                ports = EventPorts(self.records, self.facts, self.timers, self.wake_ups)
                return schedule_deletion(read_event(event, self.now), telling, ports)

    def tell(self, record: RecordRef, kind: FactKind, instant: datetime) -> Facts:
        """Tell an instant, whatever the rules are about; what is known afterwards."""
        entry = self.telling(deployed_policy()).entry(Outcome.TOLD, record, kind=kind.value, instant=instant)
        changed = tell(record, lambda known: known.told(kind, instant), entry, self.facts)
        return changed or self.facts.read([record])[record]

    def correct(self, record: RecordRef, correction: Correction, policy: Policy) -> Tally:
        """Correct a fact by hand."""
        timing = self.for_holds.timing
        return correct_fact(record, correction, self.telling(policy, "operator"), self.facts, timing)

    def pause(self, until: datetime | None, policy: Policy) -> None:
        """Pull the brake."""
        wanted = Pause("staff-4", "investigation", self.now, until)
        pause(wanted, self.telling(policy, "operator"), self.brake)

    def resume(self, policy: Policy) -> bool:
        """Let it go."""
        return resume("staff-5", self.telling(policy, "operator"), self.brake)

    def telling(self, policy: Policy, cause: str = "event") -> Telling:
        """As of now."""
        return Telling(policy, self.now, cause)

    @property
    def for_holds(self) -> HoldPorts:
        """The ports of holds."""
        return HoldPorts(self.records, self.facts, self.ledger, self.timers, self.wake_ups)

    @property
    def for_requests(self) -> RequestPorts:
        """The ports of requests."""
        return RequestPorts(self.facts, self.timers, self.wake_ups, self.bus)

    def purge(self, policy: Policy, cause: str = "manual") -> PurgeReport:
        """Run the purge."""
        answering = Answering(self.facts, self.bus)
        ports = PurgePorts(
            self.records, self.facts, self.timers, self.ledger, self.wake_ups, self.brake, answering
        )
        pace = Pace(self.clock or (lambda: self.now), self.time_left, self.slept.append, self.side_by_side)
        return purge_due(policy, ports, pace, cause)

    def sweep(
        self, policy: Policy, *, by_hand: bool = True, units_per_second: float | None = None
    ) -> SweepReport:
        """Run the sweep."""
        ports = SweepPorts(self.records, self.facts, self.timers, self.wake_ups, self.ledger, self.bus)
        clock = self.clock or (lambda: self.now)
        pace = SweepPace(clock, self.time_left, self.slept.append, units_per_second=units_per_second)
        return sweep(policy, ports, self.progress, pace, by_hand=by_hand)

    def told(self, record: RecordRef) -> Facts | None:
        """The facts about a record."""
        return self.facts.read([record]).get(record)

    def standing(self, until: datetime = LATER) -> list[Timer]:
        """All timers up to an instant, in the order of their keys."""
        timers: list[Timer] = []
        for shard in range(SHARDS):
            while page := self.timers.ready(shard, until, timers_after(timers, shard), 1000):
                timers += page
        return sorted(timers, key=lambda timer: timer.sort_key)

    def outcomes(self) -> list[tuple[str, str, str]]:
        """The evidence of timers in short: record, outcome and reason, sorted."""
        return sorted(
            (entry["record"], entry["outcome"], entry["reason"])
            for entry in self.business.entries()
            if entry["rule"]
        )

    def tellings(self) -> list[tuple[str, str, dict[str, str]]]:
        """The evidence of what Lapse was told, in the order of its shard: outcome, reason, details."""
        return [
            (entry["outcome"], entry["reason"], entry["details"])
            for entry in self.business.entries()
            if not entry["rule"]
        ]


def timers_after(timers: Collection[Timer], shard: int) -> str:
    """The last sort key seen of a shard."""
    return max((timer.sort_key for timer in timers if timer.record.shard == shard), default="")


@dataclass
class MemoryBusiness(BusinessSystem):
    """The business system's hands on the in-memory tables."""

    memory: Memory

    def put(self, record: RecordRef, item: Mapping[str, Any]) -> None:
        self.memory.items[record] = deepcopy(dict(item))

    def get(self, record: RecordRef) -> dict[str, Any] | None:
        return deepcopy(self.memory.items.get(record))

    def delete(self, record: RecordRef) -> None:
        self.memory.items.pop(record, None)

    def entries(self) -> list[dict[str, Any]]:
        batches = [batch for shard in sorted(self.memory.batches) for batch in self.memory.batches[shard]]
        return [as_kept(entry) for batch in batches for entry in batch]

    def minutes(self) -> list[datetime]:
        return sorted(self.memory.minutes)

    def news(self) -> list[tuple[str, dict[str, Any]]]:
        return [(event.detail_type, dict(event.detail)) for event in self.memory.news]


def memory_world() -> World:
    """A world in memory."""
    memory = Memory()
    tables, facts, timers = MemoryTables(memory), MemoryFacts(memory), MemoryTimers(memory)
    return World(
        tables,
        facts,
        timers,
        MemoryLedger(memory),
        MemoryWakeUps(memory),
        MemoryBrake(memory),
        MemoryBus(memory),
        MemoryProgress(memory),
        MemoryBusiness(memory),
    )


@dataclass
class AwsBusiness(BusinessSystem):
    """The business system's hands on tables of an emulator."""

    dynamodb: "DynamoDBClient"
    scheduler: "EventBridgeSchedulerClient"
    tables: Mapping[str, str]
    facts_table: str
    due_table: str
    ledger_table: str
    group: str
    sent: Memory

    def put(self, record: RecordRef, item: Mapping[str, Any]) -> None:
        self.dynamodb.put_item(TableName=self.tables[record.table], Item=dict(item))

    def get(self, record: RecordRef) -> dict[str, Any] | None:
        table, key = self.tables[record.table], dict(record.key)
        return self.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")

    def delete(self, record: RecordRef) -> None:
        self.dynamodb.delete_item(TableName=self.tables[record.table], Key=dict(record.key))

    def entries(self) -> list[dict[str, Any]]:
        reader = LedgerReader(self.dynamodb, self.ledger_table)
        batches = [batch for shard in range(SHARDS) for batch in reader.batches(shard)]
        entries = [dict(kept.entry) for batch in batches for kept in entries_in(batch)]
        return [{name: value for name, value in each.items() if name != "commitment"} for each in entries]

    def minutes(self) -> list[datetime]:
        names = [each["Name"] for each in self.scheduler.list_schedules(GroupName=self.group)["Schedules"]]
        return sorted(datetime.strptime(name + "+0000", "purge-%Y%m%dT%H%M%z") for name in names)

    def news(self) -> list[tuple[str, dict[str, Any]]]:
        return [(event.detail_type, dict(event.detail)) for event in self.sent.news]


@dataclass(frozen=True)
class TableSpec:
    """A table to be made: its key attributes with their types, the partition key first."""

    logical: str
    key: Mapping[str, str]


USUAL_TABLES = (TableSpec("Shipments", {"shipment_id": "S"}), TableSpec("Contacts", {"contact_id": "S"}))


def aws_world(
    dynamodb: "DynamoDBClient",
    scheduler: "EventBridgeSchedulerClient",
    specs: Iterable[TableSpec] = USUAL_TABLES,
) -> World:
    """A world of fresh tables on an emulator."""
    prefix = f"t{uuid4().hex[:12]}"
    tables = {spec.logical: f"{prefix}-{spec.logical}" for spec in specs}
    for spec in specs:
        make_table(dynamodb, tables[spec.logical], spec.key)
    own = {name: f"{prefix}-{name}" for name in ("facts", "due", "ledger")}
    make_table(dynamodb, own["facts"], {"record": "S"})
    make_table(dynamodb, own["due"], {"shard": "S", "sk": "S"})
    make_table(dynamodb, own["ledger"], {"shard": "S", "seq": "N"})
    scheduler.create_schedule_group(Name=prefix)
    arn = "arn:aws:lambda:eu-west-1:000000000000:function:purge"
    role = "arn:aws:iam::000000000000:role/wake-up"
    queue = "arn:aws:sqs:eu-west-1:000000000000:failures"
    ledger, sent = LedgerTable(dynamodb, own["ledger"]), Memory()
    return World(
        ScannedTables(dynamodb, tables, own["facts"]),
        AllFactsTable(dynamodb, own["facts"], ledger, tables),
        DueTable(dynamodb, own["due"]),
        ledger,
        SchedulerWakeUps(scheduler, prefix, role, arn, queue),
        BrakeWithEvidence(dynamodb, own["facts"], ledger),
        MemoryBus(sent),
        SweepTable(dynamodb, own["due"]),
        AwsBusiness(dynamodb, scheduler, tables, own["facts"], own["due"], own["ledger"], prefix, sent),
    )


def another(world: World) -> World:
    """The same tables of an emulator in the hands of another function, with leases and chains of its own."""
    business, timers = world.business, world.timers
    assert isinstance(business, AwsBusiness)
    assert isinstance(timers, DueTable)
    dynamodb, facts_table = business.dynamodb, business.facts_table
    ledger = LedgerTable(dynamodb, business.ledger_table)
    return replace(
        world,
        facts=AllFactsTable(dynamodb, facts_table, ledger, business.tables),
        timers=DueTable(dynamodb, timers._table),
        ledger=ledger,
        brake=BrakeWithEvidence(dynamodb, facts_table, ledger),
        progress=SweepTable(dynamodb, timers._table),
    )


def make_table(dynamodb: "DynamoDBClient", name: str, key: Mapping[str, str]) -> None:
    """Make an on-demand table."""
    kinds: Iterator[Any] = iter(["HASH", "RANGE"])
    attributes: Any = [{"AttributeName": each, "AttributeType": kind} for each, kind in key.items()]
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=attributes,
        KeySchema=[{"AttributeName": each, "KeyType": next(kinds)} for each in key],
    )
