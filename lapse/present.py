"""How things are at this moment: what `lapse status` shows, and a report begins with. Reads no ledger."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from lapse.answer import short
from lapse.controls import Controls
from lapse.horizon import Horizon
from lapse.lateness import DAILY
from lapse.seals import LastSeal
from lapse.trouble import TroubleError
from shared.answer_requests import TIME_TO_ANSWER
from shared.facts import Facts, Hold, Request
from shared.failure import CallFailedError
from shared.found import Found
from shared.instants import LAST, add
from shared.last_purge import LastPurge
from shared.pausing import Pause
from shared.record import SHARDS, RecordRef
from shared.sweep_pages import EXPIRES_SOON
from shared.sweep_state import Sweep

PURGE_IS_SILENT = timedelta(minutes=15)
"""A purge comes by every five minutes; this is when its alarm rings."""
SKEW = timedelta(minutes=5)
"""By so much clocks may differ; what is further ahead is no sign that anything runs."""


@dataclass(frozen=True)
class Present:
    """How things are now."""

    now: datetime
    horizon: Horizon
    pause: Pause | None
    """`None` unless it is in force."""
    sweep: Sweep | None
    last_purge: LastPurge | None
    last_seal: LastSeal | None
    seal_unknown: str
    """Why it is not known whether there is one, or ""."""
    dead_letters: int
    failures: int
    """Messages of rules, wake-ups, the purge and the sweep that failed."""
    holds: tuple[tuple[RecordRef, Hold], ...]
    """In force; those that end first on top."""
    requests: tuple[tuple[RecordRef, Request], ...]
    """Without an answer; those to be answered first on top."""
    unreadable_facts: int

    @property
    def unreadable(self) -> int:
        """Rows of Lapse's own tables that cannot be read: what they say is unknown."""
        return self.unreadable_facts + self.horizon.unreadable

    @property
    def holds_expiring(self) -> int:
        """How many holds end soon."""
        soon = add(self.now, EXPIRES_SOON)
        return sum(hold.until is not None and hold.until <= soon for _, hold in self.holds)

    @property
    def answer_first(self) -> datetime | None:
        """When the first of the open requests is to be answered."""
        return min((answer_by(request) for _, request in self.requests), default=None)

    @property
    def requests_late(self) -> int:
        """How many requests were to be answered by now."""
        return sum(answer_by(request) <= self.now for _, request in self.requests)

    @property
    def sweep_is_stale(self) -> bool:
        """Whether the last sweep that came through is too long ago, or there was none."""
        return self._is_old(self.swept_since, DAILY)

    @property
    def swept_since(self) -> datetime | None:
        """When the last sweep began, if it came through; or else when the one before it ended."""
        sweep = self.sweep
        if sweep is None:
            return None
        return sweep.began if sweep.finished else sweep.last_finished or sweep.began

    @property
    def purge_is_silent(self) -> bool:
        """Whether no purge ended lately."""
        return self._is_old(self.last_purge.finished if self.last_purge else None, PURGE_IS_SILENT)

    @property
    def purge_is_partial(self) -> bool:
        """Whether the last purge left parts undone."""
        return self.last_purge is not None and self.last_purge.shards_finished < SHARDS

    @property
    def seal_is_stale(self) -> bool:
        """Whether the last seal is too old, or there is none that is known."""
        return self._is_old(self.last_seal.at if self.last_seal else None, DAILY)

    def _is_old(self, instant: datetime | None, most: timedelta) -> bool:
        """Whether it never was, is too long ago, or lies ahead, which only a wrong clock can say."""
        return instant is None or not -SKEW <= self.now - instant <= most

    @property
    def seal_in_words(self) -> str:
        """The last seal, on a line."""
        if self.seal_unknown:
            return f"unknown: {self.seal_unknown}"
        return f"number {self.last_seal.number}, {short(self.last_seal.at)}" if self.last_seal else "none yet"

    @cached_property
    def swept(self) -> Counter[Found]:
        """What the last sweep counted, of all rules together."""
        found: Counter[Found] = Counter()
        for (_, each), number in (self.sweep.counts if self.sweep else Counter()).items():
            found[each] += number
        return found


def answer_by(request: Request) -> datetime:
    """By when a request is to be answered."""
    return add(request.requested_at, TIME_TO_ANSWER)


def look_at_present(lapse: Controls, now: datetime, horizon: Horizon) -> Present:
    """Look at all but timers and ledger.

    Args:
        lapse: the deployed stack.
        now: an aware UTC instant.
        horizon: what the timers say, as the caller counted them.
    """
    pause = lapse.brake.read()
    told, unreadable = lapse.told(lambda facts: _standing(facts, now))
    last_seal, seal_unknown = _last_seal(lapse)
    holds = [(record, each) for record, each in told if isinstance(each, Hold)]
    requests = [(record, each) for record, each in told if isinstance(each, Request)]
    return Present(
        now=now,
        horizon=horizon,
        pause=pause if pause and pause.in_force(now) else None,
        sweep=lapse.sweeps.read(),
        last_purge=lapse.purges.read(),
        last_seal=last_seal,
        seal_unknown=seal_unknown,
        dead_letters=lapse.dead_letters.count(),
        failures=lapse.dead_letters.failures(),
        holds=tuple(sorted(holds, key=lambda each: (each[1].until or LAST, each[0].text))),
        requests=tuple(sorted(requests, key=lambda each: (each[1].requested_at, each[0].text))),
        unreadable_facts=unreadable,
    )


def _last_seal(lapse: Controls) -> tuple[LastSeal | None, str]:
    """The last seal, or why it is not known: the other figures do not depend on it."""
    try:
        return lapse.seals.last(), ""
    except (CallFailedError, TroubleError) as error:
        return None, str(error)


def _standing(facts: Facts, now: datetime) -> list[Hold | Request]:
    return [*facts.in_force(now), *facts.open_requests()]
