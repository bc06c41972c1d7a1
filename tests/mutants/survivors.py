"""What survives, and why it may: the file that a run is compared with."""

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from tests.mutants.mutant import Fate, Mutant


class Kind(Enum):
    """Why a mutant may survive."""

    EQUIVALENT = "equivalent"
    """It does the same, for whatever can come."""
    UNSEEN = "unseen"
    """It does the same for whoever looks at results: only how fast, or how often it is tried, differs."""
    ENDLESS = "endless"
    """Its tests never come to an end: noticed by the time that it takes."""


@dataclass(frozen=True)
class Explanation:
    """Why one mutant may survive."""

    mutant: Mutant
    kind: Kind
    why: str

    @property
    def fate(self) -> Fate:
        """What the run is to find."""
        return Fate.ENDLESS if self.kind is Kind.ENDLESS else Fate.SURVIVED


@dataclass(frozen=True)
class Comparison:
    """A module's mutants, compared with what is explained. Whatever a run finds twice is explained twice."""

    mutants: int
    explained: Counter[Fate]
    unexplained: list[tuple[Mutant, Fate]]
    stale: list[Mutant]

    @property
    def is_clean(self) -> bool:
        """Whether each survivor is explained, and each explanation needed."""
        return not self.unexplained and not self.stale


def compare(found: Iterable[tuple[Mutant, Fate]], explanations: Iterable[Explanation]) -> Comparison:
    """Compare what a run found with what is explained."""
    fates = list(found)
    survived = Counter(each for each in fates if each[1] is not Fate.KILLED)
    known = Counter((each.mutant, each.fate) for each in explanations)
    explained = Counter(fate for _, fate in (survived & known).elements())
    stale = [mutant for mutant, _ in (known - survived).elements()]
    return Comparison(len(fates), explained, list((survived - known).elements()), stale)


def read_explanations(text: str) -> list[Explanation]:
    """Read what is explained.

    Raises:
        ValueError: an explanation lacks something, or has something more; or says nothing.
    """
    return [_explanation(**each) for each in tomllib.loads(text)["survivor"]]


def _explanation(*, function: str, was: str, becomes: str, kind: str, why: str) -> Explanation:
    if not why.strip():
        raise ValueError(f"{function}: nothing is explained")
    return Explanation(Mutant(function, was, becomes), Kind(kind), why)


def to_explain(unexplained: Iterable[tuple[Mutant, Fate]]) -> Iterator[str]:
    """What is to be explained, as it would stand in the file."""
    for mutant, fate in unexplained:
        parts = {**vars(mutant), "kind": "endless" if fate is Fate.ENDLESS else "", "why": ""}
        written = (f"{name} = {json.dumps(text, ensure_ascii=False)}" for name, text in parts.items())
        yield "\n".join(["[[survivor]]", *written, ""])
