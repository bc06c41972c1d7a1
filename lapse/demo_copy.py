"""A copy of a ledger and its seals, as an auditor is given them, to tamper with."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from shared.seal import Seal, opened, read_body, sealed


@dataclass
class Copy:
    """The lines of an export, and the texts of seals by their number. Batches are those of one chain."""

    lines: list[str]
    seals: dict[int, str]
    of_chain: str = field(default="", kw_only=True)
    """The chain; the longest that is sealed, if none is named."""

    @classmethod
    def read(cls, export: Path, seals: Path) -> "Copy":
        """From where the commands put them."""
        texts = {int(each.stem): each.read_text() for each in (seals / "seals").glob("*.json")}
        return cls(export.read_text().splitlines(), texts)

    def write(self, export: Path, seals: Path) -> None:
        """For a verifier; into a directory that has no seals yet."""
        (seals / "seals").mkdir(parents=True)
        export.write_text("".join(f"{line}\n" for line in self.lines))
        for number, text in self.seals.items():
            (seals / "seals" / f"{number:010}.json").write_text(text)

    @property
    def chain(self) -> str:
        """The chain whose batches these are."""
        heads = self.seal(max(self.seals)).heads
        return self.of_chain or max(heads, key=lambda chain: heads[chain].seq)

    def place(self, seq: int) -> str:
        """How verifiers name a batch."""
        return f"shard {self.chain}, batch {seq}"

    def heads(self) -> set[int]:
        """The batches of the chain that ever were sealed as its head."""
        return {self.seal(number).heads[self.chain].seq for number in self.seals} - {0}

    def line(self, seq: int) -> int:
        """Where a batch stands."""
        text = f'"shard": "{self.chain}", "seq": {seq},'
        return next(number for number, line in enumerate(self.lines) if text in line)

    def end(self) -> int:
        """The last batch of the chain."""
        return sum(f'"shard": "{self.chain}", "seq": ' in line for line in self.lines)

    def fullest(self) -> int:
        """The batch of the chain that has the most entries."""
        bodies = {seq: json.loads(self.batch(seq)["body"]) for seq in range(1, self.end() + 1)}
        return max(bodies, key=lambda seq: len(bodies[seq]["entries"]))

    def batch(self, seq: int) -> dict[str, Any]:
        """What a line says."""
        read: dict[str, Any] = json.loads(self.lines[self.line(seq)])
        return read

    def put(self, seq: int, /, **changes: object) -> None:
        """Other values in a batch."""
        self.lines[self.line(seq)] = json.dumps(self.batch(seq) | changes)

    def edit(self, seq: int, change: Callable[[dict[str, Any]], object]) -> None:
        """Another body for a batch, and the hash that it would have."""
        body = json.loads(self.batch(seq)["body"])
        change(body)
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        self.put(seq, body=text, hash=hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest())

    def name(self, seq: int, change: Callable[[list[Any]], object]) -> None:
        """Other names in a batch."""
        names = json.loads(self.batch(seq)["names"])
        change(names)
        self.put(seq, names=json.dumps(names, separators=(",", ":"), ensure_ascii=False))

    def follow(self, seq: int, before: str) -> None:
        """Chain a batch to another."""
        self.put(seq, prev=before)
        self.edit(seq, lambda body: body.update(prev=before))

    def chain_anew(self, since: int) -> None:
        """Chain what follows a batch to what it is now, to the end: as one could who can write the ledger."""
        for seq in range(since + 1, self.end() + 1):
            self.follow(seq, self.batch(seq - 1)["hash"])

    def seal(self, number: int) -> Seal:
        """What a seal says."""
        return read_body(opened(self.seals[number])[0])

    def forge(self, number: int, seal: Seal, key: ec.EllipticCurvePrivateKey) -> None:
        """Another seal in the place of one, signed by a key of somebody's."""
        self.seals[number] = sealed(seal.body, key.sign(seal.body.encode(), ec.ECDSA(SHA256())))
