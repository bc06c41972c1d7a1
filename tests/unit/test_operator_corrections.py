"""`lapse correct`, `pause` and `resume`, as an operator types them."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.facts import FactKind, Facts
from shared.pausing import Pause
from tests.builders import NOW, contact, contact_ref
from tests.operators import Operator

LEFT = datetime(2026, 8, 5, 10, 15, tzinfo=UTC)
RIGHT = datetime(2026, 8, 20, 10, 15, tzinfo=UTC)
CORRECT = ("correct", "Contacts", "C-7", "--kind", "left", "--was", "2026-08-05T10:15:00Z", "--by", "staff-1")
PAUSE = ("pause", "--by", "staff-1", "--reason", "policy_check", "--until")


@pytest.fixture
def operator() -> Operator:
    """In front of a contact who left 20 days ago."""
    operator = Operator()
    operator.memory.items[contact_ref()] = contact()
    operator.memory.facts[contact_ref()] = Facts(7, {FactKind.LEFT: frozenset({LEFT})})
    return operator


def left(operator: Operator) -> set[datetime]:
    return set(operator.memory.facts[contact_ref()].of(FactKind.LEFT))


def test_an_instant_is_put_right_and_the_record_timed_anew(operator: Operator) -> None:
    """With evidence; and the operator sees at once what becomes of the record."""
    answer = operator.types(*CORRECT, "--is", "2026-08-20T11:15:00+01:00")
    assert (answer.code, left(operator)) == (0, {RIGHT})
    assert [timer.due for timer in operator.memory.timers.values()] == [RIGHT + timedelta(days=90)]
    ((evidence,),) = operator.memory.batches[contact_ref().shard]
    assert (evidence.outcome, evidence.cause, evidence.details["by"]) == ("corrected", "operator", "staff-1")
    assert "Corrected: Contacts C-7." in answer.said
    assert "to be erased at 2026-11-18 10:15Z, 85 d left" in answer.said


def test_an_instant_is_taken_back(operator: Operator) -> None:
    """Without --is it was never so: the clock stops."""
    data = operator.types(*CORRECT, "--json").json
    assert left(operator) == set()
    assert {name: data[name] for name in ("table", "key", "kind", "was", "is", "changed")} == {
        "table": "Contacts",
        "key": {"contact_id": "C-7"},
        "kind": "left",
        "was": "2026-08-05T10:15:00Z",
        "is": None,
        "changed": True,
    }
    assert [(rule["rule"], rule["why"]) for rule in data["rules"]] == [
        ("leaver-contact", "no_anchor"),
        ("contact-erasure", "no_anchor"),
    ]


@pytest.mark.parametrize(("typed", "code", "day"), [("y\n", 0, 1), ("n\n", 1, 5), ("", 1, 5)])
def test_a_correction_by_which_a_record_is_due_asks_first(
    operator: Operator, typed: str, code: int, day: int
) -> None:
    """For the next purge cannot be undone."""
    answer = operator.types(*CORRECT, "--is", "2026-05-01T00:00:00Z", answers=typed, columns=200)
    assert answer.code == code
    assert {each.day for each in left(operator)} == {day}
    assert (
        "Then Contacts C-7 is due by rule leaver-contact: the next purge erases telephone, email. Correct it?"
    ) in answer.err


def test_a_correction_asks_no_program(operator: Operator) -> None:
    """With --yes it goes on; and nothing is asked about a record whose fields are gone."""
    early = (*CORRECT, "--is", "2026-05-01T00:00:00Z", "--json")
    answer = operator.types(*early, answers="y\n")
    assert (answer.code, answer.json["error"], left(operator)) == (1, "Nothing was corrected.", {LEFT})
    assert operator.types(*early, "--yes").code == 0
    operator.memory.items.clear()
    again = ("--was", "2026-05-01T00:00:00Z", "--is", "2026-05-02T00:00:00Z")
    assert operator.types(*CORRECT[:5], *CORRECT[7:], *again).code == 0


def test_an_instant_that_nobody_told_is_not_corrected(operator: Operator) -> None:
    """The error names those that were told, for they must be met exactly."""
    answer = operator.types(*[word.replace("-05T", "-06T") for word in CORRECT])
    assert answer.code == 1
    assert answer.err == (
        "lapse: --was: no left at that instant was told.\nTold were: 2026-08-05T10:15:00Z.\n"
    )
    assert left(operator) == {LEFT}
    answer = operator.types(*[word.replace("left", "returned") for word in CORRECT])
    assert (answer.code, answer.err.splitlines()[1]) == (1, "Told were: none.")


def test_a_correction_twice_says_so(operator: Operator) -> None:
    """The timers are set again; but what was taken back cannot be given another instant afterwards."""
    words = (*CORRECT, "--is", "2026-08-20T10:15:00Z")
    operator.types(*words)
    operator.memory.timers.clear()
    answer = operator.types(*words)
    assert (answer.code, "Taken back before: Contacts C-7." in answer.said) == (0, True)
    assert operator.memory.timers
    answer = operator.types(*CORRECT, "--is", "2026-08-21T10:15:00Z")
    assert answer.code == 1
    assert "--was: was taken back before: correct the instant that stands" in answer.err
    assert left(operator) == {RIGHT}


def test_what_is_right_cannot_lie_ahead(operator: Operator) -> None:
    """As in the contract: more than a day ahead is refused, by the option's name."""
    answer = operator.types(*CORRECT, "--is", "2026-08-27T10:15:00Z")
    assert (answer.code, answer.err) == (1, "lapse: --is: is more than a day ahead.\n")
    assert left(operator) == {LEFT}


@pytest.mark.parametrize("option", ["--was", "--is"])
def test_instants_carry_an_offset(operator: Operator, option: str) -> None:
    """The error names the option and not the value."""
    answer = operator.types(*CORRECT, option, "canary-2026-08-05T10:15:00", columns=200)
    assert (answer.code, f"'{option}': must be an RFC 3339 instant" in answer.err) == (2, True)
    assert "canary" not in answer.err


def test_only_what_is_told_can_be_corrected(operator: Operator) -> None:
    """The kinds are listed in the error."""
    answer = operator.types(*[word.replace("left", "canary") for word in CORRECT], columns=200)
    assert (answer.code, "shipped" in answer.err, "requested" in answer.err) == (2, True, True)


def test_a_pause_stands_with_who_why_and_until_when(operator: Operator) -> None:
    """And is evidence."""
    answer = operator.types(*PAUSE, "P2D")
    assert (answer.code, answer.out) == (0, "Paused until 2026-08-27 10:15Z.\n")
    assert operator.memory.pause == Pause("staff-1", "policy_check", NOW, NOW + timedelta(days=2))
    ((evidence,),) = operator.memory.batches[0]
    assert (evidence.outcome, evidence.cause) == ("paused", "operator")
    assert operator.types(*PAUSE, "P3D", "--json").json == {
        "paused": True,
        "by": "staff-1",
        "reason_code": "policy_check",
        "since": "2026-08-25T10:15:00Z",
        "until": "2026-08-28T10:15:00Z",
    }


def test_a_pause_must_end_ahead(operator: Operator) -> None:
    """One that is over already would pause nothing, and look as if it did."""
    answer = operator.types(*PAUSE, "2026-08-25T10:15:00Z")
    assert (answer.code, answer.err) == (1, "lapse: --until: must be ahead.\n")
    assert (operator.memory.pause, operator.memory.batches) == (None, {})


def test_a_pause_is_not_for_ever() -> None:
    """Its end is mandatory, like its reason and who it was."""
    for option in ("--by", "--reason", "--until"):
        words = [*PAUSE, "P2D"]
        del words[words.index(option) : words.index(option) + 2]
        answer = Operator().types(*words)
        assert (answer.code, f"'{option}'" in answer.err) == (2, True)


def test_resume_says_whether_there_was_a_pause(operator: Operator) -> None:
    """Both are fine; the first is evidence."""
    operator.types(*PAUSE, "P2D")
    assert operator.types("resume", "--by", "staff-2").out == "Resumed: the next purge goes on.\n"
    assert operator.memory.pause is None
    assert operator.memory.batches[0][-1][0].details == {"by": "staff-2"}
    answer = operator.types("resume", "--by", "staff-2")
    assert (answer.code, answer.out) == (0, "Lapse was not paused.\n")
    assert operator.types("resume", "--by", "staff-2", "--json").json == {"paused": False, "resumed": False}
