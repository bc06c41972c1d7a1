"""Reading `policy.toml`: every key, and every refusal, with an error that says where.

The policy's own types are in `policy`; here is only how they are written down. docs/policy.md explains the
keys.
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from shared.facts import CANCELS, FactKind
from shared.instants import DAY, AnchorFormat
from shared.policy import Anchor, Counting, Merge, Mode, Policy, Rule, Trigger
from shared.policy_conflicts import conflicts
from shared.policy_fields import E_MAIL_WORD, FieldPath, Match, Name, Period, Template, Zone

_FACTS = {Trigger.SHIPMENT: FactKind.SHIPPED, Trigger.LEAVER: FactKind.LEFT}
"""What each kind of event tells, and starts the clock by."""


class PolicyError(Exception):
    """The policy cannot be used."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems: where and what, a line each."""
        super().__init__("\n".join(problems))
        self.problems = problems


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


class RuleText(_Strict):
    """One promise, as written in the policy file."""

    id: Name = Field(description="Immutable name, in timers and evidence.")
    clause: str = Field(min_length=1, description="Where it is promised.")
    table: Name = Field(description="Logical table name; the stack's settings name the real one.")
    key: dict[str, Template] = Field(
        min_length=1, max_length=2, description="Key attributes over the event's fields."
    )
    match: Match = Field(default_factory=dict, description="Only records with these values; tables nest.")
    trigger: Trigger = Field(description="Which events start it.")
    anchor: AnchorText = Field(description="Where the instant that starts the clock is found.")
    anchor_format: AnchorFormat = Field(description="How the record's own anchor is written. Never guessed.")
    anchor_zone: Zone | None = Field(default=None, description="The zone of naive times and bare dates.")
    anchor_merge: Merge = Field(description="Which of several instants counts.")
    retain: Period = Field(description="ISO 8601 period of weeks, days, hours, minutes, such as P90D.")
    counting: Counting = Field(description="Elapsed time, or the end of that many local days.")
    erase: list[FieldPath] = Field(
        min_length=1, description="What is erased: names, or lists of nested names."
    )
    keep: list[FieldPath] = Field(default_factory=list, description="What no rule of this table may erase.")
    mode: Mode = Field(description="Whether it erases, or only reports what it would erase.")
    basis: str | None = Field(default=None, description="Why what is kept is kept.")
    review_after: date | None = Field(
        default=None, strict=True, description="Until when what is kept is kept without a review."
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.anchor.fact not in {None, _FACTS[self.trigger]}:
            raise ValueError(f"anchor.fact: {self.trigger} events tell of {_FACTS[self.trigger]}")
        if self.anchor_format is AnchorFormat.NAIVE and self.anchor_zone is None:
            raise ValueError("anchor_zone: naive times need their zone")
        if self.counting is Counting.CALENDAR_DAYS and self.retain % DAY:
            raise ValueError("retain: calendar days are counted whole")
        if not any(part.fields for part in self.key.values()):
            raise ValueError("key: reads none of the event's fields, so it would name one record for all")
        if any(E_MAIL_WORD.search(name) for name in self.key):
            raise ValueError("key: looks like an e-mail address, which a key must not be")
        return self


class PolicyText(_Strict):
    """The whole policy file."""

    version: Literal[1] = Field(description="Version of this file format.")
    id: Name = Field(description="The policy's own name.")
    updated: date = Field(strict=True, description="When the policy was last changed.")
    timezone: Zone = Field(description="Where local days begin and end.")
    not_before: date = Field(
        default=date(2000, 1, 1), strict=True, description="An anchor before this day is implausible."
    )
    max_hold: Period = Field(default=timedelta(days=365), description="How long a hold may last at most.")
    max_erasures_per_run: PositiveInt | None = Field(
        default=None, strict=True, description="A purge stops here and alarms."
    )
    ledger_retain: Period = Field(
        default=timedelta(days=2555), description="How long evidence names its records."
    )
    rules: list[RuleText] = Field(min_length=1, description="The promises.")


def read_policy(text: bytes) -> Policy:
    """Read a policy file.

    Args:
        text: the file's bytes, of which the digest is taken.

    Raises:
        PolicyError: it cannot be used; says where and why.
    """
    try:
        document = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError([f"not TOML: {error}"]) from None
    try:
        written = PolicyText.model_validate(document)
    except ValidationError as error:
        raise PolicyError(_problems(error, document)) from None
    rules = tuple(_rule(each, written) for each in written.rules)
    if problems := list(conflicts(rules)):
        raise PolicyError(problems)
    return Policy(
        id=written.id,
        digest=hashlib.sha256(text).hexdigest(),
        rules=rules,
        max_erasures_per_run=written.max_erasures_per_run,
    )


def _rule(written: RuleText, policy: PolicyText) -> Rule:
    zone = ZoneInfo(policy.timezone)
    return Rule(
        id=written.id,
        clause=written.clause,
        table=written.table,
        key=written.key,
        match=written.match,
        trigger=written.trigger,
        anchor=Anchor(
            attribute=written.anchor.attribute,
            fact=written.anchor.fact,
            cancel=written.anchor.cancel,
            format=written.anchor_format,
            zone=ZoneInfo(written.anchor_zone) if written.anchor_zone else zone,
            merge=written.anchor_merge,
        ),
        retain=written.retain,
        counting=written.counting,
        zone=zone,
        erase=tuple(written.erase),
        keep=tuple(written.keep),
        mode=written.mode,
        not_before=datetime.combine(policy.not_before, time.min, UTC),
    )


def _problems(error: ValidationError, written: Mapping[str, Any]) -> list[str]:
    """A line for each problem: where, by the rule's id where it has one, and what."""
    problems = []
    for each in error.errors(include_url=False, include_input=False):
        where = ".".join(_where(each["loc"], written)) or "policy"
        problems.append(f"{where}: {each['msg'].removeprefix('Value error, ')}")
    return problems


def _where(location: tuple[int | str, ...], written: Mapping[str, Any]) -> Iterator[str]:
    match location:
        case ("rules", int(number), *names):
            rule = written["rules"][number]
            rule_id = rule.get("id") if isinstance(rule, dict) else None
            yield rule_id if isinstance(rule_id, str) else f"rules.{number}"
        case _:
            names = list(location)
    yield from map(str, names)
