"""The tables of a report that go by rule: what the policy promises, and what came of it so far."""

from lapse.horizon import AHEAD
from lapse.overview import Overview
from lapse.policy_table import length
from lapse.report_table import Row, Table, table
from shared.found import Found
from shared.policy import Rule

SWEPT = (
    *(Found.OVERDUE, Found.WITHOUT_TIMER, Found.WAITING, Found.HELD),
    *(Found.OBSERVED, Found.IMPLAUSIBLE, Found.NO_ANCHOR, Found.RE_ADDED),
)


def rules(seen: Overview) -> Table:
    """What the policy promises."""
    columns = ("rule", "clause", "table", "erases", "after", "mode")
    return table("rules", "The policy's rules", columns, map(_rule, seen.policy.rules))


def figures(seen: Overview) -> Table:
    """Each rule in numbers, by timers and evidence."""
    columns = ("rule", "overdue", "today", "in_7_days", "in_30_days", "attempts", "erased")
    return table("figures", "The rules in figures", columns, (_figures(each, seen) for each in _ids(seen)))


def swept(seen: Overview) -> Table:
    """What the last sweep found, rule by rule. Until it is through, it has counted nothing."""
    sweep = seen.present.sweep
    counts = sweep.counts if sweep and sweep.finished else None
    rows = (
        {"rule": rule, **{each.value: None if counts is None else counts[rule, each] for each in SWEPT}}
        for rule in _ids(seen)
    )
    return table("swept", "What the last sweep found", ("rule", *(each.value for each in SWEPT)), rows)


def _ids(seen: Overview) -> list[str]:
    """The policy's rules, and those that it has no more and timers still stand for."""
    named = [rule.id for rule in seen.policy.rules]
    return list(
        dict.fromkeys([*named, *sorted({*seen.timetable.overdue, *(r for _, r in seen.timetable.coming)})])
    )


def _rule(rule: Rule) -> Row:
    return {
        "rule": rule.id,
        "clause": rule.clause,
        "table": rule.table,
        "erases": ", ".join(".".join(path) for path in rule.erase),
        "after": "a request" if rule.on_request else length(rule.retain),
        "mode": rule.mode.value,
    }


def _figures(rule: str, seen: Overview) -> Row:
    soon = zip(("today", "in_7_days", "in_30_days"), AHEAD, strict=True)
    return {
        "rule": rule,
        "overdue": seen.timetable.overdue.get(rule, 0),
        **{name: seen.timetable.within(days, rule) for name, days in soon},
        "attempts": seen.timetable.tried.get(rule, 0),
        "erased": seen.ledger.by_rule().get(rule, 0),
    }
