"""Whatever is done to an export or its seals is found, with its place; the auditor's verifier agrees."""

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lapse.demo_tampering import TAMPERINGS as DEMO
from lapse.demo_tampering import Tampering
from shared.instants import DAY
from shared.seal_bucket import pem
from tests.builders import NOW, shipment, shipment_ref, to_wire_text
from tests.operators import Operator
from tests.sealing import LocalKey
from tests.tampering import CHAIN, OLD, POLICY, Files, run_and_sealed
from tests.tamperings import TAMPERINGS
from tests.verifiers import audit, audited, verified


def test_what_is_as_it_was_written_is_whole(files: Files, tmp_path: Path) -> None:
    """Both say so, and from where on nothing is sealed yet."""
    arguments = files.given(tmp_path / "files")
    (code, places, said), (audit_code, audit_places, audit_said) = verified(arguments), audited(arguments)
    assert (code, places, audit_code, audit_places) == (0, set(), 0, set())
    assert "All chains are whole, as sealed: 11 entries." in said
    assert f"shard {CHAIN:02}: from batch 4, entry 0, on nothing is sealed yet: 1 batch." in said
    assert f"(shard {CHAIN:02}: from batch 4 on nothing is sealed yet)" in audit_said
    assert "3 sound seals. The last is seal 3, of 2026-08-27T10:17:00Z; names are kept since 20" in audit_said
    old = json.loads(next(line for line in files.lines if f'"shard": "{OLD.shard:02}"' in line))
    assert (old["names"], files.seal(3).unnamed[f"{OLD.shard:02}"]) == (None, 1)
    assert not any(str(OLD.key) in line or OLD.text in line for line in files.lines)


def test_it_can_be_had_as_an_object(files: Files, tmp_path: Path) -> None:
    """With places in parts, seals, and what is not sealed yet."""
    files.name(2, lambda names: names[1].__setitem__(1, "canary"))
    files.lines.insert(1, "canary")
    del files.seals[2]
    answer = Operator().types("ledger", "verify", *files.given(tmp_path / "files"), "--json")
    assert answer.code == 1
    where = [{name: each[name] for name in each if name != "what"} for each in answer.json["findings"]]
    assert where == [{"seal": 2}, {"line": 2}, {"shard": f"{CHAIN:02}", "batch": 2, "entry": 1}]
    assert answer.json["seals"]["sound"] == 2
    assert answer.json["seals"]["last"]["number"] == 3
    assert answer.json["unsealed"] == {f"{CHAIN:02}": {"from_batch": 4, "batches": 1}}


@pytest.mark.parametrize("tamper", DEMO.values(), ids=DEMO.keys())
def test_what_the_demo_does_is_found(files: Files, tmp_path: Path, tamper: Tampering) -> None:
    """At its place, and at no other, by both verifiers; without a look at AWS."""
    where = tamper(files)
    arguments = files.given(tmp_path / "files")
    for code, places, said in (verified(arguments), audited(arguments)):
        assert (code, places) == (1, where), said


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda each: each.__name__)
def test_it_is_found(files: Files, tmp_path: Path, tamper: Callable[[Files], None]) -> None:
    """As above."""
    tamper(files)
    arguments = files.given(tmp_path / "files")
    for code, places, said in (verified(arguments), audited(arguments)):
        assert (code, places) == (1, TAMPERINGS[tamper]), said


def test_a_broken_line_is_found(files: Files, tmp_path: Path) -> None:
    """By its number, since nobody knows whose it was; and what was in it is missing."""
    at = next(n for n, line in enumerate(files.lines) if f'"shard": "{OLD.shard:02}"' in line)
    files.lines[at] = files.lines[at][:-2]
    for code, places, _ in (verified(a := files.given(tmp_path / "files")), audited(a)):
        assert (code, places) == (1, {f"line {at + 1}", f"shard {OLD.shard:02}, batch 1"})


@pytest.mark.parametrize("end", ["", " ", "\r", " \t\r"])
def test_what_is_only_spaced_otherwise_is_whole(files: Files, tmp_path: Path, end: str) -> None:
    """As by an editor, or a mail program: it says the same."""
    files.lines = [f"{line}{end}" for line in files.lines]
    files.seals = {number: f"{end}{text.rstrip()}{end}\n" for number, text in files.seals.items()}
    for code, _, said in (verified(a := files.given(tmp_path / "files")), audited(a)):
        assert code == 0, said


def test_a_seal_that_cannot_be_read_is_none(files: Files, tmp_path: Path) -> None:
    """A directory in its place, or a file that is not for everybody."""
    arguments = files.given(tmp_path / "files")
    (tmp_path / "files" / "seals" / "0000000002.json").unlink()
    (tmp_path / "files" / "seals" / "0000000002.json").mkdir()
    for code, places, _ in (verified(arguments), audited(arguments)):
        assert (code, places) == (1, {"seal 2"})


def test_the_auditor_is_told_what_cannot_be_opened(files: Files, tmp_path: Path) -> None:
    """And is not shown where in the program."""
    export, *options = files.given(tmp_path / "files")
    for arguments in ([f"{export}-", *options], [str(tmp_path), *options], [export, *options[:3], export]):
        done = audit(arguments)
        assert (done.returncode, len(done.stderr.splitlines()), done.stdout) == (1, 1, "")


EXPORT = '"what": "lapse ledger export"'


@pytest.mark.parametrize(
    "header",
    [
        *([], ["[]"], ['{"v": 1, "what": "lapse export"}']),
        *([f'{{"v": {v}, {EXPORT}, "at": ""}}'] for v in ("2", "1.0", "true", '"1"')),
        *(
            [f'{{{EXPORT}, "v": 1}}'],
            [f'\ufeff{{"v": 1, {EXPORT}, "at": ""}}'],
            [f'{{"v":1,{EXPORT},"at":""}}'],
        ),
    ],
)
def test_what_is_no_export_is_refused(files: Files, tmp_path: Path, header: list[str]) -> None:
    """Nor one of another version; before anything is verified."""
    files.lines[:1] = header
    arguments = files.given(tmp_path / "files")
    answer = Operator().types("ledger", "verify", *arguments)
    assert (answer.code, answer.err.splitlines()[0]) == (
        1,
        "lapse: EXPORT: the file is none of `lapse ledger export`.",
    )
    done = audit(arguments)
    assert (done.returncode, "This is no export" in done.stderr) == (1, True)


def test_what_is_no_text_can_be_had_all_the_same(files: Files, tmp_path: Path) -> None:
    """By programs: half a character, as JSON writes it."""
    files.put(4, hash="\ud800")
    verify = ("ledger", "verify", *files.given(tmp_path / "files"))
    data, listing = Operator().types(*verify, "--json"), Operator().types(*verify, "--csv")
    assert (data.code, data.json["shards"][f"{CHAIN:02}"]["hash"]) == (1, "\ud800")
    assert (listing.code, listing.out.count("\\ud800")) == (1, 1)


def test_a_copy_that_was_changed_is_not_written_over(written: tuple[Path, LocalKey], tmp_path: Path) -> None:
    """Neither side is known to be the genuine one; a copy that is the same stays as it is."""
    directory, key = written
    with run_and_sealed(key) as operator:
        said = operator.types("ledger", "seals", "--out", tmp_path).out
        assert said == "3 seals and 1 public key, 4 of them new.\n"
        assert operator.types("ledger", "seals", "--out", tmp_path).out.endswith("0 of them new.\n")
        changed = tmp_path / "seals" / "0000000002.json"
        changed.write_text("canary")
        answer = operator.types("ledger", "seals", "--out", tmp_path)
    assert (answer.code, changed.read_text()) == (1, "canary")
    assert "seals/0000000002.json is another in the bucket than in the directory" in answer.said
    assert directory != tmp_path


OF_KEYS_OF_CURVES, OF_NO_KEYS = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0209")
"""Object identifiers, in DER."""


def test_a_key_must_be_given_and_be_one(files: Files, tmp_path: Path) -> None:
    """Who may have signed is for the auditor to say."""
    export, *_ = files.given(tmp_path / "files")
    seals = ("--seals", tmp_path / "files")
    answer = Operator().types("ledger", "verify", export, *seals)
    assert (answer.code, "--public-key: name the file of the key" in answer.said) == (1, True)
    (tmp_path / "empty").mkdir()
    answer = Operator().types("ledger", "verify", export, *seals, "--public-key", tmp_path / "empty")
    assert (answer.code, "--public-key: name the file of the key" in answer.said) == (1, True)
    answer = Operator().types("ledger", "verify", export, *seals, "--public-key", export)
    assert (answer.code, "holds no public key of P-256" in answer.said) == (1, True)
    unknown = tmp_path / "files" / "unknown.pem"
    unknown.write_text(pem(LocalKey().public().replace(OF_KEYS_OF_CURVES, OF_NO_KEYS)))
    answer = Operator().types("ledger", "verify", export, *seals, "--public-key", unknown)
    assert (answer.code, "holds no public key of P-256" in answer.said) == (1, True)
    done = audit([export, *map(str, seals), "--public-key", str(unknown)])
    assert (done.returncode, "holds no public key" in done.stderr) == (1, True)
    answer = Operator().types("ledger", "verify", export, "--public-key", tmp_path / "files" / "key.pem")
    assert (answer.code, "Name --seals, too." in answer.said) == (1, True)


def test_keys_that_were_replaced_are_given_as_a_directory(files: Files, tmp_path: Path) -> None:
    """All that ever signed; one alone is not enough. Both say which did, for the auditor to know them."""
    newer, keys = LocalKey(), tmp_path / "keys"
    digests = sorted(sha256(each.public()).hexdigest() for each in (files.key, newer))
    files.forge(3, replace(files.seal(3), public_key=sha256(newer.public()).hexdigest()), newer.private)
    *arguments, older = files.given(tmp_path / "files")
    keys.mkdir()
    for name, each in (("older.pem", files.key), ("newer.pem", newer)):
        (keys / name).write_text(pem(each.public()))
    (keys / "note.txt").write_text("canary")
    for verify in (verified, audited):
        code, places, said = verify([*arguments, str(keys)])
        assert (code, places) == (0, set()), said
        assert f"Signed by the key {', '.join(digests)}." in said
        assert verify([*arguments, older])[:2] == (1, {"seal 3"})
        assert verify([*arguments, older, "--public-key", str(keys / "newer.pem")])[0] == 0
    data = Operator().types("ledger", "verify", *arguments, keys, "--json").json
    assert data["seals"]["signed_by"] == digests


def test_a_missing_receipt_is_named() -> None:
    """A record that a rule was due of, whose fields are absent, and of which the ledger tells nothing."""
    verify = ("ledger", "verify", "--against", "Shipments")
    with run_and_sealed(LocalKey()) as operator:
        world: Any = operator.world  # type: ignore[attr-defined]
        answer = operator.types(*verify)
        assert (answer.code, answer.out.splitlines()[-1]) == (
            0,
            "8 records whose fields are gone: 0 receipts missing.",
        )
        gone: Any = {"contact_number": None, "email": None}
        too_old = to_wire_text(NOW - POLICY.names_retain - 91 * DAY)
        for shipment_id, changes in {
            "silent": gone,
            "half there": {"email": None},
            "not due": {**gone, "shipped_at": {"S": to_wire_text(NOW)}},
            "not drop-shipped": {**gone, "drop_ship": {"BOOL": False}},
            "long ago": {**gone, "shipped_at": {"S": too_old}},
        }.items():
            world.business.put(shipment_ref(shipment_id), shipment(shipment_id, **changes))
        answer = operator.types(*verify, columns=200)
        data = operator.types(*verify, "--json")
        wrong = operator.types("ledger", "verify", "--against", "Parcels")
        contacts = operator.types("ledger", "verify", "--against", "Contacts")
    due = "2026-08-15 10:15Z"
    told = f"Shipments silent: delivery-contact was due {due}, its fields are absent: no receipt"
    counted = (
        "10 records whose fields are gone: 1 receipt missing. Of 1 the ledger may have dropped the name."
    )
    assert (answer.code, answer.out.splitlines()[-2:]) == (1, [told, counted])
    assert (data.code, data.json["good"], data.json["findings"]) == (1, False, [])
    named = {"table": "Shipments", "key": {"shipment_id": "silent"}, "rule": "delivery-contact"}
    assert data.json["receipts"]["missing"] == [{**named, "due": "2026-08-15T10:15:00Z"}]
    assert (wrong.code, "The policy has no such table." in wrong.err) == (1, True)
    assert contacts.code == 0


@pytest.mark.parametrize(
    ("entry", "missing"),
    [
        ({"rule": "delivery-contact", "fields": []}, 0),
        ({"rule": "of old", "fields": [["contact_number"], ["email"]]}, 0),
        ({"rule": "of old", "fields": [["email"]]}, 1),
        ({"rule": "delivery-contact", "fields": [["email"]], "outcome": "observed"}, 1),
        ({"rule": "edited", "fields": 7}, 1),
        ({"rule": "edited", "fields": [[["email"]]]}, 1),
        ({"rule": "delivery-contact", "outcome": ["erased"]}, 1),
    ],
)
def test_a_receipt_is_of_the_rule_or_of_its_fields(entry: dict[str, Any], missing: int) -> None:
    """What another rule did to other fields tells nothing of these."""
    with run_and_sealed(LocalKey()) as operator:
        world: Any = operator.world  # type: ignore[attr-defined]
        gone: Any = {"contact_number": None, "email": None}
        world.business.put(shipment_ref("silent"), shipment("silent", **gone))
        kept, of_record = SimpleNamespace(entry={"outcome": "erased", **entry}), operator.ledger.entries_of
        silent = shipment_ref("silent")
        operator.ledger.entries_of = lambda record: [kept] if record == silent else of_record(record)  # type: ignore[list-item,method-assign]
        data = operator.types("ledger", "verify", "--against", "Shipments", "--json").json
    assert len(data["receipts"]["missing"]) == missing
