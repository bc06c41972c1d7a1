"""The contract's events: validated, and turned into what was told about which record.

Here is what they have in common, and those that start or stop the clock; `disputes` and `requests` read the
others.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

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
from shared.key_template import EMAIL
from shared.policy import Rule, Trigger
from shared.record import RecordRef
from shared.refused import RefusedError

MOST_ID_CHARACTERS = 256
_REFERENCE = r"^[A-Za-z0-9][A-Za-z0-9._:/#+-]{0,63}$"
"""Case references, request and staff ids: too narrow for free text, and for an e-mail address."""


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
type Reference = Annotated[str, StringConstraints(strict=True, pattern=_REFERENCE)]
type Instant = Annotated[datetime, BeforeValidator(_instant)]


class Detail(BaseModel):
    """Unknown fields are ignored, except that own key templates may name them; an error shows none."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    v: int = Field(default=1, strict=True, ge=1, le=1)


class ShipmentDispatched(Detail):
    """An order was shipped."""

    shipment_id: Id
    at: Instant = Field(alias="shipped_at")


class ContactLeft(Detail):
    """We were notified that a contact left the organisation; unless it says when: at the event's own time."""

    contact_id: Id
    at: Instant | None = Field(alias="notified_at", default=None)


class ContactReturned(Detail):
    """A contact is back."""

    contact_id: Id
    at: Instant = Field(alias="returned_at")


class Envelope(BaseModel):
    """What EventBridge wraps around a detail."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    detail_type: Annotated[str, StringConstraints(strict=True)] = Field(alias="detail-type")
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
    "string_pattern_mismatch": "must be letters, digits and ._:/#+- only, 64 at most",
    "list_type": "must be a list",
    "too_short": "is empty",
    "too_long": "is too long",
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
        return record_named(rule, self.fields)


def record_named(rule: Rule, fields: Mapping[str, Any]) -> RecordRef:
    """The record that a rule finds by an event's fields.

    Raises:
        RefusedError: a field that the rule's key reads is missing, or makes no valid key.
    """
    names = {name for part in rule.key.values() for name in part.fields}
    return rule.record({name: _key_field(name, fields.get(name)) for name in names})


def read_event(event: object, now: datetime) -> Told:
    """Validate an EventBridge event against the contract.

    Args:
        event: the event, as parsed from JSON.
        now: an aware UTC instant; what happened more than a day after it is refused.

    Raises:
        RefusedError: names the field and what is wrong with it, never its value.
    """
    envelope = open_envelope(event, _DETAILS)
    model, trigger, kind = _DETAILS[envelope.detail_type]
    detail = validated(model, envelope.detail)
    instant = detail.at or envelope.time
    name = model.model_fields["at"].alias if detail.at else "time"
    return Told(trigger, kind, not_ahead(instant, str(name), now), envelope.detail)


def open_envelope(event: object, detail_types: Container[str]) -> Envelope:
    """The envelope of an event of one of these types.

    Raises:
        RefusedError: it is of another type, or malformed.
    """
    envelope = validated(Envelope, event)
    if envelope.detail_type not in detail_types:
        raise RefusedError("detail-type", "is none that this function takes")
    return envelope


def not_ahead(instant: datetime, field: str, now: datetime) -> datetime:
    """The instant, if it is not more than a day ahead.

    Raises:
        RefusedError: it is.
    """
    if instant > add(now, DAY):
        raise RefusedError(field, "is more than a day ahead")
    return instant


def validated[Model: BaseModel](model: type[Model], value: object) -> Model:
    """The value as a model.

    Raises:
        RefusedError: names the first field that is wrong, and never its value.
    """
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
