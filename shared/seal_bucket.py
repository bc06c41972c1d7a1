"""Adapter for the seals: a bucket with Object Lock. What is there once, stays; nothing is written over."""

import base64
import hashlib
import re
from textwrap import wrap
from typing import TYPE_CHECKING

from shared.aws import failures_of
from shared.failure import CallFailedError
from shared.seal import Seal, opened, read_body, sealed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SEALS, KEYS = "seals/", "keys/"
_SEAL = re.compile(r"seals/(\d{10})\.json", re.ASCII)
_MOST_BYTES = 2**16
"""Of what is read of an object: ten times a seal. Somebody may have put a large one there."""
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}
"""Somebody else's object has the name, or is just about to."""


class SealBucket:
    """Seals by number, and the public keys by digest."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        """Work on this bucket."""
        self._client = client
        self._bucket = bucket

    def numbers(self) -> set[int]:
        """As `SealsToRead.numbers`."""
        with failures_of("ListObjectsV2"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=SEALS)
            names = [each["Key"] for page in pages for each in page.get("Contents", [])]
        return {int(found[1]) for name in names if (found := _SEAL.fullmatch(name))}

    def read(self, number: int) -> tuple[Seal, bytes] | None:
        """As `SealsToRead.read`."""
        try:
            body, signature = opened(self._content(name_of(number)).decode())
            seal = read_body(body)
        except ValueError:
            return None
        return (seal, signature) if seal.number == number else None

    def last(self) -> Seal | None:
        """The last that can be read as a seal; its signature is not verified."""
        numbers = sorted(self.numbers(), reverse=True)
        return next((read[0] for read in map(self.read, numbers) if read), None)

    def keep_key(self, public_key: bytes) -> str:
        """As `SealsToAddTo.keep_key`; in PEM."""
        digest = hashlib.sha256(public_key).hexdigest()
        self._put(f"{KEYS}{digest}.pem", pem(public_key))
        return digest

    def add(self, seal: Seal, signature: bytes) -> bool:
        """As `SealsToAddTo.add`; this very seal may be there already, its answer lost."""
        text, name = sealed(seal.body, signature), name_of(seal.number)
        return self._put(name, text) or self._content(name) == text.encode()

    def _put(self, name: str, text: str) -> bool:
        try:
            with failures_of("PutObject"):
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=name,
                    Body=text.encode(),
                    IfNoneMatch="*",
                    ChecksumAlgorithm="SHA256",  # S3 locks nothing without one, and not every boto3 adds it
                )
        except CallFailedError as error:
            if error.code not in _TAKEN:
                raise
            return False
        return True

    def _content(self, name: str) -> bytes:
        """What an object says, as far as a seal could; b"" if there is none."""
        try:
            with failures_of("GetObject"):
                return self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read(_MOST_BYTES)
        except CallFailedError as error:
            if error.code != "NoSuchKey":
                raise
            return b""


def name_of(number: int) -> str:
    """The name of a seal's object: in the order of numbers."""
    return f"{SEALS}{number:010}.json"


def pem(public_key: bytes) -> str:
    """A public key in PEM, as other tools read it."""
    lines = wrap(base64.b64encode(public_key).decode(), 64)
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
