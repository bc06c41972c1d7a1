"""Seals: the heads of all chains at an instant, to be signed. Each names the one before, and the key."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785

from shared.instants import parse_rfc3339, to_text
from shared.ledger import Head
from shared.record import SHARDS

FORMAT = 1
"""Version of the body."""
NO_HEAD = Head(0, "")
CHAINS = tuple(f"{shard:02}" for shard in range(SHARDS))


@dataclass(frozen=True, kw_only=True)
class Seal:
    """What is signed. A chain may be without head: nothing was in it then."""

    number: int
    """From 1; one that somebody else's object has is passed over."""
    at: datetime
    kept_since: datetime
    """By this seal, only what is told of as older may lose its names."""
    previous: str
    """Of the body before, by its SHA-256; "" for the first."""
    public_key: str
    """That it is verified by, by the SHA-256 of its DER form (SubjectPublicKeyInfo)."""
    heads: Mapping[str, Head]
    unnamed: Mapping[str, int]
    """Up to which batch of each chain the names were dropped already."""
    unnaming: Mapping[str, int]
    """Up to which batch they may be dropped from now on. It is said before it is done."""

    @property
    def body(self) -> str:
        """Canonical JSON: what is signed, as UTF-8."""
        heads = {chain: head._asdict() for chain, head in self.heads.items()}
        written: dict[str, Any] = {
            "v": FORMAT,
            "number": self.number,
            "at": to_text(self.at),
            "kept_since": to_text(self.kept_since),
            "previous": self.previous,
            "public_key": self.public_key,
            "heads": heads,
            "unnamed": dict(self.unnamed),
            "unnaming": dict(self.unnaming),
        }
        return rfc8785.dumps(written).decode()

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the body: what the key signs, and how the next seal names this one."""
        return hashlib.sha256(self.body.encode()).digest()


def sealed(body: str, signature: bytes) -> str:
    """The text of a seal's file.

    Args:
        body: the canonical body.
        signature: ECDSA over P-256 and the body's SHA-256, in DER.
    """
    return json.dumps({"body": body, "signature": base64.b64encode(signature).decode()}) + "\n"


def opened(text: str) -> tuple[str, bytes]:
    """Body and signature of a seal's file; neither is verified.

    Raises:
        ValueError: the text is none of a seal.
    """
    try:
        written = json.loads(text)
        return str(written["body"]), base64.b64decode(written["signature"], validate=True)
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError("the file cannot be read as a seal") from None


def read_body(body: str) -> Seal:
    """The seal that a body tells of.

    Raises:
        ValueError: it tells of none, or of one of another version, or it is not canonical.
    """
    try:
        written = json.loads(body)
        seal = Seal(
            number=_number(written["number"]),
            at=parse_rfc3339(written["at"]),
            kept_since=parse_rfc3339(written["kept_since"]),
            previous=str(written["previous"]),
            public_key=str(written["public_key"]),
            heads={chain: _head(written["heads"][chain]) for chain in CHAINS},
            unnamed={chain: _number(written["unnamed"][chain]) for chain in CHAINS},
            unnaming={chain: _number(written["unnaming"][chain]) for chain in CHAINS},
        )
        canonical = seal.body
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise ValueError("the body cannot be read") from None
    if canonical != body:
        raise ValueError("the body is of another version, or not canonical")
    return seal


def _head(written: Mapping[str, Any]) -> Head:
    return Head(_number(written["seq"]), str(written["hash"]))


def _number(written: object) -> int:
    if type(written) is not int or written < 0:  # not isinstance: true is no 1; too large is not canonical
        raise TypeError
    return written
