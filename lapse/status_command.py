"""`lapse status`: how things are, on one page."""

from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any

import typer
from rich.console import Group

from lapse.answer import answer
from lapse.arguments import AsJson
from lapse.controls import Controls, controls
from lapse.examples import example
from lapse.horizon import look_ahead
from lapse.late_progress import waiting
from lapse.present import Present, look_at_present
from lapse.status_page import by_rule, shown
from lapse.trouble import TroubleError
from lapse.watching import watch
from shared.found import Found

app = typer.Typer()


@app.command(rich_help_panel="Look", epilog=example("lapse status"))
def status(
    ctx: typer.Context,
    *,
    watching: Annotated[
        bool, typer.Option("--watch", help="Look again every few seconds, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what is overdue, due soon, paused, held, asked for and refused, and what ran last.

    Ends with 1 if anything is overdue.
    """
    if watching and as_json:
        raise TroubleError("--watch: shows a page for people.", "Leave out one of --watch and --json.")
    lapse = controls(ctx)
    if watching:
        seen = watch(lambda: _look(lapse), lambda each: Group(*shown(lapse, each)))
    else:
        seen = _look(lapse, waiting("Counting timers"))
        answer(_json(lapse, seen), *shown(lapse, seen), as_json=as_json)
    if seen and seen.horizon.overdue:
        raise typer.Exit(1)


def _look(lapse: Controls, counting: AbstractContextManager[object] | None = None) -> Present:
    """How it is now; `counting` is shown meanwhile: a page that is watched stands there already."""
    now = lapse.clock()
    with counting or nullcontext():
        ahead = look_ahead(lapse.timers, now, lapse.zone)
    return look_at_present(lapse, now, ahead)


def _json(lapse: Controls, seen: Present) -> dict[str, Any]:
    pause, ahead, sealed = seen.pause, seen.horizon, seen.last_seal
    today, in_7_days, in_30_days = ahead.soon
    return {
        "stack": lapse.stack,
        "account": lapse.account,
        "region": lapse.region,
        "at": seen.now,
        "policy": {"id": lapse.policy.id, "digest": lapse.policy.digest},
        "paused": pause and {"by": pause.paused_by, "reason_code": pause.reason_code, "until": pause.until},
        "timers_overdue": ahead.overdue,
        "oldest_overdue_seconds": int(ahead.oldest.total_seconds()),
        "due_today": today,
        "due_in_7_days": in_7_days,
        "due_in_30_days": in_30_days,
        "holds_in_force": len(seen.holds),
        "holds_expiring": seen.holds_expiring,
        "requests_open": len(seen.requests),
        "first_answer_by": seen.answer_first,
        "dead_letters": seen.dead_letters,
        "failures": seen.failures,
        "unreadable_facts": seen.unreadable_facts,
        "unreadable_timers": ahead.unreadable,
        **_swept(seen),
        "last_seal": sealed and {"number": sealed.number, "at": sealed.at},
        "last_seal_unknown": seen.seal_unknown or None,
    }


def _swept(seen: Present) -> dict[str, Any]:
    """What the last sweep and the last purge left; the counts by rule as the sweep made them."""
    sweep, purge = seen.sweep, seen.last_purge
    found = {
        each.value: seen.swept[each]
        for each in (Found.WAITING, Found.HELD, Found.OBSERVED, Found.IMPLAUSIBLE)
    }
    return {
        "last_sweep": sweep
        and {
            "began": sweep.began,
            "finished": sweep.finished,
            "stale": seen.sweep_is_stale,
            "found": found if sweep.finished else None,
            "counts": by_rule(sweep.counts),
        },
        "last_purge": purge
        and {"finished": purge.finished, "cause": purge.cause, "shards_finished": purge.shards_finished},
    }
