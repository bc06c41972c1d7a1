"""JMESPath expressions, checked when they are compiled rather than when the first event comes.

jmespath's own error texts hold payload values, so none of them leaves this module.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

LONGEST_EXPRESSION = 1000
_EVALUATION_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class ExpressionFailedError(Exception):
    """The expression cannot be evaluated on this payload. Carries nothing of it."""


@dataclass(frozen=True)
class Expression:
    """A compiled expression; `text` is as written in the configuration."""

    text: str
    _parsed: ParsedResult = field(repr=False, compare=False)

    def search(self, scope: object) -> Any:  # noqa: ANN401 -- whatever the payload holds there
        """What the expression finds, or None.

        Raises:
            ExpressionFailedError: a function was given a type that it cannot take, or the like.
        """
        try:
            return self._parsed.search(scope)
        except _EVALUATION_ERRORS:
            raise ExpressionFailedError from None

    def holds(self, scope: object) -> bool:
        """Whether a condition says true; null counts as false.

        Raises:
            ExpressionFailedError: as `search`; or something else. JMESPath would take 0 and "no" for true.
        """
        found = self.search(scope)
        if found is None or isinstance(found, bool):
            return found is True
        raise ExpressionFailedError


def compile_expression(text: object) -> Expression:
    """Compile an expression of the configuration.

    Raises:
        ValueError: it is not JMESPath, calls an unknown function, or compares with what is surely a mistake.
    """
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_EXPRESSION:
        raise ValueError(f"must be a JMESPath expression of 1 to {LONGEST_EXPRESSION} characters")
    try:
        parsed = jmespath.compile(text)
    except (JMESPathError, RecursionError) as error:
        raise ValueError(_parse_problem(error)) from None
    for node in _nodes(parsed.parsed):
        _check_function(node)
        _check_comparison(node)
    return Expression(text, parsed)


def _parse_problem(error: Exception) -> str:
    problem = getattr(error, "msg", None) or getattr(error, "message", None) or "cannot be read"
    column = getattr(error, "lex_position", None)
    return f"is not JMESPath: {problem}" + (f" (column {column + 1})" if isinstance(column, int) else "")


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("children", ()):
        if isinstance(child, dict):
            yield from _nodes(child)


def _check_function(node: Mapping[str, Any]) -> None:
    if node["type"] != "function_expression":
        return
    name, given = node["value"], len(node["children"])
    known = Functions.FUNCTION_TABLE.get(name)
    if known is None:
        raise ValueError(f"calls {name}(), which JMESPath does not have")
    signature = known["signature"]
    variadic = bool(signature) and signature[-1].get("variadic", False)
    if given < len(signature) or (given > len(signature) and not variadic):
        raise ValueError(f"calls {name}() with {given} argument(s), not {len(signature)}")


def _check_comparison(node: Mapping[str, Any]) -> None:
    if node["type"] == "comparator" and node["children"][1]["type"] == "field":
        # `status == "done"` and `test == true` compare with fields of such names: never equal, no error.
        raise ValueError(
            "compares with a field: write 'text' in single quotes, `true`, `null`, `5` in backticks"
        )
