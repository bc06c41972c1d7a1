"""docs/policy.md tells the truth about the policy file."""

import re
from pathlib import Path

import pytest

from lapse.policy_attributes import parameter_overrides
from shared.instants import AnchorFormat
from shared.policy import Counting, Merge, Mode, Trigger
from shared.policy_file import read_policy
from shared.policy_text import HOLD_REASONS, AnchorText, PolicyText, RequestText, RuleText

TEXT = (Path(__file__).parents[2] / "docs" / "policy.md").read_text()
BLOCKS: list[str] = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
EXAMPLE, REQUEST = (block for block in BLOCKS if "[[rules]]" in block)
LINES = [line for block in BLOCKS for line in block.splitlines() if re.match(r"(key|match) = ", line)]


def test_every_key_is_explained() -> None:
    """Whatever a policy file may hold is named, and so is each choice."""
    keys = {*PolicyText.model_fields, *RuleText.model_fields, *RequestText.model_fields} - {"rules"}
    assert not [key for key in sorted(keys) if f"| `{key}` |" not in TEXT]
    assert not [key for key in AnchorText.model_fields if f"{key} = " not in TEXT]
    choices = [choice for kind in (AnchorFormat, Counting, Merge, Mode, Trigger) for choice in kind]
    assert not [choice for choice in (*choices, *HOLD_REASONS) if f"`{choice}`" not in TEXT]


@pytest.mark.parametrize("line", LINES)
def test_the_examples_are_accepted(line: str) -> None:
    """Each example of a key or a match can be put into the example policy."""
    name = line.split(" ", 1)[0]
    assert read_policy(re.sub(rf"(?m)^{name} = .*$", lambda _: line, EXAMPLE).encode()).rules


def test_the_erasure_on_request_may_stand_beside_the_example() -> None:
    """It is of the same table and says all that it has to; what the text says it lacks, it lacks."""
    policy = read_policy((EXAMPLE + REQUEST).encode())
    assert policy.request_rule("Orders") == policy.rules[1]
    (sentence,) = re.findall(r"It has no (.*?):", TEXT)
    assert set(re.findall(r"`(\w+)`", sentence)) == {*RuleText.model_fields} - {*RequestText.model_fields}


def test_the_stack_parameters_are_those_of_the_example() -> None:
    """What the text puts into samconfig.toml is what the command prints for its example."""
    assert parameter_overrides(read_policy(EXAMPLE.encode())) in TEXT
