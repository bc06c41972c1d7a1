"""`lapse erase` and `requests`, as an operator types them."""

from datetime import timedelta

import pytest

from shared.facts import Hold, Request
from tests.builders import NOW, contact, contact_ref, delivery_rule, policy, shipment, shipment_ref
from tests.operators import Operator

ERASE = ("erase", "Shipments", "S-1001", "--request", "DSR-1", "--approved-by", "dpo-1", "--yes")
DAY = timedelta(days=1)


@pytest.fixture
def operator() -> Operator:
    """In front of a shipment that is not due by the clock."""
    operator = Operator()
    operator.memory.items[shipment_ref()] = shipment(shipped_at={"S": "2026-08-20T10:00:00Z"})
    return operator


def test_erase_is_the_same_as_the_event(operator: Operator) -> None:
    """A fact with evidence, a timer for now by the request rule, and a wake-up; the purge does the rest."""
    answer = operator.types(*ERASE)
    assert answer.code == 0
    assert operator.memory.facts[shipment_ref()].requests == {"DSR-1": Request("DSR-1", NOW, "dpo-1")}
    (timer,) = operator.memory.timers.values()
    assert (timer.rule, timer.at, len(operator.memory.minutes)) == ("delivery-erasure", NOW, 1)
    ((evidence,),) = operator.memory.batches[shipment_ref().shard]
    assert (evidence.outcome, evidence.cause) == ("requested", "operator")
    assert "Shipments S-1001 to be erased by the next purge: due at 2026-08-25 10:15Z" in answer.said
    assert "Requested as DSR-1 by rule delivery-erasure (§9)." in answer.said


def test_erase_says_what_becomes_of_each_record(operator: Operator) -> None:
    """One that is held, one that is not there, one that has nothing left: before the answers come."""
    operator.now += timedelta(microseconds=1)  # the request is due at the next whole second
    operator.memory.items[shipment_ref("S-2")] = shipment("S-2", contact_number=None, email=None, name=None)
    facts = operator.controls().known(shipment_ref())
    operator.memory.facts[shipment_ref()] = facts.held(Hold("lost", "C-1", "staff-1", NOW, NOW + 9 * DAY))
    answer = operator.types(*ERASE[:3], "S-2", "S-3", "S-2", *ERASE[3:], "--json")
    assert answer.json == {
        "request_id": "DSR-1",
        "rule": "delivery-erasure",
        "records": [
            {"table": "Shipments", "key": {"shipment_id": number}, "becomes": becomes}
            for number, becomes in (
                ("S-1001", "held until 2026-09-03 10:15Z"),
                ("S-2", "nothing to erase: its fields are gone"),
                ("S-3", "there is no such record"),
            )
        ],
    }
    assert len(operator.memory.timers) == 3


def test_erase_says_of_a_known_id_that_it_has_its_answer(operator: Operator) -> None:
    """An id is answered once: to ask again takes another. One that is open may be repeated."""
    operator.types(*ERASE)
    assert "to be erased by the next purge" in operator.types(*ERASE).said
    facts = operator.memory.facts
    facts[shipment_ref()] = facts[shipment_ref()].answered(["DSR-1"], NOW, "erased")
    shown = operator.types(*ERASE).said
    assert "nothing new: DSR-1 was answered erased at 2026-08-25 10:15Z" in shown
    assert "to be erased" not in shown


def test_erase_refuses_a_table_without_a_request_rule() -> None:
    """Nothing is begun, and the tables that have one are named."""
    operator = Operator(policy=policy(delivery_rule()))
    answer = operator.types(*ERASE)
    assert answer.code == 1
    assert answer.err == (
        "lapse: The policy erases nothing of this table on request.\nTables that have a rule: none.\n"
    )
    assert not operator.memory.facts
    assert not operator.memory.news


def test_erase_names_an_unknown_table_as_such(operator: Operator) -> None:
    """And not as one that has no request rule."""
    answer = operator.types("erase", "canary", *ERASE[2:])
    assert (answer.code, answer.err) == (
        1,
        "lapse: The policy has no such table.\nIt has Contacts, Shipments.\n",
    )


def test_erase_takes_a_hundred_records_at_once(operator: Operator) -> None:
    """As the event does, and no more."""
    numbers = [f"S-{n}" for n in range(101)]
    answer = operator.types(*ERASE[:2], *numbers, *ERASE[3:])
    assert (answer.code, answer.err) == (1, "lapse: KEY: more than 100 records.\nMake several requests.\n")
    assert not operator.memory.facts
    assert operator.types(*ERASE[:2], *numbers[1:], *ERASE[3:]).code == 0
    assert len(operator.memory.facts) == 100


@pytest.mark.parametrize(("typed", "code", "asked"), [("y\n", 0, 1), ("n\n", 1, 0), ("", 1, 0)])
def test_erase_asks_first(operator: Operator, typed: str, code: int, asked: int) -> None:
    """It names the fields and the records; what is not confirmed is not begun."""
    answer = operator.types(*ERASE[:-1], answers=typed, columns=200)
    assert (answer.code, len(operator.memory.facts)) == (code, asked)
    question = "Erase contact_number, email, name, company of Shipments S-1001, by rule delivery-erasure?"
    assert question in answer.err
    assert ("Nothing was requested." in answer.err) is (code == 1)


def test_erase_asks_no_program(operator: Operator) -> None:
    """Without --yes it does nothing, and says so."""
    answer = operator.types(*ERASE[:-1], "--json", answers="y\n")
    assert (answer.code, answer.json["error"], len(operator.memory.facts)) == (1, "Nothing was requested.", 0)
    assert operator.types(*ERASE[:-1], "--csv", answers="y\n").code == 1


def test_what_a_script_is_given_to_read_is_no_answer(operator: Operator) -> None:
    """In a loop it is the next record's key. Nothing is begun without a terminal and without --yes."""
    answer = operator.types(*ERASE[:-1], columns=200)
    assert (answer.code, len(operator.memory.facts)) == (1, 0)
    assert "There is no terminal to ask at: no." in answer.err
    assert answer.err.endswith("Nothing was requested.\nConfirm it at a terminal, or give --yes.\n")


def test_a_question_about_many_names_the_first(operator: Operator) -> None:
    """Ten are enough to see what was typed."""
    numbers = [f"S-{n}" for n in range(12)]
    asked = " ".join(operator.types(*ERASE[:2], *numbers, *ERASE[3:-1]).err.split())
    assert "Shipments S-9 and 2 more, by rule delivery-erasure? This cannot be undone." in asked
    assert "S-10" not in asked


@pytest.mark.parametrize("option", ["--request", "--approved-by"])
def test_ids_are_references(operator: Operator, option: str) -> None:
    """The error names the option and not the value."""
    words = list(ERASE)
    words[words.index(option) + 1] = "canary@example.org"
    answer = operator.types(*words, columns=200)
    assert (answer.code, f"'{option}': must be letters" in answer.err, "canary" in answer.err) == (
        2,
        True,
        False,
    )


def test_requests_lists_what_is_open_oldest_first(operator: Operator) -> None:
    """With what is left of the month; late ones say so. Answered ones only with --all."""
    operator.memory.items[contact_ref()] = contact()
    operator.types("erase", "Contacts", "C-7", "--request", "DSR-9", "--approved-by", "dpo-2", "--yes")
    operator.now += 2 * DAY
    operator.types(*ERASE)
    facts = operator.memory.facts
    facts[contact_ref()] = facts[contact_ref()].answered(["DSR-9"], operator.now, "erased")
    operator.now += timedelta(hours=1)
    operator.types("erase", "Contacts", "C-2", "--request", "DSR-0", "--approved-by", "dpo-1", "--yes")
    operator.now += timedelta(days=29)
    open_requests = operator.types("requests").out
    title, _, first, second, count = open_requests.splitlines()
    titles = "Request Record Requested Approved by Answer by Left or answered"
    assert " ".join(title.split()) == titles
    wanted = "DSR-1 Shipments S-1001 2026-08-27 10:15Z dpo-1 2026-09-26 10:15Z 23 h"
    assert " ".join(first.split()) == wanted
    assert (second.split()[0], count) == ("DSR-0", "2 requests.")
    operator.now += 3 * DAY
    assert "2 d late" in operator.types("requests").out
    every = operator.types("requests", "--all").out
    assert [line.split()[0] for line in every.splitlines()[2:]] == ["DSR-1", "DSR-0", "DSR-9", "3"]
    assert "erased 2026-08-27 10:15Z" in every.splitlines()[4]
    answered = operator.types("requests", "--all", "--json").json["requests"][2]
    assert (answered["answer"], answered["days_left"]) == ("erased", None)


def test_requests_for_programs(operator: Operator) -> None:
    """Days left are whole days, and negative once it is late."""
    operator.types(*ERASE)
    operator.now += timedelta(days=30, seconds=1)
    (found,) = operator.types("requests", "--json").json["requests"]
    assert found == {
        "table": "Shipments",
        "key": {"shipment_id": "S-1001"},
        "request_id": "DSR-1",
        "requested_at": "2026-08-25T10:15:00Z",
        "approved_by": "dpo-1",
        "answer_by": "2026-09-24T10:15:00Z",
        "days_left": -1,
        "answered_at": None,
        "answer": None,
    }
    operator.memory.facts.clear()
    assert operator.types("requests").out == "0 requests.\n"
