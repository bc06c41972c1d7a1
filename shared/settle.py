"""Settling one timer: look, decide, erase under guard. The only path on which a field is erased."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.allowance import Allowance
from shared.evidence import Entry, Outcome
from shared.failure import code_of
from shared.look import FactsToRead, RecordsToLookAt, look_at
from shared.policy import Policy, Rule
from shared.record import Path, RecordRef, View
from shared.retention import Drop, Erase, Wait, Why, decide
from shared.tally import Count, Tally
from shared.telling import Telling
from shared.timer import Timer

TRIES = 3
"""How often a refused erase looks and decides again before the timer is put off."""
TRIES_OF_UNKNOWN_RULES = 6
"""How often a timer of an unknown rule is put off before it is dropped: three quarters of an hour in all."""


class RecordsToErase(RecordsToLookAt, Protocol):
    """The business tables, for the purge."""

    def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
        """Remove the rule's fields, guarded by "what the view saw is still so".

        Returns the paths that DynamoDB acknowledged as removed: all of them, none if the guard refused, or
        some where a path's parent is missing, or where a failure came between two paths.
        """

    def has_fields(self, record: RecordRef, paths: Collection[Path]) -> bool:
        """Whether any of the fields is on the record, asked without reading them."""


@dataclass(frozen=True)
class Settling:
    """What settling a timer needs to know."""

    policy: Policy
    records: RecordsToErase
    facts: FactsToRead
    clock: Callable[[], datetime]
    cause: str
    allowance: Allowance

    @property
    def telling(self) -> Telling:
        """As of now."""
        return Telling(self.policy, self.clock(), self.cause)

    def evidence(  # noqa: PLR0913 -- evidence has this many parts, and each call names those that differ
        self,
        timer: Timer,
        outcome: Outcome,
        *,
        clause: str = "",
        fields: tuple[Path, ...] = (),
        reason: str = "",
        due: datetime | None = None,
    ) -> Entry:
        """One line of evidence, as of now."""
        return Entry(
            record=timer.record.text,
            rule=timer.rule,
            clause=clause,
            due=due or timer.due,
            at=self.clock(),
            fields=fields,
            outcome=outcome,
            reason=reason,
            cause=self.cause,
            policy=self.policy.digest,
        )


@dataclass(frozen=True)
class Settled:
    """What became of a timer: evidence, a later timer, or both. If it `stands`, it stays as it is."""

    timer: Timer
    entries: tuple[Entry, ...] = ()
    later: Timer | None = None
    failure: str = ""
    stands: bool = False
    on_request: bool = False
    """Whether somebody asked for it, and waits for an answer."""

    @property
    def answer(self) -> Entry | None:
        """The evidence that answers a request, once it is settled: how it ended, not what went on the way."""
        if not (self.on_request and self.entries) or self.later or self.stands:
            return None
        last = self.entries[-1]
        return self.entries[0] if last.outcome is Outcome.ALREADY_ABSENT else last


def settle(timer: Timer, rule: Rule, view: View, settling: Settling, tally: Tally) -> Settled:
    """Decide about one timer's record, and carry it out.

    Never raises: a record that cannot be worked, for whatever reason, must not stop the others. Its timer is
    put off, and the failure's code is in the result.

    Args:
        timer: a timer that is ready.
        rule: its rule.
        view: what a look just saw.
        settling: what to work on.
        tally: where it is counted.
    """
    case = _Case(timer, rule, settling, tally)
    try:
        return case.settle(view)
    except Exception as error:  # noqa: BLE001 -- as the docstring says; the run raises it in the end
        return case.put_off(code_of(error))


def rule_removed(timer: Timer, settling: Settling, tally: Tally) -> Settled:
    """Settle a timer whose rule is gone from the policy, or is no longer about its record.

    It is put off a few times first: while a new version is deployed, function by function, an old purge may
    meet the timers of a rule that it does not know yet.
    """
    if timer.attempts < TRIES_OF_UNKNOWN_RULES:
        tally.add(Count.WAITING)
        return Settled(timer, later=timer.backed_off(settling.clock()))
    tally.drop(Why.RULE_REMOVED)
    dropped = settling.evidence(timer, Outcome.DROPPED, reason=Why.RULE_REMOVED.value)
    # Whoever asked for an erasure that no rule carries out any more is told so.
    unserved = settling.policy.request_rule(timer.record.table) is None
    return Settled(timer, (dropped,), on_request=unserved)


@dataclass(frozen=True)
class _Case:
    """One timer, while it is being settled. `removed`: what DynamoDB acknowledged so far, and its due."""

    timer: Timer
    rule: Rule
    settling: Settling
    tally: Tally
    removed: dict[Path, datetime] = field(default_factory=dict)

    def settle(self, view: View) -> Settled:
        """Erase, wait or drop; if the guard refuses, look and decide again a few times."""
        decision = self._decide(view)
        for _ in range(TRIES):
            if isinstance(decision, Wait):
                return self._wait(decision)
            if isinstance(decision, Drop):
                return self._drop(decision.why)
            if not self._erase(view, decision.due):
                return self._end(stands=True)
            if self.removed.keys() >= set(self.rule.erase):
                return self._erased(decision)
            # Refused, or a field's parent is missing: the truth has changed, or was never there.
            view = look_at([(self.rule, self.timer.record)], self.settling.records, self.settling.facts)[
                self.timer.record
            ]
            decision = self._decide(view)
            if isinstance(decision, Erase) and not self._has_personal_fields():
                return self._erased(decision)
        return self.put_off("Contended")

    def put_off(self, code: str) -> Settled:
        """Try again later, with the due instant kept."""
        return self._end(later=self.timer.backed_off(self.settling.clock()), failure=code)

    def _decide(self, view: View) -> Erase | Wait | Drop:
        return decide(self.rule, view, self.settling.clock())

    def _erase(self, view: View, due: datetime) -> bool:
        """Erase what the guard lets; False if the run may erase no more."""
        allowance = self.settling.allowance
        if not allowance.take():
            return False
        removed = self.settling.records.erase(self.rule, self.timer.record, view)
        if not removed:
            allowance.give_back()
        self.removed.update(dict.fromkeys(removed, due))
        return True

    def _has_personal_fields(self) -> bool:
        return self.settling.records.has_fields(self.timer.record, self.rule.erase)

    def _erased(self, decision: Erase) -> Settled:
        """End with nothing left to erase; what was not there to be removed, others removed."""
        rest = tuple(path for path in self.rule.erase if path not in self.removed)
        absent = [self._entry(Outcome.ALREADY_ABSENT, rest, due=decision.due)] if rest else []
        if self.removed:
            # A timer that was moved to the end of a hold is expected then.
            late = self.settling.clock() - max(decision.due, self.timer.due)
            self.tally.seconds_to_erase.append(late.total_seconds())
        else:
            self.tally.add(Count.ALREADY_ABSENT)
        return self._end(*absent)

    def _wait(self, decision: Wait) -> Settled:
        held = decision.why is Why.HELD
        self.tally.add(Count.HELD if held else Count.WAITING)
        later = self.timer.moved(decision.until)
        return self._end(later=later, stands=later.sort_key == self.timer.sort_key)

    def _drop(self, why: Why) -> Settled:
        if why is Why.OBSERVED:
            return self._end(self._observed())
        if why is Why.RECORD_ABSENT:
            self.tally.add(Count.RECORD_ABSENT)
            return self._end(self._entry(Outcome.RECORD_ABSENT))
        self.tally.drop(why)
        return self._end(self._entry(Outcome.DROPPED, reason=why.value))

    def _observed(self) -> Entry:
        """A rule that only observes reports what it would have erased."""
        present = self._has_personal_fields()
        self.tally.add(Count.OBSERVED if present else Count.ALREADY_ABSENT)
        return self._entry(Outcome.OBSERVED if present else Outcome.ALREADY_ABSENT, self.rule.erase)

    def _end(
        self,
        *entries: Entry,
        later: Timer | None = None,
        failure: str = "",
        stands: bool = False,
    ) -> Settled:
        """What became of the timer, with evidence of all that was removed on the way."""
        if self.removed:
            self.tally.add(Count.ERASED)
            due = max(self.removed.values())
            erased = self._entry(Outcome.ERASED, tuple(sorted(self.removed)), due=due)
            entries = (erased, *entries)
        return Settled(self.timer, entries, later, failure, stands, self.rule.on_request)

    def _entry(
        self,
        outcome: Outcome,
        fields: tuple[Path, ...] = (),
        *,
        reason: str = "",
        due: datetime | None = None,
    ) -> Entry:
        clause = self.rule.clause
        return self.settling.evidence(
            self.timer, outcome, clause=clause, fields=fields, reason=reason, due=due
        )
