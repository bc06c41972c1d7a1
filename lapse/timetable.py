"""What becomes due when: the timers of the Due table, counted by day and rule as they are read."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from heapq import nsmallest
from zoneinfo import ZoneInfo

from lapse.controls import Controls
from lapse.horizon import AHEAD, Horizon, is_overdue, standing
from lapse.ports import Timers
from shared.instants import add, end_of_day
from shared.record import SHARDS
from shared.timer import PUT_OFF_AT_MOST, Timer


@dataclass(frozen=True)
class Timetable:
    """All timers that become due up to the end of a local day."""

    today: date
    until: date
    oldest: tuple[Timer, ...] = ()
    """Of the overdue, those that were due first; not more than were asked for."""
    overdue: Mapping[str, int] = field(default_factory=dict)
    """How many are overdue, by rule."""
    coming: Mapping[tuple[date, str], int] = field(default_factory=dict)
    """How many are not, by the local day on which they are due, and the rule."""
    tried: Mapping[str, int] = field(default_factory=dict)
    """How many of them all failed at least once, by rule."""
    unreadable: int = 0

    def within(self, days: int, rule: str = "") -> int:
        """How many become due up to the end of the day that is so many days ahead; by one rule, if named."""
        last = self.today + timedelta(days=days)
        return sum(n for (day, each), n in self.coming.items() if day <= last and rule in {"", each})

    def by_day(self) -> Mapping[date, int]:
        """How many on each day, without the days that have none."""
        days: Counter[date] = Counter()
        for (day, _), number in self.coming.items():
            days[day] += number
        return dict(sorted(days.items()))

    def horizon(self, now: datetime) -> Horizon:
        """The same in a few figures."""
        oldest = now - self.oldest[0].due if self.oldest else timedelta(0)
        soon = tuple(self.within(days) for days in AHEAD)
        return Horizon(sum(self.overdue.values()), oldest, soon, self.unreadable)


@dataclass
class _Reading:
    now: datetime
    zone: ZoneInfo
    overdue: Counter[str] = field(default_factory=Counter)
    coming: Counter[tuple[date, str]] = field(default_factory=Counter)
    tried: Counter[str] = field(default_factory=Counter)

    def local(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def late_among(self, timers: Iterator[Timer]) -> Iterator[Timer]:
        """Count all; pass those on that are overdue."""
        for timer in timers:
            self.tried[timer.rule] += bool(timer.attempts)
            if is_overdue(timer, self.now):
                self.overdue[timer.rule] += 1
                yield timer
            else:
                self.coming[self.local(max(timer.due, self.now)), timer.rule] += 1


def read_timetable(
    lapse: Controls, now: datetime, days: int, keep: int = 1, advance: Callable[[int], None] = lambda _: None
) -> Timetable:
    """Read all timers up to the end of the day that is so many days ahead.

    Args:
        lapse: the deployed stack.
        now: an aware UTC instant.
        days: how far to look.
        keep: how many of the overdue are to be named.
        advance: is told how many timers were read.
    """
    reading = _Reading(now, lapse.zone)
    today = reading.local(now)
    until = today + timedelta(days=days)
    end = max(end_of_day(until, lapse.zone), add(now, PUT_OFF_AT_MOST))
    late = reading.late_among(_all(lapse.timers, end, advance))
    oldest = nsmallest(keep, late, key=lambda each: (each.due, each.record.text, each.rule))
    unreadable = sum(lapse.timers.unreadable(shard) for shard in range(SHARDS))
    return Timetable(today, until, tuple(oldest), reading.overdue, reading.coming, +reading.tried, unreadable)


def _all(timers: Timers, until: datetime, advance: Callable[[int], None]) -> Iterator[Timer]:
    for shard in range(SHARDS):
        for timer in standing(timers, shard, until):
            advance(1)
            yield timer
