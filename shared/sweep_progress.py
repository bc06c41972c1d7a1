"""Adapter for the progress of sweeps: rows of the Due table, which a sweep can do without."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.aws import failures_of
from shared.due_table import DueTable
from shared.failure import CallFailedError
from shared.found import Counts, Found
from shared.instants import parse_rfc3339, to_text
from shared.record import SHARDS
from shared.sweep_state import PartProgress, Sweep

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FORMAT = "1"
"""Version of the rows. Those of another are as good as none: then a sweep begins anew."""
SWEEP = "sweep"
"""Their partition; shards of timers are numbers."""
_WHOLE = "whole"
_LEASE = SHARDS
"""The sweep's lease comes behind those of the shards."""


class SweepTable:
    """Where the progress of sweeps is kept."""

    def __init__(self, client: "DynamoDBClient", due_table: str) -> None:
        """Work on this Due table; the lease that is taken belongs to this object."""
        self._client = client
        self._table = due_table
        self._leases = DueTable(client, due_table)

    def read(self) -> Sweep | None:
        """As `SweepProgress.read`."""
        with failures_of("GetItem"):
            answer = self._client.get_item(TableName=self._table, Key=_key(_WHOLE), ConsistentRead=True)
        with suppress(ValueError, KeyError):
            return _sweep(_written(answer["Item"]))
        return None

    def begin(self, sweep: Sweep) -> None:
        """As `SweepProgress.begin`."""
        with failures_of("PutItem"):
            self._client.put_item(**self._whole(sweep))

    def finish(self, sweep: Sweep) -> bool:
        """As `SweepProgress.finish`."""
        still: dict[str, Any] = {
            "ConditionExpression": "#began = :began",
            "ExpressionAttributeNames": {"#began": "began"},
            "ExpressionAttributeValues": {":began": {"S": to_text(sweep.began)}},
        }
        try:
            with failures_of("PutItem"):
                self._client.put_item(**self._whole(sweep), **still)
        except CallFailedError as error:
            if error.code == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def read_parts(self, sweep: Sweep) -> Mapping[str, PartProgress]:
        """As `SweepProgress.read_parts`; rows of earlier sweeps are none."""
        with failures_of("Query"):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="#shard = :shard",
                FilterExpression="#began = :began",
                ExpressionAttributeNames={"#shard": "shard", "#began": "began"},
                ExpressionAttributeValues={":shard": {"S": SWEEP}, ":began": {"S": to_text(sweep.began)}},
                ConsistentRead=True,
            )
        parts: dict[str, PartProgress] = {}
        for row in answer["Items"]:
            with suppress(ValueError, KeyError):
                parts[row["sk"]["S"]] = _part(_written(row))
        return parts

    def write_part(self, sweep: Sweep, part: str, progress: PartProgress) -> None:
        """As `SweepProgress.write_part`."""
        values = {
            "cursor": progress.cursor,
            "done": progress.done,
            "scanned": progress.scanned,
            "failed": progress.failed,
            "counts": counts_as_json(progress.counts),
        }
        with failures_of("PutItem"):
            self._client.put_item(TableName=self._table, Item=_row(part, sweep, values))

    def lease(self, now: datetime, until: datetime) -> bool:
        """As `SweepProgress.lease`."""
        return self._leases.lease(_LEASE, now, until)

    def release(self) -> None:
        """As `SweepProgress.release`."""
        self._leases.release(_LEASE)

    def _whole(self, sweep: Sweep) -> dict[str, Any]:
        values = {
            "policy": sweep.policy,
            "finished": _text(sweep.finished),
            "last_finished": _text(sweep.last_finished),
            "counts": counts_as_json(sweep.counts),
        }
        return {"TableName": self._table, "Item": _row(_WHOLE, sweep, values)}


def counts_as_json(counts: Counts) -> dict[str, dict[str, int]]:
    """The counts by rule."""
    rules = sorted({rule for rule, _ in counts})
    return {
        rule: {found.value: counts[rule, found] for found in Found if counts[rule, found]} for rule in rules
    }


def _row(name: str, sweep: Sweep, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_key(name),
        "v": {"N": FORMAT},
        "began": {"S": to_text(sweep.began)},
        "sweep": {"S": json.dumps(values)},
    }


def _written(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says.

    Raises:
        KeyError: it says nothing, or is of another format.
        ValueError: it cannot be read.
    """
    if row["v"]["N"] != FORMAT:
        raise KeyError("v")
    return {"began": row["began"]["S"], **json.loads(row["sweep"]["S"])}


def _sweep(written: Mapping[str, Any]) -> Sweep:
    return Sweep(
        began=parse_rfc3339(written["began"]),
        policy=written["policy"],
        finished=_instant(written["finished"]),
        counts=_counts(written["counts"]),
        last_finished=_instant(written["last_finished"]),
    )


def _part(written: Mapping[str, Any]) -> PartProgress:
    return PartProgress(
        cursor=written["cursor"],
        done=written["done"],
        scanned=written["scanned"],
        counts=_counts(written["counts"]),
        failed=written.get("failed", 0),
    )


def _counts(by_rule: Mapping[str, Mapping[str, int]]) -> Counts:
    return Counter(
        {(rule, Found(name)): number for rule, found in by_rule.items() for name, number in found.items()}
    )


def _key(name: str) -> dict[str, Any]:
    return {"shard": {"S": SWEEP}, "sk": {"S": name}}


def _text(instant: datetime | None) -> str:
    return to_text(instant) if instant else ""


def _instant(text: str) -> datetime | None:
    return parse_rfc3339(text) if text else None
