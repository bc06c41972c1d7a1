"""What is done to an export or its seals at random, the two verifiers find, or find nothing, alike.

They share no code, so what one takes for sound and the other does not is a mistake of one of them.
Hypothesis makes up the changes, always the same ones.
"""

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.sealing import LocalKey
from tests.tampering import Files
from tests.verifiers import audited_here, verified

VALUES: tuple[Any, ...] = (None, True, 0, 1, -1, 2**53, 2.0, "", "0", [], {}, [None], "\ud800")
CHARACTERS = '0123456789abcdef{}[]",:\\ \ntrul-.eEé'


def text_changed(text: str, at: random.Random) -> str:
    """A few characters more, less or others."""
    begin = at.randrange(len(text))
    end = begin + at.choice((0, 0, 1, 1, 2, 30, len(text)))
    put = at.choice(("", at.choice(CHARACTERS), text[begin:end] * 2))
    return text[:begin] + put + text[end:]


def value_changed(value: Any, at: random.Random) -> Any:
    """One thing more, less or another, somewhere inside."""
    if isinstance(value, dict | list) and value and at.random() < 0.8:  # so deep, on the average
        inside = at.choice(sorted(value) if isinstance(value, dict) else range(len(value)))
        match at.randrange(4):
            case 0:
                value.pop(inside)
            case 1 if isinstance(value, dict):
                value[at.choice(("a", "zz", "\U0001f600"))] = at.choice(VALUES)
            case _:
                value[inside] = value_changed(value[inside], at)
        return value
    return at.choice(VALUES)


def in_text(text: str, at: random.Random) -> str:
    """The same of what a text says; written as Lapse writes."""
    changed = value_changed(json.loads(text), at)
    return json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=at.random() < 0.3)


def line_changed(line: str, at: random.Random) -> str:
    """A batch: its text, its values, its names, or its body, hashed anew."""
    batch = json.loads(line)
    match at.randrange(4):
        case 0:
            return text_changed(line, at)
        case 1:
            return json.dumps(value_changed(batch, at))
        case 2 if batch["names"]:
            batch["names"] = in_text(batch["names"], at)
        case _:
            batch["body"] = in_text(batch["body"], at)
            batch["hash"] = hashlib.sha256(batch["body"].encode(errors="surrogatepass")).hexdigest()
    return json.dumps(batch)


def seal_changed(text: str, at: random.Random) -> str:
    """A seal: its text, or its values, or its body's."""
    seal = json.loads(text)
    match at.randrange(3):
        case 0:
            return text_changed(text, at)
        case 1:
            return json.dumps(value_changed(seal, at))
        case _:
            return json.dumps(seal | {"body": in_text(seal["body"], at)})


def changed_at_random(files: Files, at: random.Random) -> None:
    """Something, somewhere."""
    if at.random() < 0.7:  # lines have more to change
        line = at.randrange(1, len(files.lines))
        files.lines[line] = line_changed(files.lines[line], at)
    else:
        number = at.choice(sorted(files.seals))
        files.seals[number] = seal_changed(files.seals[number], at)


@settings(
    max_examples=150,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.randoms(use_true_random=False))
def test_they_agree(written: tuple[Path, LocalKey], tmp_path: Path, at: random.Random) -> None:
    """Whether anything is wrong; where, is for the tamperings to say that have a name."""
    files, directory = Files.of(*written), tmp_path / "files"
    changed_at_random(files, at)
    shutil.rmtree(directory, ignore_errors=True)
    arguments = files.given(directory)
    (ours, _, we_say), (theirs, _, they_say) = verified(arguments), audited_here(arguments)
    assert ours == theirs, f"{we_say}\n{they_say}"


@pytest.mark.parametrize(
    ("change", "is_sound"),
    [
        (lambda export: export.replace(b"\n", b"\r\n"), True),
        (lambda export: export.rstrip(b"\n"), True),
        (lambda export: export.replace(b"\n", b"\n\n", 3), False),
        (lambda export: export.replace(b"Shipments", b"Ship\xffments", 1), False),
        (lambda export: export.replace(b'"seq"', b'"seq":0,"seq"', 4), False),
        (lambda export: export + export.partition(b"\n")[2], False),
        (lambda export: export + b"NaN\n", False),
        (lambda export: export + b"9" * 10_000 + b"\n", False),
        (lambda export: export + b"[" * 100_000 + b"\n", False),
    ],
)
def test_they_agree_on_bytes(
    files: Files, tmp_path: Path, change: Callable[[bytes], bytes], *, is_sound: bool
) -> None:
    """How lines end is nothing that was told; all else has a place, however hostile, and neither breaks."""
    arguments = files.given(tmp_path / "files")
    export = Path(arguments[0])
    export.write_bytes(change(export.read_bytes()))
    (ours, our_places, _), (theirs, their_places, _) = verified(arguments), audited_here(arguments)
    assert (ours, our_places) == (theirs, their_places)
    assert (ours == 0) is is_sound
