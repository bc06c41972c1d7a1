"""The simulation holds what it promises: nothing is violated, it can be repeated, and it can fail."""

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.simulation.faults import Kind
from tests.simulation.history import Told
from tests.simulation.run import simulate
from tests.simulation.script import Mode, script
from tests.simulation.shorten import shorten
from tests.simulation.totals import Totals

ROOT = Path(__file__).parents[2]
SEEDS = 300
MOSTLY = {"facts.forget", "ledger.entries_of"}
"""Calls that are too rare to be crashed in each position within so few runs; `make simulate` sees to it."""


@pytest.fixture(scope="module")
def totals() -> Totals:
    """A few hundred runs, on all cores."""
    together = Totals()
    with ProcessPoolExecutor(os.process_cpu_count()) as workers:
        for result in workers.map(simulate, range(SEEDS), chunksize=5):
            together.add(result)
    return together


def test_nothing_is_violated(totals: Totals) -> None:
    """Whatever goes wrong: never early, never late, nothing else, with evidence, and all accounted for."""
    failed = {result.seed: str(result.violations[0]) for result in totals.failed}
    assert not failed, f"replay the first with `make simulate SEED={next(iter(failed))}`"


def test_everything_that_can_go_wrong_did(totals: Totals) -> None:
    """Each kind of fault was injected, and each call was crashed before it and after."""
    assert set(totals.injected) == {kind.value for kind in Kind}
    positions = {(name, at) for name in totals.calls.keys() - MOSTLY for at in ("before", "after")}
    assert positions <= totals.crashed.keys()


def test_there_was_something_to_do(totals: Totals) -> None:
    """A simulation in which nothing is erased, held or restored would hold every promise."""
    assert totals.erasures > 5 * SEEDS
    assert totals.cut_overs > SEEDS // 2
    assert totals.events > 30 * SEEDS


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_the_same_seed_gives_the_same_run(seed: int) -> None:
    """In another process with other hashes, too: a run that failed can be looked at anywhere."""
    run = f"from tests.simulation.run import simulate; print(simulate({seed}).trace)"
    env = {**os.environ, "PYTHONHASHSEED": "42", "PYTHONPATH": str(ROOT)}
    other = subprocess.run(  # noqa: S603 -- this very interpreter
        [sys.executable, "-c", run], check=True, capture_output=True, text=True, env=env, cwd=ROOT
    )
    assert simulate(seed).trace == other.stdout.strip()


def test_another_seed_is_another_run() -> None:
    """Else many runs would be one."""
    assert len({simulate(seed).trace for seed in range(4)}) == 4


def test_a_failing_run_is_made_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left fails in the same way, and is far less than all that happened."""
    monkeypatch.setattr(Told, "ends", lambda *_: [])
    monkeypatch.setattr("shared.retention._held_until", lambda *_: None)
    seed = next(seed for seed in range(40) if simulate(seed).violations)
    failed = simulate(seed)
    short = shorten(failed, most_runs=60)
    assert len(short) < len(script(seed, failed.mode)) / 2
    again = simulate(seed, short)
    assert failed.violations[0].invariant in {each.invariant for each in again.violations}


def test_all_modes_are_run() -> None:
    """With the healing parts, and with each of them switched off: they could mask what is wrong."""
    assert {simulate(seed).mode for seed in range(4)} == set(Mode)
