"""What a scan finds: records with personal fields, records that something was told about, and what is due."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.facts import Facts
from shared.instants import DAY
from shared.look import FactsToRead, Item, RecordsToLookAt
from shared.policy import Policy, Rule
from shared.record import HOLD_MARK, Path, RecordRef, View, at_path
from shared.retention import Drop, Erase, Wait, Why, decide, due_instant
from shared.timer import Timer

type Cursor = Mapping[str, Any]
"""Where a scan goes on: DynamoDB's last key."""

SEGMENTS = 4
"""Into how many parts a scan is divided, to be worked side by side."""
PAGE = 1000
"""Items that a scan goes through at a time, so that a page's memory and time are bounded."""

SWEPT_EVERY = DAY
"""How often a sweep begins."""
HORIZON = 2 * SWEPT_EVERY
"""How far ahead timers are set: until the next sweep, and as long again, should that one be late."""


@dataclass(frozen=True)
class RecordsPage:
    """Some records that have personal fields, each with those of the looked-for paths that it has."""

    items: Mapping[RecordRef, Item]
    following: Cursor | None
    scanned: int
    """How many items DynamoDB went through, with those that have no personal field."""
    units: float
    """Read units used."""


@dataclass(frozen=True)
class FactsPage:
    """Some records that something was told about."""

    facts: Mapping[RecordRef, Facts]
    following: Cursor | None
    scanned: int
    units: float
    unreadable: int = 0
    """Rows that say nothing that can be understood."""


class RecordsToScan(RecordsToLookAt, Protocol):
    """The business tables, for scans."""

    def scan(self, of: "Scanned", segment: int, after: Cursor | None) -> RecordsPage:
        """A page of a segment; the filter tests the fields' existence, and none is ever read."""

    def has_fields(self, record: RecordRef, paths: Collection[Path]) -> bool:
        """Whether any of the fields is on the record, asked without reading them."""

    def about_how_many(self, table: str) -> int:
        """Roughly how many items a table has."""


class FactsToScan(FactsToRead, Protocol):
    """The Facts table, for scans."""

    def scan(self, segment: int, after: Cursor | None) -> FactsPage:
        """A page of a segment."""


@dataclass(frozen=True)
class Scanned:
    """One table, scanned once for all its rules that find their anchor on the record."""

    table: str
    rules: tuple[Rule, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The key's attributes."""
        return tuple(self.rules[0].key)

    @property
    def fields(self) -> tuple[Path, ...]:
        """Whose existence is asked for."""
        return tuple(dict.fromkeys(path for rule in self.rules for path in rule.erase))

    @property
    def paths(self) -> tuple[Path, ...]:
        """What is looked at."""
        return tuple(dict.fromkeys(path for rule in self.rules for path in rule.view_paths))

    def rules_about(self, record: RecordRef) -> tuple[Rule, ...]:
        """The rules that are about a record: one table may hold records of several kinds."""
        return tuple(rule for rule in self.rules if rule.is_about(record))


def scanned_tables(policy: Policy) -> tuple[Scanned, ...]:
    """The tables that are scanned; where all anchors are facts, the scan of Facts finds all there is."""
    rules = [rule for rule in policy.rules if rule.anchor.attribute]
    tables = dict.fromkeys(rule.table for rule in rules)
    return tuple(Scanned(table, tuple(rule for rule in rules if rule.table == table)) for table in tables)


def rules_by_facts(policy: Policy, record: RecordRef) -> tuple[Rule, ...]:
    """The rules about a record that find their anchor in Facts alone."""
    return tuple(rule for rule in policy.about(record) if not rule.anchor.attribute)


@dataclass(frozen=True)
class Finding:
    """A record, a rule about it, and what is to be done."""

    record: RecordRef
    rule: Rule
    view: View
    decision: Erase | Wait | Drop

    @property
    def is_asked_for(self) -> bool:
        """Whether somebody asked for it and waits for an answer, whatever becomes of it."""
        return self.rule.on_request and bool(self.view.facts and self.view.facts.open_requests())

    def timer(self, now: datetime, until: datetime) -> Timer | None:
        """The timer that it should have, if there is something to do until then.

        It is the very timer that an event or the purge would set. One that stands at another instant, put off
        after a failure, does no harm beside it.
        """
        at = self._at(now)
        return None if at is None or at > until else Timer(self.record, self.rule.id, at=at, due=at)

    def _at(self, now: datetime) -> datetime | None:
        match self.decision:
            case Erase(due):
                return due
            case Wait(until):
                return until
            case Drop() if self.is_asked_for and self.view.facts:
                return min(now, *(each.requested_at for each in self.view.facts.open_requests()))
            case Drop():
                return None


def view_of(item: Item | None, rules: Sequence[Rule], facts: Facts | None) -> View:
    """What was seen of a record, for these rules."""
    paths = {path for rule in rules for path in rule.view_paths} | {HOLD_MARK}
    found = {path: at_path(item or {}, path) for path in paths}
    return View(item is not None, {path: each for path, each in found.items() if each is not None}, facts)


def findings(record: RecordRef, rules: Sequence[Rule], view: View, now: datetime) -> Iterator[Finding]:
    """What each rule means for a record."""
    return (Finding(record, rule, view, decide(rule, view, now)) for rule in rules)


def needs_facts(item: Item, rules: Sequence[Rule], until: datetime, now: datetime) -> bool:
    """Whether facts may matter: there is a mark, it is due by then, or they may know the missing anchor.

    A hold counts only once it is due.
    """
    view = view_of(item, rules, None)
    if view.value(HOLD_MARK) is not None:
        return True
    for rule in rules:
        due = due_instant(rule, view, now)
        if isinstance(due, datetime):
            if due <= until:
                return True
        elif due.why is Why.NO_ANCHOR and rule.anchor.fact:
            return True
    return False
