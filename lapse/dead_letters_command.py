"""`lapse dead-letters`: what was refused or failed, why, and back to its queue. Never shows a message."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType

from lapse.answer import add_row, answer, counted, table_of
from lapse.arguments import AsCsv, AsJson
from lapse.asking import confirm
from lapse.controls import controls
from lapse.dead_letters import DeadLetters, Letters, Redriven
from lapse.examples import example
from lapse.late_progress import LateProgress
from lapse.listing import Listing

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
    letters = _counted(queues)
    if redrive:
        _redrive(queues, letters, unasked=yes, as_json=as_json)
        return
    failures, last = queues.failures(), queues.last_redrive()
    data = {
        "dead_letters": letters.number,
        "reasons": dict(letters.by_number),
        "failures": failures,
        "last_redrive": last and vars(last),
    }
    listing = _listing(letters, failures) if as_csv else None
    shown = [*_reasons(letters), *_besides(failures, last)]
    answer(data, *shown, as_json=as_json, csv=listing)


def _counted(queues: DeadLetters) -> Letters:
    about = queues.count()
    with LateProgress("Counting", about) as progress:
        return Letters(about, queues.reasons(progress.advance))


def _listing(letters: Letters, failures: int) -> Listing:
    rows = [{"queue": "dead letters", "reason": each, "messages": n} for each, n in letters.by_number]
    rows += [{"queue": "failures", "reason": "", "messages": failures}] if failures else []
    return Listing(("queue", "reason", "messages"), rows, _not_looked_at(letters))


def _reasons(letters: Letters) -> Iterator[RenderableType]:
    rows = table_of("Reason", "Messages")
    for reason, times in letters.by_number:
        add_row(rows, reason, f"{times:,}")
    if rows.row_count:
        yield rows
    yield f"{counted(letters.number, 'dead letter')}."
    yield from _not_looked_at(letters)
    if letters.by_reason:
        yield (
            "What was refused no retry mends: mend the producer, and have it send anew. "
            "What failed can be redriven, once the cause is mended: lapse dead-letters --redrive."
        )


def _not_looked_at(letters: Letters) -> list[str]:
    left_out = letters.number - letters.looked_at
    return [f"The reasons of about {left_out:,} were not looked at."] if left_out else []


def _besides(failures: int, last: Redriven | None) -> Iterator[str]:
    if failures:
        yield f"{counted(failures, 'failure')} {_ABOUT_FAILURES}"
    if last:
        why = f" ({last.failure})" if last.failure else ""
        yield f"The last redrive: {last.status.lower()}{why}, about {last.moved:,} moved."


def _redrive(queues: DeadLetters, letters: Letters, *, unasked: bool, as_json: bool) -> None:
    data = {"started": letters.failed > 0, "messages": letters.failed, "refused": letters.refused}
    if not letters.failed:
        refused = f"{counted(letters.refused, 'refused message')}, which no retry mends"
        answer(
            data, f"Nothing to redrive: {refused if letters.refused else 'no dead letters'}.", as_json=as_json
        )
        return
    confirm(_question(letters), "Nothing was redriven.", unasked=unasked, silent=as_json)
    queues.redrive()
    shown = (
        f"SQS moves {counted(letters.failed, 'message')} to their queues. "
        "How far it is: lapse dead-letters. What fails again comes back."
    )
    answer(data, shown, as_json=as_json)


def _question(letters: Letters) -> str:
    asked = f"Redrive {counted(letters.failed, 'message')} that failed?"
    if letters.refused:
        asked += f" {letters.refused:,} that were refused have no queue to go to, and SQS may stop there."
    return asked
