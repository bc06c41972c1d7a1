"""In-memory ports: the same semantics as DynamoDB's and Scheduler's, kept honest by the contract tests."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from threading import RLock
from typing import Any

from shared.evidence import Entry, Outcome
from shared.facts import Facts
from shared.finding import SEGMENTS, Cursor, FactsPage, RecordsPage, Scanned
from shared.hold_mark import MarkChange
from shared.instants import to_text
from shared.outgoing import ContractEvent
from shared.pausing import SHARD_OF_PAUSES, Pause
from shared.policy import Guard, Rule
from shared.record import HOLD_MARK, SHARDS, Path, RecordRef, View, at_path
from shared.sweep_state import PartProgress, Sweep
from shared.timer import Timer

type Items = dict[RecordRef, dict[str, Any]]


@dataclass
class Memory:
    """All that the ports share: one store, one lock, so that each port call is atomic as DynamoDB's are."""

    items: Items = field(default_factory=dict)
    facts: dict[RecordRef, Facts] = field(default_factory=dict)
    timers: dict[tuple[int, str], Timer] = field(default_factory=dict)
    leases: dict[int, tuple[str, datetime]] = field(default_factory=dict)
    batches: dict[int, list[list[Entry]]] = field(default_factory=dict)
    minutes: set[datetime] = field(default_factory=set)
    pause: Pause | None = None
    news: list[ContractEvent] = field(default_factory=list)
    sweep: Sweep | None = None
    parts: dict[str, tuple[datetime, PartProgress]] = field(default_factory=dict)
    page: int = 2
    """Of scans: few, so that each case goes through several pages."""
    lock: RLock = field(default_factory=RLock)
    stamps: Iterator[int] = field(default_factory=count)


@dataclass
class MemoryTables:
    """The business tables."""

    memory: Memory

    def look(self, records: Collection[RecordRef], paths: Collection[Path]) -> Mapping[RecordRef, Any]:
        with self.memory.lock:
            items = {record: self.memory.items[record] for record in records if record in self.memory.items}
            return {record: _projected(item, paths) for record, item in items.items()}

    def has_fields(self, record: RecordRef, paths: Collection[Path]) -> bool:
        with self.memory.lock:
            item = self.memory.items.get(record, {})
            return any(at_path(item, path) is not None for path in paths)

    def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
        with self.memory.lock:
            item = self.memory.items.get(record)
            if item is None or not self._unchanged(rule, record, item, view):
                return ()
            present = [path for path in rule.erase if at_path(item, path) is not None]
            for path in present:
                parent = at_path(item, path[:-1]) if path[:-1] else {"M": item}
                assert parent is not None
                del parent["M"][path[-1]]
            all_parents = all(path[:-1] == () or at_path(item, path[:-1]) is not None for path in rule.erase)
            return rule.erase if present and all_parents else present

    def scan(self, of: Scanned, segment: int, after: Cursor | None) -> RecordsPage:
        with self.memory.lock:
            there = [record for record in self.memory.items if record.table == of.table]
            last = RecordRef(of.table, after) if after else None
            page, following = _page_of(there, segment, last, self.memory.page)
            wanted = [*((name,) for name in of.key), *of.paths]
            found = [each for each in page if self.has_fields(each, of.fields)]
            items = {record: _projected(self.memory.items[record], wanted) for record in found}
            return RecordsPage(items, following.key if following else None, len(page), len(page))

    def about_how_many(self, table: str) -> int:
        with self.memory.lock:
            return sum(record.table == table for record in self.memory.items)

    def _unchanged(self, rule: Rule, record: RecordRef, item: dict[str, Any], view: View) -> bool:
        seen = all(at_path(item, path) == view.attributes.get(path) for path in rule.view_paths)
        there = self.memory.facts.get(record)
        if view.facts is None:
            told = rule.guard is Guard.RECORD or there is None
        else:
            told = there is not None and there.version == view.facts.version
        return seen and told


@dataclass
class MemoryFacts:
    """The Facts table."""

    memory: Memory

    def read(self, records: Collection[RecordRef]) -> Mapping[RecordRef, Facts]:
        with self.memory.lock:
            return {record: self.memory.facts[record] for record in records if record in self.memory.facts}

    def change(
        self, record: RecordRef, before: Facts | None, after: Facts, entry: Entry, mark: MarkChange | None
    ) -> bool:
        with self.memory.lock:
            if not self._unchanged(record, before) or (mark and not self._holds(record, mark)):
                return False
            self.memory.facts[record] = after
            self.memory.batches.setdefault(record.shard, []).append([entry])
            if mark:
                self._put_mark(record, mark)
            return True

    def mark(self, record: RecordRef, facts: Facts | None, change: MarkChange) -> bool:
        with self.memory.lock:
            if (facts and not self._unchanged(record, facts)) or not self._holds(record, change):
                return False
            self._put_mark(record, change)
            return True

    def scan(self, segment: int, after: Cursor | None) -> FactsPage:
        with self.memory.lock:
            last = RecordRef.of(after["record"]["S"]) if after else None
            page, following = _page_of(self.memory.facts, segment, last, self.memory.page)
            cursor = {"record": {"S": following.text}} if following else None
            told = {record: self.memory.facts[record] for record in page}
            return FactsPage(told, cursor, len(page), len(page))

    def forget(self, record: RecordRef, facts: Facts) -> None:
        with self.memory.lock:
            if self._unchanged(record, facts):
                del self.memory.facts[record]

    def _unchanged(self, record: RecordRef, before: Facts | None) -> bool:
        there = self.memory.facts.get(record)
        return (there.version if there else None) == (before.version if before else None)

    def _holds(self, record: RecordRef, mark: MarkChange) -> bool:
        item = self.memory.items.get(record)
        if item is None or not mark.exists:
            return (item is not None) == mark.exists
        needed = not mark.needs or any(at_path(item, path) is not None for path in mark.needs)
        return needed and at_path(item, HOLD_MARK) == mark.seen

    def _put_mark(self, record: RecordRef, mark: MarkChange) -> None:
        item = self.memory.items.get(record, {})
        if mark.exists and mark.right != mark.seen:
            item.pop(HOLD_MARK[0], None)
            if mark.right is not None:
                item[HOLD_MARK[0]] = deepcopy(mark.right)


@dataclass
class MemoryTimers:
    """The Due table."""

    memory: Memory
    holder: str = "me"

    def put(self, timers: Collection[Timer]) -> None:
        with self.memory.lock:
            for timer in timers:
                stamped = replace(timer, stamp=str(next(self.memory.stamps)))
                self.memory.timers[timer.record.shard, timer.sort_key] = stamped

    def missing(self, timers: Collection[Timer]) -> Sequence[Timer]:
        with self.memory.lock:
            return [each for each in timers if (each.record.shard, each.sort_key) not in self.memory.timers]

    def of_record(self, record: RecordRef) -> Sequence[Timer]:
        with self.memory.lock:
            found = [each for each in self.memory.timers.values() if each.record == record]
        return sorted(found, key=lambda each: each.sort_key)

    def ready(self, shard: int, until: datetime, after: str, limit: int) -> Sequence[Timer]:
        bound = to_text(until.replace(microsecond=0)) + "$"
        with self.memory.lock:
            keys = sorted(key for at, key in self.memory.timers if at == shard and after < key < bound)
            return [self.memory.timers[shard, key] for key in keys[:limit]]

    def count(self, shard: int, since: datetime, until: datetime) -> int:
        first, last = (to_text(each.replace(microsecond=0)) + "$" for each in (since, until))
        with self.memory.lock:
            return sum(at == shard and first < key < last for at, key in self.memory.timers)

    def unreadable(self, shard: int) -> int:
        return 0

    def remove(self, timers: Collection[Timer]) -> None:
        with self.memory.lock:
            for timer in timers:
                key = timer.record.shard, timer.sort_key
                there = self.memory.timers.get(key)
                if there is not None and there.stamp == timer.stamp:
                    del self.memory.timers[key]

    def lease(self, shard: int, now: datetime, until: datetime) -> bool:
        with self.memory.lock:
            holder, expires = self.memory.leases.get(shard, (self.holder, now))
            if holder != self.holder and int(expires.timestamp()) >= int(now.timestamp()):
                return False
            self.memory.leases[shard] = (self.holder, until)
            return True

    def release(self, shard: int) -> None:
        with self.memory.lock:
            if shard in self.memory.leases and self.memory.leases[shard][0] == self.holder:
                del self.memory.leases[shard]


@dataclass
class MemoryLedger:
    """The ledger."""

    memory: Memory

    def open(self, shard: int) -> None:
        pass

    def append(self, shard: int, entries: Sequence[Entry]) -> None:
        with self.memory.lock:
            self.memory.batches.setdefault(shard, []).append(list(entries))

    def has_erased(self, record: RecordRef, rule_id: str, since: datetime) -> bool:
        with self.memory.lock:
            return any(
                (entry.record, entry.rule, entry.outcome) == (record.text, rule_id, Outcome.ERASED)
                and entry.at >= since
                for batch in self.memory.batches.get(record.shard, [])
                for entry in batch
            )


@dataclass
class MemoryBrake:
    """The brake."""

    memory: Memory

    def read(self) -> Pause | None:
        return self.memory.pause

    def put(self, pause: Pause | None, entry: Entry) -> None:
        with self.memory.lock:
            self.memory.pause = pause
            self.memory.batches.setdefault(SHARD_OF_PAUSES, []).append([entry])


@dataclass
class MemoryBus:
    """The stack's bus, as its news arrive."""

    memory: Memory

    def put(self, events: Sequence[ContractEvent]) -> None:
        with self.memory.lock:
            self.memory.news += events


@dataclass
class MemoryWakeUps:
    """The schedule group."""

    memory: Memory

    def ensure(self, minute: datetime) -> None:
        assert minute.second == minute.microsecond == 0
        with self.memory.lock:
            self.memory.minutes.add(minute)

    def stands(self, minute: datetime) -> bool:
        return minute in self.memory.minutes


@dataclass
class MemoryProgress:
    """The progress of sweeps, which stands in the Due table."""

    memory: Memory
    holder: str = "me"

    def read(self) -> Sweep | None:
        return self.memory.sweep

    def begin(self, sweep: Sweep) -> None:
        with self.memory.lock:
            self.memory.sweep = sweep

    def finish(self, sweep: Sweep) -> bool:
        with self.memory.lock:
            if self.memory.sweep is None or self.memory.sweep.began != sweep.began:
                return False
            self.memory.sweep = sweep
            return True

    def read_parts(self, sweep: Sweep) -> Mapping[str, PartProgress]:
        with self.memory.lock:
            return {name: part for name, (began, part) in self.memory.parts.items() if began == sweep.began}

    def write_part(self, sweep: Sweep, part: str, progress: PartProgress) -> None:
        with self.memory.lock:
            self.memory.parts[part] = sweep.began, progress

    def lease(self, now: datetime, until: datetime) -> bool:
        return MemoryTimers(self.memory, self.holder).lease(SHARDS, now, until)

    def release(self) -> None:
        MemoryTimers(self.memory, self.holder).release(SHARDS)


def _page_of(
    records: Collection[RecordRef], segment: int, after: RecordRef | None, size: int
) -> tuple[list[RecordRef], RecordRef | None]:
    """A page of a segment, and the record that the next one goes on behind."""
    of_segment = sorted((r for r in records if r.shard % SEGMENTS == segment), key=lambda each: each.text)
    behind = [each for each in of_segment if after is None or each.text > after.text]
    return behind[:size], behind[size - 1] if len(behind) >= size else None


def _projected(item: Mapping[str, Any], paths: Collection[Path]) -> dict[str, Any]:
    projected: dict[str, Any] = {}
    for path in paths:
        value = at_path(item, path)
        if value is None:
            continue
        there = projected
        for name in path[:-1]:
            there = there.setdefault(name, {"M": {}})["M"]
        there[path[-1]] = deepcopy(value)
    return projected
