"""A ledger that is made while it is read: as many entries as wanted, in no memory."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import batched

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.evidence import Entry, Outcome
from shared.instants import FIRST
from shared.ledger import Head
from shared.ledger_batch import BEGINNING, MOST_ENTRIES, Batch, chained, seal
from shared.record import SHARDS, RecordRef
from shared.seal import CHAINS, Seal, sealed

_NOW = datetime(2026, 8, 25, 10, 15, tzinfo=UTC)


@dataclass(frozen=True)
class MadeLedger:
    """So many entries, as erasures leave them, in equal parts over all chains."""

    entries: int

    def batches(self, shard: int) -> Iterator[Batch]:
        """A chain, the same each time."""
        end = BEGINNING
        numbers = range(shard, self.entries, SHARDS)
        for some in batched(numbers, MOST_ENTRIES, strict=False):
            lines = [seal(_entry(n), n.to_bytes(16)) for n in some]
            batch = chained(CHAINS[shard], end, lines)
            end = int(batch["seq"]), batch["hash"]
            yield batch

    def all_batches(self) -> Iterator[Batch]:
        """The chains, one after the other."""
        return (batch for shard in range(SHARDS) for batch in self.batches(shard))

    def heads(self) -> dict[str, Head]:
        """The ends of all chains."""
        last = {batch["shard"]: batch for batch in self.all_batches()}
        return {chain: Head(int(batch["seq"]), batch["hash"]) for chain, batch in last.items()}


def _entry(number: int) -> Entry:
    record = RecordRef("Shipments", {"shipment_id": {"S": f"S-{number}"}}).text
    fields = (("contact_number",), ("email",))
    return Entry(
        outcome=Outcome.ERASED, at=_NOW, cause="wake-up", policy="d" * 64, record=record,
        rule="delivery-contact", clause="2.2.1", due=_NOW, fields=fields,
    )  # fmt: skip


def sealed_by(heads: dict[str, Head]) -> tuple[bytes, str]:
    """A key's public half, and a seal of these heads by it."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    none = dict.fromkeys(CHAINS, 0)
    made = Seal(
        number=1, at=_NOW, kept_since=FIRST, previous="", public_key=hashlib.sha256(public).hexdigest(),
        heads=heads, unnamed=none, unnaming=none,
    )  # fmt: skip
    return public, sealed(made.body, key.sign(made.digest, ec.ECDSA(utils.Prehashed(SHA256()))))
