"""When a record will be erased, if nothing happens until then; and the days and months to count by."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from shared.instants import DAY, LAST, add
from shared.policy import Mode, Rule
from shared.record import View
from shared.retention import SKEW, Drop, Erase, decide

DAYS = 7
"""From today on, days are told apart; what lies behind them is counted by month."""
_LOOKS = 4
"""At a record: now, when it is due, when its hold has ended, and once more."""


@dataclass(frozen=True, order=True)
class Bucket:
    """A day, a month, or what else records are counted by; in order of time."""

    since: date
    label: str


AT_ONCE = Bucket(date.min, "at once")
NO_KNOWN_END = Bucket(date.max, "no known end")
"""A hold whose end cannot be read."""


def erased_at(rule: Rule, view: View, now: datetime) -> datetime | None:
    """When the rule would erase, if it enforced: now, when due, or when the last hold ends; `None` for never.

    It looks as the purge will look. A hold whose end cannot be read ends with time itself.
    """
    enforcing, at, look = replace(rule, mode=Mode.ENFORCE), now, now
    for _ in range(_LOOKS):
        match decide(enforcing, view, look):
            case Drop():
                return None
            case Erase():
                return at
            case wait:
                at, look = wait.until, add(wait.until, SKEW)
    return LAST


def bucket_of(at: datetime, now: datetime, zone: ZoneInfo) -> Bucket:
    """What an instant is counted by, in local time."""
    if at <= now:
        return AT_ONCE
    if at == LAST:
        return NO_KNOWN_END
    today, day = _day(now, zone), _day(at, zone)
    further = today + DAYS * DAY
    if day < further:
        return Bucket(day, day.isoformat())
    first = day.replace(day=1)
    if first < further:
        return Bucket(further, f"{first:%Y-%m}, the rest")
    return Bucket(first, f"{first:%Y-%m}")


def _day(at: datetime, zone: ZoneInfo) -> date:
    return min(at, LAST - DAY).astimezone(zone).date()
