"""`lapse correct`: an instant that was told wrong."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

import typer

from lapse.answer import add_row, answer, short, table_of
from lapse.arguments import AsCsv, AsJson, By, Key, Table, instant
from lapse.asking import confirm
from lapse.controls import Controls, controls
from lapse.examples import example
from lapse.explanation import Meaning, meanings_of, meant
from lapse.json_forms import MEANING_COLUMNS, listing_of, name_of, record_json
from lapse.trouble import TroubleError
from shared.contract import not_ahead
from shared.correct_fact import Correction, correct_fact
from shared.facts import FactKind, Facts
from shared.instants import to_text
from shared.record import RecordRef
from shared.retention import Erase

app = typer.Typer()


@app.command(
    rich_help_panel="Corrections and brakes",
    epilog=example(
        "lapse correct Contacts C-7 --kind left --was 2026-08-05T10:15:00Z"
        " --is 2026-08-20T10:15:00Z --by staff-7 --yes"
    ),
)
def correct(  # noqa: PLR0913 -- the command's options
    ctx: typer.Context,
    table: Table,
    key: Key,
    *,
    kind: Annotated[FactKind, typer.Option(help="What was told.")],
    was: Annotated[datetime, typer.Option(metavar="INSTANT", parser=instant, help="The wrong instant.")],
    becomes: Annotated[
        datetime | None,
        typer.Option("--is", metavar="INSTANT", parser=instant, help="The right one; none: it was not so."),
    ] = None,
    by: By,
    yes: Annotated[bool, typer.Option("--yes", help="Correct it unasked.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Take back an instant that Lapse was told, and put the right one in its place.

    Asks first, if the record is due by the right one.
    """
    lapse = controls(ctx)
    record, now = lapse.record(table, key), lapse.clock()
    if becomes:
        not_ahead(becomes, "is", now)
    told = lapse.known(record).of(kind)
    if was not in told and was not in lapse.known(record).withdrawn.get(kind, ()):
        instants = ", ".join(map(to_text, sorted(told))) or "none"
        raise TroubleError(f"--was: no {kind.value} at that instant was told.", f"Told were: {instants}.")
    correction = Correction(kind, was, becomes, by)
    if due := _due_then(record, correction, lapse, now):
        confirm(_question(record, due), "Nothing was corrected.", unasked=yes, silent=as_json or as_csv)
    correct_fact(record, correction, lapse.telling(now), lapse.facts, lapse.for_holds.timing)
    _, meanings = meant(record, lapse, now)
    data = {**record_json(record), "kind": kind.value, "was": was, "is": becomes, "changed": was in told}
    rows = table_of("Rule", "Due", "What becomes of it")
    for each in meanings:
        add_row(rows, each.rule.id, short(each.due), each.words(now))
    done = f"{'Corrected' if was in told else 'Taken back before'}: {name_of(record)}."
    rules = [each.as_json() for each in meanings]
    each_rule = [record_json(record) | each for each in rules]
    listing = listing_of(MEANING_COLUMNS, each_rule, [done]) if as_csv else None
    answer(data | {"rules": rules}, done, rows, as_json=as_json, csv=listing)


def _due_then(record: RecordRef, correction: Correction, lapse: Controls, now: datetime) -> Meaning | None:
    """What erases the record by the next purge once this is corrected, if anything does."""
    view, _ = meant(record, lapse, now)
    told = (view.facts or Facts()).corrected(correction.kind, correction.was, correction.becomes)
    meanings = meanings_of(replace(view, facts=told), record, lapse, now)
    return next((each for each in meanings if each.has_fields and isinstance(each.decision, Erase)), None)


def _question(record: RecordRef, due: Meaning) -> str:
    fields = ", ".join(".".join(path) for path in due.rule.erase)
    return f"Then {name_of(record)} is due by rule {due.rule.id}: the next purge erases {fields}. Correct it?"
