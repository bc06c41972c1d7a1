"""What roles allow on Lapse's own tables and on its bus: evidence stays, the brake is the operators'."""

from collections.abc import Mapping

import pytest

from tests.builders import shipment_ref
from tests.template.calls import READINGS, dynamodb_requests
from tests.template.conftest import FUNCTIONS
from tests.template.iam import Request, allowed_to, allows, listed, role_of, statements_of
from tests.template.made_up import FACTS, MadeUp, batch_in_ledger, in_ledger, ledger, names_of
from tests.template.translated import ACCOUNT, REGION, Deployment

NEWS = {"OnDisputeFunction", "OnErasureRequestFunction", "PurgeFunction", "SweepFunction"}
"""Who tells in Lapse's name."""

BRAKE: Mapping[str, MadeUp] = {
    "pulled": ("PutItem", {"TableName": FACTS, "Item": {"record": {"S": "pause"}}}),
    "released": ("DeleteItem", {"TableName": FACTS, "Key": {"record": {"S": "pause"}}}),
    "in a batch": (
        "BatchWriteItem",
        {"RequestItems": {FACTS: [{"DeleteRequest": {"Key": {"record": {"S": "pause"}}}}]}},
    ),
}

EVIDENCE: Mapping[str, MadeUp] = {
    "an update": ledger(
        "UpdateItem",
        Key=in_ledger("07"),
        UpdateExpression="SET #body = :0",
        ExpressionAttributeNames=names_of(body="body"),
    ),
    "an update that answers with what it removed": ledger(
        "UpdateItem",
        Key=in_ledger("07"),
        UpdateExpression="REMOVE #names",
        ExpressionAttributeNames=names_of(names="names"),
        ReturnValues="UPDATED_OLD",
    ),
    "a deletion": ledger("DeleteItem", Key=in_ledger("07")),
    "a deletion in a batch": batch_in_ledger({"DeleteRequest": {"Key": in_ledger("07")}}),
    "a put without a condition": batch_in_ledger({"PutRequest": {"Item": in_ledger("07")}}),
    "a scan": ledger("Scan"),
}
SEALING: Mapping[str, MadeUp] = {
    "a query": ledger(
        "Query",
        KeyConditionExpression="#shard = :shard",
        ExpressionAttributeNames=names_of(shard="shard", body="body"),
        ExpressionAttributeValues={":shard": {"S": "07"}},
        ProjectionExpression="#body",
    ),
    "a drop of names": ledger(
        "UpdateItem",
        Key=in_ledger("07"),
        UpdateExpression="REMOVE #names",
        ExpressionAttributeNames=names_of(names="names"),
    ),
}


@pytest.mark.parametrize("call", BRAKE.values(), ids=BRAKE.keys())
def test_no_function_touches_the_brake(own: Deployment, call: MadeUp) -> None:
    """It stands among the facts, but operators alone pull and release it; the purge reads it."""
    look_at_it = ("GetItem", {"TableName": FACTS, "Key": {"record": {"S": "pause"}}})
    look_at_facts = ("GetItem", {"TableName": FACTS, "Key": {"record": {"S": shipment_ref().text}}})
    for reading in READINGS:
        for request in dynamodb_requests(*call, reading):
            assert allowed_to(own, FUNCTIONS, request) == set()
        for request in dynamodb_requests(*look_at_it, reading):
            assert allowed_to(own, FUNCTIONS, request) == {"PurgeFunction"}
        for request in dynamodb_requests(*look_at_facts, reading):
            assert allowed_to(own, FUNCTIONS, request) == set()


@pytest.mark.parametrize("call", EVIDENCE.values(), ids=EVIDENCE.keys())
def test_evidence_stays_as_it_is(own: Deployment, call: MadeUp) -> None:
    """No function changes, removes or browses what is in a chain."""
    for reading in READINGS:
        for request in dynamodb_requests(*call, reading):
            assert allowed_to(own, FUNCTIONS, request) == set()


@pytest.mark.parametrize("call", SEALING.values(), ids=SEALING.keys())
def test_only_the_sealing_reads_chains_and_drops_names(own: Deployment, call: MadeUp) -> None:
    """All other functions see the end of a chain only, and can change nothing of it."""
    for reading in READINGS:
        for request in dynamodb_requests(*call, reading):
            assert allowed_to(own, FUNCTIONS, request) == {"SealFunction"}


@pytest.mark.parametrize("source", ["lapse", "lapse.requests", "orders", "crm", "other"])
def test_who_tells_in_lapses_name(any_stack: Deployment, source: str) -> None:
    """The functions that answer, refuse and remind: that source, on the stack's bus, and nothing else."""
    buses = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/"
    request = Request(
        "events:PutEvents", buses + any_stack.outputs["EventBusName"], {"events:source": source}
    )
    elsewhere = Request(request.action, buses + "default", request.context)
    assert allowed_to(any_stack, FUNCTIONS, request) & NEWS == (NEWS if source == "lapse" else set())
    assert allowed_to(any_stack, FUNCTIONS, request) - NEWS <= {"OnSourceFunction"}
    assert allowed_to(any_stack, FUNCTIONS, elsewhere) == set()


def test_on_source_can_do_nothing_but_put_contract_events(own: Deployment) -> None:
    """Foreign payloads can go to no queue, no table, and to no other source of the bus."""
    statements = statements_of(own, role_of(own, "OnSourceFunction"))
    actions = {action for each in statements for action in listed(each["Action"])}
    assert actions == {"events:PutEvents", "logs:CreateLogStream", "logs:PutLogEvents"}
    bus = own["EventBus"].arn
    for source, allowed in (
        ("orders", True),
        ("crm", True),
        ("lapse", False),
        ("lapse.requests", False),
        ("other", False),
    ):
        assert allows(statements, Request("events:PutEvents", bus, {"events:source": source})) == allowed
    assert not allows(statements, Request("events:PutEvents", bus))
