"""A table is restored beside the live one, replayed, checked, put to use: while everything else goes on."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from shared.ledger_batch import Kept, entries_in
from shared.record import RecordRef
from shared.replay import Pace as ReplayPace
from shared.replay import Ports as ReplayPorts
from shared.replay import Replayed, replay
from shared.restore import Pace, Ports, check
from shared.restore_faults import Checked
from shared.scanning import Scans
from tests.memory import Items, MemoryBrake, MemoryFacts, MemoryLedger, MemoryTables
from tests.simulation.hub import Hub, Task
from tests.simulation.oracle import Oracle
from tests.simulation.places import Run
from tests.simulation.ports import Calls, Chain
from tests.simulation.stack import Stack

HOUR = timedelta(hours=1)
EVERY = 12 * HOUR
KEPT = 6
"""Backups."""
OLDEST_BACKUP = KEPT * EVERY
MOST_TRIES = 60


@dataclass
class Restoring:
    """Backups, and at most one table at a time that is being restored."""

    hub: Hub
    stack: Stack
    oracle: Oracle
    cut_over: Callable[[str, Items, Run], object]
    backups: list[Items] = field(default_factory=list)
    restores: int = 0
    cut_overs: int = 0
    _busy: bool = False

    def back_up(self) -> object:
        """Keep a copy of the tables, as point-in-time recovery does."""
        self.backups = [*self.backups[1 - KEPT :], deepcopy(self.stack.memory.items)]
        self.hub.at(self.hub.now + EVERY, self.back_up)
        return False

    def restore(self, table: str, age: float) -> object:
        """Restore a table from one of the backups."""
        if self._busy or not self.backups:
            return False
        backup = self.backups[int(age * len(self.backups))]
        items = {record: deepcopy(item) for record, item in backup.items() if record.table == table}
        self._busy = True
        self.restores += 1
        self.oracle.restore(items)
        self._replay(table, items, MOST_TRIES)
        return None

    def _replay(self, table: str, items: Items, tries: int) -> None:
        memory = replace(self.stack.memory, items=items)

        def work(calls: Calls, clock: Callable[[], datetime], task: Task) -> Replayed:
            ports = ReplayPorts(
                calls.port("records", MemoryTables(memory)),
                calls.port("facts", MemoryFacts(memory)),
                calls.port("ledger", MemoryLedger(memory)),
                calls.port("brake", MemoryBrake(self.stack.memory)),
            )
            pace = ReplayPace(clock, lambda pause: self.hub.wait(task, pause), lambda _due, _erased: True)
            return replay(table, self.stack.editions["purge"].policy, ports, pace)

        def done(replayed: Replayed | None, _error: BaseException | None, _run: Run) -> None:
            if replayed and replayed.through:
                self._check(table, items, tries)
            else:
                self._again(table, items, tries)

        self.stack.run("restore", work, done, timeout=HOUR, cause="restore")

    def _check(self, table: str, items: Items, tries: int) -> None:
        memory = replace(self.stack.memory, items=items)

        def work(calls: Calls, clock: Callable[[], datetime], _task: Task) -> Checked:
            scans = Scans(
                calls.port("records", MemoryTables(memory)), calls.port("facts", MemoryFacts(memory))
            )
            ports = Ports(scans, calls.port("ledger", _Entries(self.stack)))
            return check(table, self.stack.editions["purge"].policy, ports, Pace(clock), most=3)

        def done(checked: Checked | None, _error: BaseException | None, run: Run) -> None:
            if checked and checked.passed:
                self.cut_overs += 1
                self._busy = False
                self.cut_over(table, items, run)
            else:
                self._again(table, items, tries)

        self.stack.run("restore", work, done, timeout=HOUR, cause="restore")

    def _again(self, table: str, items: Items, tries: int) -> None:
        if tries == 0:  # the operator gives it up, and removes it
            self._busy = False
            self.oracle.restored = None
            return
        pause = HOUR if tries < MOST_TRIES - 10 else HOUR / 60
        self.hub.at(self.hub.now + pause, lambda: self._replay(table, items, tries - 1))


@dataclass
class _Entries:
    stack: Stack

    def entries_of(self, record: RecordRef) -> list[Kept]:
        """As `PastEntries.entries_of`."""
        chain: Any = self.stack.memory.batches[record.shard]
        assert isinstance(chain, Chain)
        kept = (each for row in chain.rows for each in entries_in(row))
        return [each for each in kept if each.entry["record"] == record.text]
