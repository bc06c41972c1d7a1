"""Facts: what only Lapse was told about a record. Departures, returns, shipments, holds.

A fact outlives whatever a business system writes over the record, because it is kept elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise


class FactKind(StrEnum):
    """What an instant is about."""

    SHIPPED = "shipped"
    LEFT = "left"
    RETURNED = "returned"


CANCELS: Mapping[FactKind, FactKind] = {FactKind.LEFT: FactKind.RETURNED}
"""Which kind of fact cancels which."""

MOST_INSTANTS = 50
"""How many instants of one kind a record keeps."""


@dataclass(frozen=True)
class Hold:
    """A dispute that keeps a record's personal fields: why, which case, who asked, from when until when."""

    reason_code: str
    case_ref: str
    opened_by: str
    since: datetime | None
    until: datetime | None
    """`None` where what is stored cannot be read: then the hold is in force."""


@dataclass(frozen=True)
class Facts:
    """All that was told about one record. `version` is raised by each change; an absent row is version 0."""

    version: int = 0
    instants: Mapping[FactKind, frozenset[datetime]] = field(default_factory=dict)
    holds: Mapping[str, Hold] = field(default_factory=dict)

    def of(self, kind: FactKind | None) -> frozenset[datetime]:
        """The instants of a kind."""
        return self.instants.get(kind, frozenset()) if kind else frozenset()

    def told(self, kind: FactKind, instant: datetime) -> "Facts":
        """These facts and one instant more; the very same if it was known already, or cannot matter."""
        known = self.of(kind)
        instants = known if instant in known else self._bounded(kind, known | {instant})
        if instants == known:
            return self
        return replace(self, version=self.version + 1, instants={**self.instants, kind: instants})

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
