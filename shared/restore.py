"""Use case: may a table that was restored from a backup be used? Looks only; `replay` mends what it finds."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

from shared.evidence import Outcome
from shared.finding import SEGMENTS, Finding, Scanned, findings
from shared.hold_mark import mark_until, right_mark
from shared.instants import add
from shared.ledger_batch import Kept
from shared.policy import Policy
from shared.purge_due import GRACE
from shared.record import HOLD_MARK, Path, RecordRef, View
from shared.retention import Drop, Erase, Why
from shared.scanning import Scans, Seen


class Wrong(StrEnum):
    """What keeps a restored table from being used."""

    OVERDUE = "overdue"
    DUE = "due"
    BACK = "erased_is_back"
    """The ledger calls fields erased that are there, and by the restored record they are not due."""
    UNMARKED = "hold_unmarked"
    """A hold is in force, and the record does not say so, or says something else."""
    OUTDATED = "mark_outdated"
    """The record is marked as held, and by what Facts know it is not: its cases were closed since."""
    UNREADABLE = "unreadable"
    """Facts about a record, or the record, cannot be read: whether it is due or held is not known."""


UNDECIDED = {Why.NO_ANCHOR, Why.NO_MATCH, Why.IMPLAUSIBLE, Why.OBSERVED}
"""Why a record may not be due though its fields were erased once.

The others speak against the erasure of old: a contact who returned, a period that runs anew, a hold.
"""


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong with one record, by which rule, and why the purge would not mend it."""

    what: Wrong
    record: str
    rule: str = ""
    why: str = ""


@dataclass
class Checked:
    """What was found: how often, and the first records of each kind."""

    most: int
    counts: Counter[Wrong] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the table may be used."""
        return not self.counts.total()

    def find(self, fault: Fault) -> None:
        """Count one more."""
        self.counts[fault.what] += 1
        if sum(each.what is fault.what for each in self.faults) < self.most:
            self.faults.append(fault)

    def add(self, other: "Checked") -> None:
        """Add what another part of the scan found."""
        self.counts += other.counts
        for kind in Wrong:
            both = [each for each in (*self.faults, *other.faults) if each.what is kind]
            rest = [each for each in self.faults if each.what is not kind]
            self.faults = rest + both[: self.most]


class PastEntries(Protocol):
    """The ledger, for reading."""

    def entries_of(self, record: RecordRef) -> Sequence[Kept]:
        """The entries about a record."""


type SideBySide = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


def of_table(policy: Policy, table: str) -> Policy:
    """The part of a policy that is about one table."""
    return replace(policy, rules=policy.rules_of(table))


def check(  # noqa: PLR0913 -- what to check, by what, and how
    table: str,
    policy: Policy,
    scans: Scans,
    ledger: PastEntries,
    clock: Callable[[], datetime],
    *,
    most: int,
    side_by_side: SideBySide = map,
    advance: Callable[[int], object] = lambda _: None,
) -> Checked:
    """Look at each record of a restored table that has personal fields, and at each that is held.

    Args:
        table: its logical name.
        policy: the rules.
        scans: the restored table in the place of the live one, and the real facts.
        ledger: the real evidence.
        clock: the time now.
        most: how many records are named of each kind of fault.
        side_by_side: works the segments.
        advance: is told how many more items were scanned.

    Raises:
        CallFailedError: a call failed.
    """
    checking = _Checking(of_table(policy, table), scans, ledger, clock, most, advance)
    whole = Checked(most)
    for part in side_by_side(lambda work: work(), list(checking.parts(table))):
        whole.add(part)
    return whole


@dataclass(frozen=True)
class _Checking:
    policy: Policy
    scans: Scans
    ledger: PastEntries
    clock: Callable[[], datetime]
    most: int
    advance: Callable[[int], object]

    def parts(self, table: str) -> Iterator[Callable[[], Checked]]:
        """Each segment of the table, for all its rules, also those that only facts start; and of Facts."""
        scanned = Scanned(table, self.policy.rules)
        for segment in range(SEGMENTS):
            yield partial(
                self._check, self.scans.of_table(scanned, segment, self.clock()), self._faults_of_fields
            )
            yield partial(self._check, self.scans.of_facts(self.policy.rules, segment), self._faults_of_mark)

    def _check(
        self, seen: Iterable[Seen], faults: Callable[[RecordRef, View, datetime], Iterable[Fault]]
    ) -> Checked:
        checked = Checked(self.most)
        for page in seen:
            now = self.clock()
            checked.counts[Wrong.UNREADABLE] += page.unreadable
            for record, view in page.views.items():
                for fault in faults(record, view, now):
                    checked.find(fault)
            self.advance(page.scanned)
        return checked

    def _faults_of_mark(self, record: RecordRef, view: View, now: datetime) -> Iterator[Fault]:
        seen = view.value(HOLD_MARK)
        if not view.exists or view.facts is None or right_mark(view.facts, seen, now) == seen:
            return
        if view.facts.in_force(now):
            yield Fault(Wrong.UNMARKED, record.text)
        elif seen is not None and ((until := mark_until(seen)) is None or until > now):
            yield Fault(Wrong.OUTDATED, record.text)

    def _faults_of_fields(self, record: RecordRef, view: View, now: datetime) -> Iterator[Fault]:
        found = list(findings(record, self.policy.about(record), view, now))
        undecided = [
            each for each in found if isinstance(each.decision, Drop) and each.decision.why in UNDECIDED
        ]
        entries = self.ledger.entries_of(record) if undecided else []
        for each in found:
            match each.decision:
                case Erase(due) if self._has(record, each.rule.erase):
                    late = add(due, GRACE) <= now
                    yield Fault(Wrong.OVERDUE if late else Wrong.DUE, record.text, each.rule.id)
                case Drop(why) if each in undecided and self._has(record, _erased(each, entries)):
                    yield Fault(Wrong.BACK, record.text, each.rule.id, why.value)

    def _has(self, record: RecordRef, fields: Sequence[Path]) -> bool:
        return bool(fields) and self.scans.records.has_fields(record, fields)


def _erased(found: Finding, entries: Sequence[Kept]) -> list[Path]:
    """The fields that the ledger calls erased by this rule."""
    by_rule = [each.entry for each in entries if each.entry["rule"] == found.rule.id]
    erased = [entry for entry in by_rule if entry["outcome"] == Outcome.ERASED]
    return list(dict.fromkeys(tuple(path) for entry in erased for path in entry["fields"]))
