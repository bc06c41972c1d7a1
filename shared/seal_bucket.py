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
_SEAL = re.compile(r"seals/\d{10}\.json", re.ASCII)
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}
"""Somebody else's object has the name, or is just about to."""


class SealBucket:
    """Seals by number, and the public keys by digest."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        """Work on this bucket."""
        self._client = client
        self._bucket = bucket

    def last(self) -> Seal | None:
        """As `SealsToAddTo.last`.

        Raises:
            CallFailedError: a call failed, or what is there as the last seal is none.
        """
        with failures_of("ListObjectsV2"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=SEALS)
            names = [each["Key"] for page in pages for each in page.get("Contents", [])]
        name = max((name for name in names if _SEAL.fullmatch(name)), default=None)
        if name is None:
            return None
        try:
            seal = read_body(opened(self._text(name))[0])
        except ValueError:
            raise CallFailedError("GetObject", "SealIsUnreadable") from None
        if name != name_of(seal.number):
            raise CallFailedError("GetObject", "SealIsOfAnotherNumber")
        return seal

    def keep_key(self, public_key: bytes) -> str:
        """As `SealsToAddTo.keep_key`; in PEM."""
        digest = hashlib.sha256(public_key).hexdigest()
        self._put(f"{KEYS}{digest}.pem", pem(public_key))
        return digest

    def add(self, seal: Seal, signature: bytes) -> bool:
        """As `SealsToAddTo.add`; this very seal may be there already, its answer lost."""
        text, name = sealed(seal.body, signature), name_of(seal.number)
        return self._put(name, text) or self._text(name) == text

    def _put(self, name: str, text: str) -> bool:
        try:
            with failures_of("PutObject"):
                self._client.put_object(Bucket=self._bucket, Key=name, Body=text.encode(), IfNoneMatch="*")
        except CallFailedError as error:
            if error.code not in _TAKEN:
                raise
            return False
        return True

    def _text(self, name: str) -> str:
        """What an object says; "" if there is none."""
        try:
            with failures_of("GetObject"):
                return self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read().decode()
        except CallFailedError as error:
            if error.code != "NoSuchKey":
                raise
            return ""


def name_of(number: int) -> str:
    """The name of a seal's object: in the order of numbers."""
    return f"{SEALS}{number:010}.json"


def pem(public_key: bytes) -> str:
    """A public key in PEM, as other tools read it."""
    lines = wrap(base64.b64encode(public_key).decode(), 64)
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
