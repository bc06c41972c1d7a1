"""`lapse due`, as an operator types it."""

from datetime import timedelta

import pytest

from shared.timer import Timer
from tests.builders import NOW, shipment_ref
from tests.operators import Operator

DAY = timedelta(days=1)


@pytest.fixture
def operator() -> Operator:
    """In front of timers of two rules, one of which the policy does not have any more."""
    operator = Operator()
    ahead = [("delivery-contact", days) for days in (-1, 0, 0, 6, 30)] + [
        ("old-rule", days) for days in (0, 31)
    ]
    timers = [
        Timer(shipment_ref(f"S-{n}"), rule, NOW + days * DAY, NOW + days * DAY)
        for n, (rule, days) in enumerate(ahead)
    ]
    operator.controls().timers.put(timers)
    return operator


def test_what_becomes_due_by_day(operator: Operator) -> None:
    """Each day with its number; what is overdue is said apart, and what is further off is not looked at."""
    answer = operator.types("due")
    assert answer.code == 1
    _, _, *rows, last = [" ".join(line.split()) for line in answer.out.splitlines()]
    assert rows == [
        f"Tue 2026-08-25 today 3 {'█' * 30}",
        f"Mon 2026-08-31 6 d 1 {'█' * 10}",
        f"Thu 2026-09-24 30 d 1 {'█' * 10}",
    ]
    assert last == "1 timer overdue. Days end in Europe/London."


def test_how_far_ahead_is_said(operator: Operator) -> None:
    """A day further brings another; nearer leaves some out."""
    assert len(operator.types("due", "--days", 31, "--json").json["days"]) == 4
    assert operator.types("due", "--days", 1, "--json").json["days"] == [{"day": "2026-08-25", "timers": 3}]


def test_what_becomes_due_by_rule(operator: Operator) -> None:
    """Also of rules that the policy has no more: the purge drops those timers."""
    _, _, first, *_, old, last = [
        " ".join(x.split()) for x in operator.types("due", "--by", "rule").out.splitlines()
    ]
    assert first == "delivery-contact 2.2.1 Shipments enforce 1 2 3 4"
    assert old == "old-rule - removed 0 1 1 1"
    assert last.startswith("1 timer overdue.")
    further = operator.types("due", "--by", "rule", "--days", 31).out.splitlines()
    assert further[0].split()[-2:] == ["31", "days"]
    assert further[2].split()[-2:] == ["4", "4"]


def test_what_becomes_due_for_programs(operator: Operator) -> None:
    """As one object, or as a list."""
    data = operator.types("due", "--json").json
    assert data == {
        "zone": "Europe/London",
        "until": "2026-09-24",
        "overdue": 1,
        "days": [
            {"day": "2026-08-25", "timers": 3},
            {"day": "2026-08-31", "timers": 1},
            {"day": "2026-09-24", "timers": 1},
        ],
        "unreadable": 0,
    }
    by_rule = operator.types("due", "--by", "rule", "--csv").out.splitlines()
    assert by_rule[:2] == [
        "rule,clause,table,mode,overdue,today,in_7_days,in_30_days,until",
        "delivery-contact,2.2.1,Shipments,enforce,1,2,3,4,4",
    ]
    assert by_rule[-1] == "old-rule,,,,0,1,1,1,1"
    assert operator.types("due", "--csv").out.splitlines() == [
        "day,timers",
        "2026-08-25,3",
        "2026-08-31,1",
        "2026-09-24,1",
    ]
    assert {operator.types("due", form).code for form in ("--json", "--csv")} == {1}


def test_nothing_becomes_due() -> None:
    """No table; that is said."""
    answer = Operator().types("due")
    assert (answer.code, answer.out.splitlines()) == (
        0,
        ["Nothing becomes due until 2026-09-24.", "0 timers overdue. Days end in Europe/London."],
    )


def test_what_was_due_before_midnight_is_due_today() -> None:
    """Within its grace it is not overdue; and yesterday is over."""
    operator = Operator(now=NOW.replace(hour=23, minute=0))
    before = operator.now - timedelta(minutes=5)
    operator.controls().timers.put([Timer(shipment_ref(), "r", before, before)])
    assert operator.types("due", "--json").json["days"] == [{"day": "2026-08-26", "timers": 1}]
