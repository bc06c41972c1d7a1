"""The connection to a deployed stack: CloudFormation and the purge itself say what it is made of."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from pydantic import ValidationError

from lapse.aws_inspection import AwsInspection
from lapse.aws_seals import StackSeals
from lapse.aws_stores import AwsStores
from lapse.controls import Controls
from lapse.copies import InspectedCopies
from lapse.dead_letter_queues import StackDeadLetters
from lapse.trouble import TroubleError
from shared.aws import CLIENT_CONFIG, failures_of
from shared.brake import BrakeWithEvidence
from shared.bus import LazyBus
from shared.business_tables import BusinessTables
from shared.config import PurgeSettings
from shared.due_table import DueTable
from shared.facts_table import FactsToSweepTable, FactsWithEvidence
from shared.failure import CallFailedError
from shared.last_purge_table import LastPurgeTable
from shared.ledger_table import LedgerTable
from shared.policy import Policy
from shared.policy_archive import PolicyArchive
from shared.policy_file import read_policy
from shared.scheduler import SchedulerWakeUps
from shared.sweep_progress import SweepTable
from shared.wiring import clock

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

SHIPPED = Path(__file__).resolve().parent.parent / "shared" / "policy.toml"
_FROM_AFAR = CLIENT_CONFIG.merge(Config(connect_timeout=5, read_timeout=20))
"""Operators may sit further away than functions do."""
_UNTIL_IT_ENDS = CLIENT_CONFIG.merge(
    Config(connect_timeout=5, read_timeout=960, retries={"mode": "standard", "total_max_attempts": 1})
)
"""A function may run for a quarter of an hour, and is not to be started twice."""
_NEWER = "Deploy this version of Lapse."


@dataclass(frozen=True)
class StackFunctions:
    """The stack's functions, to be invoked by hand."""

    client: "LambdaClient"
    outputs: Mapping[str, str]

    def run(self, output: str) -> Mapping[str, Any]:
        """As `Functions.run`."""
        name = _output(self.outputs, output)
        with failures_of("Invoke"):
            answer = self.client.invoke(FunctionName=name, Payload=b'{"v": 1, "cause": "manual"}')
        summary: dict[str, Any] = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise TroubleError(
                f"{name} failed: {_failure(summary)}.", "Its log says more; what failed is tried again."
            )
        return summary


def connect(
    stack: str, policy_file: Path | None, sign_in: Callable[[], boto3.Session] = boto3.Session
) -> Controls:
    """Connect to a stack of the account and region that the environment leads to.

    Args:
        stack: its name in CloudFormation.
        policy_file: the policy that it was deployed with; by default the archived one, or else the project's.
        sign_in: makes the session with AWS.

    Raises:
        TroubleError: there is no such stack, or it is of another version, or its policy is another.
        CallFailedError: AWS does not answer: credentials, region, permission, network.
        PolicyError: the policy cannot be used.
    """
    with failures_of("connect"):
        session = sign_in()
        dynamodb = session.client("dynamodb", config=_FROM_AFAR)
        functions = session.client("lambda", config=_UNTIL_IT_ENDS)
        queues = session.client("sqs", config=_FROM_AFAR)
        buckets = session.client("s3", config=_FROM_AFAR)
    outputs = _outputs(session, stack)
    settings, purge_arn = _settings(functions, _output(outputs, "PurgeFunctionName"))
    ledger = LedgerTable(dynamodb, settings.ledger_table)
    stores = AwsStores(dynamodb, settings.tables, settings.facts_table, settings.ledger_table)
    inspection = AwsInspection(dynamodb, session, _FROM_AFAR)
    return Controls(
        stack=stack,
        policy=_policy(policy_file, stores.archive, settings),
        clock=clock,
        records=BusinessTables(dynamodb, settings.tables, settings.facts_table),
        facts=FactsWithEvidence(dynamodb, settings.facts_table, ledger, settings.tables),
        all_facts=FactsToSweepTable(dynamodb, settings.facts_table),
        timers=DueTable(dynamodb, settings.due_table),
        wake_ups=_wake_ups(session, settings, purge_arn),
        ledger=ledger,
        brake=BrakeWithEvidence(dynamodb, settings.facts_table, ledger),
        bus=LazyBus(settings.event_bus_name),
        sweeps=SweepTable(dynamodb, settings.due_table),
        purges=LastPurgeTable(dynamodb, settings.due_table),
        copies=InspectedCopies(inspection, settings.tables),
        functions=StackFunctions(functions, outputs),
        dead_letters=StackDeadLetters(
            queues, _output(outputs, "DeadLetterQueueUrl"), lambda: _output(outputs, "FailureQueueUrl")
        ),
        seals=StackSeals(buckets, lambda: _output(outputs, "SealBucketName")),
        stores=stores,
        account=purge_arn.split(":")[4],
        region=purge_arn.split(":")[3],
        inspection=inspection,
    )


def _wake_ups(session: boto3.Session, settings: PurgeSettings, purge_arn: str) -> SchedulerWakeUps:
    return SchedulerWakeUps(
        session.client("scheduler", config=_FROM_AFAR),
        group=settings.wake_up_group,
        role_arn=settings.wake_up_role_arn,
        purge_function_arn=purge_arn,
        failure_queue_arn=settings.failure_queue_arn,
    )


def _outputs(session: boto3.Session, stack: str) -> Mapping[str, str]:
    try:
        with failures_of("DescribeStacks"):
            client = session.client("cloudformation", config=_FROM_AFAR)
            (described,) = client.describe_stacks(StackName=stack)["Stacks"]
    except CallFailedError as error:
        if error.code != "ValidationError":  # so CloudFormation says that there is none
            raise
        where = f"in {session.region_name}"
        raise TroubleError(
            f'There is no stack "{stack}" {where}.',
            "Name it with --stack; the account and the region by AWS_PROFILE and AWS_DEFAULT_REGION.",
        ) from None
    return {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}


def _output(outputs: Mapping[str, str], name: str) -> str:
    if name not in outputs:
        raise TroubleError(f"The stack has no output {name}.", f"Is it one of Lapse? {_NEWER}")
    return outputs[name]


def _settings(client: "LambdaClient", purge: str) -> tuple[PurgeSettings, str]:
    """The settings that the purge works with, and its ARN."""
    with failures_of("GetFunctionConfiguration"):
        configuration = client.get_function_configuration(FunctionName=purge)
    variables = configuration.get("Environment", {}).get("Variables", {})
    try:
        settings = PurgeSettings.model_validate({name.lower(): each for name, each in variables.items()})
    except ValidationError as error:
        missing = sorted(str(each["loc"][0]).upper() for each in error.errors(include_input=False))
        raise TroubleError(f"The stack's purge lacks the setting {', '.join(missing)}.", _NEWER) from None
    return settings, configuration["FunctionArn"]


def _policy(file: Path | None, archive: PolicyArchive, settings: PurgeSettings) -> Policy:
    """The policy that is deployed; where none was archived yet, the one that is said to be."""
    deployed = archive.deployed()
    policy = read_policy(deployed[1] if deployed and not file else (file or SHIPPED).read_bytes())
    if deployed and policy.digest != deployed[0]:
        raise TroubleError(
            "--policy: another policy is deployed.", "Leave the option out: the deployed one is archived."
        )
    homeless = sorted({rule.table for rule in policy.rules} - settings.tables.keys())
    if homeless:
        raise TroubleError(
            f"The policy is about {', '.join(homeless)}, which the stack does not know.",
            "Name the policy that it was deployed with: --policy FILE.",
        )
    return policy


def _failure(summary: Mapping[str, Any]) -> str:
    """What a function says of its failure: the kind; and the message where it is made of codes alone."""
    kind = str(summary.get("errorType", "unknown error"))
    return str(summary.get("errorMessage")) if kind == "ExceptionGroup" else kind
