"""What the operator's commands work with: the deployed policy, the time, and the ports of the use cases."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import typer

from lapse.arguments import record_named, records_named
from lapse.copies import CopiesOutside
from lapse.dead_letters import DeadLetters
from lapse.late_progress import LateProgress
from lapse.ports import Functions, Ledger, Purges, Sweeps, Timers, WakeUpsToSee
from lapse.preflight import TablesToInspect
from lapse.seals import Seals
from lapse.stores import Stores
from shared.facts import Facts
from shared.finding import SEGMENTS, FactsPage, FactsToScan
from shared.hold_records import FactsToHold, RecordsToMark
from shared.hold_records import Ports as HoldPorts
from shared.ledger_batch import Batch
from shared.outgoing import EventBus
from shared.pausing import BrakeToPull
from shared.policy import Policy
from shared.record import SHARDS, RecordRef
from shared.request_erasure import Ports as RequestPorts
from shared.telling import Telling


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

    def batches(self) -> Iterator[Batch]:
        """The ledger's chains, one after the other."""
        return (batch for shard in range(SHARDS) for batch in self.ledger.batches(shard))

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
