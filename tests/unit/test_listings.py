"""`--csv`, where lists are shown."""

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lapse.listing import Listing, key_cell, print_listing
from shared.facts import FactKind, Facts, Hold, Request
from shared.instants import to_text
from shared.record import RecordRef
from tests.builders import NOW, contact, contact_ref, shipment, shipment_ref
from tests.operators import Answer, Operator

DAY = timedelta(days=1)
SHIPPED = Path(__file__).parents[2] / "shared" / "policy.toml"


def rows_of(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.out)))


@pytest.fixture
def operator() -> Operator:
    """Who has a held shipment and an open request."""
    operator = Operator()
    operator.memory.items[shipment_ref()] = shipment()
    hold = Hold("damaged", "CASE-1", "staff-7", NOW, NOW + 30 * DAY)
    operator.memory.facts[shipment_ref()] = Facts().held(hold)
    asked = Request("R-1", NOW - 40 * DAY, "staff-3")
    operator.memory.facts[contact_ref()] = Facts(requests={"R-1": asked})
    return operator


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n"]
)
def test_no_cell_is_a_formula(start: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What a spreadsheet would take for one is text, also inside of lists; numbers stay numbers."""
    texts = {"a": f"{start}1+1", "b": -3, "c": "a=1", "d": [f"{start}1"]}
    print_listing(Listing(tuple("abcd"), [texts]))
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))
    assert (row["a"], row["b"], row["c"], row["d"][0]) == (f"'{start}1+1", "-3", "a=1", "[")


def test_cells_are_what_programs_read(capsys: pytest.CaptureFixture[str]) -> None:
    """Instants in RFC 3339, truth in lower case, nothing as nothing; a lacking value, too."""
    print_listing(Listing(("at", "is", "none", "lacks"), [{"at": NOW, "is": True, "none": None}]))
    assert capsys.readouterr().out == "at,is,none,lacks\n2026-08-25T10:15:00Z,true,,\n"


def test_a_key_can_be_typed_again() -> None:
    """In the form that commands take, quoted for the shell where it must be."""
    assert key_cell({"pk": "ORDER 1", "sk": "META"}) == "'pk=ORDER 1' sk=META"


def test_holds_as_a_list(operator: Operator) -> None:
    """One row for each hold, and a header; also where there is none."""
    (row,) = rows_of(operator.types("holds", "--csv"))
    assert row == {
        "table": "Shipments",
        "key": "shipment_id=S-1001",
        "case_ref": "CASE-1",
        "reason_code": "damaged",
        "opened_by": "staff-7",
        "since": "2026-08-25T10:15:00Z",
        "until": "2026-09-24T10:15:00Z",
        "in_force": "true",
        "days_left": "30",
    }
    operator.memory.facts.clear()
    assert operator.types("holds", "--csv").out == ",".join(row) + "\n"


def test_what_a_list_cannot_hold_is_said_beside_it(operator: Operator) -> None:
    """Facts that cannot be read may hide a hold: said on stderr."""
    operator.facts.unreadable = 1
    answer = operator.types("holds", "--csv")
    assert (len(rows_of(answer)), answer.err) == (1, "1 row of Facts cannot be read.\n")


def test_requests_as_a_list(operator: Operator) -> None:
    """With what is left of the month: less than nothing where it is over."""
    (row,) = rows_of(operator.types("requests", "--csv"))
    assert (row["request_id"], row["key"], row["answered_at"]) == ("R-1", "contact_id=C-7", "")
    assert int(row["days_left"]) < 0


def test_a_record_like_a_formula_is_text(operator: Operator) -> None:
    """A business system's own table name or key may begin with anything."""
    record = RecordRef("Shipments", {"shipment_id": {"S": "=1+1"}})
    operator.memory.facts[record] = operator.memory.facts.pop(shipment_ref())
    (row,) = rows_of(operator.types("holds", "--csv"))
    assert row["key"] == "shipment_id==1+1"


def test_evidence_as_a_list(operator: Operator) -> None:
    """What `explain` knows of what was done and told, in order."""
    hold = ("hold", "Shipments", "S-1001", "--case", "CASE-2", "--reason", "lost", "--by", "staff-7")
    operator.types(*hold, "--until", "P3D")
    (row,) = rows_of(operator.types("explain", "Shipments", "S-1001", "--csv"))
    assert (row["outcome"], row["at"], row["cause"]) == ("hold_placed", "2026-08-25T10:15:00Z", "operator")
    assert "CASE-2" in row["details"]


def test_rules_as_a_list(tmp_path: Path) -> None:
    """One row for each rule; of a policy that cannot be used, its problems, on stderr."""
    rows = rows_of(Operator().types("policy", "check", SHIPPED, "--csv"))
    assert [row["rule"] for row in rows] == [
        *("delivery-contact", "leaver-contact", "delivery-erasure", "contact-erasure")
    ]
    assert rows[0]["clock"].endswith("90 days, elapsed")
    assert (rows[0]["erase"], rows[0]["records"]) == (
        "contact_number; email",
        "shipment_id={shipment_id}; if drop_ship=true",
    )
    broken = tmp_path / "broken.toml"
    broken.write_text("version = 1")
    answer = Operator().types("policy", "check", broken, "--csv")
    assert (answer.code, answer.out, "rules" in answer.err) == (1, "", True)


def test_what_a_sweep_found_as_a_list(operator: Operator) -> None:
    """By rule."""
    counts = {"delivery-contact": {"overdue": 3, "re_added": 1}}
    operator.functions.answers = [{"finished": True, "counts": counts}]
    assert operator.types("sweep", "--csv").out == (
        "rule,found,records\ndelivery-contact,overdue,3\ndelivery-contact,re_added,1\n"
    )


def test_what_a_purge_did_as_a_list(operator: Operator) -> None:
    """And beside it whether anything is left."""
    summary = {"shards_finished": 16, "shards": 16, "counts": {"Purges": 1, "Erased": 3}}
    operator.functions.answers = [summary]
    answer = operator.types("purge", "--csv")
    assert answer.out == "counted,records\nerased,3\n"
    assert answer.err == "Nothing that is due is left.\n"


def test_what_becomes_of_each_record_as_a_list(operator: Operator) -> None:
    """That somebody asked for: one row for each, with the request."""
    asked = ("--request", "R-9", "--approved-by", "dpo-1", "--yes", "--csv")
    rows = rows_of(operator.types("erase", "Shipments", "S-1001", "S-2", *asked))
    assert [(row["request_id"], row["rule"], row["key"], row["becomes"]) for row in rows] == [
        ("R-9", "delivery-erasure", "shipment_id=S-1001", "held until 2026-09-24 10:15Z"),
        ("R-9", "delivery-erasure", "shipment_id=S-2", "there is no such record"),
    ]


def test_what_a_correction_means_as_a_list(operator: Operator) -> None:
    """One row for each rule; beside them what was done."""
    told = Facts(1, {FactKind.LEFT: frozenset({NOW - DAY})})
    operator.memory.facts[contact_ref()] = told
    operator.memory.items[contact_ref()] = contact()
    wrong = ("correct", "Contacts", "C-7", "--kind", "left", "--was", to_text(NOW - DAY), "--by", "staff-1")
    answer = operator.types(*wrong, "--csv", "--is", to_text(NOW - 2 * DAY))
    assert answer.err == "Corrected: Contacts C-7.\n"
    leaver, asked = rows_of(answer)
    assert (leaver["key"], leaver["rule"], leaver["decision"]) == ("contact_id=C-7", "leaver-contact", "wait")
    assert (leaver["anchor"], leaver["until"]) == ("2026-08-23T10:15:00Z", "2026-11-21T10:15:00Z")
    assert (asked["rule"], asked["why"], asked["until"]) == ("contact-erasure", "no_anchor", "")


def test_the_ledgers_chains_as_a_list(operator: Operator) -> None:
    """With their heads; beside them what was found, and the command ends with 1 all the same."""
    operator.types(
        "hold", "Shipments", "S-2", "--case", "C", "--reason", "lost", "--by", "s", "--until", "P1D"
    )
    answer = operator.types("ledger", "verify", "--csv")
    (batch,) = operator.ledger.batches(shipment_ref("S-2").shard)
    held = {"shard": batch["shard"], "batches": "1", "entries": "1", "seq": "1", "hash": batch["hash"]}
    rows = rows_of(answer)
    assert ([row for row in rows if row["batches"] != "0"], len(rows)) == ([held], 16)
    assert (answer.code, answer.err) == (0, "All chains are whole: 1 entry.\n")
    operator.ledger.forged[shipment_ref("S-2").shard] = [batch, batch]
    answer = operator.types("ledger", "verify", "--csv")
    assert (answer.code, len(rows_of(answer)), "it comes after batch 1" in answer.err) == (1, 16, True)


@pytest.mark.parametrize("words", [("--json", "--csv"), ("--csv", "--json")])
@pytest.mark.parametrize(
    "command",
    [
        *(("holds",), ("requests",), ("sweep",), ("policy", "check", SHIPPED), ("explain", "S", "1")),
        *(("erase", "S", "1"), ("correct", "S", "1"), ("ledger", "verify")),
        *(("restore", "check", "S"), ("restore", "replay", "S")),
    ],
)
def test_two_forms_at_once_are_a_wrong_call(operator: Operator, command: Any, words: tuple[str, str]) -> None:
    """Refused, before anything is done."""
    answer = operator.types(*command, *words)
    assert (answer.code, answer.out) == (2, "")
    assert "--json and --csv do not go together" in answer.said.replace("│", "").replace("  ", " ")
