"""`lapse erase` and `requests`: erasure because somebody asked for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from lapse.answer import add_row, answer, left, short, summary, table_of, unreadable_rows
from lapse.arguments import AsCsv, AsJson, Table, reference
from lapse.asking import confirm
from lapse.controls import Controls, controls
from lapse.examples import example
from lapse.explanation import meant
from lapse.json_forms import ASKED_COLUMNS, REQUEST_COLUMNS, listing_of, name_of, record_json, request_json
from lapse.trouble import TroubleError
from shared.answer_requests import TIME_TO_ANSWER
from shared.facts import Request
from shared.instants import FIRST, SECOND, add, ceil
from shared.outgoing import plain_key
from shared.policy import Rule
from shared.record import RecordRef
from shared.request_erasure import request_erasure
from shared.requests import MOST_RECORDS, Asked, ErasureRequested

PANEL = "Erasure on request"
NAMED = 10
"""How many records a question names; the others are counted."""
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    epilog=example("lapse erase Contacts C-7 C-8 --request DSR-2026-11 --approved-by dpo-1 --yes"),
)
def erase(  # noqa: PLR0913 -- the command's options
    ctx: typer.Context,
    table: Table,
    key: Annotated[
        list[str],
        typer.Argument(metavar="KEY", help="The records' keys: a value each, or name=value for their parts."),
    ],
    *,
    request: Annotated[
        str, typer.Option("--request", metavar="ID", parser=reference, help="The request's id.")
    ],
    approved_by: Annotated[
        str,
        typer.Option("--approved-by", metavar="STAFF", parser=reference, help="Who approved it: a staff id."),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Erase unasked.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Erase what the policy erases on request, now; or when the last hold ends. Asks first."""
    lapse = controls(ctx)
    records, rule, now = lapse.several(table, key), _request_rule(lapse, table), lapse.clock()
    if len(records) > MOST_RECORDS:
        raise TroubleError(f"KEY: more than {MOST_RECORDS} records.", "Make several requests.")
    confirm(_question(records, rule), "Nothing was requested.", unasked=yes, silent=as_json or as_csv)
    known = {record: lapse.known(record).requests.get(request) for record in records}
    asked = tuple(Asked(table, plain_key(record), rule, record) for record in records)
    request_erasure(
        ErasureRequested(Request(request, now, approved_by), asked), lapse.telling(now), lapse.for_requests
    )
    found = [(record, _answered(known[record]) or _becomes(lapse, record, rule, now)) for record in records]
    asked_for = {"request_id": request, "rule": rule.id}
    becoming = [record_json(record) | {"becomes": becomes} for record, becomes in found]
    rows = table_of("Record", "What becomes of it")
    for record, becomes in found:
        add_row(rows, name_of(record), becomes)
    shown = f"Requested as {request} by rule {rule.id} (§{rule.clause}). See `lapse requests --all`."
    listing = listing_of(ASKED_COLUMNS, [asked_for | each for each in becoming]) if as_csv else None
    answer(asked_for | {"records": becoming}, rows, shown, as_json=as_json, csv=listing)


@app.command(rich_help_panel=PANEL, epilog=example("lapse requests --all"))
def requests(
    ctx: typer.Context,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were answered.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List the requests that wait for an answer, oldest first, with what is left of the month for it."""
    lapse = controls(ctx)
    now = lapse.clock()
    found, unreadable = lapse.told(
        lambda facts: facts.requests.values() if everything else facts.open_requests()
    )
    found.sort(key=lambda each: (each[1].answered_at or FIRST, each[1].requested_at, each[0].text))
    each_json = [{**record_json(record), **request_json(each, now)} for record, each in found]
    rows = table_of("Request", "Record", "Requested", "Approved by", "Answer by", "Left or answered")
    for record, each in found:
        answer_by = add(each.requested_at, TIME_TO_ANSWER)
        became = f"{each.answer} {short(each.answered_at)}" if each.answered_at else left(answer_by, now)
        cells = (short(each.requested_at), each.approved_by, short(answer_by), became)
        add_row(rows, each.request_id, name_of(record), *cells)
    shown = [rows] if found else []
    data = {"requests": each_json, "unreadable": unreadable}
    listing = listing_of(REQUEST_COLUMNS, each_json, unreadable_rows(unreadable)) if as_csv else None
    answer(data, *shown, *summary(found, "request", unreadable), as_json=as_json, csv=listing)


def _request_rule(lapse: Controls, table: str) -> Rule:
    rule = lapse.policy.request_rule(table)
    if rule is None:
        having = ", ".join(sorted(each.table for each in lapse.policy.rules if each.on_request)) or "none"
        raise TroubleError(
            "The policy erases nothing of this table on request.", f"Tables that have a rule: {having}."
        )
    return rule


def _question(records: Sequence[RecordRef], rule: Rule) -> str:
    fields = ", ".join(".".join(path) for path in rule.erase)
    named = [name_of(record) for record in records]
    more = f" and {len(named) - NAMED:,} more" if len(named) > NAMED else ""
    which = f"{', '.join(named[:NAMED])}{more}, by rule {rule.id}"
    return f"Erase {fields} of {which}? This cannot be undone."


def _answered(known: Request | None) -> str:
    """That the same request was made before, and has its answer: it gets no other."""
    if known is None or known.answered_at is None:
        return ""
    return f"nothing new: {known.request_id} was answered {known.answer} at {short(known.answered_at)}"


def _becomes(lapse: Controls, record: RecordRef, rule: Rule, now: datetime) -> str:
    """What the purge will make of it, as it looks now."""
    asked = ceil(now, SECOND)
    _, meanings = meant(record, lapse, asked)
    return next(each.words(asked) for each in meanings if each.rule == rule)
