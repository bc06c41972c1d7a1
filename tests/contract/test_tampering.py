"""Whatever is done to an export or its seals is found, with its place; the auditor's verifier agrees."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256 as hashed
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lapse import project
from shared.instants import DAY
from tests.builders import NOW, shipment, shipment_ref, to_wire_text
from tests.operators import Operator
from tests.sealing import LocalKey
from tests.tampering import CHAIN, OLD, POLICY, RECORDS, Files, names_changed, resigned, run_and_sealed

B1, B2, B3, B4 = (f"shard {CHAIN:02}, batch {seq}" for seq in range(1, 5))
EMPTY = next(f"{shard:02}" for shard in range(16) if shard not in {CHAIN, OLD.shard})
AUDIT = project.ROOT / "audit" / "verify.py"
THEIRS = LocalKey()
_PLACE = re.compile(r"^(shard \d\d, batch [^:,]+(?:, entry \d+)?|seal \d+|line \d+): ", re.MULTILINE)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LocalKey]:
    """What `export` and `seals` wrote of a real run."""
    directory, key = tmp_path_factory.mktemp("ledger"), LocalKey()
    with run_and_sealed(key) as operator:
        answer = operator.types("ledger", "seals", "--out", directory)
        assert (answer.code, answer.out) == (0, "3 seals and 1 public key, 4 of them new.\n")
        answer = operator.types("ledger", "export", "--out", directory / "ledger.jsonl")
        assert (answer.code, answer.out) == (0, "5 batches.\n")
        printed = operator.types("ledger", "export").out
    assert printed == (directory / "ledger.jsonl").read_text()
    return directory, key


@pytest.fixture
def files(written: tuple[Path, LocalKey]) -> Files:
    """For one test to do with as it likes."""
    return Files.read(*written)


def unreachable() -> None:
    raise AssertionError("AWS was asked")


def verified(arguments: list[str]) -> tuple[int, set[str], str]:
    """How `lapse ledger verify` ends, what places it names, and what it says."""
    connect: Callable[..., object] = unreachable
    answer = Operator().types("ledger", "verify", *arguments, columns=300, connect=connect)  # type: ignore[arg-type]
    assert answer.err == ""
    return answer.code, set(_PLACE.findall(answer.out)), answer.out


def audited(arguments: list[str]) -> tuple[int, set[str], str]:
    """The same of the auditor's verifier, in a process that can import nothing of the project."""
    command = [sys.executable, "-I", str(AUDIT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")  # noqa: S603 -- the project's own file
    assert done.stderr == ""
    return done.returncode, set(_PLACE.findall(done.stdout)), done.stdout


def test_what_is_as_it_was_written_is_whole(files: Files, tmp_path: Path) -> None:
    """Both say so, and from where on nothing is sealed yet."""
    arguments = files.write(tmp_path / "files")
    (code, places, said), (audit_code, audit_places, audit_said) = verified(arguments), audited(arguments)
    assert (code, places, audit_code, audit_places) == (0, set(), 0, set())
    assert "All chains are whole, as sealed: 9 entries." in said
    assert f"shard {CHAIN:02}: from batch 4, entry 0, on nothing is sealed yet: 1 batch." in said
    assert f"(shard {CHAIN:02}: from batch 4 on nothing is sealed yet)" in audit_said
    assert "3 sound seals. The last is seal 3, of 2026-08-27T10:17:00Z; names are kept since 20" in audit_said
    old = json.loads(next(line for line in files.lines if f'"shard": "{OLD.shard:02}"' in line))
    assert (old["names"], files.seal(3).unnamed[f"{OLD.shard:02}"]) == (None, 1)
    assert not any(str(OLD.key) in line or OLD.text in line for line in files.lines)


def test_it_can_be_had_as_an_object(files: Files, tmp_path: Path) -> None:
    """With places in parts, seals, and what is not sealed yet."""
    names_changed(files, 2, lambda names: names[1].__setitem__(1, "canary"))
    files.lines.insert(1, "canary")
    del files.seals[2]
    answer = Operator().types("ledger", "verify", *files.write(tmp_path / "files"), "--json")
    assert answer.code == 1
    where = [{name: each[name] for name in each if name != "what"} for each in answer.json["findings"]]
    assert where == [{"seal": 2}, {"line": 2}, {"shard": f"{CHAIN:02}", "batch": 2, "entry": 1}]
    assert answer.json["seals"]["sound"] == 2
    assert answer.json["seals"]["last"]["number"] == 3
    assert answer.json["unsealed"] == {f"{CHAIN:02}": {"from_batch": 4, "batches": 1}}


def an_entry_is_edited(files: Files) -> None:
    files.put(2, body=files.batch(2)["body"].replace("erased", "observed", 1))


def an_entry_is_edited_and_the_batch_hashed_anew(files: Files) -> None:
    files.edit(2, lambda body: body["entries"][0].update(at="2026-01-01T00:00:00Z"))


def an_entry_is_edited_and_the_chain_made_anew(files: Files) -> None:
    an_entry_is_edited_and_the_batch_hashed_anew(files)
    files.chain_anew(2)


def an_entry_is_removed_and_the_chain_made_anew(files: Files) -> None:
    files.edit(2, lambda body: body["entries"].pop())
    names_changed(files, 2, lambda names: names.pop())
    files.chain_anew(2)


def an_entry_is_inserted_and_the_chain_made_anew(files: Files) -> None:
    files.edit(2, lambda body: body["entries"].append(body["entries"][0]))
    names_changed(files, 2, lambda names: names.append(names[0]))
    files.chain_anew(2)


def entries_change_places(files: Files) -> None:
    files.edit(2, lambda body: body["entries"].reverse())


def a_batch_is_removed(files: Files) -> None:
    del files.lines[files.place(2)]


def a_removed_batch_is_closed_over(files: Files) -> None:
    del files.lines[files.place(2)]
    for seq in (3, 4):
        files.put(seq, seq=seq - 1)
        files.edit(seq - 1, lambda body: body.update(seq=body["seq"] - 1))
    files.follow(2, files.batch(1)["hash"])
    files.follow(3, files.batch(2)["hash"])


def a_batch_is_there_twice(files: Files) -> None:
    files.lines.insert(files.place(3), files.lines[files.place(3)])


def the_chain_forks(files: Files) -> None:
    at, genuine = files.place(3), files.lines[files.place(3)]
    files.edit(3, lambda body: body["entries"][0].update(cause="manual-2"))
    files.lines.insert(at, genuine)


def batches_change_places(files: Files) -> None:
    at = files.place(2)
    files.lines[at], files.lines[at + 1] = files.lines[at + 1], files.lines[at]


def the_tail_is_cut(files: Files) -> None:
    del files.lines[files.place(3) : files.place(4) + 1]


def a_chain_is_gone(files: Files) -> None:
    del files.lines[files.place(1) : files.place(4) + 1]


def all_is_gone(files: Files) -> None:
    del files.lines[1:]


def the_tail_is_cut_and_goes_on(files: Files) -> None:
    files.edit(3, lambda body: body["entries"][0].update(outcome="already_absent"))
    files.chain_anew(3)


def a_batch_is_of_another_chain(files: Files) -> None:
    files.put(2, shard="00" if CHAIN else "01")


def another_record_is_named(files: Files) -> None:
    names_changed(files, 2, lambda names: names[0].__setitem__(1, RECORDS[9].text))


def another_salt_is_given(files: Files) -> None:
    names_changed(files, 2, lambda names: names[1].__setitem__(0, "0" * 32))


def a_name_is_taken_away(files: Files) -> None:
    names_changed(files, 2, lambda names: names.__setitem__(1, None))


def names_are_gone_before_their_time(files: Files) -> None:
    files.put(2, names=None)


def names_are_empty(files: Files) -> None:
    files.put(2, names="")


def another_record_is_named_by_a_longer_salt(files: Files) -> None:
    def lengthen(names: list[Any]) -> None:
        salt, record = names[0]
        names[0] = [salt + record[:10].encode().hex(), record[10:]]

    names_changed(files, 2, lengthen)


def a_salt_is_written_otherwise(files: Files) -> None:
    names_changed(files, 2, lambda names: names[0].__setitem__(0, "".join(map(str.upper, names[0][0]))))


def a_name_is_an_object(files: Files) -> None:
    commitment = hashed(bytes(16) + b"canary").hexdigest()
    files.edit(4, lambda body: body["entries"][0].update(commitment=commitment))
    names_changed(files, 4, lambda names: names.__setitem__(0, {"0" * 32: 0, "canary": 0}))


def a_name_is_an_empty_list(files: Files) -> None:
    files.edit(4, lambda body: body["entries"][0].update(commitment=""))
    names_changed(files, 4, lambda names: names.__setitem__(0, []))


def names_are_an_object(files: Files) -> None:
    names = json.loads(files.batch(2)["names"])
    files.put(2, names=json.dumps({str(n): name for n, name in enumerate(names)}, separators=(",", ":")))


def a_version_is_no_whole_number(files: Files) -> None:
    files.edit(4, lambda body: body.update(v=2.0))


def a_number_is_no_whole_number(files: Files) -> None:
    files.edit(4, lambda body: body.update(seq=4.0))


def a_number_is_a_truth(files: Files) -> None:
    body = json.loads(files.batch(4)["body"]) | {"seq": True, "prev": "", "shard": EMPTY}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    batch = {"shard": EMPTY, "seq": 1, "prev": "", "hash": hashed(text.encode()).hexdigest(), "body": text}
    files.lines.append(json.dumps({**batch, "names": files.batch(4)["names"]}))


def an_entry_has_no_number(files: Files) -> None:
    files.edit(4, lambda body: body["entries"][0].update(more=float("nan")))


def an_entry_has_a_fraction(files: Files) -> None:
    files.edit(4, lambda body: body["entries"][0].update(more=0.5))


def an_entry_has_a_large_number(files: Files) -> None:
    files.edit(4, lambda body: body["entries"][0].update(more=2**60))


def an_entry_has_half_a_character(files: Files) -> None:
    rewritten(files, lambda body: body["entries"][0].update(more="\ud800"))


def names_in_an_entry_are_in_the_order_of_code_points(files: Files) -> None:
    rewritten(files, lambda body: body["entries"][0].update({"\U0001f600": "", "\uffff": ""}))


def rewritten(files: Files, change: Callable[[dict[str, Any]], object]) -> None:
    """As `Files.edit`, with characters as they are."""
    body = json.loads(files.batch(4)["body"])
    change(body)
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    files.put(4, body=text, hash=hashed(text.encode(errors="surrogatepass")).hexdigest())


def an_entry_says_a_thing_twice(files: Files) -> None:
    text = files.batch(4)["body"].replace('"outcome":', '"outcome":"held","outcome":', 1)
    files.put(4, body=text, hash=hashed(text.encode()).hexdigest())


def a_body_says_more(files: Files) -> None:
    files.edit(4, lambda body: body.update(more=1))


def a_line_says_more(files: Files) -> None:
    files.put(4, more=1)


def a_line_says_a_thing_twice(files: Files) -> None:
    at = files.place(1)
    files.lines.append(files.lines[at].replace("{", '{"names": null, ', 1))


def many_seals_are_missing(files: Files) -> None:
    files.seals[9_999_999_999] = "canary"


def a_seal_is_no_first_one(files: Files) -> None:
    files.seals[0] = files.seals[1]


def the_first_seal_follows_another(files: Files) -> None:
    files.forge(1, files.key, previous="0" * 64)


def a_head_goes_back(files: Files) -> None:
    next_seal(files, heads={**files.seal(3).heads, f"{CHAIN:02}": files.seal(2).heads[f"{CHAIN:02}"]})


def dropping_goes_back(files: Files) -> None:
    next_seal(files, unnaming={**files.seal(3).unnaming, f"{OLD.shard:02}": 0})


def time_goes_back(files: Files) -> None:
    next_seal(files, at=files.seal(2).at)


def next_seal(files: Files, **changes: Any) -> None:
    """One more, soundly signed."""
    last = files.seal(3)
    files.forge(4, files.key, last, **{"number": 4, "previous": last.digest.hex(), **changes})


def young_names_are_gone_by_a_seal(files: Files) -> None:
    next_seal(files, unnaming={**files.seal(3).unnaming, f"{CHAIN:02}": 2})
    files.put(2, names=None)


def names_are_gone_of_what_is_dated_otherwise(files: Files) -> None:
    next_seal(files, unnaming={**files.seal(3).unnaming, f"{CHAIN:02}": 4})
    files.edit(4, lambda body: [each.update(at="2001-01-01T00:00:00+00:00") for each in body["entries"]])
    files.put(4, names=None)


def a_line_is_no_batch(files: Files) -> None:
    files.lines[1] = files.lines[1][:-2]


def a_number_is_a_text(files: Files) -> None:
    files.put(4, seq="4")


def a_body_is_written_otherwise(files: Files) -> None:
    text = files.batch(4)["body"].replace(":", ": ", 1)
    files.put(4, body=text, hash=hashed(text.encode()).hexdigest())


def a_seal_is_missing(files: Files) -> None:
    del files.seals[2]


def the_first_seal_is_missing(files: Files) -> None:
    del files.seals[1]


def no_seal_is_there(files: Files) -> None:
    files.seals.clear()


def a_seal_is_edited(files: Files) -> None:
    files.seals[2] = files.seals[2].replace('\\"seq\\":2', '\\"seq\\":1')


def a_signature_is_edited(files: Files) -> None:
    resigned(files, 2)


def a_seal_is_forged_with_another_key(files: Files) -> None:
    files.forge(2, THEIRS, public_key=hashed(THEIRS.public()).hexdigest())


def a_seal_is_forged_in_the_keys_name(files: Files) -> None:
    files.forge(2, THEIRS, heads={**files.seal(2).heads, f"{CHAIN:02}": files.seal(1).heads[f"{CHAIN:02}"]})


def seals_change_places(files: Files) -> None:
    files.seals[2], files.seals[3] = files.seals[3], files.seals[2]


def a_seal_has_anothers_number(files: Files) -> None:
    files.seals = {2: files.seals[3]}


def a_seal_is_there_twice(files: Files) -> None:
    files.seals[2] = files.seals[1]


def a_forged_seal_is_added(files: Files) -> None:
    seal = files.seal(3)
    later = {**seal.unnaming, f"{CHAIN:02}": 4}
    files.forge(4, THEIRS, seal, number=4, previous=seal.digest.hex(), unnaming=later)
    files.put(2, names=None)


def a_seal_is_no_seal(files: Files) -> None:
    files.seals[2] = "canary"


OTHER = f"shard {'00' if CHAIN else '01'}, batch 2"
OLD_ONE = f"shard {OLD.shard:02}, batch 1"
TAMPERINGS: dict[Callable[[Files], None], set[str]] = {
    an_entry_is_edited: {B2},
    an_entry_is_edited_and_the_batch_hashed_anew: {B2, B3},
    an_entry_is_edited_and_the_chain_made_anew: {B2, B3},
    an_entry_is_removed_and_the_chain_made_anew: {B2, B3},
    an_entry_is_inserted_and_the_chain_made_anew: {B2, B3},
    entries_change_places: {B2, f"{B2}, entry 0", f"{B2}, entry 1", B3},
    a_batch_is_removed: {B2, B3},
    a_removed_batch_is_closed_over: {B2, B3},
    a_batch_is_there_twice: {B3},
    the_chain_forks: {B3},
    batches_change_places: {B2, B3},
    the_tail_is_cut: {B3},
    a_chain_is_gone: {B1, B2, B3},
    all_is_gone: {B1, B2, B3, OLD_ONE},
    the_tail_is_cut_and_goes_on: {B3},
    a_batch_is_of_another_chain: {OTHER, B2, B3},
    another_record_is_named: {f"{B2}, entry 0"},
    another_salt_is_given: {f"{B2}, entry 1"},
    a_name_is_taken_away: {f"{B2}, entry 1"},
    names_are_gone_before_their_time: {B2},
    names_are_empty: {B2},
    a_number_is_a_text: {B4},
    a_body_is_written_otherwise: {B4},
    a_seal_is_missing: {"seal 2"},
    the_first_seal_is_missing: {"seal 1"},
    no_seal_is_there: {"seal 1", OLD_ONE},
    a_seal_is_edited: {"seal 2", "seal 3"},
    a_signature_is_edited: {"seal 2"},
    a_seal_is_forged_with_another_key: {"seal 2", "seal 3"},
    a_seal_is_forged_in_the_keys_name: {"seal 2", "seal 3"},
    seals_change_places: {"seal 2", "seal 3"},
    a_seal_has_anothers_number: {"seal 1", "seal 2"},
    a_seal_is_there_twice: {"seal 2", "seal 3"},
    a_forged_seal_is_added: {"seal 4", B2},
    a_seal_is_no_seal: {"seal 2"},
    another_record_is_named_by_a_longer_salt: {f"{B2}, entry 0"},
    a_salt_is_written_otherwise: {f"{B2}, entry 0"},
    a_name_is_an_object: {f"{B4}, entry 0"},
    a_name_is_an_empty_list: {f"{B4}, entry 0"},
    names_are_an_object: {B2},
    a_version_is_no_whole_number: {B4},
    a_number_is_no_whole_number: {B4},
    a_number_is_a_truth: {f"shard {EMPTY}, batch 1"},
    an_entry_has_no_number: {B4},
    an_entry_has_a_fraction: {B4},
    an_entry_has_a_large_number: {B4},
    an_entry_has_half_a_character: {B4},
    names_in_an_entry_are_in_the_order_of_code_points: {B4},
    an_entry_says_a_thing_twice: {B4},
    a_body_says_more: {B4},
    a_line_says_more: {B4},
    a_line_says_a_thing_twice: {"line 7"},
    many_seals_are_missing: {"seal 4", "seal 9999999999"},
    a_seal_is_no_first_one: {"seal 0", "seal 1"},
    the_first_seal_follows_another: {"seal 1", "seal 2"},
    a_head_goes_back: {"seal 4"},
    dropping_goes_back: {"seal 4"},
    time_goes_back: {"seal 4"},
    young_names_are_gone_by_a_seal: {B2},
    names_are_gone_of_what_is_dated_otherwise: {B4},
}


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda each: each.__name__)
def test_it_is_found(files: Files, tmp_path: Path, tamper: Callable[[Files], None]) -> None:
    """At its place, and at no other, by both verifiers; without a look at AWS."""
    tamper(files)
    arguments = files.write(tmp_path / "files")
    for code, places, said in (verified(arguments), audited(arguments)):
        assert (code, places) == (1, TAMPERINGS[tamper]), said


def test_a_broken_line_is_found(files: Files, tmp_path: Path) -> None:
    """By its number, since nobody knows whose it was; and what was in it is missing."""
    whose = next(iter(re.findall(r'"shard": "(\d\d)", "seq": (\d+)', files.lines[1])))
    a_line_is_no_batch(files)
    for code, places, _ in (verified(a := files.write(tmp_path / "files")), audited(a)):
        assert code == 1
        assert {"line 2", f"shard {whose[0]}, batch {int(whose[1])}"} <= places


@pytest.mark.parametrize(
    "header", [[], ['{"v": 2, "what": "lapse ledger export"}'], ['{"v": 1, "what": "lapse export"}'], ["[]"]]
)
def test_what_is_no_export_is_refused(files: Files, tmp_path: Path, header: list[str]) -> None:
    """Nor one of another version; before anything is verified."""
    files.lines[:1] = header
    arguments = files.write(tmp_path / "files")
    answer = Operator().types("ledger", "verify", *arguments)
    assert (answer.code, answer.err.splitlines()[0]) == (
        1,
        "lapse: EXPORT: the file is none of `lapse ledger export`.",
    )
    done = subprocess.run([sys.executable, "-I", str(AUDIT), *arguments], capture_output=True, check=False)  # noqa: S603 -- the project's own file
    assert (done.returncode, b"This is no export" in done.stderr) == (1, True)


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


def test_a_key_must_be_given_and_be_one(files: Files, tmp_path: Path) -> None:
    """Who may have signed is for the auditor to say."""
    export, *_ = files.write(tmp_path / "files")
    seals = ("--seals", tmp_path / "files")
    answer = Operator().types("ledger", "verify", export, *seals)
    assert (answer.code, "--public-key: name the file of the key" in answer.said) == (1, True)
    answer = Operator().types("ledger", "verify", export, *seals, "--public-key", export)
    assert (answer.code, "holds no public key of P-256" in answer.said) == (1, True)
    answer = Operator().types("ledger", "verify", export, "--public-key", tmp_path / "files" / "key.pem")
    assert (answer.code, "Name --seals, too." in answer.said) == (1, True)


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
