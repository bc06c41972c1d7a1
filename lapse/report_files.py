"""The files of a report."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lapse.answer import plain
from lapse.controls import Controls
from lapse.horizon import overdue_timers
from lapse.listing import WrittenRows, key_cell
from lapse.overview import Overview
from lapse.report_page import page, tables_of
from lapse.report_table import Row, Table
from lapse.tables_of_evidence import DISPOSED, DISPOSED_COLUMNS, disposed_row
from lapse.tables_of_present import OVERDUE_COLUMNS, overdue_row
from lapse.verdict import verdict_of
from lapse.whole_file import written
from shared.ledger_batch import Kept

ERASED_CSV = "erased.csv"


def write_page(seen: Overview, path: Path) -> None:
    """The page, piece by piece."""
    with written(path) as out:
        out.writelines(page(seen))


def write_json(seen: Overview, path: Path) -> None:
    """The same figures for programs."""
    with written(path) as out:
        json.dump(as_json(seen), out, indent=2, ensure_ascii=False, default=plain)
        out.write("\n")


def as_json(seen: Overview) -> dict[str, Any]:
    """What was seen. Not all of what is overdue, or found, is named: see each `total`."""
    verdict, here = verdict_of(seen), seen.present
    return {
        "verdict": verdict.colour.value,
        "headline": verdict.headline,
        "remarks": verdict.remarks,
        "at": seen.now,
        "stack": {"name": seen.stack, "account": seen.account, "region": seen.region},
        "policy": {"id": seen.policy.id, "digest": seen.policy.digest},
        "dead_letters": here.dead_letters,
        "failures": here.failures,
        "unreadable": here.unreadable,
        "last_sweep": here.sweep and {"began": here.sweep.began, "finished": here.sweep.finished},
        "last_purge": here.last_purge and vars(here.last_purge),
        "last_seal": here.last_seal and {"number": here.last_seal.number, "at": here.last_seal.at},
        "last_seal_unknown": here.seal_unknown or None,
        "ledger": {"entries": seen.ledger.entries, "findings": seen.ledger.found},
        "tables": {name: {"total": each.total, "rows": each.rows} for name, each in tables_of(seen).items()},
    }


@contextmanager
def evidence_csv(folder: Path) -> Iterator[WrittenRows]:
    """The list of all erasures, which is written while the ledger is read."""
    folder.mkdir(parents=True, exist_ok=True)
    with written(folder / ERASED_CSV) as out:
        yield WrittenRows(DISPOSED_COLUMNS, out)


def add_evidence(rows: WrittenRows, kept: Kept) -> None:
    """An entry of the ledger, if it tells of an erasure."""
    if str(kept.entry.get("outcome")) in DISPOSED:
        rows.add(_listed(disposed_row(kept)))


def write_lists(lapse: Controls, seen: Overview, folder: Path) -> None:
    """A list for each table, with all its rows."""
    for each in tables_of(seen).values():
        if each.name != "overdue":
            _write(folder / f"{each.name}.csv", _columns(each), each.rows)
    late = (overdue_row(timer, seen.now, seen.policy) for timer in overdue_timers(lapse.timers, seen.now))
    _write(folder / "overdue.csv", OVERDUE_COLUMNS, late)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    with written(path) as out:
        lines = WrittenRows(columns, out)
        for row in rows:
            lines.add(_listed(row))


def _listed(row: Row) -> Row:
    return {**row, "key": key_cell(row["key"])} if "key" in row else row


def _columns(table: Table) -> Sequence[str]:
    """Those of the page; a record is a table and a key, as in all lists."""
    names: Mapping[str, tuple[str, ...]] = {"record": ("table", "key")}
    return [name for column in table.columns for name in names.get(column, (column,))]
