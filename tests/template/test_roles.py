"""What each function's role allows: all that the function needs, and nothing that it does not."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.template.calls import READINGS, requests
from tests.template.conftest import FUNCTIONS
from tests.template.iam import Request, allowed_to, allows, applies, listed, role_of, statements_of
from tests.template.life import Life
from tests.template.translated import ACCOUNT, REGION, Deployment

WITHOUT_CALLS = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ChangeMessageVisibility",
}
"""What Lambda itself does with a function's role: its log, its queue."""


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
                open_end = resource.endswith(
                    (f"/{any_stack['WakeUpGroup'].ref}/*", "/seals/*", "/keys/*", ":*")
                )
                assert "*" not in (resource[:-1] if open_end else resource), resource
                assert resource.startswith("arn:aws:")
                assert not resource.endswith(":*") or ":log-group:/lapse/" in resource


def test_what_all_values_must_be_there_must_be_one_of(any_stack: Deployment) -> None:
    """IAM takes it for true of a request that names none: each such condition refuses that, too."""
    conditions = [
        (statement, key)
        for role in any_stack.of_type("AWS::IAM::Role")
        for statement in statements_of(any_stack, role.id)
        for operator, keys in statement.get("Condition", {}).items()
        if operator.startswith("ForAllValues:")
        for key in keys
    ]
    assert conditions
    for statement, key in conditions:
        about_it = {
            operator: {key: keys[key]} for operator, keys in statement["Condition"].items() if key in keys
        }
        names_none = Request(listed(statement["Action"])[0], listed(statement["Resource"])[0])
        assert not applies({**statement, "Condition": about_it}, names_none), (statement, key)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_writes_its_own_log(any_stack: Deployment, function: str) -> None:
    """And nobody else's."""
    (group,) = [
        each
        for each in any_stack.of_type("AWS::Logs::LogGroup")
        if each.ref == any_stack[function]["LoggingConfig"]["LogGroup"]
    ]
    stream = f"{group.arn.removesuffix('*')}log-stream:2026/08/25/[1]0"
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        assert allowed_to(any_stack, FUNCTIONS, Request(action, stream)) == {function}


def test_statements_are_named_once(any_stack: Deployment) -> None:
    """IAM refuses a policy in which two statements have one name."""
    documents = [
        policy["PolicyDocument"]
        for each in any_stack.resources.values()
        for policy in (each.properties, *each.properties.get("Policies", []))
        if "PolicyDocument" in policy
    ]
    assert documents
    for document in documents:
        names = [statement["Sid"] for statement in document["Statement"] if "Sid" in statement]
        assert len(names) == len(set(names)), names


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
    # Lambda hands a failed run to the failure queue, with the function's role. Which of the business tables a
    # function works on is for the policy to say: any rule may be about any of them.
    runs = {"PurgeFunction", "SweepFunction", "SealFunction"}
    expected = {("sqs:SendMessage", own["FailureQueue"].arn)} if function in runs else set()
    business = {own["ShipmentsTable"].arn, own["ContactsTable"].arn}
    assert {each for each in unused if each[1] not in business} == expected
    of_none = {action for action, _ in unused if all((action, table) in unused for table in business)}
    assert of_none == set()


def test_nothing_personal_is_asked_of_aws(life: Life) -> None:
    """Of all that the functions sent in their life, to tables, queues, schedules and the bus."""
    assert "canary" not in repr(life.calls)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_is_passed_to_the_scheduler_only(own: Deployment, function: str) -> None:
    """Only the wake-ups' role, only to the scheduler, and schedules only in the stack's own group."""
    statements = statements_of(own, role_of(own, function))
    sets_wake_ups = function not in {"OnSourceFunction", "SealFunction"}
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
        assert users == set(roles) - {"OnSourceRole"}
    assert not [
        action
        for role in roles
        for statement in statements_of(own, role)
        for action in listed(statement["Action"])
        if action.startswith("kms:") and statement["Resource"] != own["SealKey"].arn
    ]
