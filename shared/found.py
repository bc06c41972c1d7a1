"""What a sweep counts, by rule: what it found, never a record."""

from collections import Counter
from datetime import datetime
from enum import StrEnum

from shared.finding import Finding
from shared.instants import add
from shared.retention import GRACE, Drop, Erase, Wait, Why


class Found(StrEnum):
    """What is counted of records with personal fields.

    Where a table has several rules, a record counts as `waiting` or `no_anchor` for each that it matches:
    whose fields it has is asked only where there is something to do or to report.
    """

    OVERDUE = "overdue"
    WITHOUT_TIMER = "without_timer"
    """There is something to do soon, and no timer stood for it: an event never came, or a timer was lost."""
    RE_ADDED = "re_added"
    """Due, and erased before: somebody wrote the fields back."""
    NO_ANCHOR = "no_anchor"
    """No clock runs. Not counted where the anchor is only told: then, nobody has left yet."""
    IMPLAUSIBLE = "implausible"
    HELD = "held"
    WAITING = "waiting"
    """Not due, or too recently to be overdue."""
    OBSERVED = "observed"
    """Due, by a rule that only observes."""


type Counts = Counter[tuple[str, Found]]
"""By rule."""

TO_ASK = {Found.HELD, Found.OBSERVED, Found.IMPLAUSIBLE}
"""What is reported though nothing is to be done: worth asking whether the rule's own fields are there."""

_DROPPED = {
    Why.OBSERVED: Found.OBSERVED,
    Why.IMPLAUSIBLE: Found.IMPLAUSIBLE,
    Why.NO_ANCHOR: Found.NO_ANCHOR,
}


def what_is(finding: Finding, now: datetime) -> Found | None:
    """What a finding counts as; `None` if the rule does not concern the record."""
    match finding.decision:
        case Erase(due) if add(due, GRACE) <= now:
            return Found.OVERDUE
        case Wait(_, Why.HELD):
            return Found.HELD
        case Erase() | Wait():
            return Found.WAITING
        case Drop(Why.NO_ANCHOR) if not finding.rule.anchor.attribute:
            return None
        case Drop(why):
            return _DROPPED.get(why)
