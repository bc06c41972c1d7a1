"""Looking at records: what the business system says now, and what Lapse was told. Never a personal field."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from shared.facts import Facts
from shared.policy import Rule
from shared.record import Path, RecordRef, View, WireValue, at_path

type Item = Mapping[str, WireValue]

POISON = {"ValidationException", "ParamValidationError"}
"""What a look says of a key that the table cannot read: the others that were asked for with it are sound."""


class RecordsToLookAt(Protocol):
    """The business tables, read through a projection."""

    def look(self, records: Collection[RecordRef], paths: Collection[Path]) -> Mapping[RecordRef, Item]:
        """The existing ones of these records of one table, each with those of the paths that it has."""


class FactsToRead(Protocol):
    """The Facts table."""

    def read(self, records: Collection[RecordRef]) -> Mapping[RecordRef, Facts]:
        """The facts of those of these records that have any."""


def look_at(
    looks: Sequence[tuple[Rule, RecordRef]], records: RecordsToLookAt, facts: FactsToRead
) -> Mapping[RecordRef, View]:
    """Look at records of one table, for their rules; each record once.

    Records first, Facts last: the guard checks the record again at the erase; but where there are no facts
    yet, it may not check again that there are none. So these must be the freshest.
    """
    paths = {path for rule, _ in looks for path in rule.view_paths}
    references = {record for _, record in looks}
    items = records.look(references, paths)
    told = facts.read(references)
    return {record: _view(items.get(record), paths, told.get(record)) for record in references}


def _view(item: Item | None, paths: Collection[Path], facts: Facts | None) -> View:
    found = {path: at_path(item or {}, path) for path in paths}
    present = {path: value for path, value in found.items() if value is not None}
    return View(item is not None, present, facts)
