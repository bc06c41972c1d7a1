"""`lapse report`, as an operator types it: the verdict, the files, and what they claim."""

import base64
import csv
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from lapse import whole_file
from lapse.copies import TableCopies
from lapse.lateness import Lateness
from lapse.ledger_totals import MOST_FINDINGS, Reader
from lapse.overview import look_over
from lapse.seals import LastSeal
from lapse.verdict import Colour, verdict_of
from shared.evidence import Entry, Outcome
from shared.facts import Facts, Hold, Request
from shared.failure import CallFailedError
from shared.found import Found
from shared.last_purge import LastPurge
from shared.ledger import Head
from shared.ledger_batch import chained, seal
from shared.pausing import Pause
from shared.record import SHARDS
from shared.sweep_state import Sweep
from shared.timer import Timer
from tests.builders import NOW, contact, contact_ref, delivery_rule, policy, shipment, shipment_ref
from tests.operators import Operator
from tests.reported import DELIVERY, LEAVER, erasure, in_order, in_trouble

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def operator() -> Operator:
    """In front of a stack of which nothing is to be said."""
    return in_order(records=40)


def text_of(page: Path) -> str:
    """What a reader sees, on one line."""
    body = re.sub(r"<style>.*?</style>", "", page.read_text(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def late(operator: Operator, ago: timedelta = 20 * MINUTE) -> None:
    due = operator.now - ago
    operator.controls().timers.put([Timer(shipment_ref("S-late"), DELIVERY, due, due)])


def test_green_says_what_was_seen_and_ends_with_0(operator: Operator, tmp_path: Path) -> None:
    """Nothing is overdue: of what, when, where and by which policy."""
    answer = operator.types("report", "--html", tmp_path / "report.html")
    assert (answer.code, answer.out.splitlines()[0]) == (0, "Nothing is overdue.")
    seen = text_of(tmp_path / "report.html")
    assert "By Lapse's timers on 25 August 2026, 10:15 UTC ." in seen
    assert "The configured live tables were last searched by the sweep of " in seen
    for claim in ("000000000000, eu-west-1", "PP001", operator.policy.digest, "All chains are whole:"):
        assert claim in seen
    assert 'class="verdict green"' in (tmp_path / "report.html").read_text()
    assert "complian" not in seen.lower()


@pytest.mark.parametrize("began", [None, NOW - HOUR])
def test_a_sweep_that_is_not_through_has_searched_nothing(
    operator: Operator, tmp_path: Path, began: datetime | None
) -> None:
    """Nor one that never was: the page does not claim it."""
    operator.sweeps.sweep = Sweep(began, operator.policy.digest) if began else None
    operator.types("report", "--html", tmp_path / "report.html")
    assert "No sweep has come through the configured live tables yet." in text_of(tmp_path / "report.html")


def test_one_overdue_record_is_red_and_ends_with_1(operator: Operator, tmp_path: Path) -> None:
    """The banner, the row, the exit status."""
    late(operator)
    answer = operator.types("report", "--html", tmp_path / "report.html")
    assert (answer.code, answer.out.splitlines()[0]) == (1, "1 erasure is overdue, the oldest by 20 min.")
    page = tmp_path / "report.html"
    assert 'class="verdict red"' in page.read_text()
    assert "Shipments S-late delivery-contact 2.2.1 2026-08-25 09:55Z 20 min 0" in text_of(page)


def paused(operator: Operator) -> None:
    operator.memory.pause = Pause("staff-1", "check", NOW, NOW + DAY)


def dead_letters(operator: Operator) -> None:
    operator.dead_letters.messages = 1


def failures(operator: Operator) -> None:
    operator.dead_letters.failed = 2


def unreadable(operator: Operator) -> None:
    operator.facts.unreadable = 1


def stale_sweep(operator: Operator) -> None:
    operator.sweeps.sweep = Sweep(NOW - 27 * HOUR, operator.policy.digest, NOW)


def sweep_of_another_policy(operator: Operator) -> None:
    operator.sweeps.sweep = Sweep(NOW - HOUR, "digest", NOW)


def sweep_ahead(operator: Operator) -> None:
    operator.sweeps.sweep = Sweep(NOW + 40 * DAY, operator.policy.digest, NOW + 40 * DAY)


def purge_ahead(operator: Operator) -> None:
    operator.purges.last = LastPurge(NOW + HOUR, "recurring", SHARDS)


def unfinished_sweep(operator: Operator) -> None:
    operator.sweeps.sweep = Sweep(NOW - HOUR, operator.policy.digest, last_finished=NOW - 26 * HOUR)


def swept_overdue(operator: Operator) -> None:
    assert operator.sweeps.sweep
    operator.sweeps.sweep.counts[DELIVERY, Found.OVERDUE] = 2
    operator.sweeps.sweep.counts[DELIVERY, Found.WITHOUT_TIMER] = 2  # seen to by the sweep itself


def observed(operator: Operator) -> None:
    assert operator.sweeps.sweep
    operator.sweeps.sweep.counts[DELIVERY, Found.OBSERVED] = 4000


def partial_purge(operator: Operator) -> None:
    operator.purges.last = LastPurge(NOW, "recurring", 3)


def hidden_dead_letters(operator: Operator) -> None:
    operator.dead_letters.by_reason = {"shipped_at: has no offset": 2}  # and SQS's own number is 0


def forged_due(operator: Operator) -> None:
    forge(operator, due="soon")


def forged_at(operator: Operator) -> None:
    forge(operator, at="0001-01-01T00:00:00Z", fields=5)


def forge(operator: Operator, **changes: object) -> None:
    """Append an entry that a writer with the table's rights made, in a batch that is whole."""
    *_, last = chain = list(operator.ledger.batches(3))
    entry = json.loads(last["body"])["entries"][0] | changes
    line = seal(Entry(outcome=Outcome.ERASED, at=NOW, cause="x", policy="x"), b"salt" * 4)
    forged = replace(line, text=rfc8785.dumps({**entry, "commitment": ""}).decode())
    operator.ledger.forged[3] = [*chain, chained("03", (int(last["seq"]), last["hash"]), [forged])]


def no_sweep(operator: Operator) -> None:
    operator.sweeps.sweep = None


def implausible(operator: Operator) -> None:
    assert operator.sweeps.sweep
    operator.sweeps.sweep.counts[DELIVERY, Found.IMPLAUSIBLE] = 1


def silent_purge(operator: Operator) -> None:
    operator.purges.last = LastPurge(NOW - HOUR, "recurring", 16)


def no_purge(operator: Operator) -> None:
    operator.purges.last = None


def old_seal(operator: Operator) -> None:
    operator.seals.latest = LastSeal(1, NOW - 27 * HOUR, {})


def never_sealed(operator: Operator) -> None:
    operator.seals.latest = None


def unknown_seal(operator: Operator) -> None:
    operator.seals.failure = CallFailedError("GetObject", "SealIsUnreadable")


def late_answer(operator: Operator) -> None:
    operator.memory.facts[contact_ref()] = Facts(1).requested(Request("R-1", NOW - 31 * DAY, "dpo-1"))


def early(operator: Operator) -> None:
    erasure(operator, shipment_ref(), DELIVERY, HOUR, -MINUTE)


@pytest.mark.parametrize(
    ("trouble", "remark"),
    [
        (paused, "Erasing is paused until 2026-08-26 10:15Z by staff-1: check."),
        (dead_letters, "1 message was refused or failed: dead letters."),
        (failures, "2 runs or deliveries of Lapse itself failed."),
        (unreadable, "1 row of Lapse's own tables cannot be read."),
        (stale_sweep, "The last sweep began 2026-08-24 07:15Z: it is stale."),
        (sweep_of_another_policy, "The last sweep was by another policy than the one that is deployed."),
        (sweep_ahead, "The last sweep began 2026-10-04 10:15Z: it is stale."),
        (purge_ahead, "The last purge ended 2026-08-25 11:15Z: it is silent."),
        (no_sweep, "There was no sweep yet."),
        (implausible, "1 record of the last sweep cannot be timed: the date is absurd, or cannot be read."),
        (unfinished_sweep, "The sweep is not through: what it finds is not known yet."),
        (
            swept_overdue,
            "2 records were overdue when the last sweep came by, which set a timer where none stood.",
        ),
        (
            observed,
            "4,000 erasures are due by a rule that only observes, and not done: so the last sweep found.",
        ),
        (partial_purge, "The last purge finished 3 of 16 parts."),
        (hidden_dead_letters, "2 messages were refused or failed: dead letters."),
        (forged_due, "1 entry of the ledger cannot be counted."),
        (forged_at, "1 entry of the ledger cannot be counted."),
        (silent_purge, "The last purge ended 2026-08-25 09:15Z: it is silent."),
        (no_purge, "No purge has left a note yet."),
        (old_seal, "The last seal is of 2026-08-24 07:15Z: it is stale."),
        (never_sealed, "The ledger was never sealed: it cannot show that no tail of it was cut off."),
        (
            unknown_seal,
            "The last seal is unknown (GetObject: SealIsUnreadable): the ledger was not compared with it.",
        ),
        (late_answer, "1 erasure request has waited for more than 30 days."),
        (early, "1 erasure came before it was due, by the evidence."),
    ],
)
def test_amber_lists_what_is_not_in_order(
    operator: Operator, tmp_path: Path, trouble: Callable[[Operator], None], remark: str
) -> None:
    """Each by itself keeps the verdict from being green; none of them is a failure of the command."""
    trouble(operator)
    answer = operator.types("report", "--html", tmp_path / "report.html", "--csv", tmp_path / "lists")
    assert (answer.code, answer.out.splitlines()[:2]) == (
        0,
        ["Nothing is overdue, but one thing needs attention.", f"- {remark}"],
    )
    assert 'class="verdict amber"' in (tmp_path / "report.html").read_text()
    assert remark in text_of(tmp_path / "report.html")


def test_a_sweep_that_goes_on_hides_no_stale_one(operator: Operator) -> None:
    """What counts is the last that came through; one that began since has not found anything yet."""
    operator.sweeps.sweep = Sweep(NOW - 25 * HOUR, operator.policy.digest, last_finished=NOW - 9 * DAY)
    assert verdict_of(look_over(operator.controls(), NOW)).remarks == (
        "The sweep is not through: what it finds is not known yet.",
        "No sweep has come through since 2026-08-16 10:15Z: it is stale.",
    )


def test_a_ledger_that_is_not_whole_is_red(operator: Operator, tmp_path: Path) -> None:
    """Then the evidence for all the rest is in doubt. The finding is named with its place."""
    first, *others = operator.ledger.batches(3)
    operator.ledger.forged[3] = [{**first, "hash": "0" * 64}, *others]
    answer = operator.types("report", "--html", tmp_path / "report.html")
    assert (answer.code, "The ledger is not whole: " in answer.out) == (1, True)
    assert "03 1 - hash is not that of the body: one of the two was edited" in text_of(
        tmp_path / "report.html"
    )


@pytest.mark.parametrize("left", [0, 1])
def test_a_sealed_chain_that_was_cut_off_is_red(operator: Operator, tmp_path: Path, left: int) -> None:
    """What is left of it is whole in itself: the heads of the last seal tell, read before the ledger."""
    chain = list(operator.ledger.batches(3))
    assert len(chain) > 1
    head = Head(int(chain[-1]["seq"]), chain[-1]["hash"])
    operator.seals.latest = LastSeal(212, NOW - HOUR, {"03": head})
    page = tmp_path / "report.html"
    assert operator.types("report", "--html", page).code == 0
    operator.ledger.forged[3] = chain[:left]
    answer = operator.types("report", "--html", page)
    assert (answer.code, answer.out.splitlines()[0]) == (1, "The ledger is not whole: 1 finding.")
    assert f"the last seal's head is missing: the chain ends with batch {left}" in text_of(page)


def test_half_a_character_is_written_as_json_writes_it(operator: Operator, tmp_path: Path) -> None:
    """It is red, since no such thing is written; and the report is there, for who has to look into it."""
    first, *others = operator.ledger.batches(3)
    odd = first["body"].replace('"reason":""', '"reason":"\\ud800"').replace('"erased"', '"already_absent"')
    operator.ledger.forged[3] = [{**first, "body": odd}, *others]
    page, data, lists = tmp_path / "report.html", tmp_path / "report.json", tmp_path / "lists"
    answer = operator.types("report", "--html", page, "--json", data, "--csv", lists)
    assert (answer.code, "The ledger is not whole: " in answer.out) == (1, True)
    texts = [each.read_text() for each in (page, data, lists / "not_erased.csv")]
    assert [text.count("\\ud800") > 0 for text in texts] == [True] * 3
    assert json.loads(texts[1])["verdict"] == "red"


def test_names_that_no_seal_lets_go_are_red(operator: Operator, tmp_path: Path) -> None:
    """Those of all batches behind the last seal's word, and before there is a seal those of all."""
    first, second, *others = operator.ledger.batches(3)
    operator.ledger.forged[3] = [{**first, "names": None}, {**second, "names": None}, *others]
    page = tmp_path / "report.html"
    for latest, batches in (
        (LastSeal(212, NOW - HOUR, {}, {"03": 2, "04": 9}), []),
        (LastSeal(212, NOW - HOUR, {}, {"03": 1, "04": 9}), [2]),
        (LastSeal(212, NOW - HOUR, {}), [1, 2]),
        (None, [1, 2]),
    ):
        operator.seals.latest = latest
        answer = operator.types("report", "--html", page)
        assert (answer.code, "The ledger is not whole: " in answer.out) == (int(bool(batches)), bool(batches))
        findings = look_over(operator.controls(), NOW).ledger.findings
        assert [(each.shard, each.seq) for each in findings] == [("03", seq) for seq in batches]
        for seq in batches:
            assert f"03 {seq} - its names are gone, and no seal says that they may be" in text_of(page)


def test_names_that_a_seal_let_go_meanwhile_are_no_finding(operator: Operator) -> None:
    """The sealing ran while the ledger was read: the last seal is read again before anybody is alarmed."""
    first, second, *others = operator.ledger.batches(3)
    operator.ledger.forged[3] = [{**first, "names": None}, {**second, "names": None}, *others]
    operator.seals.latest = LastSeal(212, NOW - HOUR, {}, {"03": 1})

    def advance(_read: int) -> None:
        operator.seals.latest = LastSeal(213, NOW, {}, {"03": 2})

    reader = Reader(NOW, operator.controls().zone, advance, sealed=operator.seals.latest)
    assert reader.read(operator.controls()).findings == []
    operator.seals.failure = CallFailedError("GetObject", "AccessDenied")  # it is asked only if it must be
    assert replace(reader, sealed=operator.seals.latest).read(operator.controls()).findings == []


def test_a_seal_that_cannot_be_read_lets_nothing_be_compared(operator: Operator) -> None:
    """Neither heads nor names: that is said, and is no finding."""
    first, *others = operator.ledger.batches(3)
    operator.ledger.forged[3] = [{**first, "names": None}, *others]
    operator.seals.failure = CallFailedError("GetObject", "AccessDenied")
    seen = look_over(operator.controls(), NOW)
    assert seen.ledger.findings == []
    assert any("the ledger was not compared with it" in each for each in verdict_of(seen).remarks)


def test_many_findings_are_counted_and_the_first_named(operator: Operator) -> None:
    """A ledger full of forgeries fills no memory."""
    (batch,) = list(operator.ledger.batches(shipment_ref("S-0").shard))[:1]
    operator.ledger.forged = dict.fromkeys(range(SHARDS), [{**batch, "body": "[]"}] * 10)
    ledger = look_over(operator.controls(), NOW).ledger
    assert len(ledger.findings) == MOST_FINDINGS < ledger.found
    assert ledger.entries == 0


def test_what_the_ledger_tells_is_counted_by_day_and_lateness(operator: Operator) -> None:
    """In days of the policy's zone, of the last 90; other ends by outcome and reason."""
    operator = Operator()
    ago = NOW.replace(hour=23, minute=30) - DAY  # there it is the 25th already
    for late_by in (0 * MINUTE, MINUTE, 61 * MINUTE, 27 * HOUR, 3 * MINUTE, 10 * MINUTE, 15 * MINUTE):
        erasure(operator, shipment_ref(), DELIVERY, NOW - ago, late_by)
    erasure(operator, contact_ref(), LEAVER, 100 * DAY, MINUTE)
    for reason in ("no_match", "no_match", "cancelled"):
        entry = Entry(outcome=Outcome.DROPPED, at=NOW, cause="manual", policy="digest", reason=reason)
        operator.ledger.append(0, [entry])
    for reason in ("erased", "no_rule"):
        entry = Entry(outcome=Outcome.ANSWERED, at=NOW, cause="manual", policy="digest", reason=reason)
        operator.ledger.append(0, [entry])
    ledger = look_over(operator.controls(), NOW).ledger
    assert ledger.erased == {(NOW.date(), DELIVERY): 7}
    assert ledger.lateness == {
        Lateness.MINUTE: 2,
        Lateness.USUAL: 1,
        Lateness.WAKE_UP_LOST: 1,
        Lateness.GRACE: 1,
        Lateness.SWEPT: 1,
        Lateness.LATER: 1,
    }
    assert ledger.not_erased == {
        (Outcome.DROPPED, "no_match"): 2,
        (Outcome.DROPPED, "cancelled"): 1,
        (Outcome.ANSWERED, "no_rule"): 1,
    }
    assert (ledger.entries, ledger.found) == (13, 0)


def test_holds_requests_failures_and_copies_are_named(tmp_path: Path) -> None:
    """With what an officer asks for of each."""
    in_trouble().types("report", "--html", tmp_path / "report.html")
    seen = text_of(tmp_path / "report.html")
    for row in (
        "Shipments S-8000 CASE-17 courier_dispute support-7 2026-08-13 10:15Z 2026-09-03 10:15Z 9",
        "DSR-2026-7 Contacts C-9002 2026-07-23 10:15Z dpo-1 2026-08-22 10:15Z -3",
        "shipped_at: has no offset 3",
        "Found absent, cause unknown - 1",
        "The rule was not about the record as it stood no match 1",
        "Contacts unknown unknown",
        "Shipments off none",
        "Seal 212 is of 2026-08-25 02:15Z",
    ):
        assert row in seen, row
    operator = Operator()
    operator.copies.told = [TableCopies("Orders", 14, streams=True)]
    operator.types("report", "--html", tmp_path / "report.html")
    horizon = (
        "Orders on: what was erased can be restored for up to 14 days on: its readers see old images for 24"
    )
    assert horizon in text_of(tmp_path / "report.html")


def test_a_page_is_whole_in_itself_and_runs_nothing(tmp_path: Path) -> None:
    """Its own style alone, by its hash; no script, no style in an attribute, nothing from elsewhere."""
    in_trouble().types("report", "--html", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    (style,) = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in page
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert not re.search(r"<script|\son\w+=|style=|https?://|src=|<link|@import|url\(", page)


def test_what_people_wrote_is_text_on_the_page(operator: Operator, tmp_path: Path) -> None:
    """A key may look like markup: it is shown, and does nothing."""
    hold = Hold("lost", "CASE-1", "staff-1", NOW, NOW + DAY)
    operator.memory.facts[shipment_ref("<script>alert(1)</script>")] = Facts(1).held(hold)
    operator.types("report", "--html", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page


def test_no_contact_detail_is_in_any_file(operator: Operator, tmp_path: Path) -> None:
    """What people entered stays in the business tables, which no report looks at."""
    operator.memory.items |= {shipment_ref(): shipment(), contact_ref(): contact()}
    late(operator)
    operator.types(
        *("report", "--html", tmp_path / "r.html", "--csv", tmp_path / "csv", "--json", tmp_path / "r.json")
    )
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 17
    assert not [path for path in files if "canary" in path.read_text()]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_lists_have_all_rows(tmp_path: Path) -> None:
    """Also those that the page only counts; erasures with their evidence, row by row."""
    operator = in_trouble(overdue=150)
    operator.types("report", "--html", tmp_path / "report.html", "--csv", tmp_path / "lists")
    assert "… and 50 more, in the CSV." in text_of(tmp_path / "report.html")
    overdue = rows_of(tmp_path / "lists" / "overdue.csv")
    assert len(overdue) == 150
    (oldest,) = [each for each in overdue if each["key"] == "shipment_id=S-7000"]
    assert oldest == {
        "table": "Shipments",
        "key": "shipment_id=S-7000",
        "rule": "delivery-contact",
        "clause": "2.2.1",
        "due": "2026-08-25T05:15:00Z",
        "late_seconds": "18000",
        "attempts": "0",
    }
    erased = rows_of(tmp_path / "lists" / "erased.csv")
    assert len(erased) == 507
    assert {each["outcome"] for each in erased} == {"erased", "already_absent"}
    one = next(each for each in erased if each["outcome"] == "erased")
    assert one["policy"] == operator.policy.digest
    assert 14 <= int(one["late_seconds"]) < 84
    assert {each["key"].partition("=")[0] for each in erased if each["table"] == "Contacts"} == {"contact_id"}
    (nameless,) = [each for each in erased if each["outcome"] == "already_absent"]
    assert (nameless["table"], nameless["key"], nameless["shard"]) == ("", "", "05")
    holds = rows_of(tmp_path / "lists" / "holds.csv")
    assert [each["key"] for each in holds] == [f"shipment_id=S-800{n}" for n in range(3)]


def test_figures_for_programs(operator: Operator, tmp_path: Path) -> None:
    """The verdict, and each table with its total."""
    late(operator)
    assert operator.types("report", "--json", tmp_path / "report.json").code == 1
    data = json.loads((tmp_path / "report.json").read_text())
    assert (data["verdict"], data["at"]) == ("red", "2026-08-25T10:15:00Z")
    assert data["tables"]["overdue"]["total"] == 1
    (row,) = data["tables"]["overdue"]["rows"]
    assert (row["key"], row["late_seconds"]) == ({"shipment_id": "S-late"}, 1200)
    assert data["ledger"]["findings"] == 0
    assert data["last_seal"] == {"number": 212, "at": "2026-08-25T02:15:00Z"}


def test_a_report_over_5000_records_is_small(tmp_path: Path) -> None:
    """Long tables are cut, and said to be."""
    operator = Operator()
    dues = [NOW - HOUR - timedelta(seconds=number) for number in range(5000)]
    timers = [Timer(shipment_ref(f"S-{n}"), DELIVERY, due, due) for n, due in enumerate(dues)]
    operator.controls().timers.put(timers)
    for number in range(500):
        hold = Hold("lost", f"CASE-{number}", "staff-1", NOW, NOW + DAY)
        operator.memory.facts[shipment_ref(f"H-{number}")] = Facts(1).held(hold)
    operator.types("report", "--html", tmp_path / "report.html")
    seen = text_of(tmp_path / "report.html")
    assert "5,000 erasures are overdue" in seen
    assert "… and 4,900 more, in the CSV." in seen
    assert "… and 400 more, in the CSV." in seen
    assert (tmp_path / "report.html").stat().st_size < 500_000


def test_a_report_that_fails_leaves_the_last_one_as_it_was(operator: Operator, tmp_path: Path) -> None:
    """Whoever opens a file finds a whole one; nothing half-written lies about."""
    page, lists = tmp_path / "report.html", tmp_path / "lists"
    operator.types("report", "--html", page, "--csv", lists)
    before = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    late(operator)

    def failing(*_: object) -> Any:
        raise CallFailedError("Query", "ThrottlingException")

    operator.ledger.batches = failing  # type: ignore[assignment, method-assign]
    answer = operator.types("report", "--html", page, "--csv", lists)
    assert (answer.code, answer.err.splitlines()[0]) == (
        1,
        "lapse: Others are at the same work (Query: ThrottlingException).",
    )
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_page_has_its_name_only_once_it_is_whole(tmp_path: Path) -> None:
    """Until then it has another; if writing fails, it is taken away."""

    def half() -> None:
        with whole_file.written(tmp_path / "a") as out:
            out.write("half")
            assert not (tmp_path / "a").exists()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert list(tmp_path.iterdir()) == []
    with whole_file.written(tmp_path / "a") as out:
        out.write("whole")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["whole"]


@pytest.mark.parametrize(
    ("retain", "after"),
    [
        pytest.param(90 * DAY, "90 days", id="days"),
        pytest.param(DAY + 12 * HOUR, "1 day 12 hours", id="a-day-and-a-half"),
        pytest.param(30 * MINUTE, "30 minutes", id="minutes"),
    ],
)
def test_a_rule_is_shown_with_all_of_its_period(retain: timedelta, after: str, tmp_path: Path) -> None:
    """Half a day is not 0 days."""
    operator = Operator(policy=policy(delivery_rule(retain=retain)))
    operator.types("report", "--json", tmp_path / "report.json")
    (rule,) = json.loads((tmp_path / "report.json").read_text())["tables"]["rules"]["rows"]
    assert rule["after"] == after


def test_where_to_write_is_to_be_said(operator: Operator, tmp_path: Path) -> None:
    """And it must be possible to write there."""
    answer = operator.types("report")
    assert (answer.code, answer.err.splitlines()[0]) == (1, "lapse: There is nowhere to write to.")
    answer = operator.types("report", "--html", tmp_path / "none" / "report.html")
    assert answer.err.splitlines()[0] == "lapse: A file cannot be written: No such file or directory."


def test_a_new_stack_has_little_to_say(tmp_path: Path) -> None:
    """Each section says so; nothing is divided by zero."""
    answer = Operator().types("report", "--html", tmp_path / "report.html")
    assert answer.code == 0
    seen = text_of(tmp_path / "report.html")
    for text in (
        "Nothing comes due in the next 30 days.",
        "The ledger has no erasure of the last 90 days.",
        "Lapse was told of no hold that is in force.",
        "Not listed: what a business system itself has marked as held.",
        "No request waits for its answer.",
        "There are no dead letters.",
        "There is no seal yet: by itself a chain cannot show that its tail was cut off.",
    ):
        assert text in seen, text
    assert "delivery-contact - - - - - - - -" in seen  # no sweep has counted anything
    assert verdict_of(look_over(Operator().controls(), NOW)).colour is Colour.AMBER
