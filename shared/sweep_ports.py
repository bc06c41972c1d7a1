"""What the sweep works on."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.facts import Facts
from shared.finding import FactsToScan, RecordsToScan
from shared.outgoing import EventBus
from shared.record import RecordRef
from shared.timer import Timer
from shared.waking import TimersToPut, WakeUps


class TimersToSet(TimersToPut, Protocol):
    """The Due table, for the sweep."""

    def missing(self, timers: Collection[Timer]) -> Sequence[Timer]:
        """Those of these timers that do not stand."""


class PastErasures(Protocol):
    """The ledger, for the sweep."""

    def has_erased(self, record: RecordRef, rule_id: str, since: datetime) -> bool:
        """Whether the record was erased by this rule at that instant or later."""


class FactsToSweep(FactsToScan, Protocol):
    """The Facts table, for the sweep."""

    def forget(self, record: RecordRef, facts: Facts) -> None:
        """Remove facts that nothing can use any more, if they are as read."""


@dataclass(frozen=True)
class Ports:
    """What the sweep works on."""

    records: RecordsToScan
    facts: FactsToSweep
    timers: TimersToSet
    wake_ups: WakeUps
    ledger: PastErasures
    bus: EventBus
