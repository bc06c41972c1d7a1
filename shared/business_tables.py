"""Adapter for the business tables: looks, counts and the guarded erase. No personal value is ever read."""

from collections.abc import Collection, Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws import failures_of, tries
from shared.conditions import count_query, guarded_removal, projection
from shared.dynamodb import batch_get
from shared.facts_table import unchanged_facts
from shared.failure import CallFailedError
from shared.look import Item
from shared.policy import Guard, Rule
from shared.record import Path, RecordRef, View

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class _Removal(Enum):
    DONE = auto()
    REFUSED = auto()
    NO_PARENT = auto()
    THROTTLED = auto()


class BusinessTables:
    """The tables that hold personal fields, by logical name."""

    def __init__(self, client: "DynamoDBClient", tables: Mapping[str, str], facts_table: str) -> None:
        """Work on these tables.

        Args:
            client: a DynamoDB client.
            tables: logical table name to real one.
            facts_table: the table whose versions the erase is guarded by.
        """
        self._client = client
        self._tables = tables
        self._facts_table = facts_table

    def look(self, records: Collection[RecordRef], paths: Collection[Path]) -> Mapping[RecordRef, Item]:
        """As `RecordsToLookAt.look`: consistent, and projected to the key and these paths."""
        first = next(iter(records), None)
        if first is None:
            return {}
        wanted = projection([*((name,) for name in first.key), *paths])
        keys = [record.key for record in records]
        items = batch_get(self._client, self.real_name(first.table), keys, **wanted)
        return {RecordRef(first.table, {name: item[name] for name in first.key}): item for item in items}

    def has_fields(self, record: RecordRef, paths: Collection[Path]) -> bool:
        """As `RecordsToErase.has_fields`: a consistent count, which reads no attribute."""
        with failures_of("Query"):
            counted = self._client.query(TableName=self.real_name(record.table), **count_query(record, paths))
        return counted["Count"] > 0

    def erase(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
        """As `RecordsToErase.erase`: all fields at once, or path by path where a parent is missing."""
        match self._remove(rule, record, view, rule.erase):
            case _Removal.DONE:
                return rule.erase
            case _Removal.REFUSED:
                return ()
            case _Removal.NO_PARENT:
                return self._erase_path_by_path(rule, record, view)
            case _Removal.THROTTLED:
                raise CallFailedError("erase", "Throttled")

    def _erase_path_by_path(self, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
        """With each path's own existence in its guard, a missing parent is a refused guard."""
        removed: list[Path] = []
        for path in rule.erase:
            try:
                if self._remove(rule, record, view, (path,)) is _Removal.DONE:
                    removed.append(path)
            except CallFailedError:
                if not removed:
                    raise
                break  # what was acknowledged is not to be forgotten; the rest will be asked for again
        return removed

    def _remove(self, rule: Rule, record: RecordRef, view: View, paths: Collection[Path]) -> _Removal:
        update: Any = {
            "TableName": self.real_name(record.table),
            **guarded_removal(rule, record, view, paths),
        }
        if view.facts is None and rule.guard is Guard.RECORD:
            return self._update(update)
        unchanged: Any = unchanged_facts(self._facts_table, record, view.facts)
        attempts = tries("TransactWriteItems")
        while (removal := self._transact(update, unchanged)) is _Removal.THROTTLED:
            next(attempts)  # the SDK does not try a throttled transaction again
        return removal

    def _update(self, update: Any) -> _Removal:  # noqa: ANN401 -- a request, as botocore's stubs want it
        with failures_of("UpdateItem"):
            try:
                self._client.update_item(**update)
            except ClientError as error:
                return _refusal(error)
        return _Removal.DONE

    def _transact(self, update: Any, unchanged: Any) -> _Removal:  # noqa: ANN401 -- as above
        items: Any = [{"Update": update}, {"ConditionCheck": unchanged}]
        with failures_of("TransactWriteItems"):
            try:
                self._client.transact_write_items(TransactItems=items)
            except ClientError as error:
                return _refusal(error)
        return _Removal.DONE

    def real_name(self, table: str) -> str:
        """The real name of a table.

        Raises:
            CallFailedError: the settings name none.
        """
        if table not in self._tables:
            raise CallFailedError("settings", "UnknownTable")
        return self._tables[table]


def _refusal(error: ClientError) -> _Removal:
    """What a failed update means; only what is expected is a result, all else rises."""
    response: Any = error.response
    reasons = response.get("CancellationReasons") or [response["Error"]]
    messages = {reason["Code"]: reason.get("Message", "") for reason in reasons if reason["Code"] != "None"}
    codes = messages.keys()
    if codes & {"ConditionalCheckFailed", "ConditionalCheckFailedException"}:
        return _Removal.REFUSED
    if codes and codes <= {"TransactionConflict", "TransactionConflictException"}:
        return _Removal.REFUSED  # somebody else is writing the record: look again
    if codes and codes <= {"ThrottlingError", "ProvisionedThroughputExceeded"}:
        return _Removal.THROTTLED
    # The code alone does not tell a missing parent from a request that DynamoDB cannot read.
    if (
        codes
        and codes <= {"ValidationException", "ValidationError"}
        and all(map(_says_no_parent, messages.values()))
    ):
        return _Removal.NO_PARENT
    raise error


def _says_no_parent(message: str) -> bool:
    return "document path provided in the update expression is invalid" in message
