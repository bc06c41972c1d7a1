"""`lapse status`, as an operator types it: once, and watched."""

import io
import re
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from rich.console import Console
from rich.text import Text

from lapse import watching
from lapse.horizon import Horizon
from lapse.present import look_at_present
from lapse.seals import LastSeal
from lapse.status_page import lines
from lapse.trouble import TroubleError
from shared.facts import Facts, Hold, Request
from shared.failure import CallFailedError
from shared.found import Found
from shared.instants import parse_rfc3339
from shared.last_purge import LastPurge
from shared.pausing import Pause
from shared.sweep_state import Sweep
from shared.timer import Timer
from tests.builders import NOW, contact_ref, shipment_ref
from tests.operators import Operator

DAY = timedelta(days=1)


@pytest.fixture
def busy() -> Operator:
    """A Lapse on a bad day."""
    operator = Operator()
    operator.memory.pause = Pause("staff-1", "check", NOW, NOW + DAY)
    operator.dead_letters.messages = 3
    operator.dead_letters.failed = 2
    found = Counter({("r", Found.OVERDUE): 2, ("r", Found.OBSERVED): 4})
    operator.sweeps.sweep = Sweep(NOW - DAY, "digest", NOW - DAY / 2, found)
    operator.purges.last = LastPurge(NOW, "wake-up", 3)
    operator.seals.latest = LastSeal(7, NOW, {})
    soon, later = (Hold("lost", f"C-{days}", "staff-1", NOW, NOW + days * DAY) for days in (14, 15))
    requests = [Request(f"DSR-{days}", NOW - days * DAY, "dpo-1") for days in (29, 1)]
    operator.memory.facts[shipment_ref()] = Facts(1).held(soon).held(later)
    operator.memory.facts[contact_ref()] = Facts(1).requested(requests[0]).requested(requests[1])
    timers = [  # overdue, waiting within its grace, and overdue though put off
        Timer(shipment_ref(f"S-{n}"), "r", NOW + timedelta(minutes=at), NOW - timedelta(minutes=due))
        for n, (at, due) in enumerate([(-120, 120), (-14, 14), (16, 15), (90, -90)])
    ]
    days = [NOW + days * DAY for days in (7, 30, 31)]
    timers += [Timer(shipment_ref(f"T-{each.day}"), "r", each, each) for each in days]
    operator.controls().timers.put(timers)
    return operator


def lines_of(out: str) -> list[str]:
    return [" ".join(line.split()) for line in out.splitlines()]


def test_status_shows_what_somebody_should_see_to(busy: Operator) -> None:
    """One line each; what was put off by failures is overdue all the same, and ends the command with 1."""
    answer = busy.types("status")
    assert answer.code == 1
    shown = [line for line in lines_of(answer.out) if not line.startswith("──")]
    policy = f"policy PP001 {busy.policy.digest[:12]}"
    assert shown[0] == f"Stack lapse in 000000000000 eu-west-1, {policy}"
    assert shown[1] == "Seen at 2026-08-25 10:15:00Z"
    assert shown[3:] == [
        "Overdue 2 timers, the oldest by 2 h",
        "Due today 2",
        "Due in 7 days 3",
        "Due in 30 days 4",
        "Paused until 2026-08-26 10:15Z, by staff-1: check",
        "Holds in force 2, 1 within 14 days of the end",
        "Open requests 2, the first to be answered: 1 d",
        "Waiting 0 at the last sweep",
        "Observing 4 at the last sweep",
        "Implausible 0 at the last sweep",
        "Dead letters 3",
        "Failures 2",
        "Unreadable 0",
        "Last sweep began 2026-08-24 10:15Z, finished 2026-08-24 22:15Z",
        "Last purge 2026-08-25 10:15Z, wake-up, 3 of 16 parts",
        "Last seal number 7, 2026-08-25 10:15Z",
        "",
        "Rule Found Records",
        "r observed 4",
        "r overdue 2",
    ]


def test_status_for_programs(busy: Operator) -> None:
    """The same, with full instants and the whole digest."""
    assert busy.types("status", "--json").json == {
        "stack": "lapse",
        "account": "000000000000",
        "region": "eu-west-1",
        "at": "2026-08-25T10:15:00Z",
        "policy": {"id": "PP001", "digest": busy.policy.digest},
        "paused": {"by": "staff-1", "reason_code": "check", "until": "2026-08-26T10:15:00Z"},
        "timers_overdue": 2,
        "oldest_overdue_seconds": 7200,
        "due_today": 2,
        "due_in_7_days": 3,
        "due_in_30_days": 4,
        "holds_in_force": 2,
        "holds_expiring": 1,
        "requests_open": 2,
        "first_answer_by": "2026-08-26T10:15:00Z",
        "dead_letters": 3,
        "failures": 2,
        "unreadable_facts": 0,
        "unreadable_timers": 0,
        "last_sweep": {
            "began": "2026-08-24T10:15:00Z",
            "finished": "2026-08-24T22:15:00Z",
            "stale": False,
            "found": {"waiting": 0, "held": 0, "observed": 4, "implausible": 0},
            "counts": {"r": {"observed": 4, "overdue": 2}},
        },
        "last_purge": {"finished": "2026-08-25T10:15:00Z", "cause": "wake-up", "shards_finished": 3},
        "last_seal": {"number": 7, "at": "2026-08-25T10:15:00Z"},
        "last_seal_unknown": None,
    }


def test_status_of_a_quiet_stack() -> None:
    """Nothing is paused, overdue, held or asked for: it ends with 0. What never ran is worth a look."""
    operator = Operator()
    operator.memory.pause = Pause("staff-1", "check", NOW - 2 * DAY, NOW)  # over
    answer = operator.types("status")
    assert (answer.code, lines_of(answer.out)[3:]) == (
        0,
        [
            "Overdue 0 timers",
            "Due today 0",
            "Due in 7 days 0",
            "Due in 30 days 0",
            "Paused no",
            "Holds in force 0",
            "Open requests 0",
            "Waiting -",
            "Observing -",
            "Implausible -",
            "Dead letters 0",
            "Failures 0",
            "Unreadable 0",
            "Last sweep none yet",
            "Last purge none noted yet",
            "Last seal none yet",
        ],
    )
    data = operator.types("status", "--json").json
    assert (data["paused"], data["last_sweep"], data["first_answer_by"]) == (None, None, None)
    assert (data["last_purge"], data["last_seal"]) == (None, None)
    assert (data["timers_overdue"], data["oldest_overdue_seconds"]) == (0, 0)


def test_status_counts_all_timers_of_a_shard() -> None:
    """Page by page."""
    operator = Operator()
    timers = [Timer(shipment_ref(), f"r{n}", NOW - DAY, NOW - DAY) for n in range(250)]
    operator.controls().timers.put(timers)
    assert operator.types("status", "--json").json["timers_overdue"] == 250


@pytest.mark.parametrize(
    ("clock", "today", "in_7_days"),
    [
        ("2026-08-24T23:00:00Z", 2, 4),  # the zone is an hour ahead of UTC: there it is the 25th
        ("2026-08-25T22:55:00Z", 2, 4),
        ("2026-08-25T23:00:00Z", 3, 5),  # the 26th; what was due within the grace is due today
    ],
)
def test_days_end_where_the_policy_says(clock: str, today: int, in_7_days: int) -> None:
    """Also if the day ends within the minutes for which timers are put off."""
    operator = Operator(now=parse_rfc3339(clock))
    first, last = ("2026-08-25T22:58:00Z", "2026-08-25T22:59:59Z"), "2026-09-01T22:59:59Z"
    dues = (*first, "2026-08-25T23:05:00Z", last, "2026-09-01T23:00:00Z")
    timers = [Timer(shipment_ref(each), "r", parse_rfc3339(each), parse_rfc3339(each)) for each in dues]
    operator.controls().timers.put(timers)
    seen = operator.types("status", "--json").json
    assert (seen["due_today"], seen["due_in_7_days"], seen["due_in_30_days"]) == (today, in_7_days, 5)
    due = operator.types("due", "--by", "rule", "--json").json["rules"][-1]
    assert (due["today"], due["in_7_days"], due["in_30_days"]) == (today, in_7_days, 5)


@pytest.mark.parametrize(
    ("hours", "minutes", "stale"), [(26, 15, set()), (26.1, 15, {"Last sweep"}), (26, 15.1, {"Last purge"})]
)
def test_runs_that_stayed_away_are_worth_a_look(hours: float, minutes: float, stale: set[str]) -> None:
    """A sweep that began more than 26 hours ago; a purge that ended more than 15 minutes ago; an old seal."""
    operator = Operator()
    operator.sweeps.sweep = Sweep(NOW - timedelta(hours=hours), "digest", NOW)
    operator.purges.last = LastPurge(NOW - timedelta(minutes=minutes), "recurring", 16)
    operator.seals.latest = LastSeal(1, NOW - timedelta(hours=26), {})
    seen = look_at_present(operator.controls(), NOW, Horizon())
    assert {title for title, _, bad in lines(seen) if bad} == stale
    operator.seals.latest = LastSeal(1, NOW - timedelta(hours=26.1), {})
    seen = look_at_present(operator.controls(), NOW, Horizon())
    assert {title for title, _, bad in lines(seen) if bad} == stale | {"Last seal"}


def test_status_of_a_sweep_that_goes_on() -> None:
    """It says so; and rows of Facts that cannot be read are not kept quiet about."""
    operator = Operator()
    operator.sweeps.sweep = Sweep(NOW, "digest")
    operator.memory.facts[shipment_ref()] = Facts(1)
    operator.facts.unreadable = 1
    shown = lines_of(operator.types("status").out)
    assert {"Last sweep began 2026-08-25 10:15Z, not through yet", "Waiting -"} <= set(shown)
    assert operator.types("status", "--json").json["last_sweep"]["found"] is None
    assert "Unreadable 1 row of Facts, 0 of Due" in shown


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (CallFailedError("ListObjectsV2", "AccessDenied"), "ListObjectsV2: AccessDenied"),
        (CallFailedError("GetObject", "SealIsUnreadable"), "GetObject: SealIsUnreadable"),
        (TroubleError("The stack has no output SealBucketName."), "The stack has no output SealBucketName."),
    ],
)
def test_a_seal_that_cannot_be_read_hides_no_other_figure(
    busy: Operator, failure: Exception, said: str
) -> None:
    """It is a line of its own, and worth a look."""
    busy.seals.failure = failure
    answer = busy.types("status")
    assert {"Overdue 2 timers, the oldest by 2 h", f"Last seal unknown: {said}"} <= set(lines_of(answer.out))
    data = busy.types("status", "--json").json
    assert (data["last_seal"], data["last_seal_unknown"]) == (None, said)
    seen = look_at_present(busy.controls(), NOW, Horizon())
    assert ("Last seal", f"unknown: {said}", True) in list(lines(seen))


def test_watching_looks_again_until_somebody_ends_it(busy: Operator) -> None:
    """By Ctrl-C, which is no failure: it ends as a single look does."""
    looks = iter([NOW, NOW + DAY])

    def clock() -> datetime:
        for now in looks:
            return now
        raise KeyboardInterrupt

    controls = replace(busy.controls(), clock=clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "LOOKS_EVERY", timedelta(0))
        patch.setenv("FORCE_COLOR", "1")  # so rich takes it for a terminal
        answer = busy.types("status", "--watch", connect=lambda: controls)
    assert (answer.code, "Overdue" in answer.out, "Ctrl-C ends" in answer.said) == (1, True, True)
    assert "Counting timers" not in answer.err  # it would be written over the page


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_one_waits_for_is_named(
    busy: Operator, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million timers take their time."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # so rich takes it for a terminal
    assert "Counting timers" in busy.types("status", *options).err


def test_watching_is_for_people(busy: Operator) -> None:
    """Programs ask again themselves."""
    assert busy.types("status", "--watch", "--json").code == 1


def test_a_call_that_fails_ends_no_watch() -> None:
    """It is told, with what was seen before; the next look may succeed."""
    answers: list[str | Exception] = ["one", CallFailedError("Query", "ThrottlingException"), "two"]
    pages, waits = io.StringIO(), list[float]()

    def look() -> str:
        if not answers:
            raise KeyboardInterrupt
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    console = Console(file=pages, force_terminal=True, width=80)
    assert watching.watch(look, Text, waits.append, console) == "two"
    shown = " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", pages.getvalue()).split())
    assert "one Others are at the same work (Query: ThrottlingException). Looks again every 5 s" in shown
    assert waits == [5, 5, 5]
