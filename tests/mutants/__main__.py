"""`make mutants`: a slip in the pure part, the guard or the ledger is noticed by a test, or explained.

`python -m tests.mutants` works on all modules of scope.toml, `python -m tests.mutants shared/timer.py` on it.
The status is 1 if one survives that survivors.toml does not explain, or if it explains one that does not.
"""

import os
import subprocess
import time
import tomllib
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.mutants.mutant import Fate, mutants_of
from tests.mutants.staging import Module, stage
from tests.mutants.survivors import Comparison, Explanation, compare, read_explanations, to_explain

_HERE = Path(__file__).parent
_TREE = _HERE.parents[1]
_MUTMUT = _TREE / ".envs/mutants/bin/mutmut"


app = typer.Typer(pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Worked:
    """A module, its mutants, and how long they took."""

    path: str
    comparison: Comparison
    seconds: float


@app.command()
def main(
    only: Annotated[list[str] | None, typer.Argument(help="Modules, as in scope.toml; all, if none.")] = None,
    jobs: Annotated[int, typer.Option(help="Modules to work on side by side.")] = os.process_cpu_count() or 1,
    *,
    run: Annotated[bool, typer.Option(help="Or only compare what the last runs left.")] = True,
) -> None:
    """Mutate, run the tests, and compare."""
    console = Console(width=110)
    modules = modules_of((_HERE / "scope.toml").read_text())
    unknown = set(only or ()) - {module.path for module in modules}
    explanations = read_explanations((_HERE / "survivors.toml").read_text())
    unknown |= {_path_of(each) for each in explanations} - {module.path for module in modules}
    if unknown:
        raise typer.BadParameter(f"not in scope.toml: {', '.join(sorted(unknown))}")
    chosen = [module for module in modules if not only or module.path in only]
    begin = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        worked = list(pool.map(lambda module: work(module, explanations, console, run=run), chosen))
    console.print(as_table(worked, time.monotonic() - begin))
    for each in worked:
        for text in to_explain(each.comparison.unexplained):
            console.print(text, markup=False, soft_wrap=True)
        for mutant in each.comparison.stale:
            console.print(f"needs no explanation any more: {mutant}", markup=False, soft_wrap=True)
    if not all(each.comparison.is_clean for each in worked):
        raise typer.Exit(1)


def modules_of(scope: str) -> list[Module]:
    """The modules to mutate."""
    read = tomllib.loads(scope)
    return [
        Module(
            path,
            [f"tests/{each}" for each in tests],
            read["unread"],
            f"{where['leave_out']} or {read['unnamed']}",
        )
        for where in (read["in_memory"], read["on_moto"])
        for path, tests in where["modules"].items()
    ]


def work(module: Module, explanations: Iterable[Explanation], console: Console, *, run: bool) -> Worked:
    """Mutate one module, and compare."""
    begin = time.monotonic()
    place = _TREE / ".mutants" / Path(module.path).stem
    if run:
        run_mutmut(module, place)
    about_it = [each for each in explanations if _path_of(each) == module.path]
    worked = Worked(module.path, compare(mutants_of(place, module.path), about_it), time.monotonic() - begin)
    console.print(f"[dim]{module.path}: {worked.comparison.mutants} mutants, {worked.seconds:.0f} s[/dim]")
    return worked


def run_mutmut(module: Module, place: Path) -> None:
    """Copy the tree to a place, and run mutmut there on one module.

    Raises:
        RuntimeError: it failed; what it said is in the message.
    """
    stage(module, _TREE, place)
    mutants = f"{module.path.removesuffix('.py').replace('/', '.')}.*"
    run = subprocess.run(
        [_MUTMUT, "run", "--max-children", "1", mutants],
        cwd=place,
        env={**os.environ, "PYTHONHASHSEED": "0"},  # a run can be repeated
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"{module.path}: {run.stdout[-5000:]}{run.stderr[-5000:]}")


def as_table(worked: Iterable[Worked], seconds: float) -> Table:
    """What became of the mutants, module by module."""
    table = Table("module", *("mutants", "killed", "endless", "explained", "unexplained", "stale", "seconds"))
    for column in table.columns[1:]:
        column.justify = "right"
    total = Counter[str]()
    for each in worked:
        figures = _figures(each.comparison)
        total.update(figures)
        table.add_row(each.path, *map(str, figures.values()), f"{each.seconds:.0f}")
    table.add_section()
    table.add_row("all", *map(str, total.values()), f"{seconds:.0f}")
    return table


def _figures(found: Comparison) -> dict[str, int]:
    endless, explained = found.explained[Fate.ENDLESS], found.explained[Fate.SURVIVED]
    unexplained = len(found.unexplained)
    killed = found.mutants - endless - explained - unexplained
    return {
        "mutants": found.mutants,
        "killed": killed,
        "endless": endless,
        "explained": explained,
        "unexplained": unexplained,
        "stale": len(found.stale),
    }


def _path_of(explanation: Explanation) -> str:
    return explanation.mutant.function.partition(":")[0]


if __name__ == "__main__":
    app()
