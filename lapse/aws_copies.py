"""Adapter for copies of the business tables: what DynamoDB says of recovery and streams."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lapse.copies import LONGEST_RECOVERY, TableCopies
from shared.aws import failures_of
from shared.failure import CallFailedError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_OLD_IMAGES: Final = {"OLD_IMAGE", "NEW_AND_OLD_IMAGES"}
_NOT_TOLD: Final = {
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"),
    *("ResourceNotFoundException", "TableNotFoundException", "UnknownOperationException"),
}
"""Then it is unknown, and said to be; a report need not fail for it."""


@dataclass(frozen=True)
class AwsCopies:
    """Asks DynamoDB about tables by their real names."""

    client: "DynamoDBClient"
    tables: Mapping[str, str]

    def of_tables(self) -> Sequence[TableCopies]:
        """As `CopiesOutside.of_tables`."""
        return [
            TableCopies(table, self._recovery_days(real), self._streams(real))
            for table, real in sorted(self.tables.items())
        ]

    def _recovery_days(self, table: str) -> int | None:
        answer = _told(
            "DescribeContinuousBackups", lambda: self.client.describe_continuous_backups(TableName=table)
        )
        if answer is None:
            return None
        told = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        is_on = told.get("PointInTimeRecoveryStatus") == "ENABLED"
        return int(told.get("RecoveryPeriodInDays", LONGEST_RECOVERY)) if is_on else 0

    def _streams(self, table: str) -> bool | None:
        answer = _told("DescribeTable", lambda: self.client.describe_table(TableName=table))
        if answer is None:
            return None
        told = answer["Table"].get("StreamSpecification", {})
        return bool(told.get("StreamEnabled")) and told.get("StreamViewType") in _OLD_IMAGES


def _told(operation: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """What AWS answers; `None` if it does not tell."""
    try:
        with failures_of(operation):
            return ask()
    except CallFailedError as error:
        if error.code in _NOT_TOLD:
            return None
        raise
