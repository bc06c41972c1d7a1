"""What a seal says, as text and back; and that nothing else passes for one."""

import base64
import json
from typing import Any

import pytest

from shared.seal import CHAINS, Seal, opened, read_body, sealed
from tests.builders import NOW, policy
from tests.sealing import Sealing


def a_seal() -> Seal:
    sealing = Sealing()
    for shard in (3, 15):
        sealing.ledger.append(shard)
    sealing.run()
    return sealing.last


SEAL = a_seal()


def test_a_seal_reads_as_it_was_written() -> None:
    """All of it, and the signature beside it."""
    body, signature = opened(sealed(SEAL.body, b"signature"))
    assert (read_body(body), signature) == (SEAL, b"signature")


def test_the_body_is_as_documented() -> None:
    """Canonical: sorted, without spaces; all sixteen chains."""
    said = json.loads(SEAL.body)
    assert json.dumps(said, sort_keys=True, separators=(",", ":")) == SEAL.body
    names = {"at", "heads", "kept_since", "number", "previous", "public_key", "unnamed", "unnaming", "v"}
    assert said.keys() == names
    assert (said["v"], said["number"], said["at"]) == (1, 1, "2026-08-25T10:15:00Z")
    assert [set(said[each]) for each in ("heads", "unnamed", "unnaming")] == [set(CHAINS)] * 3
    assert said["heads"]["00"] == {"seq": 0, "hash": ""}
    assert said["heads"]["03"]["seq"] == 1
    assert (SEAL.at, SEAL.kept_since) == (NOW, NOW - policy().names_retain)


def changed(**changes: Any) -> str:
    return json.dumps(json.loads(SEAL.body) | changes, sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "canary",
        "[]",
        "{}",
        "7",
        "[" * 100_000,
        changed(v=2),
        changed(more=1),
        changed(number=0.5),
        changed(number=True),
        changed(number=-1),
        changed(number=2**53),
        changed(number="1"),
        changed(number=None).replace("null", "9" * 5000),
        changed(at="yesterday"),
        changed(at=7),
        changed(kept_since=None),
        changed(at="2026-08-25T11:15:00+01:00"),
        changed(previous=7),
        changed(previous="\ud800"),
        changed(public_key=None),
        changed(heads=[]),
        changed(heads={}),
        changed(heads=dict.fromkeys(CHAINS, 7)),
        changed(heads={chain: {"seq": 1} for chain in CHAINS}),
        changed(unnamed={}),
        changed(unnaming=dict.fromkeys(CHAINS, "1")),
        changed(unnaming=dict.fromkeys([*CHAINS, "16"], 1)),
        json.dumps(json.loads(SEAL.body)),
    ],
)
def test_what_is_no_body_is_refused(body: str) -> None:
    """Nothing that is read of it is repeated, and nothing but a ValueError is raised."""
    with pytest.raises(
        ValueError, match="^the body (cannot be read|is of another version, or not canonical)$"
    ):
        read_body(body)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "canary",
        "[]",
        "7",
        "null",
        "[" * 100_000,
        '{"body": "x"}',
        '{"signature": ""}',
        '{"body": "x", "signature": 7}',
        '{"body": "x", "signature": "canary!"}',
        '{"body": "x", "signature": "é"}',
        '{"body": "x", "signature": "c2Vh bA=="}',
    ],
)
def test_what_is_no_file_of_a_seal_is_refused(text: str) -> None:
    """As above."""
    with pytest.raises(ValueError, match="^the file cannot be read as a seal$"):
        opened(text)


def test_numbers_are_as_large_as_json_can_tell() -> None:
    """All that every reader of JSON reads alike, and no more."""
    assert read_body(changed(number=2**53 - 1)).number == 2**53 - 1
    assert read_body(changed(number=0)).number == 0


def test_a_signature_is_base64() -> None:
    """Of any bytes."""
    everything = bytes(range(256))
    assert json.loads(sealed("{}", everything))["signature"] == base64.b64encode(everything).decode()
    assert opened(sealed("{}", everything)) == ("{}", everything)
