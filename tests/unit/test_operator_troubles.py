"""What operators are told when something is missing: what, how to mend it, and never a value of a record."""

import hashlib
import io
import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ProfileNotFound

from lapse.connection import connect
from lapse.controls import Controls
from lapse.trouble import TroubleError
from shared.config import deployed_policy
from shared.evidence import Outcome
from shared.failure import CallFailedError
from shared.policy_file import PolicyError
from shared.refused import RefusedError
from tests.builders import NOW, shipment, shipment_ref
from tests.operators import Answer, Operator

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "shared" / "policy.toml"
ARN = "arn:aws:lambda:eu-west-1:000000000000:function:lapse-purge"
OUTPUTS = {
    "PurgeFunctionName": "lapse-purge",
    "SweepFunctionName": "lapse-sweep",
    "DeadLetterQueueUrl": "https://sqs.example/dead-letters",
}
SETTINGS = {
    "TABLES": "Shipments=shipments-prod,Contacts=contacts-prod",
    "FACTS_TABLE": "facts",
    "DUE_TABLE": "due",
    "LEDGER_TABLE": "ledger",
    "EVENT_BUS_NAME": "bus",
    "WAKE_UP_GROUP": "group",
    "WAKE_UP_ROLE_ARN": "arn:aws:iam::000000000000:role/wake-up",
    "FAILURE_QUEUE_ARN": "arn:aws:sqs:eu-west-1:000000000000:failures",
}


class Account:
    """An AWS account: a session and all its clients in one, which answers as it is told."""

    region_name = "eu-west-1"

    def __init__(self, **answers: Any) -> None:
        described = [{"OutputKey": name, "OutputValue": value} for name, value in OUTPUTS.items()]
        self.answers: dict[str, Any] = {
            "describe_stacks": {"Stacks": [{"Outputs": described}]},
            "get_function_configuration": {"FunctionArn": ARN, "Environment": {"Variables": SETTINGS}},
            "get_item": {},
            **answers,
        }
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def client(self, _service: str, **_config: Any) -> "Account":
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            self.calls.append((name, parameters))
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def connected(account: Account, policy: Path | None = None, stack: str = "lapse") -> Controls:
    return connect(stack, policy, lambda: account)  # type: ignore[arg-type,return-value]


def refusal(code: str) -> ClientError:
    """A service's error, whose message must not be shown."""
    return ClientError({"Error": {"Code": code, "Message": "canary"}}, "Operation")


def typed(account: Account, *words: object, policy: Path | None = None) -> Answer:
    return Operator().types(*words, columns=200, connect=lambda: connected(account, policy))


def test_a_connection_is_made_of_what_the_stack_says() -> None:
    """The outputs name the purge, and the purge's own settings name everything else."""
    account = Account()
    controls = connected(account, stack="other")
    assert controls.stack == "other"
    assert controls.policy.digest == deployed_policy().digest
    assert controls.wake_ups.purge_function_arn == ARN  # type: ignore[attr-defined]
    assert account.calls[:2] == [
        ("describe_stacks", {"StackName": "other"}),
        ("get_function_configuration", {"FunctionName": "lapse-purge"}),
    ]


@pytest.mark.parametrize(
    ("call", "answer", "what", "remedy"),
    [
        (
            "describe_stacks",
            refusal("ValidationError"),
            'There is no stack "lapse" in eu-west-1.',
            "Name it with --stack; the account and the region by AWS_PROFILE and AWS_DEFAULT_REGION.",
        ),
        (
            "describe_stacks",
            refusal("AccessDenied"),
            "AWS does not permit DescribeStacks (AccessDenied).",
            "The credentials need cloudformation:DescribeStacks on the stack's resources.",
        ),
        (
            "describe_stacks",
            refusal("ExpiredToken"),
            "AWS does not take the credentials (ExpiredToken).",
            "Sign in again.",
        ),
        (
            "describe_stacks",
            NoCredentialsError(),
            "There are no AWS credentials (NoCredentialsError).",
            "Sign in, or set AWS_PROFILE.",
        ),
        (
            "describe_stacks",
            EndpointConnectionError(endpoint_url="https://canary"),
            "AWS cannot be reached (DescribeStacks: EndpointConnectionError).",
            "Check the network, and AWS_ENDPOINT_URL if it is set.",
        ),
        (
            "describe_stacks",
            {"Stacks": [{}]},
            "The stack has no output PurgeFunctionName.",
            "Is it one of Lapse? Deploy this version of Lapse.",
        ),
        (
            "get_function_configuration",
            {"FunctionArn": ARN, "Environment": {"Variables": {**SETTINGS, "FACTS_TABLE": None}}},
            "The stack's purge lacks the setting FACTS_TABLE.",
            "Deploy this version of Lapse.",
        ),
        (
            "get_function_configuration",
            {"FunctionArn": ARN},
            "The stack's purge lacks the setting " + ", ".join(sorted(SETTINGS)) + ".",
            "Deploy this version of Lapse.",
        ),
        (
            "get_function_configuration",
            {"FunctionArn": ARN, "Environment": {"Variables": {**SETTINGS, "TABLES": "Shipments=s"}}},
            "The policy is about Contacts, which the stack does not know.",
            "Name the policy that it was deployed with: --policy FILE.",
        ),
    ],
)
def test_what_keeps_from_connecting(call: str, answer: Any, what: str, remedy: str) -> None:
    """What is missing and how to mend it, on stderr; with 1, and without a traceback."""
    found = typed(Account(**{call: answer}), "holds")
    assert (found.code, found.out) == (1, "")
    assert found.err == f"lapse: {what}\n{remedy}\n"


def test_a_trouble_for_programs() -> None:
    """With --json it is an object like any other answer, on stdout."""
    found = typed(Account(describe_stacks=NoCredentialsError()), "ledger", "verify", "--json")
    assert (found.code, found.err) == (1, "")
    assert found.json == {
        "error": "There are no AWS credentials (NoCredentialsError).",
        "remedy": "Sign in, or set AWS_PROFILE.",
    }


def test_a_missing_profile_is_named_as_such() -> None:
    """It is noticed when the session is made, before any call."""

    def sign_in() -> Any:
        raise ProfileNotFound(profile="canary")

    found = Operator().types("holds", connect=lambda: connect("lapse", None, sign_in))
    assert found.err.splitlines()[0] == "lapse: AWS_PROFILE names a profile that is not there."


def archived(policy: Path) -> Callable[..., Any]:
    """The archive's rows."""
    text = policy.read_text()
    digest = hashlib.sha256(text.encode()).hexdigest()

    def get_item(**request: Any) -> Mapping[str, Any]:
        deployed = request["Key"]["shard"]["S"] == "policy"
        return {"Item": {"digest": {"S": digest}} if deployed else {"text": {"S": text}}}

    return get_item


class Archive(Account):
    """An account whose stack has archived its policy."""

    def __init__(self, policy: Path) -> None:
        super().__init__()
        self.get_item = archived(policy)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A policy that is not the project's."""
    file = tmp_path / "other.toml"
    file.write_text(SHIPPED.read_text().replace('"P90D"', '"P60D"'))
    return file


def test_the_deployed_policy_counts(other: Path) -> None:
    """Where one is archived it is used, and another refused; else the project's, or the one that is named."""
    assert connected(Archive(other)).policy.rules[0].retain.days == 60
    assert connected(Archive(other), other).policy.rules[0].retain.days == 60
    with pytest.raises(TroubleError, match="another policy is deployed"):
        connected(Archive(other), SHIPPED)
    assert connected(Account()).policy.rules[0].retain.days == 90
    assert connected(Account(), other).policy.rules[0].retain.days == 60


def test_a_function_is_invoked_by_hand() -> None:
    """Its answer is read."""
    account = Account(invoke={"Payload": io.BytesIO(b'{"finished": true}')})
    assert connected(account).functions.run("SweepFunctionName") == {"finished": True}
    ((_, request),) = [call for call in account.calls if call[0] == "invoke"]
    assert (request["FunctionName"], json.loads(request["Payload"])) == (
        "lapse-sweep",
        {"v": 1, "cause": "manual"},
    )


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ({"errorType": "ExceptionGroup", "errorMessage": "2 failed: Throttled"}, "2 failed: Throttled"),
        ({"errorType": "KeyError", "errorMessage": "canary", "stackTrace": ["canary"]}, "KeyError"),
    ],
)
def test_a_function_that_fails_says_by_which_codes(failure: Mapping[str, Any], said: str) -> None:
    """Messages of failures that nobody foresaw may hold anything, so they are not repeated."""
    account = Account(
        invoke={"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(failure).encode())}
    )
    found = typed(account, "purge")
    assert (found.code, found.err.splitlines()[0]) == (1, f"lapse: lapse-purge failed: {said}.")
    assert "canary" not in found.err


def test_a_stack_of_an_older_version_has_no_sweep() -> None:
    """The missing output is named."""
    described = [{"OutputKey": name, "OutputValue": OUTPUTS[name]} for name in OUTPUTS if "Sweep" not in name]
    found = typed(Account(describe_stacks={"Stacks": [{"Outputs": described}]}), "sweep")
    assert (found.code, found.err.splitlines()[0]) == (1, "lapse: The stack has no output SweepFunctionName.")


def test_dead_letters_are_counted() -> None:
    """Roughly, as SQS does; also those that somebody just looks at."""
    said = {"ApproximateNumberOfMessages": "3", "ApproximateNumberOfMessagesNotVisible": "2"}
    account = Account(get_queue_attributes={"Attributes": said})
    assert connected(account).dead_letters.count() == 5


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (CallFailedError("Scan", "AccessDeniedException"), ["The credentials need dynamodb:Scan on"]),
        (
            CallFailedError("TransactWriteItems", "AccessDeniedException"),
            ["need dynamodb:PutItem, UpdateItem, DeleteItem and ConditionCheckItem"],
        ),
        (
            CallFailedError("ReceiveMessage", "KMS.AccessDeniedException"),
            ["does not permit", "need kms:Decrypt of"],
        ),
        (CallFailedError("connect", "NoRegionError"), ["No AWS region is named.", "AWS_DEFAULT_REGION"]),
        (
            CallFailedError("hold", "Contended"),
            ["Others are at the same work (hold: Contended).", "Try again."],
        ),
        (
            CallFailedError("Query", "LedgerOfAnotherFormat"),
            ["The ledger is of another format, and is not gone on with", "another NamePrefix, or export and"],
        ),
        (CallFailedError("Query", "ResourceNotFoundException"), ["Something of the stack is missing"]),
        (CallFailedError("Query", "Odd"), ["A call failed (Query: Odd).", "Try again"]),
        (RefusedError("shipped_at", "is absurd"), ["lapse: shipped_at: is absurd."]),
        (PolicyError(["a: is wrong", "b: too"]), ["The policy cannot be used: a: is wrong; b: too"]),
    ],
)
def test_failures_of_use_cases(error: Exception, said: list[str]) -> None:
    """Codes of failed calls mean something to operators."""

    def fails() -> Controls:
        raise error

    found = Operator().types("status", connect=fails)
    assert found.code == 1
    assert not [text for text in said if text not in found.err]


@pytest.mark.parametrize("names", ["as they were", None])
def test_evidence_of_another_format_is_refused(names: str | None) -> None:
    """It is found, and explains nothing by what it seems to say: it is said where it stands."""
    record, operator = shipment_ref(), Operator()
    operator.memory.items[record] = shipment()
    entry = operator.controls().telling(NOW).entry(Outcome.HOLD_PLACED, record, case_ref="CASE-1")
    operator.ledger.append(record.shard, [entry])
    (batch,) = operator.ledger.batches(record.shard)
    body = batch["body"].replace('"v":3', '"v":2')
    operator.ledger.forged[record.shard] = [{**batch, "body": body, "names": names and batch["names"]}]
    place = f"shard {record.shard:02}, batch 1"
    for words in (("explain", "Shipments", "S-1001"), ("explain", "Shipments", "S-1001", "--csv")):
        found = operator.types(*words)
        assert (found.code, found.out) == (1, "")
        assert found.err == (
            f"lapse: The ledger cannot be read at {place}: it was damaged, or is of another format.\n"
            "`lapse ledger verify` says what is wrong.\n"
        )
    found = operator.types("ledger", "verify", columns=200)
    assert (found.code, f"{place}: the body is of another version" in found.out) == (1, True)


def test_what_nobody_foresaw_is_told_by_its_place() -> None:
    """Neither a traceback nor the message, which may hold anything."""

    def fails() -> Controls:
        raise KeyError("canary")

    found = Operator().types("status", connect=fails)
    assert found.code == 1
    assert found.err.startswith("lapse: Nobody foresaw this: KeyError in test_operator_troubles.py, line ")
    assert ("canary" in found.err, "Traceback" in found.err) == (False, False)


def outside(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The script itself, in an environment that leads to no account."""
    nowhere = {"PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}
    return subprocess.run(  # noqa: S603 -- our own script
        [str(ROOT / "bin" / "lapse"), *words],
        env={**nowhere, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_region_or_credentials_nothing_is_tried() -> None:
    """As a newcomer meets it: two plain lines."""
    found = outside("holds")
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.splitlines()[0] == "lapse: No AWS region is named."
    found = outside("--stack", "mine", "holds", AWS_DEFAULT_REGION="eu-west-1")
    assert (found.returncode, found.stderr.splitlines()[0]) == (
        1,
        "lapse: There are no AWS credentials (NoCredentialsError).",
    )


def test_help_waits_for_no_large_library() -> None:
    """The SDK is loaded when a command connects, cryptography when seals are verified, and not before."""
    found = subprocess.run(  # noqa: S603 -- our own code
        [
            ROOT / ".venv/bin/python",
            "-c",
            "import sys, lapse.cli; print({'boto3', 'botocore', 'cryptography'} & {*sys.modules})",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "set()\n"
    assert "hold" in outside("--help").stdout
