"""`make guarantee`: the full run, and its figures between the markers of docs/guarantee.md.

First many seeds of the program as it is; then every planted bug; then which invariant is needed for which.
"""

import argparse
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from tests.machine.planted import PLANTED as IN_ADAPTERS
from tests.simulation.__main__ import run_seeds
from tests.simulation.catching import PLANTED, Caught, catch, needed, record
from tests.simulation.totals import Totals

DOCUMENT = Path(__file__).parents[2] / "docs" / "guarantee.md"
START, END = "<!-- measured:start -->", "<!-- measured:end -->"
SEEDS_OF_A_BUG = 48


def main() -> int:
    """Run; 1 if anything was violated, a bug got through, an invariant is not needed, or faults were few."""
    parser = argparse.ArgumentParser(prog="make guarantee", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=5_000_000)
    args = parser.parse_args()
    console = Console(highlight=False)
    totals, seconds = run_seeds(0, args.seeds, args.steps, console)
    for result in totals.failed:
        console.print(f"seed {result.seed}: {result.violations[0]}", markup=False, soft_wrap=True)
    caught = _catch_all(console)
    record(caught)
    by_invariant = needed(caught)
    missed = [each.bug for each in caught if each.seed is None]
    idle = [each.name for each, bugs in by_invariant.items() if not bugs]
    DOCUMENT.write_text(_written(DOCUMENT.read_text(), "\n".join(_lines(totals, seconds, caught))))
    seldom = totals.too_seldom()
    console.print(
        f"missed: {missed or 'none'}; not needed: {idle or 'none'}; too seldom: {seldom or 'none'}; "
        f"violations: {len(totals.violations)}"
    )
    return int(bool(missed or idle or seldom or totals.violations))


def _catch_all(console: Console) -> list[Caught]:
    with Progress(console=console) as progress, ProcessPoolExecutor(os.process_cpu_count()) as workers:
        found = workers.map(partial(catch, seeds=SEEDS_OF_A_BUG), PLANTED)
        return list(progress.track(found, total=len(PLANTED), description="planted bugs"))


def _written(text: str, body: str) -> str:
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{body}\n\n{END}{after}"


def _lines(totals: Totals, seconds: float, caught: Sequence[Caught]) -> Iterator[str]:
    cores = os.process_cpu_count() or 1
    machine = f"{cores} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    yield f"Printed by `make guarantee SEEDS={totals.seeds}` on {datetime.now(UTC).date()}: {machine}."
    yield ""
    yield (
        f"**{totals.seeds:,} seeds, {totals.steps:,} steps, {len(totals.violations)} violations.** "
        f"{totals.events:,} deliveries, {totals.erasures:,} erasures, {totals.cut_overs:,} restored tables "
        f"put to use; {totals.steps / seconds / cores:,.0f} steps a second a core. The window of a stale "
        f"whole-item put was met {totals.windows:,} times. Hash of all traces: `{totals.digest()[:16]}`."
    )
    yield from _table("### What went wrong, on purpose", ("fault", "times"), _counted(totals.injected))
    yield from _table("### What others did meanwhile", ("happening", "times"), _counted(totals.happenings))
    calls = (
        (
            f"`{name}`",
            f"{number:,}",
            f"{totals.crashed[name, 'before']:,}",
            f"{totals.crashed[name, 'after']:,}",
        )
        for name, number in sorted(totals.calls.items())
    )
    yield from _table(
        "### Calls, and crashes before and after them", ("call", "calls", "before", "after"), calls
    )
    bugs = (
        (each.bug, PLANTED[each.bug].what, ", ".join(f"{by} ({n})" for by, n in each.by.items()), each.mode)
        for each in caught
    )
    heads = (
        "planted bug",
        "what is wrong then",
        f"noticed by (in how many of {SEEDS_OF_A_BUG} runs, or more)",
        "first in",
    )
    yield from _table("### Planted bugs", heads, bugs)
    compared = "the same script ends otherwise in memory"
    in_adapters = (
        (name, each.what, each.by.value if each.by else compared) for name, each in IN_ADAPTERS.items()
    )
    yield from _table(
        "### Planted bugs in the adapters", ("planted bug", "what is wrong then", "noticed by"), in_adapters
    )
    alone = ((by.value, "; ".join(bugs)) for by, bugs in needed(caught).items())
    yield from _table("### What would get through without an invariant", ("invariant", "bugs"), alone)


def _counted(counts: dict[str, int]) -> Iterator[tuple[str, str]]:
    return ((name, f"{number:,}") for name, number in sorted(counts.items(), key=lambda each: -each[1]))


def _table(title: str, heads: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield from ("", title, "", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|")
    yield from ("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
