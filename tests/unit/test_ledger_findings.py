"""The verifier's findings word for word: an auditor reads them, and each says one thing."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import rfc8785

from shared.evidence import Entry, Outcome
from shared.ledger import Head, verify
from shared.ledger_batch import BEGINNING, chained, seal
from tests.builders import NOW, shipment_ref
from tests.followed import followed

type Batch = dict[str, Any]
type Chain = list[Batch]

SHARD = "03"
ENTRY = Entry(outcome=Outcome.ERASED, at=NOW, cause="wake-up", policy="d", rule="delivery-contact")
TWO = [replace(ENTRY, record=shipment_ref(f"S-{n}").text) for n in range(2)]


def chain_of(number: int) -> Chain:
    """A chain of batches of two entries each."""
    chain, end = list[Batch](), BEGINNING
    for _ in range(number):
        batch = chained(SHARD, end, [seal(entry, b"s" * 16) for entry in TWO])
        end = (int(batch["seq"]), batch["hash"])
        chain.append(dict(batch))
    return chain


def forged(batch: Batch, **changes: Any) -> None:
    """Change the body, with a hash that fits it."""
    body = rfc8785.dumps({**json.loads(batch["body"]), **changes})
    batch.update(body=body.decode(), hash=hashlib.sha256(body).hexdigest())


def said(chain: Chain, head: Head | None = None) -> list[str]:
    return [str(finding).removeprefix("shard 03, ") for finding in followed(SHARD, chain, head)]


ENTRIES = json.loads(chain_of(1)[0]["body"])["entries"]


@pytest.mark.parametrize(
    ("tamper", "what"),
    [
        (lambda last: last.update(names=7), ": names is missing or not a text"),
        (lambda last: last.pop("names"), ": names is missing or not a text"),
        (lambda last: last.pop("prev"), ": prev is missing or not of type str"),
        (lambda last: last.update(seq="3"), ": seq is missing or not of type int"),
        (lambda last: last.update(more=1), ": it has more than a batch has"),
        (lambda last: last.update(hash="ab"), ": hash is not that of the body: one of the two was edited"),
        (lambda last: forged(last, more=1), ": the body cannot be read, or is not canonical"),
        (lambda last: forged(last, v=2), ": the body is of another version"),
        (lambda last: forged(last, seq=4), ": seq in the body is another than the batch's"),
        (lambda last: forged(last, entries=[]), ": entries are not a list of 1 to 100"),
        (
            lambda last: forged(last, entries=[ENTRIES[0], 7]),
            ", entry 1: the entry cannot be read, or is of another version",
        ),
        (lambda last: last.update(names="{}"), ": names cannot be read, or are not canonical"),
        (lambda last: last.update(names="[null]"), ": names are 1, entries are 2"),
        (
            lambda last: last.update(names=last["names"].replace("S-1", "S-2")),
            ", entry 1: the commitment is not to this record, these details and this salt",
        ),
        (
            lambda last: last.update(names=last["names"].replace("S-0", "S-2")),
            ", entry 0: the commitment is not to this record, these details and this salt",
        ),
    ],
)
def test_what_is_wrong_with_a_batch(tamper: Callable[[Batch], object], what: str) -> None:
    """Of one tampering no more than what it is."""
    chain = chain_of(3)
    tamper(chain[-1])
    assert said(chain) == [f"batch 3{what}"]


@pytest.mark.parametrize("number", ["0.5", "1.0", "1e0", "NaN", "Infinity", "-Infinity", str(2**53)])
def test_there_are_whole_numbers_only(number: str) -> None:
    """And none that readers of JSON could read in two ways."""
    chain = chain_of(1)
    body = chain[0]["body"].replace('"cause":"wake-up"', f'"cause":{number}', 1)
    chain[0].update(body=body, hash=hashlib.sha256(body.encode()).hexdigest())
    assert said(chain) == NOT_CANONICAL


@pytest.mark.parametrize("inside", [[[]], {"a": {"b": 1}}, [{}, 1], {"a": 1, "b": []}])
def test_there_are_few_levels_only(inside: object) -> None:
    """Five, as a field's path has."""
    chain = chain_of(1)
    for within, findings in ((inside, []), ([inside], NOT_CANONICAL), ({"a": inside}, NOT_CANONICAL)):
        forged(chain[0], entries=[{**ENTRIES[0], "more": within}])
        assert said([chain[0] | {"names": None}]) == findings


@pytest.mark.parametrize("levels", [400, 2_000, 200_000])
def test_some_readers_would_get_lost_in_more(levels: int) -> None:
    """How deep, is different from one to the other."""
    names = "[" * levels + "]" * levels
    found = ["batch 1: names cannot be read, or are not canonical"]
    assert said([chain_of(1)[0] | {"names": names}]) == found


NOT_CANONICAL = ["batch 1: the body cannot be read, or is not canonical"]


def test_a_batch_of_another_shard() -> None:
    """Its frame says so twice: beside the body and within."""
    chain = chain_of(1)
    chain[0]["shard"] = "04"
    assert said(chain) == [
        "batch 1: it is of another shard",
        "batch 1: shard in the body is another than the batch's",
    ]


def test_what_is_wrong_between_batches() -> None:
    """Missing, repeated, or replaced by another."""
    one_missing, two_missing, repeated, replaced = (chain_of(4) for _ in range(4))
    del one_missing[1], two_missing[1:3]
    repeated.insert(1, repeated[0])
    forged(replaced[2], entries=ENTRIES[:1])
    replaced[2]["names"] = None
    assert said(one_missing) == ["batch 3: batch 2 is missing before it"]
    assert said(two_missing) == ["batch 4: batches 2 to 3 are missing before it"]
    assert said(repeated) == [
        "batch 1: it comes after batch 1: repeated, out of order or before the first",
    ]
    assert said(replaced) == [
        "batch 4: prev is not the hash of batch 3: one of the two was replaced or inserted",
    ]


@pytest.mark.parametrize("other", ["0" * 64, "f" * 64])
def test_of_two_batches_of_one_number_the_first_is_followed(other: str) -> None:
    """Whatever the other's hash is: what follows the first is not to be blamed."""
    chain = chain_of(3)
    chain.insert(2, chain[1] | {"hash": other})
    findings = {str(each.what).partition(":")[0] for each in verify(SHARD, chain)}
    assert findings == {"hash is not that of the body", "it comes after batch 2"}


def test_a_kept_head_is_missed_or_found_to_be_another() -> None:
    """The tail was cut, or another chain was forged in its place."""
    chain = chain_of(3)
    assert said(chain, Head(3, chain[2]["hash"])) == []
    assert said(chain, Head(4, "ab")) == [
        "batch 4: the kept head is missing: the chain ends with batch 3",
    ]
    assert said(chain, Head(2, "ab")) == ["batch 2: it is not the batch whose hash is the kept head"]


@pytest.mark.parametrize(("number", "is_sound"), [(100, True), (101, False)])
def test_a_batch_has_a_hundred_entries_at_most(number: int, *, is_sound: bool) -> None:
    """As many as the writer puts into one."""
    chain = chain_of(1)
    forged(chain[0], entries=ENTRIES[:1] * number)
    chain[0]["names"] = None
    assert said(chain) == ([] if is_sound else ["batch 1: entries are not a list of 1 to 100"])
