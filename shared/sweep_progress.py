"""Adapter for the progress of sweeps: rows of the Due table, which a sweep can do without."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.aws import failures_of
from shared.due_table import DueTable
from shared.instants import parse_rfc3339, to_text
from shared.record import SHARDS
from shared.sweep import PartProgress, Sweep
from shared.sweep_pages import Counts, Found

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FORMAT = "1"
"""Version of the rows."""
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
            row = self._client.get_item(TableName=self._table, Key=_key(_WHOLE), ConsistentRead=True).get(
                "Item"
            )
        return _sweep(json.loads(row["sweep"]["S"])) if row else None

    def write(self, sweep: Sweep) -> None:
        """As `SweepProgress.write`."""
        self._put(_WHOLE, sweep, {
            "policy": sweep.policy,
            "finished": _text(sweep.finished),
            "last_finished": _text(sweep.last_finished),
            "counts": counts_as_json(sweep.counts),
        })  # fmt: skip

    def read_parts(self, sweep: Sweep) -> Mapping[str, PartProgress]:
        """As `SweepProgress.read_parts`; rows of earlier sweeps are none."""
        with failures_of("Query"):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="#shard = :shard",
                ExpressionAttributeNames={"#shard": "shard"},
                ExpressionAttributeValues={":shard": {"S": SWEEP}},
                ConsistentRead=True,
            )
        rows = [(row["sk"]["S"], json.loads(row["sweep"]["S"])) for row in answer["Items"]]
        began = to_text(sweep.began)
        return {
            name: PartProgress(row["cursor"], row["done"], row["scanned"], _counts(row["counts"]))
            for name, row in rows
            if name != _WHOLE and row["began"] == began
        }

    def write_part(self, sweep: Sweep, part: str, progress: PartProgress) -> None:
        """As `SweepProgress.write_part`."""
        self._put(part, sweep, {
            "cursor": progress.cursor,
            "done": progress.done,
            "scanned": progress.scanned,
            "counts": counts_as_json(progress.counts),
        })  # fmt: skip

    def lease(self, now: datetime, until: datetime) -> bool:
        """As `SweepProgress.lease`."""
        return self._leases.lease(_LEASE, now, until)

    def release(self) -> None:
        """As `SweepProgress.release`."""
        self._leases.release(_LEASE)

    def _put(self, name: str, sweep: Sweep, values: Mapping[str, Any]) -> None:
        text = json.dumps({"v": FORMAT, "began": to_text(sweep.began), **values})
        with failures_of("PutItem"):
            self._client.put_item(TableName=self._table, Item={**_key(name), "sweep": {"S": text}})


def counts_as_json(counts: Counts) -> dict[str, dict[str, int]]:
    """The counts by rule."""
    rules = sorted({rule for rule, _ in counts})
    return {
        rule: {found.value: counts[rule, found] for found in Found if counts[rule, found]} for rule in rules
    }


def _sweep(row: Mapping[str, Any]) -> Sweep:
    return Sweep(
        began=parse_rfc3339(row["began"]),
        policy=row["policy"],
        finished=_instant(row["finished"]),
        counts=_counts(row["counts"]),
        last_finished=_instant(row["last_finished"]),
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
