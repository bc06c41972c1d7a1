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
            Question.ON_DEMAND: lambda: dynamodb.list_backups(TableName=name, BackupType="USER"),
            Question.EXPORTS: lambda: dynamodb.list_exports(TableArn=arn),
            Question.KINESIS: lambda: dynamodb.describe_kinesis_streaming_destination(TableName=name),
            Question.SHARED: lambda: dynamodb.get_resource_policy(ResourceArn=arn),
            Question.AWS_BACKUP: lambda: self._client("backup").list_recovery_points_by_resource(
                ResourceArn=arn
            ),
            Question.CONSUMERS: lambda: self._consumers(described.get("LatestStreamArn")),
        }

    def _consumers(self, stream: str | None) -> Mapping[str, Any]:
        found: Mapping[str, Any] = {}
        if stream:
            found = self._client("lambda").list_event_source_mappings(EventSourceArn=stream)
        return found

    def _client(self, service: str) -> Any:  # noqa: ANN401 -- a client of either service
        return self.session.client(service, config=self.config)  # type: ignore[call-overload]
