"""The stack's bus: batches within EventBridge's limits, and further tries of what was not taken."""

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from shared.bus import MOST_BYTES, EventBridgeBus
from shared.failure import CallFailedError
from shared.outgoing import ContractEvent

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class FakeClient:
    """Answers PutEvents; takes an entry only at its n-th try, or raises."""

    def __init__(self, tries: dict[str, int] | None = None, error: Exception | None = None) -> None:
        self.batches: list[list[dict[str, str]]] = []
        self._left = tries or {}
        self._error = error

    def put_events(self, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803 -- boto3's name
        self.batches.append(Entries)
        if self._error:
            raise self._error
        answers = []
        for entry in Entries:
            shipment_id = json.loads(entry["Detail"])["shipment_id"]
            self._left[shipment_id] = self._left.get(shipment_id, 1) - 1
            code = "InternalFailure" if self._left[shipment_id] else None
            answers.append({"ErrorCode": code, "ErrorMessage": entry["Detail"]} if code else {"EventId": "1"})
        return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}


def bus(client: FakeClient, pauses: list[float] | None = None) -> EventBridgeBus:
    waited = pauses if pauses is not None else []
    return EventBridgeBus(cast("EventBridgeClient", client), "lapse-test", waited.append)


def shipped(shipment_id: str) -> ContractEvent:
    return ContractEvent("orders", "ShipmentDispatched", {"v": 1, "shipment_id": shipment_id})


def put_ids(client: FakeClient) -> list[list[str]]:
    return [[json.loads(entry["Detail"])["shipment_id"] for entry in batch] for batch in client.batches]


def test_an_event_is_written_as_the_contract_says() -> None:
    """Source, detail-type and detail stand where EventBridge wants them."""
    client = FakeClient()
    bus(client).put([shipped("S-1")])
    detail = '{"v":1,"shipment_id":"S-1"}'
    entry = {
        "EventBusName": "lapse-test",
        "Source": "orders",
        "DetailType": "ShipmentDispatched",
        "Detail": detail,
    }
    assert client.batches == [[entry]]


def test_batches_are_of_ten() -> None:
    """PutEvents takes ten entries; nothing to put is no call."""
    client = FakeClient()
    bus(client).put([])
    assert client.batches == []
    ids = [f"S-{number}" for number in range(21)]
    bus(client).put([shipped(each) for each in ids])
    assert put_ids(client) == [ids[:10], ids[10:20], ids[20:]]


def test_batches_stay_within_the_size() -> None:
    """Entries that together exceed EventBridge's limit go in several calls."""
    client = FakeClient()
    ids = [f"{number}{'x' * 100_000}" for number in range(5)]
    bus(client).put([shipped(each) for each in ids])
    assert put_ids(client) == [ids[:2], ids[2:4], ids[4:]]
    assert all(sum(len(entry["Detail"]) for entry in batch) < MOST_BYTES for batch in client.batches)


def test_only_what_was_not_taken_is_tried_again() -> None:
    """EventBridge may take some entries of a call; the others are tried again, after ever longer pauses."""
    client, pauses = FakeClient({"S-2": 2, "S-3": 3}), list[float]()
    bus(client, pauses).put([shipped("S-1"), shipped("S-2"), shipped("S-3")])
    assert put_ids(client) == [["S-1", "S-2", "S-3"], ["S-2", "S-3"], ["S-3"]]
    assert pauses == sorted(set(pauses))
    assert len(pauses) == 2


def test_what_is_never_taken_raises_a_code() -> None:
    """After the last try the error names the code, not the entry's text."""
    client = FakeClient({"S-1": 99})
    with pytest.raises(CallFailedError) as caught:
        bus(client).put([shipped("S-1")])
    assert str(caught.value) == "PutEvents: InternalFailure"
    assert len(client.batches) == 4


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no canary"}}, "PutEvents"),
            "AccessDenied",
        ),
        (EndpointConnectionError(endpoint_url="https://canary.example.com"), "EndpointConnectionError"),
    ],
)
def test_an_error_of_the_call_raises_its_code(error: Exception, code: str) -> None:
    """The SDK's text, which may echo the request, stays behind."""
    with pytest.raises(CallFailedError) as caught:
        bus(FakeClient(error=error)).put([shipped("S-1")])
    assert str(caught.value) == f"PutEvents: {code}"
    assert caught.value.__suppress_context__
