"""Settling one timer: look, decide, erase under guard. The only path on which a field is erased."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Protocol

from shared.evidence import Entry, Outcome
from shared.look import FactsToRead, RecordsToLookAt, look_at
from shared.policy import Policy, Rule
from shared.record import Path, RecordRef, View
from shared.retention import Erase, Wait, Why, decide
from shared.tally import Count, Tally
from shared.timer import Timer

TRIES = 3
"""How often a refused erase looks and decides again before the timer is put off."""


class RecordsToErase(RecordsToLookAt, Protocol):
    """The business tables, for the purge."""

    def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
        """Remove the rule's fields, guarded by "what the view saw is still so".

        Returns the paths that DynamoDB acknowledged as removed: all of them, none if the guard refused, or
        some where a path's parent is missing.
        """

    def has_personal_fields(self, rule: Rule, record: RecordRef) -> bool:
        """Whether any of the rule's fields is on the record, asked without reading them."""


@dataclass
class Allowance:
    """How many erasures are left in this run; shared by its workers."""

    left: int | None
    _lock: Lock = field(default_factory=Lock)

    @property
    def spent(self) -> bool:
        """Whether the run has to halt."""
        return self.left == 0

    def take(self) -> bool:
        """Take one, if there is one."""
        with self._lock:
            if self.left is None:
                return True
            if self.left == 0:
                return False
            self.left -= 1
            return True


@dataclass(frozen=True)
class Settling:
    """What settling a timer needs to know."""

    policy: Policy
    records: RecordsToErase
    facts: FactsToRead
    clock: Callable[[], datetime]
    cause: str
    allowance: Allowance


@dataclass(frozen=True)
class Settled:
    """What became of a timer: evidence, a later timer, or both. `stands` leaves the timer as it is."""

    timer: Timer
    entries: tuple[Entry, ...] = ()
    later: Timer | None = None
    failure: str = ""
    stands: bool = False

    @property
    def erased(self) -> bool:
        """Whether the timer has done its work."""
        return self.later is None and any(entry.outcome is Outcome.ERASED for entry in self.entries)


def settle(timer: Timer, rule: Rule, view: View, settling: Settling, tally: Tally) -> Settled:
    """Decide about one timer's record, and carry it out.

    Args:
        timer: a timer that is ready.
        rule: its rule.
        view: what a look just saw.
        settling: what to work on.
        tally: where it is counted.

    Raises:
        CallFailedError: a call failed; the timer is to be put off.
    """
    return _Case(timer, rule, settling, tally).settle(view)


def rule_removed(timer: Timer, settling: Settling, tally: Tally) -> Settled:
    """Settle a timer whose rule is gone from the policy, or is no longer about its record."""
    return _Case(timer, None, settling, tally).drop(Why.RULE_REMOVED)


@dataclass(frozen=True)
class _Case:
    """One timer, while it is being settled. `removed` is what DynamoDB acknowledged so far."""

    timer: Timer
    rule: Rule | None
    settling: Settling
    tally: Tally
    removed: set[Path] = field(default_factory=set)

    def settle(self, view: View) -> Settled:
        rule = self.rule
        if rule is None:
            return self.drop(Why.RULE_REMOVED)
        for _ in range(TRIES):
            decision = decide(rule, view, self.settling.clock())
            if not isinstance(decision, Erase):
                return self._wait(decision) if isinstance(decision, Wait) else self.drop(decision.why)
            if not self.settling.allowance.take():
                return Settled(self.timer, self._evidence_so_far(), stands=True)
            self.removed.update(self.settling.records.erase(rule, self.timer.record, view))
            if self.removed.issuperset(rule.erase):
                return self._erased(decision)
            # Refused, or a field's parent is missing: the truth has changed, or was never there.
            view = look_at([(rule, self.timer.record)], self.settling.records, self.settling.facts)[
                self.timer.record
            ]
            still_due = isinstance(decide(rule, view, self.settling.clock()), Erase)
            if still_due and not self._has_personal_fields(rule):
                return self._erased(decision)
        later = self.timer.backed_off(self.settling.clock())
        return Settled(self.timer, self._evidence_so_far(), later, failure="Contended")

    def _wait(self, decision: Wait) -> Settled:
        held = decision.why is Why.HELD
        self.tally.add(Count.HELD if held else Count.WAITING)
        later = self.timer.moved(decision.until, due=self.timer.due if held else decision.until)
        stands = later.sort_key == self.timer.sort_key
        return Settled(self.timer, self._evidence_so_far(), None if stands else later, stands=stands)

    def drop(self, why: Why) -> Settled:
        """End without erasing, with evidence of the reason."""
        match why:
            case Why.RECORD_ABSENT:
                self.tally.add(Count.RECORD_ABSENT)
                entry = self._entry(Outcome.RECORD_ABSENT)
            case Why.OBSERVED:
                entry = self._observed()
            case _:
                self.tally.drop(why)
                entry = self._entry(Outcome.DROPPED, reason=why.value)
        return Settled(self.timer, (*self._evidence_so_far(), entry))

    def _observed(self) -> Entry:
        """A rule that only observes reports what it would have erased."""
        if self.rule and not self._has_personal_fields(self.rule):
            self.tally.add(Count.ALREADY_ABSENT)
            return self._entry(Outcome.ALREADY_ABSENT, self.rule.erase)
        self.tally.add(Count.OBSERVED)
        return self._entry(Outcome.OBSERVED, self.rule.erase if self.rule else ())

    def _erased(self, decision: Erase) -> Settled:
        """End with nothing left to erase; where nothing was there to be removed, the cause is unknown."""
        if not self.removed:
            self.tally.add(Count.ALREADY_ABSENT)
            entry = self._entry(
                Outcome.ALREADY_ABSENT, self.rule.erase if self.rule else (), due=decision.due
            )
            return Settled(self.timer, (entry,))
        self.tally.seconds_to_erase.append((self.settling.clock() - decision.due).total_seconds())
        return Settled(self.timer, self._evidence_so_far(decision.due))

    def _evidence_so_far(self, due: datetime | None = None) -> tuple[Entry, ...]:
        """Evidence of what DynamoDB acknowledged as removed, even if the decision changed on the way."""
        if not self.removed:
            return ()
        self.tally.add(Count.ERASED)
        return (self._entry(Outcome.ERASED, tuple(sorted(self.removed)), due=due),)

    def _has_personal_fields(self, rule: Rule) -> bool:
        return self.settling.records.has_personal_fields(rule, self.timer.record)

    def _entry(
        self,
        outcome: Outcome,
        fields: tuple[Path, ...] = (),
        *,
        reason: str = "",
        due: datetime | None = None,
    ) -> Entry:
        return Entry(
            record=self.timer.record.text,
            rule=self.timer.rule,
            clause=self.rule.clause if self.rule else "",
            due=due or self.timer.due,
            at=self.settling.clock(),
            fields=fields,
            outcome=outcome,
            reason=reason,
            cause=self.settling.cause,
            policy=self.settling.policy.digest,
        )
