"""A timer: look at this record for this rule at that instant. Disposable; the record and the facts decide."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.instants import MINUTE, SECOND, add, ceil, to_text
from shared.record import RecordRef

LONGEST_BACK_OFF = timedelta(minutes=15)
PUT_OFF_AT_MOST = LONGEST_BACK_OFF + MINUTE
"""How far ahead a timer that failed can stand: the wait, rounded up."""


@dataclass(frozen=True)
class Timer:
    """A row of the Due table.

    `at` is when to look, `due` what is promised: they differ once a timer has failed. `stamp` tells one
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

    def moved(self, at: datetime) -> "Timer":
        """This timer, due at another instant: the anchor was corrected, or a hold lasts until then."""
        return replace(self, at=at, due=at, attempts=0)

    def backed_off(self, now: datetime) -> "Timer":
        """This timer after a failure: later each time, with its due instant kept.

        To the whole minute, so that two timers that fail for the same record become one in the end.
        """
        wait = min(MINUTE * 2 ** min(self.attempts, 10), LONGEST_BACK_OFF)
        return replace(self, at=ceil(add(now, wait), MINUTE), attempts=self.attempts + 1)
