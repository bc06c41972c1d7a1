"""IAM's evaluation of a request, as far as this template's policies need it.

Follows "Multivalued context keys" and "Null condition operator" of the IAM user guide. What is not known here
is an error: an operator that no test understands must not pass for one that allows nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from tests.template.translated import Deployment, Resource

type Context = Mapping[str, str | Sequence[str]]
type Statement = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """What a service asks IAM: may this be done?"""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


def statements_of(stack: Deployment, role: str) -> list[Statement]:
    """All that a role is granted: in the role itself, by policies attached to it, and by policies of keys."""
    inline = stack[role].properties.get("Policies", [])
    attached = [
        policy.properties
        for policy in stack.of_type("AWS::IAM::Policy")
        if stack[role].ref in policy["Roles"]
    ]
    by_keys = [
        {**each, "Resource": key.arn}
        for key in stack.of_type("AWS::KMS::Key")
        for each in key["KeyPolicy"]["Statement"]
        if each["Principal"] == {"AWS": stack[role].arn}
    ]
    own = [each for policy in [*inline, *attached] for each in policy["PolicyDocument"]["Statement"]]
    return own + by_keys


def role_of(stack: Deployment, function: Resource | str) -> str:
    """The logical id of a function's role."""
    it = stack[function] if isinstance(function, str) else function
    (role,) = [each.id for each in stack.of_type("AWS::IAM::Role") if each.arn == it["Role"]]
    return role


def allows(statements: Sequence[Statement], request: Request) -> bool:
    """Whether some statement allows the request and none denies it."""
    effects = {statement["Effect"] for statement in statements if applies(statement, request)}
    return effects == {"Allow"}


def allowed_to(stack: Deployment, functions: Iterable[str], request: Request) -> set[str]:
    """The functions to which a request is allowed."""
    return {each for each in functions if allows(statements_of(stack, role_of(stack, each)), request)}


def applies(statement: Statement, request: Request) -> bool:
    """Whether a statement is about a request."""
    return (
        any(fnmatchcase(request.action.lower(), each.lower()) for each in listed(statement["Action"]))
        and any(fnmatchcase(request.resource, each) for each in listed(statement["Resource"]))
        and all(
            _meets(operator, listed(wanted), request.context.get(key))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def listed(value: Any) -> list[Any]:
    """A policy's "one or several"."""
    return value if isinstance(value, list) else [value]


def _meets(operator: str, wanted: Sequence[str], given: str | Sequence[str] | None) -> bool:
    present = given is not None and given != []
    match operator:
        case "Null":
            return present == (wanted == ["false"])
        case "ForAllValues:StringEquals":
            return all(each in wanted for each in listed(given)) if present else True
        case "ForAllValues:StringLike":
            return all(_is_like(each, wanted) for each in listed(given)) if present else True
        case "StringEqualsIfExists":
            return not present or given in wanted
        case "StringEquals" | "ArnEquals" | "Bool":
            return given in wanted
        case "ArnNotEquals":
            return given not in wanted
    raise NotImplementedError(operator)


def _is_like(value: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)
