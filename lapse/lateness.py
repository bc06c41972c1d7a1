"""How late something was erased, in the steps that the promise makes."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from shared.instants import MICROSECOND, MINUTE
from shared.retention import GRACE

DAILY = timedelta(hours=26)
"""What comes once a day, a sweep or a seal, comes within this time of the one before, or is stale."""


class Lateness(StrEnum):
    """How long after it was due something was erased."""

    EARLY = "before it was due"
    MINUTE = "within a minute"
    USUAL = "1 to 3 minutes"
    WAKE_UP_LOST = "3 to 10 minutes"
    GRACE = "10 to 15 minutes"
    SWEPT = "15 minutes to 26 hours"
    LATER = "later than 26 hours"

    @classmethod
    def of(cls, late: timedelta) -> "Lateness":
        """The first that it fits into."""
        return next((each for each, most in _MOST.items() if late <= most), cls.LATER)


_MOST: Mapping[Lateness, timedelta] = {
    Lateness.EARLY: -MICROSECOND,
    Lateness.MINUTE: MINUTE,
    Lateness.USUAL: 3 * MINUTE,
    Lateness.WAKE_UP_LOST: 10 * MINUTE,
    Lateness.GRACE: GRACE,
    Lateness.SWEPT: DAILY,
}
