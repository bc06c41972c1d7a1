"""What operators type: records by their keys, references, instants and ends. Refusals repeat no value."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from pydantic import BaseModel, TypeAdapter, ValidationError

from lapse.trouble import TroubleError
from shared.contract import Reference, validated
from shared.instants import SECOND, UnreadableInstantError, add, ceil, end_of_day, parse_rfc3339
from shared.policy import Policy
from shared.policy_fields import Period
from shared.record import RecordRef
from shared.refused import RefusedError

_PERIOD: TypeAdapter[timedelta] = TypeAdapter(Period)


class _Referring(BaseModel):
    reference: Reference


@dataclass(frozen=True)
class End:
    """When something ends: an instant, the end of a local day, or so long from now."""

    said: datetime | date | timedelta

    def after(self, now: datetime, zone: ZoneInfo) -> datetime:
        """The instant, in UTC."""
        match self.said:
            case datetime():
                return self.said
            case date():
                return ceil(end_of_day(self.said, zone), SECOND)
            case timedelta():
                return add(now, self.said)


def reference(text: str) -> str:
    """A staff id, case or request, by the contract's pattern.

    Raises:
        BadParameter: it does not match, or typer would name the option.
    """
    try:
        return validated(_Referring, {"reference": text}).reference
    except RefusedError as refused:
        raise typer.BadParameter(refused.reason) from None


def instant(text: str) -> datetime:
    """An RFC 3339 instant.

    Raises:
        BadParameter: it is none.
    """
    try:
        return parse_rfc3339(text)
    except UnreadableInstantError:
        raise typer.BadParameter(
            "must be an RFC 3339 instant with an offset, as in 2026-08-25T10:15:00Z"
        ) from None


def end(text: str) -> End:
    """An instant, a day or a period.

    Raises:
        BadParameter: it is none of them.
    """
    try:
        if text.startswith("P"):
            return End(_PERIOD.validate_python(text))
        return End(date.fromisoformat(text) if len(text) == len("2026-08-25") else parse_rfc3339(text))
    except ValidationError as error:
        (problem,) = error.errors(include_url=False, include_input=False)
        raise typer.BadParameter(problem["msg"].removeprefix("Value error, ")) from None
    except ValueError:
        raise typer.BadParameter(
            "must be an instant (2026-08-25T10:15:00Z), a day (2026-08-25) or a period from now (P30D)"
        ) from None


def _one_form(ctx: typer.Context, param: typer.CallbackParam, value: bool) -> bool:  # noqa: FBT001 -- as typer calls it
    """Refuse a second form of answer, whichever option comes first."""
    forms = {"as_json", "as_csv"} - {param.name}
    if value and any(ctx.params.get(form) for form in forms):
        raise typer.BadParameter("--json and --csv do not go together")
    return value


Table = Annotated[str, typer.Argument(metavar="TABLE", help="The policy's name of the table.")]
Key = Annotated[
    list[str],
    typer.Argument(metavar="KEY", help="The record's key: its value, or name=value for each part of it."),
]
By = Annotated[str, typer.Option("--by", metavar="STAFF", parser=reference, help="Your staff id.")]
Case = Annotated[str, typer.Option("--case", metavar="REF", parser=reference, help="The case's reference.")]
Until = Annotated[
    End,
    typer.Option(
        "--until", metavar="END", parser=end, help="An instant, a day (to its end) or a period: P30D."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.", callback=_one_form)]
AsCsv = Annotated[
    bool, typer.Option("--csv", help="Print the list as CSV, with a header.", callback=_one_form)
]


def known_table(table: str, policy: Policy) -> str:
    """The table, if the policy has rules for it.

    Raises:
        TroubleError: it has none.
    """
    if not policy.rules_of(table):
        known = ", ".join(sorted({rule.table for rule in policy.rules}))
        raise TroubleError("The policy has no such table.", f"It has {known}.")
    return table


def record_named(table: str, words: Sequence[str], policy: Policy) -> RecordRef:
    """The one record that these words name.

    Raises:
        TroubleError: there is no such table, or there are several records.
        RefusedError: the words make no key.
    """
    records = records_named(table, words, policy)
    if len(records) > 1:
        raise TroubleError("KEY: names more than one record.", "Give the key of one record.")
    return records[0]


def records_named(table: str, words: Sequence[str], policy: Policy) -> list[RecordRef]:
    """The records that these words name, each once.

    Args:
        table: the policy's name of their table.
        words: a value for each record, where the key is one attribute; or `name=value` for each part of a
            key: where a name comes again, the next record begins.
        policy: the rules, which know the keys.

    Raises:
        TroubleError: there is no such table.
        RefusedError: the words make no key.
    """
    rule = policy.rules_of(known_table(table, policy))[0]
    return list(dict.fromkeys(rule.record_of_key(key) for key in _keys(list(rule.key), words)))


def _keys(names: Sequence[str], words: Sequence[str]) -> list[dict[str, str]]:
    keys: list[dict[str, str]] = []
    for name, value in _pairs(names, words):
        if not keys or name in keys[-1]:
            keys.append({})
        keys[-1][name] = value
    return keys


def _pairs(names: Sequence[str], words: Sequence[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        name, separator, value = word.partition("=")
        if separator and name in names:
            yield name, value
        elif len(names) == 1 and not (separator and name.isidentifier()):  # it may be a misspelt name
            yield names[0], word
        else:
            example = " ".join(f"{each}=…" for each in names)
            raise RefusedError("key", f"must be written as {example}")
