"""The policy, as the program uses it: rules, and the records they are about. `policy_file` reads it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal, DecimalException, Inexact, Subnormal
from enum import StrEnum
from zoneinfo import ZoneInfo

from shared.facts import FactKind
from shared.instants import AnchorFormat
from shared.record import HOLD_MARK, Path, RecordRef, WireValue
from shared.refused import RefusedError

MOST_KEY_BYTES = 1024
"""DynamoDB's limit for a sort key; partition keys may be longer, but a policy need not tell them apart."""
MOST_REFERENCE_BYTES = 2048
"""DynamoDB's limit for a partition key: the reference is the key of Facts."""
_NUMBERS = Context(prec=38, Emin=-130, Emax=125, traps=[Inexact, Subnormal])  # too large is inexact, too
"""DynamoDB's numbers have 38 digits and magnitudes from 10^-130 to 10^125; what does not fit is no key."""

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_FIELD = re.compile(r"\{(\w+)\}", re.ASCII)


class Trigger(StrEnum):
    """Which events start a rule."""

    SHIPMENT = "shipment"
    LEAVER = "leaver"


class Merge(StrEnum):
    """Which of several instants counts."""

    LATEST = "latest"
    EARLIEST = "earliest"


class Counting(StrEnum):
    """How the retention period is counted."""

    ELAPSED = "elapsed"
    CALENDAR_DAYS = "calendar-days"


class Mode(StrEnum):
    """Whether a rule erases, or only reports what it would erase."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


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
        names = ", ".join(self.fields)
        if EMAIL.search(text):
            raise RefusedError(names, "looks like an e-mail address, which a key must not be")
        if self.type == "N":
            return {"N": _canonical_number(text, names)}
        if len(text.encode()) > MOST_KEY_BYTES:
            raise RefusedError(names, f"makes a key longer than {MOST_KEY_BYTES} bytes")
        return {"S": text}


@dataclass(frozen=True)
class Anchor:
    """Where the instant that starts the clock is found, and how it is read."""

    attribute: Path | None
    fact: FactKind | None
    cancel: FactKind | None
    format: AnchorFormat
    zone: ZoneInfo
    merge: Merge


@dataclass(frozen=True)
class Rule:
    """One promise of the policy."""

    id: str
    clause: str
    table: str
    key: Mapping[str, KeyTemplate]
    match: Mapping[Path, WireValue]
    trigger: Trigger
    anchor: Anchor
    retain: timedelta
    counting: Counting
    zone: ZoneInfo
    erase: tuple[Path, ...]
    keep: tuple[Path, ...]
    mode: Mode
    not_before: datetime

    @property
    def view_paths(self) -> tuple[Path, ...]:
        """What a look asks for besides the key. Never a personal field."""
        own_anchor = (self.anchor.attribute,) if self.anchor.attribute else ()
        return (*self.match, *own_anchor, HOLD_MARK)

    def is_about(self, record: RecordRef) -> bool:
        """Whether the rule, as it is now, can find this record: its table or key may have been changed."""
        return record.table == self.table and record.key.keys() == self.key.keys()

    def record(self, fields: Mapping[str, str]) -> RecordRef:
        """The record that an event is about.

        Args:
            fields: the event's fields by name; must hold each that the key templates read.

        Raises:
            RefusedError: the fields make no valid key.
        """
        reference = RecordRef(self.table, {name: part.render(fields) for name, part in self.key.items()})
        if len(reference.text.encode()) > MOST_REFERENCE_BYTES:
            names = ", ".join(sorted({field for part in self.key.values() for field in part.fields}))
            raise RefusedError(names, f"makes a record reference longer than {MOST_REFERENCE_BYTES} bytes")
        return reference


@dataclass(frozen=True)
class Policy:
    """All promises, and the limits that guard them. `digest` is the SHA-256 of the file as published."""

    id: str
    digest: str
    rules: tuple[Rule, ...]
    max_erasures_per_run: int | None

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that name, unless it was removed."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)

    def triggered_by(self, trigger: Trigger) -> tuple[Rule, ...]:
        """The rules that an event of this kind starts."""
        return tuple(rule for rule in self.rules if rule.trigger is trigger)


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
