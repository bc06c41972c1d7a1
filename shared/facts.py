"""Facts: what only Lapse was told about a record. Departures, returns, shipments, holds, requests.

A fact outlives whatever a business system writes over the record, because it is kept elsewhere. Whatever is
told may come in any order and any number of times: it counts by its own instant, never by its arrival.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from shared.instants import FIRST, LAST


class FactKind(StrEnum):
    """What an instant is about."""

    SHIPPED = "shipped"
    LEFT = "left"
    RETURNED = "returned"
    REQUESTED = "requested"


CANCELS: Mapping[FactKind, FactKind] = {FactKind.LEFT: FactKind.RETURNED}
"""Which kind of fact cancels which."""

MOST_INSTANTS = 50
"""How many instants of one kind a record keeps."""
MOST_CASES = 50
"""How many cases a record keeps, but for those that hold it."""
MOST_REQUESTS = 50
"""How many requests a record keeps, but for those that wait for their answer."""
COMPLETED = {"erased", "already_absent"}
"""The answers to a request that say that it was carried out."""


@dataclass(frozen=True)
class Hold:
    """A dispute that keeps a record's personal fields: why, which case, who asked, from when until when."""

    reason_code: str
    case_ref: str
    opened_by: str
    since: datetime | None
    """When it was opened, or last extended; `None` if only its end was told so far."""
    until: datetime | None
    """`None` where what is stored cannot be read: then the hold is in force."""
    closed_at: datetime | None = None
    closed_by: str = ""

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, and not opened again since. Closed as it was opened is closed."""
        return self.closed_at is not None and (self.since is None or self.closed_at >= self.since)

    def in_force(self, now: datetime) -> bool:
        """Whether it keeps the record now."""
        return not self.is_closed and (self.until is None or self.until > now)


@dataclass(frozen=True)
class Closing:
    """A case that was closed."""

    case_ref: str
    closed_by: str
    closed_at: datetime


@dataclass(frozen=True)
class Request:
    """A request to erase a record's personal fields now. It stands after its answer: fields may come back."""

    request_id: str
    requested_at: datetime
    approved_by: str
    answered_at: datetime | None = None
    answer: str = ""
    """`erased`, `already_absent`, or the reason of a refusal."""

    @property
    def is_refused(self) -> bool:
        """Whether whoever asked was told that nothing is erased: then nothing may be erased for it later."""
        return self.answered_at is not None and self.answer not in COMPLETED


@dataclass(frozen=True)
class Facts:
    """All that was told about one record. `version` is raised by each change."""

    version: int = 0
    instants: Mapping[FactKind, frozenset[datetime]] = field(default_factory=dict)
    holds: Mapping[str, Hold] = field(default_factory=dict)
    """By case reference."""
    requests: Mapping[str, Request] = field(default_factory=dict)
    """By request id."""
    withdrawn: Mapping[FactKind, frozenset[datetime]] = field(default_factory=dict)
    """Instants that an operator took back: telling them again does not bring them back."""

    @classmethod
    def begun(cls, now: datetime) -> "Facts":
        """Nothing told yet. The version begins with the time, so that a row made anew is not the old one."""
        return cls(version=int(now.timestamp() * 1000))

    def of(self, kind: FactKind | None) -> frozenset[datetime]:
        """The instants of a kind that count."""
        if kind is None:
            return frozenset()
        return self.instants.get(kind, frozenset()) - self.withdrawn.get(kind, frozenset())

    def in_force(self, now: datetime) -> tuple[Hold, ...]:
        """The holds that keep the record now."""
        return tuple(hold for hold in self.holds.values() if hold.in_force(now))

    def open_requests(self) -> tuple[Request, ...]:
        """The requests that nobody was given an answer to."""
        return tuple(request for request in self.requests.values() if request.answered_at is None)

    def told(self, kind: FactKind, instant: datetime) -> "Facts":
        """These facts and one instant more; the very same if it was known, taken back, or cannot matter."""
        known = self.instants.get(kind, frozenset())
        is_news = instant not in known | self.withdrawn.get(kind, frozenset())
        instants = self._bounded(kind, known | {instant}) if is_news else known
        if instants == known:
            return self
        return replace(self._raised(), instants={**self.instants, kind: instants})

    def corrected(self, kind: FactKind, was: datetime, becomes: datetime | None) -> "Facts":
        """These facts with an instant taken back, and another, or none, in its place."""
        right = {becomes} if becomes else set()
        known, withdrawn = self.instants.get(kind, frozenset()), self.withdrawn.get(kind, frozenset())
        instants = self._bounded(kind, (known - {was}) | right)
        taken_back = frozenset(sorted((withdrawn | {was}) - right)[-MOST_INSTANTS:])
        if (instants, taken_back) == (known, withdrawn):
            return self
        return replace(
            self._raised(),
            instants={**self.instants, kind: instants},
            withdrawn={**self.withdrawn, kind: taken_back},
        )

    def held(self, hold: Hold) -> "Facts":
        """These facts and a hold placed, extended or shortened; the very same if a later word is known."""
        known = self.holds.get(hold.case_ref)
        if known is None:
            return self._with_case(hold)
        if known.since is not None and _said(known) >= _said(hold):
            return self
        return self._with_case(replace(hold, closed_at=known.closed_at, closed_by=known.closed_by))

    def released(self, closing: Closing) -> "Facts":
        """These facts and a case closed; also if its opening was not told yet."""
        known = self.holds.get(closing.case_ref) or Hold("", closing.case_ref, "", since=None, until=None)
        said = known.closed_at, known.closed_by
        if known.closed_at is not None and said >= (closing.closed_at, closing.closed_by):
            return self
        return self._with_case(replace(known, closed_at=closing.closed_at, closed_by=closing.closed_by))

    def requested(self, request: Request) -> "Facts":
        """These facts and a request; the very same if its id is known, unless that was refused."""
        known = self.requests.get(request.request_id)
        if known is not None and not known.is_refused:
            return self
        told = self.told(FactKind.REQUESTED, request.requested_at)
        requests = _few({**self.requests, request.request_id: request})
        return replace(told, version=self.version + 1, requests=requests)

    def answered(self, request_ids: Iterable[str], at: datetime, answer: str) -> "Facts":
        """These facts with open requests answered. A refused one does not start the clock any more."""
        answers = {
            each: replace(self.requests[each], answered_at=at, answer=answer)
            for each in request_ids
            if each in self.requests and self.requests[each].answered_at is None
        }
        if not answers:
            return self
        after = replace(self._raised(), requests={**self.requests, **answers})
        asked = self.instants.get(FactKind.REQUESTED, frozenset()) - after.spent_requests()
        instants = {**self.instants, FactKind.REQUESTED: asked}
        return replace(after, requests=_few(after.requests), instants=instants)

    def spent_requests(self) -> frozenset[datetime]:
        """The instants of requests that were refused, but for those that another one that stands has, too."""
        standing = {each.requested_at for each in self.requests.values() if not each.is_refused}
        refused = {each.requested_at for each in self.requests.values() if each.is_refused}
        return frozenset(refused - standing)

    def last_instant(self) -> datetime:
        """The last instant that any of this is about: what these facts may be needed for begins there."""
        told = [each for kinds in (self.instants, self.withdrawn) for kind in kinds.values() for each in kind]
        ends = [each for hold in self.holds.values() for each in (hold.until, hold.closed_at) if each]
        answers = [each.answered_at or LAST for each in self.requests.values()]
        return max([*told, *ends, *answers], default=FIRST)

    def _raised(self) -> "Facts":
        return replace(self, version=self.version + 1)

    def _with_case(self, hold: Hold) -> "Facts":
        """One case changed; of too many, the one that ended first is forgotten."""
        cases = {**self.holds, hold.case_ref: hold}
        if len(cases) > MOST_CASES:
            ended = [each for each in cases.values() if each.is_closed]
            spent = min(ended, key=lambda each: each.closed_at or LAST, default=None)
            if spent:
                del cases[spent.case_ref]
        return self if cases == self.holds else replace(self._raised(), holds=cases)

    def _bounded(self, kind: FactKind, instants: frozenset[datetime]) -> frozenset[datetime]:
        """Keep the set small by dropping one instant, if possible one that can never decide anything.

        What lies at or before the last cancel is spent, and of cancels only the last counts: there the
        earliest is dropped, so that telling it again changes nothing. Else the instant closest to its
        successor goes: taking the successor instead is late by the least, and never early.
        """
        if len(instants) <= MOST_INSTANTS:
            return instants
        in_order = sorted(instants)
        cancels = instants if kind in CANCELS.values() else self.of(CANCELS.get(kind))
        if cancels and in_order[0] <= max(cancels):
            return instants - {in_order[0]}
        standing = in_order[1:]  # the earliest always counts
        closest = min(pairwise(standing), key=lambda pair: pair[1] - pair[0])[0]
        return instants - {closest}


def _few(requests: Mapping[str, Request]) -> Mapping[str, Request]:
    """Of too many, those that were answered first are forgotten; of two answered at once, always the same."""
    answered = sorted((each.answered_at, name) for name, each in requests.items() if each.answered_at)
    spent = {name for _, name in answered[: max(0, len(requests) - MOST_REQUESTS)]}
    return {name: each for name, each in requests.items() if name not in spent}


def _said(hold: Hold) -> tuple[datetime, datetime, str, str]:
    """What decides between two words on one case: the later; of two at once, the one that holds longer.

    Two that differ in nothing but their words are told apart by these, so that arrival never counts.
    """
    return hold.since or FIRST, hold.until or LAST, hold.reason_code, hold.opened_by
