"""What a directory of seals proves: which batches were there, and which names may be gone since."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from lapse.trouble import TroubleError
from shared.seal import CHAINS, Seal, opened, read_body

_NAME = re.compile(r"\d{10}\.json", re.ASCII)
type Keys = Mapping[str, ec.EllipticCurvePublicKey]
"""By the digest by which seals name them."""


@dataclass(frozen=True)
class SealFinding:
    """What is wrong with a seal."""

    seal: int
    what: str

    def __str__(self) -> str:
        """One line for a report."""
        return f"seal {self.seal}: {self.what}"


class Dropping(NamedTuple):
    """A seal's word that names may go."""

    up_to: int
    kept_since: datetime
    """Of what is younger, they may not."""


@dataclass
class Sealed:
    """What sound seals say, by chain."""

    seals: int = 0
    last: Seal | None = None
    signers: set[str] = field(default_factory=set)
    """Digests of the keys that signed them."""
    heads: dict[str, dict[int, dict[str, int]]] = field(default_factory=lambda: {each: {} for each in CHAINS})
    """By sequence number: the hashes that it must have, each with the first seal that says so."""
    dropping: dict[str, list[Dropping]] = field(default_factory=lambda: {each: [] for each in CHAINS})
    """In order, and only seals that let more names go than all before."""

    def include(self, seal: Seal) -> Iterator[str]:
        """Take a seal's word; what is wrong with it is said all the same."""
        if self.last and _goes_back(self.last, seal):
            yield "it is soundly signed, and goes back behind the seal before: a chain was cut or made anew"
        self.seals, self.last = self.seals + 1, seal
        self.signers.add(seal.public_key)
        for chain in CHAINS:
            head = seal.heads[chain]
            if head.seq:
                self.heads[chain].setdefault(head.seq, {}).setdefault(head.hash, seal.number)
            said = self.dropping[chain]
            if seal.unnaming[chain] > (said[-1].up_to if said else 0):
                said.append(Dropping(seal.unnaming[chain], seal.kept_since))


def _goes_back(before: Seal, seal: Seal) -> bool:
    """Whether time, a chain, or the dropping of its names was further on before."""
    return seal.at < before.at or any(
        seal.unnamed[chain] < before.unnamed[chain]
        or seal.unnaming[chain] < before.unnaming[chain]
        or seal.heads[chain].seq < before.heads[chain].seq
        for chain in CHAINS
    )


def read_keys(paths: Sequence[Path]) -> Keys:
    """Public keys, in PEM; a directory stands for all `*.pem` files in it.

    Raises:
        TroubleError: there is none, or one of the files holds another thing.
    """
    files = [file for path in paths for file in (path.glob("*.pem") if path.is_dir() else [path])]
    if not files:
        raise TroubleError("--public-key: name the file of the key that the seals are to be verified by.")
    keys: dict[str, ec.EllipticCurvePublicKey] = {}
    for file in files:
        try:
            key = load_pem_public_key(file.read_bytes())
        except (UnsupportedAlgorithm, ValueError):
            key = None
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise TroubleError("--public-key: the file holds no public key of P-256 in PEM.")
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        keys[hashlib.sha256(der).hexdigest()] = key
    return keys


def verify_seals(directory: Path, keys: Keys, sealed: Sealed) -> Iterator[SealFinding]:
    """Verify the seals in a directory that `lapse ledger seals` filled; the word of sound ones is taken."""
    inside = directory / "seals"
    files = {int(each.stem): each for each in inside.glob("*.json") if _NAME.fullmatch(each.name)}
    previous: str | None = ""
    last = 0
    for number in sorted(files) or [2]:
        if number > last + 1:
            yield _missing(last + 1, number - 1)
            previous = None
        if number in files:
            text = _text(files[number])
            yield from (SealFinding(number, what) for what in _verify(number, text, previous, keys, sealed))
            last, previous = number, _digest(text)


def _text(file: Path) -> str:
    """What a file says; nothing, if it cannot be read: that is no seal."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _missing(first: int, last: int) -> SealFinding:
    """One finding, though it were ten thousand million seals."""
    return SealFinding(first, "it is missing" if first == last else f"seals {first} to {last} are missing")


def _verify(number: int, text: str, previous: str | None, keys: Keys, sealed: Sealed) -> Iterator[str]:
    try:
        body, signature = opened(text)
        seal = read_body(body)
    except ValueError as error:
        yield str(error)
        return
    if seal.number != number:
        yield f"it says that it is seal {seal.number}"
    if previous is not None and seal.previous != previous:
        yield "it does not follow the seal before: one of the two was replaced or inserted"
    if seal.public_key not in keys:
        yield "it is signed by a key that was not given"
    elif not _is_signed(body, signature, keys[seal.public_key]):
        yield "its signature is not of this body: it was edited, or signed by another key"
    else:
        yield from sealed.include(seal)


def _is_signed(body: str, signature: bytes, key: ec.EllipticCurvePublicKey) -> bool:
    try:
        key.verify(signature, body.encode(errors="surrogatepass"), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _digest(text: str) -> str | None:
    """By which the next seal names this one, sound or not; `None` if it cannot be told."""
    try:
        return hashlib.sha256(json.loads(text)["body"].encode(errors="surrogatepass")).hexdigest()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
