"""Planted bugs in what keeps Lapse from erasing: pauses, the limit of a run, rules that only observe."""

from dataclasses import replace

import pytest

from shared.policy import Mode
from tests.simulation.planted import I1, everywhere, planted, swap


@planted(I1)
def a_pause_is_read_once(plant: pytest.MonkeyPatch) -> None:
    """Later batches of the run do not ask again."""
    asked: dict[int, bool] = {}
    swap(
        plant,
        "shared.purge_shard.ShardRun._is_paused",
        lambda real: lambda run: asked.setdefault(id(run), real(run)),
    )


@planted(I1)
def pauses_are_ignored(plant: pytest.MonkeyPatch) -> None:
    """Nobody asks."""
    plant.setattr("shared.pausing.Pause.in_force", lambda *_: False)


@planted(I1)
def no_limit_per_run(plant: pytest.MonkeyPatch) -> None:
    """`max_erasures_per_run` is not counted."""
    plant.setattr("shared.allowance.Allowance.take", lambda _allowance: True)
    plant.setattr("shared.allowance.Allowance.spent", False)


@planted(I1)
def observing_rules_erase(plant: pytest.MonkeyPatch) -> None:
    """The mode is not asked."""
    everywhere(
        plant,
        "shared.retention.decide",
        lambda real: lambda rule, view, now: real(replace(rule, mode=Mode.ENFORCE), view, now),
    )
