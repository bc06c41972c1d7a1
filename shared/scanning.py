"""Scans that only look: at the records that the sweep would find, page by page, with all that decides."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from shared.finding import (
    Cursor,
    FactsPage,
    FactsToScan,
    RecordsPage,
    RecordsToScan,
    Scanned,
    needs_facts,
    view_of,
)
from shared.instants import LAST
from shared.policy import Rule
from shared.readable import readable
from shared.record import RecordRef, View


@dataclass(frozen=True)
class Seen:
    """The records of a page. Of `scanned` rows or items, some were of no interest, and some `unreadable`."""

    views: Mapping[RecordRef, View]
    scanned: int
    unreadable: int


@dataclass(frozen=True)
class Scans:
    """What is looked at; neither of the two can write."""

    records: RecordsToScan
    facts: FactsToScan

    def of_table(self, of: Scanned, segment: int, now: datetime) -> Iterator[Seen]:
        """A segment's records that have personal fields of any of these rules.

        Raises:
            CallFailedError: a call failed.
        """
        for page in pages(partial(self.records.scan, of, segment)):
            about = {record: item for record, item in page.items.items() if of.rules_about(record)}
            wanted = [record for record, item in about.items() if needs_facts(item, of.rules, LAST, now)]
            told, unreadable = readable(self.facts.read, wanted)
            views = {
                record: view_of(item, of.rules, told.get(record))
                for record, item in about.items()
                if record not in unreadable
            }
            yield Seen(views, page.scanned, len(unreadable))

    def of_facts(self, rules: Sequence[Rule], segment: int) -> Iterator[Seen]:
        """A segment's records that something was told about, for these rules, whether they exist or not.

        Raises:
            CallFailedError: a call failed.
        """
        tables = dict.fromkeys(rule.table for rule in rules)
        for page in pages(partial(self.facts.scan, segment)):
            seen = [self._look([rule for rule in rules if rule.table == table], page) for table in tables]
            views = {record: view for each in seen for record, view in each.views.items()}
            yield Seen(views, page.scanned, page.unreadable + sum(each.unreadable for each in seen))

    def _look(self, rules: Sequence[Rule], page: FactsPage) -> Seen:
        wanted = [record for record in page.facts if any(rule.is_about(record) for rule in rules)]
        paths = {path for rule in rules for path in rule.view_paths}
        items, unreadable = readable(lambda some: self.records.look(some, paths), wanted)
        readable_ones = [record for record in wanted if record not in unreadable]
        views = {record: view_of(items.get(record), rules, page.facts[record]) for record in readable_ones}
        return Seen(views, 0, len(unreadable))


def pages[P: (RecordsPage, FactsPage)](scan: Callable[[Cursor | None], P]) -> Iterator[P]:
    """The pages of a segment to its end; `scan` takes where it goes on."""
    page = scan(None)
    yield page
    while page.following is not None:
        page = scan(page.following)
        yield page
