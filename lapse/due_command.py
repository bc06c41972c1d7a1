"""`lapse due`: what becomes due when."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from lapse.answer import add_row, answer, counted, table_of
from lapse.arguments import AsCsv, AsJson
from lapse.controls import Controls, controls
from lapse.examples import example
from lapse.horizon import AHEAD
from lapse.late_progress import LateProgress
from lapse.listing import Listing
from lapse.timetable import Timetable, read_timetable

BAR = 30
"""Characters of the longest bar."""
DAYS = AHEAD[-1]
MOST_DAYS = 3660
DAY_COLUMNS: Sequence[str] = ("day", "timers")
RULE_COLUMNS: Sequence[str] = (
    "rule",
    "clause",
    "table",
    "mode",
    "overdue",
    "today",
    "in_7_days",
    "in_30_days",
    "until",
)

app = typer.Typer()


class Order(StrEnum):
    """What the figures are ordered by."""

    DAY = "day"
    RULE = "rule"


@app.command(rich_help_panel="Look", epilog=example("lapse due --by rule"))
def due(
    ctx: typer.Context,
    *,
    by: Annotated[Order, typer.Option("--by", help="Count by day, or by rule.")] = Order.DAY,
    days: Annotated[int, typer.Option("--days", min=1, max=MOST_DAYS, help="How far to look ahead.")] = DAYS,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List what becomes due when, by day or by rule. A hold moves what it keeps to its own end.

    Ends with 1 if anything is overdue.
    """
    lapse = controls(ctx)
    with LateProgress("Reading timers", None) as progress:
        seen = read_timetable(lapse, lapse.clock(), days, advance=progress.advance)
    overdue = sum(seen.overdue.values())
    data: dict[str, Any] = {"zone": str(lapse.zone), "until": seen.until, "overdue": overdue}
    if by is Order.DAY:
        columns, rows = DAY_COLUMNS, [{"day": day, "timers": n} for day, n in seen.by_day().items()]
        shown = _days(seen)
    else:
        columns, rows = RULE_COLUMNS, [_of_rule(each, seen, lapse) for each in _rules(seen, lapse)]
        shown = _table(rows, days)
    data |= {f"{by}s": rows, "unreadable": seen.unreadable}
    summary = f"{counted(overdue, 'timer')} overdue. Days end in {lapse.zone}."
    answer(data, *shown, summary, as_json=as_json, csv=Listing(columns, rows) if as_csv else None)
    if overdue:
        raise typer.Exit(1)


def _rules(seen: Timetable, lapse: Controls) -> list[str]:
    """The policy's rules, and those that timers still stand for."""
    others = {*seen.overdue, *(rule for _, rule in seen.coming)}
    return list(dict.fromkeys([*(rule.id for rule in lapse.policy.rules), *sorted(others)]))


def _of_rule(rule_id: str, seen: Timetable, lapse: Controls) -> dict[str, Any]:
    rule = lapse.policy.rule(rule_id)
    return {
        "rule": rule_id,
        "clause": rule.clause if rule else None,
        "table": rule.table if rule else None,
        "mode": rule.mode.value if rule else None,
        "overdue": seen.overdue.get(rule_id, 0),
        "today": seen.within(0, rule_id),
        "in_7_days": seen.within(7, rule_id),
        "in_30_days": seen.within(30, rule_id),
        "until": sum(number for (_, each), number in seen.coming.items() if each == rule_id),
    }


def _days(seen: Timetable) -> Iterator[RenderableType]:
    days = seen.by_day()
    rows = table_of("Day", "In", "Timers", "")
    rows.columns[2].justify = "right"
    most = max(days.values(), default=1)
    for day, number in days.items():
        add_row(rows, f"{day:%a} {day}", _ahead(day, seen), f"{number:,}", "█" * -(-number * BAR // most))
    yield rows if days else f"Nothing becomes due until {seen.until}."


def _ahead(day: date, seen: Timetable) -> str:
    ahead = (day - seen.today).days
    return f"{ahead} d" if ahead else "today"


def _table(found: Sequence[Mapping[str, Any]], days: int) -> Iterator[RenderableType]:
    """The last column only where it is not that of 30 days again."""
    last = () if days == DAYS else (f"{days} days",)
    rows = table_of("Rule", "§", "Table", "Mode", "Overdue", "Today", "7 days", "30 days", *last)
    for column in rows.columns[4:]:
        column.justify = "right"
    for each in found:
        figures = (f"{each[name]:,}" for name in RULE_COLUMNS[4 : 8 + len(last)])
        names = (each["rule"], each["clause"] or "", each["table"] or "-", each["mode"] or "removed")
        add_row(rows, *names, *figures, style="bold red" if each["overdue"] else "")
    yield rows
