"""An event that an operator sends: validated as its handler would, and what it will start. Names no value."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.contract import read_event, validated
from shared.disputes import Closed, Opened, read_dispute
from shared.instants import to_text
from shared.outgoing import SOURCE, ContractEvent
from shared.policy import Policy
from shared.record import RecordRef
from shared.refused import RefusedError
from shared.requests import read_request

type Text = Annotated[str, StringConstraints(strict=True, min_length=1)]


class _Outbound(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    source: Text
    detail_type: Text = Field(alias="detail-type")
    detail: dict[str, Any]
    time: object = None


@dataclass(frozen=True)
class Started:
    """What an event starts at a record, in words, and by which rule, if it is about one."""

    what: str
    record: RecordRef | None
    rule: str = ""


@dataclass(frozen=True)
class Outbound:
    """A valid event, and what it starts."""

    event: ContractEvent
    started: Sequence[Started]


def outbound(event: object, policy: Policy, now: datetime) -> Outbound:
    """Validate an event by the contract.

    Args:
        event: `source`, `detail-type` and `detail`, as parsed from JSON.
        policy: the deployed rules.
        now: an aware UTC instant, and the time that EventBridge will write into the event.

    Raises:
        RefusedError: names the field and what is wrong with it, never its value.
    """
    told = validated(_Outbound, event)
    if told.source == SOURCE:
        raise RefusedError("source", f"{SOURCE} is Lapse's own: nobody else says what it says")
    reading = READINGS.get((told.source, told.detail_type))
    if reading is None:
        known = "; ".join(f"{kind} from {source}" for source, kind in READINGS)
        raise RefusedError("detail-type", f"is none that Lapse takes from this source. It takes {known}")
    if told.time is not None and told.detail_type == "ContactLeft" and "notified_at" not in told.detail:
        raise RefusedError("time", "is EventBridge's own to write: say notified_at in the detail")
    envelope = {"detail-type": told.detail_type, "time": to_text(now), "detail": told.detail}
    started = list(reading(envelope, policy, now))
    return Outbound(ContractEvent(told.source, told.detail_type, told.detail), started)


def _clock(event: Mapping[str, Any], policy: Policy, now: datetime) -> Iterator[Started]:
    told = read_event(event, now)
    for rule in policy.triggered_by(told.trigger):
        what = "the clock stops" if told.kind is rule.anchor.cancel else "the clock starts"
        yield Started(what, told.record(rule), rule.id)


def _dispute(event: Mapping[str, Any], policy: Policy, now: datetime) -> Iterator[Started]:
    told = read_dispute(event, policy, now)
    match told:
        case Opened(records):
            yield from (Started("is held", record) for record in records)
        case Closed(records):
            yield from (Started("is released", record) for record in records)


def _request(event: Mapping[str, Any], policy: Policy, now: datetime) -> Iterator[Started]:
    for asked in read_request(event, policy, now).asked:
        if asked.rule is None:
            yield Started("is refused: the policy erases nothing of this table on request", None)
        else:
            yield Started("is erased, now or when its last hold ends", asked.record, asked.rule.id)


type _Reading = Callable[[Mapping[str, Any], Policy, datetime], Iterator[Started]]
READINGS: Mapping[tuple[str, str], _Reading] = {
    ("orders", "ShipmentDispatched"): _clock,
    ("crm", "ContactLeft"): _clock,
    ("crm", "ContactReturned"): _clock,
    ("orders", "DisputeOpened"): _dispute,
    ("orders", "DisputeClosed"): _dispute,
    ("lapse.requests", "ErasureRequested"): _request,
}
"""How each event of the contract is read, by source and type, as template.yaml routes them."""
