"""Adapter for the Facts table: one versioned row for each record that Lapse was told about."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.aws import failures_of
from shared.dynamodb import batch_get
from shared.facts import FactKind, Facts, Hold
from shared.failure import CallFailedError
from shared.instants import UnreadableInstantError, parse_rfc3339, to_text
from shared.record import RecordRef

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FORMAT = "1"
"""Version of the rows."""
_TRIES = 5


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
        return {by_text[row["record"]["S"]]: _from_row(row) for row in rows}

    def tell(self, record: RecordRef, kind: FactKind, instant: datetime) -> Facts:
        """As `FactsToTell.tell`: raises the row's version, on condition that nobody else did."""
        for _ in range(_TRIES):
            known = self.read([record]).get(record)
            told = (known or Facts()).told(kind, instant)
            if told == known or self._write(record, told, kind):
                return told
        raise CallFailedError("tell", "Contended")

    def _write(self, record: RecordRef, facts: Facts, kind: FactKind) -> bool:
        before = facts.version - 1
        try:
            with failures_of("UpdateItem"):
                self._client.update_item(
                    TableName=self._table,
                    Key={"record": {"S": record.text}},
                    UpdateExpression="SET #kind = :instants, #version = :version, #v = :v",
                    ConditionExpression="#version = :before" if before else "attribute_not_exists(#version)",
                    ExpressionAttributeNames={"#kind": kind.value, "#version": "version", "#v": "v"},
                    ExpressionAttributeValues={
                        ":instants": {"SS": sorted(to_text(each) for each in facts.of(kind))},
                        ":version": {"N": str(facts.version)},
                        ":v": {"N": FORMAT},
                        **({":before": {"N": str(before)}} if before else {}),
                    },
                )
        except CallFailedError as error:
            if error.code == "ConditionalCheckFailedException":
                return False
            raise
        return True


def unchanged_facts(table: str, record: RecordRef, facts: Facts) -> dict[str, Any]:
    """The condition, for a transaction, that nothing was told about the record since."""
    return {
        "TableName": table,
        "Key": {"record": {"S": record.text}},
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":version": {"N": str(facts.version)}},
    }


def _from_row(row: Mapping[str, Any]) -> Facts:
    instants = {
        kind: frozenset(parse_rfc3339(text) for text in row[kind.value]["SS"])
        for kind in FactKind
        if kind.value in row
    }
    holds = {
        case_ref: _hold(case_ref, each["M"]) for case_ref, each in row.get("holds", {}).get("M", {}).items()
    }
    return Facts(int(row["version"]["N"]), instants, holds)


def _hold(case_ref: str, row: Mapping[str, Any]) -> Hold:
    """A hold, as far as it can be read: whatever else is wrong with it, it is a hold."""
    return Hold(
        reason_code=_text(row, "reason_code"),
        case_ref=case_ref,
        opened_by=_text(row, "opened_by"),
        since=_readable(_text(row, "since")),
        until=_readable(_text(row, "until")),
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    return str(row.get(name, {}).get("S", ""))


def _readable(text: str) -> datetime | None:
    try:
        return parse_rfc3339(text)
    except UnreadableInstantError:
        return None
