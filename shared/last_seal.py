"""The seal that the next one follows: the last whose signature is sound, whatever else lies there."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from shared.failure import CallFailedError
from shared.seal import Seal

_MOST_OF_ANOTHER_KEY = 10**9
"""A seal that cannot be verified here may not use up the numbers: names have ten digits."""
_LASTING = {"AccessDenied", "InvalidRequest", "InvalidObjectState"}
"""An object that the role cannot decrypt, or that lies in an archive: no later try reads it."""


class SigningKey(Protocol):
    """The key, which nobody can read."""

    def public(self) -> bytes:
        """Its public half, in DER (SubjectPublicKeyInfo)."""

    def sign(self, digest: bytes) -> bytes:
        """The signature of a SHA-256 digest, in DER."""

    def has_signed(self, digest: bytes, signature: bytes) -> bool:
        """Whether a signature is this key's, of this digest."""


class SealsToRead(Protocol):
    """What lies among the seals; not all of it need be one."""

    def numbers(self) -> Collection[int]:
        """Of all objects that have a seal's name."""

    def read(self, number: int) -> tuple[Seal, bytes] | None:
        """A seal with its signature, not verified; `None` if the object is no seal of this number."""


@dataclass(frozen=True)
class Foregoing:
    """What the next seal follows."""

    seal: Seal | None
    """The last sound one."""
    next_number: int
    """The first free one behind it: nothing is written over, so a taken one is passed over."""
    foreign: tuple[str, ...]
    """What lies among the seals behind it, and is not the sealing's."""


def foregoing(seals: SealsToRead, key: SigningKey) -> Foregoing:
    """Look for the last sound seal, from the highest number down.

    If none is sound, the highest by another key is taken, and told: right once, after the key was replaced.

    Raises:
        CallFailedError: a call failed; or nothing sound is there, and something cannot be read.
    """
    numbers = seals.numbers()
    search = _Search(seals, key)
    last = next(filter(None, map(search.sound, sorted(numbers, reverse=True))), None)
    if last is None and search.failure:  # it may be the very seal that is looked for
        raise search.failure
    last = last or search.of_another_key
    number = last.number + 1 if last else 1
    while number in numbers:
        number += 1
    return Foregoing(last, number, tuple(search.foreign))


@dataclass
class _Search:
    """What a look at each object finds out, beside whether it is the one."""

    seals: SealsToRead
    key: SigningKey
    foreign: list[str] = field(default_factory=list)
    of_another_key: Seal | None = None
    failure: CallFailedError | None = None

    @cached_property
    def _public(self) -> str:
        """As seals name the key: asked for only once there is a seal."""
        return hashlib.sha256(self.key.public()).hexdigest()

    def sound(self, number: int) -> Seal | None:
        """The seal of a number, if it is one, and this key's."""
        read = self._read(number)
        if read is None:
            return None
        seal, signature = read
        if seal.public_key == self._public:
            if self.key.has_signed(seal.digest, signature):
                return seal
            self._pass_over(number, "its signature is not of its body")
            return None
        if number <= _MOST_OF_ANOTHER_KEY:
            self.of_another_key = self.of_another_key or seal
        self._pass_over(number, "it is by another key than now's")
        return None

    def _read(self, number: int) -> tuple[Seal, bytes] | None:
        try:
            read = self.seals.read(number)
        except CallFailedError as error:
            if error.code not in _LASTING and not error.code.startswith("KMS."):
                raise
            self.failure = self.failure or error
            self._pass_over(number, f"it cannot be read ({error.code})")
            return None
        if read is None:
            self._pass_over(number, "it is no seal of this number")
        return read

    def _pass_over(self, number: int, what: str) -> None:
        self.foreign.append(f"seal {number}: {what}")
