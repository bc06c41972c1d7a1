"""What the oracle looks at: tables and what is known of them, runs of functions, fields that are gone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.record import RecordRef
from tests.simulation.history import present
from tests.simulation.promises import Edition

type Path = tuple[str, ...]
type Items = Mapping[RecordRef, Mapping[str, Any]]


@dataclass
class Run:
    """What the oracle knows of one run of a function: what it was to do, and since when."""

    name: str
    began: datetime
    edition: Edition
    batch_began: datetime
    """Since when it works the timers that it works now."""
    cause: str = ""
    """Why it purges."""
    facts_read: dict[RecordRef, datetime] = field(default_factory=dict)
    """When it last read what was told about a record."""
    disturbed: bool = False
    ended: set[tuple[str, str]] = field(default_factory=set)
    """Record and rule of the timers that it has given evidence of."""
    erased: int = 0

    @property
    def is_restore(self) -> bool:
        """Whether it works on a table that is being restored."""
        return self.name.startswith("restore")


@dataclass
class Removal:
    """A field that the program removed."""

    record: RecordRef
    path: Path
    when: datetime
    run: Run
    dues: Mapping[str, datetime | None]


@dataclass
class Place:
    """A live business table, or one that was restored and is not in use yet; and what is known of it."""

    items: Items
    restored: bool = False
    last: dict[RecordRef, dict[str, Any]] = field(default_factory=dict)
    written: dict[RecordRef, datetime] = field(default_factory=dict)
    """When the business system last changed something that counts."""
    wiped: dict[RecordRef, datetime] = field(default_factory=dict)
    """When it last wiped a mark of Lapse's."""
    fields: dict[RecordRef, list[tuple[datetime, frozenset[Path] | None]]] = field(default_factory=dict)
    """Which personal fields there were since when; `None` while there was no record."""
    dated: dict[RecordRef, list[tuple[datetime, bool]]] = field(default_factory=dict)
    """Since when the record itself said when it was shipped, or did not."""

    def remember(self, record: RecordRef, fields: Iterable[Path], now: datetime) -> None:
        """Keep which of these fields a record has from now on."""
        item = self.last.get(record)
        self.fields.setdefault(record, []).append((now, None if item is None else present(item, fields)))
        date = (item or {}).get("shipped_at")
        self.dated.setdefault(record, []).append((now, date is not None and "NULL" not in date))

    def absent(self, record: RecordRef, paths: Iterable[Path], since: datetime) -> bool:
        """Whether there was an instant since then at which none of the fields was there."""
        wanted = set(paths)
        return any(
            there is None or not wanted & there for there in _since(self.fields.get(record), since, None)
        )

    def no_record(self, record: RecordRef, since: datetime) -> bool:
        """Whether there was an instant since then at which the record did not exist."""
        return any(there is None for there in _since(self.fields.get(record), since, None))

    def was_dated(self, record: RecordRef, since: datetime) -> bool:
        """Whether there was an instant since then at which the record itself said when it was shipped."""
        return any(_since(self.dated.get(record), since, False))  # noqa: FBT003 -- what was before all


def _since[T](states: Sequence[tuple[datetime, T]] | None, since: datetime, at_first: T) -> list[T]:
    """What there was at that instant, and all that there was later."""
    before = [state for when, state in states or () if when < since]
    return [*before[-1:], *(state for when, state in states or () if when >= since)] or [at_first]
