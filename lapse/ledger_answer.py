"""What a verification of the ledger answers: findings and places, heads, and what is not sealed yet."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

from lapse.answer import add_row, counted, short, table_of
from lapse.ledger_audit import FollowedChain, LineFinding
from lapse.listing import Listing
from lapse.receipts import Receipts
from lapse.trouble import TroubleError
from shared.ledger import Finding, Head

if TYPE_CHECKING:
    from lapse.sealed import Sealed, SealFinding


@dataclass
class Verification:
    """What was found, and of what."""

    findings: list["Finding | LineFinding | SealFinding"] = field(default_factory=list)
    chains: Mapping[str, FollowedChain] = field(default_factory=dict)
    sealed: "Sealed | None" = None
    receipts: Receipts | None = None

    @property
    def is_good(self) -> bool:
        """Whether nothing was found, and no receipt is missing."""
        return not self.findings and not (self.receipts and self.receipts.missing)

    @property
    def entries(self) -> int:
        """Of all chains."""
        return sum(chain.entries for chain in self.chains.values())

    def as_json(self) -> dict[str, Any]:
        """One object; `shards` is what `--heads` reads."""
        places = [_place(finding) for finding in self.findings]
        data = {"good": self.is_good, "shards": self._shards(), "findings": places}
        seals = self._seals_as_json(self.sealed) if self.sealed else {}
        return data | seals | (self._receipts_as_json(self.receipts) if self.receipts else {})

    def _shards(self) -> dict[str, dict[str, Any]]:
        return {
            name: {"batches": chain.batches, "entries": chain.entries, **chain.head._asdict()}
            for name, chain in self.chains.items()
        }

    def _receipts_as_json(self, receipts: Receipts) -> dict[str, Any]:
        missing = [each.as_json() for each in receipts.missing]
        return {"receipts": {"asked": receipts.asked, "too_old": receipts.too_old, "missing": missing}}

    def _seals_as_json(self, sealed: "Sealed") -> dict[str, Any]:
        last = sealed.last
        unsealed = {
            chain.name: {"from_batch": chain.sealed_up_to + 1, "batches": chain.unsealed}
            for chain in self.chains.values()
            if chain.unsealed
        }
        latest = last and {"number": last.number, "at": last.at}
        about = {"sound": sealed.seals, "last": latest, "signed_by": sorted(sealed.signers)}
        return {"seals": about, "unsealed": unsealed}

    def shown(self) -> Iterator[RenderableType]:
        """For people."""
        rows = table_of("Shard", "Batches", "Entries", "Head")
        for each in self.chains.values():
            add_row(rows, each.name, f"{each.batches:,}", f"{each.entries:,}", each.head.hash[:16])
        yield rows
        yield from self._said()

    def listing(self) -> Listing:
        """The chains as a list; beside it what was found."""
        shards = [{"shard": name, **each} for name, each in self._shards().items()]
        return Listing(("shard", "batches", "entries", "seq", "hash"), shards, tuple(self._said()))

    def _said(self) -> Iterator[str]:
        if self.sealed is not None:
            yield from self._of_seals(self.sealed)
        yield from (str(each) for each in self.findings)
        entries = counted(self.entries, "entry", "entries")
        whole = "All chains are whole" + (", as sealed" if self.sealed else "")
        yield f"{counted(len(self.findings), 'finding')}." if self.findings else f"{whole}: {entries}."

        if self.receipts:
            yield from self._of_receipts(self.receipts)

    def _of_receipts(self, receipts: Receipts) -> Iterator[str]:
        yield from map(str, receipts.missing)
        old = f" Of {receipts.too_old:,} the ledger may have dropped the name." if receipts.too_old else ""
        missing = counted(len(receipts.missing), "receipt")
        yield f"{counted(receipts.asked, 'record')} whose fields are gone: {missing} missing.{old}"

    def _of_seals(self, sealed: "Sealed") -> Iterator[str]:
        last = sealed.last
        latest = f"; the last, {last.number}, of {short(last.at)}" if last else ""
        signed = f" Signed by the key {', '.join(sorted(sealed.signers))}." if last else ""
        yield f"{counted(sealed.seals, 'sound seal')}{latest}.{signed}"
        for each in self.chains.values():
            if each.unsealed:
                since = f"shard {each.name}: from batch {each.sealed_up_to + 1}, entry 0, on"
                yield f"{since} nothing is sealed yet: {counted(each.unsealed, 'batch', 'batches')}."


def _place(finding: "Finding | LineFinding | SealFinding") -> dict[str, Any]:
    match finding:
        case Finding():
            return {
                "shard": finding.shard,
                "batch": finding.seq,
                "entry": finding.entry,
                "what": finding.what,
            }
        case LineFinding():
            return {"line": finding.line, "what": "it is no batch of any chain"}
        case _:
            return {"seal": finding.seal, "what": finding.what}


def read_heads(file: Path) -> Mapping[str, Head]:
    """The heads that an earlier verification printed.

    Raises:
        TroubleError: it did not print this.
    """
    try:
        shards = json.loads(file.read_text())["shards"]
        return {shard: Head(int(each["seq"]), str(each["hash"])) for shard, each in shards.items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise TroubleError("--heads: the file is no output of `lapse ledger verify --json`.") from None
