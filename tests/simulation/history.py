"""What the oracle knows of one record: what was told about it, and what follows, worked out its own way.

Nothing here comes from the program, nor is it computed by the program's code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.simulation.promises import DAY, Promise

FOR_EVER = datetime(9000, 1, 1, tzinfo=UTC)
NOT_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
COMPLETED = {"erased", "already_absent"}

type Item = Mapping[str, Any]


@dataclass(frozen=True)
class Instant:
    """A departure, a return, a shipment."""

    kind: str
    at: datetime


@dataclass(frozen=True)
class Opening:
    """A hold placed or changed."""

    case: str
    since: datetime
    until: datetime
    reason: str
    by: str


@dataclass(frozen=True)
class Closing:
    """A hold closed."""

    case: str
    at: datetime
    by: str


@dataclass(frozen=True)
class Asked:
    """A request for erasure."""

    request: str
    at: datetime


@dataclass(frozen=True)
class Corrected:
    """An instant taken back, and another, or none, in its place."""

    kind: str
    was: datetime
    becomes: datetime | None


type Said = Instant | Opening | Closing | Asked | Corrected


@dataclass
class Told:
    """All that was told about a record and kept: sets, so that their order cannot matter."""

    said: set[Said] = field(default_factory=set)
    withdrawn: set[tuple[str, datetime]] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    """Requests that were answered with a refusal: they have to be asked anew."""

    def hear(self, said: Said) -> None:
        """Keep it."""
        self.said.add(said)
        match said:
            case Corrected(kind, was, becomes):
                self.withdrawn.add((kind, was))
                if becomes:
                    self.said.add(Instant(kind, becomes))
                    self.withdrawn.discard((kind, becomes))
            case Asked(request):
                self.refused.discard(request)

    def instants(self, kind: str | None) -> set[datetime]:
        """The instants of a kind that count."""
        all_of_kind = {each.at for each in self.said if isinstance(each, Instant) and each.kind == kind}
        return {each for each in all_of_kind if (kind, each) not in self.withdrawn}

    def asked_at(self) -> set[datetime]:
        """When erasure was asked for, but for what was refused."""
        return {each.at for each in self.said if isinstance(each, Asked) and each.request not in self.refused}

    def ends(self, more: Iterable[Opening] = ()) -> list[datetime]:
        """The ends of holds that were not closed, of each case by its last word."""
        openings = [*more, *(each for each in self.said if isinstance(each, Opening))]
        last: dict[str, Opening] = {}
        for each in openings:
            known = last.get(each.case)
            if known is None or _order(each) > _order(known):
                last[each.case] = each
        closed: dict[str, datetime] = {}
        for said in self.said:
            if isinstance(said, Closing):
                closed[said.case] = max(closed.get(said.case, said.at), said.at)
        return [each.until for case, each in last.items() if case not in closed or closed[case] < each.since]


def _order(opening: Opening) -> tuple[datetime, datetime, str, str]:
    return opening.since, opening.until, opening.reason, opening.by


def value(item: Item, path: tuple[str, ...]) -> Any | None:
    """What stands at a path; `None` if nothing does."""
    found: Any = {"M": item}
    for name in path:
        found = found.get("M", {}).get(name) if found else None
    return found


def present(item: Item | None, paths: Iterable[tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
    """Which of the fields an item has."""
    return frozenset(path for path in paths if item and value(item, path) is not None)


def due(promise: Promise, item: Item, told: Told, now: datetime) -> datetime | None:
    """When a promise is to be kept; `None` if it is not about the record as it stands."""
    if promise.on_request:
        asked = told.asked_at()
        return _whole_second(min(asked)) if asked else None
    if promise.match and item.get(promise.match[0]) != promise.match[1]:
        return None
    anchor = _anchor(promise, item, told)
    if anchor is None or not NOT_BEFORE <= anchor <= now + DAY:
        return None
    return _whole_second(anchor + promise.days * DAY)


def _whole_second(exact: datetime) -> datetime:
    """Rounded up."""
    return exact if exact.microsecond == 0 else exact.replace(microsecond=0) + timedelta(seconds=1)


def _anchor(promise: Promise, item: Item, told: Told) -> datetime | None:
    own = item.get(promise.attribute) if promise.attribute else None
    if own is not None and "NULL" not in own:
        try:
            parsed = datetime.fromisoformat(own["S"])
        except (KeyError, ValueError):
            return None
        return parsed.astimezone(UTC) if parsed.tzinfo else None
    cancelled = max(told.instants(promise.cancel), default=None)
    standing = {each for each in told.instants(promise.fact) if cancelled is None or each > cancelled}
    plausible = {each for each in standing if each >= NOT_BEFORE} or standing
    if not plausible:
        return None
    return min(plausible) if promise.earliest else max(plausible)


def mark_end(item: Item) -> datetime | None:
    """When the hold that is marked on a record ends; `None` if none is marked."""
    mark = item.get("legal_hold")
    if mark is None or "NULL" in mark:
        return None
    try:
        parsed = datetime.fromisoformat(mark["M"]["until"]["S"])
    except (KeyError, TypeError, ValueError):
        return FOR_EVER
    return parsed.astimezone(UTC) if parsed.tzinfo else FOR_EVER


def is_ours(item: Item) -> bool:
    """Whether the hold that is marked on a record was marked by Lapse."""
    mark = item.get("legal_hold")
    return bool(mark and mark.get("M", {}).get("by") == {"S": "lapse"})
