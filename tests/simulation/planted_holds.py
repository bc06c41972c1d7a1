"""Planted bugs in holds: placing, marking, closing, and looking at them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import pytest

from shared.disputes import Closed, MarkOutdated, Opened
from shared.evidence import Outcome
from shared.facts import Facts
from shared.hold_records import Ports, put_mark_right
from shared.instants import DAY, FIRST, LAST, add, to_text
from shared.outgoing import EventBus
from shared.record import HOLD_MARK, Path, RecordRef, View, WireValue, at_path
from shared.tally import Tally
from shared.telling import Telling
from tests.simulation.planted import I1, I2, I3, I4, I6, everywhere, planted, swap


@planted(I1, I3)
def holds_are_not_looked_at(plant: pytest.MonkeyPatch) -> None:
    """The decision forgets holds altogether."""
    plant.setattr("shared.retention._held_until", lambda *_: None)


@planted(I1, I3)
def an_erasure_on_request_ignores_holds(plant: pytest.MonkeyPatch) -> None:
    """Only the clock is stopped by a hold."""
    everywhere(
        plant,
        "shared.retention.decide",
        lambda real: lambda rule, view, now: real(rule, _unheld(view) if rule.on_request else view, now),
    )


@planted(I1)
def marks_of_others_are_no_holds(plant: pytest.MonkeyPatch) -> None:
    """Only Facts are asked; what the business system marked itself is not."""
    plant.setattr("shared.retention.mark_until", lambda _mark: FIRST)


@planted(I4)
def marks_of_others_are_taken_away(plant: pytest.MonkeyPatch) -> None:
    """When a case is closed, its mark goes, whoever put it there."""
    plant.setattr("shared.hold_mark._is_ours", lambda _mark: True)


@planted(I1)
def a_holds_end_is_compared_as_text(plant: pytest.MonkeyPatch) -> None:
    """The end on the record is cut off before its offset."""

    def mark_until(mark: Mapping[str, Any]) -> datetime | None:
        try:
            return datetime.fromisoformat(mark["M"]["until"]["S"][:19]).replace(tzinfo=UTC)
        except (KeyError, TypeError, ValueError):
            return None

    plant.setattr("shared.retention.mark_until", mark_until)


@planted(I1)
def a_hold_without_a_readable_end_has_ended(plant: pytest.MonkeyPatch) -> None:
    """What cannot be read is taken for nothing."""
    swap(plant, "shared.retention.mark_until", lambda real: lambda mark: real(mark) or FIRST)


@planted(I2)
def a_hold_never_lapses(plant: pytest.MonkeyPatch) -> None:
    """Its end is written down, and nobody looks at it."""
    swap(
        plant,
        "shared.retention._held_until",
        lambda real: (
            lambda view, now: (
                add(now, DAY) if any(not each.is_closed for each in _holds(view)) else real(view, now)
            )
        ),
    )


@planted(I2)
def a_closed_case_still_holds(plant: pytest.MonkeyPatch) -> None:
    """Until the end that was said first."""
    plant.setattr("shared.facts.Hold.is_closed", property(lambda _hold: False))


@planted(I2)
def a_stale_mark_costs_another_day(plant: pytest.MonkeyPatch) -> None:
    """It is taken away, and the timer that was put off to its end stays."""

    def untimed(real: Callable[..., Tally]) -> Callable[..., Tally]:
        def work(
            told: Opened | Closed | MarkOutdated, telling: Telling, ports: Ports, bus: EventBus
        ) -> Tally:
            if not isinstance(told, MarkOutdated):
                return real(told, telling, ports, bus)
            put_mark_right(told.record, telling.now, ports)
            return Tally()

        return work

    everywhere(plant, "shared.work_dispute.work_dispute", untimed)


@planted(I3)
def a_hold_is_placed_on_nothing(plant: pytest.MonkeyPatch) -> None:
    """Nobody asks whether a field is left: who placed it believes that the data is kept."""
    everywhere(
        plant,
        "shared.hold_mark.mark_change",
        lambda real: lambda facts, **seen: real(facts, **{**seen, "needs": ()}),
    )


@planted(I4)
def a_mark_says_for_ever(plant: pytest.MonkeyPatch) -> None:
    """Facts know when the hold ends; the record says 9999."""

    def wrong(real: Callable[..., WireValue | None]) -> Callable[..., WireValue | None]:
        def right_mark(facts: Facts | None, seen: WireValue | None, now: datetime) -> WireValue | None:
            mark = real(facts, seen, now)
            return mark if mark == seen or not mark else {"M": {**mark["M"], "until": {"S": to_text(LAST)}}}

        return right_mark

    everywhere(plant, "shared.hold_mark.right_mark", wrong)


@planted(I4)
def a_mark_stays_after_its_case(plant: pytest.MonkeyPatch) -> None:
    """Closed in Facts, and on the record until the end that was said first."""
    everywhere(
        plant,
        "shared.hold_mark.right_mark",
        lambda real: lambda facts, seen, now: real(facts, seen, now) or seen,
    )


@planted(I3)
def a_mark_that_was_wiped_stays_away(plant: pytest.MonkeyPatch) -> None:
    """The sweep says so, and nobody listens."""
    plant.setattr("shared.work_dispute.put_mark_right", lambda *_: False)


@planted(I1, I3)
def closing_one_case_closes_all(plant: pytest.MonkeyPatch) -> None:
    """Its reference is not compared."""
    swap(
        plant,
        "shared.facts.Facts.released",
        lambda real: (
            lambda facts, closing: reduce(
                lambda so_far, case: real(so_far, replace(closing, case_ref=case)),
                [closing.case_ref, *facts.holds],
                facts,
            )
        ),
    )


@planted(I2)
def nothing_is_timed_anew(plant: pytest.MonkeyPatch) -> None:
    """After a hold or a correction the timers stay as they were; the sweep would mask it, where it runs."""
    plant.setattr("shared.timing.Timing.time_anew", lambda *_: Tally())


@planted(I1, I3, I6)
def the_last_word_on_a_case_is_the_last_to_arrive(plant: pytest.MonkeyPatch) -> None:
    """An extension that comes before its opening is overwritten by it."""
    plant.setattr(
        "shared.facts.Facts.held",
        lambda facts, hold: (
            facts
            if facts.holds.get(hold.case_ref) == hold
            else replace(facts._with_case(hold), version=facts.version + 1)
        ),
    )


@planted(I3)
def a_mark_without_its_fact(plant: pytest.MonkeyPatch) -> None:
    """The record says that it is held; Facts do not know."""
    swap(
        plant,
        "tests.memory.MemoryFacts.change",
        lambda real: (
            lambda facts, record, before, after, entry, mark: (
                facts.mark(record, before, mark)
                if entry.outcome is Outcome.HOLD_PLACED
                else real(facts, record, before, after, entry, mark)
            )
        ),
    )


@planted(I1, I3)
def a_fact_without_its_mark(plant: pytest.MonkeyPatch) -> None:
    """Facts know the hold; the record does not say so, and the purge has looked already."""
    swap(
        plant,
        "tests.memory.MemoryFacts.change",
        lambda real: (
            lambda facts, record, before, after, entry, _mark: real(facts, record, before, after, entry, None)
        ),
    )


@planted(I3)
def a_hold_is_acknowledged_whatever_comes_of_it(plant: pytest.MonkeyPatch) -> None:
    """The answer of the transaction is not looked at."""
    swap(
        plant,
        "tests.memory.MemoryFacts.change",
        lambda real: (
            lambda facts, record, before, after, entry, mark: (
                real(facts, record, before, after, entry, mark) or entry.outcome is Outcome.HOLD_PLACED
            )
        ),
    )


@planted(I3)
def a_busy_record_is_called_too_late(plant: pytest.MonkeyPatch) -> None:
    """A hold that meets another's write is refused, though there is something to hold."""
    _ask_before_refusing(plant, lambda _record, _paths, _of: False)


@planted(I3)
def a_hold_needs_all_fields(plant: pytest.MonkeyPatch) -> None:
    """`all` for `any`: of a record that has lost one of them, the others cannot be held."""
    swap(
        plant,
        "tests.memory.MemoryFacts._holds",
        lambda real: (
            lambda facts, record, mark: (
                real(facts, record, mark)
                and all(at_path(facts.memory.items.get(record, {}), path) is not None for path in mark.needs)
            )
        ),
    )
    _ask_before_refusing(
        plant, lambda record, paths, of: all(of.has_fields(record, [path]) for path in paths)
    )


class _Asked:
    """The business tables, where a hold asks in a way of its own whether there is something to hold."""

    def __init__(self, of: Any, has_fields: Any) -> None:
        self._of, self._has_fields = of, has_fields

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)

    def has_fields(self, record: RecordRef, paths: Collection[Path]) -> bool:
        return bool(self._has_fields(record, paths, self._of))


def _ask_before_refusing(plant: pytest.MonkeyPatch, has_fields: Any) -> None:
    everywhere(
        plant,
        "shared.hold_records.place_hold",
        lambda real: (
            lambda record, hold, telling, of: real(
                record, hold, telling, replace(of, records=_Asked(of.records, has_fields))
            )
        ),
    )


def _holds(view: View) -> Collection[Any]:
    return view.facts.holds.values() if view.facts else ()


def _unheld(view: View) -> View:
    """As if nobody held the record."""
    seen = {path: each for path, each in view.attributes.items() if path != HOLD_MARK}
    return replace(view, attributes=seen, facts=view.facts and replace(view.facts, holds={}))
