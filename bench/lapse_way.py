"""Lapse's way: its own use cases and adapters, put together as the functions do."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from bench.place import RETAIN, Case, Place
from shared.answer_requests import Answering
from shared.brake import FactsBrake
from shared.bus import LazyBus
from shared.business_tables import BusinessTables
from shared.config import deployed_policy
from shared.contract import read_event
from shared.due_table import DueTable
from shared.evidence import Outcome
from shared.facts import FactKind, Facts
from shared.facts_table import FactsWithEvidence
from shared.instants import to_text
from shared.ledger_table import LedgerTable
from shared.policy import Policy
from shared.purge_due import purge_due
from shared.purge_ports import Pace, ShardReport
from shared.purge_ports import Ports as PurgePorts
from shared.record import SHARDS
from shared.schedule_deletion import Ports as EventPorts
from shared.schedule_deletion import schedule_deletion
from shared.scheduler import SchedulerWakeUps
from shared.tally import Count, Tally
from shared.telling import Telling, tell
from shared.timer import Timer
from shared.waking import ensure_wake_up

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

_FUNCTION = "arn:aws:lambda:eu-west-1:000000000000:function:purge"
_ROLE = "arn:aws:iam::000000000000:role/wake-up"
_QUEUE = "arn:aws:sqs:eu-west-1:000000000000:failures"


@dataclass(frozen=True)
class LapseWay:
    """Takes events, and purges what is due."""

    policy: Policy
    ports: PurgePorts
    facts: FactsWithEvidence

    @classmethod
    def at(
        cls, place: Place, dynamodb: "DynamoDBClient", scheduler: "EventBridgeSchedulerClient"
    ) -> "LapseWay":
        """Work in this place, with these clients."""
        tables = {"Shipments": place.table("shipments"), "Contacts": place.table("contacts")}
        ledger = LedgerTable(dynamodb, place.table("ledger"))
        facts = FactsWithEvidence(dynamodb, place.table("facts"), ledger, tables)
        ports = PurgePorts(
            BusinessTables(dynamodb, tables, place.table("facts")),
            facts,
            DueTable(dynamodb, place.table("due")),
            ledger,
            SchedulerWakeUps(scheduler, place.name, _ROLE, _FUNCTION, _QUEUE),
            FactsBrake(dynamodb, place.table("facts")),
            Answering(facts, LazyBus(place.name)),
        )
        return cls(deployed_policy(), ports, facts)

    def take(self, case: Case, now: datetime) -> None:
        """Take the event that starts the record's clock."""
        ports = EventPorts(self.ports.records, self.facts, self.ports.timers, self.ports.wake_ups)
        schedule_deletion(read_event(_event(case), now), Telling(self.policy, now, "event"), ports)

    def ensure_wake_ups(self, dues: Iterable[datetime], now: datetime) -> None:
        """Ensure the wake-ups of timers, as their events would have done."""
        for due in dues:
            ensure_wake_up(self.ports.wake_ups, due, now, Tally())

    def set_timers(self, cases: Sequence[Case]) -> None:
        """Set the timers of shipments as their events would have done."""
        self.ports.timers.put([Timer(c.record, "delivery-contact", at=c.due, due=c.due) for c in cases])

    def keep_departures(self, cases: Sequence[Case]) -> None:
        """Keep the facts of contacts, side by side, and set their timers, as their events would have done."""
        by_shard = [[case for case in cases if case.record.shard == shard] for shard in range(SHARDS)]
        with ThreadPoolExecutor(SHARDS) as pool:
            list(pool.map(self._keep, by_shard))
        self.ports.timers.put([Timer(c.record, "leaver-contact", at=c.due, due=c.due) for c in cases])

    def _keep(self, cases: Iterable[Case]) -> None:
        """Keep the departures of one shard, in turn."""
        for case in cases:
            left = case.due - RETAIN
            telling = Telling(self.policy, left, "event")
            entry = telling.entry(Outcome.TOLD, case.record, kind="left", instant=left)
            tell(case.record, partial(Facts.told, kind=FactKind.LEFT, instant=left), entry, self.facts)

    def purge(self, now: datetime, workers: int = 1) -> int:
        """Purge what is due, with so many workers; says how many records were erased.

        Raises:
            RuntimeError: something failed, so that the measurement is worth nothing.
        """
        if workers == 1:
            return self._purge(now, map)
        with ThreadPoolExecutor(workers) as pool:
            return self._purge(now, pool.map)

    def _purge(
        self,
        now: datetime,
        side_by_side: Callable[[Callable[[int], ShardReport], Iterable[int]], Iterable[ShardReport]],
    ) -> int:
        pace = Pace(lambda: now, lambda: timedelta(minutes=5), lambda _: None, side_by_side)
        report = purge_due(self.policy, self.ports, pace, "wake-up")
        if report.failures:
            raise RuntimeError(f"the purge failed: {report.failures[:3]}")
        return report.tally.counts[Count.ERASED]


def _event(case: Case) -> dict[str, object]:
    told = to_text(case.due - RETAIN)
    key = {name: value["S"] for name, value in case.record.key.items()}
    if case.record.table == "Shipments":
        return {"detail-type": "ShipmentDispatched", "time": told, "detail": {**key, "shipped_at": told}}
    return {"detail-type": "ContactLeft", "time": told, "detail": {**key, "notified_at": told}}
