"""A sweep of many records on the local stack, killed in the middle."""

from bench.sweep import sweep_in_pieces
from lapse.stack import Stack

ITEMS = 5000  # two pages of each segment
DUE = 500


def test_a_sweep_that_is_killed_goes_on(local_stack: Stack) -> None:
    """The function, in a process of its own, is killed; the next one ends the sweep. None reads a value."""
    swept = sweep_in_pieces(local_stack.endpoint, ITEMS, seconds=60, kill_after=1, units_of_the_first=1000)
    assert swept.pieces[0].killed
    assert (swept.due, swept.timers) == (DUE, DUE)
    found = swept.counts["delivery-contact"]
    assert (found["overdue"], found["waiting"]) == (DUE, ITEMS - DUE)
    # Pages that the killed run had set timers for, and had no cursor yet, count none of them the second time.
    assert found.get("without_timer", 0) <= DUE
    assert (swept.canaries, swept.canaries_of_a_get) == (0, 3)
    assert swept.read_bytes > ITEMS * 50
