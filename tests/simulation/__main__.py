"""`make simulate`: many seeds on all cores, what was done to the program, and whether it held.

python -m tests.simulation --seeds 2000 --steps 5000000     from seed 0 on, so many seeds and steps at least
python -m tests.simulation --seed 17                        one seed again, with its trace
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.simulation.run import Result, simulate
from tests.simulation.shorten import shorten
from tests.simulation.totals import Totals

CHUNK = 5
"""Seeds that a process works before it reports."""


def main() -> int:
    """Run; 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="at least so many seeds")
    parser.add_argument("--steps", type=int, default=0, help="go on until at least so many steps")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="this seed alone, with its trace")
    args = parser.parse_args()
    console = Console(highlight=False)
    if args.seed is not None:
        return _replay(args.seed, console)
    totals, seconds = run_seeds(args.first, args.seeds, args.steps, console)
    _print(totals, seconds, console)
    for result in totals.failed[:3]:
        _explain(result, console)
    return int(bool(totals.failed))


def run_seeds(first: int, seeds: int, steps: int, console: Console) -> tuple[Totals, float]:
    """Run seeds on all cores, until there are seeds and steps enough; what came of them, and the seconds."""
    began, totals = time.monotonic(), Totals()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("seeds", total=seeds)
        for result in _results(first, seeds, steps, totals, os.process_cpu_count() or 1):
            totals.add(result)
            progress.update(bar, completed=totals.seeds, total=max(seeds, totals.seeds))
    return totals, time.monotonic() - began


def _results(first: int, seeds: int, steps: int, totals: Totals, cores: int) -> Iterator[Result]:
    """Chunk after chunk, on all cores, until there are seeds and steps enough."""
    starts = count(first, CHUNK)
    with ProcessPoolExecutor(cores) as workers:
        running: set[Future[list[Result]]] = set()
        begun = 0
        while True:
            while len(running) < 2 * cores and (begun < seeds or totals.steps < steps):
                running.add(workers.submit(_chunk, next(starts)))
                begun += CHUNK
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for each in done:
                yield from each.result()


def _chunk(first: int) -> list[Result]:
    return [simulate(seed) for seed in range(first, first + CHUNK)]


def _print(totals: Totals, seconds: float, console: Console) -> None:
    cores = os.process_cpu_count() or 1
    per_core = totals.steps / seconds / cores
    console.print(
        f"{totals.seeds:,} seeds, {totals.steps:,} steps, "
        f"{totals.events:,} deliveries, {totals.erasures:,} erasures, "
        f"{totals.cut_overs:,} restored tables put to use"
    )
    console.print(f"{seconds:,.0f} s on {cores} cores: {per_core:,.0f} steps a second a core")
    for title, counted in (("fault", totals.injected), ("happening outside", totals.happenings)):
        table = Table(title, "times")
        for name, number in sorted(counted.items(), key=lambda each: -each[1]):
            table.add_row(name, f"{number:,}")
        console.print(table)
    table = Table("port call", "calls", "crashed before", "crashed after")
    for name, number in sorted(totals.calls.items()):
        table.add_row(name, f"{number:,}", *(f"{totals.crashed[name, at]:,}" for at in ("before", "after")))
    console.print(table)
    console.print(f"the documented window of a stale whole-item put was met {totals.windows:,} times")
    console.print(f"{len(totals.violations):,} violations")


def _explain(result: Result, console: Console) -> None:
    console.print(f"\n[bold]seed {result.seed}[/] ({result.mode}): replay it with")
    console.print(f"  make simulate SEED={result.seed}")
    for line in sorted(set(map(str, result.violations)))[:5]:
        console.print(f"  {line}", markup=False, soft_wrap=True)
    console.print("it still fails with these happenings alone:")
    for happening in shorten(result):
        console.print(f"  {happening}", markup=False, soft_wrap=True)


def _replay(seed: int, console: Console) -> int:
    result = simulate(seed, tell=True)
    for line in result.lines:
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"trace {result.trace}")
    for line in map(str, result.violations):
        console.print(line, markup=False)
    console.print(f"{len(result.violations)} violations")
    return int(bool(result.violations))


if __name__ == "__main__":
    sys.exit(main())
