"""What each function's role allows: as little as the function needs, and never to read a personal field."""

from collections.abc import Mapping
from typing import Any

import pytest

from lapse.policy_attributes import stack_parameters
from shared.config import deployed_policy
from tests.builders import delivery_rule, shipment_ref
from tests.template.calls import READINGS, Reading, dynamodb_requests, requests
from tests.template.iam import Request, allows, applies, listed, role_of, statements_of
from tests.template.life import Life
from tests.template.translated import ACCOUNT, REGION, Deployment

FUNCTIONS = ("OnShipmentFunction", "OnLeaverFunction", "PurgeFunction", "OnSourceFunction")
PERSONAL = stack_parameters(deployed_policy())["ErasedAttributes"]
KEY = shipment_ref().key
WITHOUT_CALLS = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ChangeMessageVisibility",
}
"""What Lambda itself does with a function's role: its log, its queue."""

type Call = tuple[str, Mapping[str, Any]]


def look(table: str, projection: str | None, **names: str) -> Call:
    """A BatchGetItem."""
    inner: dict[str, Any] = {"Keys": [KEY], "ConsistentRead": True}
    if projection:
        inner |= {"ProjectionExpression": projection, "ExpressionAttributeNames": names_of(**names)}
    return "BatchGetItem", {"RequestItems": {table: inner}}


def update(table: str, expression: str, condition: str = "", /, **more: Any) -> Call:
    """An UpdateItem; its aliases are the attributes' own names."""
    names = {
        name: name.removeprefix("#") for name in (expression + " " + condition).replace(",", " ").split()
    }
    aliases = {alias: name for alias, name in names.items() if alias.startswith("#")}
    call = {
        "TableName": table,
        "Key": KEY,
        "UpdateExpression": expression,
        "ExpressionAttributeNames": aliases,
    }
    return "UpdateItem", {**call, **({"ConditionExpression": condition} if condition else {}), **more}


def names_of(**names: str) -> dict[str, str]:
    """Expression attribute names."""
    return {f"#{alias}": name for alias, name in names.items()}


def query(table: str, **more: Any) -> Call:
    """A Query by key."""
    return "Query", {
        "TableName": table,
        "KeyConditionExpression": "#id = :id",
        "ExpressionAttributeNames": names_of(id="shipment_id", email="email", drop_ship="drop_ship"),
        **more,
    }


def transaction(kind: str, inner: Mapping[str, Any]) -> Call:
    """A transaction of one item."""
    return "TransactWriteItems", {"TransactItems": [{kind: dict(inner)}]}


TABLE = "lapse-shipments"
NEVER: Mapping[str, Call] = {
    "GetItem": ("GetItem", {"TableName": TABLE, "Key": KEY}),
    "GetItem of a harmless attribute": (
        "GetItem",
        {
            "TableName": TABLE,
            "Key": KEY,
            "ProjectionExpression": "#d",
            "ExpressionAttributeNames": names_of(d="drop_ship"),
        },
    ),
    "a look at an e-mail": look(TABLE, "#id, #e", id="shipment_id", e="email"),
    "a look at a name, which no rule erases": look(TABLE, "#id, #n", id="shipment_id", n="name"),
    "a look at everything": look(TABLE, None),
    "a query": query(TABLE),
    "a query of everything": query(TABLE, Select="ALL_ATTRIBUTES"),
    "a query of an e-mail": query(TABLE, Select="SPECIFIC_ATTRIBUTES", ProjectionExpression="#email"),
    "a query of a harmless attribute": query(
        TABLE, Select="SPECIFIC_ATTRIBUTES", ProjectionExpression="#drop_ship"
    ),
    "a scan": ("Scan", {"TableName": TABLE}),
    "a counting scan": ("Scan", {"TableName": TABLE, "Select": "COUNT"}),
    "an update that answers with the old item": update(TABLE, "REMOVE #email", ReturnValues="ALL_OLD"),
    "an update that answers with what it removed": update(TABLE, "REMOVE #email", ReturnValues="UPDATED_OLD"),
    "an update that answers with the new item": update(TABLE, "REMOVE #email", ReturnValues="ALL_NEW"),
    "an update of a name": update(TABLE, "REMOVE #email, #name"),
    "an update on condition of a name": update(TABLE, "REMOVE #email", "#name = :0"),
    "a put": ("PutItem", {"TableName": TABLE, "Item": {**KEY, "email": {"S": "x"}}}),
    "a deletion": ("DeleteItem", {"TableName": TABLE, "Key": KEY}),
    "a batch of writes": ("BatchWriteItem", {"RequestItems": {TABLE: [{"DeleteRequest": {"Key": KEY}}]}}),
    "a put in a transaction": transaction("Put", {"TableName": TABLE, "Item": KEY}),
    "a deletion in a transaction": transaction("Delete", {"TableName": TABLE, "Key": KEY}),
    "a PartiQL query": ("PartiQLSelect", {"TableName": TABLE}),
    "a PartiQL update": ("PartiQLUpdate", {"TableName": TABLE}),
}
ERASE = update(TABLE, "REMOVE #contact_number, #email", "#drop_ship = :0")


def test_each_function_has_a_role_of_its_own(any_stack: Deployment) -> None:
    """No role is shared between functions, nor used for anything else."""
    roles = [role_of(any_stack, function) for function in any_stack.of_type("AWS::Lambda::Function")]
    assert sorted(roles) == sorted(set(roles))
    assert {each.id for each in any_stack.of_type("AWS::IAM::Role")} == {*roles, "WakeUpRole"}


def test_only_lambda_and_the_scheduler_may_assume_the_roles(any_stack: Deployment) -> None:
    """And the scheduler only for this account's schedules in the stack's own group."""
    for role in any_stack.of_type("AWS::IAM::Role"):
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
        if role.id != "WakeUpRole":
            assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
            continue
        assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
        here = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": any_stack["WakeUpGroup"].arn}
        assert _assumable(statement, here)
        assert not _assumable(statement, {**here, "aws:SourceAccount": "999999999999"})
        other = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/default"
        assert not _assumable(statement, {**here, "aws:SourceArn": other})
        assert not _assumable(statement, {})


def _assumable(statement: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    return applies({**statement, "Resource": "role"}, Request("sts:AssumeRole", "role", context))


def test_no_role_has_wildcards_or_managed_policies(any_stack: Deployment) -> None:
    """Each action is spelled out, and each resource is one of the stack's: none is `*`.

    Of a resource, only what follows a name of the stack's own may be open: its schedules, its log streams.
    """
    for role in any_stack.of_type("AWS::IAM::Role"):
        assert "ManagedPolicyArns" not in role.properties
        for statement in statements_of(any_stack, role.id):
            assert not {"NotAction", "NotResource", "NotPrincipal"} & statement.keys()
            assert not [action for action in listed(statement["Action"]) if "*" in action]
            for resource in listed(statement["Resource"]):
                open_end = resource.endswith((f"/{any_stack['WakeUpGroup'].ref}/*", ":*"))
                assert "*" not in (resource[:-1] if open_end else resource), resource
                assert resource.startswith("arn:aws:")
                assert not resource.endswith(":*") or ":log-group:/lapse/" in resource


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_a_function_calls_is_allowed_to_it(own: Deployment, life: Life, function: str) -> None:
    """Every call that the function makes in its life, however DynamoDB's guide is read."""
    statements = statements_of(own, role_of(own, function))
    assert life.calls[function]
    for call in life.calls[function]:
        for reading in READINGS:
            for request in requests(call, own, reading):
                assert allows(statements, request), request


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_allowed_to_a_function_it_calls(own: Deployment, life: Life, function: str) -> None:
    """No permission is left over: each action and resource of each statement is needed at least once."""
    made = [
        request
        for call in life.calls[function]
        for reading in READINGS
        for request in requests(call, own, reading)
    ]
    unused = {
        (action, resource)
        for statement in statements_of(own, role_of(own, function))
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if action not in WITHOUT_CALLS
        and not any(
            applies({**statement, "Action": action, "Resource": resource}, request) for request in made
        )
    }
    # Lambda hands a failed purge to the failure queue, with the function's role. Which business table a
    # function looks at is for the policy to say: any rule may be about any of them.
    expected = {("sqs:SendMessage", own["FailureQueue"].arn)} if function == "PurgeFunction" else set()
    business = {own["ShipmentsTable"].arn, own["ContactsTable"].arn}
    assert {each for each in unused if each[1] not in business} == expected


@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("call", NEVER.values(), ids=NEVER.keys())
def test_nobody_may(own: Deployment, function: str, call: Call, reading: Reading) -> None:
    """No role can read a personal field, or write a business table other than by the guarded update."""
    statements = statements_of(own, role_of(own, function))
    for request in dynamodb_requests(*call, reading):
        assert not allows(statements, request), request


@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize("personal", PERSONAL)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_erased_attribute_can_be_looked_at(
    own: Deployment, function: str, personal: str, reading: Reading
) -> None:
    """Whatever the policy erases, on whichever table."""
    statements = statements_of(own, role_of(own, function))
    for table in ("lapse-shipments", "lapse-contacts"):
        for request in dynamodb_requests(*look(table, "#it", it=personal), reading):
            assert not allows(statements, request), request


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_only_the_purge_writes_business_tables(own: Deployment, reading: Reading) -> None:
    """The very update with which it erases is denied to all others; in a transaction, too."""
    for call in (ERASE, transaction("Update", ERASE[1])):
        for request in dynamodb_requests(*call, reading):
            allowed = {each for each in FUNCTIONS if allows(statements_of(own, role_of(own, each)), request)}
            assert allowed == {"PurgeFunction"}


def test_what_a_policy_needs_fits_its_parameters(life: Life) -> None:
    """The guard of the shipped rule names what the cases above take it to name."""
    assert set(ERASE[1]["ExpressionAttributeNames"].values()) <= {
        name
        for call in life.calls["PurgeFunction"]
        if call.operation == "UpdateItem" and call.parameters["TableName"] == TABLE
        for name in call.parameters["ExpressionAttributeNames"].values()
    }
    assert {path[0] for path in delivery_rule().erase} == {"contact_number", "email"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_existing_tables_are_guarded_alike(everything: Deployment, function: str) -> None:
    """Their ARNs come from a parameter; the conditions are the same."""
    statements = statements_of(everything, role_of(everything, function))
    for reading in READINGS:
        for operation, parameters in NEVER.values():
            for request in dynamodb_requests(operation, parameters, reading):
                moved = Request(request.action, request.resource.replace(TABLE, "orders"), request.context)
                assert not allows(statements, moved), moved
        for request in dynamodb_requests(*ERASE, reading):
            moved = Request(request.action, request.resource.replace(TABLE, "orders"), request.context)
            assert allows(statements, moved) == (function == "PurgeFunction")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_is_passed_to_the_scheduler_only(own: Deployment, function: str) -> None:
    """Only the wake-ups' role, only to the scheduler, and schedules only in the stack's own group."""
    statements = statements_of(own, role_of(own, function))
    sets_wake_ups = function != "OnSourceFunction"
    wake_up, own_role = own["WakeUpRole"].arn, own[role_of(own, function)].arn

    def passes(role: str, **context: str) -> bool:
        return allows(statements, Request("iam:PassRole", role, context))

    scheduler = {"iam:PassedToService": "scheduler.amazonaws.com"}
    assert passes(wake_up, **scheduler) == sets_wake_ups
    assert not passes(wake_up, **{"iam:PassedToService": "lambda.amazonaws.com"})
    assert not passes(wake_up)
    assert not passes(own_role, **scheduler)
    for group, allowed in ((own["WakeUpGroup"].ref, sets_wake_ups), ("default", False)):
        schedule = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/purge-20270221T1405"
        assert allows(statements, Request("scheduler:CreateSchedule", schedule)) == allowed
        for action in ("scheduler:UpdateSchedule", "scheduler:DeleteSchedule"):
            assert not allows(statements, Request(action, schedule))


def test_a_wake_up_can_only_invoke_the_purge(any_stack: Deployment) -> None:
    """And leave what could not be delivered in the failure queue."""
    granted = {
        (action, resource)
        for statement in statements_of(any_stack, "WakeUpRole")
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if not action.startswith("kms:")
    }
    assert granted == {
        ("lambda:InvokeFunction", any_stack["PurgeFunction"].arn),
        ("sqs:SendMessage", any_stack["FailureQueue"].arn),
    }


def test_a_permissions_boundary_is_on_every_role(own: Deployment, everything: Deployment) -> None:
    """Where the account demands one; none otherwise."""
    boundaries = {each.properties.get("PermissionsBoundary") for each in everything.of_type("AWS::IAM::Role")}
    assert boundaries == {f"arn:aws:iam::{ACCOUNT}:policy/boundary"}
    assert not [each for each in own.of_type("AWS::IAM::Role") if "PermissionsBoundary" in each.properties]


def test_a_customer_key_can_be_used_by_whoever_needs_it(own: Deployment, everything: Deployment) -> None:
    """All that touch tables or queues; not the function that touches neither. Without a key, nobody."""
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0"
    roles = [each.id for each in everything.of_type("AWS::IAM::Role")]
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        users = {role for role in roles if allows(statements_of(everything, role), Request(action, key))}
        assert users == {"OnShipmentRole", "OnLeaverRole", "PurgeRole", "WakeUpRole"}
    assert not [
        action
        for role in roles
        for statement in statements_of(own, role)
        for action in listed(statement["Action"])
        if action.startswith("kms:")
    ]


def test_on_source_can_do_nothing_but_put_contract_events(own: Deployment) -> None:
    """Foreign payloads can go to no queue, no table, and to no other source of the bus."""
    statements = statements_of(own, role_of(own, "OnSourceFunction"))
    actions = {action for each in statements for action in listed(each["Action"])}
    assert actions == {"events:PutEvents", "logs:CreateLogStream", "logs:PutLogEvents"}
    bus = own["EventBus"].arn
    for source, allowed in (("orders", True), ("crm", True), ("lapse.requests", False), ("other", False)):
        assert allows(statements, Request("events:PutEvents", bus, {"events:source": source})) == allowed
    assert not allows(statements, Request("events:PutEvents", bus))
