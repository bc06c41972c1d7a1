"""Planted bugs: each breaks one thing on purpose, and the simulation has to notice.

A planted bug is a function that patches the program for one run; its docstring says what is wrong then. `by`
names the invariants of which at least one must notice, whatever else does.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.simulation.oracle import Invariant

type Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Planted:
    """A bug, and who is to notice it."""

    name: str
    plant: Plant
    by: tuple[Invariant, ...]

    @property
    def what(self) -> str:
        """What is wrong."""
        return (self.plant.__doc__ or "").partition("\n")[0]


PLANTED: dict[str, Planted] = {}


def planted(*by: Invariant) -> Callable[[Plant], Plant]:
    """Add a bug to the list."""

    def add(plant: Plant) -> Plant:
        name = plant.__name__.replace("_", " ")
        PLANTED[name] = Planted(name, plant, by)
        return plant

    return add
