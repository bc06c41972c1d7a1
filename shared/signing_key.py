"""Adapter for the signing key: KMS signs, and gives out the public half only."""

from typing import Any, Protocol

from shared.aws import failures_of
from shared.failure import CallFailedError

_HOW = {"MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
_MOST_BYTES = 72
"""Of a signature over P-256, in DER; KMS takes longer ones for a mistake of the caller's."""


class KmsClient(Protocol):
    """What is used of boto3's client for KMS."""

    def get_public_key(self, **parameters: str) -> Any:  # noqa: ANN401 -- boto3's answers are untyped
        """The public half."""

    def sign(self, **parameters: str | bytes) -> Any:  # noqa: ANN401 -- as above
        """A signature."""

    def verify(self, **parameters: str | bytes) -> Any:  # noqa: ANN401 -- as above
        """Whether it is one."""


class KmsKey:
    """An asymmetric key of KMS: P-256, to sign and verify."""

    def __init__(self, client: KmsClient, key_arn: str) -> None:
        """Sign with this key."""
        self._client = client
        self._key = key_arn

    def public(self) -> bytes:
        """As `SigningKey.public`."""
        with failures_of("GetPublicKey"):
            answer: dict[str, bytes] = self._client.get_public_key(KeyId=self._key)
        return answer["PublicKey"]

    def sign(self, digest: bytes) -> bytes:
        """As `SigningKey.sign`."""
        with failures_of("Sign"):
            answer: dict[str, bytes] = self._client.sign(KeyId=self._key, Message=digest, **_HOW)
        return answer["Signature"]

    def has_signed(self, digest: bytes, signature: bytes) -> bool:
        """As `SigningKey.has_signed`."""
        if not 0 < len(signature) <= _MOST_BYTES:
            return False
        try:
            with failures_of("Verify"):
                answer: dict[str, bool] = self._client.verify(
                    KeyId=self._key, Message=digest, Signature=signature, **_HOW
                )
        except CallFailedError as error:
            if error.code != "KMSInvalidSignatureException":
                raise
            return False
        return answer["SignatureValid"]
