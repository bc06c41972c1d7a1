"""Verify an export of Lapse's ledger against its seals. For auditors: it shares no code with Lapse.

It needs Python 3.11 or later and `cryptography`, and asks nothing of any network:

    python audit/verify.py ledger.jsonl --seals DIR --public-key key.pem [--public-key older.pem]

A directory in the place of a key stands for each `*.pem` in it. Each finding is a line that begins with its
place. It ends with 0 if there is none, and with 1 otherwise. docs/audit.md says what the formats are, what a
finding means, and what cannot be shown.
"""

import argparse
import base64
import json
import sys
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

HEADER = '{"v": 1, "what": "lapse ledger export", '
CHAINS = [f"{shard:02}" for shard in range(16)]
FRAME = ["prev", "seq", "shard"]
BATCH = {*FRAME, "hash", "body", "names"}
SEAL: dict[str, Any] = {"v": int, "number": int, "at": str, "kept_since": str, "previous": str}
SEAL |= {"public_key": str, "heads": {chain: {"seq": int, "hash": str} for chain in CHAINS}}
SEAL |= dict.fromkeys(["unnamed", "unnaming"], dict.fromkeys(CHAINS, int))
FORMAT, MOST, SALT = 3, 100, 32  # version of batches and entries; entries of a batch; digits of a salt
LEVELS, NESTING = 5, {dict, list}  # how many of which may stand in each other
compact = partial(json.dumps, separators=(",", ":"), ensure_ascii=False)  # canonical, if objects are in order
findings: list[str] = []


class Wrong(ValueError):  # noqa: N818 -- what is found is no error of this program
    """What is wrong with what is looked at."""


def must(true: object, what: str) -> None:
    """What is not so, is wrong."""
    if not true:
        raise Wrong(what)


@contextmanager
def at(place: str) -> Iterator[None]:
    """Whatever is wrong inside is found there, and printed; what comes behind is looked at all the same."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 -- what cannot be verified, for whatever reason, is not whole
        findings.append(place)
        odd = "" if isinstance(error, Wrong) else f"it cannot be read or verified ({type(error).__name__})"
        print(f"{place}: {odd or error}")


def whole(number: str) -> int:
    """The only numbers that there are: whole, and such as all readers of JSON read alike."""
    must(abs(int(number)) < 2**53, "it has a number that is too large")
    return int(number)


def in_order(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, whose names stand in it once; in the order of their UTF-16."""
    must(len(dict(members)) == len(members), "it says a thing twice")
    return dict(sorted(members, key=lambda member: member[0].encode("utf-16-be", "surrogatepass")))


read = partial(
    json.loads, object_pairs_hook=in_order, parse_int=whole, parse_float=whole, parse_constant=whole
)


def canonical(text: str) -> Any:
    """What a text says, which must be as RFC 8785 writes texts, whole numbers, lists and objects."""
    value = read(text)
    must(levels(value) <= LEVELS and compact(value).encode() == text.encode(), "it is not canonical JSON")
    return value


def levels(value: Any) -> int:
    """How many lists and objects stand in each other."""
    inside = value.values() if type(value) is dict else value
    return 1 + max((levels(each) for each in inside if type(each) in NESTING), default=0)


def form(value: Any) -> Any:
    """Of what types it is."""
    return {name: form(each) for name, each in value.items()} if type(value) is dict else type(value)


def instant(text: str) -> datetime:
    """What a text says that is an instant of UTC, as Lapse writes them."""
    said = datetime.fromisoformat(text).astimezone(UTC)
    must(said.isoformat().replace("+00:00", "Z") == text, "it has an instant that is written otherwise")
    return said


def verify_seals(directory: Path, keys: dict[str, Any]) -> list[dict[str, Any]]:
    """Each is signed, has its file's number, and follows the one before. Returns what signed ones say."""
    files = {int(each.stem): each for each in directory.glob("[0-9]" * 10 + ".json")}
    with at("seal 1"):
        must(files, "there is none")
    digests, signed = {0: ""}, list[dict[str, Any]]()
    for before, number in pairwise([0, *sorted(files)]):
        with at(f"seal {before + 1}"):
            must(number <= before + 1, f"missing, up to seal {number - 1}")
        with at(f"seal {number}"):
            file = json.loads(files[number].read_text(encoding="utf-8", errors="replace"))
            digests[number] = sha256(file["body"].encode(errors="surrogatepass")).hexdigest()
            seal = canonical(file["body"])
            must(form(seal) == SEAL and seal["v"] == 1, "it is of another form, or version")
            must(seal["public_key"] in keys, "it is signed by a key that was not given")
            signature = base64.b64decode(file["signature"], validate=True)
            keys[seal["public_key"]].verify(signature, file["body"].encode(), ECDSA(SHA256()))
            reached, _ = progress(seal), instant(seal["kept_since"])
            signed.append(seal)
            must(seal["number"] == number, "it is another seal")
            follows = digests.get(number - 1, seal["previous"]) == seal["previous"]
            must(follows, "it does not follow the seal before it")
            back = any(now < then for then, now in zip(progress(signed[-2:][0]), reached, strict=True))
            must(not back, "it is soundly signed, and goes back behind the seal before it")
    return signed


def progress(seal: dict[str, Any]) -> list[Any]:
    """What never goes back from seal to seal."""
    dropped = [seal[each][chain] for each in ("unnamed", "unnaming") for chain in CHAINS]
    return [instant(seal["at"]), *(seal["heads"][chain]["seq"] for chain in CHAINS), *dropped]


class Chain:
    """What seals say of a chain, and how far it was read."""

    def __init__(self, name: str, seals: list[dict[str, Any]]) -> None:
        """Nothing was read yet."""
        self.name, self.seals, self.last, self.last_hash = name, seals, 0, ""
        self.unnaming = list(accumulate((seal["unnaming"][name] for seal in seals), max))
        self.heads: dict[int, set[str]] = {}
        for head in (seal["heads"][name] for seal in seals):
            self.heads.setdefault(head["seq"], set()).add(head["hash"])
        self.sealed = max(self.heads, default=0)

    def verify(self, batch: dict[str, Any]) -> None:
        """A batch is sound, follows the one before, is what was sealed, and lost no name before its time."""
        seq, its_hash, last, last_hash = batch["seq"], str(batch.get("hash")), self.last, self.last_hash
        sealed = self.heads.pop(seq, {its_hash})
        if seq > last:
            self.last, self.last_hash = seq, its_hash
        place = f"shard {self.name}, batch {seq}"
        with at(place):
            verify_batch(place, batch)
            must(seq == last + 1, f"it follows batch {last}: one is missing, repeated or moved")
            must(batch["prev"] == last_hash, "it does not follow the batch before it")
            must(sealed == {its_hash}, "it is not the batch that was sealed")
            may_be_gone = batch["names"] is not None or self.is_old(batch)
            must(may_be_gone, "its names are gone, though younger than the seal says")

    def is_old(self, batch: dict[str, Any]) -> bool:
        """Whether all that it tells of is older than the first seal says by which its names may be gone."""
        first = bisect_left(self.unnaming, batch["seq"])
        must(first < len(self.seals), "its names are gone, and no seal says that they may be")
        since = instant(self.seals[first]["kept_since"])
        return all(instant(entry["at"]) < since for entry in json.loads(batch["body"])["entries"])

    def end(self) -> None:
        """Every batch that was ever sealed as a head was there."""
        for seq in sorted(seq for seq in self.heads if seq > 0):
            with at(f"shard {self.name}, batch {seq}"):
                must(None, f"it was sealed, and is missing: the chain ends with batch {self.last}")
        if self.last > self.sealed:
            print(f"(shard {self.name}: from batch {self.sealed + 1} on nothing is sealed yet)")


def verify_batch(place: str, batch: dict[str, Any]) -> None:
    """The body is as hashed, says what the batch says, and its entries are about what is named."""
    must(batch.keys() == BATCH, "it is of another form")
    body = canonical(batch["body"])
    entries = body["entries"]
    said = {"entries": entries, **{name: batch[name] for name in FRAME}, "v": FORMAT}
    must(compact(said) == batch["body"], "its body is that of another batch, or of another version")
    must(type(entries) is list and 1 <= len(entries) <= MOST, "it has no entries, or too many")
    named = batch["names"] is not None
    names = canonical(batch["names"]) if named else entries
    must(type(names) is list and len(names) == len(entries), "its names are not as many as its entries")
    for number, (entry, name) in enumerate(zip(entries, names, strict=True)):
        with at(f"{place}, entry {number}"):
            must(entry["v"] == FORMAT and type(entry["commitment"]) is str, "it is of another version")
            is_so = not named or entry["commitment"] == commitment(name)
            must(is_so, "it is not about the record and details that are named")
    digest = sha256(batch["body"].encode()).hexdigest()
    must(digest == batch["hash"], "its hash is not that of its body")


def commitment(name: Any) -> str:
    """What an entry says in the place of its record and details."""
    if name is None:
        return ""
    salt, record, details = name
    must(type(name) is list and len(salt) == SALT and bytes.fromhex(salt).hex() == salt, "its salt is none")
    must(all(type(text) is str for text in [record, *details.values()]), "it has details that are no texts")
    return sha256(bytes.fromhex(salt) + compact([record, details]).encode()).hexdigest()


def main() -> None:
    """Verify, and say so."""
    parser = argparse.ArgumentParser(description="Verify an export of Lapse's ledger against its seals.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--seals", type=Path, required=True)
    parser.add_argument("--public-key", type=Path, action="append", required=True)
    given = parser.parse_args()
    named = [path.glob("*.pem") if path.is_dir() else [path] for path in given.public_key]
    try:
        given_keys = [load_pem_public_key(file.read_bytes()) for files in named for file in files]
    except (UnsupportedAlgorithm, ValueError):
        sys.exit("--public-key: the file holds no public key in PEM.")
    form_of_keys = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    keys = {sha256(key.public_bytes(*form_of_keys)).hexdigest(): key for key in given_keys}
    seals = verify_seals(given.seals / "seals", keys)
    chains = {name: Chain(name, seals) for name in CHAINS}
    with given.export.open(encoding="utf-8", errors="replace") as lines:
        if not next(lines, "").startswith(HEADER):
            sys.exit("This is no export of a ledger, or one of another version.")
        for number, line in enumerate(lines, start=2):
            with at(f"line {number}"):
                batch = read(line)
                must(type(batch["seq"]) is int, "it is no batch of any chain")
                chains[batch["shard"]].verify(batch)
    for chain in chains.values():
        chain.end()
    if seals:
        last = "seal {number}, of {at}; names are kept since {kept_since}".format_map(seals[-1])
        signers = ", ".join(sorted({seal["public_key"] for seal in seals}))
        print(f"{len(seals)} sound seals. The last is {last}. Signed by the key {signers}.")
    print(f"{len(findings)} findings." if findings else "All chains are whole, as sealed.")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
