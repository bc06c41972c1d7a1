"""Timing a record anew: a timer for each of its rules, for when there is something to do."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from shared.look import FactsToRead, RecordsToLookAt, look_at
from shared.policy import Policy, Rule
from shared.record import RecordRef, View
from shared.retention import Drop, Erase, decide
from shared.tally import Count, Tally
from shared.timer import Timer
from shared.waking import TimersToPut, WakeUps, ensure_wake_up


@dataclass(frozen=True)
class Timing:
    """What a record is looked at and timed with."""

    records: RecordsToLookAt
    facts: FactsToRead
    timers: TimersToPut
    wake_ups: WakeUps

    def time_anew(self, record: RecordRef, policy: Policy, now: datetime) -> Tally:
        """Look at a record, and set a timer for each rule that it waits for; then the wake-ups.

        Timers that stand for other instants stay: they are hints, and their looks will find what is so then.
        """
        tally = Tally()
        rules = policy.about(record)
        if not rules:
            return tally
        view = look_at([(rule, record) for rule in rules], self.records, self.facts)[record]
        set_anew = list(timers_for(record, rules, view, now))
        if set_anew:
            self.timers.put(set_anew)
        tally.add(Count.TIMERS, len(set_anew))
        for timer in set_anew:
            ensure_wake_up(self.wake_ups, timer.at, now, tally)
        return tally


def timers_for(record: RecordRef, rules: Iterable[Rule], view: View, now: datetime) -> Iterator[Timer]:
    """The timers that a record should have, as it was just seen."""
    for rule in rules:
        decision = decide(rule, view, now)
        if isinstance(decision, Drop):
            continue
        at = decision.due if isinstance(decision, Erase) else decision.until
        yield Timer(record, rule.id, at=at, due=at)
