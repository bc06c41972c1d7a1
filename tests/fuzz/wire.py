"""Damaged items, as DynamoDB would still keep them: each value has its type, and keys are there."""

import json
from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Any

from tests.fuzz import hostile
from tests.fuzz.choices import Choices
from tests.fuzz.tables import CANARY, CANARY_DIGITS

NUMBERS = (
    *["0", "1", "-1", "1767225600", "-62135596800", "253402300799999"],
    *(CANARY_DIGITS, f"1767225600.{CANARY_DIGITS}", "9" * 38, "1" + "0" * 125, f"-0.{'0' * 129}1"),
)


def damaged_item(
    item: Mapping[str, Any], choices: Choices, names: Collection[str] = (), keys: Collection[str] = ()
) -> dict[str, Any]:
    """A copy of an item with a few damages. `names` may come into it; `keys` stay, and stay text."""
    whole: dict[str, Any] = deepcopy(dict(item))
    for _ in range(choices.below(4)):
        at = whole
        name = choices.pick([*at])
        while at[name].get("M") and not choices.chance(4):
            at = at[name]["M"]
            name = choices.pick([*at])
        if at is whole and name in keys:
            at[name] = {"S": clean(choices.edited(at[name]["S"]))}
            continue
        match choices.below(6):
            case 0 | 1:
                at[name] = _edited(at[name], choices)
            case 2:
                del at[name]
            case 3:
                at[choices.pick([*names, *(each for each in at if each not in keys), CANARY])] = wire_value(
                    choices
                )
            case 4:
                at[clean(hostile.text(choices)) or CANARY] = at.pop(name)
            case _:
                at[name] = wire_value(choices)
        if not whole:
            break
    return whole


def wire_value(choices: Choices, like: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A value of any type; the tame one is like this."""
    match choices.below(9):
        case 0 | 1:
            value: Mapping[str, Any] = like or {"S": CANARY}
        case 2:
            value = _edited(like or {"M": {}}, choices)
        case 3 | 4:
            value = {"S": clean(hostile.instant(choices))}
        case 5:
            value = {"S": clean(hostile.text(choices))}
        case 6:
            value = {"N": choices.pick(NUMBERS)}
        case 7:
            value = {"M": {choices.pick(["until", "by", CANARY]): wire_value(choices)}}
        case _:
            value = choices.pick(_OTHERS)
    return deepcopy(dict(value))


_OTHERS: tuple[dict[str, Any], ...] = (
    {"NULL": True},
    {"BOOL": False},
    {"B": CANARY.encode()},
    {"SS": [CANARY, "2026-05-01T10:15:00Z"]},
    {"SS": ["2026-05-01T10:15:00Z"]},
    {"NS": [CANARY_DIGITS]},
    {"L": [{"S": CANARY}]},
    {"M": {}},
    {"M": {CANARY: {"S": CANARY}}},
)


def stored(value: Any) -> bytes:
    """Items as JSON."""
    return json.dumps(value, default=bytes.decode, indent=1).encode()


def loaded(text: bytes) -> Any:
    """Items from JSON; what is of type B is bytes again."""
    return json.loads(text, object_hook=_with_bytes)


def _with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    return {"B": value["B"].encode()} if isinstance(value.get("B"), str) and len(value) == 1 else value


def _edited(value: Mapping[str, Any], choices: Choices) -> dict[str, Any]:
    match dict(value):
        case {"S": str(text)}:
            return {"S": clean(choices.edited(text))}
        case {"SS": [first, *others]}:
            return {"SS": [clean(choices.edited(first)), *others]}
        case {"M": dict(inner)} if inner:
            name = choices.pick([*inner])
            return {"M": {**inner, name: _edited(inner[name], choices)}}
        case _:
            return {"N": choices.pick(NUMBERS)}


def clean(text: str) -> str:
    """Text as it can be stored: without lone surrogates."""
    return text.encode(errors="replace").decode()
