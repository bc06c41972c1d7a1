"""`lapse ledger verify`: is the evidence whole, and as it was sealed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from lapse.answer import answer
from lapse.arguments import AsCsv, AsJson, known_table
from lapse.controls import Controls, controls
from lapse.late_progress import LateProgress
from lapse.ledger_answer import Verification, read_heads
from lapse.ledger_audit import StoredBatch, chains_to_follow, follow_lines
from lapse.ledger_file import read_lines
from lapse.receipts import look_for_receipts
from lapse.trouble import TroubleError

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
        metavar="PATH",
        exists=True,
        help="The key to verify seals by, in PEM; or a directory of all keys that ever signed.",
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
    verification.chains = chains_to_follow(
        read_heads(heads) if heads else {}, "kept head", verification.sealed
    )
    _verify_chains(read_lines(export) if export else controls(ctx).batches(), verification)
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
        verification.findings += follow_lines(bar.over(batches), verification.chains)
    verification.findings += (finding for chain in verification.chains.values() for finding in chain.end())


def _look_for_receipts(table: str, lapse: Controls, verification: Verification) -> None:
    with LateProgress("Records looked at", None) as bar:
        verification.receipts = look_for_receipts(known_table(table, lapse.policy), lapse, bar.advance)
