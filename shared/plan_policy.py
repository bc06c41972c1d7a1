"""Use case: what another policy would change, by rule and by day. Its ports can only read."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any

from shared.finding import SEGMENTS, RecordsToScan, Scanned
from shared.planned import Moved, Pair, Plan, RulePlan, kind, pairs_of
from shared.policy import Mode, Policy, Rule
from shared.prospect import bucket_of, erased_at
from shared.record import Path, RecordRef, View
from shared.scanning import Scans, Seen

type Fields = frozenset[Path]
type SideBySide = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


def plan(  # noqa: PLR0913 -- two policies, what is looked at, and how
    old: Policy,
    new: Policy,
    scans: Scans,
    now: datetime,
    *,
    side_by_side: SideBySide = map,
    advance: Callable[[int], object] = lambda _: None,
) -> Plan:
    """Scan what the sweep scans, once, and compare what the two policies make of each record.

    Args:
        old: the policy as deployed.
        new: the one to be judged.
        scans: what to look at.
        now: an aware UTC instant.
        side_by_side: works the segments.
        advance: is told how many more items were scanned.

    Raises:
        CallFailedError: a call failed.
    """
    planning = _Planning(old, new, scans, now, advance)
    whole = Plan({pair.id: RulePlan() for pair in pairs_of(old, new)})
    for part in side_by_side(lambda work: work(), list(planning.parts())):
        whole.add(part)
    return whole


@dataclass(frozen=True)
class _Planning:
    old: Policy
    new: Policy
    scans: Scans
    now: datetime
    advance: Callable[[int], object]

    def parts(self) -> Iterator[Callable[[], Plan]]:
        """Each segment of what is to be scanned: tables where an anchor may stand on a record, and Facts."""
        pairs = sorted(pairs_of(self.old, self.new), key=lambda pair: kind(pair.rules[0]))
        on_record = [pair for pair in pairs if any(rule.anchor.attribute for rule in pair.rules)]
        by_facts = [pair for pair in pairs if pair not in on_record]
        for (table, _), of_table in groupby(on_record, key=lambda pair: kind(pair.rules[0])):
            some = list(of_table)
            scanned = Scanned(table, tuple(rule for pair in some for rule in pair.rules))
            yield from (partial(self._scan_table, scanned, some, segment) for segment in range(SEGMENTS))
        if by_facts:
            yield from (partial(self._scan_facts, by_facts, segment) for segment in range(SEGMENTS))

    def _scan_table(self, scanned: Scanned, pairs: list[Pair], segment: int) -> Plan:
        return self._count(self.scans.of_table(scanned, segment, self.now), pairs, frozenset(scanned.fields))

    def _scan_facts(self, pairs: list[Pair], segment: int) -> Plan:
        rules = [rule for pair in pairs for rule in pair.rules]
        return self._count(self.scans.of_facts(rules, segment), pairs, frozenset())

    def _count(self, seen: Iterable[Seen], pairs: list[Pair], known: Fields) -> Plan:
        """Count page by page; of `known` fields each record is known to have one."""
        counted = Plan()
        for page in seen:
            counted.unreadable += page.unreadable
            for record, view in page.views.items():
                has = _Asked(self.scans.records, record, {known: True})
                for pair in pairs:
                    self._compare(pair, view, has, counted.by_rule.setdefault(pair.id, RulePlan()))
            self.advance(page.scanned)
        return counted

    def _compare(self, pair: Pair, view: View, has: "_Asked", counted: RulePlan) -> None:
        before, _ = self._erased_at(pair.before, view, has)
        after, observed = self._erased_at(pair.after, view, has)
        zone = self.new.rules[0].zone
        if before:
            counted.before[bucket_of(before, self.now, zone)] += 1
        if after:
            counted.after[bucket_of(after, self.now, zone)] += 1
        counted.moved[Moved.OBSERVED] += observed
        if before or after:
            counted.moved[_moved(before, after)] += 1

    def _erased_at(self, rule: Rule | None, view: View, has: "_Asked") -> tuple[datetime | None, bool]:
        """When a rule erases a record, if it does; and whether it would, did it not only observe."""
        if rule is None or not rule.is_about(has.record):
            return None, False
        at = erased_at(rule, view, self.now)
        if at is None or not has.any_of(frozenset(rule.erase)):
            return None, False
        return (None, True) if rule.mode is Mode.OBSERVE else (at, False)


@dataclass(frozen=True)
class _Asked:
    """Whether a record has any of some fields; asked at most once for the same fields."""

    records: RecordsToScan
    record: RecordRef
    known: dict[Fields, bool]

    def any_of(self, fields: Fields) -> bool:
        if fields not in self.known:
            self.known[fields] = self.records.has_fields(self.record, fields)
        return self.known[fields]


def _moved(before: datetime | None, after: datetime | None) -> Moved:
    if before is None:
        return Moved.NEWLY_COVERED
    if after is None:
        return Moved.NO_LONGER_COVERED
    if before == after:
        return Moved.SAME
    return Moved.EARLIER if after < before else Moved.LATER
