"""What sealing works on, in memory: a ledger with names to lose, seals, and a key of one's own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.evidence import Entry, Outcome
from shared.failure import CallFailedError
from shared.ledger_batch import BEGINNING, Batch, chained, seal
from shared.policy import Policy
from shared.seal import Seal
from shared.seal_ledger import Pace, Ports, SealReport, seal_ledger
from tests.builders import NOW, policy, shipment_ref


class LocalKey:
    """A key as KMS has them: moto signs the digest of the digest."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())

    def public(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, digest: bytes) -> bytes:
        return self.private.sign(digest, ec.ECDSA(utils.Prehashed(SHA256())))

    def has_signed(self, digest: bytes, signature: bytes) -> bool:
        try:
            self.private.public_key().verify(signature, digest, ec.ECDSA(utils.Prehashed(SHA256())))
        except InvalidSignature:
            return False
        return True


@dataclass
class LedgerWithNames:
    """Chains, by shard."""

    chains: dict[int, list[Batch]] = field(default_factory=dict)
    broken: set[int] = field(default_factory=set)
    """Shards that cannot be read."""
    stuck: set[int] = field(default_factory=set)
    """Shards whose names cannot be dropped."""
    taken: int = 0

    def append(self, shard: int, *entries: Entry) -> None:
        chain = self.chains.setdefault(shard, [])
        end = (int(chain[-1]["seq"]), chain[-1]["hash"]) if chain else BEGINNING
        lines = [seal(entry, b"salt" * 4) for entry in entries or (entry_at(NOW),)]
        chain.append(chained(f"{shard:02}", end, lines))

    def batches(self, shard: int, after: int = 0) -> Iterator[Batch]:
        if shard in self.broken:
            raise CallFailedError("Query", "ThrottlingException")
        for batch in self.chains.get(shard, []):
            if batch["seq"] > after:
                self.taken += 1
                yield batch

    def drop_names(self, batch: Batch) -> None:
        shard = int(batch["shard"])
        if shard in self.stuck:
            raise CallFailedError("UpdateItem", "ThrottlingException")
        self.chains[shard] = [
            Batch(**{**each, "names": None}) if each["seq"] == batch["seq"] else each
            for each in self.chains[shard]
        ]

    def named(self, shard: int) -> list[int]:
        """The numbers of the batches that still have names."""
        return [int(each["seq"]) for each in self.chains[shard] if each["names"] is not None]


@dataclass
class KeptSeals:
    """The bucket."""

    seals: list[Seal] = field(default_factory=list)
    signatures: list[bytes] = field(default_factory=list)
    keys: dict[str, bytes] = field(default_factory=dict)
    foreign: dict[int, str] = field(default_factory=dict)
    """Numbers of objects that are no seals; reading one fails with its code, if it has one."""
    overtaken: bool = False
    """Another run puts a seal of its own just before this one's."""

    def numbers(self) -> set[int]:
        return {each.number for each in self.seals} | self.foreign.keys()

    def read(self, number: int) -> tuple[Seal, bytes] | None:
        if code := self.foreign.get(number):
            raise CallFailedError("GetObject", code)
        both = zip(self.seals, self.signatures, strict=True)
        return next((each for each in both if each[0].number == number), None)

    def keep_key(self, public_key: bytes) -> str:
        digest = sha256(public_key).hexdigest()
        self.keys[digest] = public_key
        return digest

    def add(self, seal: Seal, signature: bytes) -> bool:
        assert seal.public_key in self.keys
        if self.overtaken:
            self.overtaken = False
            self.add(replace(seal, at=seal.at - timedelta(seconds=1)), b"of another")
        if seal.number in self.numbers():
            return False
        self.seals.append(seal)
        self.signatures.append(signature)
        return True


@dataclass
class Sealing:
    """All of it, and a clock that only moves when told."""

    policy: Policy = field(default_factory=policy)
    now: datetime = NOW
    minutes_left: float = 15
    ledger: LedgerWithNames = field(default_factory=LedgerWithNames)
    seals: KeptSeals = field(default_factory=KeptSeals)
    key: LocalKey = field(default_factory=LocalKey)
    times_left: Sequence[float] = ()
    """In minutes, as the run asks for them; then `minutes_left`."""

    def run(self, *, by_hand: bool = False) -> SealReport:
        answers = iter(self.times_left)
        pace = Pace(
            clock=lambda: self.now, time_left=lambda: timedelta(minutes=next(answers, self.minutes_left))
        )
        return seal_ledger(self.policy, Ports(self.ledger, self.seals, self.key), pace, by_hand=by_hand)

    def next_day(self) -> None:
        self.now += timedelta(days=1)

    @property
    def last(self) -> Seal:
        return self.seals.seals[-1]


def entry_at(at: datetime, **changes: Any) -> Entry:
    """Evidence of an erasure then."""
    entry = Entry(
        outcome=Outcome.ERASED, at=at, cause="manual", policy="d", rule="rule", record=shipment_ref().text
    )
    return replace(entry, **changes)
