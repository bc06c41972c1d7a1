"""`lapse correct`: an instant that was told wrong."""

from datetime import datetime
from typing import Annotated

import typer

from lapse.answer import add_row, answer, short, table_of
from lapse.arguments import AsCsv, AsJson, By, Key, Table, instant
from lapse.controls import controls
from lapse.examples import example
from lapse.explanation import meant
from lapse.json_forms import MEANING_COLUMNS, listing_of, name_of, record_json
from lapse.trouble import TroubleError
from shared.contract import not_ahead
from shared.correct_fact import Correction, correct_fact
from shared.facts import FactKind
from shared.instants import to_text

app = typer.Typer()


@app.command(
    rich_help_panel="Corrections and brakes",
    epilog=example(
        "lapse correct Contacts C-7 --kind left --was 2026-08-05T10:15:00Z"
        " --is 2026-08-20T10:15:00Z --by staff-7"
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
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Take back an instant that Lapse was told, and put the right one in its place."""
    lapse = controls(ctx)
    record, now = lapse.record(table, key), lapse.clock()
    if becomes:
        not_ahead(becomes, "is", now)
    told = lapse.known(record).of(kind)
    if was not in told and was not in lapse.known(record).withdrawn.get(kind, ()):
        instants = ", ".join(map(to_text, sorted(told))) or "none"
        raise TroubleError(f"--was: no {kind.value} at that instant was told.", f"Told were: {instants}.")
    correct_fact(
        record, Correction(kind, was, becomes, by), lapse.telling(now), lapse.facts, lapse.for_holds.timing
    )
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
