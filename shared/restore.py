"""Use case: may a table that was restored from a backup be used? Looks only; `replay` mends what it finds."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from shared.evidence import Outcome
from shared.finding import SEGMENTS, Finding, Scanned, findings
from shared.hold_mark import mark_until, right_mark
from shared.instants import add
from shared.ledger_batch import Kept
from shared.policy import Policy
from shared.record import HOLD_MARK, Path, RecordRef, View
from shared.restore_faults import Checked, Fault, Wrong
from shared.retention import GRACE, Drop, Erase, Why
from shared.scanning import Scans, Seen

UNDECIDED = {Why.NO_ANCHOR, Why.NO_MATCH, Why.IMPLAUSIBLE, Why.OBSERVED}
"""Why a record may not be due though its fields were erased once.

The others speak against the erasure of old: a contact who returned, a period that runs anew, a hold.
"""


class PastEntries(Protocol):
    """The ledger, for reading."""

    def entries_of(self, record: RecordRef) -> Sequence[Kept]:
        """The entries about a record."""


type Judge = Callable[[RecordRef, View, datetime], Iterable[Fault]]
type SideBySide = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class Pace:
    """The time, how segments are worked, how the records of a page are, and who is told of progress."""

    clock: Callable[[], datetime]
    side_by_side: SideBySide = map
    ask: SideBySide = map
    """The ledger is asked about most records: one after the other would take long."""
    advance: Callable[[int], object] = lambda _: None


def of_table(policy: Policy, table: str) -> Policy:
    """The part of a policy that is about one table."""
    return replace(policy, rules=policy.rules_of(table))


@dataclass(frozen=True)
class Ports:
    """What is looked at: the restored table in the place of the live one, real facts, real evidence."""

    scans: Scans
    ledger: PastEntries


def check(table: str, policy: Policy, ports: Ports, pace: Pace, most: int) -> Checked:
    """Look at each record of a restored table that has personal fields, and at each that is held.

    Args:
        table: its logical name.
        policy: the rules.
        ports: what to look at.
        pace: the time, and how the work is shared.
        most: how many records are named of each kind of fault.

    Raises:
        CallFailedError: a call failed.
    """
    checking = _Checking(of_table(policy, table), ports, pace, most)
    whole = Checked(most)
    for part in pace.side_by_side(lambda work: work(), list(checking.parts(table))):
        whole.add(part)
    return whole


@dataclass(frozen=True)
class _Checking:
    policy: Policy
    ports: Ports
    pace: Pace
    most: int

    def parts(self, table: str) -> Iterator[Callable[[], Checked]]:
        """Each segment of the table, for all its rules, also those that only facts start; and of Facts."""
        scanned = Scanned(table, self.policy.rules)
        for segment in range(SEGMENTS):
            yield partial(
                self._check,
                self.ports.scans.of_table(scanned, segment, self.pace.clock()),
                self._faults_of_fields,
            )
            yield partial(
                self._check, self.ports.scans.of_facts(self.policy.rules, segment), self._faults_of_mark
            )

    def _check(self, seen: Iterable[Seen], faults: Judge) -> Checked:
        checked = Checked(self.most)
        for page in seen:
            checked.counts[Wrong.UNREADABLE] += page.unreadable
            now = self.pace.clock()
            for found in self.pace.ask(partial(_each, faults, now), page.views.items()):
                for fault in found:
                    checked.find(fault)
            self.pace.advance(page.scanned)
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
        try:
            entries = self.ports.ledger.entries_of(record) if undecided else []
        except ValueError:  # a batch was damaged: the verifier says which
            yield Fault(Wrong.UNREADABLE, record.text)
            return
        for each in found:
            match each.decision:
                case Erase(due) if self._has(record, each.rule.erase):
                    late = add(due, GRACE) <= now
                    yield Fault(Wrong.OVERDUE if late else Wrong.DUE, record.text, each.rule.id)
                case Drop(why) if each in undecided and self._has(record, _erased(each, entries)):
                    yield Fault(Wrong.BACK, record.text, each.rule.id, why.value)

    def _has(self, record: RecordRef, fields: Sequence[Path]) -> bool:
        return bool(fields) and self.ports.scans.records.has_fields(record, fields)


def _each(faults: Judge, now: datetime, seen: tuple[RecordRef, View]) -> list[Fault]:
    return list(faults(*seen, now))


def _erased(found: Finding, entries: Sequence[Kept]) -> list[Path]:
    """The fields that the ledger calls erased by this rule."""
    by_rule = [each.entry for each in entries if each.entry["rule"] == found.rule.id]
    erased = [entry for entry in by_rule if entry["outcome"] == Outcome.ERASED]
    return list(dict.fromkeys(tuple(path) for entry in erased for path in entry["fields"]))
