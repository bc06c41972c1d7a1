"""`lapse ledger verify`, as an operator or an auditor types it."""

from pathlib import Path

import pytest

from shared.evidence import Outcome
from shared.record import RecordRef
from tests.builders import NOW, shipment_ref
from tests.operators import Operator

VERIFY = ("ledger", "verify")


@pytest.fixture
def operator() -> Operator:
    """In front of a ledger with three batches of one shard, and one of another."""
    operator = Operator()
    for number, record in enumerate([shipment_ref(), shipment_ref(), shipment_ref(), in_another_shard()]):
        entry = operator.controls().telling(NOW).entry(Outcome.TOLD, record, number=str(number))
        operator.ledger.append(record.shard, [entry] * (number + 1))
    return operator


def in_another_shard() -> RecordRef:
    others = (shipment_ref(f"S-{n}") for n in range(99))
    return next(each for each in others if each.shard != shipment_ref().shard)


def test_whole_chains_end_with_0(operator: Operator) -> None:
    """Each shard with its batches, entries and head."""
    answer = operator.types(*VERIFY)
    assert answer.code == 0
    _, _, *rows, last = answer.out.splitlines()
    (row,) = [each for each in rows if each.startswith(f"{shipment_ref().shard:02}")]
    assert row.split()[:3] == [f"{shipment_ref().shard:02}", "3", "6"]
    assert (len(rows), last) == (16, "All chains are whole: 10 entries.")
    data = operator.types(*VERIFY, "--json").json
    (*_, batch) = operator.ledger.batches(shipment_ref().shard)
    assert (data["good"], data["findings"], len(data["shards"])) == (True, [], 16)
    shard = data["shards"][f"{shipment_ref().shard:02}"]
    assert shard == {"batches": 3, "entries": 6, "seq": 3, "hash": batch["hash"]}
    assert row.split()[3] == batch["hash"][:16]


def test_every_finding_is_shown_with_its_place(operator: Operator) -> None:
    """And ends the command with 1. What cannot be read is found, too, and counted as no entry."""
    shard = shipment_ref().shard
    first, second, third = operator.ledger.batches(shard)
    second = {**second, "body": second["body"].replace('"outcome":"', '"outcome":"not ', 1)}
    operator.ledger.forged[shard] = [first, second, {**third, "body": "[]"}]
    answer = operator.types(*VERIFY, columns=200)
    assert answer.code == 1
    findings = [line for line in answer.out.splitlines() if line.startswith("shard ")]
    assert f"shard {shard:02}, batch 2: hash is not that of the body: one of the two was edited" in findings
    assert f"shard {shard:02}, batch 3: the body cannot be read, or is not canonical" in findings
    assert answer.out.splitlines()[-1] == f"{len(findings)} findings."
    data = operator.types(*VERIFY, "--json")
    assert (data.code, data.json["good"]) == (1, False)
    assert {(each["shard"], each["batch"], each["entry"]) for each in data.json["findings"]} == {
        (f"{shard:02}", 2, None),
        (f"{shard:02}", 3, None),
    }
    assert data.json["shards"][f"{shard:02}"]["entries"] == 3


def test_a_tail_that_was_cut_off_is_found_by_the_kept_heads(operator: Operator, tmp_path: Path) -> None:
    """What `--json` printed once is what the chains must still go through."""
    kept = tmp_path / "heads.json"
    kept.write_text(operator.types(*VERIFY, "--json").out)
    operator.ledger.append(shipment_ref().shard, [operator.controls().telling(NOW).entry(Outcome.TOLD, None)])
    assert operator.types(*VERIFY, "--heads", kept).code == 0
    del operator.memory.batches[shipment_ref().shard][2:]
    assert operator.types(*VERIFY).code == 0
    answer = operator.types(*VERIFY, "--heads", kept, columns=200)
    assert (answer.code, "the kept head is missing: the chain ends with batch 2" in answer.out) == (1, True)


ENDLESS = '{"shards": {"03": {"seq": 1e999, "hash": ""}}}'


@pytest.mark.parametrize(
    "text", ["canary", "[]", '{"shards": {"03": {"seq": "canary"}}}', "{}", ENDLESS, "[" * 100_000]
)
def test_heads_that_cannot_be_read_are_refused(operator: Operator, tmp_path: Path, text: str) -> None:
    """Before anything is verified; the error repeats nothing of the file."""
    (tmp_path / "heads.json").write_text(text)
    answer = operator.types(*VERIFY, "--heads", tmp_path / "heads.json")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "lapse: --heads: the file is no output of `lapse ledger verify --json`.\n"


def test_one_entry_is_counted_as_one() -> None:
    """One is no plural."""
    operator = Operator()
    entry = operator.controls().telling(NOW).entry(Outcome.TOLD, shipment_ref())
    operator.ledger.append(shipment_ref().shard, [entry])
    assert operator.types(*VERIFY).out.splitlines()[-1] == "All chains are whole: 1 entry."


def test_an_empty_ledger_is_whole() -> None:
    """It has sixteen empty chains."""
    answer = Operator().types(*VERIFY)
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "All chains are whole: 0 entries.")
