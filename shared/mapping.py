"""A foreign event becomes contract events, in memory.

The payload holds personal data: nothing of it leaves but ids, instants and the fields that are named.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeGuard

from shared.expression import Expression, ExpressionFailedError
from shared.foreign_values import NothingError, read_instant, read_name
from shared.instants import to_text
from shared.outgoing import ContractEvent
from shared.sources import CONTRACT, Becomes, Outcome, Reason, Source

NO_ENTRY = "none"
"""Stands for an entry's id where no entry took the event."""


@dataclass(frozen=True)
class Examination:
    """How far an event got with an entry. `conditions` ends with the first not to hold; None: it failed."""

    source: Source
    addressed: bool
    conditions: tuple[bool | None, ...]

    @property
    def taken(self) -> bool:
        """Whether the entry is about this event."""
        return self.addressed and all(self.conditions)

    @property
    def failed(self) -> bool:
        """Whether a condition could not be evaluated."""
        return None in self.conditions


def map_event(envelope: object, received_at: datetime, sources: Sequence[Source]) -> tuple[Outcome, ...]:
    """Map a foreign event by each entry that is about it. Never raises, whatever the payload is.

    Args:
        envelope: as EventBridge delivers it, or in the same shape: `source`, `detail-type`, `detail`.
        received_at: aware; the time of receipt, for entries that say so, and the measure of what lies ahead.
        sources: the configured entries.

    Returns:
        At least one outcome; one for each entry that took the event or failed to judge it.
    """
    if not is_envelope(envelope):
        return (Outcome(NO_ENTRY, reasons=(Reason.ENVELOPE_MALFORMED,)),)
    addressed = [examined for source in sources if (examined := examine(source, envelope)).addressed]
    outcomes = [_apply(each.source, envelope, received_at) for each in addressed if each.taken]
    outcomes += [
        Outcome(each.source.id, reasons=(Reason.EXPRESSION_FAILED,)) for each in addressed if each.failed
    ]
    missed = Reason.CONDITION_NOT_MET if addressed else Reason.NO_ENTRY
    return tuple(outcomes) or (Outcome(NO_ENTRY, reasons=(missed,)),)


def is_envelope(event: object) -> TypeGuard[Mapping[str, object]]:
    """Whether this has the shape of an EventBridge event."""
    if not isinstance(event, dict) or "detail" not in event:
        return False
    return isinstance(event.get("source"), str) and isinstance(event.get("detail-type"), str)


def examine(source: Source, envelope: Mapping[str, object]) -> Examination:
    """See how far the event gets with an entry. Conditions are asked in order: one may guard the next."""
    if not source.match.addresses(envelope):
        return Examination(source, addressed=False, conditions=())
    answers: list[bool | None] = []
    for condition in source.match.conditions:
        answers.append(_ask(condition, envelope))
        if not answers[-1]:
            break
    return Examination(source, addressed=True, conditions=tuple(answers))


def _ask(condition: Expression, scope: Mapping[str, object]) -> bool | None:
    try:
        return condition.holds(scope)
    except ExpressionFailedError:
        return None


def _apply(source: Source, envelope: Mapping[str, object], received_at: datetime) -> Outcome:
    if isinstance(source.outcome, Reason):
        return Outcome(source.id, reasons=(source.outcome,))
    events: list[ContractEvent] = []
    reasons: list[Reason] = []
    for made in _each(source.outcome, envelope, received_at):
        if isinstance(made, Reason):
            reasons.append(made)
        else:
            events.append(made)
    return Outcome(source.id, tuple(events), tuple(reasons))


def _each(becomes: Becomes, envelope: Mapping[str, object], at: datetime) -> Iterator[ContractEvent | Reason]:
    try:
        scopes = _scopes(becomes.for_each, envelope)
    except NothingError as nothing:
        yield nothing.reason
        return
    for scope in scopes:
        try:
            yield _contract_event(becomes, scope, at)
        except NothingError as nothing:
            yield nothing.reason


def _scopes(for_each: Expression | None, envelope: Mapping[str, object]) -> list[Mapping[str, object]]:
    """What the record's expressions see: the envelope, and the array's element as `item`."""
    if for_each is None:
        return [envelope]
    items = _find(for_each, envelope)
    if not isinstance(items, list):
        raise NothingError(Reason.RECORDS_MALFORMED)
    if not items:
        raise NothingError(Reason.NO_RECORDS)
    return [{**envelope, "item": item} for item in items]


def _contract_event(becomes: Becomes, scope: Mapping[str, object], received_at: datetime) -> ContractEvent:
    for condition in becomes.ignore_if:
        ignored = _ask(condition, scope)
        if ignored is not False:
            raise NothingError(Reason.EXPRESSION_FAILED if ignored is None else Reason.IGNORED)
    contract = CONTRACT[becomes.kind]
    record_id = _find(becomes.record_id, scope)
    detail: dict[str, str | int] = {"v": 1}
    detail[contract.id_field] = read_name(record_id, Reason.ID_MISSING, Reason.ID_MALFORMED)
    detail[contract.instant_field] = to_text(_instant(becomes, scope, received_at))
    for name, where in becomes.fields.items():
        detail[name] = read_name(_find(where, scope), Reason.FIELD_MISSING, Reason.FIELD_MALFORMED)
    return ContractEvent(contract.source, becomes.kind, detail)


def _instant(becomes: Becomes, scope: Mapping[str, object], received_at: datetime) -> datetime:
    if becomes.instant is None:
        return received_at
    found = _find(becomes.instant.expression, scope)
    return read_instant(found, becomes.instant.format, becomes.instant.zone, received_at)


def _find(expression: Expression, scope: Mapping[str, object]) -> object:
    try:
        return expression.search(scope)
    except ExpressionFailedError:
        raise NothingError(Reason.EXPRESSION_FAILED) from None
