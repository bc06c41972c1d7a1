"""What no role allows on a business table, and what only some do."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from lapse.policy_attributes import stack_parameters
from shared.config import deployed_policy
from tests.builders import delivery_rule
from tests.template.calls import READINGS, Reading, dynamodb_requests
from tests.template.conftest import FUNCTIONS
from tests.template.iam import Request, allowed_to, allows, listed, role_of, statements_of
from tests.template.life import Life
from tests.template.made_up import KEY, TABLE, MadeUp, look, names_of, query, scan, transaction, update
from tests.template.translated import Deployment

PERSONAL = stack_parameters(deployed_policy())["ErasedAttributes"]
NEVER: Mapping[str, MadeUp] = {
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
    "a look at an address, which no rule erases": look(TABLE, "#id, #a", id="shipment_id", a="address"),
    "a look at everything": look(TABLE, None),
    "a query": query(TABLE),
    "a query of everything": query(TABLE, Select="ALL_ATTRIBUTES"),
    "a query of an e-mail": query(TABLE, Select="SPECIFIC_ATTRIBUTES", ProjectionExpression="#email"),
    "a query of a harmless attribute": query(
        TABLE, Select="SPECIFIC_ATTRIBUTES", ProjectionExpression="#drop_ship"
    ),
    "a scan": scan(TABLE),
    "a scan of everything": scan(TABLE, Select="ALL_ATTRIBUTES", FilterExpression="#shipment_id = :0"),
    "a scan that leaves open what it reads": scan(TABLE, FilterExpression="attribute_exists(#email)"),
    "a scan of an address": scan(TABLE, Select="SPECIFIC_ATTRIBUTES", ProjectionExpression="#address"),
    "a scan on condition of an address": scan(
        TABLE,
        Select="SPECIFIC_ATTRIBUTES",
        ProjectionExpression="#shipment_id",
        FilterExpression="#address = :0",
    ),
    "a counting scan": scan(TABLE, Select="COUNT", FilterExpression="#email = :0"),
    "an update that answers with the old item": update(TABLE, "REMOVE #email", ReturnValues="ALL_OLD"),
    "an update that answers with what it removed": update(TABLE, "REMOVE #email", ReturnValues="UPDATED_OLD"),
    "an update that answers with the new item": update(TABLE, "REMOVE #email", ReturnValues="ALL_NEW"),
    "an update of an address": update(TABLE, "REMOVE #email, #address"),
    "an update on condition of an address": update(TABLE, "REMOVE #email", "#address = :0"),
    "a put": ("PutItem", {"TableName": TABLE, "Item": {**KEY, "email": {"S": "x"}}}),
    "a deletion": ("DeleteItem", {"TableName": TABLE, "Key": KEY}),
    "a batch of writes": ("BatchWriteItem", {"RequestItems": {TABLE: [{"DeleteRequest": {"Key": KEY}}]}}),
    "a put in a transaction": transaction("Put", {"TableName": TABLE, "Item": KEY}),
    "a deletion in a transaction": transaction("Delete", {"TableName": TABLE, "Key": KEY}),
    "a check of an address": transaction(
        "ConditionCheck",
        {
            "TableName": TABLE,
            "Key": KEY,
            "ConditionExpression": "#a = :0",
            "ExpressionAttributeNames": names_of(a="address"),
        },
    ),
    "a PartiQL query": ("PartiQLSelect", {"TableName": TABLE}),
    "a PartiQL update": ("PartiQLUpdate", {"TableName": TABLE}),
}
ERASE = update(TABLE, "REMOVE #contact_number, #email", "#drop_ship = :0")
HOLD = update(TABLE, "SET #legal_hold = :0", "attribute_exists(#email)")


@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("call", NEVER.values(), ids=NEVER.keys())
def test_nobody_may(own: Deployment, function: str, call: MadeUp, reading: Reading) -> None:
    """No role can read a whole record, or write a business table other than by the guarded updates."""
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
def test_only_purge_and_disputes_update_business_tables(own: Deployment, reading: Reading) -> None:
    """The very updates that erase and hold are denied to all others, to the sweep, too; also in transactions.

    IAM tells neither REMOVE from SET, nor what an update changes from what its condition names. So to IAM the
    one may do what the other may: that it does not is a property of the code, which the next but one shows.
    """
    for call in (ERASE, transaction("Update", ERASE[1]), HOLD, transaction("Update", HOLD[1])):
        for request in dynamodb_requests(*call, reading):
            assert allowed_to(own, FUNCTIONS, request) == {"PurgeFunction", "OnDisputeFunction"}


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_only_the_sweep_scans_and_only_by_a_projection(own: Deployment, reading: Reading) -> None:
    """Its own scan is denied to all others; how a scan must not be stands among the cases above.

    IAM takes a filter's names for a projection's: that no personal field is read is a property of the code.
    """
    existing = scan(
        TABLE,
        Select="SPECIFIC_ATTRIBUTES",
        ProjectionExpression="#shipment_id",
        FilterExpression="attribute_exists(#email)",
    )
    for request in dynamodb_requests(*existing, reading):
        assert allowed_to(own, FUNCTIONS, request) == {"SweepFunction"}


def test_what_iam_cannot_tell_the_calls_show(life: Life) -> None:
    """The sweep's projections name no personal field, and disputes change nothing but the hold mark."""
    scans = [
        _named(call.parameters, "ProjectionExpression")
        for call in life.calls["SweepFunction"]
        if call.operation == "Scan" and call.parameters["TableName"] == TABLE
    ]
    assert scans
    assert not set().union(*scans) & set(PERSONAL)
    updates = [
        _named(item["Update"], "UpdateExpression")
        for call in life.calls["OnDisputeFunction"]
        if call.operation == "TransactWriteItems"
        for item in call.parameters["TransactItems"]
        if "Update" in item
    ]
    assert updates
    assert set().union(*updates) == {"legal_hold"}


def _named(parameters: Mapping[str, Any], expression: str) -> set[str]:
    """The attributes that an expression names."""
    names = parameters["ExpressionAttributeNames"]
    return {names[alias] for alias in re.findall(r"#\w+", parameters[expression])}


@pytest.mark.parametrize("function", ["OnErasureRequestFunction", "OnSourceFunction", "SealFunction"])
def test_who_touches_no_business_table(own: Deployment, everything: Deployment, function: str) -> None:
    """A request for erasure names records, and that is all that its function needs to know of them."""
    for stack, tables in ((own, ("lapse-shipments", "lapse-contacts")), (everything, ("orders", "people"))):
        statements = statements_of(stack, role_of(stack, function))
        resources = {resource for each in statements for resource in listed(each["Resource"])}
        assert not [each for each in resources if each.endswith(tuple(f"table/{table}" for table in tables))]


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
            assert allows(statements, moved) == (function in {"PurgeFunction", "OnDisputeFunction"})


def test_what_a_policy_needs_fits_its_parameters(life: Life) -> None:
    """Guard and hold mark of the shipped rule name what the cases above take them to name."""
    assert set(ERASE[1]["ExpressionAttributeNames"].values()) <= {
        name
        for call in life.calls["PurgeFunction"]
        if call.operation == "UpdateItem" and call.parameters["TableName"] == TABLE
        for name in call.parameters["ExpressionAttributeNames"].values()
    }
    assert {path[0] for path in delivery_rule().erase} == {"contact_number", "email"}
    marks = [
        item["Update"]["ExpressionAttributeNames"].values()
        for call in life.calls["OnDisputeFunction"]
        if call.operation == "TransactWriteItems"
        for item in call.parameters["TransactItems"]
        if "Update" in item
    ]
    assert marks
    assert any(set(HOLD[1]["ExpressionAttributeNames"].values()) <= set(names) for names in marks)
