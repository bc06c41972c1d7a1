"""Setting timers, and waking the purge for them."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from shared.failure import CallFailedError
from shared.retention import wake_up_minute
from shared.tally import Count, Tally
from shared.timer import Timer


class TimersToPut(Protocol):
    """The Due table, for writing."""

    def put(self, timers: Collection[Timer]) -> None:
        """Write timers; one that is there already is written again."""


class WakeUps(Protocol):
    """The purge's alarm clock."""

    def ensure(self, minute: datetime) -> None:
        """See to it that the purge is woken at this minute; that it is to be already is success."""


def ensure_wake_up(wake_ups: WakeUps, at: datetime, now: datetime, tally: Tally) -> bool:
    """Have the purge woken for a timer; if that fails, the timer stands and the recurring purge serves it."""
    try:
        wake_ups.ensure(wake_up_minute(at, now))
    except CallFailedError:
        tally.add(Count.WAKE_UP_FAILED)
        return False
    return True
