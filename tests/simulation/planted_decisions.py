"""Planted bugs in what is decided: instants, anchors, holds, and what was told."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import contract, hold_mark, purge_shard, retention
from shared.facts import FactKind, Facts, Hold
from shared.instants import SECOND, AnchorFormat, UnreadableInstantError
from shared.policy import Merge, Mode
from shared.record import HOLD_MARK
from shared.retention import Drop, Erase, Wait
from tests.simulation.oracle import Invariant
from tests.simulation.planted import planted

I1, I2, I3, I5, I6, I10 = (Invariant[f"I{number}"] for number in (1, 2, 3, 5, 6, 10))


@planted(I1, I3)
def holds_are_not_looked_at(plant: pytest.MonkeyPatch) -> None:
    """The decision forgets holds altogether."""
    plant.setattr(retention, "_held_until", lambda *_: None)


@planted(I1, I3)
def an_erasure_on_request_ignores_holds(plant: pytest.MonkeyPatch) -> None:
    """Only the clock is stopped by a hold."""
    original = retention.decide

    def decide(rule: Any, view: Any, now: datetime) -> Erase | Wait | Drop:
        if rule.on_request:
            seen = {path: each for path, each in view.attributes.items() if path != HOLD_MARK}
            view = replace(view, attributes=seen, facts=view.facts and replace(view.facts, holds={}))
        return original(rule, view, now)

    _everywhere(plant, "decide", original, decide)


@planted(I1)
def marks_of_others_are_no_holds(plant: pytest.MonkeyPatch) -> None:
    """Only Facts are asked; what the business system marked itself is not."""
    plant.setattr(retention, "mark_until", lambda _mark: datetime.min.replace(tzinfo=UTC))


@planted(I1)
def a_holds_end_is_compared_as_text(plant: pytest.MonkeyPatch) -> None:
    """The end on the record is cut off before its offset."""

    def mark_until(mark: Mapping[str, Any]) -> datetime | None:
        try:
            return datetime.fromisoformat(mark["M"]["until"]["S"][:19]).replace(tzinfo=UTC)
        except (KeyError, TypeError, ValueError):
            return None

    plant.setattr(retention, "mark_until", mark_until)


@planted(I1)
def a_hold_without_a_readable_end_has_ended(plant: pytest.MonkeyPatch) -> None:
    """What cannot be read is taken for nothing."""
    real = hold_mark.mark_until
    plant.setattr(retention, "mark_until", lambda mark: real(mark) or datetime.min.replace(tzinfo=UTC))


@planted(I1)
def no_margin_for_clocks(plant: pytest.MonkeyPatch) -> None:
    """A function whose clock is ahead erases that much too early."""
    plant.setattr(retention, "SKEW", timedelta(0))
    plant.setattr(purge_shard, "SKEW", timedelta(0))


@planted(I1)
def a_day_too_early(plant: pytest.MonkeyPatch) -> None:
    """The period is counted from the beginning of its first day."""
    real = retention._end_of_retention
    plant.setattr(retention, "_end_of_retention", lambda rule, anchor: real(rule, anchor) - timedelta(days=1))


@planted(I5)
def rounded_down(plant: pytest.MonkeyPatch) -> None:
    """A due instant within a second is taken for the second's beginning."""
    plant.setattr(
        retention,
        "ceil",
        lambda instant, to: instant.replace(microsecond=0) if to == SECOND else _ceil(instant, to),
    )


@planted(I1)
def a_tie_does_not_cancel(plant: pytest.MonkeyPatch) -> None:
    """`<` for `<=`: a departure at the very instant of the return counts."""

    def merged(anchor: Any, facts: Facts, not_before: datetime) -> Any:
        returned = {each - timedelta(microseconds=1) for each in facts.of(anchor.cancel)}
        instants = {**facts.instants, **({anchor.cancel: frozenset(returned)} if anchor.cancel else {})}
        return real(anchor, replace(facts, instants=instants), not_before)

    real = retention._merged
    plant.setattr(retention, "_merged", merged)


@planted(I1)
def the_cancel_is_forgotten(plant: pytest.MonkeyPatch) -> None:
    """Whoever returned is treated as gone."""
    real = retention._merged
    plant.setattr(
        retention, "_merged", lambda anchor, facts, first: real(replace(anchor, cancel=None), facts, first)
    )


@planted(I2, I5)
def latest_for_earliest(plant: pytest.MonkeyPatch) -> None:
    """Each repeated notice starts the clock anew."""
    real = retention._merged
    plant.setattr(
        retention,
        "_merged",
        lambda anchor, facts, first: real(replace(anchor, merge=Merge.LATEST), facts, first),
    )


@planted(I1, I5)
def earliest_for_latest(plant: pytest.MonkeyPatch) -> None:
    """The first of several parcels counts."""
    real = retention._merged
    plant.setattr(
        retention,
        "_merged",
        lambda anchor, facts, first: real(replace(anchor, merge=Merge.EARLIEST), facts, first),
    )


@planted(I1, I2, I5)
def arrival_order_is_trusted(plant: pytest.MonkeyPatch) -> None:
    """The instant that came last replaces those before it."""

    def told(facts: Facts, kind: FactKind, instant: datetime) -> Facts:
        known = facts.instants.get(kind, frozenset())
        if known == {instant}:
            return facts
        return replace(
            facts, version=facts.version + 1, instants={**facts.instants, kind: frozenset({instant})}
        )

    plant.setattr(Facts, "told", told)


@planted(I1, I3, I6)
def the_last_word_on_a_case_is_the_last_to_arrive(plant: pytest.MonkeyPatch) -> None:
    """An extension that comes before its opening is overwritten by it."""

    def held(facts: Facts, hold: Hold) -> Facts:
        if facts.holds.get(hold.case_ref) == hold:
            return facts
        return replace(facts, version=facts.version + 1, holds={**facts.holds, hold.case_ref: hold})

    plant.setattr(Facts, "held", held)


@planted(I6)
def what_is_known_is_told_again(plant: pytest.MonkeyPatch) -> None:
    """Each delivery raises the version, and is entered once more."""
    real = Facts.told

    def told(facts: Facts, kind: FactKind, instant: datetime) -> Facts:
        after = real(facts, kind, instant)
        return replace(facts, version=facts.version + 1) if after is facts else after

    plant.setattr(Facts, "told", told)


@planted(I1, I2)
def offsets_are_ignored(plant: pytest.MonkeyPatch) -> None:
    """An anchor is read as if it were written in UTC."""
    real = retention.parse

    def parse(text: str, written: AnchorFormat, zone: Any) -> datetime:
        real(text, written, zone)
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    plant.setattr(retention, "parse", parse)


@planted(I1)
def the_format_is_guessed(plant: pytest.MonkeyPatch) -> None:
    """An anchor without an offset is taken for UTC, a number for seconds."""
    real = retention.parse

    def parse(text: str, written: AnchorFormat, zone: Any) -> datetime:
        try:
            return real(text, written, zone)
        except UnreadableInstantError:
            return datetime.fromisoformat(text).replace(tzinfo=UTC)

    plant.setattr(retention, "parse", parse)


@planted(I10)
def naive_instants_are_accepted(plant: pytest.MonkeyPatch) -> None:
    """An event's instant without an offset is taken for UTC."""
    real = contract.parse_rfc3339

    def parse(text: str) -> datetime:
        try:
            return real(text)
        except UnreadableInstantError:
            return datetime.fromisoformat(text).replace(tzinfo=UTC)

    plant.setattr(contract, "parse_rfc3339", parse)


@planted(I1)
def absurd_anchors_count(plant: pytest.MonkeyPatch) -> None:
    """1970 is a date like any other."""
    real = retention.due_from
    plant.setattr(
        retention,
        "due_from",
        lambda rule, anchor, now: real(
            replace(rule, not_before=datetime.min.replace(tzinfo=UTC)), anchor, now
        ),
    )


@planted(I1)
def records_that_do_not_match_are_erased(plant: pytest.MonkeyPatch) -> None:
    """Every order is taken for a drop-shipment."""
    plant.setattr(retention, "_matches", lambda *_: True)


@planted(I1)
def observing_rules_erase(plant: pytest.MonkeyPatch) -> None:
    """The mode is not asked."""
    original = retention.decide

    def decide(rule: Any, view: Any, now: datetime) -> Erase | Wait | Drop:
        return original(replace(rule, mode=Mode.ENFORCE), view, now)

    _everywhere(plant, "decide", original, decide)


def _everywhere(plant: pytest.MonkeyPatch, name: str, original: Any, patched: Any) -> None:
    """Replace a function in all modules that import it."""
    for module in [each for key, each in sys.modules.items() if key.startswith("shared")]:
        if getattr(module, name, None) is original:
            plant.setattr(module, name, patched)


_ceil = retention.ceil
