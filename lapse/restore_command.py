"""`lapse restore …`: a table that was restored from a backup, and Facts that were lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import sleep
from typing import Annotated

import typer

from lapse.answer import answer
from lapse.arguments import AsCsv, AsJson, Table, known_table
from lapse.asking import confirmed
from lapse.controls import controls
from lapse.examples import example
from lapse.late_progress import LateProgress, waiting
from lapse.restore_check_texts import check_json, check_listing, check_texts
from lapse.restore_texts import (
    facts_json,
    facts_texts,
    replay_json,
    replay_listing,
    replay_remarks,
    replay_table,
)
from shared.finding import SEGMENTS
from shared.rebuild_facts import pause_again, rebuild
from shared.record import SHARDS
from shared.replay import CAUSE, Pace, replay
from shared.restore import Pace as CheckPace
from shared.restore import Ports, check
from shared.telling import Telling

app = typer.Typer(no_args_is_help=True)

RealName = Annotated[
    str,
    typer.Option("--as", metavar="NAME", help="The real name of the table that the backup was restored to."),
]
Show = Annotated[int, typer.Option("--show", min=0, help="How many records to name of each kind of fault.")]
Yes = Annotated[bool, typer.Option("--yes", help="Go on past the policy's max_erasures_per_run unasked.")]


@app.callback()
def restore() -> None:
    """A table restored from a backup: bring it up to date, and check it, before anybody reads it."""


@app.command("check", epilog=example("lapse restore check Shipments --as restored-shipments"))
def check_command(  # noqa: PLR0913 -- the command's options
    ctx: typer.Context,
    table: Table,
    *,
    real_name: RealName,
    show: Show = 10,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """May a restored table be used? Ends with 1 while anything in it is due, unmarked or back."""
    lapse = controls(ctx)
    policy = lapse.policy
    restored = lapse.stores.restored(known_table(table, policy), real_name, policy)
    total = restored.scans.records.about_how_many(table)
    with (
        LateProgress("Checking", total) as progress,
        ThreadPoolExecutor(SHARDS) as askers,
        ThreadPoolExecutor(2 * SEGMENTS) as workers,
    ):
        pace = CheckPace(lapse.clock, workers.map, askers.map, progress.advance)
        checked = check(table, policy, Ports(restored.scans, restored.ledger), pace, show)
    answer(
        check_json(table, real_name, policy, checked),
        *check_texts(table, real_name, policy, checked),
        as_json=as_json,
        csv=check_listing(table, real_name, policy, checked) if as_csv else None,
    )
    if not checked.passed:
        raise typer.Exit(1)


@app.command("replay", epilog=example("lapse restore replay Shipments --as restored-shipments"))
def replay_command(  # noqa: PLR0913 -- as above
    ctx: typer.Context,
    table: Table,
    *,
    real_name: RealName,
    yes: Yes = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Bring a restored table up to date: mark what is held, erase what is due. May be run again."""
    lapse = controls(ctx)
    policy = lapse.policy
    restored = lapse.stores.restored(known_table(table, policy), real_name, policy)
    total = restored.scans.records.about_how_many(table)
    with LateProgress("Replaying", total) as progress, ThreadPoolExecutor(SHARDS) as workers:
        pace = Pace(
            clock=lapse.clock,
            sleep=_sleep,
            may_erase=(lambda _due, _erased: True) if yes else _asking(policy.max_erasures_per_run, progress),
            side_by_side=workers.map,
            advance=progress.advance,
        )
        replayed = replay(table, policy, restored.ports, pace)
    remarks = list(replay_remarks(table, real_name, replayed))
    answer(
        replay_json(table, real_name, policy, replayed),
        replay_table(replayed),
        *remarks,
        as_json=as_json,
        csv=replay_listing(replayed, remarks) if as_csv else None,
    )
    if not replayed.through:
        raise typer.Exit(1)


@app.command("facts", epilog=example("lapse restore facts"))
def facts_command(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Add to Facts what the ledger knows and they have lost. Nothing is taken back; may be run again."""
    lapse = controls(ctx)
    telling = Telling(lapse.policy, lapse.clock(), CAUSE)
    ports = lapse.stores.rebuilding
    paused = pause_again(telling, ports)
    with waiting("Reading the ledger"):
        rebuilt = rebuild(telling, ports)
    answer(facts_json(rebuilt, paused), *facts_texts(rebuilt, paused), as_json=as_json)
    if rebuilt.unreadable:
        raise typer.Exit(1)


def _asking(limit: int | None, progress: LateProgress) -> Callable[[int, int], bool]:
    def may_erase(due: int, erased: int) -> bool:
        progress.pause()
        question = f"{due:,} records are due, {erased:,} are done. A run may erase {limit:,}. Go on?"
        return confirmed(question)

    return may_erase


def _sleep(length: timedelta) -> None:
    sleep(length.total_seconds())
