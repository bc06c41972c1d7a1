"""Target for the ledger: whatever was done to it is found, and what can be read of it is sound."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import rfc8785

from shared.evidence import Entry, Outcome
from shared.facts_of_entries import longest_pause, rebuilt
from shared.facts_row import facts_of_row, row_of_facts
from shared.instants import to_text
from shared.ledger import Head
from shared.ledger_batch import (
    BEGINNING,
    Batch,
    UnreadableBatchError,
    chained,
    entries_in,
    from_item,
    seal,
    to_item,
)
from shared.ledger_index import _tells, partition
from shared.rebuild_facts import Rebuilt, _entries
from shared.record import RecordRef
from shared.telling import Telling
from tests.builders import LONG_AGO, NOW, contact_ref, policy
from tests.followed import followed
from tests.fuzz import hostile
from tests.fuzz.checks import sound
from tests.fuzz.choices import Choices, damaged
from tests.fuzz.tables import CANARY
from tests.fuzz.target import Target
from tests.fuzz.wire import NUMBERS, damaged_item, loaded, stored
from tests.fuzz.writing import as_json

RECORD = contact_ref(f"{CANARY}-1")
SHARD = partition(RECORD.shard)
AT, THEN = to_text(NOW), to_text(LONG_AGO)
CASE = {"case_ref": "C-1", "opened_by": "x"}
TOLD: tuple[tuple[Outcome, str, dict[str, str]], ...] = (
    (Outcome.TOLD, "", {"kind": "left", "instant": THEN}),
    (Outcome.CORRECTED, "", {"kind": "left", "was": THEN, "becomes": AT}),
    (Outcome.HOLD_PLACED, "", {**CASE, "reason_code": "damaged", "since": THEN, "until": AT}),
    (Outcome.HOLD_PLACED, "", {**CASE, "reason_code": "lost", "since": THEN, "until": AT}),
    (Outcome.HOLD_RELEASED, "", {"case_ref": "C-1", "closed_by": "x", "closed_at": AT}),
    (Outcome.REQUESTED, "", {"request_id": "R-1", "requested_at": THEN, "approved_by": "x"}),
    (Outcome.ANSWERED, "erased", {"requests": "R-1 R-2"}),
    (Outcome.ERASED, "", {}),
)
PAUSE = Entry(
    outcome=Outcome.PAUSED, at=NOW, cause="operator", policy="d" * 64, details={"by": CANARY, "until": AT}
)


def _chain() -> list[Batch]:
    about = Entry(outcome=Outcome.ERASED, at=NOW, cause="event", policy="d" * 64, record=RECORD.text, due=NOW)
    entries = [
        replace(about, outcome=outcome, reason=reason, details=details) for outcome, reason, details in TOLD
    ]
    lines = [seal(each, bytes([n] * 16)) for n, each in enumerate([*entries, PAUSE])]
    chain: list[Batch] = []
    end = BEGINNING
    for some in (lines[:3], lines[3:7], lines[7:]):
        chain.append(chained(SHARD, end, some))
        end = len(chain), chain[-1]["hash"]
    return chain


CHAIN = _chain()
TELLING = Telling(policy(), NOW, "restore")
HEAD = Head(len(CHAIN), CHAIN[-1]["hash"])
NAMES = ("at", "record", "outcome", "details", "kind", "instant", "since", "until", "requests", "commitment")


@dataclass
class _Stored:
    """A shard's batches, for who reads them back."""

    chain: Sequence[Batch]

    def batches(self, _shard: int) -> Iterable[Batch]:
        return self.chain

    def entries_of(self, _record: RecordRef) -> Any:
        raise AssertionError


def make_ledger(choices: Choices) -> bytes:
    """A shard's batches, and the hints of an index row."""
    items = _damaged_items(choices)
    hints = damaged([{"rule": "r", "outcome": "erased", "at": AT}], choices, hostile.anything, ("rule", "at"))
    return stored({"items": items, "hints": as_json(hints)})


def check_ledger(text: bytes) -> None:
    """Damages are found by the verifier, refused by the reader, passed over by whoever rebuilds facts."""
    given = loaded(text)
    chain = [from_item(item) for item in given["items"]]
    findings = followed(SHARD, chain, HEAD)
    assert not any(CANARY in str(each) for each in findings)
    if not findings:
        assert [each["body"] for each in chain] == [each["body"] for each in CHAIN]
        assert all(each["names"] in {None, was["names"]} for each, was in zip(chain, CHAIN, strict=True))
    for batch in chain:
        try:
            list(entries_in(batch))
        except UnreadableBatchError as error:
            assert findings, "the verifier finds nothing"
            _says_the_place(error, batch)
    done = Rebuilt()
    for record, facts in rebuilt(_entries(_Stored(chain), RECORD.shard, TELLING, done)).items():
        row = row_of_facts(RecordRef.of(record), facts)
        json.dumps(row, ensure_ascii=False).encode()
        kept = facts_of_row(row)
        assert kept.holds == facts.holds
        for each in (*kept.instants.values(), *facts.instants.values()):
            assert all(map(sound, each))
    pause = longest_pause(_entries(_Stored(chain), RECORD.shard, TELLING, done))
    for instant in (pause.since, pause.until) if pause else ():
        if instant:
            sound(instant)
    assert _tells({"lines": {"S": given["hints"]}}, "r", NOW) in {True, False}


def _says_the_place(error: UnreadableBatchError, batch: Batch) -> None:
    """And no more; nor does what is logged with it."""
    assert str(error) == f"shard {batch['shard']}, batch {batch['seq']}"
    assert error.__suppress_context__


def _damaged_items(choices: Choices) -> list[dict[str, Any]]:
    items = [to_item(batch) for batch in CHAIN]
    for _ in range(choices.below(4)):
        at = choices.below(len(items)) if items else 0
        match choices.below(8):
            case 0 | 1 | 2:
                _write_over(items[at], "body", choices)
            case 3 | 4:
                _write_over(items[at], "names", choices)
            case 5:
                keys = {"shard": {"S": SHARD}, "seq": items[at]["seq"]}
                items[at] = {**damaged_item(items[at], choices), **keys}
            case 6:
                items[at]["seq"] = {"N": choices.pick(["0", "1", "-1", "2", "3", "1.5", *NUMBERS])}
            case _:
                items = choices.pick([items[:at] + items[at + 1 :], [*items, items[at]], items[::-1]])
        if not items:
            break
    return items


def _write_over(item: dict[str, Any], name: str, choices: Choices) -> None:
    """Another text, canonical or not; maybe with a hash that fits."""
    try:
        value = damaged(json.loads(item[name]["S"]), choices, hostile.anything, NAMES)
    except (ValueError, KeyError, RecursionError):
        return
    text = as_json(value)
    if choices.chance():
        with suppress(ValueError, RecursionError):
            text = rfc8785.dumps(json.loads(text)).decode()
    item[name] = {"S": text}
    if choices.chance() and "S" in item.get("body", {}):
        item["hash"] = {"S": hashlib.sha256(item["body"]["S"].encode(errors="replace")).hexdigest()}


TARGETS = {"ledger": Target(make_ledger, check_ledger)}
