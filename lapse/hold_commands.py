"""`lapse hold`, `release` and `holds`: disputes that keep a record's personal fields."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from lapse.answer import add_row, answer, left, short, summary, table_of, unreadable_rows
from lapse.arguments import AsCsv, AsJson, By, Case, Key, Table, Until, reference
from lapse.controls import Controls, controls
from lapse.examples import example
from lapse.explanation import meant
from lapse.json_forms import HOLD_COLUMNS, hold_json, listing_of, name_of, record_json
from lapse.trouble import TroubleError
from shared.disputes import permitted
from shared.facts import Closing, Hold
from shared.hold_mark import mark_until
from shared.hold_records import Held, place_hold, release_hold
from shared.instants import LAST, MICROSECOND, add
from shared.record import HOLD_MARK, RecordRef
from shared.sweep_pages import EXPIRES_SOON

PANEL = "Holds"
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL,
    epilog=example("lapse hold Shipments S-1001 --case C-9 --reason damaged --by staff-7 --until P30D"),
)
def hold(  # noqa: PLR0913 -- the command's options
    ctx: typer.Context,
    table: Table,
    key: Key,
    *,
    case: Case,
    reason: Annotated[
        str, typer.Option("--reason", metavar="CODE", parser=reference, help="Why: a reason code.")
    ],
    by: By,
    until: Until,
    as_json: AsJson = False,
) -> None:
    """Keep a record's personal fields until a case is over. The same case again moves its end."""
    lapse = controls(ctx)
    record, now = lapse.record(table, key), lapse.clock()
    known = lapse.known(record).holds.get(case)
    wanted = Hold(reason, case, by, _last_word(known, now), until.after(now, lapse.zone))
    held = place_hold(record, permitted(wanted, lapse.policy), lapse.telling(now), lapse.for_holds)
    there = record in lapse.records.look([record], [])
    ahead = "" if there else "There is no such record; if it comes, it is held. "
    shown = {
        Held.PLACED: f"{ahead}Held: {name_of(record)}, case {case}, until {short(wanted.until)}.",
        Held.KNOWN: "Nothing changed: a later word on this case came in between. See `lapse holds`.",
        Held.TOO_LATE: f"Not held: the personal fields of {name_of(record)} are gone already.",
    }[held]
    data = {**record_json(record), "held": held.value, "record_exists": there, **hold_json(wanted, now)}
    answer(data, shown, as_json=as_json)
    if held is not Held.PLACED:
        raise typer.Exit(1)


@app.command(rich_help_panel=PANEL, epilog=example("lapse release Shipments S-1001 --case C-9 --by staff-7"))
def release(  # noqa: PLR0913 -- as above
    ctx: typer.Context, table: Table, key: Key, *, case: Case, by: By, as_json: AsJson = False
) -> None:
    """Close a case; its record is timed anew at once."""
    lapse = controls(ctx)
    record, now = lapse.record(table, key), lapse.clock()
    holds = lapse.known(record).holds
    if case not in holds:
        cases = ", ".join(sorted(holds)) or "none"
        raise TroubleError("--case: the record has no such case.", f"Its cases: {cases}.")
    known = holds[case]
    closing = Closing(case, known.closed_by, known.closed_at) if known.is_closed and known.closed_at else None
    release_hold(
        record, closing or Closing(case, by, _last_word(known, now)), lapse.telling(now), lapse.for_holds
    )
    others = sorted(each.case_ref for each in lapse.known(record).in_force(now))
    shown = f"Case {case} was closed already." if closing else f"Released: {name_of(record)}, case {case}."
    marked = not others and _is_marked(record, lapse, now)
    data = {
        **record_json(record),
        "case_ref": case,
        "released": closing is None,
        "still_held_by": others,
        "still_marked": marked,
    }
    answer(data, shown + _still_held(others, marked=marked), as_json=as_json)


@app.command(rich_help_panel=PANEL, epilog=example("lapse holds --expiring", "lapse holds --csv"))
def holds(
    ctx: typer.Context,
    *,
    expiring: Annotated[bool, typer.Option("--expiring", help="Only those that end within 14 days.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List the holds in force, those that end first on top."""
    lapse = controls(ctx)
    now = lapse.clock()
    last = add(now, EXPIRES_SOON) if expiring else LAST
    found, unreadable = lapse.told(lambda facts: [e for e in facts.in_force(now) if (e.until or now) <= last])
    found.sort(key=lambda each: (each[1].until or now, each[0].text))
    each_json = [{**record_json(record), **hold_json(each, now)} for record, each in found]
    rows = table_of("Record", "Case", "Reason", "Opened by", "Since", "Until", "Left")
    for record, each in found:
        cells = (each.case_ref, each.reason_code, each.opened_by, short(each.since), short(each.until))
        add_row(rows, name_of(record), *cells, left(each.until, now))
    shown = [rows] if found else []
    data = {"holds": each_json, "unreadable": unreadable}
    listing = listing_of(HOLD_COLUMNS, each_json, unreadable_rows(unreadable)) if as_csv else None
    answer(data, *shown, *summary(found, "hold", unreadable), as_json=as_json, csv=listing)


def _still_held(cases: Sequence[str], *, marked: bool) -> str:
    if cases:
        return f" It is still held by {', '.join(cases)}."
    return " A mark of the business system's own still holds it." if marked else ""


def _is_marked(record: RecordRef, lapse: Controls, now: datetime) -> bool:
    """Whether a mark holds a record of which Facts know no hold any more: then it is not Lapse's."""
    view, _ = meant(record, lapse, now)
    mark = view.value(HOLD_MARK)
    return mark is not None and (mark_until(mark) or LAST) > now


def _last_word(known: Hold | None, now: datetime) -> datetime:
    """Now; or right behind what is known of the case, if the clock that told it was ahead of this one."""
    told = [each for each in (known.since, known.closed_at) if each] if known else []
    return max([now, *(add(each, MICROSECOND) for each in told)])
