"""What DynamoDB's answers to an erase mean, in their particulars, and what a failure says."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared import aws
from shared.business_tables import BusinessTables
from shared.facts import Facts
from shared.failure import CallFailedError
from shared.record import Path, View, WireValue
from tests.answering import Client
from tests.builders import LONG_AGO, delivery_rule, shipment_ref, to_wire_text

RULE = delivery_rule(erase=(("email",), ("delivery", "phone")))
SEEN: dict[Path, WireValue] = {("drop_ship",): {"BOOL": True}, ("shipped_at",): {"S": to_wire_text(LONG_AGO)}}
PLAIN = View(exists=True, attributes=SEEN, facts=None)
WITH_FACTS = View(exists=True, attributes=SEEN, facts=Facts(version=3))
NO_PARENT = "The document path provided in the update expression is invalid for update"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "sleep", lambda _seconds: None)


def tables(*answers: Any) -> tuple[BusinessTables, Client]:
    client: Any = Client(*answers)
    return BusinessTables(client, {"Shipments": "real"}, "facts"), client


def cancelled(*reasons: dict[str, str]) -> ClientError:
    response: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": list(reasons)}
    return ClientError(response, "Operation")


def denied() -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": "canary"}}, "Operation")


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda records: records.has_fields(shipment_ref(), RULE.erase), "Query"),
        (lambda records: records.erase(RULE, shipment_ref(), PLAIN), "UpdateItem"),
        (lambda records: records.erase(RULE, shipment_ref(), WITH_FACTS), "TransactWriteItems"),
    ],
    ids=["count", "erase", "erase in a transaction"],
)
def test_a_failure_says_what_was_called(act: Callable[[BusinessTables], object], said: str) -> None:
    """The operation, as a role names it, and the code: with these an operator finds the missing right."""
    records, _ = tables(denied())
    with pytest.raises(CallFailedError) as raised:
        act(records)
    assert str(raised.value) == f"{said}: AccessDeniedException"


def test_a_look_at_nothing_asks_nothing() -> None:
    """An empty batch costs no call."""
    records, client = tables()
    assert records.look([], [("email",)]) == {}
    assert client.operations == []


@pytest.mark.parametrize("code", ["TransactionConflict", "TransactionConflictException"])
@pytest.mark.parametrize("other", ["None", "TransactionConflict", "TransactionConflictException"])
def test_each_name_of_a_conflict_is_a_refusal(code: str, other: str) -> None:
    """Of the record, of its facts or of both; engines call it by two names."""
    records, _ = tables(cancelled({"Code": code}, {"Code": other}))
    assert records.erase(RULE, shipment_ref(), WITH_FACTS) == ()


@pytest.mark.parametrize("code", ["ThrottlingError", "ProvisionedThroughputExceeded"])
@pytest.mark.parametrize("other", ["None", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_each_name_of_throttling_is_tried_again(code: str, other: str) -> None:
    """Two tables may be throttled at once, each for its own reason."""
    records, client = tables(cancelled({"Code": code}, {"Code": other}), {})
    assert records.erase(RULE, shipment_ref(), WITH_FACTS) == RULE.erase
    assert len(client.operations) == 2


@pytest.mark.parametrize("code", ["ValidationError", "ValidationException"])
@pytest.mark.parametrize("other", ["None", "ValidationError", "ValidationException"])
def test_each_name_of_a_missing_parent_is_one(code: str, other: str) -> None:
    """Then it is erased path by path."""
    missing = cancelled({"Code": code, "Message": NO_PARENT}, {"Code": other, "Message": NO_PARENT})
    records, client = tables(missing, {}, {})
    assert list(records.erase(RULE, shipment_ref(), WITH_FACTS)) == list(RULE.erase)
    assert len(client.operations) == 3


def test_a_reason_without_a_message_is_no_missing_parent() -> None:
    """It rises as what it is."""
    records, _ = tables(cancelled({"Code": "ValidationError"}, {"Code": "None"}))
    with pytest.raises(CallFailedError, match="^TransactWriteItems: TransactionCanceledException$"):
        records.erase(RULE, shipment_ref(), WITH_FACTS)
