"""Tables that can be looked at and scanned, and nothing else: whoever would write on them fails."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.facts import Facts
from shared.finding import Cursor, FactsPage, FactsToScan, RecordsPage, RecordsToScan, Scanned
from shared.record import Path, RecordRef
from shared.scanning import Scans


@dataclass(frozen=True)
class LookedAt:
    """The business tables. `asked` are the questions after fields."""

    _records: RecordsToScan
    asked: list[tuple[RecordRef, Collection[Path]]] = field(default_factory=list)

    def look(self, records: Collection[RecordRef], paths: Collection[Path]) -> Mapping[RecordRef, Any]:
        return self._records.look(records, paths)

    def has_fields(self, record: RecordRef, paths: Collection[Path]) -> bool:
        self.asked.append((record, paths))
        return self._records.has_fields(record, paths)

    def scan(self, of: Scanned, segment: int, after: Cursor | None) -> RecordsPage:
        return self._records.scan(of, segment, after)

    def about_how_many(self, table: str) -> int:
        return self._records.about_how_many(table)


@dataclass(frozen=True)
class Read:
    """Facts. The row of a record among the `poisoned` cannot be read."""

    _facts: FactsToScan
    poisoned: Collection[RecordRef] = ()

    def read(self, records: Collection[RecordRef]) -> Mapping[RecordRef, Facts]:
        if set(records) & set(self.poisoned):
            raise ValueError
        return self._facts.read(records)

    def scan(self, segment: int, after: Cursor | None) -> FactsPage:
        page = self._facts.scan(segment, after)
        sound = {record: facts for record, facts in page.facts.items() if record not in self.poisoned}
        return FactsPage(sound, page.following, page.scanned, page.units, len(page.facts) - len(sound))


def only_scans(
    records: RecordsToScan, facts: FactsToScan, poisoned: Collection[RecordRef] = ()
) -> tuple[Scans, LookedAt]:
    """What can be scanned, and what it was asked."""
    looked_at = LookedAt(records)
    return Scans(looked_at, Read(facts, poisoned)), looked_at
