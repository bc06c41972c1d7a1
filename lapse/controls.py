"""What the operator's commands work with: the deployed policy, the time, and the ports of the use cases."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import typer

from lapse.arguments import record_named, records_named
from lapse.copies import CopiesOutside
from lapse.late_progress import LateProgress
from lapse.preflight import TablesToInspect
from lapse.seals import Seals
from lapse.stores import Stores
from shared.evidence import Entry
from shared.facts import Facts
from shared.finding import SEGMENTS, FactsPage, FactsToScan
from shared.hold_records import FactsToHold, RecordsToMark
from shared.hold_records import Ports as HoldPorts
from shared.last_purge import LastPurge
from shared.ledger_batch import Batch, Kept
from shared.outgoing import EventBus
from shared.pausing import BrakeToPull
from shared.policy import Policy
from shared.record import RecordRef
from shared.request_erasure import Ports as RequestPorts
from shared.sweep_state import PartProgress, Sweep
from shared.telling import Telling
from shared.timer import Timer
from shared.waking import TimersToPut, WakeUps


class Timers(TimersToPut, Protocol):
    """The Due table."""

    def ready(self, shard: int, until: datetime, after: str, limit: int) -> Sequence[Timer]:
        """The shard's timers up to and including this instant, in order, from behind a sort key on."""

    def unreadable(self, shard: int) -> int:
        """How many rows of the shard `ready` could not understand, since it last began from the front."""

    def count(self, shard: int, since: datetime, until: datetime) -> int:
        """How many timers stand behind the one instant, up to and including the other. Seconds count."""

    def of_record(self, record: RecordRef) -> Sequence[Timer]:
        """All timers of a record, in order."""


class WakeUpsToSee(WakeUps, Protocol):
    """The purge's alarm clock, which can be looked at."""

    def stands(self, minute: datetime) -> bool:
        """Whether the purge is to be woken at this minute.

        Raises:
            CallFailedError: that cannot be told.
        """


class Ledger(Protocol):
    """The ledger, to be read and added to."""

    def append(self, shard: int, entries: Sequence[Entry]) -> None:
        """Keep evidence."""

    def batches(self, shard: int) -> Iterator[Batch]:
        """A shard's chain, in order."""

    def entries_of(self, record: RecordRef) -> list[Kept]:
        """The evidence about a record, in order."""


class Sweeps(Protocol):
    """The progress of sweeps."""

    def read(self) -> Sweep | None:
        """The last sweep."""

    def read_parts(self, sweep: Sweep) -> Mapping[str, PartProgress]:
        """How far the parts of this sweep came, by name."""


class Purges(Protocol):
    """What is known of the purges that ran."""

    def read(self) -> LastPurge | None:
        """The last one; none if nobody noted one."""


class Functions(Protocol):
    """The stack's functions."""

    def run(self, output: str) -> Mapping[str, Any]:
        """Invoke a function, which the stack's outputs name, by hand; what it answers."""


@dataclass(frozen=True)
class Redriven:
    """How far SQS is with moving dead letters back, or how it ended; `failure` is a code."""

    status: str
    moved: int
    failure: str = ""


class DeadLetters(Protocol):
    """The handlers' dead-letter queue; and beside it that of rules, schedules, purge and sweep."""

    def count(self) -> int:
        """Roughly how many messages are in it."""

    def reasons(self, advance: Callable[[int], object] = ...) -> Mapping[str, int]:
        """How many messages there are by reason; of very many, the first ones. `advance` hears of each."""

    def redrive(self) -> None:
        """Have those that failed moved back to their queues, which then goes on by itself.

        Raises:
            TroubleError: nothing is moved, and why.
        """

    def last_redrive(self) -> Redriven | None:
        """The last time that this was done, if it is known."""

    def failures(self) -> int:
        """Roughly how many messages of rules, schedules, purge and sweep failed."""


@dataclass(frozen=True)
class Controls:
    """A deployed Lapse, as operators handle it."""

    stack: str
    policy: Policy
    clock: Callable[[], datetime]
    records: RecordsToMark
    facts: FactsToHold
    all_facts: FactsToScan
    timers: Timers
    wake_ups: WakeUpsToSee
    ledger: Ledger
    brake: BrakeToPull
    bus: EventBus
    sweeps: Sweeps
    purges: Purges
    seals: Seals
    copies: CopiesOutside
    functions: Functions
    dead_letters: DeadLetters
    stores: Stores
    """All tables, for `restore` and `policy plan`."""
    inspection: TablesToInspect
    """The business tables, for `preflight`."""
    account: str = ""
    region: str = ""

    @property
    def zone(self) -> ZoneInfo:
        """Where the policy's days end."""
        return self.policy.rules[0].zone

    @property
    def for_holds(self) -> HoldPorts:
        """The ports of holds."""
        return HoldPorts(self.records, self.facts, self.ledger, self.timers, self.wake_ups)

    @property
    def for_requests(self) -> RequestPorts:
        """The ports of erasure requests."""
        return RequestPorts(self.facts, self.timers, self.wake_ups, self.bus)

    def telling(self, now: datetime) -> Telling:
        """Through whom something is told."""
        return Telling(self.policy, now, "operator")

    def record(self, table: str, words: Sequence[str]) -> RecordRef:
        """The record that an operator names."""
        return record_named(table, words, self.policy)

    def several(self, table: str, words: Sequence[str]) -> list[RecordRef]:
        """The records that an operator names."""
        return records_named(table, words, self.policy)

    def known(self, record: RecordRef) -> Facts:
        """What was told about a record."""
        return self.facts.read([record]).get(record) or Facts()

    def told[T](self, wanted: Callable[[Facts], Iterable[T]]) -> tuple[list[tuple[RecordRef, T]], int]:
        """What is wanted of all that was told about any record, by a scan of Facts.

        Returns:
            What was found, with the records; and how many rows cannot be read.
        """
        found: list[tuple[RecordRef, T]] = []
        unreadable = 0
        with LateProgress("Reading facts", None) as progress:
            for page in self._pages():
                found += [(record, each) for record, facts in page.facts.items() for each in wanted(facts)]
                unreadable += page.unreadable
                progress.advance(page.scanned)
        return found, unreadable

    def _pages(self) -> Iterator[FactsPage]:
        for segment in range(SEGMENTS):
            page = self.all_facts.scan(segment, None)
            yield page
            while page.following is not None:
                page = self.all_facts.scan(segment, page.following)
                yield page


def controls(ctx: typer.Context) -> Controls:
    """The connection, which is made when a command first needs it; tests bring their own.

    Raises:
        TroubleError: there is none; says what is missing.
    """
    connect: Callable[[], Controls] = ctx.obj
    return connect()
