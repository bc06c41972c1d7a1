"""EventBridge: puts contract events on the stack's bus."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

import boto3

from shared.aws import CLIENT_CONFIG, failures_of
from shared.failure import CallFailedError
from shared.outgoing import ContractEvent

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

MOST_ENTRIES = 10
MOST_BYTES = 256 * 1024
"""PutEvents takes 10 entries, and 256 KB over all of them."""
_MAKING = Lock()
PAUSES = (0.1, 0.4, 1.6)
"""Seconds before each further try of the entries that were not taken. boto3 itself retries whole calls."""


class EventBridgeBus:
    """The stack's bus as an `EventBus`."""

    def __init__(
        self, client: "EventBridgeClient", bus_name: str, pause: Callable[[float], object] = time.sleep
    ) -> None:
        """Keep the client. `pause` waits that many seconds."""
        self._client = client
        self._bus_name = bus_name
        self._pause = pause

    def put(self, events: Sequence[ContractEvent]) -> None:
        """Put all events; those that EventBridge does not take are tried again.

        Raises:
            CallFailedError: some were not taken. Names error codes only: an SDK's text may echo the request.
        """
        for batch in _batches([self._entry(event) for event in events]):
            self._put_batch(batch)

    def _put_batch(self, batch: "list[PutEventsRequestEntryTypeDef]") -> None:
        left, codes = self._try(batch)
        for seconds in PAUSES:
            if not left:
                return
            self._pause(seconds)
            left, codes = self._try(left)
        if left:
            raise CallFailedError("PutEvents", ", ".join(sorted(codes)))

    def _try(
        self, batch: "list[PutEventsRequestEntryTypeDef]"
    ) -> "tuple[list[PutEventsRequestEntryTypeDef], set[str]]":
        """What was not taken, and why."""
        with failures_of("PutEvents"):
            answer = self._client.put_events(Entries=batch)
        codes = [result.get("ErrorCode") for result in answer["Entries"]]
        left = [entry for entry, code in zip(batch, codes, strict=True) if code]
        return left, {code for code in codes if code}

    def _entry(self, event: ContractEvent) -> "PutEventsRequestEntryTypeDef":
        return {
            "EventBusName": self._bus_name,
            "Source": event.source,
            "DetailType": event.detail_type,
            "Detail": json.dumps(event.detail, separators=(",", ":")),
        }


@dataclass(frozen=True)
class LazyBus:
    """The stack's bus for functions that hardly ever need it: its client is made for the first event."""

    name: str

    def put(self, events: Sequence[ContractEvent]) -> None:
        """As `EventBus.put`."""
        with _MAKING:  # clients may not be made by several threads at once
            bus = self._bus
        bus.put(events)

    @cached_property
    def _bus(self) -> EventBridgeBus:
        return EventBridgeBus(boto3.client("events", config=CLIENT_CONFIG), self.name)


def _batches(
    entries: "list[PutEventsRequestEntryTypeDef]",
) -> "Iterator[list[PutEventsRequestEntryTypeDef]]":
    batch: list[PutEventsRequestEntryTypeDef] = []
    size = 0
    for entry in entries:
        more = sum(len(entry[key].encode()) for key in ("Source", "DetailType", "Detail"))
        if batch and (len(batch) == MOST_ENTRIES or size + more > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += more
    if batch:
        yield batch
