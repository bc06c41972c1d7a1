"""Bytes read as choices: a fuzzer that knows nothing of an input's structure changes it all the same.

Bytes that have run out read as zeros, and the first option is always the tame one: so the empty input is a
sound sample, and a short one is a sample with few damages.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

MOST_DAMAGES = 4


class Choices:
    """What bytes decide, one choice after the other."""

    def __init__(self, data: bytes) -> None:
        """Begin with the first byte."""
        self._data = data
        self._at = 0

    def below(self, bound: int) -> int:
        """A number from 0, of as many bytes as it takes."""
        size = (max(bound - 1, 1).bit_length() + 7) // 8
        taken = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(taken) % bound if bound > 0 else 0

    def pick[T](self, options: Sequence[T]) -> T:
        """One of these."""
        return options[self.below(len(options))]

    def chance(self, of: int = 2) -> bool:
        """Whether something is so; one time of so many."""
        return self.below(of) == of - 1

    def text(self, most: int = 24) -> str:
        """Any text at all, with lone surrogates."""
        length = self.below(most + 1)
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken.decode("utf-8", errors="surrogateescape")

    def rest(self) -> bytes:
        """All the bytes that were not read yet."""
        taken = self._data[self._at :]
        self._at = len(self._data)
        return taken

    def edited(self, text: str) -> str:
        """This text with a few characters taken out, and others put in, at some place."""
        at = self.below(len(text) + 1)
        gap = self.below(4)
        return text[:at] + self.text(4) + text[at + gap :]


type Anything = Callable[[Choices, Any], Any]


def damaged(sample: Any, choices: Choices, anything: Anything, names: Sequence[str]) -> Any:
    """A copy of a sample with a few damages, each in some place.

    Args:
        sample: lists, mappings and plain values.
        choices: decides where, and what happens there.
        anything: makes a value that has no business there, and may be of the kind of the one that has.
        names: keys that may be put into a mapping, beside the sample's own.
    """
    whole = {"": deepcopy(sample)}
    for _ in range(choices.below(MOST_DAMAGES + 1)):
        at, place = _somewhere(whole, choices)
        if choices.chance(8):
            elsewhere, other = _somewhere(whole, choices)
            at[place] = deepcopy(elsewhere[other])
        else:
            _damage(at, place, choices, anything, names)
        if "" not in whole:
            return anything(choices, None)
    return whole[""]


def _somewhere(whole: dict[str, Any], choices: Choices) -> tuple[Any, Any]:
    """A list or a mapping, and a place in it."""
    at: Any = whole
    place: Any = ""
    while isinstance(at[place], dict | list) and at[place] and not choices.chance(4):
        at = at[place]
        place = choices.pick(list(at) if isinstance(at, dict) else range(len(at)))
    return at, place


def _damage(at: Any, place: Any, choices: Choices, anything: Anything, names: Sequence[str]) -> None:
    match choices.below(8):
        case 0 if isinstance(at[place], str):
            at[place] = choices.edited(at[place])
        case 1:
            del at[place]
        case 2 if isinstance(at, dict):
            at[choices.pick([*names, *at]) + ("x" if choices.chance(4) else "")] = anything(choices, None)
        case 3 if isinstance(at, dict):
            at[choices.pick([*names, *at])] = at.pop(place)
        case 4:
            at[place] = choices.pick([[at[place]], {"S": at[place]}, [at[place], at[place]], {}, []])
        case _:
            at[place] = anything(choices, at[place])
