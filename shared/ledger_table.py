"""Adapter for writing the ledger: append-only, one chain of batches for each shard."""

from collections.abc import Iterator, Sequence
from random import uniform
from secrets import token_bytes
from time import sleep
from typing import TYPE_CHECKING, Any

from shared.aws import failures_of
from shared.dynamodb import batch_put
from shared.evidence import Entry
from shared.failure import CallFailedError
from shared.ledger_batch import SALT_BYTES, Batch, End, Line, chained, seal, split, to_item
from shared.ledger_index import LedgerReader, index_rows, partition, rows_as_kept

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LOST_RACE = {"ConditionalCheckFailedException", "TransactionConflictException"}
"""Another writer has the number, or was just about to take it in a transaction of its own."""
_TRIES = 10
_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.5


class LedgerTable(LedgerReader):
    """Evidence, to be read and added to. One thread at a time may work on a shard."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """Work on this table."""
        super().__init__(client, table)
        self._ends: dict[int, End] = {}
        self._prepared: dict[int, End] = {}

    def open(self, shard: int) -> None:
        """As `Ledger.open`."""
        self._ends[shard] = self.end(shard)

    def append(self, shard: int, entries: Sequence[Entry]) -> None:
        """As `Ledger.append`: each batch by one conditional put, so none is overwritten or kept twice.

        Args:
            shard: the shard of all the records that the entries are about.
            entries: any number; they are split into batches.

        Raises:
            CallFailedError: a call failed, or other writers took ten numbers running.
        """
        for lines in split(_sealed(entries)):
            self._append(shard, lines)

    def writes(self, shard: int, entries: Sequence[Entry]) -> list[dict[str, Any]]:
        """A batch as part of another's transaction: the conditional put first, then the index.

        Once the transaction committed, `appended` is to be called; `forget`, if it was refused or its answer
        was lost. Without either, the next batch may lose a race against this one, and nothing worse.

        Args:
            shard: as for `append`.
            entries: a few: each may take a place of the transaction's hundred.

        Raises:
            ValueError: no entries, or more than a batch holds.
            CallFailedError: the end of the chain could not be read.
        """
        (lines,) = split(_sealed(entries))
        batch = self._next(shard, lines)
        self._prepared[shard] = _end_of(batch)
        rows = [{"TableName": self._table, "Item": row} for row in index_rows(int(batch["seq"]), lines)]
        return [{"Put": put} for put in (self._put_of(batch), *rows)]

    def appended(self, shard: int) -> None:
        """The transaction committed: the chain ends with the batch that `writes` prepared."""
        self._ends[shard] = self._prepared.pop(shard)

    def forget(self, shard: int) -> None:
        """Where the chain ends is not known any more: it will be read anew."""
        self._ends.pop(shard, None)
        self._prepared.pop(shard, None)

    def _append(self, shard: int, lines: Sequence[Line]) -> None:
        for _ in _tries():
            batch = self._next(shard, lines)
            # The index first: a batch that is missing from it would be missed; a row too many does no harm.
            batch_put(self._client, self._table, index_rows(int(batch["seq"]), lines))
            kept = self._put(shard, batch)
            if kept is None:
                continue
            if kept["hash"] == batch["hash"]:
                self._ends[shard] = _end_of(batch)
                return
            # Another's batch has the number; the rows just written may have replaced those of that batch.
            batch_put(self._client, self._table, rows_as_kept(kept, lines))

    def _put(self, shard: int, batch: Batch) -> Batch | None:
        """Put a batch; returns the one that has its number then: it may be this very one, its answer lost.

        None if nobody has it yet: a transaction that was under way had its hand on it.
        """
        try:
            with failures_of("PutItem"):
                self._client.put_item(**self._put_of(batch))
        except CallFailedError as error:
            self.forget(shard)
            kept = self._batch(batch["shard"], int(batch["seq"]))
            if error.code not in _LOST_RACE and (kept is None or kept["hash"] != batch["hash"]):
                raise
            return kept
        return batch

    def _next(self, shard: int, lines: Sequence[Line]) -> Batch:
        if shard not in self._ends:
            self.open(shard)
        return chained(partition(shard), self._ends[shard], lines)

    def _put_of(self, batch: Batch) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Item": to_item(batch),
            "ConditionExpression": "attribute_not_exists(#seq)",
            "ExpressionAttributeNames": {"#seq": "seq"},
        }


def _sealed(entries: Sequence[Entry]) -> Iterator[Line]:
    return (seal(entry, token_bytes(SALT_BYTES)) for entry in entries)


def _end_of(batch: Batch) -> End:
    return int(batch["seq"]), batch["hash"]


def _tries() -> Iterator[None]:
    """Try again on the new end of the chain, with growing pauses and jitter."""
    for attempt in range(_TRIES):
        if attempt:
            sleep(uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)))  # noqa: S311 -- jitter is no secret
        yield
    raise CallFailedError("append", "Contended")
