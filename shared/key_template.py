"""A key attribute of a record: made of an event's fields, or taken as somebody names it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, DecimalException, Inexact, Subnormal

from shared.record import WireValue
from shared.refused import RefusedError

MOST_KEY_BYTES = 1024
"""DynamoDB's limit for a sort key; partition keys may be longer, but a policy need not tell them apart."""
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_FIELD = re.compile(r"\{(\w+)\}", re.ASCII)
_MOST_BITS = 1024
"""An integer of more bits is no key; of more than 4,300 digits, Python refuses to write it."""
_NUMBERS = Context(prec=38, Emin=-130, Emax=125, traps=[Inexact, Subnormal])  # too large is inexact, too
"""DynamoDB's numbers have 38 digits and magnitudes from 10^-130 to 10^125; what does not fit is no key."""


@dataclass(frozen=True)
class KeyTemplate:
    """One typed key attribute as a template over an event's fields, such as `ORDER#{shipment_id}`."""

    type: str
    template: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The event's fields that the template reads."""
        return tuple(_FIELD.findall(self.template))

    def render(self, fields: Mapping[str, str]) -> WireValue:
        """Fill in the event's fields.

        Raises:
            RefusedError: what comes out cannot be a key.
        """
        text = _FIELD.sub(lambda found: fields[found[1]], self.template)
        return _key_value(self.type, text, ", ".join(self.fields))

    def could_render(self, value: WireValue | None) -> bool:
        """Whether some event could make this key attribute: what stands around the fields is there."""
        text = value.get(self.type) if value else None
        around = (re.escape(part) for part in _FIELD.split(self.template)[::2])
        return isinstance(text, str) and bool(re.fullmatch(".+".join(around), text, re.DOTALL))

    def take(self, value: object, field: str) -> WireValue:
        """Take what somebody calls the key attribute itself: the template plays no part.

        Args:
            value: text, a whole number, or either as text with its type, such as `{"N": "7"}`.
            field: what a refusal calls it.

        Raises:
            RefusedError: it cannot be a key, or is of another type.
        """
        match value:
            case bool():
                text: object = None
            case int() if value.bit_length() <= _MOST_BITS:
                text = str(value)
            case Mapping() if value.keys() == {self.type}:
                text = value[self.type]
            case _:
                text = value
        if not isinstance(text, str) or not text:
            raise RefusedError(field, f'must be text, a whole number, or {{"{self.type}": "…"}}')
        return _key_value(self.type, text, field)


def _key_value(kind: str, text: str, field: str) -> WireValue:
    """A key attribute of this text. Length comes first: the search for an address takes its square."""
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise RefusedError(field, "is not valid Unicode text") from None
    if length > MOST_KEY_BYTES:
        raise RefusedError(field, f"makes a key longer than {MOST_KEY_BYTES} bytes")
    if EMAIL.search(text):
        raise RefusedError(field, "looks like an e-mail address, which a key must not be")
    return {"N": _canonical_number(text, field)} if kind == "N" else {"S": text}


def _canonical_number(text: str, field: str) -> str:
    """The one way in which DynamoDB writes this number, so that `7` and `007` are the same record."""
    written = re.fullmatch(r"-?\d{1,200}(\.\d{1,200})?", text, re.ASCII)
    try:
        number = Decimal(text).normalize(_NUMBERS) if written else None
    except DecimalException:
        number = None
    if number is None:
        raise RefusedError(field, "is not a number that a key can hold")
    return format(number or Decimal(0), "f")  # there is no negative zero
