"""Which invariants notice a planted bug: over some seeds, and on the one seed that shows it best."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

# Importing them plants nothing; it adds them to the list.
from tests.simulation import (
    planted_answers,
    planted_brakes,
    planted_erase,
    planted_evidence,
    planted_facts,
    planted_holds,
    planted_instants,
    planted_restore,
    planted_sweep,
    planted_timers,
)
from tests.simulation.oracle import Invariant
from tests.simulation.planted import PLANTED, Planted
from tests.simulation.run import Result, simulate

RECORD = Path(__file__).with_name("caught.json")
"""What the last full run came to: for each bug who noticed, and the seed that the tests use."""
MOST_SEEDS = 600
"""Over which a bug that is seldom noticed is tried."""


@dataclass(frozen=True)
class Caught:
    """Who noticed a bug: in how many runs each, and the first seed by which the bug's own invariant did."""

    bug: str
    by: Mapping[str, int]
    seed: int | None
    mode: str

    @property
    def alone(self) -> str | None:
        """The only invariant that noticed, if it is one."""
        return next(iter(self.by)) if len(self.by) == 1 else None


def noticed(bug: Planted, seed: int) -> tuple[Result, set[Invariant]]:
    """Run one seed with a bug."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        bug.plant(monkeypatch)
        result = simulate(seed)
    return result, {each.invariant for each in result.violations}


def catch(name: str, seeds: int) -> Caught:
    """Run a bug over so many seeds; over more, until it is noticed."""
    bug, by, first, mode = PLANTED[name], Counter[str](), None, ""
    for seed in range(MOST_SEEDS):
        if seed >= seeds and first is not None:
            break
        result, invariants = noticed(bug, seed)
        by.update(each.name for each in invariants)
        if first is None and invariants & set(bug.by):
            first, mode = seed, result.mode.value
    return Caught(name, dict(sorted(by.items(), key=lambda each: int(each[0][1:]))), first, mode)


def recorded() -> dict[str, Caught]:
    """What the last full run came to."""
    return {name: Caught(name, **found) for name, found in json.loads(RECORD.read_text()).items()}


def record(all_caught: Iterable[Caught]) -> None:
    """Keep what a full run came to."""
    found = {each.bug: {"by": each.by, "seed": each.seed, "mode": each.mode} for each in all_caught}
    RECORD.write_text(json.dumps(found, indent=1) + "\n")


def needed(all_caught: Iterable[Caught]) -> dict[Invariant, list[str]]:
    """For each invariant the bugs that nobody else notices: without it, they would get through."""
    alone = [(each.alone, each.bug) for each in all_caught]
    return {invariant: [bug for by, bug in alone if by == invariant.name] for invariant in Invariant}


__all__ = [
    "PLANTED",
    "Caught",
    "catch",
    "needed",
    "planted_answers",
    "planted_brakes",
    "planted_erase",
    "planted_evidence",
    "planted_facts",
    "planted_holds",
    "planted_instants",
    "planted_restore",
    "planted_sweep",
    "planted_timers",
    "record",
    "recorded",
]
