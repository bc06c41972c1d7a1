"""What a scan finds: records with personal fields, records that something was told about, and what is due."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.facts import Facts
from shared.look import FactsToRead, Item, RecordsToLookAt
from shared.policy import Policy, Rule
from shared.record import HOLD_MARK, Path, RecordRef, View, at_path
from shared.retention import Drop, Erase, Wait, decide, due_instant

type Cursor = Mapping[str, Any]
"""Where a scan goes on: DynamoDB's last key."""

SEGMENTS = 4
"""Into how many parts a scan is divided, to be worked side by side."""


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
    def at(self) -> datetime | None:
        """When there is something to do."""
        match self.decision:
            case Erase(due):
                return due
            case Wait(until):
                return until
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
    """Whether the facts may matter: there is no own anchor, or a mark, or it is due by then."""
    view = view_of(item, rules, None)
    if view.value(HOLD_MARK) is not None:
        return True
    for rule in rules:
        due = due_instant(rule, view, now)
        own = view.value(rule.anchor.attribute) if rule.anchor.attribute else None
        if own is None or (isinstance(due, datetime) and due <= until):
            return True
    return False
