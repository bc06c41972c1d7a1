"""The verifier: whatever was done to a chain is found, and its place is named."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import rfc8785
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.evidence import Entry, Outcome
from shared.ledger import Finding, Head, verify
from shared.ledger_batch import BEGINNING, MOST_BYTES, chained, entries_in, seal, split
from tests.builders import LONG_AGO, NOW, shipment_ref
from tests.followed import followed

type Chain = list[dict[str, Any]]
type Tampering = Callable[[Chain], object]

SHARD = "03"
ENTRY = Entry(
    outcome=Outcome.ERASED,
    at=NOW,
    cause="wake-up",
    policy="d" * 64,
    record=shipment_ref().text,
    rule="delivery-contact",
    clause="2.2.1",
    due=LONG_AGO,
    fields=(("contact_number",), ("email",)),
)
PAUSE = Entry(outcome=Outcome.PAUSED, at=NOW, cause="operator", policy="d" * 64, details={"who": "staff-1"})


def written(entries: Sequence[Entry], most: int = 100) -> Chain:
    """A chain of batches by the writer's own hand."""
    chain: Chain = []
    end = BEGINNING
    lines = [seal(entry, hashlib.sha256(b"%d" % n).digest()[:16]) for n, entry in enumerate(entries)]
    for start in range(0, len(lines), most):
        for some in split(lines[start : start + most]):
            batch = chained(SHARD, end, some)
            end = (end[0] + 1, batch["hash"])
            chain.append(dict(batch))
    return chain


def about(number: int) -> list[Entry]:
    """Entries about as many records."""
    return [replace(ENTRY, record=shipment_ref(f"S-{n}").text) for n in range(number)]


LONG = written(about(10_000))
SHORT = written([*about(5), PAUSE], most=2)


def head_of(chain: Chain) -> Head:
    return Head(chain[-1]["seq"], chain[-1]["hash"])


def copy(chain: Chain) -> Chain:
    return [dict(batch) for batch in chain]


def found(chain: Chain, head: Head | None = None) -> list[tuple[Any, int | None]]:
    """The places of what is wrong."""
    return [(finding.seq, finding.entry) for finding in followed(SHARD, chain, head)]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def edit(batch: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> None:
    """Change what a batch says, and nothing else."""
    body = json.loads(batch["body"])
    change(body)
    batch["body"] = rfc8785.dumps(body).decode()


def forge(batch: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> None:
    """Change what a batch says, with a hash that fits it."""
    edit(batch, change)
    batch["hash"] = digest(batch["body"])


def forge_all(chain: Chain, change: Callable[[dict[str, Any]], object], start: int = 0) -> None:
    """Change what a batch says, and forge the rest of the chain after it."""
    forge(chain[start], change)
    for before, batch in zip(chain[start:], chain[start + 1 :], strict=False):
        batch["prev"] = before["hash"]
        forge(batch, partial(dict.update, prev=before["hash"]))


def relabel(batch: dict[str, Any]) -> dict[str, Any]:
    """A copy of a batch that claims to be the next one."""
    return {**batch, "seq": batch["seq"] + 1}


def renumber(chain: Chain, start: int) -> None:
    """Insert a copy of a batch, and move all that follow."""
    chain[start:] = [relabel(batch) for batch in chain[start - 1 :]]


def swap_contents(chain: Chain) -> None:
    """Two batches change places, each under the other's number."""
    chain[49], chain[50] = {**chain[50], "seq": 50}, {**chain[49], "seq": 51}


def outcome(new: str) -> Callable[[dict[str, Any]], object]:
    return lambda body: body["entries"][7].update(outcome=new)


def commit(to: str) -> Callable[[dict[str, Any]], object]:
    return lambda body: body["entries"][0].update(commitment=to)


def test_a_sound_chain_has_no_findings() -> None:
    """With a kept head, at its end or long ago, and without; 10,000 entries in 100 batches."""
    assert [len(json.loads(batch["body"])["entries"]) for batch in LONG] == [100] * 100
    assert found(LONG) == []
    assert found(LONG, head_of(LONG)) == []
    assert found(LONG, head_of(LONG[:40])) == []
    assert found([]) == []
    assert found(LONG, Head(0, "")) == []


ALL_FROM_51: list[tuple[int, None]] = [(n, None) for n in range(51, 102)]


@pytest.mark.parametrize(
    ("tamper", "places", "words"),
    [
        (lambda c: edit(c[49], outcome("dropped")), [(50, None)], "hash is not that of the body"),
        (lambda c: edit(c[0], outcome("dropped")), [(1, None)], "hash is not that of the body"),
        (lambda c: edit(c[49], lambda b: b["entries"].pop(3)), [(50, None)], "names are 100, entries are 99"),
        (
            lambda c: edit(c[49], lambda b: b["entries"].insert(3, b["entries"][3])),
            [(50, None)],
            "entries are not a list of 1 to 100",
        ),
        (
            lambda c: edit(c[49], lambda b: b["entries"].insert(3, b["entries"].pop(4))),
            [(50, None), (50, 3), (50, 4)],
            "the commitment is not to this record",
        ),
        (lambda c: c[49].update(hash="0" * 64), [(50, None), (51, None)], "hash is not that of the body"),
        (lambda c: forge(c[49], outcome("dropped")), [(51, None)], "prev is not the hash of batch 50"),
        (lambda c: forge(c[99], outcome("dropped")), [(100, None)], "whose hash is the kept head"),
        (lambda c: forge_all(c, outcome("dropped"), 49), [(100, None)], "whose hash is the kept head"),
        (lambda c: c.pop(49), [(51, None)], "batch 50 is missing"),
        (lambda c: c.pop(0), [(2, None)], "batch 1 is missing"),
        (lambda c: c.__delitem__(slice(10, 20)), [(21, None)], "batches 11 to 20 are missing"),
        (lambda c: c.__delitem__(slice(10, 12)), [(13, None)], "batches 11 to 12 are missing"),
        (lambda c: c.insert(50, dict(c[49])), [(50, None)], "repeated"),
        (lambda c: c.insert(50, relabel(c[49])), [(51, None), (52, None)], "seq in the body is another"),
        (lambda c: renumber(c, 50), ALL_FROM_51, "seq in the body is another"),
        (lambda c: c.append(relabel(c[99])), [(101, None)], "prev is not the hash of batch 100"),
        (lambda c: c.insert(49, c.pop(50)), [(51, None), (50, None)], "out of order"),
        (swap_contents, [(50, None), (51, None), (52, None)], "seq in the body is another"),
        (lambda c: c.__delitem__(slice(90, 100)), [(100, None)], "missing: the chain ends with batch 90"),
        (lambda c: c.clear(), [(100, None)], "missing: the chain ends with batch 0"),
    ],
)  # fmt: skip
def test_the_place_of_a_tampering_is_named(
    tamper: Tampering, places: list[tuple[int, int | None]], words: str
) -> None:
    """Any one entry or batch that was edited, removed, inserted, swapped or forged, among 10,000 entries."""
    chain = copy(LONG)
    tamper(chain)
    findings = followed(SHARD, chain, head_of(LONG))
    assert {(each.seq, each.entry) for each in findings} == set(places)
    assert any(words in str(finding) for finding in findings)


def test_only_a_kept_head_shows_a_cut_tail() -> None:
    """Heads are to be kept elsewhere: a chain that ends early, or is forged to the end, is sound."""
    forged = copy(LONG)
    forge_all(forged, outcome("dropped"), 49)
    assert found(LONG[:90]) == found(forged) == []
    assert found(LONG[:90], head_of(LONG)) == found(forged, head_of(LONG)) == [(100, None)]


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("position", [0, 4, 9])
def test_an_edited_name_is_named(at: int, position: int) -> None:
    """Names are not hashed, but the hashed part is committed to each: record and salt."""
    salt = "0" * 32
    others: list[Any] = [[salt, "S", {}], [salt, None, {}], [salt, "S"], None, [], "S"]
    for edited in others:
        chain = copy(LONG[:3])
        names = json.loads(chain[at]["names"])
        names[position] = edited
        chain[at]["names"] = rfc8785.dumps(names).decode()
        assert found(chain) == [(at + 1, position)]


def test_a_salt_and_its_record_are_not_divided_elsewhere() -> None:
    """The commitment is to the bytes of both together, so the salt has a fixed length and spelling."""
    chain = copy(SHORT)
    (salt, *told), second = json.loads(chain[0]["names"])
    longer = [salt + "00", *told]
    for name in (longer, [salt.upper(), *told], [salt[:2] + " " + salt[2:], *told], [salt, *told, ""]):
        chain[0]["names"] = rfc8785.dumps([name, second]).decode()
        assert found(chain) == [(1, 0)]


@pytest.mark.parametrize(
    "told",
    [
        [],
        ["x"],
        ["x", []],
        ["x", {}, {}],
        ["x", {"by": 7}],
        ["x", {"by": None}],
        [7, {}],
        [None, {}],
        ["x", None],
    ],
)
def test_a_name_is_a_record_and_details_that_are_texts(told: list[Any]) -> None:
    """Whatever else somebody committed an entry to is no name; nor is one of format 2, without details."""
    salt = bytes(16)
    for each in (rfc8785.dumps(told), str(told[0]).encode() if told else b""):
        chain = copy(SHORT[:1])
        _, second = json.loads(chain[0]["names"])
        chain[0]["names"] = rfc8785.dumps([[salt.hex(), *told], second]).decode()
        forge(chain[0], commit(hashlib.sha256(salt + each).hexdigest()))
        assert found(chain) == [(1, 0)]


def test_an_edited_commitment_is_named() -> None:
    """Also where everything else was forged to fit."""
    chain = copy(LONG)
    forge_all(chain, lambda body: body["entries"][7].update(commitment=digest("x")), 49)
    assert found(chain) == [(50, 7)]


@pytest.mark.parametrize("names", ["", "{", "null", "{}", "[]", "[null,null,null]", "[null, null]", '"x"', 7])
def test_names_that_do_not_fit_are_found(names: Any) -> None:
    """Unreadable, not canonical, or of another length."""
    chain = copy(SHORT)
    chain[1]["names"] = names
    assert found(chain) == [(2, None)]


def test_a_pause_is_about_no_record_and_names_who_pulled_it() -> None:
    """In the name, which can be dropped, and not in what is hashed."""
    (_, record, details) = json.loads(SHORT[2]["names"])[1]
    assert (record, details) == ("", PAUSE.details)
    assert "staff-1" not in SHORT[2]["body"]
    chain = copy(SHORT)
    chain[2]["names"] = chain[2]["names"].replace("staff-1", "staff-2")
    assert found(chain) == [(3, 1)]


def test_what_tells_of_nobody_has_no_name() -> None:
    """Nor may it be given one."""
    (batch,) = written([replace(PAUSE, details={})])
    assert (batch["names"], json.loads(batch["body"])["entries"][0]["commitment"]) == ("[null]", "")
    assert found([batch]) == []
    named = rfc8785.dumps([["0" * 32, "", {}]]).decode()
    assert found([{**batch, "names": named}]) == [(1, 0)]


def test_details_that_change_places_are_named() -> None:
    """Each entry is committed to its own; the same salt with the same details elsewhere is another thing."""
    held = [replace(each, details={"case_ref": f"C-{n}"}) for n, each in enumerate(about(2))]
    (batch,) = written(held)
    (salt, record, details), (other_salt, other, others) = json.loads(batch["names"])
    for names in (
        [[salt, record, others], [other_salt, other, details]],
        [[other_salt, other, others], [salt, record, details]],
        [[salt, record, {}], [other_salt, other, {}]],
        [[salt, other, details], [other_salt, record, others]],
    ):
        assert found([{**batch, "names": rfc8785.dumps(names).decode()}]) == [(1, 0), (1, 1)]


def test_without_names_it_still_verifies() -> None:
    """They are dropped after their own period; the chain stays, and says nothing of whom, or by whom."""
    pulled = written([PAUSE, replace(ENTRY, details={"by": "staff-2", "case_ref": "CASE-1"})])
    assert found([{**pulled[0], "names": None}]) == []
    assert not any(word in pulled[0]["body"] for word in ("staff-1", "staff-2", "CASE-1", "who", "case_ref"))
    chain = copy(LONG)
    for batch in chain[:60]:
        batch["names"] = None
    assert found(chain, head_of(LONG)) == []
    assert not any("S-1" in batch["body"] for batch in chain)
    edit(chain[4], outcome("dropped"))
    assert found(chain, head_of(LONG)) == [(5, None)]


def replace_body(text: str) -> Tampering:
    return lambda chain: chain[0].update(
        body=text, hash=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    )


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (lambda c: forge(c[0], lambda b: b.update(v=2)), "another version"),
        (lambda c: forge(c[0], lambda b: b.update(shard="04")), "shard in the body"),
        (lambda c: forge(c[0], lambda b: b.update(seq=2)), "seq in the body"),
        (lambda c: forge(c[0], lambda b: b.update(seq=True)), "seq in the body"),
        (lambda c: forge(c[0], lambda b: b.update(prev="ab")), "prev in the body"),
        (lambda c: forge(c[0], lambda b: b.update(more=1)), "cannot be read"),
        (lambda c: forge(c[0], lambda b: b.pop("prev")), "cannot be read"),
        (lambda c: forge(c[0], lambda b: b.update(entries=[])), "not a list of 1 to 100"),
        (lambda c: forge(c[0], lambda b: b.update(entries={})), "not a list of 1 to 100"),
        (lambda c: forge(c[0], lambda b: b.update(entries=b["entries"] * 51)), "not a list of 1 to 100"),
        (lambda c: forge(c[0], lambda b: b.update(entries=["x", b["entries"][1]])), "entry 0: the entry can"),
        (lambda c: forge(c[0], lambda b: b["entries"][1].update(v=1)), "entry 1: the entry can"),
        (lambda c: forge(c[0], lambda b: b["entries"][1].pop("commitment")), "entry 1: the entry can"),
        (lambda c: replace_body(c[0]["body"].replace(",", ", ", 1))(c), "not canonical"),
        (lambda c: replace_body(c[0]["body"].replace('"v":3}', '"v":3,"v":3}'))(c), "not canonical"),
        (lambda c: replace_body(c[0]["body"].replace('"v":3}', '"v":3.0}'))(c), "not canonical"),
        (replace_body("null"), "cannot be read"),
        (replace_body("{"), "cannot be read"),
        (replace_body("[" * 100_000), "cannot be read"),
        (replace_body('{"v":NaN}'), "cannot be read"),
        (replace_body('"\ud800"'), "cannot be read"),
        (lambda c: c[0].update(shard="04"), "of another shard"),
        (lambda c: c[0].pop("hash"), "hash is missing"),
        (lambda c: c[0].update(body=None), "body is missing"),
        (lambda c: c[0].update(seq=True), "seq is missing or not of type int"),
        (lambda c: c.insert(1, {**c[0], "seq": Decimal("1.5")}), "batch 1.5: seq is missing or not"),
        (lambda c: c.insert(0, {**c[0], "seq": 0}), "before the first"),
        (lambda c: c.insert(0, {}), "shard is missing"),
        (lambda c: c[0].update(prev="ab"), "prev in the body"),
    ],
)  # fmt: skip
def test_an_odd_batch_is_found_and_named(tamper: Tampering, words: str) -> None:
    """Whatever stands there, the verifier never fails: it says what is wrong."""
    chain = copy(SHORT)
    tamper(chain)
    findings = list(verify(SHARD, chain))
    assert any(words in str(finding) for finding in findings)


def test_a_finding_reads_as_a_sentence() -> None:
    """Place first."""
    assert str(Finding("03", 17, "it is odd")) == "shard 03, batch 17: it is odd"
    assert str(Finding("03", 17, "it is odd", 4)) == "shard 03, batch 17, entry 4: it is odd"


def test_it_streams() -> None:
    """A finding comes before the next batch is asked for."""

    def batches() -> Iterator[dict[str, Any]]:
        yield SHORT[0]
        yield SHORT[2]
        raise AssertionError

    assert next(verify(SHARD, batches())).seq == 3


@given(
    at=st.integers(0, 2),
    where=st.sampled_from(["shard", "prev", "hash", "body", "names"]),
    place=st.integers(0),
    new=st.characters(),
)
def test_any_edited_character_is_found(at: int, where: str, place: int, new: str) -> None:
    """In all that is stored of a batch."""
    chain = copy(SHORT)
    text = chain[at][where]
    place %= len(text) + 1
    chain[at][where] = text[:place] + new + text[place + 1 :]
    assume(chain[at][where] != text)
    seqs = {seq for seq, _ in found(chain, head_of(SHORT))}
    assert at + 1 in seqs
    assert seqs <= {at + 1, at + 2}


@given(st.lists(st.integers(0, 2), max_size=5))
def test_any_other_order_is_found(order: list[int]) -> None:
    """Batches missing, doubled or swapped; only the chain as it is has no findings."""
    chain = [SHORT[at] for at in order]
    assert (found(chain, head_of(SHORT)) == []) == (order == [0, 1, 2])


TEXTS = st.text(st.characters(codec="utf-8"))


@given(record=TEXTS, reason=TEXTS, details=st.dictionaries(TEXTS, TEXTS))
def test_any_text_is_written_canonically(record: str, reason: str, details: dict[str, str]) -> None:
    """Also beyond ASCII, and keys beyond the BMP, which RFC 8785 orders in a way of its own."""
    chain = written([replace(ENTRY, record=record, reason=reason, details=details)] * 3, most=2)
    assert found(chain) == []
    kept = [each.entry for batch in chain for each in entries_in(batch)]  # type: ignore[arg-type]
    assert [(each["record"], each["reason"], each["details"]) for each in kept] == [
        (record, reason, details)
    ] * 3


@pytest.mark.parametrize("length", range(149_200, 149_600, 20))
def test_a_batch_is_no_larger_than_allowed(length: int) -> None:
    """Its body and names together, with all that is around the entries."""
    chain = written([replace(ENTRY, reason="x" * length)] * 2)
    assert len(chain) == 1 + (length > 149_400)
    assert all(len(batch["body"] + batch["names"]) <= MOST_BYTES for batch in chain)


def test_the_format_stays() -> None:
    """What is hashed, byte for byte: it must be read for years."""
    salt = bytes(range(16))
    batch = chained(
        "03", (16, "ab" * 32), [seal(replace(ENTRY, record="Shipments#{}"), salt), seal(PAUSE, salt)]
    )
    commitment = hashlib.sha256(salt + b'["Shipments#{}",{}]').hexdigest()
    of_pause = hashlib.sha256(salt + b'["",{"who":"staff-1"}]').hexdigest()
    assert batch["body"] == (
        '{"entries":[{"at":"2026-08-25T10:15:00Z","cause":"wake-up","clause":"2.2.1",'
        f'"commitment":"{commitment}","due":"2026-05-17T10:15:00Z",'
        f'"fields":[["contact_number"],["email"]],"outcome":"erased","policy":"{"d" * 64}","reason":"",'
        '"rule":"delivery-contact","v":3},'
        f'{{"at":"2026-08-25T10:15:00Z","cause":"operator","clause":"","commitment":"{of_pause}",'
        f'"due":"","fields":[],"outcome":"paused","policy":"{"d" * 64}",'
        f'"reason":"","rule":"","v":3}}],"prev":"{"ab" * 32}","seq":17,"shard":"03","v":3}}'
    )
    assert batch["names"] == (
        '[["000102030405060708090a0b0c0d0e0f","Shipments#{}",{}],'
        '["000102030405060708090a0b0c0d0e0f","",{"who":"staff-1"}]]'
    )
    assert batch["hash"] == digest(batch["body"])
    assert (batch["shard"], batch["seq"], batch["prev"]) == ("03", 17, "ab" * 32)
