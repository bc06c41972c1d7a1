"""Verify an export of Lapse's ledger against its seals. For auditors: it shares no code with Lapse.

It needs Python 3.11 or later and `cryptography`, and asks nothing of any network:

    python audit/verify.py ledger.jsonl --seals DIR --public-key key.pem [--public-key older.pem]

Each finding is a line that begins with its place. It ends with 0 if there is none, and with 1 otherwise.
docs/audit.md says what the formats are, what a finding means, and what cannot be shown.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
from bisect import bisect_left
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

CHAINS = [f"{shard:02}" for shard in range(16)]
FRAME = {"shard": str, "seq": int, "prev": str}
BATCH = {**FRAME, "hash": str, "body": str}
BY_CHAIN = dict.fromkeys(CHAINS, int)
HEADS = {chain: {"seq": int, "hash": str} for chain in CHAINS}
TEXTS = dict.fromkeys(["at", "kept_since", "previous", "public_key"], str)
SEAL = {"v": int, "number": int, **TEXTS, "heads": HEADS, "unnamed": BY_CHAIN, "unnaming": BY_CHAIN}
FORMAT, MOST = 2, 100  # the version of batches and entries; how many entries a batch may have
BROKEN = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, InvalidSignature)
findings: list[str] = []


def finding(place: str, what: str) -> None:
    """Print what is wrong, and where."""
    findings.append(place)
    print(f"{place}: {what}")


def sha256(text: str) -> str:
    """Of a text's UTF-8."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def must(true: object) -> None:
    """What is not so, is not read any further."""
    if not true:
        raise ValueError


def form(value: Any) -> Any:
    """What kinds of values there are in an object."""
    return {name: form(each) for name, each in value.items()} if isinstance(value, dict) else type(value)


def whole(number: str) -> int:
    """The only numbers that there are: whole, and such as all readers of JSON read alike."""
    must(abs(int(number)) < 2**53)
    return int(number)


def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no name stands twice."""
    must(len(dict(members)) == len(members))
    return dict(members)


def in_order(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """The same, and names stand in the order of their UTF-16."""
    must(members == sorted(members, key=lambda member: member[0].encode("utf-16-be")))
    return once(members)


def canonical(text: str) -> Any:
    """What a text says that is canonical, as RFC 8785 has it of texts, whole numbers, lists and objects."""
    value = json.loads(
        text, object_pairs_hook=in_order, parse_int=whole, parse_float=whole, parse_constant=whole
    )
    must(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() == text.encode())
    return value


def instant(text: str) -> datetime:
    """What a text says that is an instant of UTC, as Lapse writes them."""
    at = datetime.fromisoformat(text).astimezone(UTC)
    must(at.isoformat().replace("+00:00", "Z") == text)
    return at


def verify_seals(directory: Path, keys: dict[str, Any]) -> list[dict[str, Any]]:
    """Each is signed, has the number of its file, and follows the one before. Returns what sound ones say."""
    sound: list[dict[str, Any]] = []
    last, previous = 0, {""}
    files = {each.stem: each for each in directory.glob("*.json") if re.fullmatch("[0-9]{10}", each.stem)}
    for number in sorted(map(int, files)) or [2]:
        if number > last + 1:
            several = f"seals {last + 1} to {number - 1} are missing"
            finding(f"seal {last + 1}", several if number > last + 2 else "it is missing")
            previous = set()
        if files:
            text = files[f"{number:010}"].read_text(encoding="utf-8", errors="replace")
            last, previous = number, verify_seal(number, text, previous, keys, sound)
    return sound


def verify_seal(number: int, text: str, previous: set[str], keys: Any, sound: Any) -> set[str]:
    """Take a seal's word, if it is sound. Returns by what the next one may name it, if that can be told."""
    place, digests = f"seal {number}", set()
    try:
        written = json.loads(text)
        digests = {sha256(written["body"])}
        body, signature = canonical(written["body"]), base64.b64decode(written["signature"], validate=True)
        must(form(body) == SEAL and body["v"] == 1)
        reached, _ = progress(body), instant(body["kept_since"])
        if body["number"] != number:
            finding(place, "it is another seal")
        if previous - {body["previous"]}:
            finding(place, "it does not follow the seal before it")
        if body["public_key"] not in keys:
            finding(place, "it is signed by a key that was not given")
            return digests
        keys[body["public_key"]].verify(signature, written["body"].encode(), ECDSA(SHA256()))
        if sound and any(now < then for then, now in zip(progress(sound[-1]), reached, strict=True)):
            finding(place, "it is soundly signed, and goes back behind the seal before it")
        sound.append(body)
    except BROKEN:
        finding(place, "it cannot be read, or has no signature of its body")
    return digests


def progress(seal: dict[str, Any]) -> list[Any]:
    """What never goes back from seal to seal."""
    heads = [head["seq"] for head in seal["heads"].values()]
    return [instant(seal["at"]), *heads, *seal["unnamed"].values(), *seal["unnaming"].values()]


def verify_batch(place: str, batch: dict[str, Any]) -> None:
    """The body is as hashed, says what the batch says, and its entries are about the records named."""
    if sha256(batch["body"]) != batch["hash"]:
        finding(place, "its hash is not that of its body")
    try:
        body = canonical(batch["body"])
        entries, frame = body.pop("entries"), {each: batch[each] for each in FRAME}
        must(body.pop("v") == FORMAT and body.keys() == FRAME.keys())
        if (form(body), body) != (FRAME, frame):
            finding(place, "its body is that of another batch")
        must(type(entries) is list and 1 <= len(entries) <= MOST)
    except BROKEN:
        finding(place, "its body cannot be read, or is of another form")
        return
    commitments = [verify_entry(f"{place}, entry {number}", entry) for number, entry in enumerate(entries)]
    if batch["names"] is not None and None not in commitments:
        verify_names(place, commitments, batch["names"])


def verify_entry(place: str, entry: Any) -> Any:
    """What it says in the place of its record."""
    if isinstance(entry, dict) and entry.get("v") == FORMAT and type(entry.get("commitment")) is str:
        return entry["commitment"]
    return finding(place, "it cannot be read, or is of another version")


def verify_names(place: str, commitments: list[Any], text: str) -> None:
    """Each entry is about the record that is named."""
    try:
        names = canonical(text)
        must(type(names) is list and len(names) == len(commitments))
    except BROKEN:
        finding(place, "its names cannot be read, or are not as many as its entries")
        return
    for number, (commitment, name) in enumerate(zip(commitments, names, strict=True)):
        try:
            must(commitment == ("" if name is None else committed(name)))
        except BROKEN:
            finding(f"{place}, entry {number}", "it is not about the record that is named")


def committed(name: Any) -> str:
    """What an entry says in the place of its record."""
    salt, record = name
    must(type(name) is list and re.fullmatch("[0-9a-f]{32}", salt))
    return hashlib.sha256(bytes.fromhex(salt) + record.encode()).hexdigest()


class Chain:
    """What seals say of a chain, and how far it was read."""

    def __init__(self, name: str, seals: list[dict[str, Any]]) -> None:
        """Where names may be gone, the first seal that says so says how old they must be."""
        self.name, self.last, self.last_hash = name, 0, ""
        self.heads: dict[int, set[str]] = {}
        self.unnaming, self.kept_since = [0], [""]
        for seal in seals:
            self.heads.setdefault(seal["heads"][name]["seq"], set()).add(seal["heads"][name]["hash"])
            if seal["unnaming"][name] > self.unnaming[-1]:
                self.unnaming.append(seal["unnaming"][name])
                self.kept_since.append(seal["kept_since"])
        self.sealed = max(self.heads, default=0)

    def verify(self, batch: dict[str, Any]) -> None:
        """A batch follows the one before, is what was sealed, and lost its names by a seal's word only."""
        seq, its_hash = batch.get("seq"), str(batch.get("hash"))
        place = f"shard {self.name}, batch {seq}"
        if form(batch) not in ({**BATCH, "names": str}, {**BATCH, "names": type(None)}):
            finding(place, "it has not the form of a batch")
        else:
            verify_batch(place, batch)
            if seq != self.last + 1:
                finding(place, f"it follows batch {self.last}: one is missing, repeated or out of order")
            elif batch["prev"] != self.last_hash:
                finding(place, "it does not follow the batch before it")
        if type(seq) is not int:
            return
        if self.heads.pop(seq, {its_hash}) != {its_hash}:
            finding(place, "it is not the batch that was sealed")
        if batch.get("names") is None:
            self.verify_drop(place, seq, batch)
        if seq > self.last:
            self.last, self.last_hash = seq, its_hash

    def verify_drop(self, place: str, seq: int, batch: dict[str, Any]) -> None:
        """A seal said that the names may go, and all that the batch tells of was older than it said."""
        by = bisect_left(self.unnaming, seq)
        if by == len(self.unnaming):
            finding(place, "its names are gone, and no seal says that they may be")
        elif not is_older(batch, self.kept_since[by]):
            finding(place, "its names are gone, though younger than the seal says")

    def end(self) -> None:
        """Every batch that was ever sealed as a head was there."""
        for seq in sorted(self.heads.keys() - {0}):
            place = f"shard {self.name}, batch {seq}"
            finding(place, f"sealed, and missing: the chain ends with {self.last}")
        if self.last > self.sealed:
            print(f"(shard {self.name}: from batch {self.sealed + 1} on nothing is sealed yet)")


def is_older(batch: dict[str, Any], since: str) -> bool:
    """Whether all that a batch tells of is older."""
    try:
        entries = json.loads(batch["body"])["entries"]
        return all(instant(entry["at"]) < instant(since) for entry in entries)
    except BROKEN:
        return False


def verify_export(lines: Any, chains: dict[str, Chain]) -> None:
    """Every line is a sound batch, and every batch that was ever sealed as a head is there."""
    for number, line in enumerate(lines, start=2):
        try:
            batch = json.loads(line, object_pairs_hook=once)
            chain = chains[batch["shard"]]
        except BROKEN:
            finding(f"line {number}", "it is no batch of any chain")
        else:
            chain.verify(batch)
    for chain in chains.values():
        chain.end()


def is_export(header: str) -> bool:
    """Whether a first line is one of an export of the version that is known."""
    try:
        said = json.loads(header)
        return (said["v"], said["what"]) == (1, "lapse ledger export")
    except BROKEN:
        return False


def main() -> None:
    """Verify, and say so."""
    parser = argparse.ArgumentParser(description="Verify an export of Lapse's ledger against its seals.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--seals", type=Path, required=True)
    parser.add_argument("--public-key", type=Path, action="append", required=True)
    given = parser.parse_args()
    read = [load_pem_public_key(file.read_bytes()) for file in given.public_key]
    in_der = [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in read]
    keys = {hashlib.sha256(der).hexdigest(): key for der, key in zip(in_der, read, strict=True)}
    seals = verify_seals(given.seals / "seals", keys)
    with given.export.open(encoding="utf-8", errors="replace") as lines:
        if not is_export(next(lines, "")):
            sys.exit("This is no export of a ledger, or one of another version.")
        verify_export(lines, {chain: Chain(chain, seals) for chain in CHAINS})
    if seals:
        last = "seal {number}, of {at}; names are kept since {kept_since}".format_map(seals[-1])
        print(f"{len(seals)} sound seals. The last is {last}.")
    print(f"{len(findings)} findings." if findings else "All chains are whole, as sealed.")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
