"""What went wrong, in a sentence, and how to mend it. Never a traceback, and never a value of a record."""

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperGroup

from lapse.answer import print_json
from shared.failure import CallFailedError
from shared.ledger_batch import UnreadableBatchError
from shared.policy_file import PolicyError
from shared.refused import RefusedError

if TYPE_CHECKING:
    from typer._click.core import Context  # typer.Context is narrower than what a group gets

_OPTIONS: Final = {"reason_code": "--reason", "until": "--until", "was": "--was", "is": "--is", "key": "KEY"}
"""What the command line calls the fields that the use cases refuse."""
_ACTIONS: Final = {
    "DescribeStacks": "cloudformation:DescribeStacks",
    "GetFunctionConfiguration": "lambda:GetFunctionConfiguration",
    "Invoke": "lambda:InvokeFunction",
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "PutEvents": "events:PutEvents, and for lapse.requests to be one of RequestPrincipals,",
    "ReceiveMessage": "sqs:ReceiveMessage",
    "ChangeMessageVisibility": "sqs:ChangeMessageVisibility",
    "StartMessageMoveTask": "sqs:StartMessageMoveTask, ReceiveMessage, DeleteMessage and SendMessage",
    "ListMessageMoveTasks": "sqs:ListMessageMoveTasks",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "GetObject": "s3:GetObject",
    "GetObjectVersion": "s3:GetObjectVersion",
    "TransactWriteItems": "dynamodb:PutItem, UpdateItem, DeleteItem and ConditionCheckItem",
}
"""The permissions whose names the operations do not tell; the others are DynamoDB's."""


_FAILED_CALLS: Final = (
    (
        {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"},
        "There are no AWS credentials ({code}).",
        "Sign in, or set AWS_PROFILE.",
    ),
    (
        {
            *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"),
            *("SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure", "TokenRetrievalError"),
            *("SSOTokenLoadError", "UnauthorizedSSOTokenError"),
        },
        "AWS does not take the credentials ({code}).",
        "Sign in again.",
    ),
    (
        {"ProfileNotFound"},
        "AWS_PROFILE names a profile that is not there.",
        "See `aws configure list-profiles`.",
    ),
    (
        {"NoRegionError"},
        "No AWS region is named.",
        "Set AWS_DEFAULT_REGION, or a region in the profile.",
    ),
    (
        {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"},
        "AWS does not permit {operation} ({code}).",
        "The credentials need {action} on the stack's resources.",
    ),
    (
        {"KMS.AccessDeniedException", "KmsAccessDenied"},  # so SQS says it
        "AWS does not permit {operation} ({code}).",
        "The credentials need kms:Decrypt of the stack's KmsKeyArn.",
    ),
    (
        {"NotAuthorizedForSourceException", "NotAuthorizedForDetailTypeException"},
        "The bus does not take this event from these credentials ({code}).",
        "For lapse.requests they must be one of the stack's RequestPrincipals.",
    ),
    (
        {
            *("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError"),
            *("ProxyConnectionError", "SSLError"),
        },
        "AWS cannot be reached ({operation}: {code}).",
        "Check the network, and AWS_ENDPOINT_URL if it is set.",
    ),
    (
        {
            *("Contended", "Throttled", "Unprocessed", "ThrottlingException", "ThrottlingError"),
            *("ProvisionedThroughputExceededException", "RequestLimitExceeded", "TooManyRequestsException"),
        },
        "Others are at the same work ({operation}: {code}).",
        "Try again.",
    ),
    (
        {"LedgerOfAnotherFormat"},
        "The ledger is of another format, and is not gone on with ({code}).",
        "Deploy with another NamePrefix, or export and remove the old table's items: see CHANGELOG.md.",
    ),
    (
        {"ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "NoSuchBucket"},
        "Something of the stack is missing ({operation}: {code}).",
        "Was a table deleted or restored? Deploy the stack again.",
    ),
)
"""What the codes of failed calls mean, and how to mend it."""
_ANY_OTHER: Final = ("A call failed ({operation}: {code}).", "Try again: it may have been made all the same.")


class TroubleError(Exception):
    """Something that keeps a command from its work."""

    def __init__(self, what: str, remedy: str = "") -> None:
        """Say what is wrong or missing, and how to mend it."""
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class TellingTroubles(TyperGroup):
    """Commands whose failures are told in a sentence; with `--json`, as an object like any other answer."""

    def invoke(self, ctx: "Context") -> Any:  # noqa: ANN401 -- as typer has it
        """Run the command; what it raises ends it with 1."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 -- an operator is not to be shown tracebacks
            _tell(trouble_of(error), as_json=as_json)
            raise typer.Exit(1) from None


def trouble_of(error: Exception) -> TroubleError:
    """What an error means to an operator."""
    match error:
        case TroubleError():
            return error
        case RefusedError():
            return TroubleError(f"{_option(error.field)}: {error.reason}.")
        case PolicyError():
            return TroubleError(
                "The policy cannot be used: " + "; ".join(error.problems), "Name it with --policy."
            )
        case UnreadableBatchError():
            what = f"The ledger cannot be read at {error}: it was damaged, or is of another format."
            return TroubleError(what, "`lapse ledger verify` says what is wrong.")
        case CallFailedError():
            return _failed_call(error.operation, error.code)
        case _:
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
            return TroubleError(f"Nobody foresaw this: {place}.", "Please report this line.")


def _tell(trouble: TroubleError, *, as_json: bool) -> None:
    if as_json:
        print_json({"error": trouble.what, "remedy": trouble.remedy})
    else:
        print("\n".join(text for text in (f"lapse: {trouble.what}", trouble.remedy) if text), file=sys.stderr)


def _option(field: str) -> str:
    name, _, part = field.partition(".")
    return " ".join(text for text in (_OPTIONS.get(name, name), part) if text)


def _failed_call(operation: str, code: str) -> TroubleError:
    known = ((what, remedy) for codes, what, remedy in _FAILED_CALLS if code in codes)
    told = {
        "operation": operation,
        "code": code,
        "action": _ACTIONS.get(operation, f"dynamodb:{operation}"),
    }
    what, remedy = next(known, _ANY_OTHER)
    return TroubleError(what.format_map(told), remedy.format_map(told))
