"""`lapse ledger …`: is the evidence whole."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from lapse.answer import add_row, answer, counted, table_of
from lapse.arguments import AsJson
from lapse.controls import controls
from lapse.examples import example
from lapse.trouble import TroubleError
from shared.ledger import Finding, Head, verify
from shared.ledger_batch import Batch
from shared.record import SHARDS

NO_HEAD = Head(0, "")
app = typer.Typer(no_args_is_help=True)

Heads = Annotated[
    Path | None,
    typer.Option(
        "--heads",
        exists=True,
        dir_okay=False,
        help="What an earlier `ledger verify --json` printed: still there?",
    ),
]


@dataclass
class Chain:
    """A shard's chain, counted while it is read."""

    shard: str
    batches: int = 0
    entries: int = 0
    head: Head = NO_HEAD

    def counting(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same batches."""
        for batch in batches:
            self.batches += 1
            self.entries += _entries_of(batch)
            self.head = Head(int(batch["seq"]), batch["hash"])
            yield batch


@app.callback()
def ledger() -> None:
    """The ledger: tamper-evident proof of what was erased, and of what Lapse was told."""


@app.command("verify", epilog=example("lapse ledger verify"))
def verify_ledger(ctx: typer.Context, *, heads: Heads = None, as_json: AsJson = False) -> None:
    """Verify all chains; end with 1 if anything is found.

    A chain by itself cannot tell that its tail was cut off. So keep what `--json` prints where nobody who can
    write the ledger can change it, and give it as --heads the next time.
    """
    kept = _read_heads(heads) if heads else {}
    lapse = controls(ctx)
    chains = [Chain(f"{shard:02}") for shard in range(SHARDS)]
    findings: list[Finding] = []
    for shard, chain in enumerate(chains):
        findings += verify(chain.shard, chain.counting(lapse.ledger.batches(shard)), kept.get(chain.shard))
    answer(_json(chains, findings), *_shown(chains, findings), as_json=as_json)
    if findings:
        raise typer.Exit(1)


def _json(chains: list[Chain], findings: list[Finding]) -> dict[str, Any]:
    heads = {
        each.shard: {"batches": each.batches, "entries": each.entries, **each.head._asdict()}
        for each in chains
    }
    places = [{"shard": f.shard, "batch": f.seq, "entry": f.entry, "what": f.what} for f in findings]
    return {"good": not findings, "shards": heads, "findings": places}


def _shown(chains: list[Chain], findings: list[Finding]) -> Iterator[Any]:
    rows = table_of("Shard", "Batches", "Entries", "Head")
    for each in chains:
        add_row(rows, each.shard, f"{each.batches:,}", f"{each.entries:,}", each.head.hash[:16])
    yield rows
    yield from (str(each) for each in findings)
    entries = counted(sum(each.entries for each in chains), "entry", "entries")
    yield f"{counted(len(findings), 'finding')}." if findings else f"All chains are whole: {entries}."


def _entries_of(batch: Batch) -> int:
    """How many entries a batch has; of one that cannot be read, which the verifier will say, none."""
    try:
        return len(json.loads(batch["body"])["entries"])
    except (ValueError, KeyError, TypeError):
        return 0


def _read_heads(file: Path) -> Mapping[str, Head]:
    try:
        shards = json.loads(file.read_text())["shards"]
        return {shard: Head(int(each["seq"]), str(each["hash"])) for shard, each in shards.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TroubleError("--heads: the file is no output of `lapse ledger verify --json`.") from None
