"""Planted bugs in the erase and its guard."""

from collections.abc import Callable, Collection
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from shared.policy import Rule
from shared.record import HOLD_MARK, Path, RecordRef, View, at_path
from shared.retention import Erase, Wait, Why
from tests.simulation.planted import I1, I2, I3, I4, I7, planted, swap

GUARD = "tests.memory.MemoryTables._unchanged"
ERASE = "tests.memory.MemoryTables.erase"


@planted(I1)
def the_guard_is_gone(plant: pytest.MonkeyPatch) -> None:
    """What was looked at is erased, whatever it has become."""
    plant.setattr(GUARD, lambda *_: True)


@planted(I1)
def the_guard_forgets_the_match(plant: pytest.MonkeyPatch) -> None:
    """What is no drop-shipment any more is erased as one."""
    _let_change(plant, lambda rule: rule.match)


@planted(I1)
def the_guard_forgets_the_anchor(plant: pytest.MonkeyPatch) -> None:
    """A shipment that was put off between look and erase is not noticed."""
    _let_change(plant, lambda rule: [rule.anchor.attribute] if rule.anchor.attribute else [])


@planted(I1)
def the_guard_forgets_the_mark(plant: pytest.MonkeyPatch) -> None:
    """A hold that is marked between look and erase comes too late, and nobody says so."""
    _let_change(plant, lambda _rule: [HOLD_MARK])


@planted(I1)
def the_guard_forgets_the_version_of_facts(plant: pytest.MonkeyPatch) -> None:
    """A return that is told between look and erase comes too late."""
    _let_change(plant, lambda _rule: (), facts=True)


@planted(I4)
def the_guard_forgets_existence(plant: pytest.MonkeyPatch) -> None:
    """`attribute_exists(key)` is left out: an update of a missing key makes an item, a ghost."""
    swap(
        plant,
        ERASE,
        lambda real: (
            lambda tables, rule, record, view: (
                tables.memory.items.setdefault(record, dict(record.key)) and real(tables, rule, record, view)
            )
        ),
    )


@planted(I1, I3)
def hold_checked_before_but_not_at_the_erase(plant: pytest.MonkeyPatch) -> None:
    """The guard asks neither for the mark nor for the facts' version."""
    _let_change(plant, lambda _rule: [HOLD_MARK], facts=True)


@planted(I1)
def records_that_do_not_match_are_erased(plant: pytest.MonkeyPatch) -> None:
    """Every order is taken for a drop-shipment."""
    plant.setattr("shared.retention._matches", lambda *_: True)


@planted(I1)
def a_timer_is_believed(plant: pytest.MonkeyPatch) -> None:
    """It was right when it was set: whether the fields are due now is not asked again."""
    swap(
        plant,
        "shared.settle._Case._decide",
        lambda real: (
            lambda case, view: (
                Erase(decision.until)
                if isinstance(decision := real(case, view), Wait) and decision.why is Why.NOT_DUE
                else decision
            )
        ),
    )


@planted(I4)
def a_whole_item_is_written(plant: pytest.MonkeyPatch) -> None:
    """The purge writes back what it looked at, without the fields."""

    def writing_back(real: Callable[..., Collection[Path]]) -> Callable[..., Collection[Path]]:
        def erase(tables: Any, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            removed = real(tables, rule, record, view)
            if removed:
                seen = {path[0]: value for path, value in view.attributes.items()}
                tables.memory.items[record] = deepcopy({**record.key, **seen})
            return removed

        return erase

    swap(plant, ERASE, writing_back)


@planted(I4)
def a_nested_field_takes_its_map_along(plant: pytest.MonkeyPatch) -> None:
    """The map goes, with what else stands in it."""

    def too_much(real: Callable[..., Collection[Path]]) -> Callable[..., Collection[Path]]:
        def erase(tables: Any, rule: Rule, record: RecordRef, view: View) -> Collection[Path]:
            removed = real(tables, rule, record, view)
            for path in removed:
                if path[:-1]:
                    tables.memory.items[record].pop(path[0], None)
            return removed

        return erase

    swap(plant, ERASE, too_much)


@planted(I2)
def a_missing_parent_stops_all_fields(plant: pytest.MonkeyPatch) -> None:
    """If one path cannot be removed, none is."""
    swap(
        plant,
        ERASE,
        lambda real: (
            lambda tables, rule, record, view: (
                real(tables, rule, record, view)
                if all(
                    at_path(tables.memory.items.get(record, {}), path[:1]) for path in rule.erase if path[1:]
                )
                else ()
            )
        ),
    )


@planted(I1, I2, I3)
def unprocessed_keys_of_facts_are_dropped(plant: pytest.MonkeyPatch) -> None:
    """Of several records whose facts are asked for, the last is taken for unknown."""
    swap(
        plant,
        "tests.memory.MemoryFacts.read",
        lambda real: lambda facts, records: _but_the_last(real(facts, records)),
    )


@planted(I7)
def unprocessed_keys_of_records_are_dropped(plant: pytest.MonkeyPatch) -> None:
    """Of several records that are looked at, the last is taken for absent."""
    swap(
        plant,
        "tests.memory.MemoryTables.look",
        lambda real: lambda tables, records, paths: _but_the_last(real(tables, records, paths)),
    )


def _but_the_last(found: Any) -> dict[RecordRef, Any]:
    in_order = sorted(found, key=lambda each: each.text)
    return {record: found[record] for record in in_order[: max(1, len(in_order) - 1)]}


def _let_change(
    plant: pytest.MonkeyPatch, paths: Callable[[Rule], Collection[Path]], *, facts: bool = False
) -> None:
    """Have the guard take these for unchanged."""

    def forgetful(real: Callable[..., bool]) -> Callable[..., bool]:
        def unchanged(tables: Any, rule: Rule, record: RecordRef, item: dict[str, Any], view: View) -> bool:
            now: dict[Path, Any] = {path: at_path(item, path) for path in paths(rule)}
            told = tables.memory.facts.get(record) if facts else view.facts
            seen = replace(view, attributes={**view.attributes, **now}, facts=told)
            return real(tables, rule, record, item, seen)

        return unchanged

    swap(plant, GUARD, forgetful)
