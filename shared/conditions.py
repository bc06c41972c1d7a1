"""DynamoDB expressions with every name and value aliased: hundreds of names are reserved words."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.policy import Rule
from shared.record import Path, RecordRef, View, WireValue


@dataclass
class Aliases:
    """The aliases of one request."""

    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def path(self, path: Path) -> str:
        """A path, each of its names aliased."""
        return ".".join(self._name(name) for name in path)

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
    outermost = [path for path in sorted(set(paths), key=len) if path]
    wanted = [
        path for path in outermost if not any(path[: len(o)] == o for o in outermost if len(o) < len(path))
    ]
    expression = ", ".join(aliases.path(path) for path in wanted)
    return {"ProjectionExpression": expression, "ExpressionAttributeNames": aliases.names}


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
