"""What somebody could do to a copy of a ledger and its seals, and where it must be found."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lapse.demo_copy import Copy
from shared.seal import CHAINS, NO_HEAD, opened

_PLACE = re.compile(r"^(shard \d\d, batch [^:,]+(?:, entry \d+)?|seal \d+|line \d+): ", re.MULTILINE)

type Places = set[str]
type Tampering = Callable[[Copy], Places]
"""Does it, and says where."""


def places_in(said: str) -> Places:
    """The places that a verifier names."""
    return set(_PLACE.findall(said))


def _edit(copy: Copy) -> Places:
    copy.put(2, body=copy.batch(2)["body"].replace('"outcome":"', '"outcome":"not ', 1))
    return {copy.place(2)}


def _edit_and_hash(copy: Copy) -> Places:
    copy.edit(2, lambda body: body["entries"][0].update(at="2000-01-01T00:00:00Z"))
    return {copy.place(3), *_sealed(copy, {2})}


def _edit_and_chain_anew(copy: Copy) -> Places:
    _edit_and_hash(copy)
    return _chained_anew(copy, 2)


def _remove_an_entry(copy: Copy) -> Places:
    seq = copy.fullest()
    copy.edit(seq, lambda body: body["entries"].pop())
    copy.name(seq, lambda names: names.pop())
    return _chained_anew(copy, seq)


def _insert_an_entry(copy: Copy) -> Places:
    seq = copy.fullest()
    copy.edit(seq, lambda body: body["entries"].append(body["entries"][0]))
    copy.name(seq, lambda names: names.append(names[0]))
    return _chained_anew(copy, seq)


def _reorder_entries(copy: Copy) -> Places:
    seq = copy.fullest()
    copy.edit(seq, lambda body: body["entries"].reverse())
    copy.name(seq, lambda names: names.reverse())
    return _chained_anew(copy, seq)


def _chained_anew(copy: Copy, since: int) -> Places:
    """It is found where a head was sealed, and nowhere else."""
    copy.chain_anew(since)
    return _sealed(copy, range(since, copy.end() + 1))


def _sealed(copy: Copy, batches: Container[int]) -> Places:
    """Those of the chain's batches that are sealed as its head."""
    return {copy.place(seq) for seq in copy.heads() if seq in batches}


def _remove_a_batch(copy: Copy) -> Places:
    del copy.lines[copy.line(1)]
    return {copy.place(2), *_sealed(copy, {1})}


def _repeat_a_batch(copy: Copy) -> Places:
    copy.lines.insert(copy.line(2), copy.lines[copy.line(2)])
    return {copy.place(2)}


def _fork(copy: Copy) -> Places:
    genuine = copy.lines[copy.line(2)]
    _edit_and_hash(copy)
    copy.lines.insert(copy.line(2), genuine)
    return {copy.place(2)}


def _reorder_batches(copy: Copy) -> Places:
    at = copy.line(1)
    copy.lines[at : at + 2] = reversed(copy.lines[at : at + 2])
    return {copy.place(1), copy.place(2)}


def _cut_the_tail(copy: Copy) -> Places:
    last = max(copy.heads())
    del copy.lines[copy.line(last) : copy.line(copy.end()) + 1]
    return {copy.place(last)}


def _remove_a_chain(copy: Copy) -> Places:
    last = copy.end()
    del copy.lines[copy.line(1) : copy.line(last) + 1]
    return _sealed(copy, range(1, last + 1))


def _remove_all(copy: Copy) -> Places:
    del copy.lines[1:]
    heads = {item for number in copy.seals for item in copy.seal(number).heads.items()}
    return {f"shard {chain}, batch {head.seq}" for chain, head in heads if head != NO_HEAD}


def _name_another_record(copy: Copy) -> Places:
    names = json.loads(copy.batch(2)["names"])
    number = next(number for number, name in enumerate(names) if name)
    copy.name(2, lambda names: names[number].__setitem__(1, "Shipments/another"))
    return {f"{copy.place(2)}, entry {number}"}


def _edit_details(copy: Copy) -> Places:
    told, ((seq, number), _) = _told(copy)
    told.name(seq, lambda names: names[number][2].update(dict.fromkeys(names[number][2], "another")))
    return {f"{told.place(seq)}, entry {number}"}


def _exchange_details(copy: Copy) -> Places:
    told, places = _told(copy)
    details = [json.loads(told.batch(seq)["names"])[number][2] for seq, number in places]
    for (seq, number), others in zip(places, reversed(details), strict=True):
        told.name(seq, lambda names, number=number, others=others: names[number].__setitem__(2, others))  # type: ignore[misc]
    return {f"{told.place(seq)}, entry {number}" for seq, number in places}


def _remove_details(copy: Copy) -> Places:
    told, ((seq, number), _) = _told(copy)
    told.name(seq, lambda names: names[number][2].clear())
    return {f"{told.place(seq)}, entry {number}"}


def _told(copy: Copy) -> tuple[Copy, list[tuple[int, int]]]:
    """A chain two of whose entries have details, others each; their batches, and their positions in these."""
    for chain in CHAINS:
        told = replace(copy, of_chain=chain)
        batches = [(seq, json.loads(told.batch(seq)["names"] or "[]")) for seq in range(1, told.end() + 1)]
        named = ((seq, number, name) for seq, names in batches for number, name in enumerate(names))
        places = {str(name[2]): (seq, number) for seq, number, name in named if name and name[2]}
        if len(places) > 1:
            return told, list(places.values())[:2]
    raise ValueError("no chain has two entries with details")


def _drop_names(copy: Copy) -> Places:
    copy.put(2, names=None)
    return {copy.place(2)}


def _break_a_line(copy: Copy) -> Places:
    copy.lines.append(copy.lines[-1][:-2])
    return {f"line {len(copy.lines)}"}


def _remove_a_seal(copy: Copy) -> Places:
    del copy.seals[2]
    return {"seal 2"}


def _exchange_seals(copy: Copy) -> Places:
    copy.seals[2], copy.seals[3] = copy.seals[3], copy.seals[2]
    return {"seal 2", "seal 3"}


def _edit_a_seal(copy: Copy) -> Places:
    copy.seals[2] = copy.seals[2].replace('\\"kept_since\\":\\"2', '\\"kept_since\\":\\"1', 1)
    return {"seal 2", "seal 3"}


def _edit_a_signature(copy: Copy) -> Places:
    body, signature = opened(copy.seals[2])
    other = signature[:-1] + bytes([signature[-1] ^ 1])
    copy.seals[2] = json.dumps({"body": body, "signature": base64.b64encode(other).decode()})
    return {"seal 2"}


def _forge_a_seal(copy: Copy) -> Places:
    earlier = replace(copy.seal(2), at=copy.seal(1).at)
    copy.forge(2, earlier, ec.generate_private_key(ec.SECP256R1()))
    return {"seal 2", "seal 3"}


def _forge_a_seal_and_its_key(copy: Copy) -> Places:
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    copy.forge(2, replace(copy.seal(2), public_key=hashlib.sha256(der).hexdigest()), key)
    return {"seal 2", "seal 3"}


TAMPERINGS: Mapping[str, Tampering] = {
    "an entry is edited": _edit,
    "… and its batch is hashed anew": _edit_and_hash,
    "… and its chain is made anew": _edit_and_chain_anew,
    "an entry is removed, the chain made anew": _remove_an_entry,
    "an entry is inserted, the chain made anew": _insert_an_entry,
    "entries are reordered, the chain made anew": _reorder_entries,
    "a batch is removed": _remove_a_batch,
    "a batch is repeated": _repeat_a_batch,
    "the chain forks": _fork,
    "batches are reordered": _reorder_batches,
    "the tail is cut": _cut_the_tail,
    "a chain is removed": _remove_a_chain,
    "all is removed": _remove_all,
    "another record is named": _name_another_record,
    "details are edited": _edit_details,
    "details change places": _exchange_details,
    "details are removed": _remove_details,
    "names are dropped": _drop_names,
    "a line is broken": _break_a_line,
    "a seal is removed": _remove_a_seal,
    "seals are exchanged": _exchange_seals,
    "a seal is edited": _edit_a_seal,
    "a signature is edited": _edit_a_signature,
    "a seal is forged": _forge_a_seal,
    "a seal is forged, and its key": _forge_a_seal_and_its_key,
}
"""Of the export, then of the seals: three, a long chain with a batch of two entries, and one with details."""
