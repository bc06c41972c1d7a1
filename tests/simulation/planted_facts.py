"""Planted bugs in what is made of that which was told: departures, returns, shipments, corrections."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest

from shared.facts import FactKind, Facts
from shared.failure import CallFailedError
from shared.instants import MICROSECOND
from shared.policy import Merge, Trigger
from shared.record import RecordRef
from shared.telling import FactsToChange
from tests.simulation.planted import I1, I2, I5, I6, I10, everywhere, planted, swap


@planted(I1)
def a_tie_does_not_cancel(plant: pytest.MonkeyPatch) -> None:
    """`<` for `<=`: a departure at the very instant of the return counts."""
    swap(
        plant,
        "shared.retention._merged",
        lambda real: lambda anchor, facts, first: real(anchor, _earlier(facts, anchor.cancel), first),
    )


@planted(I10)
def a_shipment_is_not_kept(plant: pytest.MonkeyPatch) -> None:
    """Only departures are; whoever's record does not say when it was shipped is never due."""
    plant.setattr(
        "shared.schedule_deletion._only_told", lambda told, _rule, _view: told.trigger is Trigger.LEAVER
    )


@planted(I1)
def the_cancel_is_forgotten(plant: pytest.MonkeyPatch) -> None:
    """Whoever returned is treated as gone."""
    swap(
        plant,
        "shared.retention._merged",
        lambda real: lambda anchor, facts, first: real(replace(anchor, cancel=None), facts, first),
    )


@planted(I2, I5)
def latest_for_earliest(plant: pytest.MonkeyPatch) -> None:
    """Each repeated notice starts the clock anew."""
    swap(
        plant,
        "shared.retention._merged",
        lambda real: lambda anchor, facts, first: real(replace(anchor, merge=Merge.LATEST), facts, first),
    )


@planted(I1, I5)
def earliest_for_latest(plant: pytest.MonkeyPatch) -> None:
    """The first of several parcels counts."""
    swap(
        plant,
        "shared.retention._merged",
        lambda real: lambda anchor, facts, first: real(replace(anchor, merge=Merge.EARLIEST), facts, first),
    )


@planted(I1, I2, I5)
def arrival_order_is_trusted(plant: pytest.MonkeyPatch) -> None:
    """The instant that came last replaces those before it."""
    swap(
        plant,
        "shared.facts.Facts.told",
        lambda real: (
            lambda facts, kind, at: facts if facts.of(kind) == {at} else real(_without(facts, kind), kind, at)
        ),
    )


@planted(I1, I2, I5)
def a_return_cancels_what_came_before_it(plant: pytest.MonkeyPatch) -> None:
    """Came, not happened: what was told before is cancelled, what is told after it counts."""

    def told(facts: Facts, kind: FactKind, at: datetime) -> Facts:
        is_news = kind is FactKind.RETURNED and at not in facts.of(kind)
        return real_told(_without(facts, FactKind.LEFT) if is_news else facts, kind, at)

    real_told = Facts.told
    plant.setattr(Facts, "told", told)
    the_cancel_is_forgotten(plant)


@planted(I10)
def a_conflict_is_taken_for_a_failure(plant: pytest.MonkeyPatch) -> None:
    """Whoever meets another's write gives up, as if the table were down."""

    def insisting(real: Callable[..., bool]) -> Callable[..., bool]:
        def change(*of: Any) -> bool:
            if real(*of):
                return True
            raise CallFailedError("facts", "TransactionCanceledException")

        return change

    swap(plant, "tests.memory.MemoryFacts.change", insisting)


@planted(I10)
def a_conflict_is_taken_for_success(plant: pytest.MonkeyPatch) -> None:
    """Who is told something while somebody else writes the same facts does not try again."""
    everywhere(
        plant,
        "shared.telling.tell",
        lambda real: lambda record, changed, entry, facts: real(record, changed, entry, _Content(facts)),
    )


@planted(I6)
def what_is_known_is_told_again(plant: pytest.MonkeyPatch) -> None:
    """Each delivery raises the version, and is entered once more."""
    swap(
        plant,
        "shared.facts.Facts.told",
        lambda real: lambda facts, kind, at: replace(real(facts, kind, at), version=facts.version + 1),
    )


@planted(I1, I5)
def what_was_taken_back_still_counts(plant: pytest.MonkeyPatch) -> None:
    """An operator's correction adds the right instant, and leaves the wrong one."""
    plant.setattr(
        "shared.facts.Facts.corrected",
        lambda facts, kind, _was, becomes: facts.told(kind, becomes) if becomes else facts,
    )


@dataclass(frozen=True)
class _Content:
    """Facts, of which nobody asks whether the change was kept."""

    facts: FactsToChange

    def read(self, records: Collection[RecordRef]) -> Mapping[RecordRef, Facts]:
        return self.facts.read(records)

    def change(self, *change: Any) -> bool:
        return self.facts.change(*change) or True


def _without(facts: Facts, kind: FactKind) -> Facts:
    """Nothing of this kind was told."""
    return replace(facts, instants={**facts.instants, kind: frozenset()})


def _earlier(facts: Facts, kind: FactKind | None) -> Facts:
    """All of this kind were a moment earlier."""
    if kind is None:
        return facts
    return replace(
        facts, instants={**facts.instants, kind: frozenset(each - MICROSECOND for each in facts.of(kind))}
    )
