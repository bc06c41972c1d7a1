"""Receipts: a record whose fields are gone though a rule was due, and of which the ledger knows nothing."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from lapse.answer import short
from lapse.json_forms import name_of, record_json
from shared.evidence import Outcome
from shared.finding import SEGMENTS, Cursor, RecordsPage, Scanned, view_of
from shared.instants import add
from shared.policy import Mode, Rule
from shared.record import Path, RecordRef
from shared.retention import GRACE, due_instant
from shared.scanning import pages

if TYPE_CHECKING:
    from lapse.controls import Controls

_RECEIPTS = {Outcome.ERASED, Outcome.ALREADY_ABSENT}


class RecordsWithoutFields(Protocol):
    """The business tables, for a scan that reads no personal field."""

    def scan_without(self, of: Scanned, segment: int, after: Cursor | None) -> RecordsPage:
        """A page of a segment: records that have none of the fields."""


@dataclass(frozen=True)
class MissingReceipt:
    """Nobody can tell from the ledger what became of these fields."""

    record: RecordRef
    rule: str
    due: datetime

    def __str__(self) -> str:
        """One line for a report."""
        due = f"{self.rule} was due {short(self.due)}"
        return f"{name_of(self.record)}: {due}, its fields are absent: no receipt"

    def as_json(self) -> dict[str, Any]:
        """The record as the contract names it."""
        return {**record_json(self.record), "rule": self.rule, "due": self.due}


@dataclass
class Receipts:
    """What was asked of the ledger, and what it could not tell."""

    asked: int = 0
    too_old: int = 0
    """Due so long ago that the ledger may name the record no more."""
    missing: list[MissingReceipt] = field(default_factory=list)


def look_for_receipts(table: str, lapse: "Controls", advance: Callable[[int], object]) -> Receipts:
    """Look at each record of a table that has none of a rule's fields; rules that only observe leave none.

    Raises:
        CallFailedError: a call failed.
    """
    receipts, now = Receipts(), lapse.clock()
    for rule in lapse.policy.rules_of(table):
        if rule.mode is Mode.ENFORCE:
            for record, due in _due(rule, lapse, now, advance):
                _ask(record, rule, due, lapse, receipts, now)
    return receipts


def _due(
    rule: Rule, lapse: "Controls", now: datetime, advance: Callable[[int], object]
) -> Iterator[tuple[RecordRef, datetime]]:
    of = Scanned(rule.table, (rule,))
    for segment in range(SEGMENTS):
        for page in pages(partial(lapse.stores.without_fields.scan_without, of, segment)):
            for record, due in _dues(rule, lapse, page.items, now).items():
                if add(due, GRACE) <= now:
                    yield record, due
            advance(page.scanned)


def _dues(
    rule: Rule, lapse: "Controls", items: Mapping[RecordRef, Any], now: datetime
) -> dict[RecordRef, datetime]:
    about = [record for record in items if rule.is_about(record)]
    told = lapse.facts.read(about)
    dues = {
        record: due_instant(rule, view_of(items[record], (rule,), told.get(record)), now) for record in about
    }
    return {record: due for record, due in dues.items() if isinstance(due, datetime)}


def _ask(  # noqa: PLR0913, PLR0917 -- what is asked, and of whom
    record: RecordRef, rule: Rule, due: datetime, lapse: "Controls", receipts: Receipts, now: datetime
) -> None:
    receipts.asked += 1
    if _is_receipt(rule, [kept.entry for kept in lapse.ledger.entries_of(record)]):
        return
    if due < add(now, -lapse.policy.names_retain):
        receipts.too_old += 1
    else:
        receipts.missing.append(MissingReceipt(record, rule.id, due))


def _is_receipt(rule: Rule, entries: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the rule left one, or others, of whatever name, tell of all its fields."""
    receipts = [entry for entry in entries if str(entry.get("outcome")) in _RECEIPTS]
    told = {path for entry in receipts for path in _fields(entry)}
    return any(entry.get("rule") == rule.id for entry in receipts) or told >= set(rule.erase)


def _fields(entry: Mapping[str, Any]) -> Collection[Path]:
    """Those that an entry tells of: none, if somebody edited it, which the verifier says."""
    try:
        return {tuple(path) for path in entry["fields"]}
    except (KeyError, TypeError):
        return ()
