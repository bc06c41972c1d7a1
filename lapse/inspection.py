"""All that can be asked about a business table is asked; what is not answered stays unknown, and no more."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lapse.preflight import Check, Remark, TablesToInspect, Verdict
from lapse.preflight_checks import CHECKS
from lapse.preflight_judges import JUDGES
from shared.failure import CallFailedError
from shared.policy import Rule

TABLE = "table"
"""What a remark is about if nothing else is known of a table."""


def inspect(
    real_name: str, rules: Sequence[Rule], tables: TablesToInspect, advance: Callable[[int], object] = int
) -> list[Remark]:
    """All remarks about a table.

    Args:
        real_name: the table's name in the account.
        rules: the rules of the table.
        tables: who answers.
        advance: hears of each of `CHECKS`.
    """
    try:
        described = tables.described(real_name)
    except CallFailedError as error:
        return [_not_described(error)]
    remarks = [remark for judge in JUDGES for remark in judge(described, rules)]
    for check in CHECKS:
        remarks += _asked(check, described, rules, tables)
        advance(1)
    return remarks


def _asked(
    check: Check, described: Mapping[str, Any], rules: Sequence[Rule], tables: TablesToInspect
) -> list[Remark]:
    try:
        answer = tables.ask(check.question, described)
    except CallFailedError as error:
        return [Remark(check.about, Verdict.UNKNOWN, _unanswered(error))]
    return list(check.judge(answer, rules))


def is_fit(found: Iterable[Sequence[Remark]]) -> bool | None:
    """Whether tables, of which these are the remarks, are fit for Lapse; `None` if one was not described."""
    remarks = [each for some in found for each in some]
    if any(each.verdict is Verdict.BLOCKS for each in remarks):
        return False
    return None if any(each.about == TABLE and each.verdict is Verdict.UNKNOWN for each in remarks) else True


def _not_described(error: CallFailedError) -> Remark:
    if error.code == "ResourceNotFoundException":
        return Remark(TABLE, Verdict.BLOCKS, "There is no such table in this account and region.")
    return Remark(TABLE, Verdict.UNKNOWN, _unanswered(error))


def _unanswered(error: CallFailedError) -> str:
    why = "is not permitted" if "AccessDenied" in error.code else "is not answered"
    return f"{error.operation} {why} ({error.code}): look yourself."
