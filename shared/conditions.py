"""DynamoDB expressions with every name and value aliased: hundreds of names are reserved words."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.hold_mark import MarkChange
from shared.policy import Rule
from shared.record import HOLD_MARK, Path, RecordRef, View, WireValue


@dataclass
class Aliases:
    """The aliases of one request."""

    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def path(self, path: Path) -> str:
        """A path, each of its names aliased."""
        return ".".join(self._name(name) for name in path)

    def paths(self, paths: Iterable[Path]) -> str:
        """Paths to be read, as a list; one that lies within another comes with it."""
        shortest = sorted(set(paths), key=len)
        within = {path for path in shortest for o in shortest if len(o) < len(path) and path[: len(o)] == o}
        return ", ".join(self.path(path) for path in shortest if path not in within)

    def value(self, value: WireValue) -> str:
        """A value, as it was read."""
        alias = f":{len(self.values)}"
        self.values[alias] = value
        return alias

    def any_exists(self, paths: Iterable[Path]) -> str:
        """That at least one of the paths exists."""
        return f"({' OR '.join(f'attribute_exists({self.path(path)})' for path in paths)})"

    def still(self, path: Path, seen: WireValue | None) -> str:
        """That what is at the path is exactly what was seen there."""
        if seen is None:
            return f"attribute_not_exists({self.path(path)})"
        return f"{self.path(path)} = {self.value(seen)}"

    def _name(self, name: str) -> str:
        return next((alias for alias, known in self.names.items() if known == name), None) or self._new(name)

    def _new(self, name: str) -> str:
        alias = f"#{len(self.names)}"
        self.names[alias] = name
        return alias


def guarded_removal(rule: Rule, record: RecordRef, view: View, paths: Collection[Path]) -> dict[str, Any]:
    """The update that removes paths if what the view saw is still so; for UpdateItem or a transaction.

    It holds that the record exists (or DynamoDB would create it), that there is something to remove, and that
    match, anchor and hold mark are exactly as read.
    """
    aliases = Aliases()
    unchanged = [aliases.still(path, view.attributes.get(path)) for path in rule.view_paths]
    exists = f"attribute_exists({aliases.path((next(iter(record.key)),))})"
    condition = " AND ".join([exists, aliases.any_exists(paths), *unchanged])
    update = f"REMOVE {', '.join(aliases.path(path) for path in paths)}"
    return {
        "Key": dict(record.key),
        "UpdateExpression": update,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": aliases.names,
        **({"ExpressionAttributeValues": aliases.values} if aliases.values else {}),
    }


def projection(paths: Iterable[Path]) -> dict[str, Any]:
    """The projection of these paths; one that lies within another comes with it."""
    aliases = Aliases()
    return {"ProjectionExpression": aliases.paths(paths), "ExpressionAttributeNames": aliases.names}


def existence_scan(fields: Iterable[Path], paths: Iterable[Path]) -> dict[str, Any]:
    """The scan for items that have any of the fields, projected to the paths."""
    aliases = Aliases()
    return {
        "FilterExpression": aliases.any_exists(fields),
        "ProjectionExpression": aliases.paths(paths),
        "ExpressionAttributeNames": aliases.names,
    }


def absence_scan(fields: Iterable[Path], paths: Iterable[Path]) -> dict[str, Any]:
    """The scan for items that have none of the fields, projected to the paths."""
    request = existence_scan(fields, paths)
    return {**request, "FilterExpression": f"NOT {request['FilterExpression']}"}


def count_query(record: RecordRef, paths: Collection[Path]) -> Mapping[str, Any]:
    """The query that counts the record if any of the paths exists, and returns nothing of it."""
    aliases = Aliases()
    key = " AND ".join(
        f"{aliases.path((name,))} = {aliases.value(value)}" for name, value in record.key.items()
    )
    return {
        "KeyConditionExpression": key,
        "FilterExpression": aliases.any_exists(paths),
        "ExpressionAttributeNames": aliases.names,
        "ExpressionAttributeValues": aliases.values,
        "Select": "COUNT",
        "ConsistentRead": True,
    }


def guarded_mark(record: RecordRef, change: MarkChange) -> tuple[str, dict[str, Any]]:
    """The part of a transaction that sets or removes the hold mark, or only checks what was seen.

    Returns the kind of part (`Update`, `ConditionCheck`) and its request, without the table's name.
    """
    aliases = Aliases()
    key = aliases.path((next(iter(record.key)),))
    if change.exists:
        needed = [aliases.any_exists(change.needs)] if change.needs else []
        condition = " AND ".join([f"attribute_exists({key})", *needed, aliases.still(HOLD_MARK, change.seen)])
    else:
        condition = f"attribute_not_exists({key})"
    if not change.exists or change.right == change.seen:
        kind, update = "ConditionCheck", {}
    elif change.right is None:
        kind, update = "Update", {"UpdateExpression": f"REMOVE {aliases.path(HOLD_MARK)}"}
    else:
        kind = "Update"
        update = {"UpdateExpression": f"SET {aliases.path(HOLD_MARK)} = {aliases.value(change.right)}"}
    return kind, {
        "Key": dict(record.key),
        **update,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": aliases.names,
        **({"ExpressionAttributeValues": aliases.values} if aliases.values else {}),
    }
