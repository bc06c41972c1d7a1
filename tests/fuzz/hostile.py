"""What nobody should send: texts, instants and whole values; with a canary where there is room."""

from typing import Any

from tests.fuzz import tables
from tests.fuzz.choices import Choices


def instant(choices: Choices) -> str:
    """An instant in some format, nearly."""
    match choices.below(6):
        case 0 | 1:
            date = (tables.YEARS, ("-",), tables.DAYS)
            parts = (*date, tables.BETWEEN, tables.CLOCKS, tables.FRACTIONS, tables.OFFSETS)
            text = "".join(choices.pick(part) if choices.chance(3) else part[0] for part in parts)
        case 2:
            text = choices.pick(tables.EDGES)
        case 3:
            text = choices.pick(tables.EPOCHS)
        case 4:
            day = f"{choices.below(10_000):04}-{choices.below(14):02}-{choices.below(33):02}"
            clock = f"{choices.below(26):02}:{choices.below(62):02}:{choices.below(62):02}"
            text = f"{day}T{clock}{choices.pick(tables.FRACTIONS)}{choices.pick(tables.OFFSETS)}"
        case _:
            text = str(choices.below(2**64)) + choices.pick(tables.FRACTIONS)
    return choices.edited(text) if choices.chance(4) else text


def text(choices: Choices) -> str:
    """Any text."""
    return choices.pick([choices.pick(tables.TEXTS), instant(choices), tables.CANARY + choices.text()])


def anything(choices: Choices, was: Any = None, depth: int = 2) -> Any:
    """Any value that JSON or TOML may hold, or that they may not; often of the kind of what was there."""
    if isinstance(was, str | int) and choices.chance():
        return _like(was, choices)
    match choices.below(7):
        case 0 | 1:
            value: Any = text(choices)
        case 2 | 3:
            value = choices.pick(tables.NUMBERS)
        case 4:
            value = choices.pick([None, False, {}, [], [[]], {"": None}])
        case 5:
            value = choices.pick(tables.RAW)
        case _ if depth:
            value = [anything(choices, None, depth - 1) for _ in range(choices.below(3))]
            value = value if choices.chance() else {text(choices): each for each in value}
        case _:
            value = tables.CANARY
    return value


def _like(was: str | int, choices: Choices) -> Any:
    """Something else of this kind."""
    if isinstance(was, int):
        return choices.pick(tables.NUMBERS)
    return instant(choices) if was[:2].isdigit() else text(choices)


def in_file(choices: Choices, was: Any) -> Any:
    """Any value that somebody may write into a file."""
    return choices.pick(tables.IN_FILES) if choices.chance() else anything(choices, was)
