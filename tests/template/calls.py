"""What calls of the AWS API ask of IAM: recorded as boto3 makes them, read as the services' guides say."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from tests.template.iam import Request
from tests.template.translated import ACCOUNT, REGION, Deployment

type Parameters = Mapping[str, Any]

_EXPRESSIONS = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)
_PARTITION_KEYS = {"shipment_id", "contact_id", "record", "shard"}
"""Of all the stack's tables."""


@dataclass(frozen=True)
class Call:
    """One call: the service, the operation, and its parameters as given to boto3."""

    service: str
    operation: str
    parameters: Parameters


def record_calls(into: list[Call]) -> None:
    """Record all calls of clients that boto3's default session makes from now on."""

    def seen(event_name: str, params: Parameters, **_: object) -> None:
        service, operation = event_name.split(".")[1:]
        into.append(Call(service, operation, dict(params)))

    boto3.setup_default_session(region_name=REGION)
    session: Any = boto3.DEFAULT_SESSION
    session.events.register("provide-client-params.*.*", seen)


@dataclass(frozen=True)
class Reading:
    """How DynamoDB fills in the context where its guide leaves room.

    A role has to allow Lapse's own calls, and to deny all others, in each of these readings.
    """

    keys_are_attributes: bool
    """The guide: a policy must list all key attributes, so they count even where only `Key` names them."""
    defaults_are_given: bool
    """`Select` and `ReturnValues` are in the context even where the call leaves them out."""


READINGS = [
    Reading(keys_are_attributes=True, defaults_are_given=True),
    Reading(keys_are_attributes=False, defaults_are_given=False),
    Reading(keys_are_attributes=False, defaults_are_given=True),
]
"""Not among them: that keys count, and looks have no `Select`. A look at everything would be allowed so, but
the guide says that `Select` "applies to all DynamoDB operations that return item attributes"."""


def requests(call: Call, stack: Deployment, reading: Reading) -> Iterator[Request]:
    """What a call asks of IAM."""
    match call.service, call.operation:
        case "dynamodb", _:
            yield from dynamodb_requests(call.operation, call.parameters, reading)
        case "scheduler", "CreateSchedule":
            group, name = call.parameters["GroupName"], call.parameters["Name"]
            target = call.parameters["Target"]
            yield Request(
                "scheduler:CreateSchedule", f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{name}"
            )
            context = {"iam:PassedToService": "scheduler.amazonaws.com"}
            yield Request("iam:PassRole", target["RoleArn"], context)
        case "eventbridge", "PutEvents":
            for entry in call.parameters["Entries"]:
                bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{entry['EventBusName']}"
                yield Request("events:PutEvents", bus, {"events:source": entry["Source"]})
        case "sqs", "SendMessage":
            queues = {queue.ref: queue.arn for queue in stack.of_type("AWS::SQS::Queue")}
            yield Request("sqs:SendMessage", queues[call.parameters["QueueUrl"]])
        case "s3", operation:
            yield from _s3_requests(operation, call.parameters)
        case "kms", operation:
            yield Request(f"kms:{operation}", call.parameters["KeyId"])
        case _:
            raise NotImplementedError(f"{call.service}:{call.operation}")


def _s3_requests(operation: str, parameters: Parameters) -> Iterator[Request]:
    """What an S3 call asks of IAM: a listing, of the bucket; all else, of the object."""
    bucket = f"arn:aws:s3:::{parameters['Bucket']}"
    match operation:
        case "ListObjectsV2":
            yield Request("s3:ListBucket", bucket)
        case "GetObject" | "PutObject":
            written_once = (
                {"s3:if-none-match": parameters["IfNoneMatch"]} if "IfNoneMatch" in parameters else {}
            )
            yield Request(f"s3:{operation}", f"{bucket}/{parameters['Key']}", written_once)
        case _:
            raise NotImplementedError(operation)


def dynamodb_requests(operation: str, parameters: Parameters, reading: Reading) -> Iterator[Request]:
    """What a DynamoDB call asks of IAM: batches for each table, transactions for each action in them."""
    match operation:
        case "BatchGetItem" | "BatchWriteItem":
            for table, inner in parameters["RequestItems"].items():
                given = inner if operation == "BatchGetItem" else {"Writes": inner}
                yield _on_table(operation, table, given, reading)
        case "BatchExecuteStatement":
            for each in parameters["Statements"]:
                ((table, key),) = re.findall(
                    r"""^DELETE FROM "(.+?)" WHERE "shard" = '(.+?)' """, each["Statement"]
                )
                arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
                yield Request("dynamodb:PartiQLDelete", arn, {"dynamodb:LeadingKeys": [key]})
        case "TransactWriteItems":
            for item in parameters["TransactItems"]:
                ((kind, inner),) = item.items()
                action = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
                yield _on_table(action, inner["TableName"], inner, reading)
        case _:
            yield _on_table(operation, parameters["TableName"], parameters, reading)


def _on_table(action: str, table: str, parameters: Parameters, reading: Reading) -> Request:
    context: dict[str, str | list[str]] = {
        "dynamodb:Attributes": sorted(_attributes(parameters, reading)),
        "dynamodb:LeadingKeys": sorted(_leading_keys(parameters)),
    }
    if action in {"BatchGetItem", "GetItem", "Query", "Scan"}:
        chosen = "SPECIFIC_ATTRIBUTES" if "ProjectionExpression" in parameters else "ALL_ATTRIBUTES"
        if "Select" in parameters or reading.defaults_are_given:
            context["dynamodb:Select"] = parameters.get("Select", chosen)
    elif "ReturnValues" in parameters or reading.defaults_are_given:
        context["dynamodb:ReturnValues"] = parameters.get("ReturnValues", "NONE")
    return Request(f"dynamodb:{action}", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}", context)


def _attributes(parameters: Parameters, reading: Reading) -> set[str]:
    """The top-level attributes that a call names."""
    names = parameters.get("ExpressionAttributeNames", {})
    written = " ".join(parameters.get(each, "") for each in _EXPRESSIONS)
    assert not re.search(r"(?<![\w#:.])(?!attribute_)[a-z]\w*", written), "a name without an alias"
    attributes = {names[alias] for alias in re.findall(r"(?<!\.)#\w+", written)}
    if reading.keys_are_attributes:
        attributes |= {name for key in _items(parameters) for name in key}
    return attributes


def _leading_keys(parameters: Parameters) -> set[str]:
    """The partition keys of what a call is about."""
    found = {
        next(iter(value.values()))
        for item in _items(parameters)
        for name, value in item.items()
        if name in _PARTITION_KEYS
    }
    names = parameters.get("ExpressionAttributeNames", {})
    for alias, value in re.findall(r"(#\w+) = (:\w+)", parameters.get("KeyConditionExpression", "")):
        if names[alias] in _PARTITION_KEYS:
            found.add(next(iter(parameters["ExpressionAttributeValues"][value].values())))
    return found


def _items(parameters: Parameters) -> Iterator[Mapping[str, Any]]:
    """The keys, or whole items, that a call names."""
    yield from (parameters[each] for each in ("Key", "Item") if each in parameters)
    yield from parameters.get("Keys", [])
    for write in parameters.get("Writes", []):
        yield from (inner.get("Item") or inner["Key"] for inner in write.values())
