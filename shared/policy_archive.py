"""Adapter for the archive of published policies, by digest: rows of the ledger's table."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.aws import failures_of
from shared.failure import CallFailedError
from shared.instants import to_text

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FORMAT = "1"
"""Version of the rows."""
_DEPLOYED = "policy"
"""Partition of the row that says which policy was deployed last; a text's is `policy#<digest>`."""


class PolicyArchive:
    """The texts of all policies that were ever deployed. What is kept is never written over."""

    def __init__(self, client: "DynamoDBClient", ledger_table: str) -> None:
        """Work on the ledger's table."""
        self._client = client
        self._table = ledger_table

    def publish(self, text: bytes, now: datetime) -> str:
        """Keep a policy's text, and that it is deployed; what is known already is left as it is.

        Args:
            text: the file, as it is in the function's artifact.
            now: when it was put to use. Of two policies, the one that was put to use later is deployed.

        Returns:
            Its digest.

        Raises:
            CallFailedError: a call failed; it is to be published again.
        """
        digest = hashlib.sha256(text).hexdigest()
        archived = {"text": {"S": text.decode()}, "first": {"S": to_text(now)}}
        self._put(_of(digest), archived, "attribute_not_exists(#shard)", {"#shard": "shard"}, {})
        # As a number: texts of instants with and without a fraction are not in order.
        seconds = {"N": f"{now.timestamp():.6f}"}
        pointer = {"digest": {"S": digest}, "since": {"S": to_text(now)}, "order": seconds}
        earlier = "attribute_not_exists(#order) OR (#digest <> :digest AND #order < :order)"
        names = {"#order": "order", "#digest": "digest"}
        self._put(_DEPLOYED, pointer, earlier, names, {":digest": {"S": digest}, ":order": seconds})
        return digest

    def deployed(self) -> tuple[str, bytes] | None:
        """Digest and text of the policy that was deployed last; `None` if none ever was.

        Raises:
            CallFailedError: a call failed, or the text is not there, or not that of its digest.
        """
        row = self._get(_DEPLOYED)
        if row is None:
            return None
        digest = str(row["digest"]["S"])
        text = self.text_of(digest)
        if text is None:
            raise CallFailedError("archive", "PolicyIsMissing")
        return digest, text

    def text_of(self, digest: str) -> bytes | None:
        """The text of a policy, byte by byte as it was published; `None` if it never was.

        Raises:
            CallFailedError: the call failed, or what is kept is not the text of this digest.
        """
        row = self._get(_of(digest))
        if row is None:
            return None
        text = str(row["text"]["S"]).encode()
        if hashlib.sha256(text).hexdigest() != digest:
            raise CallFailedError("archive", "PolicyIsNotOfItsDigest")
        return text

    def _get(self, shard: str) -> Mapping[str, Any] | None:
        with failures_of("GetItem"):
            return self._client.get_item(TableName=self._table, Key=_key(shard), ConsistentRead=True).get(
                "Item"
            )

    def _put(
        self,
        shard: str,
        row: Mapping[str, Any],
        condition: str,
        names: Mapping[str, str],
        values: Mapping[str, Any],
    ) -> None:
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": {**_key(shard), "v": {"N": FORMAT}, **row},
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            **({"ExpressionAttributeValues": values} if values else {}),
        }
        try:
            with failures_of("PutItem"):
                self._client.put_item(**put)
        except CallFailedError as error:
            if error.code != "ConditionalCheckFailedException":
                raise


def _of(digest: str) -> str:
    return f"{_DEPLOYED}#{digest}"


def _key(shard: str) -> dict[str, Any]:
    return {"shard": {"S": shard}, "seq": {"N": "0"}}
