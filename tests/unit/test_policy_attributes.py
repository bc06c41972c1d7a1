"""What Lapse may read and remove follows from the policy alone."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lapse.policy_attributes import UnsuitableNameError, parameter_overrides, stack_parameters
from shared.policy_file import read_policy

ROOT = Path(__file__).parents[2]
NESTED = """
version = 1
id = "own"
updated = 2026-08-25
timezone = "Europe/Berlin"
[[rules]]
id = "order-contact"
clause = "4.2"
table = "Orders"
key = { pk = "ORDER#{shipment_id}", sk = "META" }
match = { order = { kind = "drop-ship" } }
trigger = "shipment"
anchor = { attribute = ["delivery", "shipped_at"], fact = "shipped" }
anchor_format = "rfc3339"
anchor_merge = "latest"
retain = "P90D"
counting = "elapsed"
erase = [["recipient", "phone"], ["recipient", "email"]]
keep = [["recipient", "name"]]
mode = "observe"
"""


class _Template(yaml.SafeLoader):
    """CloudFormation's YAML; what its tags would do does not matter here."""


_Template.add_multi_constructor("!", lambda _loader, _tag, _node: None)


def template_defaults() -> dict[str, Any]:
    template = yaml.load((ROOT / "template.yaml").read_text(), _Template)  # noqa: S506 -- a SafeLoader
    return {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}


def test_the_template_allows_what_the_shipped_policy_needs() -> None:
    """The parameters' defaults are those of shared/policy.toml, neither more nor less."""
    defaults = template_defaults()
    wanted = stack_parameters(read_policy((ROOT / "shared" / "policy.toml").read_bytes()))
    assert {name: defaults[name] for name in wanted} == {
        name: ",".join(each) for name, each in wanted.items()
    }


def test_iam_is_told_the_tops_of_paths() -> None:
    """Key, match, anchor and hold mark are viewed, by their top-level names; sorted, each once."""
    assert parameter_overrides(read_policy(NESTED.encode())) == (
        "ViewAttributes=delivery,legal_hold,order,pk,sk ErasedAttributes=recipient"
    )


def test_what_is_erased_on_request_is_allowed() -> None:
    """An erasure on request may go further than the clock, so IAM must let it; it looks at nothing more."""
    request = """[[rules]]
id = "erasure"
clause = "9"
table = "Orders"
key = { pk = "ORDER#{shipment_id}", sk = "META" }
trigger = "request"
erase = ["notes", ["recipient", "name"]]
mode = "enforce"
"""
    assert parameter_overrides(read_policy((NESTED + request).encode())) == (
        "ViewAttributes=delivery,legal_hold,order,pk,sk ErasedAttributes=notes,recipient"
    )


@pytest.mark.parametrize("name", ["e,mail", "e mail", "e*", 'e\\"'])
def test_a_name_that_would_become_another_is_refused(name: str) -> None:
    """A comma or a space would split the name, and allow something else than the policy says."""
    policy = read_policy(NESTED.replace('["recipient", "phone"]', f'["{name}", "phone"]').encode())
    with pytest.raises(UnsuitableNameError, match="cannot hold a name"):
        parameter_overrides(policy)
