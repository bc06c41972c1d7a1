"""Adapter for scanning the business tables: whether personal fields exist, never what they say."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.aws import failures_of
from shared.business_tables import BusinessTables
from shared.conditions import absence_scan, existence_scan
from shared.finding import PAGE, SEGMENTS, Cursor, RecordsPage, Scanned
from shared.record import Path, RecordRef

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class ScannedTables(BusinessTables):
    """The business tables, for scans."""

    def __init__(self, client: "DynamoDBClient", tables: Mapping[str, str], facts_table: str) -> None:
        """As `BusinessTables`."""
        super().__init__(client, tables, facts_table)
        self._scans = client

    def scan(self, of: Scanned, segment: int, after: Cursor | None) -> RecordsPage:
        """As `RecordsToScan.scan`: eventually consistent, for half the price; a later sweep sees the rest."""
        return self._scan(of, segment, after, existence_scan(of.fields, _seen(of)))

    def scan_without(self, of: Scanned, segment: int, after: Cursor | None) -> RecordsPage:
        """The records that have none of the fields; as eventually consistent as `scan`."""
        return self._scan(of, segment, after, absence_scan(of.fields, _seen(of)))

    def _scan(
        self, of: Scanned, segment: int, after: Cursor | None, expressions: Mapping[str, Any]
    ) -> RecordsPage:
        request: dict[str, Any] = {
            "TableName": self.real_name(of.table),
            "Segment": segment,
            "TotalSegments": SEGMENTS,
            "Limit": PAGE,
            "ReturnConsumedCapacity": "TOTAL",
            "Select": "SPECIFIC_ATTRIBUTES",  # said, so that the role can insist on it
            **expressions,
            **({"ExclusiveStartKey": after} if after else {}),
        }
        with failures_of("Scan"):
            answer = self._scans.scan(**request)
        return RecordsPage(
            {RecordRef(of.table, {name: item[name] for name in of.key}): item for item in answer["Items"]},
            answer.get("LastEvaluatedKey"),
            answer["ScannedCount"],
            answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0),
        )

    def about_how_many(self, table: str) -> int:
        """As `RecordsToScan.about_how_many`: DynamoDB counts every six hours."""
        with failures_of("DescribeTable"):
            return self._scans.describe_table(TableName=self.real_name(table))["Table"].get("ItemCount", 0)


def _seen(of: Scanned) -> list[Path]:
    return [*((name,) for name in of.key), *of.paths]
