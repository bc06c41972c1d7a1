"""The report as one HTML page: no script, nothing from elsewhere; the page tells the browser so."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.environment import TemplateStream
from markupsafe import Markup

from lapse import tables_of_evidence, tables_of_present, tables_of_rules
from lapse.answer import ends, in_words, short
from lapse.charts import Chart, day_chart, days_from
from lapse.horizon import AHEAD
from lapse.ledger_totals import DAYS
from lapse.overview import Overview
from lapse.report_table import Table
from lapse.verdict import Colour, verdict_of
from lapse.words import GLOSSARY
from shared.record import SHARDS

_HERE = Path(__file__).parent
_PIECES = 64
"""How many pieces of the page go out at a time."""
TITLES: Mapping[str, str] = {
    "approved_by": "Approved by",
    "answer_by": "Answer by",
    "attempts": "Failed tries",
    "case_ref": "Case",
    "days_left": "Days left",
    "erased": "Erased",
    "head": "Head (SHA-256)",
    "in_30_days": "In 30 days",
    "in_7_days": "In 7 days",
    "late": "Late by",
    "meaning": "What happened",
    "opened_by": "Owner",
    "re_added": "Re-added",
    "reason_code": "Reason",
    "recovery": "Point-in-time recovery",
    "request_id": "Request",
    "requested_at": "Received",
    "stream": "Stream with old images",
    "today": "Due today",
    "what": "What is wrong",
}
"""Of columns whose names do not say it themselves."""
_NUMBERS = {
    *("overdue", "today", "in_7_days", "in_30_days", "attempts", "without_timer"),
    *(
        "waiting",
        "held",
        "observed",
        "implausible",
        "no_anchor",
        "re_added",
        "erased",
        "days_left",
        "timers",
        "erasures",
        "times",
        "messages",
    ),
    *("batches", "entries", "share"),
}
STATES: Mapping[Colour, str] = {
    Colour.GREEN: "In order",
    Colour.AMBER: "Needs attention",
    Colour.RED: "Not in order",
}


def page(seen: Overview) -> TemplateStream:
    """The page, in pieces."""
    css = (_HERE / "report.css").read_text()
    stream = (
        _environment()
        .get_template("report.html.j2")
        .stream(
            seen=seen,
            here=seen.present,
            verdict=(verdict := verdict_of(seen)),
            state=STATES[verdict.colour],
            tables=tables_of(seen),
            due_chart=_due_chart(seen),
            erased_chart=_erased_chart(seen),
            erased_30_days=sum(seen.ledger.by_day(_days_back(seen)[-30]).values()),
            glossary=GLOSSARY,
            shards=SHARDS,
            css=Markup(css),  # noqa: S704 -- a file of this package
            css_hash=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        )
    )
    stream.enable_buffering(_PIECES)
    return stream


def tables_of(seen: Overview) -> dict[str, Table]:
    """All tables, by name."""
    here, by_rule, evidence = tables_of_present, tables_of_rules, tables_of_evidence
    found = [
        *(each(seen) for each in (here.overdue, here.due, here.holds, here.requests)),
        *(
            each(seen)
            for each in (by_rule.rules, by_rule.figures, by_rule.swept, here.copies, here.dead_letters)
        ),
        *(each(seen) for each in (evidence.erased, evidence.lateness, evidence.not_erased)),
        *(each(seen) for each in (evidence.chains, evidence.findings)),
    ]
    return {each.name: each for each in found}


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": cell, "ends": ends, "long": long, "short": short}
    environment.filters |= {"number": lambda number: f"{number:,}", "title_of": title_of, "words": in_words}
    environment.tests["numeric"] = _NUMBERS.__contains__
    return environment


def cell(value: Any) -> str:  # noqa: ANN401 -- what rows hold
    """A value in a table."""
    match value:
        case None | "":
            return "-"
        case float():
            return f"{value:.1f} %"
        case int():
            return f"{value:,}"
        case datetime():
            return short(value)
        case _:
            return str(value)


def title_of(column: str) -> str:
    """A column's title."""
    return TITLES.get(column, in_words(column).capitalize())


def long(instant: datetime) -> str:
    """An instant for a headline."""
    return f"{instant.day} {instant:%B %Y, %H:%M} UTC"


def _due_chart(seen: Overview) -> Chart:
    days = days_from(seen.timetable.today, AHEAD[-1] + 1)
    title = f"Due in the next {AHEAD[-1]} days"
    return day_chart("due", title, "erasures come due", seen.timetable.by_day(), days)


def _erased_chart(seen: Overview) -> Chart:
    title = f"Erased in the last {DAYS} days"
    return day_chart("erased", title, "erasures", seen.ledger.by_day(), _days_back(seen))


def _days_back(seen: Overview) -> list[date]:
    return days_from(seen.ledger.since, DAYS)
