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
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

CHAINS = [f"{shard:02}" for shard in range(16)]
FORM = {"shard": str, "seq": int, "prev": str, "hash": str, "body": str}
FORMAT, MOST = 2, 100  # the version of batches and entries; how many entries a batch may have
BROKEN = (KeyError, TypeError, ValueError, AttributeError, RecursionError, InvalidSignature)
findings: list[str] = []


def finding(place: str, what: str) -> None:
    """Print what is wrong, and where."""
    findings.append(place)
    print(f"{place}: {what}")


def sha256(text: str) -> str:
    """Of a text's UTF-8."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def canonical(text: str) -> Any:
    """What a text says that is canonical, as RFC 8785 has it of texts, whole numbers, lists and objects."""
    value = json.loads(text)
    if json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False) != text:
        raise ValueError
    return value


def verify_seals(directory: Path, keys: dict[str, Any]) -> list[dict[str, Any]]:
    """Each is signed, has the number of its file, and names the one before. Returns what sound ones say."""
    sound: list[dict[str, Any]] = []
    previous: str | None = ""
    files = {int(each.stem): each for each in directory.glob("*.json") if re.fullmatch(r"\d{10}", each.stem)}
    for number in range(1, max(files, default=1) + 1):
        place, before, previous = f"seal {number}", previous, None
        try:
            written = json.loads(files[number].read_text(errors="replace"))
            previous = sha256(written["body"])
            body = canonical(written["body"])
            if body["number"] != number:
                finding(place, "it is another seal")
            if before not in {None, body["previous"]}:
                finding(place, "it does not follow the seal before it")
            if body["public_key"] not in keys:
                finding(place, "it is signed by a key that was not given")
                continue
            signature = base64.b64decode(written["signature"], validate=True)
            keys[body["public_key"]].verify(signature, written["body"].encode(), ECDSA(SHA256()))
            sound.append(body)
        except BROKEN:
            finding(place, "it is missing, cannot be read, or has no signature of its body")
    return sound


def verify_batch(place: str, batch: dict[str, Any]) -> None:
    """The body is as hashed, says what the batch says, and its entries are about the records named."""
    if sha256(batch["body"]) != batch["hash"]:
        finding(place, "its hash is not that of its body")
    try:
        body, names = canonical(batch["body"]), batch.get("names")
        names = None if names is None else canonical(names)
        entries, said = body["entries"], [body["v"], body["shard"], body["seq"], body["prev"]]
        if said != [FORMAT, batch["shard"], batch["seq"], batch["prev"]] or not 1 <= len(entries) <= MOST:
            finding(place, "its body is of another form, or is that of another batch")
        if names is not None and len(names) != len(entries):
            finding(place, "it has not as many names as entries")
            return
    except BROKEN:
        finding(place, "its body or its names cannot be read")
        return
    for number, entry in enumerate(entries):
        try:
            if entry["v"] != FORMAT:
                raise ValueError
            named = names is not None and names[number]
            if names is not None and entry["commitment"] != (committed(*named) if named else ""):
                finding(f"{place}, entry {number}", "it is not about the record that is named")
        except BROKEN:
            finding(f"{place}, entry {number}", "it cannot be read, or is of another version")


def committed(salt: str, record: str) -> str:
    """What an entry says in the place of its record."""
    return hashlib.sha256(bytes.fromhex(salt) + record.encode()).hexdigest()


def verify_line(line: str, ends: dict[str, Any], heads: dict[str, Any], unnaming: dict[str, int]) -> None:
    """A batch follows the one before, is what was sealed, and lost its names by a seal's word only."""
    batch = json.loads(line)
    chain, seq = batch["shard"], batch.get("seq")
    place, (last, last_hash) = f"shard {chain}, batch {seq}", ends[chain]
    if any(type(batch.get(name)) is not kind for name, kind in FORM.items()):
        finding(place, "it has not the form of a batch")
    else:
        verify_batch(place, batch)
        if seq != last + 1:
            finding(place, f"it follows batch {last}: one is missing, or repeated, inserted or out of order")
        elif batch["prev"] != last_hash:
            finding(place, "it does not follow the batch before it")
    if type(seq) is int:
        if heads[chain].pop(seq, {batch.get("hash")}) != {batch.get("hash")}:
            finding(place, "it is not the batch that was sealed")
        if batch.get("names") is None and seq > unnaming[chain]:
            finding(place, "its names are gone, and no seal says that they may be")
        ends[chain] = max((last, last_hash), (seq, batch.get("hash")), key=lambda end: end[0])


def verify_export(lines: Any, seals: list[dict[str, Any]]) -> None:
    """Every line is a sound batch, and every batch that was ever sealed as a head is there."""
    ends = dict.fromkeys(CHAINS, (0, ""))
    heads: dict[str, dict[int, set[str]]] = {chain: {} for chain in CHAINS}
    for chain, head in ((chain, seal["heads"][chain]) for seal in seals for chain in CHAINS):
        heads[chain].setdefault(head["seq"], set()).add(head["hash"])
    sealed = {chain: max(heads[chain], default=0) for chain in CHAINS}
    unnaming = {chain: max((seal["unnaming"][chain] for seal in seals), default=0) for chain in CHAINS}
    for number, line in enumerate(lines, start=2):
        try:
            verify_line(line, ends, heads, unnaming)
        except BROKEN:
            finding(f"line {number}", "it is no batch of any chain")
    for chain in CHAINS:
        for seq in sorted(heads[chain].keys() - {0}):
            finding(
                f"shard {chain}, batch {seq}", f"sealed, and missing: the chain ends with {ends[chain][0]}"
            )
        if ends[chain][0] > sealed[chain]:
            print(f"(shard {chain}: from batch {sealed[chain] + 1} on nothing is sealed yet)")


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
    with given.export.open(errors="replace") as lines:
        if '"lapse ledger export"' not in next(lines, ""):
            sys.exit("This is no export of a ledger.")
        verify_export(lines, seals)
    print(f"{len(findings)} findings." if findings else "All chains are whole, as sealed.")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
