"""Adapter for the note of the last purge: one row of the Due table, for people. Nothing depends on it."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from shared.aws import failures_of
from shared.failure import CallFailedError
from shared.instants import parse_rfc3339, to_text
from shared.last_purge import LastPurge
from shared.tally import Count, Tally

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FORMAT = "1"
"""Version of the row. One of another is as good as none."""
_KEY: Final = {"shard": {"S": "purge"}, "sk": {"S": "last"}}
"""A partition of its own: those of timers are numbers."""


class LastPurgeTable:
    """Where the note of the last purge is kept."""

    def __init__(self, client: "DynamoDBClient", due_table: str) -> None:
        """Work on this Due table."""
        self._client = client
        self._table = due_table

    def read(self) -> LastPurge | None:
        """The last purge; none if nobody noted one, or the note cannot be read."""
        with failures_of("GetItem"):
            row = self._client.get_item(TableName=self._table, Key=_KEY, ConsistentRead=True).get("Item")
        with suppress(ValueError, KeyError, TypeError):
            if row and row["v"]["N"] == FORMAT:
                finished, shards = parse_rfc3339(row["finished"]["S"]), int(row["shards_finished"]["N"])
                return LastPurge(finished, row["cause"]["S"], shards)
        return None

    def note(self, last: LastPurge, tally: Tally) -> None:
        """Note a purge. What was erased is erased all the same: a note that fails is only counted."""
        values: dict[str, Any] = {
            "v": {"N": FORMAT},
            "finished": {"S": to_text(last.finished)},
            "cause": {"S": last.cause},
            "shards_finished": {"N": str(last.shards_finished)},
        }
        try:
            with failures_of("UpdateItem"):  # the purge may update rows of the Due table, and put none singly
                self._client.update_item(
                    TableName=self._table,
                    Key=_KEY,
                    UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                    ExpressionAttributeNames={f"#{name}": name for name in values},
                    ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
                )
        except CallFailedError:
            tally.add(Count.NOTE_FAILED)
