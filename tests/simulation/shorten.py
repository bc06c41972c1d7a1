"""A failing run made short: happenings are dropped as long as it still fails in the same way."""

from collections.abc import Callable, Sequence

from tests.simulation.run import Result, simulate
from tests.simulation.script import Happening, script

MOST_RUNS = 300


def shorten(
    failed: Result, run: Callable[[int, Sequence[Happening]], Result] = simulate, most_runs: int = MOST_RUNS
) -> list[Happening]:
    """The happenings without which the run would not fail as it did.

    Each thing in a run has dice of its own, so what is left happens as before, as far as that can be.
    """
    left, wanted = script(failed.seed, failed.mode), failed.violations[0].invariant
    size = len(left) // 2
    while size and most_runs:
        for start in range(0, len(left), size):
            fewer = left[:start] + left[start + size :]
            most_runs -= 1
            if any(each.invariant is wanted for each in run(failed.seed, fewer).violations):
                left = fewer
                break
            if not most_runs:
                break
        else:
            size //= 2
    return left
