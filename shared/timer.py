"""A timer: look at this record for this rule at that instant. Disposable; the record and the facts decide."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.instants import SECOND, add, ceil, to_text
from shared.record import RecordRef

LONGEST_BACK_OFF = timedelta(minutes=15)


@dataclass(frozen=True)
class Timer:
    """A row of the Due table.

    `at` is when to look, `due` what is promised: they differ once a timer was moved. `stamp` tells one
    writing of the same timer from another; the Due table sets it.
    """

    record: RecordRef
    rule: str
    at: datetime
    due: datetime
    attempts: int = 0
    stamp: str = field(default="", compare=False)

    @property
    def sort_key(self) -> str:
        """`<at, UTC, second>#<rule>#<digest of the typed key>`: the same event twice makes the same key."""
        return f"{to_text(ceil(self.at, SECOND))}#{self.rule}#{self.record.key_digest}"

    def moved(self, at: datetime, due: datetime) -> "Timer":
        """This timer, to look again at another instant."""
        return replace(self, at=at, due=due, attempts=0)

    def backed_off(self, now: datetime) -> "Timer":
        """This timer after a failure: later each time, with its due instant kept."""
        wait = min(timedelta(minutes=1) * 2 ** min(self.attempts, 10), LONGEST_BACK_OFF)
        return replace(self, at=add(now, wait), attempts=self.attempts + 1)
