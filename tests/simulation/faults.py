"""What goes wrong at the calls of ports: which faults there are, and how often each strikes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from shared.record import RecordRef


class Kind(StrEnum):
    """What happens to a call, or to a delivery, or to a function."""

    CRASH_BEFORE = "crash before a call"
    CRASH_AFTER = "crash after a call"
    THROTTLED = "throttled"
    ANSWER_LOST = "applied, answer lost"
    PARTIAL = "partial batch"
    SLOW = "slow call"
    SKEW = "clock skew"
    DUPLICATED = "delivery duplicated"
    REORDERED = "delivery overtaken"
    DELAYED = "delivery delayed (minutes)"
    DELAYED_LONG = "delivery delayed (6 h to 14 days)"
    DROPPED = "event never delivered"
    WAKE_UP_LOST = "wake-up lost"
    WAKE_UP_TWICE = "wake-up fired twice"
    RECURRING_LOST = "recurring run missed"
    TWO_PURGES = "two purges at once"
    TIMERS_LOST = "timers lost"
    AMBUSH = "write between look and erase"
    POISON = "record that cannot be read"


USUAL = (Kind.CRASH_BEFORE, Kind.CRASH_AFTER, Kind.THROTTLED, Kind.ANSWER_LOST)
RATES: Mapping[str, float] = {
    "timers.ready": 0.008,
    "timers.lease": 0.02,
    "progress.lease": 0.02,
    "facts.read": 0.015,
    "records.scan": 0.01,
    "facts.scan": 0.01,
    "progress.write_part": 0.02,
    "brake.read": 0.01,
    # Calls that are rare:
    "brake.put": 0.6,
    "dead_letters.keep": 0.3,
    "facts.forget": 0.8,
    "facts.mark": 0.2,
    "ledger.has_erased": 0.2,
    "progress.begin": 0.2,
    "progress.finish": 0.2,
}
"""How likely a fault is, of calls that are made all the time or hardly ever; of the others, `USUAL_RATE`."""
USUAL_RATE = 0.05
PARTIAL_RATE = 0.4
"""Of calls about several things."""
SLOW_RATE = 0.01


@dataclass
class Faults:
    """Rolls the dice, as long as there are faults; and counts."""

    on: bool = True
    injected: Counter[Kind] = field(default_factory=Counter)
    crashed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By port call and position."""
    calls: Counter[str] = field(default_factory=Counter)
    spared: set[str] = field(default_factory=set)
    """Calls that never fail: where nothing heals what they would leave."""
    poisoned: set[RecordRef] = field(default_factory=set)
    """Records that no call can work any more."""

    def of_call(self, name: str, chance: Random, *, about_several: bool) -> Kind | None:
        """The fault that strikes a call, if one does."""
        self.calls[name] += 1
        if not self.on or name in self.spared:
            return None
        if about_several and chance.random() < PARTIAL_RATE:
            return Kind.PARTIAL
        return chance.choice(USUAL) if chance.random() < RATES.get(name, USUAL_RATE) else None

    def strike(self, kind: Kind, name: str = "") -> None:
        """Count a fault."""
        self.injected[kind] += 1
        if kind in {Kind.CRASH_BEFORE, Kind.CRASH_AFTER}:
            self.crashed[name, "before" if kind is Kind.CRASH_BEFORE else "after"] += 1

    def happens(self, kind: Kind, likelihood: float, chance: Random) -> bool:
        """Whether a fault that is not about a call strikes now; counts it."""
        if not self.on or chance.random() >= likelihood:
            return False
        self.strike(kind)
        return True
