"""Operators and their commands, repeated until they succeed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from shared.correct_fact import Correction, correct_fact
from shared.facts import Closing as ClosingFact
from shared.facts import FactKind, Hold
from shared.hold_records import Ports as HoldPorts
from shared.hold_records import place_hold, release_hold
from shared.pausing import Pause, pause, resume
from shared.record import RecordRef
from shared.refused import RefusedError
from shared.telling import Telling
from tests.memory import (
    Memory,
    MemoryBrake,
    MemoryFacts,
    MemoryLedger,
    MemoryTables,
    MemoryTimers,
    MemoryWakeUps,
)
from tests.simulation.faults import Faults, Kind
from tests.simulation.history import Closing, Corrected, Opening, Said
from tests.simulation.hub import Hub, Task
from tests.simulation.places import Run
from tests.simulation.ports import Calls
from tests.simulation.saying import said
from tests.simulation.stack import Delivery, Message, Stack

MINUTE = timedelta(minutes=1)
MOST_PATIENCE = timedelta(hours=3)
"""For how long somebody waits, at most, before a command is tried again."""


@dataclass
class Operators:
    """Give commands."""

    hub: Hub
    faults: Faults
    memory: Memory
    stack: Stack

    def hold(self, record: RecordRef, *words: Any) -> None:
        """A hold is placed."""
        opening = said("hold", *words)
        self._operate("hold", partial(self._hold, record, opening), opening, record)

    def release(self, record: RecordRef, *words: Any) -> None:
        """A case is closed."""
        closing = said("release", *words)
        self._operate("release", partial(self._hold, record, closing), closing, record)

    def correct(self, record: RecordRef, kind: str, was: datetime, becomes: datetime | None) -> None:
        """Somebody takes an instant back."""

        def work(calls: Calls, telling: Telling) -> object:
            ports = self._hold_ports(calls)
            correction = Correction(FactKind(kind), was, becomes, "staff-6")
            return correct_fact(record, correction, telling, ports.facts, ports.timing)

        self._operate("correct", work, Corrected(kind, was, becomes), record)

    def pause(self, until: datetime) -> None:
        """Lapse is paused."""
        self._operate(
            "pause",
            lambda calls, telling: pause(
                Pause("staff-4", "investigation", telling.now, until),
                telling,
                calls.port("brake", MemoryBrake(self.memory)),
            ),
        )

    def resume(self) -> None:
        """It goes on."""
        self._operate(
            "resume",
            lambda calls, telling: resume("staff-5", telling, calls.port("brake", MemoryBrake(self.memory))),
        )

    def purge(self) -> None:
        """The purge is run."""
        self.stack.purge("manual")

    def sweep(self) -> None:
        """A sweep is begun."""
        self.stack.sweep(by_hand=True)

    def lose_timers(self) -> None:
        """The Due table is lost: its timers, and with them the sweep's progress."""
        self.faults.strike(Kind.TIMERS_LOST)
        self.memory.timers.clear()
        self.memory.parts.clear()
        self.memory.sweep = None

    def _hold_ports(self, calls: Calls) -> HoldPorts:
        return HoldPorts(
            calls.port("records", MemoryTables(self.memory)),
            calls.port("facts", MemoryFacts(self.memory)),
            calls.port("ledger", MemoryLedger(self.memory)),
            calls.port("timers", MemoryTimers(self.memory)),
            calls.port("wake_ups", MemoryWakeUps(self.memory)),
        )

    def _hold(self, record: RecordRef, said: Said, calls: Calls, telling: Telling) -> object:
        ports = self._hold_ports(calls)
        if isinstance(said, Opening):
            hold = Hold(said.reason, said.case, said.by, said.since, said.until)
            return place_hold(record, hold, telling, ports)
        assert isinstance(said, Closing)
        return release_hold(record, ClosingFact(said.case, said.by, said.at), telling, ports)

    def _operate(
        self,
        name: str,
        work: Callable[[Calls, Telling], object],
        said: Said | None = None,
        record: RecordRef | None = None,
    ) -> None:
        """A command, repeated until it succeeds."""
        message = Message(name, {"command": name}, said, (record,) if record else ())
        delivery: list[Delivery] = []

        def begin(run: Run) -> Delivery:
            delivery.append(Delivery(message, run))
            return delivery[-1]

        def command(calls: Calls, clock: Callable[[], datetime], _task: Task) -> object:
            telling = Telling(self.stack.editions["events"].policy, clock(), "operator")
            return work(calls, telling)

        def done(result: object, error: BaseException | None, _run: Run) -> None:
            if error is None:
                delivery[-1].result = result
                self.stack.ears.taken(delivery[-1])
            elif not isinstance(error, RefusedError):
                self.hub.at(self.hub.now + min(len(delivery) ** 2 * MINUTE, MOST_PATIENCE), again)

        def again() -> None:
            self.stack.run(f"events-{name}", command, done, begin)

        again()
