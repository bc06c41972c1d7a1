"""`lapse ledger …`: is the evidence whole; and the evidence as files, for others to see for themselves."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lapse.answer import answer, counted
from lapse.arguments import AsJson
from lapse.controls import controls
from lapse.examples import example
from lapse.late_progress import LateProgress
from lapse.ledger_file import lines_of, write, write_whole
from lapse.ledger_verify import verify_ledger
from lapse.seals import keep_seals

app = typer.Typer(no_args_is_help=True)


@app.callback()
def ledger() -> None:
    """The ledger: tamper-evident proof of what was erased, and of what Lapse was told."""


@app.command("export", epilog=example("lapse ledger export --out ledger.jsonl"))
def export_ledger(
    ctx: typer.Context,
    *,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Instead of the terminal.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write all chains as JSON lines: one that says what it is, then one for each batch."""
    lapse = controls(ctx)
    with LateProgress("Batches read", None) as bar:
        lines = lines_of(lapse.stack, lapse.clock(), bar.over(lapse.batches()))
        if out is None:
            write(sys.stdout, lines)
            return
        number = write_whole(out, lines) - 1
    answer({"file": str(out), "batches": number}, f"{counted(number, 'batch', 'batches')}.", as_json=as_json)


@app.command("seals", epilog=example("lapse ledger seals --out seals"))
def seals(
    ctx: typer.Context,
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", file_okay=False, help="Where to keep them.")],
    as_json: AsJson = False,
) -> None:
    """Copy all seals and public keys into a directory; what is there already must be the same."""
    lapse = controls(ctx)
    with LateProgress("Seals read", None) as bar:
        kept = keep_seals(lapse.seals, out, bar.advance)
    text = f"{counted(kept.seals, 'seal')} and {counted(kept.keys, 'public key')}, {kept.new:,} of them new."
    answer({"seals": kept.seals, "public_keys": kept.keys, "new": kept.new}, text, as_json=as_json)


app.command("verify", epilog=example("lapse ledger verify"))(verify_ledger)
