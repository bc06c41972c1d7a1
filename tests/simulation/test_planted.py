"""Each planted bug is noticed, and no invariant could be left out.

The seeds are those that the last full run recorded (`make guarantee`): one for each bug, so this is quick.
"""

import pytest

from tests.simulation.catching import PLANTED, needed, noticed, recorded
from tests.simulation.oracle import Invariant

RECORDED = recorded()


def test_all_planted_bugs_are_on_record() -> None:
    """A bug that is added, or renamed, needs another full run."""
    assert RECORDED.keys() == PLANTED.keys()
    assert len(PLANTED) >= 30


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_noticed(name: str) -> None:
    """By an invariant that was named for it beforehand, on the recorded seed."""
    seed = RECORDED[name].seed
    assert seed is not None
    _, invariants = noticed(PLANTED[name], seed)
    assert invariants & set(PLANTED[name].by)


@pytest.mark.parametrize("invariant", Invariant)
def test_no_invariant_can_be_left_out(invariant: Invariant) -> None:
    """There is a bug that only this one notices: without it, the bug would get through."""
    bugs = needed(RECORDED.values())[invariant]
    assert bugs
    name = bugs[0]
    seed = RECORDED[name].seed
    assert seed is not None
    assert noticed(PLANTED[name], seed)[1] == {invariant}
