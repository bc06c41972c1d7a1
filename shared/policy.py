"""The policy, as the program uses it: rules, and the records they are about. `policy_file` reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from shared.facts import FactKind
from shared.instants import AnchorFormat
from shared.key_template import KeyTemplate
from shared.record import HOLD_MARK, Path, RecordRef, WireValue
from shared.refused import RefusedError

MOST_REFERENCE_BYTES = 2048
"""DynamoDB's limit for a partition key: the reference is the key of Facts."""

OLDEST_BACKUP = timedelta(days=35)
"""How far back point-in-time recovery reaches, unless fewer days are set."""


class Trigger(StrEnum):
    """Which events start a rule."""

    SHIPMENT = "shipment"
    LEAVER = "leaver"
    REQUEST = "request"


class Merge(StrEnum):
    """Which of several instants counts."""

    LATEST = "latest"
    EARLIEST = "earliest"


class Counting(StrEnum):
    """How the retention period is counted."""

    ELAPSED = "elapsed"
    CALENDAR_DAYS = "calendar-days"


class Guard(StrEnum):
    """What an erase of a record that nothing was told about depends on, besides the record itself."""

    RECORD = "record"
    """Nothing: a plain update."""
    FACTS = "facts"
    """That still nothing was told: a transaction, for twice the price."""


class Mode(StrEnum):
    """Whether a rule erases, or only reports what it would erase."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


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
    guard: Guard
    not_before: datetime

    @property
    def view_paths(self) -> tuple[Path, ...]:
        """What a look asks for besides the key. Never a personal field."""
        own_anchor = (self.anchor.attribute,) if self.anchor.attribute else ()
        return (*self.match, *own_anchor, HOLD_MARK)

    @property
    def on_request(self) -> bool:
        """Whether it erases when somebody asks, and not by the clock."""
        return self.trigger is Trigger.REQUEST

    def is_about(self, record: RecordRef) -> bool:
        """Whether the rule, as it is now, can find this record: its table or key may have been changed.

        One table may hold records of several kinds, told apart by what their keys look like. Only a request
        names its records by the key itself.
        """
        if record.table != self.table or record.key.keys() != self.key.keys():
            return False
        return self.on_request or all(part.could_render(record.key[name]) for name, part in self.key.items())

    def record(self, fields: Mapping[str, str]) -> RecordRef:
        """The record that an event is about.

        Args:
            fields: the event's fields by name; must hold each that the key templates read.

        Raises:
            RefusedError: the fields make no valid key.
        """
        names = ", ".join(sorted({field for part in self.key.values() for field in part.fields}))
        return self._reference({name: part.render(fields) for name, part in self.key.items()}, names)

    def record_of_key(self, values: Mapping[str, object]) -> RecordRef:
        """The record that somebody names by its key attributes themselves.

        Args:
            values: each of the rule's key attributes, as `KeyTemplate.take` takes it.

        Raises:
            RefusedError: they make no valid key; names the attribute, such as `key.shipment_id`.
        """
        if values.keys() != self.key.keys():  # other names may be anything, so they are not repeated
            raise RefusedError("key", f"must name exactly {', '.join(self.key)}")
        return self._reference(
            {name: part.take(values[name], f"key.{name}") for name, part in self.key.items()}, "key"
        )

    def _reference(self, key: Mapping[str, WireValue], field: str) -> RecordRef:
        reference = RecordRef(self.table, key)
        if len(reference.text.encode()) > MOST_REFERENCE_BYTES:
            raise RefusedError(field, f"makes a record reference longer than {MOST_REFERENCE_BYTES} bytes")
        return reference


@dataclass(frozen=True)
class Policy:
    """All promises, and the limits that guard them. `digest` is the SHA-256 of the file as published."""

    id: str
    digest: str
    rules: tuple[Rule, ...]
    max_erasures_per_run: int | None
    max_hold: timedelta
    ledger_retain: timedelta
    hold_reasons: frozenset[str]
    """The reason codes that a hold may give."""

    @property
    def longest_retain(self) -> timedelta:
        """Of all rules."""
        return max(rule.retain for rule in self.rules)

    @property
    def names_needed(self) -> timedelta:
        """As long as the ledger may be asked for what Facts lost: a hold, a rule, and the oldest backup."""
        return min(max(self.longest_retain, self.max_hold), timedelta.max - OLDEST_BACKUP) + OLDEST_BACKUP

    @property
    def names_retain(self) -> timedelta:
        """How long the ledger names its records: as long as is needed, however short `ledger_retain` is."""
        return max(self.ledger_retain, self.names_needed)

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that name, unless it was removed."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)

    def triggered_by(self, trigger: Trigger) -> tuple[Rule, ...]:
        """The rules that an event of this kind starts."""
        return tuple(rule for rule in self.rules if rule.trigger is trigger)

    def rules_of(self, table: str) -> tuple[Rule, ...]:
        """The rules of a table, by its logical name."""
        return tuple(rule for rule in self.rules if rule.table == table)

    def about(self, record: RecordRef) -> tuple[Rule, ...]:
        """The rules that can find this record."""
        return tuple(rule for rule in self.rules if rule.is_about(record))

    def request_rule(self, table: str) -> Rule | None:
        """What is erased on request in a table, if anything is."""
        return next((rule for rule in self.rules_of(table) if rule.on_request), None)

    def held_fields(self, table: str) -> tuple[Path, ...]:
        """The fields that a hold keeps: what the clock would erase, or else what a request would."""
        rules = self.rules_of(table)
        by_the_clock = [rule for rule in rules if not rule.on_request]
        return tuple(path for rule in by_the_clock or rules for path in rule.erase)
