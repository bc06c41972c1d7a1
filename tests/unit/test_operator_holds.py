"""`lapse hold`, `release` and `holds`, as an operator types them."""

from datetime import UTC, datetime, timedelta

import pytest

from lapse.controls import Controls
from shared.facts import Hold
from tests.builders import NOW, contact, contact_ref, policy, rules_from, shipment, shipment_ref, to_wire_text
from tests.operators import Operator

HOLD = ("hold", "Shipments", "S-1001", "--case", "CASE-1", "--reason", "damaged", "--by", "staff-7")
RELEASE = ("release", "Shipments", "S-1001", "--case", "CASE-1", "--by", "staff-8")
DAY = timedelta(days=1)


@pytest.fixture
def operator() -> Operator:
    """In front of a shipment that is long due."""
    operator = Operator()
    operator.memory.items[shipment_ref()] = shipment()
    return operator


def hold_of(operator: Operator, case: str = "CASE-1") -> Hold:
    return operator.memory.facts[shipment_ref()].holds[case]


def test_a_hold_stands_in_facts_and_on_the_record(operator: Operator) -> None:
    """It is placed from now on, by the operator, with evidence of through whom."""
    answer = operator.types(*HOLD, "--until", "P30D")
    assert (answer.code, answer.out) == (
        0,
        "Held: Shipments S-1001, case CASE-1, until 2026-09-24 10:15Z.\n",
    )
    assert hold_of(operator) == Hold("damaged", "CASE-1", "staff-7", NOW, NOW + 30 * DAY)
    assert operator.memory.items[shipment_ref()]["legal_hold"]["M"]["until"] == {"S": "2026-09-24T10:15:00Z"}
    ((evidence,),) = operator.memory.batches[shipment_ref().shard]
    assert (evidence.outcome, evidence.cause) == ("hold_placed", "operator")


def test_a_hold_for_programs(operator: Operator) -> None:
    """With --json there is one object, with instants in RFC 3339."""
    assert operator.types(*HOLD, "--until", "P30D", "--json").json == {
        "table": "Shipments",
        "key": {"shipment_id": "S-1001"},
        "held": "placed",
        "record_exists": True,
        "case_ref": "CASE-1",
        "reason_code": "damaged",
        "opened_by": "staff-7",
        "since": "2026-08-25T10:15:00Z",
        "until": "2026-09-24T10:15:00Z",
        "in_force": True,
        "days_left": 30,
        "closed_by": None,
        "closed_at": None,
    }


@pytest.mark.parametrize(
    ("until", "instant"),
    [
        ("2026-09-01T12:00:00+02:00", datetime(2026, 9, 1, 10, tzinfo=UTC)),
        ("2026-12-01", datetime(2026, 12, 2, tzinfo=UTC)),
        ("2026-09-01", datetime(2026, 9, 1, 23, tzinfo=UTC)),  # summer time in London
        ("P1DT2H", NOW + timedelta(hours=26)),
    ],
)
def test_an_end_is_an_instant_a_local_day_or_a_period(
    operator: Operator, until: str, instant: datetime
) -> None:
    """A day counts to its end, in the policy's zone."""
    assert operator.types(*HOLD, "--until", until).code == 0
    assert hold_of(operator).until == instant


def test_the_same_case_again_moves_its_end(operator: Operator) -> None:
    """Further away, or nearer: an operator's word is the last one."""
    for period in ("P30D", "P60D", "P10D"):
        assert operator.types(*HOLD, "--until", period).code == 0
        assert hold_of(operator).until == operator.now + timedelta(days=int(period[1:-1]))


def test_an_operator_has_the_last_word_also_over_a_fast_clock(operator: Operator) -> None:
    """What was told as of some hours ahead neither outlives a release nor keeps a case closed."""
    ahead = NOW + timedelta(hours=20)
    facts = operator.controls().known(shipment_ref())
    operator.memory.facts[shipment_ref()] = facts.held(
        Hold("lost", "CASE-1", "staff-1", ahead, NOW + 90 * DAY)
    )
    assert operator.types(*RELEASE).code == 0
    assert hold_of(operator).is_closed
    assert operator.types(*HOLD, "--until", "P5D").code == 0
    assert (hold_of(operator).is_closed, hold_of(operator).until) == (False, NOW + 5 * DAY)


def test_a_hold_that_comes_too_late_says_so(operator: Operator) -> None:
    """Nothing that it would keep is there any more: it is refused, and the command ends with 1."""
    operator.memory.items[shipment_ref()] = shipment(contact_number=None, email=None)
    answer = operator.types(*HOLD, "--until", "P30D")
    assert (answer.code, answer.out) == (
        1,
        "Not held: the personal fields of Shipments S-1001 are gone already.\n",
    )
    assert operator.types(*HOLD, "--until", "P30D", "--json").json["held"] == "too_late"
    assert shipment_ref() not in operator.memory.facts


def test_a_hold_on_a_record_that_is_not_there_says_so(operator: Operator) -> None:
    """It may come later, or have been mistyped."""
    answer = operator.types("hold", "Shipments", "S-9", *HOLD[3:], "--until", "P30D", columns=200)
    assert answer.code == 0
    assert answer.out.startswith("There is no such record; if it comes, it is held. Held: Shipments S-9, ")
    assert (
        operator.types("hold", "Shipments", "S-9", *HOLD[3:], "--until", "P30D", "--json").json[
            "record_exists"
        ]
        is False
    )


def test_what_the_policy_does_not_permit_is_refused_by_the_options_name(operator: Operator) -> None:
    """The error names the option, lists the reason codes, and nothing was written."""
    wrong_reason = [word if word != "damaged" else "canary-rain" for word in HOLD]
    answer = operator.types(*wrong_reason, "--until", "P30D")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("lapse: --reason: is none of chargeback, complaint, courier_dispute, ")
    for until, problem in (
        ("P366D", "--until: is further from the hold's beginning than the policy's max_hold."),
        ("2026-08-25T10:15:00Z", "--until: must be after the hold begins."),
    ):
        answer = operator.types(*HOLD, "--until", until)
        assert (answer.code, answer.err) == (1, f"lapse: {problem}\n")
    assert not operator.memory.facts


def test_a_release_times_the_record_at_once(operator: Operator) -> None:
    """The hold is closed with evidence, and its mark goes."""
    operator.types(*HOLD, "--until", "P30D")
    operator.memory.timers.clear()
    operator.now += DAY
    answer = operator.types(*RELEASE)
    assert (answer.code, answer.out) == (0, "Released: Shipments S-1001, case CASE-1.\n")
    assert (hold_of(operator).closed_by, hold_of(operator).closed_at) == ("staff-8", operator.now)
    assert "legal_hold" not in operator.memory.items[shipment_ref()]
    assert [timer.rule for timer in operator.memory.timers.values()] == ["delivery-contact"]


def test_a_release_says_what_still_holds_the_record(operator: Operator) -> None:
    """Several cases hold a record until the last is closed."""
    operator.types(*HOLD, "--until", "P30D")
    operator.types(*[word if word != "CASE-1" else "CASE-2" for word in HOLD], "--until", "P40D")
    assert "It is still held by CASE-2." in operator.types(*RELEASE).out
    assert operator.types(*RELEASE, "--json").json == {
        "table": "Shipments",
        "key": {"shipment_id": "S-1001"},
        "case_ref": "CASE-1",
        "released": False,
        "still_held_by": ["CASE-2"],
        "still_marked": False,
    }


@pytest.mark.parametrize(
    ("until", "holds"),
    [
        ({"S": to_wire_text(NOW + 40 * DAY)}, True),
        ({"S": "soon"}, True),
        ({"S": to_wire_text(NOW - DAY)}, False),
    ],
    ids=["later", "unreadable", "lapsed"],
)
def test_a_release_says_that_the_business_system_holds_the_record(
    operator: Operator, until: dict[str, str], *, holds: bool
) -> None:
    """By a mark of its own, which no release takes away."""
    operator.types(*HOLD, "--until", "P30D")
    operator.memory.items[shipment_ref()]["legal_hold"] = {"M": {"until": until}}
    answer = operator.types(*RELEASE)
    assert ("A mark of the business system's own still holds it." in answer.out) is holds
    assert operator.types(*RELEASE, "--json").json["still_marked"] is holds


def test_a_release_twice_changes_nothing_but_the_timers(operator: Operator) -> None:
    """The first one may have died before it set them."""
    operator.types(*HOLD, "--until", "P30D")
    operator.types(*RELEASE)
    known = operator.memory.facts[shipment_ref()]
    operator.memory.timers.clear()
    operator.now += DAY
    answer = operator.types(*RELEASE)
    assert (answer.code, answer.out) == (0, "Case CASE-1 was closed already.\n")
    assert operator.memory.facts[shipment_ref()] == known
    assert operator.memory.timers


def test_a_case_that_is_not_there_is_not_released(operator: Operator) -> None:
    """A mistyped case must not look released: the error names those that there are."""
    operator.types(*HOLD, "--until", "P30D")
    before = operator.memory.facts[shipment_ref()]
    answer = operator.types(*[word if word != "CASE-1" else "CASE-11" for word in RELEASE])
    assert answer.code == 1
    assert answer.err == "lapse: --case: the record has no such case.\nIts cases: CASE-1.\n"
    assert operator.memory.facts[shipment_ref()] == before
    assert "Its cases: none." in operator.types("release", "Shipments", "S-9", *RELEASE[3:]).err


def test_holds_lists_those_in_force_first_ending_first(operator: Operator) -> None:
    """Of all records, in all pages; closed and lapsed ones are left out."""
    operator.memory.items[contact_ref()] = contact()
    operator.types(*HOLD, "--until", "P14D")
    operator.types("hold", "Contacts", "C-7", *HOLD[3:], "--until", "P30D")
    operator.types("hold", "Shipments", "S-2", *HOLD[3:], "--until", "P1D")
    operator.types("hold", "Shipments", "S-3", *HOLD[3:], "--until", "P5D")
    operator.types("release", "Shipments", "S-3", *RELEASE[3:])
    operator.now += DAY
    answer = operator.types("holds")
    title, _, first, second, count = answer.out.splitlines()
    assert title.split() == ["Record", "Case", "Reason", "Opened", "by", "Since", "Until", "Left"]
    wanted = "Shipments S-1001 CASE-1 damaged staff-7 2026-08-25 10:15Z 2026-09-08 10:15Z 13 d"
    assert " ".join(first.split()) == wanted
    assert second.split()[:2] == ["Contacts", "C-7"]
    assert count == "2 holds."


def test_holds_of_a_large_table_are_all_found(operator: Operator) -> None:
    """In all segments, and page by page."""
    for number in range(9):
        operator.types("hold", "Shipments", f"S-{number}", *HOLD[3:], "--until", "P30D")
    assert operator.types("holds").out.splitlines()[-1] == "9 holds."


def test_holds_that_expire_soon(operator: Operator) -> None:
    """Those that end within 14 days, to the instant; those whose end cannot be read are never left out."""
    for shipment_id, days in (("S-1", 14), ("S-2", 15)):
        operator.types("hold", "Shipments", shipment_id, *HOLD[3:], "--until", f"P{days}D")
    unreadable = Hold("damaged", "CASE-3", "staff-1", NOW, None)
    operator.memory.facts[shipment_ref("S-3")] = (
        operator.controls().known(shipment_ref("S-3")).held(unreadable)
    )
    found = operator.types("holds", "--expiring", "--json").json["holds"]
    assert {(each["key"]["shipment_id"], each["days_left"]) for each in found} == {("S-1", 14), ("S-3", None)}
    assert len(operator.types("holds", "--json").json["holds"]) == 3


def test_no_holds_is_said_in_one_line(operator: Operator) -> None:
    """And rows that cannot be read are not kept quiet about: one may be a hold."""
    assert operator.types("holds").out == "0 holds.\n"
    operator.memory.facts[shipment_ref("S-3")] = operator.controls().known(shipment_ref("S-3"))
    operator.facts.unreadable = 2
    assert operator.types("holds").out == "0 holds.\n2 rows of Facts cannot be read.\n"
    assert operator.types("holds", "--json").json == {"holds": [], "unreadable": 2}


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_narrow_terminal_cuts_nothing_off(operator: Operator, columns: int) -> None:
    """Long names are wrapped, and what looks like markup is none."""
    case = "[bold]" + "x" * 30 + "y" * 28
    known = operator.controls().known(shipment_ref())
    operator.memory.facts[shipment_ref()] = known.held(Hold("damaged", case, "staff-7", NOW, NOW + DAY))
    shown = operator.types("holds", columns=columns).out
    assert (shown.count("x"), shown.count("y")) == (30, 28 + len("by"[1:]))
    assert "[bold]" in shown
    assert max(map(len, shown.splitlines())) <= columns


ORDERS = rules_from(
    """
    [[rules]]
    id = "o"
    clause = "1"
    table = "Orders"
    key = { pk = "ORDER#{shipment_id}", sk = { N = "{no}" } }
    trigger = "shipment"
    anchor = { attribute = "shipped_at", fact = "shipped" }
    anchor_format = "rfc3339"
    anchor_merge = "latest"
    retain = "P90D"
    counting = "elapsed"
    erase = ["email"]
    mode = "enforce"
    """
)


def test_a_key_of_two_parts_is_named_part_by_part() -> None:
    """In any order, typed as the policy has it; and shown so."""
    operator = Operator(policy=ORDERS)
    words = ("hold", "Orders", "sk=07", "pk=ORDER#a=b", *HOLD[3:], "--until", "P1D")
    answer = operator.types(*words)
    ((record, _),) = operator.memory.facts.items()
    assert record.key == {"pk": {"S": "ORDER#a=b"}, "sk": {"N": "7"}}
    assert "Held: Orders pk=ORDER#a=b sk=7," in answer.said


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (["canary-1"], "lapse: KEY: must be written as pk=… sk=….\n"),
        (["pk=canary-1"], "lapse: KEY: must name exactly pk, sk.\n"),
        (["pk=canary-1", "sk=canary-x"], "lapse: KEY sk: is not a number that a key can hold.\n"),
        (
            ["pk=1", "sk=1", "pk=2", "sk=2"],
            "lapse: KEY: names more than one record.\nGive the key of one record.\n",
        ),
    ],
)
def test_a_key_that_is_none_is_refused(key: list[str], problem: str) -> None:
    """The error says how it is written, and repeats nothing of it."""
    answer = Operator(policy=ORDERS).types("hold", "Orders", *key, *HOLD[3:], "--until", "P1D")
    assert (answer.code, answer.out, answer.err) == (1, "", problem)


def test_a_key_may_be_written_with_its_name(operator: Operator) -> None:
    """Also where the name would go without saying; a value with an `=` of its own stays whole."""
    for word, value in (("shipment_id=S-5", "S-5"), ("1=b", "1=b"), ("shipment_id=a=b", "a=b")):
        operator.memory.facts.clear()
        operator.types("hold", "Shipments", word, *HOLD[3:], "--until", "P1D")
        assert list(operator.memory.facts) == [shipment_ref(value)]


def test_a_misspelt_name_holds_nothing(operator: Operator) -> None:
    """Or the hold would be of a record that does not exist, and the real one would stay without."""
    answer = operator.types("hold", "Shipments", "order_id=S-5", *HOLD[3:], "--until", "P1D")
    assert (answer.code, answer.err) == (1, "lapse: KEY: must be written as shipment_id=….\n")
    assert not operator.memory.facts


def test_an_unknown_table_is_refused_with_the_known_ones() -> None:
    """Sorted, each once."""
    answer = Operator(policy=policy()).types("hold", "canary", "1", *HOLD[3:], "--until", "P1D")
    assert answer.code == 1
    assert answer.err == "lapse: The policy has no such table.\nIt has Contacts, Shipments.\n"


@pytest.mark.parametrize("option", ["--case", "--reason", "--by"])
@pytest.mark.parametrize("value", ["canary jo", "canary@example.org", "", "c" * 65])
def test_a_reference_must_be_one(operator: Operator, option: str, value: str) -> None:
    """By the contract's pattern: the error names the option and not the value, before anything is called."""

    def nowhere() -> Controls:
        raise AssertionError

    words = [*HOLD, "--until", "P1D"]
    words[words.index(option) + 1] = value
    answer = operator.types(*words, columns=200, connect=nowhere)
    assert answer.code == 2
    assert f"'{option}': must be letters, digits and ._:/#+- only, 64 at most" in answer.err
    assert "canary" not in answer.err


@pytest.mark.parametrize("value", ["canary", "2026-13-01", "2026-08-25T10:15:00", "P3M", "P0D", "Pcanary"])
def test_an_end_must_be_one(operator: Operator, value: str) -> None:
    """The error names the option and not the value."""
    answer = operator.types(*HOLD, "--until", value, columns=200)
    assert (answer.code, "'--until': " in answer.err, "canary" in answer.err) == (2, True, False)
    assert "Unexpected" not in answer.err
