"""The heart: what is to be done about a record now. Pure and total: no I/O, no clock, no environment."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from shared.facts import Facts
from shared.hold_mark import mark_until
from shared.instants import (
    DAY,
    LAST,
    MINUTE,
    SECOND,
    AnchorFormat,
    UnreadableInstantError,
    add,
    ceil,
    end_of_day,
    parse,
)
from shared.policy import Anchor, Counting, Merge, Mode, Rule
from shared.record import HOLD_MARK, View, WireValue

SKEW = timedelta(seconds=5)
"""How far the clocks of our functions may differ. Decisions look at `now - SKEW`."""
LEAD = timedelta(seconds=20)
"""How far ahead a wake-up is set at least: a schedule in the past would never fire."""
PLAUSIBLE_AHEAD = DAY
"""An anchor further ahead than this was mistyped or forged."""
GRACE = timedelta(minutes=15)
"""A field that is still there so long after it was due is overdue."""
LOOK_AGAIN = DAY
"""How long before a hold whose end cannot be read is looked at again: then at midnight, so that all of a
record's timers become one."""


class Why(StrEnum):
    """The reason for a decision; in metrics and in evidence."""

    NOT_DUE = "not_due"
    HELD = "held"
    RECORD_ABSENT = "record_absent"
    NO_MATCH = "no_match"
    NO_ANCHOR = "no_anchor"
    CANCELLED = "cancelled"
    IMPLAUSIBLE = "implausible"
    OBSERVED = "observed"
    RULE_REMOVED = "rule_removed"


@dataclass(frozen=True)
class Erase:
    """The fields are due, and nothing holds them."""

    due: datetime


@dataclass(frozen=True)
class Wait:
    """Not now: look again at that instant."""

    until: datetime
    why: Why


@dataclass(frozen=True)
class Drop:
    """Nothing to be done about this record, as it stands."""

    why: Why


def decide(rule: Rule, view: View, now: datetime) -> Erase | Wait | Drop:
    """Decide what the purge does about a record.

    Args:
        rule: the promise.
        view: what a look at the record and its facts just saw.
        now: an aware UTC instant.
    """
    if not view.exists:
        return Drop(Why.RECORD_ABSENT)
    due = due_instant(rule, view, now)
    if isinstance(due, Drop):
        return due
    certainly_now = add(now, -SKEW)
    if due > certainly_now:
        return Wait(due, Why.NOT_DUE)
    held_until = _held_until(view, certainly_now)
    if held_until is not None:
        return Wait(held_until, Why.HELD)
    if rule.mode is Mode.OBSERVE:
        return Drop(Why.OBSERVED)
    return Erase(due)


def due_instant(rule: Rule, view: View, now: datetime) -> datetime | Drop:
    """When the fields are due, as a whole second of UTC; or why the rule is not about this record.

    A record that does not exist yet is taken to match: its facts alone decide.
    """
    if view.exists and not _matches(rule, view):
        return Drop(Why.NO_MATCH)
    anchor = _effective_anchor(rule, view)
    if isinstance(anchor, Drop):
        return anchor
    return due_from(rule, anchor, now)


def due_from(rule: Rule, anchor: datetime, now: datetime) -> datetime | Drop:
    """When the fields are due if the clock started at this instant."""
    if not rule.not_before <= anchor <= add(now, PLAUSIBLE_AHEAD):
        return Drop(Why.IMPLAUSIBLE)
    return ceil(_end_of_retention(rule, anchor), SECOND)


def wake_up_minute(at: datetime, now: datetime) -> datetime:
    """The minute whose wake-up serves a timer: late enough for the purge to be certain, and well ahead."""
    return min(ceil(max(add(at, SKEW), add(now, LEAD)), MINUTE), LAST.replace(second=0, microsecond=0))


def _matches(rule: Rule, view: View) -> bool:
    return all(_same(view.value(path), wanted) for path, wanted in rule.match.items())


def _same(found: WireValue | None, wanted: WireValue) -> bool:
    if found is not None and "N" in found and "N" in wanted:
        return Decimal(found["N"]) == Decimal(wanted["N"])
    return found == wanted


def _effective_anchor(rule: Rule, view: View) -> datetime | Drop:
    """The record's own anchor, if it has one, wins outright; facts count only where it has none."""
    anchor = rule.anchor
    own = view.value(anchor.attribute) if anchor.attribute else None
    if own is None:
        return _merged(anchor, view.facts or Facts(), rule.not_before)
    try:
        return parse(_anchor_text(own, anchor.format), anchor.format, anchor.zone)
    except UnreadableInstantError:
        return Drop(Why.IMPLAUSIBLE)


def _anchor_text(value: WireValue, anchor_format: AnchorFormat) -> str:
    """The text of an anchor: numbers may count an epoch, anything else is written as a string."""
    types = ("N", "S") if anchor_format in {AnchorFormat.EPOCH_SECONDS, AnchorFormat.EPOCH_MILLIS} else ("S",)
    text = next((value[each] for each in types if each in value), None)
    if not isinstance(text, str):
        raise UnreadableInstantError(anchor_format.value)
    return text


def _merged(anchor: Anchor, facts: Facts, not_before: datetime) -> datetime | Drop:
    """Of all instants after the last cancel, the one that counts; a tie with the cancel is cancelled."""
    told = facts.of(anchor.fact)
    cancelled_until = max(facts.of(anchor.cancel), default=None)
    standing = {each for each in told if cancelled_until is None or each > cancelled_until}
    if not standing:
        return Drop(Why.CANCELLED if cancelled_until else Why.NO_ANCHOR)
    # One absurd date that somebody sent must not keep a contact's fields for ever: it counts only if alone.
    plausible = {each for each in standing if each >= not_before} or standing
    return max(plausible) if anchor.merge is Merge.LATEST else min(plausible)


def _end_of_retention(rule: Rule, anchor: datetime) -> datetime:
    if rule.counting is Counting.ELAPSED:
        return add(anchor, rule.retain)
    try:
        return end_of_day(anchor.astimezone(rule.zone).date() + rule.retain, rule.zone)
    except OverflowError:
        return LAST


def _held_until(view: View, certainly_now: datetime) -> datetime | None:
    """The end of the last hold in force, in Facts or on the record; `None` if there is none.

    A hold without a readable end is in force.
    """
    ends = [hold.until for hold in view.facts.in_force(certainly_now)] if view.facts else []
    mark = view.value(HOLD_MARK)
    if mark is not None:
        ends.append(mark_until(mark))
    look_again = ceil(add(certainly_now, LOOK_AGAIN), DAY)
    known_ends = [look_again if end is None else end for end in ends]
    return max((end for end in known_ends if end > certainly_now), default=None)
