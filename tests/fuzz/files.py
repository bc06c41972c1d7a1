"""Targets for what an operator writes: the policy file and the sources file."""

import hashlib
import json
import tomllib
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from shared.mapping import map_event
from shared.policy import Policy, Rule
from shared.policy_file import PolicyError, read_policy
from shared.record import HOLD_MARK, View
from shared.refused import RefusedError
from shared.retention import decide
from shared.sources_file import SHIPPED, SourcesError, read_sources
from tests.builders import NOW
from tests.fuzz import hostile
from tests.fuzz.checks import referable, silent, sound
from tests.fuzz.choices import Choices, damaged
from tests.fuzz.incoming import FOREIGN
from tests.fuzz.tables import CANARY, CANARY_DIGITS
from tests.fuzz.target import Target
from tests.fuzz.writing import as_toml

POLICY_FILE = SHIPPED.with_name("policy.toml")
POLICIES = tuple(
    tomllib.loads(text)
    for text in (
        POLICY_FILE.read_text(),
        """
version = 1
id = "T"
updated = 2026-01-01
timezone = "Europe/London"
not_before = 2001-01-01
hold_reasons = ["damaged"]
[[rules]]
id = "one"
clause = "1"
table = "T"
key = { pk = "O#{no}", sk = { N = "{line}" } }
match = { kind = "order", a = { b = 7, c = 1.5, d = true } }
trigger = "shipment"
anchor = { attribute = ["a", "at"], fact = "shipped" }
anchor_format = "naive"
anchor_zone = "Europe/London"
anchor_merge = "latest"
retain = "P90D"
counting = "calendar-days"
erase = [["who", "phone"], "email"]
keep = ["name"]
mode = "observe"
guard = "facts"
review_after = 2030-01-01
""",
    )
)
SOURCES = tomllib.loads(SHIPPED.read_text())
POLICY_KEYS = ("id", "S", "N", "attribute", "fact", "cancel", "anchor_zone", "match", "basis", "not_before")
SOURCE_KEYS = ("id", "refuse", "kind", "for_each", "instant", "instant_zone", "time_of_receipt", "fields")
PATHS = {"id", "erase", "keep", "attribute"}
"""A refusal of a policy says which rules and paths are meant: these and all keys are names, not values."""
EXPRESSIONS = {"id", "conditions", "for_each", "record_id", "instant", "fields", "ignore_if"}
"""What a refusal of a sources file may quote: what cannot be compiled."""


def make_policy(choices: Choices) -> bytes:
    """A policy file."""
    return _written(choices, POLICIES, POLICY_KEYS, PATHS)


def check_policy(text: bytes) -> None:
    """A policy whose every rule can be worked, or a refusal that quotes no value."""
    try:
        policy = read_policy(text)
    except PolicyError as error:
        silent(error)
        return
    assert policy.digest == hashlib.sha256(text).hexdigest()
    assert policy.max_hold > timedelta(0)
    assert policy.ledger_retain > timedelta(0)
    assert len({rule.id for rule in policy.rules}) == len(policy.rules) > 0
    for rule in policy.rules:
        _workable(rule, policy)


def make_sources(choices: Choices) -> bytes:
    """A sources file."""
    return _written(choices, (SOURCES,), SOURCE_KEYS, EXPRESSIONS)


def check_sources(text: bytes) -> None:
    """Entries that map whatever comes, or a refusal that quotes no value."""
    try:
        entries = read_sources(text)
    except SourcesError as error:
        silent(error)
        return
    for envelope in FOREIGN:
        for outcome in map_event(envelope, NOW, entries):
            assert outcome.events or outcome.reasons
            for made in outcome.events:
                json.dumps(made.detail).encode()


def _written(
    choices: Choices, samples: tuple[dict[str, Any], ...], keys: tuple[str, ...], quoted: Collection[str]
) -> bytes:
    """A damaged file, with no canary left in what a refusal may quote."""
    whole = damaged(choices.pick(samples), choices, hostile.in_file, keys)
    text = as_toml(_named(whole if isinstance(whole, dict) else {"rules": whole}, quoted))
    at = choices.below(len(text) + 1)
    return text[:at] + choices.rest() + text[at + 1 :] if choices.chance(8) else text


def _named(value: Any, quoted: Collection[str], *, name: bool = False) -> Any:
    match value:
        case dict():
            return {
                _plain(key): _named(each, quoted, name=name or key in quoted) for key, each in value.items()
            }
        case list():
            return [_named(each, quoted, name=name) for each in value]
        case str() if name:
            return type(value)(_plain(value))
        case _:
            return value


def _plain(text: str) -> str:
    return text.replace(CANARY, "name").replace(CANARY_DIGITS, "314159")


def _workable(rule: Rule, policy: Policy) -> None:
    """Nothing that the rule needs is erased, and it decides about any record."""
    sound(rule.not_before)
    assert rule.retain > timedelta(0) or rule.on_request
    needed = [HOLD_MARK, *((name,) for name in rule.key), *rule.keep]
    needed += [] if rule.anchor.attribute is None else [rule.anchor.attribute]
    for path in rule.erase:
        assert all(path and all(path) for path in needed)
        assert not any(path[: len(each)] == each or each[: len(path)] == path for each in needed)
    seen = {path: {"N": "7"} for path in rule.view_paths}
    for view in (View(True, seen, None), View(True, dict(rule.match), None)):  # noqa: FBT003
        decide(rule, view, NOW)
    try:
        record = rule.record({name: "7" for part in rule.key.values() for name in part.fields})
    except RefusedError as refused:
        silent(refused)
        return
    referable(record)
    assert policy.about(record)


TARGETS = {
    "policy_file": Target(make_policy, check_policy),
    "sources_file": Target(make_sources, check_sources),
}
