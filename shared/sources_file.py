"""Reading `sources.toml`: every key, and every refusal, with an error that says where.

The entries' own types are in `sources`; here is only how they are written. docs/sources.md explains the keys.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from shared.expression import Expression, compile_expression
from shared.instants import AnchorFormat
from shared.policy_fields import Name, Zone
from shared.sources import CONTRACT, Becomes, Instant, Kind, Match, Reason, Source

SHIPPED = Path(__file__).with_name("sources.toml")
"""The file that is part of the functions' artifact."""

_OF_PRODUCTION = ("for_each", "record_id", "instant", "instant_format", "instant_zone", "fields", "ignore_if")
_LOCAL = (AnchorFormat.NAIVE, AnchorFormat.DATE)

Compiled = Annotated[Expression, BeforeValidator(compile_expression)]
SourcePattern = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^*]+\*?$")]
FieldName = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]


class SourcesError(Exception):
    """The sources file cannot be used."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems: where and what, a line each."""
        super().__init__("\n".join(problems))
        self.problems = problems


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )


class MatchText(_Strict):
    """Which foreign events an entry is about."""

    source: SourcePattern = Field(description="The envelope's source; a trailing * stands for any ending.")
    detail_type: str = Field(min_length=1, description="The envelope's detail-type.")
    conditions: list[Compiled] = Field(default_factory=list, description="All must say true; asked in order.")


class EntryText(_Strict):
    """One foreign event: what it becomes, or why it is refused."""

    id: Name = Field(description="The entry's name, in metrics.")
    match: MatchText
    refuse: Literal[Reason.NEEDS_FETCH] | None = Field(default=None, description="Refuse it.")
    kind: Kind | None = Field(default=None, description="The contract event that it becomes.")
    for_each: Compiled | None = Field(default=None, description="An array: one record for each `item`.")
    record_id: Compiled | None = Field(default=None, description="Where the record's id stands.")
    instant: Compiled | None = Field(default=None, description="Where the instant stands.")
    instant_format: AnchorFormat | None = Field(default=None, description="How it is written. Never guessed.")
    instant_zone: Zone | None = Field(default=None, description="The zone of naive times and bare dates.")
    time_of_receipt: bool = Field(default=False, description="There is no instant: take the time of receipt.")
    fields: dict[FieldName, Compiled] = Field(
        default_factory=dict, max_length=16, description="For own keys."
    )
    ignore_if: list[Compiled] = Field(default_factory=list, description="If any is true: left out.")

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.refuse:
            if unused := sorted(self.model_fields_set & {"kind", "time_of_receipt", *_OF_PRODUCTION}):
                raise ValueError(f"refuse: stands alone, without {', '.join(unused)}")
            return self
        if self.kind is None or self.record_id is None:
            raise ValueError("needs kind and record_id, or refuse")
        contract = CONTRACT[self.kind]
        if taken := self.fields.keys() & {"v", contract.id_field, contract.instant_field}:
            raise ValueError(f"fields: the contract has a {min(taken)} already")
        return self._has_one_instant()

    def _has_one_instant(self) -> Self:
        if (self.instant is None) != self.time_of_receipt:
            raise ValueError("needs either instant or time_of_receipt = true")
        if (self.instant is None) != (self.instant_format is None):
            raise ValueError("instant_format: belongs to an instant, and each instant needs it")
        if (self.instant_format in _LOCAL) != (self.instant_zone is not None):
            raise ValueError("instant_zone: naive times and bare dates need it, others carry their own")
        return self


class SourcesText(_Strict):
    """The whole sources file."""

    version: Literal[1] = Field(description="Version of this file format.")
    sources: list[EntryText] = Field(default_factory=list, description="The foreign events.")

    @model_validator(mode="after")
    def _has_unique_ids(self) -> Self:
        ids = [entry.id for entry in self.sources]
        if twice := sorted({each for each in ids if ids.count(each) > 1}):
            raise ValueError(f"sources: the id {twice[0]} stands there twice")
        return self


def read_sources(text: bytes) -> tuple[Source, ...]:
    """Read a sources file, compiling every expression.

    Raises:
        SourcesError: it cannot be used; says which entry and key, and why.
    """
    try:
        written: dict[str, Any] = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:  # a number of too many digits is a plain ValueError
        raise SourcesError([f"not TOML: {error}"]) from None
    try:
        return tuple(_source(entry) for entry in SourcesText.model_validate(written).sources)
    except ValidationError as error:
        raise SourcesError(_problems(error, written)) from None


def shipped_sources() -> tuple[Source, ...]:
    """The entries of the file in the artifact; none if it was left out."""
    return read_sources(SHIPPED.read_bytes()) if SHIPPED.exists() else ()


def _source(entry: EntryText) -> Source:
    match = Match(entry.match.source, entry.match.detail_type, tuple(entry.match.conditions))
    if entry.refuse is not None or entry.kind is None or entry.record_id is None:
        return Source(entry.id, match, entry.refuse or Reason.NEEDS_FETCH)
    becomes = Becomes(
        kind=entry.kind,
        for_each=entry.for_each,
        record_id=entry.record_id,
        instant=_instant(entry),
        fields=dict(entry.fields),
        ignore_if=tuple(entry.ignore_if),
    )
    return Source(entry.id, match, becomes)


def _instant(entry: EntryText) -> Instant | None:
    if entry.instant is None or entry.instant_format is None:
        return None
    return Instant(entry.instant, entry.instant_format, ZoneInfo(entry.instant_zone or "UTC"))


def _problems(error: ValidationError, written: dict[str, Any]) -> list[str]:
    """A line for each problem: the entry by number and name, the key, and what is wrong."""
    problems = []
    for each in error.errors(include_url=False, include_input=False):
        match each["loc"]:
            case ("sources", int(number), *rest):
                where = [
                    f"sources.{number + 1}{_id_of(written['sources'][number])}",
                    ".".join(map(str, rest)),
                ]
            case loc:
                where = [".".join(map(str, loc))]
        problems.append(": ".join([*filter(None, where), each["msg"].removeprefix("Value error, ")]))
    return problems


def _id_of(entry: object) -> str:
    return f" ({entry['id']})" if isinstance(entry, dict) and isinstance(entry.get("id"), str) else ""
