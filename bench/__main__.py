"""`make bench`: measures Lapse against a bare loop and against one schedule per record, on the local stack.

`python -m bench` measures all (minutes), prints it and writes it into docs/performance.md; `--quick` is a
smoke run that only prints.
"""

import time
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from bench.client_cpu import client_cpu
from bench.cold_start import cold_starts
from bench.report import Results, as_table, write_document
from bench.whole_life import lives, metered_lives, standing_schedules
from lapse.stack import running

_NO_TICKS = 3600
"""Seconds between the emulator's looks at its schedules: it is to be idle while we measure."""


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    cpu_records: int
    cpu_repeats: int
    lives: int
    metered_lives: int
    standing: int
    cold_starts: int


FULL = Scale(cpu_records=2000, cpu_repeats=5, lives=1000, metered_lives=167, standing=10_000, cold_starts=9)
QUICK = Scale(cpu_records=100, cpu_repeats=1, lives=50, metered_lives=5, standing=100, cold_starts=1)


def measure(scale: Scale, console: Console) -> Results:
    """Measure everything, one thing after the other."""
    begin = time.monotonic()

    def say(what: str) -> None:
        console.print(f"[dim]{time.monotonic() - begin:4.0f} s  {what}[/dim]")

    with running(tick_seconds=_NO_TICKS) as stack:
        say("client CPU")
        cpu = client_cpu(stack.endpoint, scale.cpu_records, scale.cpu_repeats)
    with running(tick_seconds=_NO_TICKS) as stack:
        say("calls of whole lives")
        lapse, usual = lives(stack.endpoint, scale.lives)
        say("read and write units")
        metered = metered_lives(stack.endpoint, scale.metered_lives)
        say("standing schedules")
        standing = standing_schedules(stack.endpoint, scale.standing)
    say("cold starts")
    cold = cold_starts(scale.cold_starts)
    say("done")
    return Results(cpu, lapse, usual, metered, standing, cold)


def main(
    *, quick: Annotated[bool, typer.Option(help="A smoke run: its figures mean little")] = False
) -> None:
    """Measure, print and, unless it is a smoke run, write docs/performance.md."""
    console = Console()
    results = measure(QUICK if quick else FULL, console)
    console.print(as_table(results))
    if not quick:
        print(f"Written to {write_document(results)}")


if __name__ == "__main__":
    typer.run(main)
