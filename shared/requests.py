"""The contract's event about erasure: a request for some records, approved by somebody."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.contract import Detail, Instant, Reference, not_ahead, open_envelope, validated
from shared.facts import Request
from shared.key_template import KeyTemplate
from shared.policy import Policy, Rule
from shared.policy_fields import Name
from shared.record import RecordRef
from shared.refused import RefusedError

MOST_RECORDS = 100
"""Of one request."""
MOST_KEY_ATTRIBUTES = 2
"""DynamoDB's keys have no more."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    table: Name
    key: dict[str, Any]


class _ErasureRequested(Detail):
    request_id: Reference
    requested_at: Instant
    approved_by: Reference
    records: list[_Record] = Field(min_length=1, max_length=MOST_RECORDS)


@dataclass(frozen=True)
class Asked:
    """One record of a request: the rule that erases it, or none where the policy has no such rule."""

    table: str
    key: Mapping[str, Any]
    """As the request names it."""
    rule: Rule | None
    record: RecordRef | None


@dataclass(frozen=True)
class ErasureRequested:
    """A request, and the records that it is about."""

    request: Request
    asked: tuple[Asked, ...]


def read_request(event: object, policy: Policy, now: datetime) -> ErasureRequested:
    """Validate a request.

    Args:
        event: the event, as parsed from JSON.
        policy: the rules, which name the records' keys.
        now: an aware UTC instant.

    Raises:
        RefusedError: names the field and what is wrong with it, never its value. One record that is
            malformed refuses the whole request: nothing of it is begun.
    """
    envelope = open_envelope(event, {"ErasureRequested"})
    told = validated(_ErasureRequested, envelope.detail)
    requested_at = not_ahead(told.requested_at, "requested_at", now)
    request = Request(told.request_id, requested_at, told.approved_by)
    return ErasureRequested(request, tuple(_asked(n, each, policy) for n, each in enumerate(told.records)))


def _asked(number: int, named: _Record, policy: Policy) -> Asked:
    rule = policy.request_rule(named.table)
    try:
        if rule is None:
            _check_key(named.key)
        record = rule.record_of_key(named.key) if rule else None
    except RefusedError as refused:
        raise RefusedError(f"records.{number}.{refused.field}", refused.reason) from None
    return Asked(named.table, named.key, rule, record)


def _check_key(key: Mapping[str, Any]) -> None:
    """That this may be a key: the answer repeats it, so it must be as narrow as those that a rule checks."""
    names = TypeAdapter(Annotated[list[Name], Field(min_length=1, max_length=MOST_KEY_ATTRIBUTES)])
    try:
        names.validate_python(list(key))
    except ValidationError:
        raise RefusedError("key", "must name a record by one or two key attributes") from None
    for value in key.values():
        is_number = isinstance(value, Mapping) and "N" in value
        KeyTemplate("N" if is_number else "S", "").take(value, "key")
