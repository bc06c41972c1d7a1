"""What a policy file may say: every key, and what is wrong within one rule. docs/policy.md explains the keys.

The policy's own types are in `policy`; here is only how they are written down.
"""

from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PositiveInt,
    Tag,
    field_validator,
    model_validator,
)

from shared.facts import CANCELS, FactKind
from shared.instants import DAY, AnchorFormat
from shared.policy import OLDEST_BACKUP, Counting, Guard, Merge, Mode, Trigger
from shared.policy_fields import E_MAIL_WORD, FieldPath, HoldReason, Match, Name, Period, Template, Zone

_FACTS = {Trigger.SHIPMENT: FactKind.SHIPPED, Trigger.LEAVER: FactKind.LEFT}
"""What each kind of event tells, and starts the clock by."""

HOLD_REASONS = (
    *("damaged", "lost", "not_received", "wrong_item", "incomplete", "late", "returned"),
    *("refund", "payment", "chargeback", "fraud", "complaint", "courier_dispute"),
    *("legal_claim", "litigation", "investigation", "other"),
)
"""Why a record may be held, unless the policy says otherwise: disputes about a delivery, money, claims."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AnchorText(_Strict):
    """Where the instant that starts the clock is found: on the record, or only in what Lapse was told."""

    attribute: FieldPath | None = Field(
        default=None, description="The record's own anchor; if there, it wins."
    )
    fact: FactKind | None = Field(
        default=None, description="The kind of fact that counts where the record has none."
    )
    cancel: FactKind | None = Field(default=None, description="The kind of fact that stops the clock.")

    @model_validator(mode="after")
    def _is_found_somewhere(self) -> Self:
        if self.attribute is None and self.fact is None:
            raise ValueError("needs an attribute or a fact")
        wanted = CANCELS.get(self.fact) if self.fact else None
        if self.cancel is not wanted:
            raise ValueError(f"{self.fact or 'an attribute'} is cancelled by {wanted or 'nothing'}")
        return self


class _PromiseText(_Strict):
    """What every promise says."""

    id: Name = Field(description="Immutable name, in timers and evidence.")
    clause: str = Field(min_length=1, description="Where it is promised.")
    table: Name = Field(description="Logical table name; the stack's settings name the real one.")
    key: dict[str, Template] = Field(
        min_length=1, max_length=2, description="Key attributes over the event's fields."
    )
    match: Match = Field(default_factory=dict, description="Only records with these values; tables nest.")
    erase: list[FieldPath] = Field(
        min_length=1, description="What is erased: names, or lists of nested names."
    )
    keep: list[FieldPath] = Field(
        default_factory=list,
        description="What no rule of this kind in this table may erase.",
    )
    mode: Mode = Field(description="Whether it erases, or only reports what it would erase.")
    guard: Guard = Field(
        default=Guard.RECORD,
        description="`facts` where the business system writes whole items: no erase over a hold, for twice "
        "the price.",
    )
    basis: str | None = Field(default=None, description="Why what is kept is kept.")
    review_after: date | None = Field(
        default=None, strict=True, description="Until when what is kept is kept without a review."
    )

    @model_validator(mode="after")
    def _has_a_usable_key(self) -> Self:
        if not any(part.fields for part in self.key.values()):
            raise ValueError("key: reads none of the event's fields, so it would name one record for all")
        if any(E_MAIL_WORD.search(name) for name in self.key):
            raise ValueError("key: looks like an e-mail address, which a key must not be")
        return self


class RuleText(_PromiseText):
    """A promise that runs by the clock, as written in the policy file."""

    trigger: Trigger = Field(description="Which events start it.", json_schema_extra={"enum": list(_FACTS)})
    anchor: AnchorText = Field(description="Where the instant that starts the clock is found.")
    anchor_format: AnchorFormat = Field(description="How the record's own anchor is written. Never guessed.")
    anchor_zone: Zone | None = Field(default=None, description="The zone of naive times and bare dates.")
    anchor_merge: Merge = Field(description="Which of several instants counts.")
    retain: Period = Field(description="ISO 8601 period of weeks, days, hours, minutes, such as P90D.")
    counting: Counting = Field(description="Elapsed time, or the end of that many local days.")

    @model_validator(mode="after")
    def _has_a_usable_clock(self) -> Self:
        if self.anchor.fact not in {None, _FACTS[self.trigger]}:
            raise ValueError(f"anchor.fact: {self.trigger} events tell of {_FACTS[self.trigger]}")
        if self.anchor_format is AnchorFormat.NAIVE and self.anchor_zone is None:
            raise ValueError("anchor_zone: naive times need their zone")
        if self.counting is Counting.CALENDAR_DAYS and self.retain % DAY:
            raise ValueError("retain: calendar days are counted whole")
        return self


class RequestText(_PromiseText):
    """An erasure on request, as written in the policy file: it has no clock, so it says nothing of one."""

    trigger: Trigger = Field(
        description="Somebody asks for it.", json_schema_extra={"const": Trigger.REQUEST}
    )


def _kind(rule: object) -> Literal["clock", "request"]:
    """Which of the two a rule is: decided before anything else, so that each is told what it lacks."""
    on_request = isinstance(rule, dict) and rule.get("trigger") == Trigger.REQUEST
    return "request" if on_request else "clock"


class PolicyText(_Strict):
    """The whole policy file."""

    version: Literal[1] = Field(description="Version of this file format.")
    id: Name = Field(description="The policy's own name.")
    updated: date = Field(strict=True, description="When the policy was last changed.")
    timezone: Zone = Field(description="Where local days begin and end.")
    not_before: date = Field(
        default=date(2000, 1, 1), strict=True, description="An anchor before this day is implausible."
    )
    max_hold: Period = Field(
        default=timedelta(days=365),
        description="How far after its opening, or its last extension, a hold may end.",
    )
    hold_reasons: tuple[HoldReason, ...] = Field(
        default=HOLD_REASONS, min_length=1, description="The reason codes that a hold may give."
    )
    max_erasures_per_run: PositiveInt | None = Field(
        default=None, strict=True, description="A purge stops here and alarms."
    )
    ledger_retain: Period = Field(
        default=timedelta(days=2555),
        description="How long the ledger names its records, and how long facts are kept after their record "
        "is gone and the last word about it. At least as long as the oldest backup: P35D.",
    )
    rules: list[
        Annotated[
            Annotated[RuleText, Tag("clock")] | Annotated[RequestText, Tag("request")], Discriminator(_kind)
        ]
    ] = Field(min_length=1, description="The promises.")

    @field_validator("ledger_retain")
    @classmethod
    def _outlasts_every_backup(cls, period: timedelta) -> timedelta:
        if period < OLDEST_BACKUP:
            raise ValueError(f"must be at least P{OLDEST_BACKUP.days}D: so old can a backup be")
        return period
