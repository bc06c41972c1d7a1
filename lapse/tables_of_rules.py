"""The tables of a report that go by rule: what the policy promises, and what came of it so far."""

from lapse.horizon import AHEAD
from lapse.overview import Overview
from lapse.report_table import Row, Table, table
from shared.found import Found
from shared.policy import Rule


def rules(seen: Overview) -> Table:
    """What the policy promises."""
    columns = ("rule", "clause", "table", "erases", "after", "mode")
    return table("rules", "The policy's rules", columns, map(_rule, seen.policy.rules))


def figures(seen: Overview) -> Table:
    """Each rule in numbers; also those that the policy has no more, and timers still stand for."""
    columns = (
        *("rule", "overdue", "today", "in_7_days", "in_30_days", "attempts"),
        *("waiting", "held", "observed", "implausible", "re_added", "erased"),
    )
    named = [rule.id for rule in seen.policy.rules]
    ids = dict.fromkeys([*named, *sorted({*seen.timetable.overdue, *(r for _, r in seen.timetable.coming)})])
    return table("figures", "The rules in figures", columns, (_figures(each, seen) for each in ids))


def _rule(rule: Rule) -> Row:
    return {
        "rule": rule.id,
        "clause": rule.clause,
        "table": rule.table,
        "erases": ", ".join(".".join(path) for path in rule.erase),
        "after": "a request" if rule.on_request else f"{rule.retain.days} days",
        "mode": rule.mode.value,
    }


def _figures(rule: str, seen: Overview) -> Row:
    soon = zip(("today", "in_7_days", "in_30_days"), AHEAD, strict=True)
    sweep = seen.present.sweep
    through = sweep.counts if sweep and sweep.finished else None  # until then it has counted nothing
    swept = (Found.WAITING, Found.HELD, Found.OBSERVED, Found.IMPLAUSIBLE, Found.RE_ADDED)
    return {
        "rule": rule,
        "overdue": seen.timetable.overdue.get(rule, 0),
        **{name: seen.timetable.within(days, rule) for name, days in soon},
        "attempts": seen.timetable.tried.get(rule, 0),
        **{each.value: through[rule, each] if through is not None else None for each in swept},
        "erased": seen.ledger.by_rule().get(rule, 0),
    }
