"""`lapse dead-letters`: what was refused or failed, why, and back to its queue. Never shows a message."""

from collections.abc import Iterator, Mapping
from typing import Annotated

import typer
from rich.console import RenderableType

from lapse.answer import add_row, answer, counted, table_of
from lapse.arguments import AsCsv, AsJson
from lapse.controls import DeadLetters, Redriven, controls
from lapse.examples import example
from lapse.late_progress import LateProgress
from lapse.listing import Listing
from lapse.trouble import TroubleError

app = typer.Typer()

_ABOUT_FAILURES = (
    "of rules, wake-ups, the purge and the sweep. They cannot be redriven: recurring runs go on by"
    " themselves. See the functions' logs for the cause, then delete them."
)


@app.command("dead-letters", rich_help_panel="Runs", epilog=example("lapse dead-letters --reasons"))
def dead_letters(  # noqa: PLR0913 -- the command's options
    ctx: typer.Context,
    *,
    reasons: Annotated[bool, typer.Option("--reasons", help="Count them by reason (the default).")] = False,
    redrive: Annotated[bool, typer.Option("--redrive", help="Have SQS move them to their queues.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Redrive unasked.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Show what is in the dead-letter queues and why; or send it back to where it failed.

    Counting takes messages out of sight for as long as it lasts, and leaves them there.
    """
    if redrive and (reasons or as_csv):
        raise typer.BadParameter("--redrive goes with neither --reasons nor --csv")
    queues = controls(ctx).dead_letters
    number = queues.count()
    with LateProgress("Counting", number) as progress:
        found = queues.reasons(progress.advance)
    if redrive:
        _redrive(queues, found, unasked=yes, as_json=as_json)
        return
    failures, last = queues.failures(), queues.last_redrive()
    rows = [{"queue": "dead letters", "reason": each, "messages": n} for each, n in _by_number(found)]
    rows += [{"queue": "failures", "reason": None, "messages": failures}] if failures else []
    listing = Listing(("queue", "reason", "messages"), rows) if as_csv else None
    data = {
        "dead_letters": max(number, sum(found.values())),
        "reasons": dict(_by_number(found)),
        "failures": failures,
        "last_redrive": last and vars(last),
    }
    answer(data, *_shown(number, found, failures, last), as_json=as_json, csv=listing)


def _shown(
    number: int, found: Mapping[str, int], failures: int, last: Redriven | None
) -> Iterator[RenderableType]:
    rows = table_of("Reason", "Messages")
    for reason, times in _by_number(found):
        add_row(rows, reason, f"{times:,}")
    if rows.row_count:
        yield rows
    looked_at = sum(found.values())
    yield f"{counted(max(number, looked_at), 'dead letter')}."
    if number > looked_at:
        yield f"The reasons of about {number - looked_at:,} were not looked at."
    if found:
        yield (
            "What was refused no retry mends: mend the producer, and have it send anew. "
            "What failed can be redriven, once the cause is mended: lapse dead-letters --redrive."
        )
    if failures:
        yield f"{counted(failures, 'failure')} {_ABOUT_FAILURES}"
    if last:
        why = f" ({last.failure})" if last.failure else ""
        yield f"The last redrive: {last.status.lower()}{why}, about {last.moved:,} moved."


def _redrive(queues: DeadLetters, found: Mapping[str, int], *, unasked: bool, as_json: bool) -> None:
    total = sum(found.values())
    refused = sum(times for reason, times in found.items() if reason.startswith("refused"))
    if not total - refused:
        said = "Nothing to redrive: "
        said += (
            f"{counted(refused, 'refused message')}, which no retry mends." if refused else "no dead letters."
        )
        answer({"started": False, "messages": 0, "refused": refused}, said, as_json=as_json)
        return
    if not unasked:
        warning = (
            f" {refused:,} that were refused have no queue to go to, and SQS may stop there."
            if refused
            else ""
        )
        question = f"Redrive {counted(total - refused, 'message')} that failed?{warning}"
        if as_json or not typer.confirm(question, err=True):
            raise TroubleError("Nothing was redriven.", "Confirm it, or give --yes.")
    queues.redrive()
    shown = (
        f"SQS moves {counted(total - refused, 'message')} to their queues. "
        "How far it is: lapse dead-letters. What fails again comes back."
    )
    answer({"started": True, "messages": total - refused, "refused": refused}, shown, as_json=as_json)


def _by_number(found: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))
