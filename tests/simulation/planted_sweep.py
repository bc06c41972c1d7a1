"""Planted bugs in the sweep."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from shared.instants import FIRST
from tests.simulation.planted import I1, I2, I9, I10, everywhere, planted, swap

WORK_PAGE = "shared.sweep_part.PartsOfSweep._work_page"


@planted(I2)
def the_sweep_finds_nothing(plant: pytest.MonkeyPatch) -> None:
    """No timer is ever set by it."""
    plant.setattr("shared.set_timers.SettingTimers.work", lambda *_args, **_options: None)


@planted(I2)
def the_sweep_looks_at_facts_alone(plant: pytest.MonkeyPatch) -> None:
    """Imported records, of which nothing was told, are never found."""
    plant.setattr("shared.sweep_pages.Pages.work_records", lambda *_: None)


@planted(I2)
def a_sweep_without_paging(plant: pytest.MonkeyPatch) -> None:
    """The first page of each segment is taken for all of it."""
    swap(
        plant,
        WORK_PAGE,
        lambda real: lambda parts, pages, part, progress: _through(real(parts, pages, part, progress)),
    )


@planted(I2)
def the_cursor_skips_a_page(plant: pytest.MonkeyPatch) -> None:
    """It is moved once when a page is read, and once more when it is worked."""
    swap(
        plant,
        WORK_PAGE,
        lambda real: (
            lambda parts, pages, part, progress: (
                worked
                if (worked := real(parts, pages, part, progress))[0].done
                else real(parts, UNWORKED, part, worked[0])
            )
        ),
    )


@planted(I2)
def a_done_flag_instead_of_the_data(plant: pytest.MonkeyPatch) -> None:
    """What was erased once is never looked at again; what is written back stays."""
    swap(
        plant,
        "shared.set_timers.SettingTimers._is_there",
        lambda real: (
            lambda setting, found, timer, *, sure: (
                not setting.ports.ledger.has_erased(found.record, found.rule.id, since=FIRST)
                and real(setting, found, timer, sure=sure)
            )
        ),
    )


@planted(I2)
def a_new_edition_is_never_swept(plant: pytest.MonkeyPatch) -> None:
    """The sweep reads the policy once, and goes by it for ever."""
    first: dict[str, Any] = {}
    everywhere(
        plant,
        "shared.sweep.sweep",
        lambda real: (
            lambda policy, *of, by_hand: real(first.setdefault("policy", policy), *of, by_hand=by_hand)
        ),
    )


@planted(I1, I2, I9, I10)
def facts_go_with_their_record(plant: pytest.MonkeyPatch) -> None:
    """As soon as it is gone; if it is only yet to come, or is restored, nobody knows them any more."""
    plant.setattr("shared.sweep_pages.Pages._is_spent", lambda *_: True)


UNWORKED = SimpleNamespace(counts=Counter(), work_facts=lambda *_: None, work_records=lambda *_: None)
"""As a page that nothing is done with."""


def _through(worked: tuple[Any, float]) -> tuple[Any, float]:
    further, units = worked
    return replace(further, cursor=None, done=True), units
