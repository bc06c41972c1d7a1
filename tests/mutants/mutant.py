"""What became of each mutant, as mutmut left it behind."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import ndiff
from enum import Enum
from pathlib import Path

_KILLED, _SURVIVED = {1, 3}, {0, 5, 33}
_ENDLESS = {-24, 24, 152, 255, 36, -9}
"""Out of time: the tests ran many times as long as without the mutant."""


class Fate(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    ENDLESS = "endless"


@dataclass(frozen=True, order=True)
class Mutant:
    """A mutant by what it changes: its number would shift with each edit of the module."""

    function: str
    was: str
    becomes: str


def mutants_of(place: Path, path: str) -> Iterator[tuple[Mutant, Fate]]:
    """The mutants of a module that mutmut worked on in this place, and what became of each.

    Raises:
        ValueError: mutmut did not come to an end, or a test run ended as none should.
    """
    fates = json.loads((place / "mutants" / f"{path}.meta").read_text())["exit_code_by_key"]
    spans = json.loads((place / "mutants" / f"{path}.spans").read_text())["spans"]
    lines = (place / "mutants" / path).read_text().split("\n")
    for name, code in fates.items():
        generated = name.rpartition(".")[2]
        mangled = generated.rpartition("__mutmut_")[0]
        was, becomes = (
            lines[start - 1 : end] for start, end in (spans[f"{mangled}__mutmut_orig"], spans[generated])
        )
        function = f"{path}:{'.'.join(re.split('ǁ', mangled)[1:]) or mangled.removeprefix('x_')}"
        yield Mutant(function, *_changed(was, becomes)), _fate(name, code)


def _changed(was: Sequence[str], becomes: Sequence[str]) -> tuple[str, str]:
    """What differs, but for the line that names the function."""
    differing = list(ndiff(_body(was), _body(becomes)))
    return (
        " ".join(line[2:].strip() for line in differing if line.startswith("- ")),
        " ".join(line[2:].strip() for line in differing if line.startswith("+ ")),
    )


def _body(lines: Sequence[str]) -> list[str]:
    return [re.sub(r"(?<=def )x\S*__mutmut_\w+", "", line) for line in lines]


def _fate(name: str, code: int | None) -> Fate:
    for fate, codes in ((Fate.KILLED, _KILLED), (Fate.SURVIVED, _SURVIVED), (Fate.ENDLESS, _ENDLESS)):
        if code in codes:
            return fate
    raise ValueError(f"{name}: the tests ended with {code}")
