"""Planted bugs in the reading and counting of instants."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.instants import DAY, FIRST, SECOND, AnchorFormat, UnreadableInstantError
from shared.policy import Rule
from shared.record import View
from tests.simulation.planted import I1, I2, I5, I10, planted, swap


@planted(I1)
def a_day_too_early(plant: pytest.MonkeyPatch) -> None:
    """The period is counted from the beginning of its first day."""
    swap(
        plant,
        "shared.retention._end_of_retention",
        lambda real: lambda rule, anchor: real(rule, anchor) - DAY,
    )


@planted(I5)
def rounded_down(plant: pytest.MonkeyPatch) -> None:
    """A due instant within a second is taken for the second's beginning."""
    swap(
        plant,
        "shared.retention.ceil",
        lambda real: lambda at, unit: at.replace(microsecond=0) if unit == SECOND else real(at, unit),
    )


@planted(I1)
def no_margin_for_clocks(plant: pytest.MonkeyPatch) -> None:
    """A function whose clock is ahead erases that much too early."""
    plant.setattr("shared.retention.SKEW", timedelta(0))
    plant.setattr("shared.purge_shard.SKEW", timedelta(0))


@planted(I1, I2, I5)
def offsets_are_ignored(plant: pytest.MonkeyPatch) -> None:
    """An anchor is read as if it were written in UTC."""
    swap(
        plant,
        "shared.retention.parse",
        lambda real: lambda text, *how: real(text, *how) and datetime.fromisoformat(text).replace(tzinfo=UTC),
    )


@planted(I1)
def the_format_is_guessed(plant: pytest.MonkeyPatch) -> None:
    """An anchor that is not written as its rule says is read in any other way that fits."""

    def guessing(real: Callable[..., datetime]) -> Callable[..., datetime]:
        def parse(text: str, _written: AnchorFormat, zone: object) -> datetime:
            for each in AnchorFormat:
                with suppress(UnreadableInstantError):
                    return real(text, each, zone)
            raise UnreadableInstantError("any")

        return parse

    swap(plant, "shared.retention.parse", guessing)


@planted(I10)
def naive_instants_are_accepted(plant: pytest.MonkeyPatch) -> None:
    """An event's instant without an offset is taken for UTC."""

    def lenient(real: Callable[[str], datetime]) -> Callable[[str], datetime]:
        def parse(text: str) -> datetime:
            try:
                return real(text)
            except UnreadableInstantError:
                return real(f"{text}Z")

        return parse

    swap(plant, "shared.contract.parse_rfc3339", lenient)


@planted(I1)
def absurd_anchors_count(plant: pytest.MonkeyPatch) -> None:
    """1970 is a date like any other."""
    swap(
        plant,
        "shared.retention.due_from",
        lambda real: lambda rule, anchor, now: real(replace(rule, not_before=FIRST), anchor, now),
    )


@planted(I1, I5)
def what_was_told_beats_the_record(plant: pytest.MonkeyPatch) -> None:
    """The record's own anchor counts only where nothing was told: nobody can put it right there."""

    def told_first(real: Callable[..., object]) -> Callable[..., object]:
        def anchor(rule: Rule, view: View) -> object:
            told = real(rule, replace(view, attributes={}))
            return told if isinstance(told, datetime) else real(rule, view)

        return anchor

    swap(plant, "shared.retention._effective_anchor", told_first)
