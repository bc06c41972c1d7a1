"""Chains, verified batch by batch as they are read, and compared with what seals and kept heads say."""

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from shared.instants import parse_rfc3339, to_text
from shared.ledger import Finding, Head, verify
from shared.seal import CHAINS, NO_HEAD

if TYPE_CHECKING:
    from lapse.sealed import Dropping, Sealed  # cryptography takes its time to load

type StoredBatch = Mapping[str, Any]
UNSAID = "its names are gone, and no seal says that they may be"


@dataclass(frozen=True)
class LineFinding:
    """A line of an export that is no batch of any chain."""

    line: int

    def __str__(self) -> str:
        """One line for a report."""
        return f"line {self.line}: it is no batch of any chain"


@dataclass
class FollowedChain:
    """A chain, counted while it is read."""

    name: str
    known: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    """By sequence number: the hashes that it must have, each with who says so."""
    sealed_up_to: int = 0
    dropping: "Sequence[Dropping] | None" = None
    """Up to where names may be gone, seal by seal; `None` if there are no seals to ask."""
    batches: int = 0
    entries: int = 0
    unsealed: int = 0
    head: Head = NO_HEAD
    met: set[int] = field(default_factory=set)

    def follow(self, batches: Iterable[StoredBatch]) -> Iterator[Finding]:
        """Verify what follows what was followed before."""
        last = self.head
        for batch in batches:
            yield from verify(self.name, [batch], after=last)
            self._count(batch)
            last = self.head
            if type(batch.get("seq")) is int:
                yield from self._compare(batch)

    def end(self) -> Iterator[Finding]:
        """What should have come, and did not."""
        for seq in sorted(self.known.keys() - self.met):
            by = next(iter(self.known[seq].values()))
            yield Finding(self.name, seq, f"the {by} is missing: the chain ends with batch {self.head.seq}")

    def _count(self, batch: StoredBatch) -> None:
        self.batches += 1
        self.entries += _entries_of(batch)
        seq = batch.get("seq")
        if type(seq) is int:
            self.head = max(self.head, Head(seq, str(batch.get("hash"))), key=lambda each: each.seq)
            self.unsealed += seq > self.sealed_up_to

    def _compare(self, batch: StoredBatch) -> Iterator[Finding]:
        seq: int = batch["seq"]
        if seq in self.known:
            self.met.add(seq)
            for wanted, by in self.known[seq].items():
                if wanted != batch.get("hash"):
                    yield Finding(self.name, seq, f"it is not the batch whose hash is the {by}")
        if self.dropping is not None and batch.get("names") is None:
            first = bisect_left(self.dropping, seq, key=lambda each: each.up_to)
            if first == len(self.dropping):
                yield Finding(self.name, seq, UNSAID)
            elif not _is_older(batch, self.dropping[first].kept_since):
                yield Finding(self.name, seq, "its names are gone, though younger than the seal says")


def chains_to_follow(
    heads: Mapping[str, Head], what: str, sealed: "Sealed | None" = None
) -> dict[str, FollowedChain]:
    """All chains, with what is known of them: heads, what these are to be called, and what seals say."""
    chains = {}
    for name in CHAINS:
        known: dict[int, dict[str, str]] = {}
        if sealed:
            for seq, hashes in sealed.heads[name].items():
                known[seq] = {each: f"head of seal {number}" for each, number in hashes.items()}
        if name in heads and heads[name] != NO_HEAD:
            known.setdefault(heads[name].seq, {})[heads[name].hash] = what
        chains[name] = FollowedChain(
            name,
            known,
            max(sealed.heads[name], default=0) if sealed else 0,
            sealed.dropping[name] if sealed else None,
        )
    return chains


def follow_lines(
    lines: Iterable[StoredBatch | None], chains: Mapping[str, FollowedChain]
) -> Iterator[Finding | LineFinding]:
    """Verify the batches of an export, whose chains may follow each other in any way. The first line is 2."""
    numbered = enumerate(lines, start=2)
    for name, some in groupby(numbered, key=lambda line: _chain_of(line[1], chains)):
        if name is None:
            yield from (LineFinding(number) for number, _ in some)
        else:
            yield from chains[name].follow(batch for _, batch in some if batch is not None)


def _chain_of(batch: StoredBatch | None, chains: Mapping[str, FollowedChain]) -> str | None:
    name = batch.get("shard") if batch else None
    return name if isinstance(name, str) and name in chains else None


def _entries_of(batch: StoredBatch) -> int:
    """How many entries a batch has; of one that cannot be read, which the verifier will say, none."""
    try:
        return len(json.loads(batch["body"])["entries"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0


def _is_older(batch: StoredBatch, instant: datetime) -> bool:
    """Whether all that a batch tells of is older; what is not written as Lapse writes it, is not."""
    try:
        said = [entry["at"] for entry in json.loads(batch["body"])["entries"]]
        return all(parse_rfc3339(at) < instant and to_text(parse_rfc3339(at)) == at for at in said)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
