"""Adapter for the Facts table, for rebuilding it: rows whose evidence is in the ledger already."""

from typing import TYPE_CHECKING, Any

from shared.aws import failures_of
from shared.facts import Facts
from shared.facts_row import row_of_facts
from shared.facts_table import FactsTable
from shared.failure import CallFailedError
from shared.record import RecordRef

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class FactsToRebuildTable(FactsTable):
    """The Facts table, for writing what the ledger knows."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """Work on this table."""
        super().__init__(client, table)
        self._rows = client

    def put(self, record: RecordRef, before: Facts | None, after: Facts) -> bool:
        """As `FactsToRebuild.put`."""
        seen: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(#version)"}
        if before is not None:
            values = {":before": {"N": str(before.version)}}
            seen = {"ConditionExpression": "#version = :before", "ExpressionAttributeValues": values}
        try:
            with failures_of("PutItem"):
                self._rows.put_item(
                    TableName=self._table,
                    Item=row_of_facts(record, after),
                    ExpressionAttributeNames={"#version": "version"},
                    **seen,
                )
        except CallFailedError as error:
            if error.code == "ConditionalCheckFailedException":
                return False
            raise
        return True
