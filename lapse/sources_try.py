"""`lapse sources try`: what a foreign event becomes, or why nothing. Never shows the payload."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lapse.examples import example
from shared.mapping import NO_ENTRY, examine, is_envelope, map_event
from shared.sources import Outcome, Reason, Source
from shared.sources_file import SHIPPED, SourcesError, read_sources

if TYPE_CHECKING:
    from shared.expression import Expression

app = typer.Typer(no_args_is_help=True)


class UnreadableEventError(Exception):
    """The file holds no JSON that can be read. Quotes nothing of it."""


@dataclass(frozen=True)
class Miss:
    """How far the event got with an entry that did not take it: which step failed, and what it asks."""

    entry: str
    steps: int
    failed: str
    wanted: str


@dataclass(frozen=True)
class Trial:
    """What became of an event; `misses` are the entries that did not take it, the nearest first."""

    outcomes: tuple[Outcome, ...]
    misses: tuple[Miss, ...]

    @property
    def good(self) -> bool:
        """Whether contract events came out, and nothing failed on the way."""
        reasons = [reason for outcome in self.outcomes for reason in outcome.reasons]
        return any(outcome.events for outcome in self.outcomes) and all(reason.expected for reason in reasons)


def try_event(path: Path, sources: Sequence[Source], wrap: tuple[str, str] | None = None) -> Trial:
    """Map the event in a file as `on_source` would, now.

    Args:
        path: a JSON file: an event as `on_source` gets it, or a bare webhook body.
        sources: the configured entries.
        wrap: source and detail-type to wrap a bare body in.

    Raises:
        UnreadableEventError: the file is not JSON.
        OSError: it cannot be read.
    """
    event = _read(path)
    envelope = {"source": wrap[0], "detail-type": wrap[1], "detail": event} if wrap else event
    misses = [_miss(source, envelope) for source in sources]
    nearest = sorted((miss for miss in misses if miss), key=lambda miss: -miss.steps)
    return Trial(map_event(envelope, datetime.now(UTC), sources), tuple(nearest))


def _read(path: Path) -> object:
    try:
        # As in Lambda, integers stay exact; floats are never ids, and here lose no digits either.
        return json.loads(path.read_bytes(), parse_float=Decimal)
    except (ValueError, RecursionError):
        raise UnreadableEventError(f"{path}: is not JSON") from None


def _miss(source: Source, envelope: object) -> Miss | None:
    if not is_envelope(envelope):
        return Miss(source.id, 0, "envelope", "an envelope: see --source and --detail-type")
    if not source.match.takes_source(envelope["source"]):
        return Miss(source.id, 0, "source", source.match.source)
    examined = examine(source, envelope)
    if not examined.addressed:
        return Miss(source.id, 1, "detail-type", source.match.detail_type)
    if examined.taken:
        return None
    asked = len(examined.conditions)
    failed = "condition (could not be evaluated)" if examined.failed else "condition"
    return Miss(source.id, 1 + asked, failed, " ".join(source.match.conditions[asked - 1].text.split()))


@app.callback()
def sources() -> None:
    """Foreign systems, and what becomes of their events."""


@app.command("try", epilog=example("lapse sources try events/sources/shopify-order-fulfilled.json"))
def try_command(
    event: Annotated[Path, typer.Argument(help="A JSON file: an event, or a bare webhook body.")],
    file: Annotated[
        Path, typer.Option("--sources", help="The entries.", show_default="shared/sources.toml")
    ] = SHIPPED,
    source: Annotated[str, typer.Option(help="Wrap a bare body: webhook/woocommerce.")] = "",
    detail_type: Annotated[str, typer.Option(help="Wrap a bare body: order.updated.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,  # noqa: FBT002 -- a flag
) -> None:
    """Show what an event becomes, or why nothing. Ends with 0 if it becomes something and nothing fails."""
    if bool(source) != bool(detail_type):
        raise typer.BadParameter("--source and --detail-type go together")
    try:
        entries = read_sources(file.read_bytes())
        trial = try_event(event, entries, (source, detail_type) if source else None)
    except (OSError, SourcesError, UnreadableEventError) as problem:
        _print(Console(stderr=True), str(problem))
        raise typer.Exit(2) from None
    if as_json:
        print(json.dumps(asdict(trial)))
    else:
        show(trial, entries, Console())
    raise typer.Exit(0 if trial.good else 1)


def show(trial: Trial, sources: Sequence[Source], console: Console) -> None:
    """Print contract events and reasons; where nothing took the event, the entries by nearness."""
    for outcome in trial.outcomes:
        for event in outcome.events:
            text = f"{outcome.entry}: {event.source} {event.detail_type} {json.dumps(event.detail)}"
            _print(console, text, "green")
        for reason, number in Counter(outcome.reasons).items():
            text = f"{outcome.entry}: nothing: {reason} ({number} x){_asked(outcome.entry, reason, sources)}"
            _print(console, text, "yellow" if reason.expected else "red")
    if any(outcome.events for outcome in trial.outcomes):
        return
    near = [miss for miss in trial.misses if miss.steps]
    for miss in near:
        _print(console, f"  near: {miss.entry}: not met: {miss.failed}: {miss.wanted}")
    if trial.outcomes[0].entry == NO_ENTRY:
        far = sorted({miss.wanted for miss in trial.misses if not miss.steps})
        _print(console, f"  {'other ' if near else ''}entries want: {', '.join(far)}", "dim")


def _asked(entry: str, reason: Reason, sources: Sequence[Source]) -> str:
    """The expressions of the entry that led to the reason."""
    becomes = next((source.outcome for source in sources if source.id == entry), reason)
    if isinstance(becomes, Reason):
        return ""
    instant = becomes.instant.expression if becomes.instant else None
    asked: dict[str, tuple[Expression | None, ...]] = {
        "id": (becomes.record_id,),
        "instant": (instant,),
        "field": tuple(becomes.fields.values()),
        "records": (becomes.for_each,),
        "no": (becomes.for_each,),
        "ignored": becomes.ignore_if,
    }
    texts = [each.text for each in asked.get(reason.partition("_")[0], ()) if each]
    return f": {', '.join(texts)}" if texts else ""


def _print(console: Console, text: str, style: str = "") -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
