"""What a page of a scan leads to: timers, wake-ups, hold marks put right, reminders; and counts by rule."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Protocol

from shared.facts import Facts
from shared.finding import (
    FactsPage,
    FactsToScan,
    Finding,
    RecordsPage,
    RecordsToScan,
    Scanned,
    findings,
    needs_facts,
    rules_by_facts,
    view_of,
)
from shared.hold_mark import right_mark
from shared.instants import DAY, add
from shared.look import Item
from shared.outgoing import ContractEvent, EventBus, hold_expiring, mark_outdated
from shared.policy import Policy
from shared.purge_due import GRACE
from shared.record import HOLD_MARK, RecordRef, View
from shared.retention import Drop, Erase, Wait, Why
from shared.tally import Count, Tally
from shared.timer import Timer
from shared.waking import TimersToPut, WakeUps, ensure_wake_up

EVERY = DAY
"""How often a sweep begins."""
HORIZON = 2 * EVERY
"""How far ahead timers are set: until the next sweep, and as long again, should that one be late."""
EXPIRES_SOON = timedelta(days=14)
"""How long before its end a hold is reminded of, daily."""


class Found(StrEnum):
    """What is counted by rule."""

    OVERDUE = "overdue"
    WITHOUT_TIMER = "without_timer"
    RE_ADDED = "re_added"
    NO_ANCHOR = "no_anchor"
    IMPLAUSIBLE = "implausible"
    HELD = "held"
    WAITING = "waiting"
    OBSERVED = "observed"


type Counts = Counter[tuple[str, Found]]


class TimersToSet(TimersToPut, Protocol):
    """The Due table, for the sweep."""

    def missing(self, timers: Collection[Timer]) -> Sequence[Timer]:
        """Those of these timers that do not stand."""


class PastErasures(Protocol):
    """The ledger, for the sweep."""

    def has_erased(self, record: RecordRef, rule_id: str) -> bool:
        """Whether the record was erased by this rule before."""


class FactsToSweep(FactsToScan, Protocol):
    """The Facts table, for the sweep."""

    def forget(self, record: RecordRef, facts: Facts) -> None:
        """Remove facts that nothing can use any more, if they are as read."""


@dataclass(frozen=True)
class Ports:
    """What the sweep works on."""

    records: RecordsToScan
    facts: FactsToSweep
    timers: TimersToSet
    wake_ups: WakeUps
    ledger: PastErasures
    bus: EventBus


@dataclass
class Pages:
    """Works pages at one instant, and counts."""

    policy: Policy
    ports: Ports
    now: datetime
    counts: Counts = field(default_factory=Counter)
    tally: Tally = field(default_factory=Tally)

    def work_records(self, scanned: Scanned, page: RecordsPage) -> None:
        """Records that have personal fields, of a table whose rules find the anchor on the record."""
        rules, until = scanned.rules, add(self.now, HORIZON)
        wanted = [r for r, item in page.items.items() if needs_facts(item, rules, until, self.now)]
        told = self.ports.facts.read(wanted)
        views = {record: view_of(item, rules, told.get(record)) for record, item in page.items.items()}
        found = [each for record in views for each in findings(record, rules, views[record], self.now)]
        for each in found:
            self._count_unanchored(each)
        # One rule's fields are those that the filter saw; of several, somebody has to ask whose they are.
        self._set_timers(found, seen=len(rules) == 1)
        self._tell([mark_outdated(record) for record in views if self._is_outdated(views[record])])

    def work_facts(self, page: FactsPage) -> None:
        """Records that something was told about, for rules that find their anchor in Facts alone."""
        found: list[Finding] = []
        news: list[ContractEvent] = []
        items = self._look(page.facts)
        for record, facts in page.facts.items():
            rules = rules_by_facts(self.policy, record)
            view = view_of(items.get(record), rules, facts)
            found += findings(record, rules, view, self.now)
            news += self._reminders(record, facts)
            if self._is_outdated(view):
                news.append(mark_outdated(record))
            if not view.exists and add(facts.last_instant(), self.policy.ledger_retain) < self.now:
                self.ports.facts.forget(record, facts)
        self._set_timers(found, seen=False)
        self._tell(news)
        self.tally.add(Count.UNREADABLE, page.unreadable)

    def _look(self, told: Mapping[RecordRef, Facts]) -> Mapping[RecordRef, Item]:
        """The records themselves, table by table; of tables that the policy does not know, none."""
        items: dict[RecordRef, Item] = {}
        known = sorted((record for record in told if self.policy.about(record)), key=lambda each: each.table)
        for table, records in groupby(known, key=lambda each: each.table):
            paths = {path for rule in self.policy.rules_of(table) for path in rule.view_paths}
            items |= self.ports.records.look(list(records), paths)
        return items

    def _set_timers(self, found: Iterable[Finding], *, seen: bool) -> None:
        """Timers for all that there is to do before the next sweep, where none stands; then wake-ups."""
        to_do = {timer: each for each in found for timer in self._to_do(each, seen=seen)}
        missing = self.ports.timers.missing(list(to_do)) if to_do else []
        for timer in missing:
            self._count_missing(to_do[timer])
        if missing:
            self.ports.timers.put(missing)
        for timer in missing:
            ensure_wake_up(self.ports.wake_ups, timer.at, self.now, self.tally)

    def _to_do(self, found: Finding, *, seen: bool) -> Iterator[Timer]:
        """The timer that a finding should have, if it is for the time before the next sweep."""
        record, rule = found.record, found.rule
        if rule.on_request and found.view.facts and found.view.facts.open_requests():
            at: datetime | None = found.at or self.now  # whatever becomes of it, somebody waits for an answer
        elif not self._is_near(found) or not (seen or self.ports.records.has_fields(record, rule.erase)):
            return
        else:
            at = found.at
            self._count_near(found)
        if at is not None and at <= add(self.now, HORIZON):
            yield Timer(record, rule.id, at=at, due=at)

    def _is_near(self, found: Finding) -> bool:
        """Whether there is something to do, or to report, before the next sweep."""
        if isinstance(found.decision, Drop):
            return found.decision.why is Why.OBSERVED
        if isinstance(found.decision, Wait) and found.decision.why is Why.HELD:
            return True
        near = found.at is not None and found.at <= add(self.now, HORIZON)
        if not near:
            self._count(found, Found.WAITING)
        return near

    def _count_near(self, found: Finding) -> None:
        match found.decision:
            case Erase(due) if due + GRACE <= self.now:
                self._count(found, Found.OVERDUE)
            case Wait(_, Why.HELD):
                self._count(found, Found.HELD)
            case Wait():
                self._count(found, Found.WAITING)
            case Drop():
                self._count(found, Found.OBSERVED)

    def _count_unanchored(self, found: Finding) -> None:
        """A record with personal fields that no clock runs for."""
        match found.decision:
            case Drop(Why.NO_ANCHOR):
                self._count(found, Found.NO_ANCHOR)
            case Drop(Why.IMPLAUSIBLE):
                self._count(found, Found.IMPLAUSIBLE)

    def _count_missing(self, found: Finding) -> None:
        """A timer that was lost, or that nobody ever set; or fields that came back after they were erased."""
        self._count(found, Found.WITHOUT_TIMER)
        due = isinstance(found.decision, Erase)
        if due and self.ports.ledger.has_erased(found.record, found.rule.id):
            self._count(found, Found.RE_ADDED)

    def _count(self, found: Finding, what: Found) -> None:
        self.counts[found.rule.id, what] += 1

    def _is_outdated(self, view: View) -> bool:
        """Whether the record's hold mark is not as it should be."""
        seen = view.value(HOLD_MARK)
        return view.exists and right_mark(view.facts, seen, self.now) != seen

    def _reminders(self, record: RecordRef, facts: Facts) -> Iterator[ContractEvent]:
        """Of holds that will lapse soon."""
        for hold in facts.in_force(self.now):
            if hold.until is not None and hold.until <= add(self.now, EXPIRES_SOON):
                self.tally.add(Count.HOLDS_EXPIRING)
                yield hold_expiring(record, hold, hold.until)

    def _tell(self, news: Sequence[ContractEvent]) -> None:
        if news:
            self.ports.bus.put(news)
