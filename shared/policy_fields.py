"""How a policy file writes zones, periods, paths, matches and key templates; refusals say what is wrong."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from shared.key_template import KeyTemplate
from shared.record import Path, WireValue

_PERIOD = re.compile(
    r"P(?:(?P<weeks>\d+)W|(?:(?P<days>\d+)D)?(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?)?)"
)
_MONTHS_OR_YEARS = re.compile(r"P[^T]*\d[YM].*")
E_MAIL_WORD = re.compile(r"e[-_]?mail|@", re.IGNORECASE)
_INDEX_OR_WILDCARD = re.compile(r"\[[\d*]*\]|(?:^|\.)\*(?:\.|$)")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        raise ValueError("is not a known time zone") from None
    return name


def _period(text: object) -> timedelta:
    if isinstance(text, str) and _MONTHS_OR_YEARS.fullmatch(text):
        raise ValueError("months and years have no fixed length: say it in days, such as P90D")
    found = _PERIOD.fullmatch(text) if isinstance(text, str) else None
    try:
        length = timedelta(**{unit: int(n) for unit, n in found.groupdict().items() if n}) if found else None
    except OverflowError:
        length = None
    if not length:
        raise ValueError("must be an ISO 8601 period longer than nothing, such as P90D")
    return length


def _path(names: object) -> Path:
    path = [names] if isinstance(names, str) else names
    if not isinstance(path, list) or not path or not all(isinstance(name, str) and name for name in path):
        raise ValueError("must be a name, or a list of names from the top of the item down")
    if any(_INDEX_OR_WILDCARD.search(name) for name in path):
        raise ValueError("list indexes and wildcards are not supported: name a field of a map")
    return tuple(path)


def _match(values: object) -> Mapping[Path, WireValue]:
    match values:
        case dict():
            return dict(_wanted(values))
        case _:
            raise ValueError("must be a table of names and wanted values")


def _wanted(values: Mapping[str, object], above: Path = ()) -> Iterator[tuple[Path, WireValue]]:
    """The wanted values as DynamoDB writes them; a nested table is a path."""
    for name, value in values.items():
        path = _path([*above, name])
        match value:
            case dict() if value:  # an empty one would match every record
                yield from _wanted(value, path)
            case bool():
                yield path, {"BOOL": value}
            case str():
                yield path, {"S": value}
            case int() | float() if abs(value) < math.inf:
                yield path, {"N": str(value)}
            case _:
                raise ValueError(f"{'.'.join(path)}: must be text, a number, true or false")


def _key_template(value: object) -> KeyTemplate:
    typed = {"S": value} if isinstance(value, str) else value
    if not isinstance(typed, dict) or len(typed) != 1 or not typed.keys() <= {"S", "N"}:
        raise ValueError('must be a template, or {N = "{field}"} for a number')
    ((kind, template),) = typed.items()
    if not isinstance(template, str) or not template:
        raise ValueError("must be text")
    part = KeyTemplate(kind, template)
    if re.search(r"[{}]", re.sub(r"\{\w+\}", "", template, flags=re.ASCII)):
        raise ValueError("reads a field as {name}, of letters, digits and underscores")
    if kind == "N" and not re.fullmatch(r"\d*\{\w+\}\d*", template, re.ASCII):
        raise ValueError("a number is one field, with digits around it at most")
    if E_MAIL_WORD.search(template):
        raise ValueError("looks like an e-mail address, which a key must not be")
    return part


type Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
type HoldReason = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
type Zone = Annotated[str, AfterValidator(_zone)]
type Period = Annotated[timedelta, BeforeValidator(_period, json_schema_input_type=str)]
type FieldPath = Annotated[Path, BeforeValidator(_path, json_schema_input_type=str | list[str])]
type Template = Annotated[
    KeyTemplate, BeforeValidator(_key_template, json_schema_input_type=str | dict[str, str])
]
Match = Annotated[Mapping[Path, WireValue], BeforeValidator(_match, json_schema_input_type=dict[str, Any])]
