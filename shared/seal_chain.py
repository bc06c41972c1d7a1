"""One chain, looked at for a seal: whether it goes on whole from the last, and what may lose its names."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain as one_after_another
from typing import Protocol

from shared.instants import parse_rfc3339
from shared.ledger import Finding, Head, verify
from shared.ledger_batch import Batch

MOST_AHEAD = 5_000
"""Batches whose names are to be dropped next: if more are old enough, a later run goes on."""
MOST_FINDINGS = 10
"""Of a chain, in the log."""
_MOST_SEQ = 2**53 - 1
"""Canonical JSON has no larger number; no chain comes so far."""


class LedgerToSeal(Protocol):
    """The ledger, to be read, and to lose names."""

    def batches(self, shard: int, after: int) -> Iterable[Batch]:
        """A shard's batches in order, behind a sequence number."""

    def drop_names(self, batch: Batch) -> None:
        """Drop the names of a batch, and all that the index has of their records up to it."""


@dataclass
class Chain:
    """What a run finds out about a chain, and does: it begins with what the last seal says."""

    name: str
    head: Head
    unnamed: int
    unnaming: int
    findings: list[str] = field(default_factory=list)
    failure: str = ""
    dropped: int = 0
    drop_failure: str = ""


def look_at(chain: Chain, ledger: LedgerToSeal, kept_since: datetime, has_time: Callable[[], bool]) -> None:
    """Follow a chain from its last sealed head as far as there is time, and find what is old enough."""
    for finding in _findings(chain, ledger, has_time):
        if len(chain.findings) < MOST_FINDINGS:
            chain.findings.append(str(finding))
    _find_old(chain, ledger, kept_since, has_time)


def _findings(chain: Chain, ledger: LedgerToSeal, has_time: Callable[[], bool]) -> Iterator[Finding]:
    sealed = chain.head
    batches = iter(ledger.batches(int(chain.name), max(sealed.seq - 1, 0)))
    if sealed.seq:
        first = next(batches, None)
        if first is None or (first["seq"], first["hash"]) != sealed:
            yield Finding(chain.name, sealed.seq, "the batch that was sealed last is missing, or another")
            batches = one_after_another([first] if first else [], batches)
            chain.head = Head(0, "")  # what is there now is sealed as it is
    yield from verify(chain.name, _while_there_is_time(chain, batches, has_time), after=sealed)


def _while_there_is_time(
    chain: Chain, batches: Iterable[Batch], has_time: Callable[[], bool]
) -> Iterator[Batch]:
    """The batches; the last one that was taken is the chain's head."""
    for batch in batches:
        if isinstance(batch["seq"], int) and chain.head.seq < batch["seq"] <= _MOST_SEQ:
            chain.head = Head(batch["seq"], batch["hash"])
        yield batch
        if not has_time():
            return


def _find_old(chain: Chain, ledger: LedgerToSeal, kept_since: datetime, has_time: Callable[[], bool]) -> None:
    """Go on where the last run stopped: past what has no names any more, and then to what is young."""
    announced = chain.unnaming
    for batch in ledger.batches(int(chain.name), chain.unnamed):
        seq = batch["seq"]
        if not isinstance(seq, int) or seq > chain.head.seq or seq > chain.unnamed + MOST_AHEAD:
            return
        if batch["names"] is None and seq <= announced and seq == chain.unnamed + 1:
            chain.unnamed = seq
        old = is_older(batch, kept_since)
        if old is False or not has_time():
            return
        if old:
            chain.unnaming = max(chain.unnaming, seq)


def is_older(batch: Batch, instant: datetime) -> bool | None:
    """Whether all that a batch tells of is older; `None` if it cannot be read: what follows it decides.

    An edited one never is: how old it was when it was written, it does not tell any more.
    """
    if hashlib.sha256(batch["body"].encode(errors="surrogatepass")).hexdigest() != batch["hash"]:
        return False
    try:
        return all(parse_rfc3339(entry["at"]) < instant for entry in json.loads(batch["body"])["entries"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
