"""The figures as a table for the terminal, and between the markers of docs/performance.md."""

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from bench.client_cpu import PURGE, PURGE_WORKERS, ClientCpu
from bench.cold_start import ColdStart
from bench.whole_life import KB, Life, MeteredLives, StandingSchedules
from lapse import project

DOCUMENT = project.ROOT / "docs" / "performance.md"
START, END = "<!-- measured:start -->", "<!-- measured:end -->"
CPU_AIM, COLD_START_AIM = 1.4, 1.5
_OPERATIONS = (
    *("CreateSchedule", "BatchGetItem", "GetItem", "Query"),
    *("UpdateItem", "TransactWriteItems", "BatchWriteItem", "PutItem", "DeleteItem"),
    "BatchExecuteStatement",
)

type Row = tuple[str, ...]


@dataclass(frozen=True)
class Results:
    """All that one run measured."""

    cpu: Sequence[ClientCpu]
    lapse: Life
    usual: Life
    metered: Sequence[MeteredLives]
    standing: StandingSchedules
    cold: Sequence[ColdStart]


@dataclass(frozen=True)
class Section:
    """One table: what it is about, its column heads and its rows."""

    title: str
    heads: Row
    rows: Sequence[Row]


def sections(results: Results) -> Iterator[Section]:
    """The figures, in the order of the document."""
    yield Section(
        "Client CPU for each erased record of 1 KB",
        ("", "ms a record", "against the bare loop", "aim"),
        [(each.name, f"{each.median:.2f}", f"{each.ratio:.2f}", _cpu_aim(each)) for each in results.cpu],
    )
    yield Section(
        f"Calls for each record's whole life ({results.lapse.records} shipments, due at 10,000 an hour)",
        ("operation", "Lapse", "usual way"),
        list(_calls(results.lapse, results.usual)),
    )
    yield Section(
        "Write and read units for each record's whole life, and dollars a million records",
        ("", "1 KB: writes", "reads", "$/M", "4 KB: writes", "reads", "$/M"),
        [(each.name, *_prices(each)) for each in results.metered],
    )
    yield Section(
        "Where Lapse's units for a shipment of 1 KB go",
        ("operation", "writes", "reads"),
        list(_units(results.metered[0].by_size[KB])),
    )
    yield Section(
        f"Schedules that stand for {results.standing.records:,} records due within one hour",
        ("", "Lapse", "usual way"),
        [("schedules", f"{results.standing.lapse:,}", f"{results.standing.usual:,}")],
    )
    yield Section(
        "Cold start under Lambda's runtime emulator (INIT), against a function that only makes a client",
        ("function", "ms", "bare, ms", "ratio", "aim"),
        [_cold_start(each) for each in results.cold],
    )


def as_table(results: Results) -> Table:
    """All sections, one below the other."""
    outer = Table.grid()
    for section in sections(results):
        table = Table(*section.heads, title=section.title, title_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for row in section.rows:
            table.add_row(*row)
        outer.add_row(table)
        outer.add_row("")
    return outer


def write_document(results: Results) -> Path:
    """Put the figures between the document's markers; says where it is."""
    before, _, rest = DOCUMENT.read_text().partition(START)
    _, _, after = rest.partition(END)
    body = "\n\n".join([_circumstances(), *map(_markdown, sections(results))])
    DOCUMENT.write_text(f"{before}{START}\n\n{body}\n\n{END}{after}")
    return DOCUMENT.relative_to(project.ROOT)


def _circumstances() -> str:
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    today = datetime.now(UTC).date()
    return f"Printed by `make bench` on {today}: {machine}, Python {platform.python_version()}."


def _markdown(section: Section) -> str:
    heads = "| " + " | ".join(section.heads) + " |"
    line = "|---|" + "---:|" * (len(section.heads) - 1)
    rows = ["| " + " | ".join(row) + " |" for row in section.rows]
    return "\n".join([f"### {section.title}", "", heads, line, *rows])


def _cpu_aim(each: ClientCpu) -> str:
    return _aim(each.ratio, CPU_AIM) if each.name in {PURGE, PURGE_WORKERS} else ""


def _cold_start(each: ColdStart) -> Row:
    aim = _aim(each.ratio, COLD_START_AIM)
    return each.function, f"{each.median:.0f}", f"{each.bare_median:.0f}", f"{each.ratio:.2f}", aim


def _aim(ratio: float, aim: float) -> str:
    return f"at most {aim}: {'met' if ratio <= aim else 'missed'}"


def _calls(lapse: Life, usual: Life) -> Iterator[Row]:
    for operation in _OPERATIONS:
        ours, theirs = lapse.calls.get(operation, 0), usual.calls.get(operation, 0)
        if ours or theirs:
            yield operation, _number(ours), _number(theirs)
    yield "in all", _number(lapse.calls_in_all), _number(usual.calls_in_all)


def _units(life: Life) -> Iterator[Row]:
    for operation in _OPERATIONS:
        if operation in life.units:
            yield operation, _number(life.units[operation].write), _number(life.units[operation].read)
    yield "in all", _number(life.units_in_all.write), _number(life.units_in_all.read)


def _prices(lives: MeteredLives) -> Iterator[str]:
    for life in lives.by_size.values():
        units = life.units_in_all
        yield from (_number(units.write), _number(units.read), f"{units.dollars_per_million:.2f}")


def _number(number: float) -> str:
    return f"{number:.2f}" if number else "-"
