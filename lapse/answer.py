"""How commands answer: a text for people, one JSON object, or a list as CSV."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from lapse.listing import Listing, print_listing
from shared.instants import DAY, to_text


def answer(
    data: Any,  # noqa: ANN401 -- what JSON can hold
    *shown: RenderableType,
    as_json: bool,
    csv: Listing | None = None,
) -> None:
    """Print one of them. `shown` texts are no markup: what they hold comes from tables."""
    if as_json:
        print_json(data)
        return
    if csv is not None:
        print_listing(csv)
        return
    console = Console(highlight=False)
    for each in shown:
        console.print(Text(_printable(each)) if isinstance(each, str) else each)


def print_json(data: Any) -> None:  # noqa: ANN401 -- as above
    """Print one JSON object; instants in RFC 3339."""
    print(json.dumps(data, indent=2, ensure_ascii=False, default=plain))


def table_of(*titles: str) -> Table:
    """A table whose long names are wrapped, never cut off."""
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def add_row(table: Table, *cells: str, style: str = "") -> None:
    """One more row, of texts that are no markup."""
    table.add_row(*(Text(_printable(cell), style) for cell in cells))


def _printable(text: str) -> str:
    """The same without what moves a terminal's cursor, or is no character: somebody may have forged it."""
    return "".join(
        each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text
    )


def short(instant: datetime | None) -> str:
    """An instant, to the minute; of one that cannot be read, or is none, a dash."""
    return f"{instant:%Y-%m-%d %H:%MZ}" if instant else "-"


def ends(until: datetime | None) -> str:
    """When a pause or a hold ends; one whose end cannot be read is in force until somebody ends it."""
    return f"until {short(until)}" if until else "without an end that can be read"


def days_left(until: datetime, now: datetime) -> int:
    """Whole days until an instant; negative once it has passed."""
    return (until - now) // DAY


def left(until: datetime | None, now: datetime) -> str:
    """How long until an instant, in words."""
    if until is None:
        return "-"
    days, minutes = abs(until - now) // DAY, abs(until - now).seconds // 60
    hours = minutes // 60
    length = f"{days} d" if days else f"{hours} h" if hours else f"{minutes} min"
    return length if until > now else f"{length} late"


def counted(number: int, what: str, several: str = "") -> str:
    """`1 record`, `2 records`; `several` where an `s` does not make them many."""
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def summary(found: Sequence[object], what: str, unreadable: int) -> Iterator[str]:
    """What stands below a list of what was found in Facts."""
    yield counted(len(found), what) + "."
    yield from unreadable_rows(unreadable)


def unreadable_rows(number: int) -> list[str]:
    """That rows of Facts cannot be read, if there are any."""
    return [f"{counted(number, 'row')} of Facts cannot be read."] if number else []


def in_words(name: str) -> str:
    """A name of the program's for people: `hold_placed` becomes `hold placed`."""
    return name.replace("re_added", "re-added").replace("_", " ")


def plain(value: object) -> str:
    """What JSON has no form for: instants and days.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)
