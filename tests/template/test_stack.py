"""What a deployment consists of: that it can be created; what functions, tables and names are like."""

import graphlib
from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from shared.config import (
    EventSettings,
    NewsSettings,
    PurgeSettings,
    SealSettings,
    SourceSettings,
    SweepSettings,
)
from tests.template.translated import ACCOUNT, REGION, Deployment, deployment

SETTINGS: Mapping[
    str, type[EventSettings | SweepSettings | PurgeSettings | SealSettings | SourceSettings]
] = {
    "OnShipmentFunction": EventSettings,
    "OnLeaverFunction": EventSettings,
    "OnDisputeFunction": NewsSettings,
    "OnErasureRequestFunction": NewsSettings,
    "PurgeFunction": PurgeSettings,
    "SweepFunction": SweepSettings,
    "SealFunction": SealSettings,
    "OnSourceFunction": SourceSettings,
}
OUTPUTS = {
    "EventBusName",
    "FactsTableName",
    "DueTableName",
    "LedgerTableName",
    "PurgeFunctionName",
    "SweepFunctionName",
    "SealFunctionName",
    "SealBucketName",
    "SealKeyArn",
    "SourceFunctionName",
    "WakeUpGroupName",
    "DeadLetterQueueUrl",
}


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
        for name in SETTINGS.keys() - {"OnSourceFunction", "SealFunction"}:
            settings = stack[name]["Environment"]["Variables"]
            assert settings["TABLES"] == tables
            for setting in ("FACTS_TABLE", "DUE_TABLE", "LEDGER_TABLE"):
                assert settings[setting] == stack[f"{setting.split('_')[0].title()}Table"].ref
            assert settings["WAKE_UP_ROLE_ARN"] == stack["WakeUpRole"].arn
            assert settings["FAILURE_QUEUE_ARN"] == stack["FailureQueue"].arn
            if "PURGE_FUNCTION_ARN" in settings:
                assert settings["PURGE_FUNCTION_ARN"] == stack["PurgeFunction"].arn
            if "DEAD_LETTER_QUEUE_URL" in settings:
                assert settings["DEAD_LETTER_QUEUE_URL"] == stack["DeadLetterQueue"].ref
    for stack, bus in ((own, "lapse-events"), (everything, "company")):
        settings_of_all = [
            each["Environment"]["Variables"] for each in stack.of_type("AWS::Lambda::Function")
        ]
        assert {each["EVENT_BUS_NAME"] for each in settings_of_all if "EVENT_BUS_NAME" in each} == {bus}


def test_the_sealing_points_at_its_own(any_stack: Deployment) -> None:
    """Ledger, bucket and key."""
    settings = any_stack["SealFunction"]["Environment"]["Variables"]
    assert settings["LEDGER_TABLE"] == any_stack["LedgerTable"].ref
    assert settings["SEAL_BUCKET"] == any_stack["SealBucket"].ref == any_stack.outputs["SealBucketName"]
    assert settings["SEAL_KEY_ARN"] == any_stack["SealKey"].arn == any_stack.outputs["SealKeyArn"]


def test_the_sweeps_cap_is_a_parameter(own: Deployment) -> None:
    """None by default."""
    capped = deployment(SweepReadUnitsPerSecond="40")
    caps = [
        stack["SweepFunction"]["Environment"]["Variables"]["SWEEP_UNITS_PER_SECOND"]
        for stack in (own, capped)
    ]
    assert [float(cap) for cap in caps] == [0, 40]


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
