"""The business tables as AWS describes them, for `lapse preflight`. Reads no record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from lapse.preflight import Question
from shared.aws import failures_of
from shared.failure import CallFailedError

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient

_MOST_PAGES = 100
"""Empty ones, one after the other; then the answer says that it is not whole."""


@dataclass(frozen=True)
class AwsInspection:
    """As `TablesToInspect`."""

    dynamodb: "DynamoDBClient"
    session: "boto3.Session"
    config: Config

    def described(self, real_name: str) -> Mapping[str, Any]:
        """As `TablesToInspect.described`."""
        with failures_of("DescribeTable"):
            return self.dynamodb.describe_table(TableName=real_name)["Table"]

    def ask(self, question: Question, described: Mapping[str, Any]) -> Mapping[str, Any]:
        """As `TablesToInspect.ask`."""
        try:
            with failures_of(question):
                return self._calls(described)[question]()
        except CallFailedError as error:
            if error.code == "PolicyNotFoundException":  # so DynamoDB says that there is none
                return {}
            raise

    def _calls(self, described: Mapping[str, Any]) -> Mapping[Question, Callable[[], Mapping[str, Any]]]:
        name, arn, dynamodb = described["TableName"], described["TableArn"], self.dynamodb
        return {
            Question.BACKUPS: lambda: dynamodb.describe_continuous_backups(TableName=name),
            Question.TTL: lambda: dynamodb.describe_time_to_live(TableName=name),
            Question.ON_DEMAND: lambda: _some(
                lambda **page: dynamodb.list_backups(TableName=name, BackupType="USER", **page),
                *("BackupSummaries", "LastEvaluatedBackupArn", "ExclusiveStartBackupArn"),
            ),
            Question.EXPORTS: lambda: _some(
                lambda **page: dynamodb.list_exports(TableArn=arn, **page), "ExportSummaries", "NextToken"
            ),
            Question.KINESIS: lambda: dynamodb.describe_kinesis_streaming_destination(TableName=name),
            Question.SHARED: lambda: dynamodb.get_resource_policy(ResourceArn=arn),
            Question.AWS_BACKUP: lambda: _some(
                lambda **page: self._client("backup").list_recovery_points_by_resource(
                    ResourceArn=arn, **page
                ),
                *("RecoveryPoints", "NextToken"),
            ),
            Question.CONSUMERS: lambda: self._consumers(described.get("LatestStreamArn")),
        }

    def _consumers(self, stream: str | None) -> Mapping[str, Any]:
        if not stream:
            return {}
        client, found = self._client("lambda"), list[Any]()
        page: Mapping[str, Any] = client.list_event_source_mappings(EventSourceArn=stream)
        found += page["EventSourceMappings"]
        while marker := page.get("NextMarker"):
            page = client.list_event_source_mappings(EventSourceArn=stream, Marker=marker)
            found += page["EventSourceMappings"]
        return {"EventSourceMappings": found}

    def _client(self, service: str) -> Any:  # noqa: ANN401 -- a client of either service
        return self.session.client(service, config=self.config)  # type: ignore[call-overload]


def _some(
    call: Callable[..., Mapping[str, Any]], items: str, token: str, following: str = ""
) -> Mapping[str, Any]:
    """The first page that has anything on it, or the last: a page may be empty though others follow."""
    page = call()
    for _ in range(_MOST_PAGES):
        if page.get(items) or not page.get(token):
            break
        page = call(**{following or token: page[token]})
    return page
