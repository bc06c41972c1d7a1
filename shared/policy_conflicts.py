"""Where the rules of a policy contradict each other: refused before anything is deployed."""

from collections.abc import Iterator, Sequence
from itertools import combinations, product

from shared.policy import Rule
from shared.record import HOLD_MARK, Path


def conflicts(rules: Sequence[Rule]) -> Iterator[str]:
    """A line for each conflict.

    Within a table no rule may erase what another erases, nor what any of them keeps or decides by; paths
    conflict when one lies within the other. An erasure on request may go further than the clock, and the
    other way round; but nothing erases a key or the hold mark, nor what it keeps or decides by itself.
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
            if rule.on_request or other.on_request:
                yield from _request_conflicts(rule, other)
            else:
                yield from _overlaps(rule, other, [("erase", path) for path in other.erase])
    for rule, other in product(rules, rules):
        if rule.table == other.table:
            apart = rule is not other and (rule.on_request or other.on_request)
            yield from _overlaps(rule, other, _always_needed(other) if apart else _needed(other))


def _request_conflicts(rule: Rule, other: Rule) -> Iterator[str]:
    """What keeps an erasure on request from standing beside another rule of its table."""
    request, beside = (rule, other) if rule.on_request else (other, rule)
    if beside.on_request:
        yield f"{beside.id}.trigger: {request.id} is this table's erasure on request already"
    elif _key_types(request) != _key_types(beside):
        yield f"{request.id}.key: has other names or types than {beside.id}.key"


def _key_types(rule: Rule) -> dict[str, str]:
    return {name: part.type for name, part in rule.key.items()}


def _needed(rule: Rule) -> list[tuple[str, Path]]:
    """What a rule keeps and decides by, and what for."""
    own_anchor = [("anchor", rule.anchor.attribute)] if rule.anchor.attribute else []
    matches = [("match", path) for path in rule.match]
    return [("keep", path) for path in rule.keep] + _always_needed(rule) + own_anchor + matches


def _always_needed(rule: Rule) -> list[tuple[str, Path]]:
    """What must stay on the record whoever erases."""
    return [*(("key", (name,)) for name in rule.key), ("hold mark", HOLD_MARK)]


def _overlaps(eraser: Rule, other: Rule, needed: list[tuple[str, Path]]) -> Iterator[str]:
    for erased, (use, path) in product(eraser.erase, needed):
        if _overlapping(erased, path):
            yield f"{eraser.id}.erase: {_dotted(erased)} overlaps {other.id}.{use}: {_dotted(path)}"


def _overlapping(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _dotted(path: Path) -> str:
    return ".".join(path)
