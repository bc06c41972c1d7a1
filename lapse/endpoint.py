"""The local stack's AWS endpoint, and one typed client per service for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient

REGION: Final = "eu-west-1"


@dataclass(frozen=True)
class Endpoint:
    """Where the emulated AWS answers. Its credentials are dummies: nothing here can reach a real account."""

    url: str
    region: str = REGION
    access_key: str = "test"
    secret_key: str = "test"  # noqa: S105 - the emulator takes any

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Endpoint":
        """Read an endpoint back from what `environment` returned, such as the lines of `.local/env`."""
        return cls(
            environment["AWS_ENDPOINT_URL"],
            environment["AWS_DEFAULT_REGION"],
            environment["AWS_ACCESS_KEY_ID"],
            environment["AWS_SECRET_ACCESS_KEY"],
        )

    def environment(self) -> dict[str, str]:
        """Return the variables that lead any AWS SDK or tool to this endpoint."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }


class Clients:
    """One boto3 client per AWS service, made when first used."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint.url
        self._config = Config(max_pool_connections=50, retries={"mode": "standard"})
        self._session = boto3.Session(
            aws_access_key_id=endpoint.access_key,
            aws_secret_access_key=endpoint.secret_key,
            region_name=endpoint.region,
        )

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        """CloudFormation: stacks and their outputs."""
        return self._session.client("cloudformation", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """DynamoDB: the tables."""
        return self._session.client("dynamodb", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def events(self) -> "EventBridgeClient":
        """EventBridge: the bus and its rules."""
        return self._session.client("events", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def functions(self) -> "LambdaClient":
        """Lambda (`lambda` is a word of Python's own)."""
        return self._session.client("lambda", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def logs(self) -> "CloudWatchLogsClient":
        """CloudWatch Logs: what the functions wrote."""
        return self._session.client("logs", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def s3(self) -> "S3Client":
        """S3: the functions' artifacts."""
        return self._session.client("s3", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def scheduler(self) -> "EventBridgeSchedulerClient":
        """EventBridge Scheduler: the wake-ups."""
        return self._session.client("scheduler", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def sqs(self) -> "SQSClient":
        """SQS: the queues."""
        return self._session.client("sqs", endpoint_url=self._endpoint, config=self._config)


def function_log(clients: Clients, function_name: str) -> list[str]:
    """Return all lines that a function has logged so far, oldest first (none: no log group yet)."""
    configuration = clients.functions.get_function_configuration(FunctionName=function_name)
    group = configuration.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{function_name}")
    pages = clients.logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    try:
        return [event["message"] for page in pages for event in page["events"]]
    except clients.logs.exceptions.ResourceNotFoundException:
        return []
