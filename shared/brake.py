"""Adapter for the brake: the last pause, one row of the Facts table, which outlives the stack."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.aws import failures_of
from shared.evidence import Entry
from shared.instants import UnreadableInstantError, parse_rfc3339, to_text
from shared.ledger_table import LedgerTable
from shared.pausing import SHARD_OF_PAUSES, Pause
from shared.transaction import transact_with_evidence

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

FORMAT = "1"
"""Version of the row."""
BRAKE = "pause"
"""Its key among the facts: a record's reference has a `#`, so it is none."""
_KEY = {"record": {"S": BRAKE}}


class FactsBrake:
    """Where a pause stands."""

    def __init__(self, client: "DynamoDBClient", facts_table: str) -> None:
        """Work on this Facts table."""
        self._client = client
        self._table = facts_table

    def read(self) -> Pause | None:
        """As `Brake.read`: consistent."""
        with failures_of("GetItem"):
            row = self._client.get_item(TableName=self._table, Key=_KEY, ConsistentRead=True).get("Item")
        if row is None:
            return None
        since = _instant(row, "since")
        return Pause(_text(row, "paused_by"), _text(row, "reason_code"), since, _instant(row, "until"))


class BrakeWithEvidence(FactsBrake):
    """The brake, for whoever pulls it: a pause stands with its evidence, or not at all."""

    def __init__(self, client: "DynamoDBClient", facts_table: str, ledger: LedgerTable) -> None:
        """Work on these tables."""
        super().__init__(client, facts_table)
        self._ledger = ledger

    def put(self, pause: Pause | None, entry: Entry) -> None:
        """As `BrakeToPull.put`."""
        own: Any = {"TableName": self._table, **({"Item": _row(pause)} if pause else {"Key": _KEY})}
        kind = "Put" if pause else "Delete"
        transact_with_evidence(self._client, [{kind: own}], self._ledger, SHARD_OF_PAUSES, entry)


def _row(pause: Pause) -> dict[str, Any]:
    texts = {
        "paused_by": pause.paused_by,
        "reason_code": pause.reason_code,
        "since": to_text(pause.since) if pause.since else "",
        "until": to_text(pause.until) if pause.until else "",
    }
    return {**_KEY, "v": {"N": FORMAT}, **{name: {"S": text} for name, text in texts.items() if text}}


def _text(row: Mapping[str, Any], name: str) -> str:
    return str(row.get(name, {}).get("S", ""))


def _instant(row: Mapping[str, Any], name: str) -> "datetime | None":
    try:
        return parse_rfc3339(_text(row, name))
    except UnreadableInstantError:
        return None
