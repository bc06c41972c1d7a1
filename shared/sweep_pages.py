"""What a page of a scan leads to: timers, news of hold marks, reminders; facts of no more use go."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from shared.facts import Facts
from shared.failure import CallFailedError
from shared.finding import (
    FactsPage,
    RecordsPage,
    Scanned,
    findings,
    needs_facts,
    rules_by_facts,
    view_of,
)
from shared.found import Counts
from shared.hold_mark import right_mark
from shared.instants import add
from shared.outgoing import ContractEvent, hold_expiring, mark_outdated
from shared.policy import OLDEST_BACKUP, Policy
from shared.readable import readable
from shared.record import HOLD_MARK, RecordRef, View
from shared.set_timers import SettingTimers
from shared.sweep_ports import Ports
from shared.tally import Count, Tally

EXPIRES_SOON = timedelta(days=14)
"""How long before its end a hold is reminded of, daily."""


class Pages:
    """Works pages at one instant, and counts. A page that comes twice changes nothing the second time.

    What is set comes before what is only counted or told: a bus or a ledger that is down delays no erasure.
    Then the page is worked again a few times, and done all the same; the failure's code is kept.
    """

    def __init__(self, policy: Policy, ports: Ports, now: datetime) -> None:
        """As of now."""
        self._policy, self._ports, self._now = policy, ports, now
        self.tally, self.failures = Tally(), list[str]()
        self._setting = SettingTimers(ports, now, self.tally, self.failures)

    @property
    def counts(self) -> Counts:
        """What was found, by rule."""
        return self._setting.counts

    def work_records(self, scanned: Scanned, page: RecordsPage) -> None:
        """Records that have personal fields, of a table whose rules find the anchor on the record.

        Raises:
            CallFailedError: a call failed; the page is to be worked again.
        """
        views = self._views(scanned, page)
        found = [
            each
            for record, view in views.items()
            for each in findings(record, scanned.rules_about(record), view, self._now)
        ]
        # One rule's fields are those that the filter saw; of several, somebody has to ask whose they are.
        self._setting.work(found, seen=len(scanned.rules) == 1)
        # If facts speak of a record, its mark is for the scan of Facts.
        self._tell_of_marks({record: view for record, view in views.items() if view.facts is None})

    def work_facts(self, page: FactsPage) -> None:
        """Records that something was told about, for rules that find their anchor in Facts alone.

        Raises:
            CallFailedError: as `work_records`.
        """
        views = self._look(page.facts)
        found = [
            each
            for record, view in views.items()
            for each in findings(record, rules_by_facts(self._policy, record), view, self._now)
        ]
        self._setting.work(found, seen=False)
        self._tell_of_marks(views)
        self._tell([each for record, facts in page.facts.items() for each in self._reminders(record, facts)])
        for record, view in views.items():
            if not view.exists and self._is_spent(page.facts[record]):
                self._ports.facts.forget(record, page.facts[record])
        self.tally.add(Count.UNREADABLE, page.unreadable)

    def _views(self, scanned: Scanned, page: RecordsPage) -> Mapping[RecordRef, View]:
        """The records of a page that a rule is about, with the facts that may matter."""
        now = self._now
        about = {record: rules for record in page.items if (rules := scanned.rules_about(record))}
        wanted = [
            record for record, rules in about.items() if needs_facts(page.items[record], rules, now, now)
        ]
        told, unreadable = readable(self._ports.facts.read, wanted)
        self.tally.add(Count.UNREADABLE, len(unreadable))
        return {
            record: view_of(page.items[record], rules, told.get(record))
            for record, rules in about.items()
            if record not in unreadable
        }

    def _look(self, told: Mapping[RecordRef, Facts]) -> Mapping[RecordRef, View]:
        """The records themselves, table by table. Of those that no rule is about, nothing is known."""
        views: dict[RecordRef, View] = {}
        known = sorted((record for record in told if self._policy.about(record)), key=lambda each: each.table)
        for table, records in groupby(known, key=lambda each: each.table):
            views |= self._look_at_table(table, list(records), told)
        return views

    def _look_at_table(
        self, table: str, records: Sequence[RecordRef], told: Mapping[RecordRef, Facts]
    ) -> Mapping[RecordRef, View]:
        paths = {path for rule in self._policy.rules_of(table) for path in rule.view_paths}
        items, unreadable = readable(lambda some: self._ports.records.look(some, paths), records)
        self.tally.add(Count.UNREADABLE, len(unreadable))
        return {
            record: view_of(items.get(record), rules_by_facts(self._policy, record), told[record])
            for record in records
            if record not in unreadable
        }

    def _tell_of_marks(self, views: Mapping[RecordRef, View]) -> None:
        """Of records whose hold mark is not as it should be: the sweep itself writes no records."""
        self._tell([mark_outdated(record) for record, view in views.items() if self._is_outdated(view)])

    def _is_outdated(self, view: View) -> bool:
        seen = view.value(HOLD_MARK)
        return view.exists and right_mark(view.facts, seen, self._now) != seen

    def _reminders(self, record: RecordRef, facts: Facts) -> Iterator[ContractEvent]:
        """Of holds that will lapse soon."""
        for hold in facts.in_force(self._now):
            if hold.until is not None and hold.until <= add(self._now, EXPIRES_SOON):
                self.tally.add(Count.HOLDS_EXPIRING)
                yield hold_expiring(record, hold, hold.until)

    def _is_spent(self, facts: Facts) -> bool:
        """Whether facts about a record that is gone can be of no use, not even after a restore.

        The last backup with fields that a fact is about is as old as their erasure, `retain` after the fact.
        """
        if facts.in_force(self._now):  # one whose end cannot be read has no instant
            return False
        last = facts.last_instant()
        needed_until = add(add(last, self._policy.longest_retain), OLDEST_BACKUP)
        return max(needed_until, add(last, self._policy.ledger_retain)) < self._now

    def _tell(self, news: Sequence[ContractEvent]) -> None:
        try:
            if news:
                self._ports.bus.put(news)
        except CallFailedError as error:
            self.failures.append(error.code)
