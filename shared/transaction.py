"""DynamoDB transactions: all or nothing, with the evidence in it where there is any."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws import failures_of, tries
from shared.evidence import Entry
from shared.ledger_table import LedgerTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_REFUSED = "ConditionalCheckFailed"
_TRY_AGAIN = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


def transact(client: "DynamoDBClient", items: Sequence[Any]) -> bool:
    """Make a transaction; False if one of its conditions does not hold.

    Raises:
        CallFailedError: the call failed; if its answer was lost, the transaction may have been made.
    """
    for _ in tries("TransactWriteItems"):
        codes = _try(client, items)
        if not codes or _REFUSED in codes:
            return not codes
    raise AssertionError  # `tries` raises when they are used up


def transact_with_evidence(
    client: "DynamoDBClient", items: Sequence[Any], ledger: LedgerTable, shard: int, entry: Entry
) -> bool:
    """Make a transaction with its evidence in it; False if one of the items' own conditions does not hold.

    Raises:
        CallFailedError: as `transact`.
    """
    for _ in tries("TransactWriteItems"):
        try:
            codes = _try(client, [*items, *ledger.writes(shard, [entry])])
        except BaseException:
            ledger.forget(shard)
            raise
        if not codes:
            ledger.appended(shard)
            return True
        ledger.forget(shard)
        if _REFUSED in codes[: len(items)]:
            return False
        # Else the chain went on meanwhile, or somebody is writing one of the items right now: once more.
    raise AssertionError  # as above


def _try(client: "DynamoDBClient", items: Sequence[Any]) -> list[str]:
    """The codes of a refused transaction, item by item; empty if it was made."""
    with failures_of("TransactWriteItems"):
        try:
            client.transact_write_items(TransactItems=list(items))
        except ClientError as error:
            response: Any = error.response
            codes = [reason["Code"] for reason in response.get("CancellationReasons", [])]
            if not codes or set(codes) - {"None", _REFUSED, *_TRY_AGAIN}:
                raise
            return codes
    return []
