"""Use case: an event says when the clock of a record started, or that it stopped."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from shared.contract import Told
from shared.facts import FactKind, Facts
from shared.failure import CallFailedError
from shared.look import FactsToRead, RecordsToLookAt, look_at
from shared.policy import Policy, Rule, Trigger
from shared.record import RecordRef, View
from shared.retention import Drop, due_instant, wake_up_minute
from shared.tally import Count, Tally
from shared.timer import Timer


class FactsToTell(FactsToRead, Protocol):
    """The Facts table, for writing."""

    def tell(self, record: RecordRef, kind: FactKind, instant: datetime) -> Facts:
        """Keep an instant, and say all that is known now."""


class TimersToPut(Protocol):
    """The Due table, for writing."""

    def put(self, timers: Collection[Timer]) -> None:
        """Write timers; one that is there already is written again."""


class WakeUps(Protocol):
    """The purge's alarm clock."""

    def ensure(self, minute: datetime) -> None:
        """See to it that the purge is woken at this minute; that it is to be already is success."""


@dataclass(frozen=True)
class Ports:
    """What this use case works on."""

    records: RecordsToLookAt
    facts: FactsToTell
    timers: TimersToPut
    wake_ups: WakeUps


def schedule_deletion(told: Told, policy: Policy, ports: Ports, now: datetime) -> Tally:
    """Keep what an event tells, and set a timer for each rule that it starts.

    In this order: fact, timer, wake-up. A crash between any two leaves the event to be delivered again, which
    changes nothing that is there already.

    Args:
        told: a validated event.
        policy: the rules.
        ports: what to work on.
        now: an aware UTC instant.

    Raises:
        RefusedError: the event's fields make no valid key; nothing was written.
        CallFailedError: a call failed; the event is to be delivered again.
    """
    tally = Tally()
    looks = [(rule, told.record(rule)) for rule in policy.triggered_by(told.trigger)]
    if not looks:
        tally.add(Count.NO_RULE)
    for rule, record in looks:
        view = look_at([(rule, record)], ports.records, ports.facts)[record]
        if not view.exists:
            tally.add(Count.UNKNOWN_RECORD)
        if _only_told(told, rule, view):
            view = replace(view, facts=ports.facts.tell(record, told.kind, told.instant))
            tally.add(Count.FACTS)
        due = due_instant(rule, view, now)
        if isinstance(due, Drop):
            tally.drop(due.why)
        else:
            ports.timers.put([Timer(record, rule.id, at=due, due=due)])
            tally.add(Count.TIMERS)
            ensure_wake_up(ports.wake_ups, due, now, tally)
    return tally


def ensure_wake_up(wake_ups: WakeUps, at: datetime, now: datetime, tally: Tally) -> bool:
    """Have the purge woken for a timer; if that fails, the timer stands and the recurring purge serves it."""
    try:
        wake_ups.ensure(wake_up_minute(at, now))
    except CallFailedError:
        tally.add(Count.WAKE_UP_FAILED)
        return False
    return True


def _only_told(told: Told, rule: Rule, view: View) -> bool:
    """Whether only this event knows the instant: of departures always, else where the record does not say."""
    own_anchor = view.value(rule.anchor.attribute) if rule.anchor.attribute else None
    return told.trigger is Trigger.LEAVER or own_anchor is None
