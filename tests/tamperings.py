"""What else may be done to an export or its seals than the demo shows, and where it must be found."""

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256 as hashed
from typing import Any

from shared.seal import sealed
from tests.sealing import LocalKey
from tests.tampering import CHAIN, OLD, TOLD, Files

B1, B2, B3, B4 = (f"shard {CHAIN:02}, batch {seq}" for seq in range(1, 5))
EMPTY = next(f"{shard:02}" for shard in range(16) if shard not in {CHAIN, OLD.shard, TOLD.shard})
THEIRS = LocalKey()


def entries_change_places(files: Files) -> None:
    files.edit(2, lambda body: body["entries"].reverse())


def a_batch_is_removed(files: Files) -> None:
    del files.lines[files.line(2)]


def a_removed_batch_is_closed_over(files: Files) -> None:
    del files.lines[files.line(2)]
    for seq in (3, 4):
        files.put(seq, seq=seq - 1)
        files.edit(seq - 1, lambda body: body.update(seq=body["seq"] - 1))
    files.follow(2, files.batch(1)["hash"])
    files.follow(3, files.batch(2)["hash"])


def a_number_is_left_out(files: Files) -> None:
    files.put(4, seq=5)
    files.edit(5, lambda body: body.update(seq=5))


def the_tail_is_cut_and_goes_on(files: Files) -> None:
    files.edit(3, lambda body: body["entries"][0].update(outcome="already_absent"))
    files.chain_anew(3)


def a_batch_is_of_another_chain(files: Files) -> None:
    files.put(2, shard="00" if CHAIN else "01")


def another_salt_is_given(files: Files) -> None:
    files.name(2, lambda names: names[1].__setitem__(0, "0" * 32))


def a_name_is_taken_away(files: Files) -> None:
    files.name(2, lambda names: names.__setitem__(1, None))


def names_are_empty(files: Files) -> None:
    files.put(2, names="")


def another_record_is_named_by_a_longer_salt(files: Files) -> None:
    def lengthen(names: list[Any]) -> None:
        salt, record, details = names[0]
        names[0] = [salt + record[:10].encode().hex(), record[10:], details]

    files.name(2, lengthen)


def a_salt_is_written_otherwise(files: Files) -> None:
    files.name(2, lambda names: names[0].__setitem__(0, "".join(map(str.upper, names[0][0]))))


def a_name_is_an_object(files: Files) -> None:
    commitment = hashed(bytes(16) + b"canary").hexdigest()
    files.edit(4, lambda body: body["entries"][0].update(commitment=commitment))
    files.name(4, lambda names: names.__setitem__(0, {"0" * 32: 0, "canary": 0}))


def named(files: Files, *told: Any) -> None:
    """An entry that is committed to it, as somebody would who can write the ledger."""
    said = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    files.edit(4, lambda body: body["entries"][0].update(commitment=hashed(bytes(16) + said).hexdigest()))
    files.name(4, lambda names: names.__setitem__(0, ["0" * 32, *told]))


def a_detail_is_a_number(files: Files) -> None:
    named(files, "canary", {"limit": 7})


def details_are_a_list(files: Files) -> None:
    named(files, "canary", [])


def details_are_left_out(files: Files) -> None:
    named(files, "canary")


def a_name_says_more(files: Files) -> None:
    named(files, "canary", {}, "")


def a_record_is_a_number(files: Files) -> None:
    named(files, 7, {})


def details_are_not_in_order(files: Files) -> None:
    named(files, "canary", {"until": "", "by": ""})


def a_name_is_as_in_format_2(files: Files) -> None:
    commitment = hashed(bytes(16) + b"canary").hexdigest()
    files.edit(4, lambda body: body["entries"][0].update(commitment=commitment))
    files.name(4, lambda names: names.__setitem__(0, ["0" * 32, "canary"]))


def a_batch_is_of_format_2(files: Files) -> None:
    files.edit(4, lambda body: body.update(v=2))


def an_entry_is_of_format_2(files: Files) -> None:
    files.edit(4, lambda body: body["entries"][0].update(v=2))


def a_pause_is_by_another(files: Files) -> None:
    """Of an entry that has details and no record."""
    files.edit(4, lambda body: body["entries"][1].update(outcome="paused", commitment="0" * 64))
    files.name(4, lambda names: names[1].__setitem__(slice(1, 3), ["", {"by": "staff-2"}]))


def a_name_is_an_empty_list(files: Files) -> None:
    files.edit(4, lambda body: body["entries"][0].update(commitment=""))
    files.name(4, lambda names: names.__setitem__(0, []))


def names_are_an_object(files: Files) -> None:
    names = json.loads(files.batch(2)["names"])
    files.put(2, names=json.dumps({str(n): name for n, name in enumerate(names)}, separators=(",", ":")))


def dropped_names_are_left_out(files: Files) -> None:
    at = next(n for n, line in enumerate(files.lines) if f'"shard": "{OLD.shard:02}"' in line)
    files.lines[at] = files.lines[at].replace(', "names": null', "")


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
    files.edit(4, lambda body: body["entries"][0].update(more="\ud800"))


def names_in_an_entry_are_in_the_order_of_code_points(files: Files) -> None:
    files.edit(4, lambda body: body["entries"][0].update({"\U0001f600": "", "\uffff": ""}))


def an_entry_says_a_thing_twice(files: Files) -> None:
    text = files.batch(4)["body"].replace('"outcome":', '"outcome":"held","outcome":', 1)
    files.put(4, body=text, hash=hashed(text.encode()).hexdigest())


def an_entry_is_nested(files: Files, levels: int) -> None:
    inside = json.loads("[" * levels + "]" * levels)
    files.edit(4, lambda body: body["entries"][0].update(more=inside))


def an_entry_is_nested_a_level_too_deep(files: Files) -> None:
    an_entry_is_nested(files, 3)


def an_entry_is_nested_deeper_than_some_can_read(files: Files) -> None:
    an_entry_is_nested(files, 1500)


def entries_are_an_object(files: Files) -> None:
    files.edit(4, lambda body: body.update(entries=dict(enumerate(body["entries"]))))


def entries_are_a_text(files: Files) -> None:
    files.edit(4, lambda body: body.update(entries="ab"))


def entries_are_other_things(files: Files) -> None:
    files.edit(4, lambda body: body["entries"].__setitem__(slice(None), ["v", []]))


def names_are_one_too_many(files: Files) -> None:
    files.name(4, lambda names: names.append(names[0]))


def a_name_is_spelt_with_other_code_points(files: Files) -> None:
    """Which look the same: composed, as it was committed to, and decomposed."""
    named(files, "ca\u00f1ary", {})
    files.name(4, lambda names: names[0].__setitem__(1, "can\u0303ary"))


def a_body_says_more(files: Files) -> None:
    files.edit(4, lambda body: body.update(more=1))


def a_line_says_more(files: Files) -> None:
    files.put(4, more=1)


def a_line_says_a_thing_twice(files: Files) -> None:
    at = files.line(1)
    files.lines.append(files.lines[at].replace("{", '{"names": null, ', 1))


def a_line_says_half_a_character(files: Files) -> None:
    files.put(4, **{"\ud800": 1})


def a_hash_is_half_a_character(files: Files) -> None:
    files.put(4, hash="\ud800")


def a_hash_moves_the_cursor(files: Files) -> None:
    files.put(4, hash="\x1b[2J\x9b1A")


def a_number_moves_the_cursor(files: Files) -> None:
    files.put(4, seq="\x1b[1A\nAll chains are whole, as sealed.")


def a_number_is_half_a_character(files: Files) -> None:
    files.put(4, seq="\ud800")


def a_number_is_too_large(files: Files) -> None:
    files.put(4, seq=2**53)


def a_number_is_endless(files: Files) -> None:
    files.put(4, seq=float("inf"))


def a_number_is_longer_than_can_be_read(files: Files) -> None:
    at = files.line(4)
    files.lines[at] = files.lines[at].replace('"seq": 4', f'"seq": {"4" * 5000}')


def a_line_is_blank(files: Files) -> None:
    files.lines.insert(1, "")


def a_line_begins_with_a_mark(files: Files) -> None:
    files.lines[files.line(4)] = f"\ufeff{files.lines[files.line(4)]}"


def many_seals_are_missing(files: Files) -> None:
    files.seals[9_999_999_999] = "canary"


def a_seal_is_no_first_one(files: Files) -> None:
    files.seals[0] = files.seals[1]


def the_first_seal_follows_another(files: Files) -> None:
    files.forge(1, replace(files.seal(1), previous="0" * 64), files.key.private)


def a_head_goes_back(files: Files) -> None:
    next_seal(files, heads={**files.seal(3).heads, f"{CHAIN:02}": files.seal(2).heads[f"{CHAIN:02}"]})


def dropping_goes_back(files: Files) -> None:
    next_seal(files, unnaming={**files.seal(3).unnaming, f"{OLD.shard:02}": 0})


def time_goes_back(files: Files) -> None:
    next_seal(files, at=files.seal(2).at)


def next_seal(files: Files, **changes: Any) -> None:
    """One more, soundly signed."""
    last = files.seal(3)
    seal = replace(last, **{"number": 4, "previous": last.digest.hex(), **changes})
    files.forge(4, seal, files.key.private)


def signed(files: Files, change: Callable[[dict[str, Any]], object]) -> None:
    """One more, whose body is soundly signed, whatever it says."""
    next_seal(files)
    body = json.loads(files.seal(4).body)
    change(body)
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    files.seals[4] = sealed(text, files.key.sign(hashed(text.encode()).digest()))


def a_seal_says_more(files: Files) -> None:
    signed(files, lambda body: body.update(more=1))


def a_seal_is_of_a_version_that_is_a_truth(files: Files) -> None:
    signed(files, lambda body: body.update(v=True))


def a_seal_is_of_another_version(files: Files) -> None:
    signed(files, lambda body: body.update(v=2))


def a_seal_is_of_a_chain_more(files: Files) -> None:
    signed(files, lambda body: body["heads"].update({"16": {"seq": 0, "hash": ""}}))


def a_seal_has_a_head_that_is_no_text(files: Files) -> None:
    signed(files, lambda body: body["heads"].update({EMPTY: {"seq": 0, "hash": []}}))


def a_seal_has_a_head_before_the_first(files: Files) -> None:
    signed(files, lambda body: body["heads"].update({EMPTY: {"seq": -1, "hash": ""}}))


def young_names_are_gone_by_a_seal(files: Files) -> None:
    next_seal(files, unnaming={**files.seal(3).unnaming, f"{CHAIN:02}": 2})
    files.put(2, names=None)


def names_are_gone_of_what_is_dated_otherwise(files: Files) -> None:
    next_seal(files, unnaming={**files.seal(3).unnaming, f"{CHAIN:02}": 4})
    files.edit(4, lambda body: [each.update(at="2001-01-01T00:00:00+00:00") for each in body["entries"]])
    files.put(4, names=None)


def a_number_is_a_text(files: Files) -> None:
    files.put(4, seq="4")


def a_body_is_written_otherwise(files: Files) -> None:
    text = files.batch(4)["body"].replace(":", ": ", 1)
    files.put(4, body=text, hash=hashed(text.encode()).hexdigest())


def the_first_seal_is_missing(files: Files) -> None:
    del files.seals[1]


def no_seal_is_there(files: Files) -> None:
    files.seals.clear()


def a_seal_has_anothers_number(files: Files) -> None:
    files.seals = {2: files.seals[3]}


def a_seal_is_there_twice(files: Files) -> None:
    files.seals[2] = files.seals[1]


def a_forged_seal_is_added(files: Files) -> None:
    seal = files.seal(3)
    later = {**seal.unnaming, f"{CHAIN:02}": 4}
    files.forge(4, replace(seal, number=4, previous=seal.digest.hex(), unnaming=later), THEIRS.private)
    files.put(2, names=None)


def a_seal_is_no_seal(files: Files) -> None:
    files.seals[2] = "canary"


OTHER = f"shard {'00' if CHAIN else '01'}, batch 2"
OLD_ONE = f"shard {OLD.shard:02}, batch 1"
LINE_OF_B4 = "line 8"
"""The last one: chains stand in order, and this is the last that has batches."""
TAMPERINGS: dict[Callable[[Files], None], set[str]] = {
    entries_change_places: {B2, f"{B2}, entry 0", f"{B2}, entry 1", B3},
    a_batch_is_removed: {B2, B3},
    a_removed_batch_is_closed_over: {B2, B3},
    a_number_is_left_out: {f"shard {CHAIN:02}, batch 5"},
    the_tail_is_cut_and_goes_on: {B3},
    a_batch_is_of_another_chain: {OTHER, B2, B3},
    another_salt_is_given: {f"{B2}, entry 1"},
    a_name_is_taken_away: {f"{B2}, entry 1"},
    names_are_empty: {B2},
    a_number_is_a_text: {LINE_OF_B4},
    a_body_is_written_otherwise: {B4},
    the_first_seal_is_missing: {"seal 1"},
    no_seal_is_there: {"seal 1", OLD_ONE},
    a_seal_has_anothers_number: {"seal 1", "seal 2"},
    a_seal_is_there_twice: {"seal 2", "seal 3"},
    a_forged_seal_is_added: {"seal 4", B2},
    a_seal_is_no_seal: {"seal 2"},
    another_record_is_named_by_a_longer_salt: {f"{B2}, entry 0"},
    a_salt_is_written_otherwise: {f"{B2}, entry 0"},
    a_name_is_an_object: {f"{B4}, entry 0"},
    a_detail_is_a_number: {f"{B4}, entry 0"},
    details_are_a_list: {f"{B4}, entry 0"},
    details_are_left_out: {f"{B4}, entry 0"},
    a_name_says_more: {f"{B4}, entry 0"},
    a_record_is_a_number: {f"{B4}, entry 0"},
    details_are_not_in_order: {B4},
    a_name_is_as_in_format_2: {f"{B4}, entry 0"},
    a_batch_is_of_format_2: {B4},
    an_entry_is_of_format_2: {f"{B4}, entry 0"},
    a_pause_is_by_another: {f"{B4}, entry 1"},
    a_name_is_an_empty_list: {f"{B4}, entry 0"},
    names_are_an_object: {B2},
    dropped_names_are_left_out: {OLD_ONE},
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
    a_line_says_a_thing_twice: {"line 9"},
    many_seals_are_missing: {"seal 4", "seal 9999999999"},
    a_seal_is_no_first_one: {"seal 0", "seal 1"},
    the_first_seal_follows_another: {"seal 1", "seal 2"},
    a_head_goes_back: {"seal 4"},
    dropping_goes_back: {"seal 4"},
    time_goes_back: {"seal 4"},
    young_names_are_gone_by_a_seal: {B2},
    names_are_gone_of_what_is_dated_otherwise: {B4},
    an_entry_is_nested_a_level_too_deep: {B4},
    an_entry_is_nested_deeper_than_some_can_read: {B4},
    entries_are_an_object: {B4},
    entries_are_a_text: {B4},
    entries_are_other_things: {f"{B4}, entry 0", f"{B4}, entry 1"},
    names_are_one_too_many: {B4},
    a_name_is_spelt_with_other_code_points: {f"{B4}, entry 0"},
    a_line_says_half_a_character: {B4},
    a_hash_is_half_a_character: {B4},
    a_hash_moves_the_cursor: {B4},
    a_number_moves_the_cursor: {LINE_OF_B4},
    a_number_is_half_a_character: {LINE_OF_B4},
    a_number_is_too_large: {LINE_OF_B4},
    a_number_is_endless: {LINE_OF_B4},
    a_number_is_longer_than_can_be_read: {LINE_OF_B4},
    a_line_is_blank: {"line 2"},
    a_line_begins_with_a_mark: {LINE_OF_B4},
    a_seal_says_more: {"seal 4"},
    a_seal_is_of_a_version_that_is_a_truth: {"seal 4"},
    a_seal_is_of_another_version: {"seal 4"},
    a_seal_is_of_a_chain_more: {"seal 4"},
    a_seal_has_a_head_that_is_no_text: {"seal 4"},
    a_seal_has_a_head_before_the_first: {"seal 4"},
}
