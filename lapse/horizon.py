"""How much is overdue, and how much becomes due soon: a few figures, which the Due table counts itself."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from lapse.ports import Timers
from shared.instants import DAY, add, end_of_day
from shared.purge_shard import BATCH
from shared.record import SHARDS
from shared.retention import GRACE
from shared.timer import PUT_OFF_AT_MOST, Timer

AHEAD = (0, 7, 30)
"""The days whose figures people look at: up to the end of today, and of so many days ahead."""


@dataclass(frozen=True)
class Horizon:
    """The timers, in a few figures."""

    overdue: int = 0
    oldest: timedelta = timedelta(0)
    """How long ago the oldest of the overdue was due."""
    soon: tuple[int, ...] = (0, 0, 0)
    """How many become due `AHEAD`: each figure includes those before it."""
    unreadable: int = 0
    """Rows of the Due table that cannot be read."""


@dataclass(frozen=True)
class _Shard:
    overdue: list[timedelta]
    soon: list[int]
    unreadable: int


def is_overdue(timer: Timer, now: datetime) -> bool:
    """Whether it stands though its grace is over."""
    return add(timer.due, GRACE) <= now


def overdue_timers(timers: Timers, now: datetime) -> Iterator[Timer]:
    """All timers that are overdue; also those that failed, and stand a little later."""
    for shard in range(SHARDS):
        ready = standing(timers, shard, add(now, PUT_OFF_AT_MOST))
        yield from (each for each in ready if is_overdue(each, now))


def standing(timers: Timers, shard: int, until: datetime) -> Iterator[Timer]:
    """A shard's timers up to and including this instant, page by page."""
    after = ""
    while True:
        page = timers.ready(shard, until, after, BATCH)
        yield from page
        if len(page) < BATCH:
            return
        after = page[-1].sort_key


def look_ahead(timers: Timers, now: datetime, zone: ZoneInfo) -> Horizon:
    """Count all shards at a time. Only what is due, or was put off, is read."""
    today = now.astimezone(zone).date()
    ends = [end_of_day(today + days * DAY, zone) for days in AHEAD]
    with ThreadPoolExecutor(SHARDS) as workers:
        parts = list(workers.map(lambda shard: _look_at(timers, shard, now, ends), range(SHARDS)))
    overdue = [late for part in parts for late in part.overdue]
    soon = tuple(sum(figures) for figures in zip(*(part.soon for part in parts), strict=True))
    oldest = max(overdue, default=timedelta(0))
    return Horizon(len(overdue), oldest, soon, sum(part.unreadable for part in parts))


def _look_at(timers: Timers, shard: int, now: datetime, ends: Sequence[datetime]) -> _Shard:
    near = add(now, PUT_OFF_AT_MOST)
    ready = list(standing(timers, shard, near))
    unreadable = timers.unreadable(shard)
    later = [each for each in ready if not is_overdue(each, now)]
    soon, behind = [], 0
    for since, until in pairwise([near, *(max(end, near) for end in ends)]):
        behind += timers.count(shard, since, until) if since < until else 0
        soon.append(behind)
    counted = [n + sum(each.due <= end for each in later) for n, end in zip(soon, ends, strict=True)]
    return _Shard([now - each.due for each in ready if is_overdue(each, now)], counted, unreadable)
