"""What Lapse knows about one record, and what each rule means to it now. Never a personal field."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from lapse.answer import left, short
from lapse.controls import Controls
from shared.facts import Facts
from shared.failure import CallFailedError
from shared.hold_mark import mark_until
from shared.instants import add
from shared.ledger_batch import Kept
from shared.look import look_at
from shared.pausing import Pause
from shared.policy import Counting, Mode, Rule
from shared.record import HOLD_MARK, RecordRef, View
from shared.retention import SKEW, Drop, Erase, Wait, Why, decide, due_instant, wake_up_minute
from shared.timer import Timer

_DROPPED = {
    Why.RECORD_ABSENT: "there is no such record",
    Why.NO_MATCH: "not about this record: it does not match",
    Why.NO_ANCHOR: "no clock runs: nothing says when it began",
    Why.CANCELLED: "the clock was stopped",
    Why.IMPLAUSIBLE: "never: the anchor cannot be right",
    Why.OBSERVED: "due, but the rule only observes",
}


@dataclass(frozen=True)
class Meaning:
    """What one rule means to a record."""

    rule: Rule
    decision: Erase | Wait | Drop
    anchor: datetime | None
    """When the clock began, rounded up to a second; `None` if it did not."""
    due: datetime | None
    has_fields: bool
    """Whether any of the rule's fields is on the record."""

    def is_timed(self, timers: Iterable[Timer], now: datetime) -> bool:
        """Whether one of the record's timers looks at it for this rule: in time, or again after a failure."""
        by = self.decision.until if isinstance(self.decision, Wait) else now
        return any(each.rule == self.rule.id and (each.at <= by or each.attempts) for each in timers)

    def words(self, now: datetime, *, timed: bool = True) -> str:
        """What becomes of the record by this rule; `timed`: a timer stands for it, or is just being set."""
        later = "" if timed else "; no timer stands yet: a sweep sets one in time"
        match self.decision:
            case Drop(Why.NO_ANCHOR) if self.rule.on_request:
                return "nobody asked for it"
            case Drop(why):
                return _DROPPED.get(why, why.value)
            case _ if not self.has_fields:
                return "nothing to erase: its fields are gone"
            case Wait(until, Why.HELD):
                return f"held until {short(until)}{later}"
            case Wait(until):
                would = "would be" if self.rule.mode is Mode.OBSERVE else "to be"
                return f"{would} erased at {short(until)}, {left(until, now)} left{later}"
            case Erase(due):
                when = "by the next purge" if timed else "once a sweep sets its timer, for none stands"
                return f"to be erased {when}: due at {short(due)}"

    def as_json(self) -> dict[str, Any]:
        """The same, for programs."""
        decision = self.decision
        return {
            "rule": self.rule.id,
            "clause": self.rule.clause,
            "mode": self.rule.mode.value,
            "fields": [list(path) for path in self.rule.erase],
            "anchor": self.anchor,
            "due": self.due,
            "has_fields": self.has_fields,
            "decision": type(decision).__name__.lower(),
            "why": None if isinstance(decision, Erase) else decision.why.value,
            "until": decision.until if isinstance(decision, Wait) else None,
        }


@dataclass(frozen=True)
class Standing:
    """A timer of a record, and whether the purge is to be woken for it."""

    timer: Timer
    minute: datetime | None
    """Whose wake-up that is; `None` if it is over, and the recurring purge comes."""
    wakes: bool | None
    """`None` if it is not known."""

    @property
    def words(self) -> str:
        """What brings the purge."""
        if self.minute is None:
            return "the next purge"
        stands = {True: "stands", False: "is not there: the recurring purge comes", None: "is not known"}
        return f"the wake-up of {short(self.minute)} {stands[self.wakes]}"

    def as_json(self) -> dict[str, Any]:
        """The same, for programs."""
        return {
            "rule": self.timer.rule,
            "at": self.timer.at,
            "due": self.timer.due,
            "attempts": self.timer.attempts,
            "wake_up": self.minute,
            "wake_up_stands": self.wakes,
        }


@dataclass(frozen=True)
class Explanation:
    """All about one record."""

    record: RecordRef
    view: View
    meanings: Sequence[Meaning]
    pause: Pause | None
    evidence: Sequence[Kept]
    standing: Sequence[Standing]
    """Its timers, in order."""
    named_for: timedelta
    """How long evidence names its record."""

    @property
    def facts(self) -> Facts:
        """What was told."""
        return self.view.facts or Facts()

    @property
    def mark(self) -> dict[str, Any] | None:
        """The hold mark on the record: until when, as far as that can be read, and whose it is."""
        mark = self.view.value(HOLD_MARK)
        if mark is None:
            return None
        ours = mark.get("M", {}).get("by") == {"S": "lapse"}
        return {"until": mark_until(mark), "by": "lapse" if ours else "the business system"}


def explained(record: RecordRef, lapse: Controls, now: datetime) -> Explanation:
    """Look at a record for all its rules, and find its evidence.

    Raises:
        CallFailedError: a call failed.
    """
    pause = lapse.brake.read()
    # First: a purge that comes meanwhile takes the fields with the timer, and leaves evidence.
    timers = [_standing(each, lapse, now) for each in lapse.timers.of_record(record)]
    view, meanings = meant(record, lapse, now)
    standing = pause if pause and pause.in_force(now) else None
    evidence = lapse.ledger.entries_of(record)
    return Explanation(record, view, meanings, standing, evidence, timers, lapse.policy.names_retain)


def _standing(timer: Timer, lapse: Controls, now: datetime) -> Standing:
    if timer.at <= now:
        return Standing(timer, None, None)
    minute = wake_up_minute(timer.at, now)
    try:
        return Standing(timer, minute, lapse.wake_ups.stands(minute))
    except CallFailedError:  # most operators need no permission to look at schedules
        return Standing(timer, minute, None)


def meant(record: RecordRef, lapse: Controls, now: datetime) -> tuple[View, list[Meaning]]:
    """What was seen of a record, and what the purge would make of it by each of its rules."""
    rules = lapse.policy.about(record) or lapse.policy.rules_of(record.table)  # a hold may stand all the same
    view = look_at([(rule, record) for rule in rules], lapse.records, lapse.facts)[record]
    return view, meanings_of(view, record, lapse, now)


def meanings_of(view: View, record: RecordRef, lapse: Controls, now: datetime) -> list[Meaning]:
    """What the purge would make of a record that looks so, by each of its rules."""
    return [_meaning(rule, record, view, lapse, now) for rule in lapse.policy.about(record)]


def _meaning(rule: Rule, record: RecordRef, view: View, lapse: Controls, now: datetime) -> Meaning:
    at_once = replace(rule, retain=timedelta(0), counting=Counting.ELAPSED)
    has_fields = view.exists and lapse.records.has_fields(record, rule.erase)
    anchor, due = _instant(at_once, view, now), _instant(rule, view, now)
    return Meaning(rule, _foreseen(rule, view, now), anchor, due, has_fields)


def _foreseen(rule: Rule, view: View, now: datetime) -> Erase | Wait | Drop:
    """What the purge decides now; of what is not due yet, that a hold will keep it then."""
    decision = decide(rule, view, add(now, SKEW))
    if not (isinstance(decision, Wait) and decision.why is Why.NOT_DUE):
        return decision
    then = decide(rule, view, add(decision.until, SKEW))
    return then if isinstance(then, Wait) else decision


def _instant(rule: Rule, view: View, now: datetime) -> datetime | None:
    due = due_instant(rule, view, now)
    return None if isinstance(due, Drop) else due
