"""`lapse status`: how things are, on one page."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import typer
from rich.console import RenderableType

from lapse.answer import add_row, answer, counted, left, short, table_of
from lapse.arguments import AsJson
from lapse.controls import Controls, controls
from lapse.examples import example
from lapse.run_commands import counts_by_rule
from shared.answer_requests import TIME_TO_ANSWER
from shared.facts import Facts, Hold, Request
from shared.found import Counts
from shared.instants import add
from shared.pausing import Pause
from shared.purge_shard import BATCH
from shared.record import SHARDS
from shared.retention import GRACE
from shared.sweep_pages import EXPIRES_SOON
from shared.sweep_state import Sweep
from shared.timer import PUT_OFF_AT_MOST

app = typer.Typer()


@dataclass
class Status:
    """How things are."""

    now: datetime
    pause: Pause | None
    sweep: Sweep | None
    dead_letters: int
    holds: int = 0
    holds_expiring: int = 0
    requests: int = 0
    answer_first: datetime | None = None
    """When the first of the open requests is to be answered."""
    overdue: list[timedelta] = field(default_factory=list)
    """How long ago the overdue timers were due."""
    unreadable: int = 0


@app.command(rich_help_panel="Look", epilog=example("lapse status"))
def status(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Show what is paused, overdue, held, asked for and refused, and what the last sweep found."""
    lapse = controls(ctx)
    found = _status(lapse)
    answer(_json(lapse, found), *_shown(lapse, found), as_json=as_json)


def _status(lapse: Controls) -> Status:
    now, pause = lapse.clock(), lapse.brake.read()
    standing = pause if pause and pause.in_force(now) else None
    found = Status(now, standing, lapse.sweeps.read(), lapse.dead_letters.count())
    _look_at_facts(lapse, found)
    found.overdue = [
        now - due for shard in range(SHARDS) for due in _dues(lapse, shard, now) if due + GRACE <= now
    ]
    return found


def _look_at_facts(lapse: Controls, found: Status) -> None:
    now = found.now
    told, found.unreadable = lapse.told(lambda facts: _standing(facts, now))
    for _, each in told:
        if isinstance(each, Hold):
            found.holds += 1
            found.holds_expiring += each.until is not None and each.until <= add(now, EXPIRES_SOON)
        else:
            answer_by = add(each.requested_at, TIME_TO_ANSWER)
            found.requests += 1
            found.answer_first = min(found.answer_first or answer_by, answer_by)


def _standing(facts: Facts, now: datetime) -> list[Hold | Request]:
    return [*facts.in_force(now), *facts.open_requests()]


def _dues(lapse: Controls, shard: int, now: datetime) -> Iterator[datetime]:
    """When the shard's ready timers were due; also of those that failed, and stand a little later."""
    after = ""
    while True:
        timers = lapse.timers.ready(shard, now + PUT_OFF_AT_MOST, after, BATCH)
        yield from (timer.due for timer in timers)
        if len(timers) < BATCH:
            return
        after = timers[-1].sort_key


def _json(lapse: Controls, found: Status) -> dict[str, Any]:
    pause, sweep = found.pause, found.sweep
    return {
        "stack": lapse.stack,
        "policy": {"id": lapse.policy.id, "digest": lapse.policy.digest},
        "paused": pause and {"by": pause.paused_by, "reason_code": pause.reason_code, "until": pause.until},
        "timers_overdue": len(found.overdue),
        "oldest_overdue_seconds": int(max(found.overdue, default=timedelta(0)).total_seconds()),
        "holds_in_force": found.holds,
        "holds_expiring": found.holds_expiring,
        "requests_open": found.requests,
        "first_answer_by": found.answer_first,
        "dead_letters": found.dead_letters,
        "unreadable_facts": found.unreadable,
        "last_sweep": sweep
        and {"began": sweep.began, "finished": sweep.finished, "counts": _by_rule(sweep.counts)},
    }


def _shown(lapse: Controls, found: Status) -> Iterator[RenderableType]:
    yield f"Stack {lapse.stack}, policy {lapse.policy.id} {lapse.policy.digest[:12]}\n"
    rows = table_of("", "")
    rows.show_header = False
    for title, text, bad in _lines(found):
        add_row(rows, title, text, style="bold red" if bad else "")
    yield rows
    if found.sweep and found.sweep.counts:
        yield ""
        yield counts_by_rule(_by_rule(found.sweep.counts))


def _lines(found: Status) -> Iterator[tuple[str, str, bool]]:
    """What it is about, how it is, and whether somebody should see to it."""
    now, pause = found.now, found.pause
    why = f"until {short(pause.until)}, by {pause.paused_by}: {pause.reason_code}" if pause else "no"
    yield "Paused", why, pause is not None
    oldest = f", the oldest by {left(now - max(found.overdue), now)}" if found.overdue else ""
    yield (
        "Overdue",
        f"{counted(len(found.overdue), 'timer')}{oldest.removesuffix(' late')}",
        bool(found.overdue),
    )
    soon = (
        f", {found.holds_expiring:,} within {EXPIRES_SOON.days} days of the end"
        if found.holds_expiring
        else ""
    )
    yield "Holds in force", f"{found.holds:,}{soon}", False
    first = found.answer_first
    late = first is not None and first <= now
    yield (
        "Open requests",
        f"{found.requests:,}{f', the first to be answered: {left(first, now)}' if first else ''}",
        late,
    )
    yield "Dead letters", f"{found.dead_letters:,}", found.dead_letters > 0
    yield "Last sweep", _swept(found), found.sweep is None
    if found.unreadable:
        yield "Unreadable facts", f"{found.unreadable:,}", True


def _swept(found: Status) -> str:
    if found.sweep is None:
        return "none yet"
    ended = f"finished {short(found.sweep.finished)}" if found.sweep.finished else "not through yet"
    return f"began {short(found.sweep.began)}, {ended}"


def _by_rule(counts: Counts) -> dict[str, dict[str, int]]:
    by_rule: dict[str, dict[str, int]] = {}
    for (rule, found), number in sorted(counts.items()):
        by_rule.setdefault(rule, {})[found.value] = number
    return by_rule
