"""Where the rules of a policy contradict each other: refused before anything is deployed."""

from collections.abc import Iterator, Sequence
from itertools import combinations, product

from shared.policy import Rule
from shared.record import HOLD_MARK, Path


def conflicts(rules: Sequence[Rule]) -> Iterator[str]:
    """A line for each conflict.

    Within a table no rule may erase what another erases, nor what any of them keeps or decides by; paths
    conflict when one lies within the other.
    """
    names = [rule.id for rule in rules]
    yield from (
        f"rules: the id {name} is there twice" for name in sorted({n for n in names if names.count(n) > 1})
    )
    for rule in rules:
        for path, another in combinations(rule.erase, 2):
            if _overlapping(path, another):
                yield f"{rule.id}.erase: {_dotted(path)} overlaps {_dotted(another)}"
    for rule, other in combinations(rules, 2):
        if rule.table == other.table:
            yield from _overlaps(rule, other, [("erase", path) for path in other.erase])
    for rule, other in product(rules, rules):
        if rule.table == other.table:
            yield from _overlaps(rule, other, _needed(other))


def _needed(rule: Rule) -> list[tuple[str, Path]]:
    """What must stay on the record, and what for."""
    own_anchor = [("anchor", rule.anchor.attribute)] if rule.anchor.attribute else []
    keys = [("key", (name,)) for name in rule.key]
    matches = [("match", path) for path in rule.match]
    return [("keep", path) for path in rule.keep] + keys + own_anchor + matches + [("hold mark", HOLD_MARK)]


def _overlaps(eraser: Rule, other: Rule, needed: list[tuple[str, Path]]) -> Iterator[str]:
    for erased, (use, path) in product(eraser.erase, needed):
        if _overlapping(erased, path):
            yield f"{eraser.id}.erase: {_dotted(erased)} overlaps {other.id}.{use}: {_dotted(path)}"


def _overlapping(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _dotted(path: Path) -> str:
    return ".".join(path)
