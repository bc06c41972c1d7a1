"""The ledger's batches: entries sealed by commitments to records and details, and chained by hash."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypedDict

import rfc8785

from shared.evidence import FORMAT, Entry
from shared.instants import to_text

MOST_ENTRIES = 100
MOST_BYTES = 300_000
"""Of a batch's body and names: DynamoDB's items may have 400 KB."""
SALT_BYTES = 16
_FRAME_BYTES = 300
"""More than what body and names have beside their entries."""

type End = tuple[int, str]
"""Of a shard's chain: the sequence number and the hash of its last batch."""
BEGINNING: End = (0, "")


class Batch(TypedDict):
    """A batch as the verifier takes it. A sequence number that is no whole one is somebody's forgery."""

    shard: str
    seq: int | Decimal
    prev: str
    hash: str
    body: str
    names: str | None
    """JSON, parallel to the body's entries: `[salt, record, details]` or `null`. `None` once dropped."""


class UnreadableBatchError(ValueError):
    """A batch does not say what a batch says. Which one, is its text; what is wrong, the verifier says."""

    def __init__(self, batch: Batch) -> None:
        """Say which."""
        super().__init__(f"shard {batch['shard']}, batch {batch['seq']}")


@dataclass(frozen=True)
class Line:
    """One entry, sealed: its part of the body and of the names, both canonical, and of the index."""

    text: str
    name: str
    size: int
    record: str
    hint: Mapping[str, str]


@dataclass(frozen=True)
class Kept:
    """One entry, by its position in its batch, from 0. What is not named is "" or {}: `record`, `details`."""

    shard: str
    seq: int | Decimal
    position: int
    entry: Mapping[str, Any]


def seal(entry: Entry, salt: bytes) -> Line:
    """The entry with a commitment to its record and details in the place of both.

    A commitment without its salt says nothing: not even whether it is to somebody who can be guessed.
    """
    commitment, name = "", b"null"
    if entry.record or entry.details:
        told: list[Any] = [entry.record, dict(entry.details)]
        commitment = hashlib.sha256(salt + rfc8785.dumps(told)).hexdigest()
        name = rfc8785.dumps([salt.hex(), *told])
    text = rfc8785.dumps({**entry.as_json(), "commitment": commitment})
    hint = {"rule": entry.rule, "outcome": entry.outcome.value, "at": to_text(entry.at)}
    return Line(text.decode(), name.decode(), len(text) + len(name), entry.record, hint)


def split(lines: Iterable[Line]) -> Iterator[Sequence[Line]]:
    """Lines enough for one batch each: of limited number and size."""
    batch: list[Line] = []
    size = _FRAME_BYTES
    for line in lines:
        length = line.size + len(",,")
        if batch and (len(batch) == MOST_ENTRIES or size + length > MOST_BYTES):
            yield batch
            batch, size = [], _FRAME_BYTES
        batch.append(line)
        size += length
    if batch:
        yield batch


def chained(shard: str, end: End, lines: Sequence[Line]) -> Batch:
    """The batch that follows the end of a chain."""
    seq, prev = end[0] + 1, end[1]
    entries = ",".join(line.text for line in lines)
    # Put together from canonical parts, in canonical order: so a batch is built anew at hardly any cost.
    body = f'{{"entries":[{entries}],"prev":"{prev}","seq":{seq},"shard":"{shard}","v":{FORMAT}}}'
    return Batch(
        shard=shard,
        seq=seq,
        prev=prev,
        hash=hashlib.sha256(body.encode()).hexdigest(),
        body=body,
        names=f"[{','.join(line.name for line in lines)}]",
    )


def to_item(batch: Batch) -> dict[str, Any]:
    """A new batch as DynamoDB's item."""
    texts = {name: {"S": text} for name, text in batch.items() if name != "seq"}
    return {**texts, "seq": {"N": str(batch["seq"])}, "v": {"N": str(FORMAT)}}


def from_item(item: Mapping[str, Any]) -> Batch:
    """A batch from DynamoDB's item. What is missing or of another type is empty: the verifier finds it."""
    number = Decimal(item["seq"]["N"])
    return Batch(
        shard=item["shard"]["S"],
        seq=int(number) if number == int(number) else number,
        prev=_text(item, "prev"),
        hash=_text(item, "hash"),
        body=_text(item, "body"),
        names=_text(item, "names") if "names" in item else None,
    )


def entries_in(batch: Batch) -> Iterator[Kept]:
    """A batch's entries, with their records and details.

    Raises:
        UnreadableBatchError: body and names cannot be read, or do not fit, or are of another format.
    """
    try:
        named = _named(batch)
    except (KeyError, TypeError, ValueError, RecursionError):
        raise UnreadableBatchError(batch) from None
    for position, entry in enumerate(named):
        yield Kept(batch["shard"], batch["seq"], position, entry)


def _named(batch: Batch) -> list[dict[str, Any]]:
    body = json.loads(batch["body"])
    if body["v"] != FORMAT:  # the same words may mean something else there
        raise ValueError(FORMAT)
    entries = body["entries"]
    names = [None] * len(entries) if batch["names"] is None else json.loads(batch["names"])
    return [{**entry, **_told(name)} for entry, name in zip(entries, names, strict=True)]


def _told(name: object) -> dict[str, Any]:
    match name:
        case None:
            return {"record": "", "details": {}}
        case [str(), str(record), dict(details)] if all(isinstance(each, str) for each in details.values()):
            return {"record": record, "details": details}
        case _:
            raise TypeError


def _text(item: Mapping[str, Any], name: str) -> str:
    return str(item.get(name, {}).get("S", ""))
