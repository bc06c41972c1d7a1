"""`lapse preflight`: are the business tables fit for Lapse, and where do copies stay."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from lapse.answer import answer, counted, table_of
from lapse.arguments import AsCsv, AsJson, known_table
from lapse.controls import controls
from lapse.examples import example
from lapse.inspection import inspect, is_fit
from lapse.late_progress import LateProgress
from lapse.listing import Listing
from lapse.preflight import Judgement, Remark
from lapse.preflight_checks import CHECKS, NOT_SEEN
from shared.policy import Policy

app = typer.Typer()

_STYLES = {
    Judgement.GOOD: "green",
    Judgement.LOOK: "yellow",
    Judgement.UNKNOWN: "dim",
    Judgement.BLOCKS: "bold red",
}


@app.command(rich_help_panel="Look", epilog=example("lapse preflight Shipments", "lapse preflight --json"))
def preflight(
    ctx: typer.Context,
    table: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="The policy's name of a table; none: all of them.")
    ] = None,
    *,
    read_only: Annotated[
        list[str] | None,
        typer.Option(
            "--read-only",
            metavar="REGION",
            help="Where nobody writes the tables' replicas: those do not block. Repeat it for each region.",
        ),
    ] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Look at business tables before Lapse works on them.

    Ends with 1 if anything keeps it from its work, or a table cannot be described.
    """
    lapse = controls(ctx)
    names = {name: lapse.stores.tables.get(name, "") for name in _named(table, lapse.policy)}
    with LateProgress("Asking", len(names) * len(CHECKS)) as progress:
        found = {
            name: inspect(
                real, lapse.policy.rules_of(name), lapse.inspection, progress.advance, read_only or ()
            )
            for name, real in names.items()
        }
    blocked = [each for remarks in found.values() for each in remarks if each.judgement is Judgement.BLOCKS]
    fit = is_fit(found.values())
    data = {"fit": fit, "tables": _json(names, found), "not_seen": NOT_SEEN}
    listing = _listing(names, found) if as_csv else None
    answer(data, *_shown(names, found, len(blocked), fit=fit), as_json=as_json, csv=listing)
    if not fit:
        raise typer.Exit(1)


def _named(table: str | None, policy: Policy) -> list[str]:
    return [known_table(table, policy)] if table else sorted({rule.table for rule in policy.rules})


def _json(names: Mapping[str, str], found: Mapping[str, Sequence[Remark]]) -> list[dict[str, Any]]:
    return [
        {"table": name, "name": names[name], "remarks": [vars(each) for each in remarks]}
        for name, remarks in found.items()
    ]


def _shown(
    names: Mapping[str, str], found: Mapping[str, Sequence[Remark]], blocked: int, *, fit: bool | None
) -> Iterator[RenderableType]:
    for name, remarks in found.items():
        yield Text.assemble((name, "bold"), f" ({names[name]})")
        rows = table_of("About", "", "What it means")
        for each in remarks:
            rows.add_row(Text(each.about), Text(each.judgement, _STYLES[each.judgement]), Text(each.what))
        yield rows
        yield ""
    yield "What this cannot see:"
    yield from (f"  - {each};" for each in NOT_SEEN)
    yield ""
    looks = (
        sum(each.judgement is not Judgement.GOOD for remarks in found.values() for each in remarks) - blocked
    )
    rest = f"{counted(looks, 'line')} to look at." if looks else "Nothing else to look at."
    yield f"{counted(blocked, 'line')} {'blocks' if blocked == 1 else 'block'} Lapse. {rest}"
    if fit is None:
        yield "A table was not described: whether it is fit is not known."


def _listing(names: Mapping[str, str], found: Mapping[str, Sequence[Remark]]) -> Listing:
    rows = [
        {"table": name, "name": names[name], **vars(each)}
        for name, remarks in found.items()
        for each in remarks
    ]
    return Listing(
        ("table", "name", "about", "judgement", "what"), rows, [f"Not seen: {each}." for each in NOT_SEEN]
    )
