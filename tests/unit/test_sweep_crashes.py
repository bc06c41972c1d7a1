"""What the sweeps that `test_crashes` disturbs end with: the right end, with which all are compared."""

from typing import Any

import pytest

from tests.crash_scenarios_of_runs import SCENARIOS
from tests.crashes import calls_of, settled

OF_ANY_SWEEP = {
    *("records.scan", "records.look", "records.has_fields"),
    *("facts.scan", "facts.read", "facts.forget"),
    *("timers.missing", "timers.put", "wake_ups.ensure", "ledger.has_erased", "bus.put"),
    *(f"progress.{name}" for name in ("lease", "read", "begin", "read_parts", "write_part", "finish")),
    "progress.release",
}


def test_every_call_is_met() -> None:
    """A sweep that is through makes each call but one, and one that is cut short makes that."""
    assert set(calls_of(SCENARIOS["sweep"])) == OF_ANY_SWEEP
    assert "records.about_how_many" in calls_of(SCENARIOS["sweep cut short"])


@pytest.mark.parametrize("name", ["sweep", "sweep cut short"])
def test_what_the_undisturbed_run_ends_with(name: str) -> None:
    """The end that all runs are compared with is the right one, in one run or in several."""
    end: dict[str, Any] = settled(SCENARIOS[name], None)
    assert len(end["timers"]) == 9
    assert len(end["facts"]) == 4
    found = {f"{rule}: {what.value}": number for (rule, what), number in end["counts"].items()}
    assert found == {
        "delivery-contact: overdue": 4,
        "delivery-contact: waiting": 1,
        "delivery-contact: held": 1,
        "fax: overdue": 1,
        "delivery-erasure: overdue": 1,
        "leaver-contact: overdue": 1,
        "leaver-contact: re_added": 1,
    }
    assert len(end["news"]) == 3
