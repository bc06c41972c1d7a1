"""Where two policy files differ, key by key, as they are written."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.policy import Policy
from shared.policy_file import read_policy


@dataclass(frozen=True)
class Change:
    """A key of a policy file, and what it says before and after; `None` where it does not stand."""

    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        """`retain: "P90D" -> "P60D"`."""
        return f"{self.key}: {_text(self.before)} -> {_text(self.after)}"

    def as_json(self) -> dict[str, Any]:
        """The change; TOML's dates as ISO 8601."""
        return {name: json.loads(json.dumps(each, default=str)) for name, each in vars(self).items()}


@dataclass(frozen=True)
class Written:
    """A policy, with what stands in its file."""

    policy: Policy
    text: Mapping[str, Any]

    @classmethod
    def of(cls, text: bytes) -> "Written":
        """Read it.

        Raises:
            PolicyError: it cannot be used.
        """
        return cls(read_policy(text), tomllib.loads(text.decode()))

    def rule(self, rule_id: str) -> Mapping[str, Any] | None:
        """What stands there of a rule."""
        return next((rule for rule in self.text["rules"] if rule["id"] == rule_id), None)


@dataclass(frozen=True)
class Changes:
    """What is written in a policy file, and in another that takes its place."""

    before: Written
    after: Written

    def above_the_rules(self) -> list[Change]:
        """Of the whole policy."""
        return _changes(self.before.text, self.after.text)

    def of(self, rule_id: str) -> list[Change]:
        """Of a rule that there is before and after."""
        before, after = self.before.rule(rule_id), self.after.rule(rule_id)
        return _changes(before, after) if before and after else []

    def state(self, rule_id: str) -> str:
        """`new`, `removed`, `changed` or `unchanged`."""
        before, after = self.before.rule(rule_id), self.after.rule(rule_id)
        if before is None or after is None:
            return "new" if before is None else "removed"
        return "changed" if before != after else "unchanged"


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    keys = [key for key in dict.fromkeys([*before, *after]) if key != "rules"]
    return [Change(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]


def _text(value: object) -> str:
    return "-" if value is None else json.dumps(value, ensure_ascii=False, default=str)
