"""`lapse pause` and `resume`: while Lapse is paused, nothing is erased."""

from typing import Annotated

import typer

from lapse.answer import answer, short
from lapse.arguments import AsJson, By, Until, reference
from lapse.controls import controls
from lapse.examples import example
from shared.pausing import Pause
from shared.pausing import pause as pull
from shared.pausing import resume as let_go
from shared.refused import RefusedError

PANEL = "Corrections and brakes"
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL, epilog=example("lapse pause --reason policy_check --by staff-7 --until P2D")
)
def pause(
    ctx: typer.Context,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="CODE", parser=reference, help="Why: one word.")],
    by: By,
    until: Until,
    as_json: AsJson = False,
) -> None:
    """Erase nothing until then. What comes due meanwhile is shown as overdue."""
    lapse = controls(ctx)
    now = lapse.clock()
    wanted = Pause(by, reason, now, until.after(now, lapse.zone))
    if not wanted.in_force(now):
        raise RefusedError("until", "must be ahead")
    pull(wanted, lapse.telling(now), lapse.brake)
    data = {"paused": True, "by": by, "reason_code": reason, "since": now, "until": wanted.until}
    answer(data, f"Paused until {short(wanted.until)}.", as_json=as_json)


@app.command(rich_help_panel=PANEL, epilog=example("lapse resume --by staff-7"))
def resume(ctx: typer.Context, *, by: By, as_json: AsJson = False) -> None:
    """Go on erasing, with the next purge."""
    lapse = controls(ctx)
    resumed = let_go(by, lapse.telling(lapse.clock()), lapse.brake)
    shown = "Resumed: the next purge goes on." if resumed else "Lapse was not paused."
    answer({"paused": False, "resumed": resumed}, shown, as_json=as_json)
