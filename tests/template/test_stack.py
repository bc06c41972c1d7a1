"""What a deployment consists of: that it can be created; what queues, tables, rules and names are like."""

import graphlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from shared.config import EventSettings, PurgeSettings, SourceSettings
from tests.builders import left, returned, shipped
from tests.template.conftest import EVERYTHING
from tests.template.iam import Request, Statement, allows, applies, listed
from tests.template.translated import ACCOUNT, REGION, Deployment, Resource, deployment

SETTINGS: Mapping[str, type[EventSettings | PurgeSettings | SourceSettings]] = {
    "OnShipmentFunction": EventSettings,
    "OnLeaverFunction": EventSettings,
    "PurgeFunction": PurgeSettings,
    "OnSourceFunction": SourceSettings,
}
QUEUE_OF = {"OnShipmentFunction": "ShipmentQueue", "OnLeaverFunction": "LeaverQueue"}
OUTPUTS = {
    "EventBusName",
    "FactsTableName",
    "DueTableName",
    "LedgerTableName",
    "PurgeFunctionName",
    "SourceFunctionName",
    "WakeUpGroupName",
    "DeadLetterQueueUrl",
}
DAYS_14 = 14 * 24 * 3600


def test_nothing_waits_for_itself(any_stack: Deployment) -> None:
    """CloudFormation finds an order in which to create it all; `sam validate` would not notice a circle."""
    graphlib.TopologicalSorter(any_stack.needs()).prepare()


def test_the_order_of_creation_is_really_seen(own: Deployment) -> None:
    """The graph knows `Ref`, `Fn::GetAtt` and `Fn::Sub`."""
    needs = own.needs()
    assert {"PurgeRole", "WakeUpRole", "FailureQueue", "ShipmentsTable"} <= needs["PurgeFunction"]
    assert "WakeUpGroup" in needs["SetTimers"]
    assert "PurgeFunction" in needs["WakeUpsMayInvokePurge"]


def test_functions_are_alike(any_stack: Deployment) -> None:
    """Python 3.13, the chosen architecture, structured logs into a group of their own with an end."""
    functions = any_stack.of_type("AWS::Lambda::Function")
    assert {each.id for each in functions} == SETTINGS.keys()
    groups = {each.ref: each for each in any_stack.of_type("AWS::Logs::LogGroup")}
    used = [groups.pop(each["LoggingConfig"]["LogGroup"]) for each in functions]
    assert not groups
    assert {each["RetentionInDays"] for each in used} <= {"90", "30"}
    for function in functions:
        assert function["Runtime"] == "python3.13"
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        assert function.attributes["Metadata"]["BuildMethod"] == "makefile"


def test_the_architecture_is_a_parameter(own: Deployment, everything: Deployment) -> None:
    """For all functions together."""
    assert {str(each["Architectures"]) for each in own.of_type("AWS::Lambda::Function")} == {"['arm64']"}
    assert {str(each["Architectures"]) for each in everything.of_type("AWS::Lambda::Function")} == {
        "['x86_64']"
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_a_function_has_the_settings_that_it_reads(
    any_stack: Deployment, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each that `shared/config.py` requires, and none that nobody reads; nothing starts with one missing."""
    variables = {key: str(value) for key, value in any_stack[name]["Environment"]["Variables"].items()}
    powertools = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
    required = {field.upper() for field, it in SETTINGS[name].model_fields.items() if it.is_required()}
    assert variables.keys() == required | powertools
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    SETTINGS[name].from_environment()
    for variable in required:
        with monkeypatch.context() as missing:
            missing.delenv(variable)
            with pytest.raises(ValidationError, match=variable.lower()):
                SETTINGS[name].from_environment()


def test_settings_point_at_the_stacks_own_resources(own: Deployment, everything: Deployment) -> None:
    """Logical tables at real ones: the stack's own, or those of the parameter."""
    for stack, tables in (
        (own, "Shipments=lapse-shipments,Contacts=lapse-contacts"),
        (everything, "Shipments=orders,Contacts=people"),
    ):
        for name in ("OnShipmentFunction", "OnLeaverFunction", "PurgeFunction"):
            settings = stack[name]["Environment"]["Variables"]
            assert settings["TABLES"] == tables
            assert settings["WAKE_UP_ROLE_ARN"] == stack["WakeUpRole"].arn
            assert settings["FAILURE_QUEUE_ARN"] == stack["FailureQueue"].arn
            if "PURGE_FUNCTION_ARN" in settings:
                assert settings["PURGE_FUNCTION_ARN"] == stack["PurgeFunction"].arn
                assert settings["DEAD_LETTER_QUEUE_URL"] == stack["DeadLetterQueue"].ref
    assert own["OnSourceFunction"]["Environment"]["Variables"]["EVENT_BUS_NAME"] == "lapse-events"
    assert everything["OnSourceFunction"]["Environment"]["Variables"]["EVENT_BUS_NAME"] == "company"


def test_every_name_begins_with_the_prefix(everything: Deployment) -> None:
    """So that two stacks fit into one account; what CloudFormation names itself has no name here."""
    named = ("TableName", "QueueName", "FunctionName", "Name", "AlarmName", "LogGroupName", "StatementId")
    names = [
        value
        for each in everything.resources.values()
        for key, value in each.properties.items()
        if key in named and not each.type.startswith("AWS::Lambda::Permission")
    ]
    assert len(names) > 25
    assert [each for each in names if not each.removeprefix("/lapse/").startswith(("acme-", "acme/"))] == []
    for type_ in ("DynamoDB::Table", "SQS::Queue", "Lambda::Function", "Logs::LogGroup", "CloudWatch::Alarm"):
        for each in everything.of_type(f"AWS::{type_}"):
            assert set(named) & each.properties.keys(), each.id


# --- queues -------------------------------------------------------------------------------------------------


def test_queues_are_encrypted_and_keep_messages_for_14_days(own: Deployment, everything: Deployment) -> None:
    """With SQS's own key, or the customer's; 14 days is the most that SQS can do."""
    for queue in own.of_type("AWS::SQS::Queue"):
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["MessageRetentionPeriod"] == DAYS_14
    for queue in everything.of_type("AWS::SQS::Queue"):
        assert queue["KmsMasterKeyId"] == f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0"
        assert "SqsManagedSseEnabled" not in queue.properties
        assert queue["MessageRetentionPeriod"] == DAYS_14


def test_handlers_take_their_queues_with_partial_failures(any_stack: Deployment) -> None:
    """Five receives, then the one dead-letter queue; a message is not seen again while it is worked on."""
    sources = {each["EventSourceArn"]: each for each in any_stack.of_type("AWS::Lambda::EventSourceMapping")}
    assert len(sources) == len(QUEUE_OF)
    for name, queue_name in QUEUE_OF.items():
        function, queue = any_stack[name], any_stack[queue_name]
        source = sources[queue.arn]
        assert source["FunctionName"] == function.ref
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert source["ScalingConfig"]["MaximumConcurrency"] >= 2
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
        assert queue["RedrivePolicy"] == {
            "deadLetterTargetArn": any_stack["DeadLetterQueue"].arn,
            "maxReceiveCount": 5,
        }
    for name in ("DeadLetterQueue", "FailureQueue"):
        assert "RedrivePolicy" not in any_stack[name].properties


def test_only_its_own_rule_reaches_a_queue(any_stack: Deployment) -> None:
    """By the rule's ARN; all that cannot be delivered goes to the failure queue, and nothing without TLS."""
    rules = {"ShipmentQueue": "ShipmentRule", "LeaverQueue": "LeaverRule"}
    for queue in any_stack.of_type("AWS::SQS::Queue"):
        for rule in any_stack.of_type("AWS::Events::Rule"):
            own = rules.get(queue.id) == rule.id
            failure = queue.id == "FailureQueue" and rule.id != "PartnerRule"
            assert _sends(any_stack, queue, rule.arn) == (own or failure), (queue.id, rule.id)
            assert not _sends(any_stack, queue, rule.arn, tls="false")
        assert not _sends(any_stack, queue, f"arn:aws:events:{REGION}:{ACCOUNT}:rule/another")


def _sends(stack: Deployment, queue: Resource, rule: str, tls: str = "true") -> bool:
    """Whether EventBridge may send to a queue for a rule."""
    statements = [
        statement
        for policy in stack.of_type("AWS::SQS::QueuePolicy")
        if queue.ref in policy["Queues"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Principal"] in ("*", {"Service": "events.amazonaws.com"})
    ]
    context = {"aws:SourceArn": rule, "aws:SecureTransport": tls}
    return allows(statements, Request("sqs:SendMessage", queue.arn, context))


# --- tables -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ShipmentsTable", "ContactsTable", "FactsTable", "LedgerTable", "DueTable"])
def test_tables_are_kept(name: str) -> None:
    """On demand, restorable as far back as told, encrypted with the key that is given, and not deleted.

    The Due table may go: a sweep rebuilds it.
    """
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0"
    plain, with_key = deployment(), deployment(KmsKeyArn=key, PointInTimeRecoveryDays="7")
    for stack, days in ((plain, "35"), (with_key, "7")):
        table = stack[name]
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        recovery = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": days}
        assert table["PointInTimeRecoverySpecification"] == recovery
        kept = name != "DueTable"
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            assert table.attributes[policy] == ("Retain" if kept else "Delete")
        assert table.properties.get("DeletionProtectionEnabled", False) is kept
        assert "StreamSpecification" not in table.properties  # a stream would carry old images
    assert "SSESpecification" not in plain[name].properties
    encryption = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    assert with_key[name]["SSESpecification"] == encryption


def test_existing_tables_are_not_created(own: Deployment, everything: Deployment) -> None:
    """Nor named in the outputs."""
    created = {each.id for each in own.of_type("AWS::DynamoDB::Table")}
    assert created - {each.id for each in everything.of_type("AWS::DynamoDB::Table")} == {
        "ShipmentsTable",
        "ContactsTable",
    }
    assert own.outputs.keys() >= OUTPUTS | {"ShipmentsTableName", "ContactsTableName"}
    assert everything.outputs.keys() >= OUTPUTS
    assert not {"ShipmentsTableName", "ContactsTableName"} & everything.outputs.keys()


# --- rules and what wakes the purge -------------------------------------------------------------------------


def test_contract_events_go_to_their_queue(any_stack: Deployment) -> None:
    """Each by exactly one rule, on the stack's bus; a failed delivery goes to the failure queue."""
    expected = [(shipped(), "ShipmentQueue"), (left(), "LeaverQueue"), (returned(), "LeaverQueue")]
    for event, queue in expected:
        (rule,) = [each for each in _pattern_rules(any_stack) if _matches(each["EventPattern"], event)]
        assert rule["EventBusName"] == any_stack.outputs["EventBusName"]
        (target,) = rule["Targets"]
        assert target["Arn"] == any_stack[queue].arn
        assert target["DeadLetterConfig"] == {"Arn": any_stack["FailureQueue"].arn}
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
        another = {**event, "source": "somebody.else"}
        assert not [each for each in _pattern_rules(any_stack) if _matches(each["EventPattern"], another)]


def test_foreign_events_go_straight_to_the_function_and_to_no_queue(
    own: Deployment, everything: Deployment
) -> None:
    """Their payloads hold personal data: neither rule nor function leaves them anywhere on failure."""
    assert "PartnerRule" not in own.resources
    rule = everything["PartnerRule"]
    assert rule["EventBusName"] == "aws.partner/shopify.com/1/orders"
    function = everything["OnSourceFunction"]
    assert rule["Targets"] == [{"Id": "function", "Arn": function.arn}]
    for source in ("aws.partner/shopify.com/1/orders", "webhook/shopware"):
        assert _matches(rule["EventPattern"], {"source": source, "detail-type": "x"})
    assert not _matches(rule["EventPattern"], {"source": "orders", "detail-type": "ShipmentDispatched"})
    (permission,) = _permissions(everything, function)
    assert permission["SourceArn"] == rule.arn
    for stack in (own, everything):
        (config,) = _invoke_configs(stack, stack[function.id])
        assert not config.properties.get("DestinationConfig")
        assert "DeadLetterConfig" not in stack[function.id].properties


def test_the_recurring_purge_is_a_rule(any_stack: Deployment) -> None:
    """Every five minutes, and not by the scheduler: one broken scheduler role must not stop both."""
    assert any_stack.of_type("AWS::Scheduler::Schedule") == []
    purge, failures = any_stack["PurgeFunction"], any_stack["FailureQueue"].arn
    (rule,) = [
        each for each in any_stack.of_type("AWS::Events::Rule") if "ScheduleExpression" in each.properties
    ]
    assert rule["ScheduleExpression"] == "rate(5 minutes)"
    assert "EventBusName" not in rule.properties  # schedules are only possible on the default bus
    (target,) = rule["Targets"]
    assert target["Arn"] == purge.arn
    assert json.loads(target["Input"]) == {"v": 1, "cause": "recurring"}
    assert target["DeadLetterConfig"] == {"Arn": failures}
    (permission,) = _permissions(any_stack, purge)
    assert permission["SourceArn"] == rule.arn


def test_a_failed_purge_goes_to_the_failure_queue(any_stack: Deployment) -> None:
    """And is not tried again by Lambda: the next recurring purge is its retry."""
    (config,) = _invoke_configs(any_stack, any_stack["PurgeFunction"])
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == any_stack["FailureQueue"].arn
    assert config["MaximumRetryAttempts"] == 0


def _pattern_rules(stack: Deployment) -> list[Resource]:
    return [each for each in stack.of_type("AWS::Events::Rule") if "EventPattern" in each.properties]


def _matches(pattern: Mapping[str, list[Any]], event: Mapping[str, Any]) -> bool:
    assert pattern.keys() <= {"source", "detail-type"}
    return all(
        any(
            event[key].startswith(each["prefix"]) if isinstance(each, dict) else event[key] == each
            for each in wanted
        )
        for key, wanted in pattern.items()
    )


def _permissions(stack: Deployment, function: Resource) -> list[Resource]:
    """Who may invoke a function, by the function's own policy."""
    found = [
        each for each in stack.of_type("AWS::Lambda::Permission") if each["FunctionName"] == function.ref
    ]
    assert all(each["Principal"] == "events.amazonaws.com" for each in found)
    return found


def _invoke_configs(stack: Deployment, function: Resource) -> list[Resource]:
    configs = stack.of_type("AWS::Lambda::EventInvokeConfig")
    return [each for each in configs if each["FunctionName"] == function.ref]


# --- who may put which events -------------------------------------------------------------------------------

ORDERS, SHOP, CRM, OFFICER, STRANGER = (
    f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("orders", "shop", "crm", "officer", "stranger")
)


NAMED = {
    "OrderSystemPrincipals": f"{ORDERS},{SHOP}",
    "CrmPrincipals": CRM,
    "RequestPrincipals": OFFICER,
}


@pytest.mark.parametrize("more", [{}, EVERYTHING], ids=["own bus", "existing bus"])
def test_named_principals_alone_may_put_their_source(more: Mapping[str, str]) -> None:
    """Whatever a principal's own policies allow, the bus denies a source that is another's."""
    stack = deployment(**{**more, **NAMED})
    on_source = stack["OnSourceRole"].arn
    may = {
        "orders": {ORDERS, SHOP},
        "crm": {CRM},
        "lapse.requests": {OFFICER},
    }
    for source, named in may.items():
        for principal in (ORDERS, SHOP, CRM, OFFICER, STRANGER, on_source):
            effects = _effects(stack, principal, source)
            if principal in named:
                assert effects == {"Allow"}, (principal, source)
            elif principal == on_source and source != "lapse.requests":
                assert effects == set()  # by its own policy
            else:
                assert "Deny" in effects, (principal, source)


def test_without_names_the_account_may_put_events_and_nobody_requests(own: Deployment) -> None:
    """Erasure requests need a name; the other sources are open to the account's own roles."""
    for source in ("orders", "crm"):
        assert _effects(own, STRANGER, source) == {"Allow"}
        assert _effects(own, STRANGER.replace(ACCOUNT, "999999999999"), source) == set()
    assert "Deny" in _effects(own, STRANGER, "lapse.requests")
    assert _effects(own, STRANGER, "somebody.else") == set()


def _effects(stack: Deployment, principal: str, source: str) -> set[str]:
    """What the bus policy says to a principal who puts an event."""
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{stack.outputs['EventBusName']}"
    request = Request("events:PutEvents", bus, {"events:source": source, "aws:PrincipalArn": principal})
    statements: list[Statement] = [each["Statement"] for each in stack.of_type("AWS::Events::EventBusPolicy")]
    assert {each["EventBusName"] for each in stack.of_type("AWS::Events::EventBusPolicy")} == {
        stack.outputs["EventBusName"]
    }
    return {each["Effect"] for each in statements if _is_about(each, principal) and applies(each, request)}


def _is_about(statement: Statement, principal: str) -> bool:
    if statement["Principal"] == "*":
        return True
    root = f"arn:aws:iam::{principal.split(':')[4]}:root"
    return bool({principal, root} & set(listed(statement["Principal"]["AWS"])))
