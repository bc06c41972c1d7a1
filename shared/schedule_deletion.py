"""Use case: an event says when the clock of a record started, or that it stopped."""

from dataclasses import dataclass, replace
from datetime import datetime

from shared.contract import Told
from shared.evidence import Outcome
from shared.facts import CANCELS, Facts
from shared.look import RecordsToLookAt, look_at
from shared.policy import Rule, Trigger
from shared.record import RecordRef, View
from shared.retention import Drop, Why, due_from, due_instant
from shared.tally import Count, Tally
from shared.telling import FactsToChange, Telling, tell
from shared.timer import Timer
from shared.waking import TimersToPut, WakeUps, ensure_wake_up


@dataclass(frozen=True)
class Ports:
    """What this use case works on."""

    records: RecordsToLookAt
    facts: FactsToChange
    timers: TimersToPut
    wake_ups: WakeUps


def schedule_deletion(told: Told, telling: Telling, ports: Ports) -> Tally:
    """Keep what an event tells, and set a timer for each rule that it starts.

    In this order: fact, timer, wake-up. A crash between any two leaves the event to be delivered again, which
    changes nothing that is there already.

    Args:
        told: a validated event.
        telling: by which policy, and when.
        ports: what to work on.

    Raises:
        RefusedError: the event's fields make no valid key; nothing was written.
        CallFailedError: a call failed; the event is to be delivered again.
    """
    tally, now = Tally(), telling.now
    looks = [(rule, told.record(rule)) for rule in telling.policy.triggered_by(told.trigger)]
    if not looks:
        tally.add(Count.NO_RULE)
    for rule, record in looks:
        view = look_at([(rule, record)], ports.records, ports.facts)[record]
        if not view.exists:
            tally.add(Count.UNKNOWN_RECORD)
        if _only_told(told, rule, view):
            view = replace(view, facts=_tell(told, record, view, telling, ports.facts))
            tally.add(Count.FACTS)
        due = _due(told, rule, view, now)
        if isinstance(due, Drop):
            tally.drop(due.why)
        else:
            ports.timers.put([Timer(record, rule.id, at=due, due=due)])
            tally.add(Count.TIMERS)
            ensure_wake_up(ports.wake_ups, due, now, tally)
    return tally


def _tell(told: Told, record: RecordRef, view: View, telling: Telling, facts: FactsToChange) -> Facts | None:
    """Keep what only this event knows; what is known about the record afterwards."""
    entry = telling.entry(Outcome.TOLD, record, kind=told.kind.value, instant=told.instant)
    return tell(record, lambda known: known.told(told.kind, told.instant), entry, facts) or view.facts


def _only_told(told: Told, rule: Rule, view: View) -> bool:
    """Whether only this event knows the instant: of departures always, else where the record does not say."""
    own_anchor = view.value(rule.anchor.attribute) if rule.anchor.attribute else None
    return told.trigger is Trigger.LEAVER or (own_anchor is None and rule.anchor.fact is not None)


def _due(told: Told, rule: Rule, view: View, now: datetime) -> datetime | Drop:
    """When to look at the record: when it is due, as far as is known.

    A rule that counts by the record's own anchor alone may meet a record that has none yet. Then the event
    says when to look, though not what to erase by.
    """
    due = due_instant(rule, view, now)
    starts_the_clock = told.kind not in CANCELS.values()
    if due == Drop(Why.NO_ANCHOR) and rule.anchor.fact is None and starts_the_clock:
        return due_from(rule, told.instant, now)
    return due
