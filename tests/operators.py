"""An operator at the command line, in front of a Lapse in memory."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lapse.cli import app
from lapse.controls import Controls
from lapse.copies import TableCopies
from lapse.dead_letters import Redriven
from lapse.seals import LastSeal, SealFile
from shared.finding import Cursor, FactsPage
from shared.last_purge import LastPurge
from shared.ledger_batch import BEGINNING, Batch, Kept, chained, entries_in, seal
from shared.ledger_index import partition
from shared.policy import Policy
from shared.record import RecordRef
from shared.sweep_state import PartProgress, Sweep
from tests.builders import NOW, policy
from tests.memory import (
    Memory,
    MemoryBrake,
    MemoryBus,
    MemoryFacts,
    MemoryLedger,
    MemoryTables,
    MemoryTimers,
    MemoryWakeUps,
)
from tests.terminals import Runner


@dataclass
class ScannedFacts(MemoryFacts):
    """The Facts table, in pages of one row."""

    unreadable: int = 0

    def scan(self, segment: int, after: Cursor | None) -> FactsPage:
        rows = list(self.memory.facts.items())[segment::4]
        position = after["at"] if after else 0
        following = {"at": position + 1} if position + 1 < len(rows) else None
        unreadable = self.unreadable if segment == 0 and position == 0 else 0
        return FactsPage(dict(rows[position : position + 1]), following, 1, 0.5, unreadable)


@dataclass
class ReadLedger(MemoryLedger):
    """The ledger, chained as it is read. A test may put a chain of its own in the place of a shard's."""

    forged: dict[int, list[Batch]] = field(default_factory=dict)

    def batches(self, shard: int) -> Iterator[Batch]:
        end = BEGINNING
        for entries in () if shard in self.forged else self.memory.batches.get(shard, []):
            batch = chained(partition(shard), end, [seal(entry, b"salt" * 4) for entry in entries])
            end = int(batch["seq"]), batch["hash"]
            yield batch
        yield from self.forged.get(shard, [])

    def entries_of(self, record: RecordRef) -> list[Kept]:
        kept = (each for batch in self.batches(record.shard) for each in entries_in(batch))
        return [each for each in kept if each.entry["record"] == record.text]


@dataclass
class KnownSweeps:
    """The progress of a sweep."""

    sweep: Sweep | None = None
    parts: dict[str, PartProgress] = field(default_factory=dict)

    def read(self) -> Sweep | None:
        return self.sweep

    def read_parts(self, sweep: Sweep) -> Mapping[str, PartProgress]:
        return self.parts


@dataclass
class Functions:
    """Answers each invocation by the next of its answers."""

    answers: list[Mapping[str, Any]] = field(default_factory=list)
    invoked: list[str] = field(default_factory=list)

    def run(self, output: str) -> Mapping[str, Any]:
        self.invoked.append(output)
        return self.answers.pop(0)


@dataclass
class KnownPurges:
    """The note of the last purge."""

    last: LastPurge | None = None

    def read(self) -> LastPurge | None:
        return self.last


@dataclass
class KnownCopies:
    """What AWS says of the tables."""

    told: list[TableCopies] = field(default_factory=list)

    def of_tables(self) -> Sequence[TableCopies]:
        return self.told


@dataclass
class DeadLetters:
    """The queues."""

    messages: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    redrives: int = 0
    redriven: Redriven | None = None

    def count(self) -> int:
        return self.messages

    def reasons(self, advance: Callable[[int], object] = int) -> Mapping[str, int]:
        for number in self.by_reason.values():
            advance(number)
        return self.by_reason

    def redrive(self) -> None:
        self.redrives += 1

    def last_redrive(self) -> Redriven | None:
        return self.redriven

    def failures(self) -> int:
        return self.failed


@dataclass
class KnownSeals:
    """A bucket."""

    kept: list[SealFile] = field(default_factory=list)
    latest: LastSeal | None = None
    failure: Exception | None = None

    def last(self) -> LastSeal | None:
        if self.failure:
            raise self.failure
        return self.latest

    def files(self) -> Iterator[SealFile]:
        yield from self.kept


@dataclass(frozen=True)
class Answer:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that was printed, however the lines were wrapped."""
        return " ".join((self.out + self.err).split())

    @property
    def json(self) -> Any:
        """The one object that was printed."""
        return json.loads(self.out)


@dataclass
class Operator:
    """Somebody who types commands, on a day of the test's choosing."""

    policy: Policy = field(default_factory=policy)
    now: datetime = NOW
    memory: Memory = field(default_factory=Memory)
    functions: Functions = field(default_factory=Functions)
    sweeps: KnownSweeps = field(default_factory=KnownSweeps)
    purges: KnownPurges = field(default_factory=KnownPurges)
    seals: KnownSeals = field(default_factory=KnownSeals)
    copies: KnownCopies = field(default_factory=KnownCopies)
    dead_letters: DeadLetters = field(default_factory=DeadLetters)
    stores: Any = None  # restore and plan have operators of their own
    inspection: Any = None  # of no table, unless a test says so

    def __post_init__(self) -> None:
        self.facts, self.ledger = ScannedFacts(self.memory), ReadLedger(self.memory)

    def controls(self) -> Controls:
        """What the commands work with."""
        return Controls(
            stack="lapse",
            policy=self.policy,
            clock=lambda: self.now,
            records=MemoryTables(self.memory),
            facts=self.facts,
            all_facts=self.facts,
            timers=MemoryTimers(self.memory),
            wake_ups=MemoryWakeUps(self.memory),
            ledger=self.ledger,
            brake=MemoryBrake(self.memory),
            bus=MemoryBus(self.memory),
            sweeps=self.sweeps,
            purges=self.purges,
            seals=self.seals,
            copies=self.copies,
            functions=self.functions,
            dead_letters=self.dead_letters,
            stores=self.stores,
            account="000000000000",
            region="eu-west-1",
            inspection=self.inspection,
        )

    def types(
        self,
        *words: object,
        columns: int = 120,
        connect: Callable[[], Controls] | None = None,
        answers: str | None = None,
    ) -> Answer:
        """Run a command; `answers` are what is typed when it asks. With none, nobody is at a terminal."""
        result = Runner().invoke(
            app,
            [*map(str, words)],
            input=answers,
            env={"COLUMNS": str(columns)},
            obj=connect or self.controls,
        )
        return Answer(result.exit_code, result.stdout, result.stderr)
