"""Planted bugs: each breaks one thing on purpose, and the simulation has to notice.

A planted bug is a function that patches the program for one run; its docstring says what is wrong then. `by`
names the invariants of which at least one must notice, whatever else does.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

import pytest

from tests.simulation.oracle import Invariant

I1, I2, I3, I4, I5, I6, I7, I8, I9, I10 = Invariant

type Plant = Callable[[pytest.MonkeyPatch], None]
type Wrap = Callable[[Any], object]
"""Makes the broken one of the real one."""

BROKEN = ("shared.", "functions.", "tests.simulation.")
"""Whose imports are broken with what they imported: the program, and the stack that calls it."""


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


def swap(plant: pytest.MonkeyPatch, name: str, wrap: Wrap) -> None:
    """Put a broken one in the place of what has this dotted name: a module's, or a class's."""
    plant.setattr(name, wrap(resolve_name(name)))


def everywhere(plant: pytest.MonkeyPatch, name: str, wrap: Wrap) -> None:
    """As `swap`, for a function that others import: they all have the broken one."""
    real, attribute = resolve_name(name), name.rpartition(".")[2]
    broken = wrap(real)
    for module in [each for known, each in sys.modules.items() if known.startswith(BROKEN)]:
        if getattr(module, attribute, None) is real:
            plant.setattr(module, attribute, broken)
