"""`lapse report`: what was promised and what was kept, in one file for the officer."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lapse.controls import Controls, controls
from lapse.examples import example
from lapse.overview import Overview, look_over
from lapse.trouble import TroubleError
from lapse.verdict import Colour, Verdict, verdict_of
from shared.ledger_batch import Kept

app = typer.Typer()


@app.command(
    rich_help_panel="Look", epilog=example("lapse report --html lapse-report.html --csv lapse-report-csv")
)
def report(
    ctx: typer.Context,
    *,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", dir_okay=False, help="A page to open, or print."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="DIR", file_okay=False, help="All lists, a file for each.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", dir_okay=False, help="The figures for programs.")
    ] = None,
) -> None:
    """Write down what is overdue, due, erased, held, asked for and failed, and whether the ledger is whole.

    Reads all timers of the next 30 days, and all of the ledger. Ends with 1 if anything is overdue, or the
    ledger is not whole.
    """
    if not (html or csv or json):
        raise TroubleError("There is nowhere to write to.", "Name it: --html FILE, --csv DIR or --json FILE.")
    from lapse.report_files import write_json, write_page  # noqa: PLC0415 -- with jinja2, `lapse --help` would take longer

    lapse = controls(ctx)
    try:
        seen = _looked(lapse, lapse.clock(), csv)
        for path, write in ((html, write_page), (json, write_json)):
            if path:
                write(seen, path)
    except OSError as error:
        raise TroubleError(f"A file cannot be written: {error.strerror}.", "Name another place.") from None
    verdict = verdict_of(seen)
    for line in _said(verdict, [path for path in (html, csv, json) if path]):
        print(line)
    if verdict.colour is Colour.RED:
        raise typer.Exit(1)


def _looked(lapse: Controls, now: datetime, csv: Path | None) -> Overview:
    """Look at everything once; lists are written meanwhile."""
    from lapse.report_files import add_evidence, evidence_csv, write_lists  # noqa: PLC0415 -- as above

    with ExitStack() as files:
        witness = partial(add_evidence, files.enter_context(evidence_csv(csv))) if csv else _nobody
        seen = look_over(lapse, now, witness)
        if csv:
            write_lists(lapse, seen, csv)
    return seen


def _nobody(_: Kept) -> None:
    pass


def _said(verdict: Verdict, paths: list[Path]) -> Iterator[str]:
    yield verdict.headline
    yield from (f"- {remark}" for remark in verdict.remarks)
    yield from (f"Written: {path}" for path in paths)
