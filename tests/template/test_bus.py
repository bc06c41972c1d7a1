"""Where events come in, and what wakes whom: queues, rules, who may put which events."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lapse import project
from tests.builders import event as event_of
from tests.builders import left, returned, shipped
from tests.template.conftest import EVERYTHING, FUNCTIONS
from tests.template.iam import Request, Statement, allows, applies, listed
from tests.template.translated import ACCOUNT, REGION, Deployment, Resource, deployment

QUEUE_OF = {
    "OnShipmentFunction": "ShipmentQueue",
    "OnLeaverFunction": "LeaverQueue",
    "OnDisputeFunction": "DisputeQueue",
    "OnErasureRequestFunction": "RequestQueue",
}
RULES_OF = {
    "ShipmentQueue": {"ShipmentRule"},
    "LeaverQueue": {"LeaverRule"},
    "DisputeQueue": {"DisputeRule", "HoldMarkRule"},
    "RequestQueue": {"RequestRule"},
}
DAYS_14 = 14 * 24 * 3600


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
    for queue in any_stack.of_type("AWS::SQS::Queue"):
        for rule in any_stack.of_type("AWS::Events::Rule"):
            own = rule.id in RULES_OF.get(queue.id, ())
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


# --- rules and what wakes the purge -------------------------------------------------------------------------


def _from(source: str, detail_type: str) -> dict[str, Any]:
    return {**event_of(detail_type, {}), "source": source}


EVENTS = [
    (shipped(), "ShipmentQueue"),
    (left(), "LeaverQueue"),
    (returned(), "LeaverQueue"),
    (_from("orders", "DisputeOpened"), "DisputeQueue"),
    (_from("orders", "DisputeClosed"), "DisputeQueue"),
    (_from("lapse", "HoldMarkOutdated"), "DisputeQueue"),
    (_from("lapse.requests", "ErasureRequested"), "RequestQueue"),
]
SOURCES = ("orders", "crm", "lapse", "lapse.requests", "somebody.else")


def test_contract_events_go_to_their_queue(any_stack: Deployment) -> None:
    """Each by exactly one rule, on the stack's bus; a failed delivery goes to the failure queue."""
    for event, queue in EVENTS:
        (rule,) = _rules_for(any_stack, event)
        assert rule["EventBusName"] == any_stack.outputs["EventBusName"]
        (target,) = rule["Targets"]
        assert target["Arn"] == any_stack[queue].arn
        assert target["DeadLetterConfig"] == {"Arn": any_stack["FailureQueue"].arn}
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}


def test_events_of_another_source_go_nowhere(any_stack: Deployment) -> None:
    """An order system cannot ask for erasures, nor Lapse open a dispute: each source says what is its own."""
    for event, _ in EVENTS:
        for source in SOURCES:
            if source != event["source"]:
                assert _rules_for(any_stack, {**event, "source": source}) == []
    for news in ("ErasureCompleted", "ErasureRefused", "HoldRefused", "HoldExpiring"):
        assert _rules_for(any_stack, _from("lapse", news)) == []


@pytest.mark.parametrize(
    "sample", sorted((project.ROOT / "events").glob("*.json")), ids=lambda each: each.stem
)
def test_samples_come_by_the_rules(own: Deployment, sample: Path) -> None:
    """A function's sample holds what the bus sends into its queue, or else what a rule invokes it with."""
    payload = json.loads(sample.read_text())
    (function,) = [
        name for name in FUNCTIONS if own[name]["Handler"] == f"functions.{sample.stem}.app.handler"
    ]
    told = [json.loads(record["body"]) for record in payload.get("Records", [])]
    for event in told:
        (rule,) = _rules_for(own, event)
        assert rule.id in RULES_OF[QUEUE_OF[function]]
    if not told:
        assert payload["v"] == 1
        assert payload["cause"] in {"wake-up", "recurring", "manual"}


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
    _assert_recurs(any_stack, any_stack["RecurringPurgeRule"], any_stack["PurgeFunction"])


def test_the_sweep_goes_on_every_five_minutes(any_stack: Deployment) -> None:
    """A sweep that ran out of time is taken up again soon; whether a day has passed, it knows itself."""
    _assert_recurs(any_stack, any_stack["RecurringSweepRule"], any_stack["SweepFunction"])
    recurring = {"RecurringPurgeRule", "RecurringSealRule", "RecurringSweepRule"}
    rules = any_stack.of_type("AWS::Events::Rule")
    assert {each.id for each in rules if "ScheduleExpression" in each.properties} == recurring


def test_the_sealing_comes_hourly(any_stack: Deployment) -> None:
    """So a day on which it failed is not lost; whether it is time, it knows itself."""
    _assert_recurs(any_stack, any_stack["RecurringSealRule"], any_stack["SealFunction"], every="1 hour")


def _assert_recurs(stack: Deployment, rule: Resource, function: Resource, every: str = "5 minutes") -> None:
    assert rule["ScheduleExpression"] == f"rate({every})"
    assert "EventBusName" not in rule.properties  # schedules are only possible on the default bus
    (target,) = rule["Targets"]
    assert target["Arn"] == function.arn
    assert json.loads(target["Input"]) == {"v": 1, "cause": "recurring"}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 300, "MaximumRetryAttempts": 10}
    assert target["DeadLetterConfig"] == {"Arn": stack["FailureQueue"].arn}
    (permission,) = _permissions(stack, function)
    assert permission["SourceArn"] == rule.arn


@pytest.mark.parametrize("function", ["PurgeFunction", "SweepFunction", "SealFunction"])
def test_a_failed_run_goes_to_the_failure_queue(any_stack: Deployment, function: str) -> None:
    """And is not tried again by Lambda: the next recurring run is its retry."""
    (config,) = _invoke_configs(any_stack, any_stack[function])
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == any_stack["FailureQueue"].arn
    assert config["MaximumRetryAttempts"] == 0


def _pattern_rules(stack: Deployment) -> list[Resource]:
    return [each for each in stack.of_type("AWS::Events::Rule") if "EventPattern" in each.properties]


def _rules_for(stack: Deployment, event: Mapping[str, Any]) -> list[Resource]:
    return [each for each in _pattern_rules(stack) if _matches(each["EventPattern"], event)]


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


@pytest.mark.parametrize("more", [{}, EVERYTHING, {**EVERYTHING, **NAMED}], ids=["own", "existing", "named"])
def test_only_lapses_own_functions_put_its_news(more: Mapping[str, str]) -> None:
    """Nobody else answers a request, or has a hold mark looked at: whatever their own policies allow."""
    stack = deployment(**more)
    own_roles = {
        stack[role].arn for role in ("OnDisputeRole", "OnErasureRequestRole", "PurgeRole", "SweepRole")
    }
    others = {stack[role].arn for role in ("OnSourceRole", "OnShipmentRole", "OnLeaverRole", "WakeUpRole")}
    for principal in (ORDERS, CRM, OFFICER, STRANGER, *others):
        assert "Deny" in _effects(stack, principal, "lapse"), principal
    for principal in own_roles:
        assert _effects(stack, principal, "lapse") == set()  # by its own policy
        assert "Deny" in _effects(stack, principal, "lapse.requests")


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
