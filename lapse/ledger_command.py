"""`lapse ledger …`: is the evidence whole; and the evidence as files, for others to see for themselves."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from lapse.answer import answer, counted
from lapse.arguments import AsCsv, AsJson
from lapse.controls import Controls, controls
from lapse.examples import example
from lapse.late_progress import LateProgress
from lapse.ledger_answer import Verification, read_heads
from lapse.ledger_audit import StoredBatch, chains_to_follow, follow_lines
from lapse.ledger_file import lines_of, read_lines, write, write_whole
from lapse.receipts import look_for_receipts
from lapse.seals import keep_seals
from lapse.stores import known_table
from lapse.trouble import TroubleError
from shared.ledger_batch import Batch
from shared.record import SHARDS

app = typer.Typer(no_args_is_help=True)

Export = Annotated[
    Path | None,
    typer.Argument(exists=True, dir_okay=False, help="What `ledger export` wrote; else the live ledger."),
]
Heads = Annotated[
    Path | None,
    typer.Option(
        "--heads",
        exists=True,
        dir_okay=False,
        help="What an earlier `ledger verify --json` printed: still there?",
    ),
]
SealsIn = Annotated[
    Path | None,
    typer.Option("--seals", exists=True, file_okay=False, help="Where `ledger seals` put them."),
]
PublicKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--public-key",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="The key to verify seals by, in PEM. Repeat it for each key that ever signed.",
    ),
]


Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="TABLE",
        help="The policy's name of a table: is there a receipt for each record whose fields are gone?",
    ),
]


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
        batches = _counted(_live(lapse), bar)
        lines = lines_of(lapse.stack, lapse.clock(), batches)
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


@app.command("verify", epilog=example("lapse ledger verify"))
def verify_ledger(  # noqa: PLR0913 -- an option each
    ctx: typer.Context,
    export: Export = None,
    *,
    seals: SealsIn = None,
    public_keys: PublicKeys = None,
    heads: Heads = None,
    against: Against = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Verify all chains; end with 1 if anything is found. With EXPORT, AWS is asked of --against only.

    A chain by itself cannot tell that its tail was cut off: seals can, which nobody can change, as far as
    they reach. Or keep what `--json` prints where nobody who can write the ledger can change it, and give it
    as --heads the next time.
    """
    verification = Verification()
    if public_keys and not seals:
        raise TroubleError("--public-key: there is nothing to verify by it.", "Name --seals, too.")
    if seals:
        _verify_seals(seals, public_keys or [], verification)
    verification.chains = chains_to_follow(read_heads(heads) if heads else {}, verification.sealed)
    _verify_chains(read_lines(export) if export else _live(controls(ctx)), verification)
    if against:
        _look_for_receipts(against, controls(ctx), verification)
    listing = verification.listing() if as_csv else None
    answer(verification.as_json(), *verification.shown(), as_json=as_json, csv=listing)
    if not verification.is_good:
        raise typer.Exit(1)


def _verify_seals(directory: Path, public_keys: list[Path], verification: Verification) -> None:
    from lapse.sealed import Sealed, read_keys, verify_seals  # noqa: PLC0415 -- cryptography takes its time to load

    verification.sealed = Sealed()
    verification.findings += verify_seals(directory, read_keys(public_keys), verification.sealed)


def _verify_chains(batches: Iterator[StoredBatch | None], verification: Verification) -> None:
    with LateProgress("Batches verified", None) as bar:
        verification.findings += follow_lines(_counted(batches, bar), verification.chains)
    verification.findings += (finding for chain in verification.chains.values() for finding in chain.end())


def _look_for_receipts(table: str, lapse: Controls, verification: Verification) -> None:
    with LateProgress("Records looked at", None) as bar:
        verification.receipts = look_for_receipts(known_table(table, lapse.policy), lapse, bar.advance)


def _live(lapse: Controls) -> Iterator[Batch]:
    return (batch for shard in range(SHARDS) for batch in lapse.ledger.batches(shard))


def _counted[T](batches: Iterator[T], bar: LateProgress) -> Iterator[T]:
    for batch in batches:
        yield batch
        bar.advance(1)
