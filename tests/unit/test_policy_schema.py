"""The JSON Schema of policy files is the one that is kept, and fits what the program reads."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lapse.policy_schema import policy_schema
from shared.policy_file import PolicyError, read_policy

ROOT = Path(__file__).parents[2]
POLICY = (ROOT / "shared" / "policy.toml").read_text()


def nodes(node: object) -> list[dict[str, Any]]:
    """The schema and all within it."""
    if isinstance(node, list):
        return [found for each in node for found in nodes(each)]
    if isinstance(node, dict):
        return [node, *(found for each in node.values() for found in nodes(each))]
    return []


def test_the_kept_schema_is_current() -> None:
    """`lapse policy schema > docs/policy.schema.json` would change nothing."""
    kept = json.loads((ROOT / "docs" / "policy.schema.json").read_text())
    assert kept == policy_schema()


def test_the_shipped_policy_fits_the_schema() -> None:
    """An editor that uses the schema has nothing to say about our own policy."""
    written = json.loads(json.dumps(tomllib.loads(POLICY), default=str))
    jsonschema.Draft202012Validator.check_schema(policy_schema())
    jsonschema.Draft202012Validator(policy_schema()).validate(written)


@pytest.mark.parametrize(
    ("trigger", "without"),
    [("request", ""), ("shipment", "anchor"), ("shipment", "retain"), ("leaver", "counting")],
)
def test_the_schema_tells_the_two_kinds_of_rules_apart(trigger: str, without: str) -> None:
    """An erasure on request has no clock, any other rule a whole one: editors say so, as the program does."""
    written = json.loads(json.dumps(tomllib.loads(POLICY), default=str))
    rule = written["rules"][0]
    rule["trigger"] = trigger
    rule.pop(without, None)
    validator = jsonschema.Draft202012Validator(policy_schema())
    assert ["rules", 0] in [list(error.absolute_path) for error in validator.iter_errors(written)]


@pytest.mark.parametrize(
    "period", ["P90D", "P2W", "PT36H", "P1DT2H30M", "P3M", "P1Y", "P", "PT", "P1DT", "90D"]
)
def test_the_schema_takes_the_periods_that_the_program_takes(period: str) -> None:
    """The pattern was written by hand, so it is compared with what reads periods."""
    pattern = policy_schema()["$defs"]["Period"]["pattern"]
    try:
        read_policy(POLICY.replace("P90D", period).encode())
        taken = True
    except PolicyError:
        taken = False
    assert bool(re.search(pattern, period)) is taken


def test_the_schema_asks_for_nothing_that_toml_cannot_say() -> None:
    """No nulls, which TOML has not; and its own defaults are periods that the program would take."""
    schema = policy_schema()
    assert not [
        node for node in nodes(schema) if node.get("type") == "null" or node.get("default", 0) is None
    ]
    pattern = schema["$defs"]["Period"]["pattern"]
    periods = [
        node["default"] for node in nodes(schema) if node.get("$ref") == "#/$defs/Period" if "default" in node
    ]
    assert periods
    assert all(re.search(pattern, period) for period in periods)
