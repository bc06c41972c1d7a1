"""`lapse explain`, as an operator types it."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.evidence import FORMAT, Entry, Outcome
from shared.facts import Closing, FactKind, Facts, Hold, Request
from shared.failure import CallFailedError
from shared.key_template import KeyTemplate
from shared.pausing import Pause
from shared.policy import Counting, Mode
from shared.record import Path, RecordRef
from shared.retention import wake_up_minute
from shared.timer import Timer
from tests.builders import (
    LONG_AGO,
    NOW,
    contact,
    contact_ref,
    delivery_rule,
    policy,
    shipment,
    shipment_ref,
    to_wire_text,
)
from tests.memory import MemoryTables, MemoryWakeUps
from tests.operators import Operator

DAY = timedelta(days=1)
EXPLAIN = ("explain", "Shipments", "S-1001")


@pytest.fixture
def operator() -> Operator:
    """In front of a shipment that is long due."""
    operator = Operator()
    operator.memory.items[shipment_ref()] = shipment()
    return operator


@dataclass
class Watched(MemoryTables):
    """Business tables that know what they were asked for."""

    asked: set[Path] = field(default_factory=set)

    def look(self, records: Collection[RecordRef], paths: Collection[Path]) -> Mapping[RecordRef, Any]:
        self.asked |= set(paths)
        return super().look(records, paths)


def due_by_the_clock(operator: Operator) -> dict[str, object]:
    """What the answer says of the first rule."""
    rule: dict[str, object] = operator.types(*EXPLAIN, "--json").json["rules"][0]
    return rule


def shown_of(operator: Operator, rule: str = "delivery-contact") -> str:
    """The line of a rule."""
    lines = operator.types(*EXPLAIN, columns=200).out.splitlines()
    return " ".join(next(line for line in lines if line.startswith(rule)).split())


def test_a_due_record_is_explained_by_its_rules(operator: Operator) -> None:
    """The anchor, when it is due, whether the fields are there, and what the purge will do."""
    assert due_by_the_clock(operator) == {
        "rule": "delivery-contact",
        "clause": "2.2.1",
        "mode": "enforce",
        "fields": [["contact_number"], ["email"]],
        "anchor": "2026-05-17T10:15:00Z",
        "due": "2026-08-15T10:15:00Z",
        "has_fields": True,
        "decision": "erase",
        "why": None,
        "until": None,
    }
    shown = "delivery-contact §2.2.1 2026-05-17 10:15Z 2026-08-15 10:15Z there"
    due = ": due at 2026-08-15 10:15Z"
    missing = "to be erased once a sweep sets its timer, for none stands"
    assert shown_of(operator) == f"{shown} {missing}{due}"
    operator.controls().timers.put([Timer(shipment_ref(), "delivery-contact", NOW, NOW)])
    assert shown_of(operator) == f"{shown} to be erased by the next purge{due}"
    assert shown_of(operator, "delivery-erasure").endswith("- - there nobody asked for it")


@pytest.mark.parametrize(
    ("changes", "decision", "why", "words"),
    [
        ({"contact_number": None, "email": None}, "erase", None, "nothing to erase: its fields are gone"),
        (
            {"shipped_at": {"S": "2026-08-24T10:15:00Z"}},
            "wait",
            "not_due",
            "to be erased at 2026-11-22 10:15Z, 89 d left; no timer stands yet: a sweep sets one in time",
        ),
        ({"drop_ship": {"BOOL": False}}, "drop", "no_match", "not about this record: it does not match"),
        ({"shipped_at": None}, "drop", "no_anchor", "no clock runs: nothing says when it began"),
        ({"shipped_at": {"S": "canary-x"}}, "drop", "implausible", "never: the anchor cannot be right"),
        (
            {"legal_hold": {"M": {"until": {"S": "2026-09-01T00:00:00Z"}}}},
            "wait",
            "held",
            "held until 2026-09-01 00:00Z",
        ),
        (
            {
                "shipped_at": {"S": "2026-08-24T10:15:00Z"},
                "legal_hold": {"M": {"until": {"S": "2026-12-24T00:00:00Z"}}},
            },
            "wait",
            "held",
            "held until 2026-12-24 00:00Z; no timer stands yet",
        ),
        (
            {
                "shipped_at": {"S": "2026-08-24T10:15:00Z"},
                "legal_hold": {"M": {"until": {"S": "2026-09-24T00:00:00Z"}}},
            },
            "wait",
            "not_due",
            "to be erased at 2026-11-22 10:15Z, 89 d left; no timer stands yet: a sweep sets one in time",
        ),
    ],
)
def test_each_decision_is_put_into_words(
    operator: Operator, changes: dict[str, object], decision: str, why: str | None, words: str
) -> None:
    """As the purge would decide; never by the value of an attribute."""
    operator.memory.items[shipment_ref()] = shipment(**changes)  # type: ignore[arg-type]
    rule = due_by_the_clock(operator)
    assert (rule["decision"], rule["why"]) == (decision, why)
    assert words in shown_of(operator)
    assert "canary" not in operator.types(*EXPLAIN).said


@pytest.mark.parametrize(
    ("shipped_at", "words"),
    [
        (LONG_AGO, "due, but the rule only observes"),
        (NOW, "would be erased at 2026-11-23 10:15Z"),
    ],
)
def test_a_rule_that_only_observes_erases_nothing(shipped_at: datetime, words: str) -> None:
    """And says so."""
    operator = Operator(policy=policy(delivery_rule(mode=Mode.OBSERVE)))
    operator.memory.items[shipment_ref()] = shipment(shipped_at={"S": to_wire_text(shipped_at)})
    assert words in shown_of(operator)


def test_the_anchor_is_not_the_due_instant_of_a_calendar(operator: Operator) -> None:
    """Also where days are counted by the calendar, the clock began when it did."""
    operator.policy = policy(delivery_rule(counting=Counting.CALENDAR_DAYS))
    rule = due_by_the_clock(operator)
    assert (rule["anchor"], rule["due"]) == ("2026-05-17T10:15:00Z", "2026-08-15T23:00:00Z")


def test_a_cancelled_clock_and_what_was_told() -> None:
    """Every instant in full, as `lapse correct` wants it; what was taken back apart."""
    operator = Operator()
    operator.memory.items[contact_ref()] = contact()
    gone, back, wrong = NOW - 9 * DAY, NOW - 2 * DAY + timedelta(microseconds=1), NOW - 8 * DAY
    operator.memory.facts[contact_ref()] = (
        Facts(1).told(FactKind.LEFT, gone).told(FactKind.LEFT, wrong).told(FactKind.RETURNED, back)
    ).corrected(FactKind.LEFT, wrong, None)
    answer = operator.types("explain", "Contacts", "C-7", columns=200)
    assert "Told: left 2026-08-16T10:15:00Z" in answer.out
    assert "Told: returned 2026-08-23T10:15:00.000001Z" in answer.out
    assert "Taken back: left 2026-08-17T10:15:00Z" in answer.out
    assert "the clock was stopped" in answer.out
    data = operator.types("explain", "Contacts", "C-7", "--json").json
    assert data["facts"] == {
        "left": ["2026-08-16T10:15:00Z"],
        "returned": ["2026-08-23T10:15:00.000001Z"],
    }
    assert data["withdrawn"] == {"left": ["2026-08-17T10:15:00Z"]}
    facts = operator.memory.facts[contact_ref()]
    operator.memory.facts[contact_ref()] = facts.corrected(FactKind.LEFT, gone, None)
    assert "Told: left" not in operator.types("explain", "Contacts", "C-7").out
    assert "left" not in operator.types("explain", "Contacts", "C-7", "--json").json["facts"]


def test_holds_and_requests_of_the_record(operator: Operator) -> None:
    """Also those that are over: each with how it stands."""
    standing = Hold("lost", "C-1", "staff-1", NOW - DAY, NOW + DAY)
    lapsed, closed = replace(standing, case_ref="C-2", until=NOW), replace(standing, case_ref="C-3")
    answered = Request("DSR-1", NOW - DAY, "dpo-1", NOW, "erased")
    facts = Facts(1).held(standing).held(lapsed).held(closed).released(Closing("C-3", "staff-2", NOW))
    operator.memory.facts[shipment_ref()] = facts.requested(answered).requested(
        Request("DSR-2", NOW, "dpo-2")
    )
    out = operator.types(*EXPLAIN, columns=200).out
    lines = {line.split()[0]: " ".join(line.split()) for line in out.splitlines() if line.strip()}
    assert lines["C-1"] == "C-1 lost staff-1 2026-08-24 10:15Z 2026-08-26 10:15Z in force, 1 d left"
    assert lines["C-2"].endswith("lapsed")
    assert lines["C-3"].endswith("closed 2026-08-25 10:15Z by staff-2")
    assert lines["DSR-1"] == "DSR-1 2026-08-24 10:15Z dpo-1 erased 2026-08-25 10:15Z"
    assert lines["DSR-2"].endswith("dpo-2 open")
    data = operator.types(*EXPLAIN, "--json").json
    stand = [(hold["in_force"], hold["days_left"]) for hold in data["holds"]]
    assert stand == [(True, 1), (False, None), (False, None)]
    assert [request["answer"] for request in data["requests"]] == ["erased", None]


def test_a_hold_mark_says_whose_it_is(operator: Operator) -> None:
    """Lapse's own, or the business system's, with its end if that can be read."""
    for mark, words in (
        (
            {"M": {"by": {"S": "lapse"}, "until": {"S": "2026-09-01T00:00:00Z"}}},
            "by lapse, until 2026-09-01 00:00Z.",
        ),
        ({"M": {"until": {"S": "canary"}}}, "by the business system, without an end that can be read."),
        ({"BOOL": True}, "by the business system, without an end that can be read."),
    ):
        operator.memory.items[shipment_ref()] = shipment(legal_hold=mark)
        assert f"It bears a hold mark {words}" in operator.types(*EXPLAIN).out
    operator.memory.items[shipment_ref()] = shipment(legal_hold={"NULL": True})
    assert operator.types(*EXPLAIN, "--json").json["hold_mark"] is None


def test_a_pause_is_said(operator: Operator) -> None:
    """Nothing is erased meanwhile, whatever the rules say; a pause that is over is not said."""
    operator.memory.pause = Pause("staff-1", "check", NOW, NOW + DAY)
    assert "Lapse is paused until 2026-08-26 10:15Z: nothing is erased." in operator.types(*EXPLAIN).out
    operator.memory.pause = Pause("staff-1", "check", NOW - DAY, NOW)
    assert "paused" not in operator.types(*EXPLAIN).out
    assert operator.types(*EXPLAIN, "--json").json["paused_until"] is None


def test_the_evidence_of_this_record_alone(operator: Operator) -> None:
    """With its place in the ledger."""
    other = next(
        shipment_ref(f"S-{n}") for n in range(99) if shipment_ref(f"S-{n}").shard == shipment_ref().shard
    )
    told = operator.controls().telling(NOW)
    operator.memory.batches[shipment_ref().shard] = [
        [told.entry(Outcome.HOLD_PLACED, other, case_ref="C-9")],
        [
            Entry(
                outcome=Outcome.ERASED,
                at=NOW,
                cause="wake-up",
                policy="digest",
                record=shipment_ref().text,
                rule="delivery-contact",
                clause="2.2.1",
                due=NOW - DAY,
                fields=(("email",), ("delivery", "phone")),
            ),
            told.entry(Outcome.HOLD_REFUSED, shipment_ref(), "too_late", case_ref="C-1"),
        ],
    ]
    *_, first, second, _ = operator.types(*EXPLAIN, columns=200).out.splitlines()
    place = f"{shipment_ref().shard:02}/2"
    assert " ".join(first.split()) == (
        f"2026-08-25 10:15Z erased delivery-contact email, delivery.phone {place}"
    )
    assert " ".join(second.split()) == f"2026-08-25 10:15Z hold refused too late case ref C-1 {place}"
    evidence = operator.types(*EXPLAIN, "--json").json["evidence"]
    assert [(each["batch"], each["entry"], each["outcome"]) for each in evidence] == [
        (2, 0, "erased"),
        (2, 1, "hold_refused"),
    ]


def test_the_timers_of_this_record_and_what_wakes_the_purge(operator: Operator) -> None:
    """Each with its instants; a wake-up that must not be looked at is not known, and no more."""
    soon, over = NOW + DAY, NOW - DAY
    timers = [
        Timer(shipment_ref(), "delivery-contact", at, due, 2) for at, due in ((soon, over), (over, over))
    ]
    operator.controls().timers.put([*timers, Timer(shipment_ref("S-2"), "delivery-contact", soon, soon)])
    minute = wake_up_minute(soon, NOW)
    gone = operator.types(*EXPLAIN, "--json").json["timers"]
    operator.controls().wake_ups.ensure(minute)
    there = operator.types(*EXPLAIN, "--json").json["timers"]
    assert [(each["at"], each["wake_up_stands"]) for each in there] == [
        ("2026-08-24T10:15:00Z", None),
        ("2026-08-26T10:15:00Z", True),
    ]
    assert [each["wake_up_stands"] for each in gone] == [None, False]
    assert "the wake-up of 2026-08-26 10:16Z stands" in operator.types(*EXPLAIN, columns=200).said

    class Denied(MemoryWakeUps):
        def stands(self, minute: datetime) -> bool:
            raise CallFailedError("GetSchedule", "AccessDeniedException")

    denied = replace(operator.controls(), wake_ups=Denied(operator.memory))
    said = operator.types(*EXPLAIN, columns=200, connect=lambda: denied).said
    assert "2026-08-25 10:15Z" not in said
    assert "the wake-up of 2026-08-26 10:16Z is not known" in said


@pytest.mark.parametrize(
    ("shipped_at", "timed", "untimed"),
    [
        (
            LONG_AGO,
            "to be erased by the next purge: due at 2026-08-15 10:15Z",
            "to be erased once a sweep sets its timer, for none stands: due at 2026-08-15 10:15Z",
        ),
        (
            NOW - DAY,
            "to be erased at 2026-11-22 10:15Z, 89 d left",
            "to be erased at 2026-11-22 10:15Z, 89 d left; no timer stands yet: a sweep sets one in time",
        ),
    ],
)
def test_only_a_timer_that_looks_in_time_counts(
    operator: Operator, shipped_at: datetime, timed: str, untimed: str
) -> None:
    """One of this rule, or one that tries again after a failure; a later one is of an older anchor."""
    operator.memory.items[shipment_ref()] = shipment(shipped_at={"S": to_wire_text(shipped_at)})
    due = shipped_at + 90 * DAY
    in_time = Timer(shipment_ref(), "delivery-contact", due, due)
    for timer, words in (
        (None, untimed),
        (replace(in_time, rule="delivery-erasure"), untimed),
        (replace(in_time, at=max(due, NOW) + DAY), untimed),
        (replace(in_time, at=max(due, NOW) + DAY, attempts=1), timed),
        (in_time, timed),
    ):
        operator.memory.timers.clear()
        operator.controls().timers.put([timer] if timer else [])
        assert shown_of(operator).partition(" there ")[2] == words


def test_a_purge_that_comes_meanwhile_leaves_no_record_without_a_timer(operator: Operator) -> None:
    """It takes both: the timers are looked at first, or the record would seem to be forgotten."""
    operator.controls().timers.put([Timer(shipment_ref(), "delivery-contact", NOW - DAY, NOW - DAY)])

    class Purged(MemoryTables):
        def has_fields(self, record: RecordRef, paths: Collection[Path]) -> bool:
            self.memory.timers.clear()
            return super().has_fields(record, paths)

    purged = replace(operator.controls(), records=Purged(operator.memory))
    assert "none stands" not in operator.types(*EXPLAIN, columns=200, connect=lambda: purged).out


def test_no_personal_field_is_ever_shown(operator: Operator) -> None:
    """Not in words and not in JSON; nor is it asked for."""
    tables = Watched(operator.memory)
    connected = replace(operator.controls(), records=tables)
    for words in (EXPLAIN, (*EXPLAIN, "--json")):
        answer = operator.types(*words, connect=lambda: connected)
        assert answer.code == 0
        assert not [text for text in ("canary", "Jo Example", "Huddersfield") if text in answer.out]
    assert tables.asked == {("drop_ship",), ("shipped_at",), ("legal_hold",)}


def test_a_record_that_is_not_there_is_no_error(operator: Operator) -> None:
    """There may be evidence of it; here there is none, and that is said."""
    answer = operator.types("explain", "Shipments", "S-404")
    assert (answer.code, answer.err) == (0, "")
    first, *_, last = answer.out.splitlines()
    assert first == "Shipments S-404: there is no such record."
    assert "There is no evidence that names it." in answer.out.splitlines()
    days = operator.policy.names_retain.days
    assert last == f"Evidence older than {days} days names its record no more, and is not shown here."
    assert "No timer stands for it." in answer.out
    assert operator.types("explain", "Shipments", "S-404", "--json").json["exists"] is False


def test_a_record_that_no_rule_is_about_is_explained_all_the_same() -> None:
    """One table may hold records of several kinds; what was told of such a one, and its mark, are shown."""
    dispatched = delivery_rule(key={"shipment_id": KeyTemplate("S", "DISPATCHED#{shipment_id}")})
    operator = Operator(policy=policy(dispatched))
    mark = {"M": {"until": {"S": "2026-12-24T00:00:00Z"}}}
    operator.memory.items[shipment_ref()] = shipment(legal_hold=mark)
    operator.memory.facts[shipment_ref()] = Facts(1).held(
        Hold("damaged", "CASE-1", "staff-7", NOW, NOW + DAY)
    )
    answer = operator.types(*EXPLAIN)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(
        "Shipments S-1001: it is there.\nIt bears a hold mark by the business system"
    )
    assert "No rule is about a record of such a key." in answer.out
    assert "CASE-1" in answer.out
    assert operator.types(*EXPLAIN, "--json").json["rules"] == []


@pytest.mark.parametrize(
    "edited",
    [{}, {"at": None}, {"fields": 7}, {"outcome": ["erased"]}],
    ids=["gone", "at", "fields", "outcome"],
)
def test_edited_evidence_is_shown_as_such(operator: Operator, edited: dict[str, Any]) -> None:
    """Who asks what became of a record is told the rest all the same, and who finds the damage."""
    entry = Entry(outcome=Outcome.ERASED, at=NOW, cause="manual", policy="digest", record=shipment_ref().text)
    operator.ledger.append(shipment_ref().shard, [entry])
    (batch,) = operator.ledger.batches(shipment_ref().shard)
    (written,) = json.loads(batch["body"])["entries"]
    body = json.dumps({"v": FORMAT, "entries": [{**written, **edited} if edited else {"v": FORMAT}]})
    operator.ledger.forged[shipment_ref().shard] = [{**batch, "body": body}]
    answer = operator.types(*EXPLAIN, columns=200)
    assert (answer.code, answer.err) == (0, "")
    place = f"{batch['shard']}/{batch['seq']}"
    assert " ".join(answer.out.split()).count(f"- cannot be read: lapse ledger verify - - {place}") == 1
    assert operator.types(*EXPLAIN, "--csv").code == 0
