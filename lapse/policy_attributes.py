"""Which attributes a policy lets Lapse read, and which remove: parameters of template.yaml, for IAM."""

import re
from collections.abc import Collection, Mapping

from shared.policy import Policy

_SAFE = re.compile(r"""[^\s,"'\\*?\[\]]+""")
"""Survives a comma-separated stack parameter, and a shell's unquoted `$(…)`."""


class UnsuitableNameError(Exception):
    """An attribute's name cannot be written in a stack parameter."""


def stack_parameters(policy: Policy) -> Mapping[str, Collection[str]]:
    """Parameter of template.yaml to attribute names, sorted.

    Only the top of each path: IAM's `dynamodb:Attributes` knows nothing of what lies within a map.
    """
    viewed = {path[0] for rule in policy.rules for path in rule.view_paths}
    keys = {name for rule in policy.rules for name in rule.key}
    erased = {path[0] for rule in policy.rules for path in rule.erase}
    return {"ViewAttributes": sorted(viewed | keys), "ErasedAttributes": sorted(erased)}


def parameter_overrides(policy: Policy) -> str:
    """The parameters as `sam deploy --parameter-overrides` takes them.

    Raises:
        UnsuitableNameError: an attribute's name would come out as something else.
    """
    parameters = stack_parameters(policy)
    for name in (name for names in parameters.values() for name in names):
        if not _SAFE.fullmatch(name):
            raise UnsuitableNameError(
                f"{name}: a stack parameter cannot hold a name with a comma, a space, a quote or a wildcard"
            )
    return " ".join(f"{parameter}={','.join(names)}" for parameter, names in parameters.items())
