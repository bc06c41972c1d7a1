"""The contract's events: validated, and turned into what was told about which record."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from shared.facts import FactKind
from shared.instants import DAY, UnreadableInstantError, add, parse_rfc3339
from shared.policy import EMAIL, Rule, Trigger
from shared.record import RecordRef
from shared.refused import RefusedError

MOST_ID_CHARACTERS = 256


def _instant(text: object) -> datetime:
    try:
        if isinstance(text, str):
            return parse_rfc3339(text)
    except UnreadableInstantError:
        pass
    raise ValueError("must be an RFC 3339 instant with an offset")


def _no_e_mail(text: str) -> str:
    if EMAIL.search(text):
        raise ValueError("looks like an e-mail address, which an id must not be")
    return text


type Id = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=MOST_ID_CHARACTERS),
    AfterValidator(_no_e_mail),
]
type Instant = Annotated[datetime, BeforeValidator(_instant)]


class _Detail(BaseModel):
    """Unknown fields are ignored, except that own key templates may name them; an error shows none."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    v: int = Field(default=1, strict=True, ge=1, le=1)


class ShipmentDispatched(_Detail):
    """An order was shipped."""

    shipment_id: Id
    at: Instant = Field(alias="shipped_at")


class ContactLeft(_Detail):
    """We were notified that a contact left the organisation; unless it says when: at the event's own time."""

    contact_id: Id
    at: Instant | None = Field(alias="notified_at", default=None)


class ContactReturned(_Detail):
    """A contact is back."""

    contact_id: Id
    at: Instant = Field(alias="returned_at")


class _Envelope(BaseModel):
    """What EventBridge wraps around a detail."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    detail_type: Literal["ShipmentDispatched", "ContactLeft", "ContactReturned"] = Field(alias="detail-type")
    time: Instant
    detail: dict[str, Any]


_DETAILS: Mapping[str, tuple[type[ShipmentDispatched | ContactLeft | ContactReturned], Trigger, FactKind]] = {
    "ShipmentDispatched": (ShipmentDispatched, Trigger.SHIPMENT, FactKind.SHIPPED),
    "ContactLeft": (ContactLeft, Trigger.LEAVER, FactKind.LEFT),
    "ContactReturned": (ContactReturned, Trigger.LEAVER, FactKind.RETURNED),
}


_REASONS = {
    "missing": "is missing",
    "string_type": "must be text",
    "string_unicode": "is not valid Unicode text",
    "string_too_short": "is empty",
    "string_too_long": f"is longer than {MOST_ID_CHARACTERS} characters",
    "literal_error": "is none of the contract's",
    "int_type": "must be 1",
    "greater_than_equal": "must be 1",
    "less_than_equal": "must be 1",
    "dict_type": "must be an object",
    "model_type": "must be an object",
}


@dataclass(frozen=True)
class Told:
    """What an event says: an instant of some kind, about the record that its fields name."""

    trigger: Trigger
    kind: FactKind
    instant: datetime
    fields: Mapping[str, Any]

    def record(self, rule: Rule) -> RecordRef:
        """The record that a rule finds by this event's fields.

        Raises:
            RefusedError: a field that the rule's key reads is missing, or makes no valid key.
        """
        names = {name for part in rule.key.values() for name in part.fields}
        return rule.record({name: _key_field(name, self.fields.get(name)) for name in names})


def read_event(event: object, now: datetime) -> Told:
    """Validate an EventBridge event against the contract.

    Args:
        event: the event, as parsed from JSON.
        now: an aware UTC instant; what happened more than a day after it is refused.

    Raises:
        RefusedError: names the field and what is wrong with it, never its value.
    """
    envelope = _validated(_Envelope, event)
    model, trigger, kind = _DETAILS[envelope.detail_type]
    detail = _validated(model, envelope.detail)
    instant = detail.at or envelope.time
    if instant > add(now, DAY):
        name = model.model_fields["at"].alias if detail.at else "time"
        raise RefusedError(str(name), "is more than a day ahead")
    return Told(trigger, kind, instant, envelope.detail)


def _validated[Model: BaseModel](model: type[Model], value: object) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "event"
        raise RefusedError(field, _reason(first["type"], first["msg"])) from None


def _reason(kind: str, message: str) -> str:
    """What is wrong, in words of our own: pydantic's may quote the input."""
    return (
        message.removeprefix("Value error, ") if kind == "value_error" else _REASONS.get(kind, "is malformed")
    )


def _key_field(name: str, value: object) -> str:
    """A field that a key template reads: an id, or a whole number."""
    if value is None:
        raise RefusedError(name, "is missing")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not 0 < len(value) <= MOST_ID_CHARACTERS:
        raise RefusedError(name, f"must be text of 1 to {MOST_ID_CHARACTERS} characters, or a whole number")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RefusedError(name, "is not valid Unicode text") from None
    return value
