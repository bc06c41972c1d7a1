"""The program: its unmodified use cases, wired to the ports in memory as the functions wire them to AWS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from functions.on_source.app import relay
from shared.answer_requests import Answering
from shared.contract import read_event
from shared.disputes import read_dispute
from shared.hold_records import Ports as HoldPorts
from shared.outgoing import ContractEvent
from shared.policy import Policy
from shared.purge_due import PurgeReport, purge_due
from shared.purge_ports import Pace
from shared.purge_ports import Ports as PurgePorts
from shared.request_erasure import Ports as RequestPorts
from shared.request_erasure import request_erasure
from shared.requests import read_request
from shared.schedule_deletion import Ports as EventPorts
from shared.schedule_deletion import schedule_deletion
from shared.sources import Source
from shared.sources_file import shipped_sources
from shared.sweep import SweepReport, sweep
from shared.sweep_part import Pace as SweepPace
from shared.sweep_ports import Ports as SweepPorts
from shared.tally import Tally
from shared.telling import Telling
from shared.work_dispute import work_dispute
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
from tests.simulation.hub import Hub, Task
from tests.simulation.ports import Calls

DISPUTES = {"DisputeOpened", "DisputeClosed", "HoldMarkOutdated"}

type Clock = Callable[[], datetime]
"""Of one function: it may be wrong by a few seconds."""


@dataclass(frozen=True)
class Program:
    """Runs use cases, each call of theirs through `Calls`."""

    hub: Hub
    memory: Memory
    sources: tuple[Source, ...] = field(default_factory=shipped_sources)

    def purge(self, calls: Calls, clock: Clock, task: Task, policy: Policy, cause: str) -> PurgeReport:
        """As `purge_scheduler`."""
        facts = calls.port("facts", MemoryFacts(self.memory))
        ports = PurgePorts(
            calls.port("records", MemoryTables(self.memory)),
            facts,
            calls.port("timers", MemoryTimers(self.memory, task.name)),
            calls.port("ledger", MemoryLedger(self.memory)),
            calls.port("wake_ups", MemoryWakeUps(self.memory)),
            calls.port("brake", MemoryBrake(self.memory)),
            Answering(facts, calls.port("bus", MemoryBus(self.memory))),
        )
        report = purge_due(policy, ports, Pace(clock, self._time_left(task), self._sleep(task)), cause)
        report.raise_failures()
        return report

    def sweep(self, calls: Calls, clock: Clock, task: Task, policy: Policy, *, by_hand: bool) -> SweepReport:
        """As `sweep`."""
        ports = SweepPorts(
            calls.port("records", MemoryTables(self.memory)),
            calls.port("facts", MemoryFacts(self.memory)),
            calls.port("timers", MemoryTimers(self.memory, task.name)),
            calls.port("wake_ups", MemoryWakeUps(self.memory)),
            calls.port("ledger", MemoryLedger(self.memory)),
            calls.port("bus", MemoryBus(self.memory)),
        )
        progress = calls.port("progress", MemoryProgress(self.memory, task.name))
        pace = SweepPace(clock, self._time_left(task), self._sleep(task))
        report = sweep(policy, ports, progress, pace, by_hand=by_hand)
        report.raise_failures()
        return report

    def relay(self, calls: Calls, clock: Clock, event: Mapping[str, Any], out: list[ContractEvent]) -> object:
        """As `on_source`."""
        bus = calls.port("bus", MemoryBus(Memory(news=out)))
        return relay(event, clock(), self.sources, bus, lambda *_: None)

    def take(self, calls: Calls, policy: Policy, event: object, now: datetime) -> Tally:
        """As `on_shipment`, `on_leaver`, `on_dispute` or `on_erasure_request`."""
        telling = Telling(policy, now, "event")
        records = calls.port("records", MemoryTables(self.memory))
        facts = calls.port("facts", MemoryFacts(self.memory))
        timers = calls.port("timers", MemoryTimers(self.memory))
        wake_ups = calls.port("wake_ups", MemoryWakeUps(self.memory))
        bus = calls.port("bus", MemoryBus(self.memory))
        kind = event.get("detail-type") if isinstance(event, dict) else None
        if kind in DISPUTES:
            ledger = calls.port("ledger", MemoryLedger(self.memory))
            hold_ports = HoldPorts(records, facts, ledger, timers, wake_ups)
            return work_dispute(read_dispute(event, policy, now), telling, hold_ports, bus)
        if kind == "ErasureRequested":
            request_ports = RequestPorts(facts, timers, wake_ups, bus)
            return request_erasure(read_request(event, policy, now), telling, request_ports)
        ports = EventPorts(records, facts, timers, wake_ups)
        return schedule_deletion(read_event(event, now), telling, ports)

    def _time_left(self, task: Task) -> Callable[[], timedelta]:
        return lambda: task.deadline - self.hub.now

    def _sleep(self, task: Task) -> Callable[[timedelta], None]:
        return lambda pause: self.hub.wait(task, pause)
