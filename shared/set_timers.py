"""Timers for what a sweep found, where there is something to do soon and none stands; and counts by rule."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.failure import CallFailedError
from shared.finding import HORIZON, Finding
from shared.found import TO_ASK, Counts, Found, what_is
from shared.instants import add
from shared.look import POISON
from shared.record import RecordRef
from shared.retention import Erase, wake_up_minute
from shared.sweep_ports import Ports
from shared.tally import Tally
from shared.timer import Timer
from shared.waking import ensure_wake_up

UNANSWERED = 3
"""After so many records without an answer, a page's others are not asked: each question takes its time."""


@dataclass
class SettingTimers:
    """Sets a page's timers as of one instant, and counts. What is found twice has its timer the second time.

    One record that nobody can ask about must not keep the others from their timers: its code is kept, and the
    page comes again a few times.
    """

    ports: Ports
    now: datetime
    tally: Tally
    failures: list[str]
    """Codes of what could not be asked or counted."""
    counts: Counts = field(default_factory=Counter)
    _unanswered: defaultdict[str, set[RecordRef]] = field(default_factory=lambda: defaultdict(set))
    """By what is asked: of which records there was no answer."""

    def work(self, found: Sequence[Finding], *, seen: bool) -> None:
        """Set the timers that are missing; then wake-ups, and last what is only counted.

        Args:
            found: what a page came to.
            seen: whether the scan saw fields of the very rule on each of the records.

        Raises:
            CallFailedError: a call failed; the page is to be worked again.
        """
        until = add(self.now, HORIZON)
        wanted = [(each, each.timer(self.now, until)) for each in found]
        missing = set(self.ports.timers.missing([timer for _, timer in wanted if timer]))
        there = [
            (each, timer)
            for each, timer in wanted
            if self._is_there(each, timer, sure=seen and timer not in missing)
        ]
        new = [timer for _, timer in there if timer and timer in missing]
        if new:
            self.ports.timers.put(new)
        self._wake(new)
        for each, timer in there:
            self._count(each, is_new=timer in missing)

    def _is_there(self, found: Finding, timer: Timer | None, *, sure: bool) -> bool:
        """Whether the rule's fields are there, or may be: asked only if it matters.

        Also asked where the scan saw them but no timer stands: a purge may have been here meanwhile.
        """
        if sure or found.is_asked_for or not (timer or what_is(found, self.now) in TO_ASK):
            return True
        # Who is not asked has a timer to be sure of: a needless one costs a look.
        not_asked = timer is not None and len(self._unanswered["fields"]) >= UNANSWERED
        return not_asked or self._ask("fields", found.record, lambda: self._has_fields(found))

    def _wake(self, timers: Sequence[Timer]) -> None:
        """One wake-up a minute, until the first that fails: the recurring purge serves the others."""
        by_minute = {wake_up_minute(timer.at, self.now): timer.at for timer in timers}
        for at in by_minute.values():
            if not ensure_wake_up(self.ports.wake_ups, at, self.now, self.tally):
                return

    def _count(self, found: Finding, *, is_new: bool) -> None:
        what = what_is(found, self.now)
        if what:
            self.counts[found.rule.id, what] += 1
        self.counts[found.rule.id, Found.WITHOUT_TIMER] += is_new
        self.counts[found.rule.id, Found.RE_ADDED] += self._is_re_added(found)

    def _is_re_added(self, found: Finding) -> bool:
        """Whether fields are back. The ledger first, then the fields: a purge may be at it just now."""
        if not isinstance(found.decision, Erase):
            return False
        due = found.decision.due

        def is_back() -> bool:
            erased = self.ports.ledger.has_erased(found.record, found.rule.id, since=due)
            return erased and self._has_fields(found)

        return self._ask("evidence", found.record, is_back)

    def _ask(self, about: str, record: RecordRef, question: Callable[[], bool]) -> bool:
        """Ask, unless the like was not answered too often. Without an answer, False."""
        if len(self._unanswered[about]) >= UNANSWERED:
            return False
        try:
            return question()
        except CallFailedError as error:
            self.failures.append(error.code)
            if error.code not in POISON:
                self._unanswered[about].add(record)
            return False

    def _has_fields(self, found: Finding) -> bool:
        return self.ports.records.has_fields(found.record, found.rule.erase)
