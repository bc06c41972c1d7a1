"""`lapse sweep` and `purge`, as an operator types them."""

from datetime import timedelta
from typing import Any

import pytest

from shared.pausing import Pause
from shared.sweep_state import PartProgress, Sweep
from tests.builders import NOW
from tests.operators import Functions, Operator

DAY = timedelta(days=1)
THROUGH = {"finished": True, "counts": {"delivery-contact": {"overdue": 1203, "re_added": 1}}, "failures": []}
NOT_YET = {"finished": False, "counts": {}, "failures": []}
PURGED: dict[str, Any] = {
    "shards_finished": 16,
    "shards": 16,
    "counts": {"Purges": 1, "Erased": 1203, "AlreadyAbsent": 2},
}


def test_a_sweep_is_invoked_until_it_is_through() -> None:
    """Its progress goes to stderr, its counts by rule to stdout."""
    operator = Operator()
    operator.functions.answers = [NOT_YET, NOT_YET, THROUGH]
    operator.sweeps.sweep = Sweep(NOW, "digest")
    operator.sweeps.parts = {
        "Shipments/0": PartProgress(scanned=40_000),
        "Contacts/1": PartProgress(scanned=5),
    }
    answer = operator.types("sweep")
    assert (answer.code, operator.functions.invoked) == (0, ["SweepFunctionName"] * 3)
    assert answer.err == "Not through yet: 40,005 items looked at.\n" * 2
    first, _, _, *rows = answer.out.splitlines()
    assert first == "The sweep is through."
    assert [row.split() for row in rows] == [
        ["delivery-contact", "overdue", "1,203"],
        ["delivery-contact", "re-added", "1"],
    ]


def test_a_sweep_that_found_nothing_shows_no_table() -> None:
    """Only that it is through."""
    operator = Operator()
    operator.functions.answers = [{**THROUGH, "counts": {}}]
    assert operator.types("sweep").out == "The sweep is through.\n"


def test_a_sweep_for_programs() -> None:
    """One object, whatever went to stderr."""
    operator = Operator()
    operator.functions.answers = [NOT_YET, THROUGH]
    assert operator.types("sweep", "--json").json == {"counts": THROUGH["counts"]}


def test_a_purge_shows_what_it_did() -> None:
    """By the names of its counts, dropped timers by reason."""
    operator = Operator()
    operator.functions.answers = [{**PURGED, "counts": {**PURGED["counts"], "Dropped": {"no_match": 3}}}]
    answer = operator.types("purge")
    assert (answer.code, operator.functions.invoked) == (0, ["PurgeFunctionName"])
    _, _, *rows, remark = answer.out.splitlines()
    assert [row.rsplit(maxsplit=1) for row in rows] == [
        ["erased", "1,203"],
        ["already absent", "2"],
        ["dropped: no match", "3"],
    ]
    assert remark == "Nothing that is due is left."


@pytest.mark.parametrize(
    ("shards", "counts", "remark"),
    [
        (3, {"Purges": 1}, "3 of 16 parts are through; the next run goes on with the others."),
        (3, {"Halted": 1}, "It stopped at the policy's max_erasures_per_run; the next run goes on."),
    ],
)
def test_a_purge_that_did_not_do_all_says_why(shards: int, counts: dict[str, int], remark: str) -> None:
    """Out of time, or halted: not a failure, but not the end either."""
    operator = Operator()
    operator.functions.answers = [{**PURGED, "shards_finished": shards, "counts": counts}]
    answer = operator.types("purge")
    assert (answer.code, answer.out) == (0, f"{remark}\n")


def test_a_purge_while_paused_says_so() -> None:
    """Also if nothing was due just then; but not once the pause is over."""
    operator = Operator()
    operator.memory.pause = Pause("staff-1", "check", NOW, NOW + DAY)
    operator.functions.answers = [PURGED, PURGED]
    assert operator.types("purge").out.splitlines()[-1] == (
        "Lapse is paused until 2026-08-26 10:15Z: nothing is erased."
    )
    operator.now += DAY
    assert operator.types("purge").out.splitlines()[-1] == "Nothing that is due is left."


def test_a_purge_for_programs() -> None:
    """What the function answered."""
    operator = Operator()
    operator.functions.answers = [PURGED]
    assert operator.types("purge", "--json").json == PURGED


@pytest.mark.parametrize(
    ("number", "findings", "code", "said"),
    [
        (7, [], 0, "Seal 7.\n"),
        (None, [], 0, "Another run was just about to seal: there is nothing to do.\n"),
        (8, ["shard 03, batch 2: prev is not"], 1, "Seal 8.\nshard 03, batch 2: prev is not\n"),
    ],
)
def test_sealing_by_hand(number: int | None, findings: list[str], code: int, said: str) -> None:
    """Says its number, and what is wrong with the chains that it sealed."""
    summary: dict[str, Any] = {"sealed": number, "counts": {}, "findings": findings, "failures": []}
    operator = Operator(functions=Functions([summary, summary]))
    answer = operator.types("seal")
    assert (answer.code, answer.out, operator.functions.invoked) == (code, said, ["SealFunctionName"])
    answer = operator.types("seal", "--json")
    assert (answer.code, answer.json) == (code, {"sealed": number, "findings": findings})
