"""`lapse sweep`, `purge` and `seal`: the functions, invoked by hand and waited for."""

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from rich.table import Table

from lapse.answer import add_row, answer, counted, ends, in_words, table_of
from lapse.arguments import AsCsv, AsJson
from lapse.controls import Controls, controls
from lapse.examples import example
from lapse.late_progress import waiting
from lapse.listing import Listing

PANEL = "Runs"
app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog=example("lapse sweep"))
def sweep(ctx: typer.Context, *, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Find what has no timer, now. Erases nothing itself; goes on until the sweep is through."""
    lapse = controls(ctx)
    summary = _run(lapse, "SweepFunctionName", "Sweeping")
    while not summary["finished"]:
        print(f"Not through yet: {_progress(lapse)}", file=sys.stderr)
        summary = _run(lapse, "SweepFunctionName", "Sweeping")
    shown = [counts_by_rule(summary["counts"])] if summary["counts"] else []
    rows = [
        {"rule": rule, "found": found, "records": number}
        for rule, counts in summary["counts"].items()
        for found, number in counts.items()
    ]
    listing = Listing(("rule", "found", "records"), rows) if as_csv else None
    answer({"counts": summary["counts"]}, "The sweep is through.", *shown, as_json=as_json, csv=listing)


@app.command(rich_help_panel=PANEL, epilog=example("lapse purge"))
def purge(ctx: typer.Context, *, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Erase what is due, now."""
    lapse = controls(ctx)
    summary = _run(lapse, "PurgeFunctionName", "Purging")
    rows = table_of("Counted", "Records")
    for name, number in _counted(summary["counts"]):
        add_row(rows, name, f"{number:,}")
    shown = [rows] if rows.row_count else []
    data = {name: summary[name] for name in ("shards_finished", "shards", "counts")}
    remarks = list(_remarks(lapse, summary))
    done = [{"counted": name, "records": number} for name, number in _counted(summary["counts"])]
    listing = Listing(("counted", "records"), done, remarks) if as_csv else None
    answer(data, *shown, *remarks, as_json=as_json, csv=listing)


@app.command(rich_help_panel=PANEL, epilog=example("lapse seal"))
def seal(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Sign the ledger's heads, now; otherwise it is done once a day. Ends with 1 if a chain is broken."""
    lapse = controls(ctx)
    summary = _run(lapse, "SealFunctionName", "Sealing")
    number, findings = summary["sealed"], summary["findings"]
    said = f"Seal {number}." if number else "Another run was just about to seal: there is nothing to do."
    answer({"sealed": number, "findings": findings}, said, *findings, as_json=as_json)
    if findings:
        raise typer.Exit(1)


def counts_by_rule(counts: Mapping[str, Mapping[str, int]]) -> Table:
    """What a sweep counted, without the zeros."""
    rows = table_of("Rule", "Found", "Records")
    for rule, found in counts.items():
        for name, number in found.items():
            add_row(rows, rule, in_words(name), f"{number:,}")
    return rows


def _run(lapse: Controls, output: str, what: str) -> Mapping[str, Any]:
    with waiting(f"{what} (a run lasts up to 15 minutes)"):
        return lapse.functions.run(output)


def _progress(lapse: Controls) -> str:
    current = lapse.sweeps.read()
    parts = lapse.sweeps.read_parts(current) if current else {}
    scanned = sum(each.scanned for each in parts.values())
    return f"{counted(scanned, 'item')} looked at."


def _counted(counts: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The purge's counts by name, dropped timers by reason; not those that say how the run itself went."""
    for name, number in counts.items():
        if isinstance(number, Mapping):
            yield from ((f"dropped: {in_words(why)}", each) for why, each in number.items())
        elif name not in {"Purges", "Paused", "Halted", "ShardsBusy"}:
            yield re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower(), number


def _remarks(lapse: Controls, summary: Mapping[str, Any]) -> Iterator[str]:
    counts = summary["counts"]
    pause = lapse.brake.read()  # the function counts a pause only where it kept it from something
    if pause and pause.in_force(lapse.clock()):
        yield f"Lapse is paused {ends(pause.until)}: nothing is erased."
    elif counts.get("Halted"):
        yield "It stopped at the policy's max_erasures_per_run; the next run goes on."
    elif summary["shards_finished"] < summary["shards"]:
        done = f"{summary['shards_finished']} of {summary['shards']}"
        yield f"{done} parts are through; the next run goes on with the others."
    else:
        yield "Nothing that is due is left."
