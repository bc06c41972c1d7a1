"""Lists as CSV, for spreadsheets and other programs."""

import csv
import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TextIO

from shared.instants import to_text

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n")
"""What spreadsheets take a cell for a formula by, also in full width, or look past (OWASP, CSV injection)."""


@dataclass(frozen=True)
class Listing:
    """Rows by the names of their columns; a value that a row lacks is an empty cell."""

    columns: Sequence[str]
    rows: Iterable[Mapping[str, Any]]
    remarks: Sequence[str] = ()
    """What does not fit into the list, and must not be lost: for stderr."""


class WrittenRows:
    """A list that is written row by row, as the rows come."""

    def __init__(self, columns: Sequence[str], out: TextIO) -> None:
        """Write the header."""
        self._columns = columns
        self._writer = csv.writer(out, lineterminator="\n")
        self._writer.writerow(columns)

    def add(self, row: Mapping[str, Any]) -> None:
        """Write one more."""
        self._writer.writerow(_cell(row.get(column)) for column in self._columns)


def print_listing(listing: Listing) -> None:
    """Print a header and the rows; remarks go to stderr."""
    written = WrittenRows(listing.columns, sys.stdout)
    for row in listing.rows:
        written.add(row)
    for remark in listing.remarks:
        print(remark, file=sys.stderr)


def key_cell(key: Mapping[str, str]) -> str:
    """A record's key in one cell, as commands take it: `pk=ORDER sk=META`."""
    return shlex.join(f"{name}={value}" for name, value in key.items())


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)  # a negative number is no formula
        case datetime():
            return to_text(value)
        case str() | date():
            return _guarded(str(value))
        case _:
            return _guarded(json.dumps(value, ensure_ascii=False, default=str))


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
