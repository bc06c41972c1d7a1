"""Adapter for the Facts table: one versioned row for each record that Lapse was told about."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from shared.aws import failures_of
from shared.conditions import guarded_mark
from shared.dynamodb import batch_get
from shared.evidence import Entry
from shared.facts import Facts
from shared.facts_row import facts_of_row, row_of_facts
from shared.failure import CallFailedError
from shared.finding import PAGE, SEGMENTS, Cursor, FactsPage
from shared.hold_mark import MarkChange
from shared.ledger_table import LedgerTable
from shared.record import RecordRef
from shared.transaction import transact, transact_with_evidence

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class FactsTable:
    """What Lapse was told, by record."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """Work on this table."""
        self._client = client
        self._table = table

    def read(self, records: Collection[RecordRef]) -> Mapping[RecordRef, Facts]:
        """As `FactsToRead.read`: consistent."""
        by_text = {record.text: record for record in records}
        rows = batch_get(self._client, self._table, [{"record": {"S": text}} for text in by_text])
        return {by_text[row["record"]["S"]]: facts_of_row(row) for row in rows}


class FactsToSweepTable(FactsTable):
    """The Facts table, for the sweep."""

    def scan(self, segment: int, after: Cursor | None) -> FactsPage:
        """As `FactsToScan.scan`; the brake, which is kept here too, is not among them."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "Segment": segment,
            "TotalSegments": SEGMENTS,
            "Limit": PAGE,
            "ReturnConsumedCapacity": "TOTAL",
            **({"ExclusiveStartKey": after} if after else {}),
        }
        with failures_of("Scan"):
            answer = self._client.scan(**request)
        rows = [row for row in answer["Items"] if "#" in row["record"]["S"]]
        told: dict[RecordRef, Facts] = {}
        for row in rows:
            with suppress(ValueError, KeyError):  # one row that cannot be read must not stop the others
                told[RecordRef.of(row["record"]["S"])] = facts_of_row(row)
        return FactsPage(
            told,
            answer.get("LastEvaluatedKey"),
            answer["ScannedCount"],
            answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0),
            unreadable=len(rows) - len(told),
        )

    def forget(self, record: RecordRef, facts: Facts) -> None:
        """As `FactsToSweep.forget`."""
        unchanged = unchanged_facts(self._table, record, facts)
        try:
            with failures_of("DeleteItem"):
                self._client.delete_item(**unchanged)
        except CallFailedError as error:
            if error.code != "ConditionalCheckFailedException":
                raise


class FactsWithEvidence(FactsTable):
    """The Facts table, for writing: what is told stands in Facts and in the ledger, or in neither."""

    def __init__(
        self, client: "DynamoDBClient", table: str, ledger: LedgerTable, tables: Mapping[str, str]
    ) -> None:
        """Work on these tables; `tables` are the business tables, logical name to real one."""
        super().__init__(client, table)
        self._ledger = ledger
        self._tables = tables

    def change(
        self, record: RecordRef, before: Facts | None, after: Facts, entry: Entry, mark: MarkChange | None
    ) -> bool:
        """As `FactsToChange.change`: one transaction over Facts, ledger and the record."""
        own = [self._row(record, before, after), *self._mark(record, mark)]
        return transact_with_evidence(self._client, own, self._ledger, record.shard, entry)

    def mark(self, record: RecordRef, facts: Facts | None, change: MarkChange) -> bool:
        """As `FactsToHold.mark`."""
        unchanged = [{"ConditionCheck": unchanged_facts(self._table, record, facts)}] if facts else []
        return transact(self._client, [*unchanged, *self._mark(record, change)])

    def _row(self, record: RecordRef, before: Facts | None, after: Facts) -> dict[str, Any]:
        """The whole row, on condition that nobody changed it since."""
        condition = "#version = :before" if before else "attribute_not_exists(#version)"
        put = {
            "TableName": self._table,
            "Item": row_of_facts(record, after),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#version": "version"},
        }
        values = {"ExpressionAttributeValues": {":before": {"N": str(before.version)}}} if before else {}
        return {"Put": put | values}

    def _mark(self, record: RecordRef, mark: MarkChange | None) -> Iterator[dict[str, Any]]:
        if mark is not None:
            if record.table not in self._tables:
                raise CallFailedError("settings", "UnknownTable")
            kind, request = guarded_mark(record, mark)
            yield {kind: {"TableName": self._tables[record.table], **request}}


def unchanged_facts(table: str, record: RecordRef, facts: Facts | None) -> dict[str, Any]:
    """The condition, for a transaction, that nothing was told about the record since."""
    row = {
        "TableName": table,
        "Key": {"record": {"S": record.text}},
        "ExpressionAttributeNames": {"#version": "version"},
    }
    if facts is None:
        return {**row, "ConditionExpression": "attribute_not_exists(#version)"}
    version = {":version": {"N": str(facts.version)}}
    return {**row, "ConditionExpression": "#version = :version", "ExpressionAttributeValues": version}
