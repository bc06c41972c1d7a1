"""A record, as Lapse knows it: a reference, and a view that never holds a personal field."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shared.facts import Facts

type WireValue = Mapping[str, Any]
"""A DynamoDB value as it travels, such as `{"S": "S-1001"}`. Compared as read, never re-serialised."""

type Path = tuple[str, ...]
"""Attribute names from the top of the item down; a dot may be part of a name."""

HOLD_MARK: Path = ("legal_hold",)
"""The map on a record that mirrors its holds in Facts."""

SHARDS = 16
"""Partitions of the Due table and of the ledger. A constant: timers carry it."""


@dataclass(frozen=True)
class RecordRef:
    """Which record: the policy's logical table name and the typed key."""

    table: str
    key: Mapping[str, WireValue]

    @classmethod
    def of(cls, text: str) -> "RecordRef":
        """The reference that reads so.

        Raises:
            ValueError: nothing reads so.
        """
        table, _, key_text = text.partition("#")
        try:
            text.encode()
            key = json.loads(key_text)
        except (RecursionError, UnicodeEncodeError):
            key = None
        if not _is_typed_key(key) or (reference := cls(table, key)).text != text:
            raise ValueError("not a record reference")
        return reference

    @cached_property
    def text(self) -> str:
        """`<table>#<canonical JSON of the typed key>`: the key of Facts, the name in evidence."""
        return f"{self.table}#{self._key_text}"

    @cached_property
    def key_digest(self) -> str:
        """SHA-256 of the typed key: of fixed length and free of separators, unlike the key itself."""
        return hashlib.sha256(self._key_text.encode()).hexdigest()

    @cached_property
    def shard(self) -> int:
        """The partition, from 0, that this record's timers and evidence belong to."""
        return int.from_bytes(hashlib.sha256(self.text.encode()).digest()[:4]) % SHARDS

    @cached_property
    def _key_text(self) -> str:
        return json.dumps(self.key, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def __hash__(self) -> int:
        """Hash by the reference's text, since a mapping has no hash of its own."""
        return hash(self.text)


@dataclass(frozen=True)
class View:
    """What a look saw: whether the record exists, the attributes looked for, and the facts.

    `attributes` has only the paths that were found; a `NULL` is kept as read, since the guard compares it.
    """

    exists: bool
    attributes: Mapping[Path, WireValue]
    facts: Facts | None

    def value(self, path: Path) -> WireValue | None:
        """The value at a path; `None` where it is absent or `NULL`, which mean the same."""
        found = self.attributes.get(path)
        return None if found is None or "NULL" in found else found


def _is_typed_key(key: object) -> bool:
    """Whether it is a key as DynamoDB types it: names, each with a text and what that stands for."""
    return (
        isinstance(key, dict)
        and bool(key)
        and all(
            isinstance(value, dict) and len(value) == 1 and isinstance(next(iter(value.values())), str)
            for value in key.values()
        )
    )


def at_path(item: Mapping[str, WireValue], path: Path) -> WireValue | None:
    """The value at a path of an item; `None` where it, or a map on the way to it, is missing."""
    value: WireValue | None = item.get(path[0])
    for name in path[1:]:
        value = value["M"].get(name) if value and "M" in value else None
    return value
