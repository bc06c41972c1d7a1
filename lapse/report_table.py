"""A table of a report: one definition for the page, the CSV file and the JSON file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lapse.json_forms import name_of
from shared.outgoing import plain_key
from shared.record import RecordRef

type Row = Mapping[str, Any]

KEPT = 100
"""How many rows of a long list the page shows; the others are counted, and in the CSV."""


@dataclass(frozen=True)
class Table:
    """Rows by the names of their columns. There may be more than these."""

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    total: int

    @property
    def shown(self) -> Sequence[Row]:
        """What the page shows of it."""
        return self.rows[:KEPT]

    @property
    def more(self) -> int:
        """How many rows the page does not show."""
        return self.total - len(self.shown)


def table(name: str, caption: str, columns: Sequence[str], rows: Iterable[Row]) -> Table:
    """A table that has all its rows."""
    found = list(rows)
    return Table(name, caption, columns, found, len(found))


def record_cells(record: RecordRef) -> dict[str, Any]:
    """A record's name for people, and its table and key for programs."""
    return {"record": name_of(record), "table": record.table, "key": plain_key(record)}
