"""The ledger as a file: a line that says what it is, then a line for each batch. Never whole in memory."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from lapse.trouble import TroubleError
from lapse.whole_file import written
from shared.instants import to_text
from shared.ledger_batch import Batch

FORMAT = 1
WHAT = "lapse ledger export"
_BEGINNING = json.dumps({"v": FORMAT, "what": WHAT})[:-1] + ", "
"""Of the first line. As it stands, so that all who read it take the same files for exports."""
_MOST = 2**53 - 1
"""Larger numbers are not the same to all readers of JSON."""
_NONE = TroubleError("EXPORT: the file is none of `lapse ledger export`.", "Name one, or leave it out.")


def lines_of(stack: str, at: datetime, batches: Iterable[Batch]) -> Iterator[str]:
    """The lines of an export, without their ends."""
    yield json.dumps({"v": FORMAT, "what": WHAT, "stack": stack, "at": to_text(at)})
    for batch in batches:
        yield json.dumps(batch, default=str)  # a number that is no whole one is somebody's forgery


def write_whole(file: Path, lines: Iterable[str]) -> int:
    """Write a file, which is there only once it is whole; how many lines.

    Raises:
        TroubleError: it cannot be written.
    """
    try:
        with written(file) as out:
            number = write(out, lines)
    except OSError as error:
        raise TroubleError(f"--out: the file cannot be written ({error.strerror}).") from None
    return number


def write(stream: TextIO, lines: Iterable[str]) -> int:
    """Write lines; how many."""
    number = 0
    for line in lines:
        stream.write(f"{line}\n")
        number += 1
    return number


def read_lines(file: Path) -> Iterator[Mapping[str, Any] | None]:
    """The batches of an export as they stand there, or `None` for a line that is none of any chain.

    Raises:
        TroubleError: the file is no export.
    """
    with file.open(encoding="utf-8", errors="replace") as lines:
        if not next(lines, "").startswith(_BEGINNING):
            raise _NONE
        for line in lines:
            yield _batch(line)


def _batch(line: str) -> Mapping[str, Any] | None:
    """What a line says, if it is an object that has a number in its chain."""
    try:
        value = json.loads(
            line, object_pairs_hook=_once, parse_int=_whole, parse_float=_whole, parse_constant=_whole
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and type(value.get("seq")) is int else None  # true is no 1


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a name that stands in it twice, two readers could take two values."""
    if len(dict(members)) != len(members):
        raise ValueError
    return dict(members)


def _whole(number: str) -> int:
    if abs(int(number)) > _MOST:
        raise ValueError
    return int(number)
