"""Verifier of the ledger. It shares nothing with the writer but the format, lest one error hides another."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import rfc8785

from shared.evidence import FORMAT

MOST_ENTRIES = 100
MOST_LEVELS = 5
"""Of lists and objects in each other: a field's path in an entry among the body's entries."""
_KINDS = {"shard": str, "seq": int, "prev": str, "hash": str, "body": str}
_KEYS = {*_KINDS, "names"}
_IN_BODY = ("shard", "seq", "prev")
_NESTING = (dict, list)
_SALT = re.compile("[0-9a-f]{32}")

type _What = tuple[str, int | None]
"""What is wrong, and the entry's position."""


class Head(NamedTuple):
    """The end of a shard's chain as somebody kept it elsewhere: what was last then must still be there."""

    seq: int
    hash: str


_BEGINNING = Head(0, "")


@dataclass(frozen=True)
class Finding:
    """What is wrong, and where: in which batch, and about which entry (from 0), if it is about one."""

    shard: str
    seq: Any  # a whole number, unless that is what is wrong
    what: str
    entry: int | None = None

    def __str__(self) -> str:
        """One line for a report."""
        place = f"shard {self.shard}, batch {self.seq}"
        return f"{place}{'' if self.entry is None else f', entry {self.entry}'}: {self.what}"


def verify(shard: str, batches: Iterable[Mapping[str, Any]], after: Head = _BEGINNING) -> Iterator[Finding]:
    """Verify a shard's chain, or what follows a known batch of it, in one pass and constant memory.

    A chain cannot tell that its tail was cut or forged to the end: keep heads elsewhere, and compare.

    Args:
        shard: the shard, such as `03`.
        batches: as stored, in order: mappings of `shard`, `seq`, `prev`, `hash`, `body`, `names` (or `None`).
        after: the batch that the first of these has to follow.
    """
    last = after
    for batch in batches:
        findings = list(_shape(batch)) or [*_alone(shard, batch), *_link(last, batch)]
        yield from (Finding(shard, batch.get("seq"), what, entry) for what, entry in findings)
        if type(batch.get("seq")) is int:
            last = max(last, Head(batch["seq"], str(batch.get("hash"))), key=lambda each: each.seq)


def _shape(batch: Mapping[str, Any]) -> Iterator[_What]:
    for name, kind in _KINDS.items():
        if type(batch.get(name)) is not kind:  # not isinstance: true is no 1
            yield f"{name} is missing or not of type {kind.__name__}", None
    if "names" not in batch or not isinstance(batch["names"], str | None):
        yield "names is missing or not a text", None
    if not batch.keys() <= _KEYS:
        yield "it has more than a batch has", None


def _link(last: Head, batch: Mapping[str, Any]) -> Iterator[_What]:
    """Whether it follows the batch before."""
    seq = batch["seq"]
    if seq > last.seq + 1:
        missing = f"batches {last.seq + 1} to {seq - 1} are" if seq > last.seq + 2 else f"batch {seq - 1} is"
        yield f"{missing} missing before it", None
    elif seq <= last.seq:
        yield f"it comes after batch {last.seq}: repeated, out of order or before the first", None
    elif batch["prev"] != last.hash:
        yield f"prev is not the hash of batch {last.seq}: one of the two was replaced or inserted", None


def _alone(shard: str, batch: Mapping[str, Any]) -> Iterator[_What]:
    """Whether it is sound in itself."""
    if batch["shard"] != shard:
        yield "it is of another shard", None
    if hashlib.sha256(batch["body"].encode(errors="surrogatepass")).hexdigest() != batch["hash"]:
        yield "hash is not that of the body: one of the two was edited", None
    body = _canonical(batch["body"])
    if not isinstance(body, dict) or body.keys() != {"entries", "v", *_IN_BODY}:
        yield "the body cannot be read, or is not canonical", None
    elif body["v"] != FORMAT:
        yield "the body is of another version", None
    else:
        yield from _frame(batch, body)
        yield from _entries(body["entries"], batch.get("names"))


def _frame(batch: Mapping[str, Any], body: Mapping[str, Any]) -> Iterator[_What]:
    for name in _IN_BODY:
        if type(body[name]) is not _KINDS[name] or body[name] != batch[name]:
            yield f"{name} in the body is another than the batch's", None


def _entries(entries: object, names: str | None) -> Iterator[_What]:
    if not isinstance(entries, list) or not 1 <= len(entries) <= MOST_ENTRIES:
        yield f"entries are not a list of 1 to {MOST_ENTRIES}", None
        return
    unreadable = [n for n, entry in enumerate(entries) if not _is_entry(entry)]
    yield from (("the entry cannot be read, or is of another version", n) for n in unreadable)
    if names is not None and not unreadable:
        yield from _names([entry["commitment"] for entry in entries], _canonical(names))


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("v") == FORMAT and isinstance(entry.get("commitment"), str)


def _names(commitments: Sequence[str], names: object) -> Iterator[_What]:
    """Whether the names, which are not hashed themselves, are those that the entries are committed to."""
    if not isinstance(names, list):
        yield "names cannot be read, or are not canonical", None
    elif len(names) != len(commitments):
        yield f"names are {len(names)}, entries are {len(commitments)}", None
    else:
        for position, (commitment, name) in enumerate(zip(commitments, names, strict=True)):
            if commitment != _commitment(name):
                yield "the commitment is not to this record, these details and this salt", position


def _commitment(name: object) -> str | None:
    """What an entry says in the place of what is named; `None` if this is no name."""
    match name:
        case None:
            return ""
        case [str(salt), str(), dict(details)] if _SALT.fullmatch(salt) and _are_texts(details):
            told: Any = name[1:]
            return hashlib.sha256(bytes.fromhex(salt) + rfc8785.dumps(told)).hexdigest()
        case _:
            return None


def _are_texts(details: Mapping[str, object]) -> bool:
    return all(isinstance(each, str) for each in details.values())


def _canonical(text: str) -> object:
    """The value that a text is the canonical JSON of; `None` if it is not that of any.

    There are whole numbers only, and few levels: others, not all readers of JSON read alike.
    """
    try:
        value = json.loads(text, parse_float=_no_number)
        is_canonical = _levels(value) <= MOST_LEVELS and rfc8785.dumps(value) == text.encode()
    except (ValueError, RecursionError):
        return None
    return value if is_canonical else None


def _levels(value: object) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_levels(each) for each in inside if isinstance(each, _NESTING)), default=0)


def _no_number(_: str) -> None:
    raise ValueError
