"""`lapse sweep`, `purge` and `status`, as an operator types them."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from shared.facts import Facts, Hold, Request
from shared.found import Found
from shared.pausing import Pause
from shared.sweep_state import PartProgress, Sweep
from shared.timer import Timer
from tests.builders import NOW, contact_ref, shipment_ref
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


@pytest.fixture
def busy() -> Operator:
    """A Lapse on a bad day."""
    operator = Operator()
    operator.memory.pause = Pause("staff-1", "check", NOW, NOW + DAY)
    operator.dead_letters.messages = 3
    operator.sweeps.sweep = Sweep(NOW - DAY, "digest", NOW - DAY / 2, Counter({("r", Found.OVERDUE): 2}))
    soon, later = (Hold("lost", f"C-{days}", "staff-1", NOW, NOW + days * DAY) for days in (14, 15))
    requests = [Request(f"DSR-{days}", NOW - days * DAY, "dpo-1") for days in (29, 1)]
    operator.memory.facts[shipment_ref()] = Facts(1).held(soon).held(later)
    operator.memory.facts[contact_ref()] = Facts(1).requested(requests[0]).requested(requests[1])
    timers = [  # overdue, waiting within its grace, and overdue though put off
        Timer(shipment_ref(f"S-{n}"), "r", NOW + timedelta(minutes=at), NOW - timedelta(minutes=due))
        for n, (at, due) in enumerate([(-120, 120), (-14, 14), (16, 15), (17, 600)])
    ]
    operator.controls().timers.put(timers)
    return operator


def test_status_shows_what_somebody_should_see_to(busy: Operator) -> None:
    """One line each; what was put off by failures is overdue all the same."""
    answer = busy.types("status")
    assert answer.code == 0
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]
    assert lines[0] == f"Stack lapse, policy PP001 {busy.policy.digest[:12]}"
    assert lines[2:8] == [
        "Paused until 2026-08-26 10:15Z, by staff-1: check",
        "Overdue 2 timers, the oldest by 2 h",
        "Holds in force 2, 1 within 14 days of the end",
        "Open requests 2, the first to be answered: 1 d",
        "Dead letters 3",
        "Last sweep began 2026-08-24 10:15Z, finished 2026-08-24 22:15Z",
    ]
    assert lines[-1] == "r overdue 2"


def test_status_for_programs(busy: Operator) -> None:
    """The same, with full instants and the whole digest."""
    assert busy.types("status", "--json").json == {
        "stack": "lapse",
        "policy": {"id": "PP001", "digest": busy.policy.digest},
        "paused": {"by": "staff-1", "reason_code": "check", "until": "2026-08-26T10:15:00Z"},
        "timers_overdue": 2,
        "oldest_overdue_seconds": 7200,
        "holds_in_force": 2,
        "holds_expiring": 1,
        "requests_open": 2,
        "first_answer_by": "2026-08-26T10:15:00Z",
        "dead_letters": 3,
        "unreadable_facts": 0,
        "last_sweep": {
            "began": "2026-08-24T10:15:00Z",
            "finished": "2026-08-24T22:15:00Z",
            "counts": {"r": {"overdue": 2}},
        },
    }


def test_status_of_a_quiet_stack() -> None:
    """Nothing is paused, overdue, held or asked for; no sweep yet is worth a look."""
    operator = Operator()
    operator.memory.pause = Pause("staff-1", "check", NOW - 2 * DAY, NOW)  # over
    lines = [" ".join(line.split()) for line in operator.types("status").out.splitlines()]
    assert lines[2:] == [
        "Paused no",
        "Overdue 0 timers",
        "Holds in force 0",
        "Open requests 0",
        "Dead letters 0",
        "Last sweep none yet",
    ]
    data = operator.types("status", "--json").json
    assert (data["paused"], data["last_sweep"], data["first_answer_by"]) == (None, None, None)
    assert (data["timers_overdue"], data["oldest_overdue_seconds"]) == (0, 0)


def test_status_counts_all_timers_of_a_shard() -> None:
    """Page by page."""
    operator = Operator()
    timers = [Timer(shipment_ref(), f"r{n}", NOW - DAY, NOW - DAY) for n in range(250)]
    operator.controls().timers.put(timers)
    assert operator.types("status", "--json").json["timers_overdue"] == 250


def test_status_of_a_sweep_that_goes_on() -> None:
    """It says so; and rows of Facts that cannot be read are not kept quiet about."""
    operator = Operator()
    operator.sweeps.sweep = Sweep(NOW, "digest")
    operator.memory.facts[shipment_ref()] = Facts(1)
    operator.facts.unreadable = 1
    lines = [" ".join(line.split()) for line in operator.types("status").out.splitlines()]
    assert lines[-2:] == ["Last sweep began 2026-08-25 10:15Z, not through yet", "Unreadable facts 1"]


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
