"""What was told, as JSON and CSV: for `--json` and `--csv`. References and instants, no personal field."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lapse.answer import days_left
from lapse.listing import Listing, key_cell
from shared.answer_requests import TIME_TO_ANSWER
from shared.facts import Hold, Request
from shared.instants import add
from shared.outgoing import plain_key
from shared.pausing import Pause
from shared.record import RecordRef

_RECORD_COLUMNS = ("table", "key")
HOLD_COLUMNS = (
    *_RECORD_COLUMNS,
    *("case_ref", "reason_code", "opened_by", "since", "until", "in_force", "days_left"),
)
"""Of holds in force."""
REQUEST_COLUMNS = (
    *("request_id", *_RECORD_COLUMNS, "requested_at", "approved_by"),
    *("answer_by", "days_left", "answered_at", "answer"),
)
ASKED_COLUMNS = ("request_id", "rule", *_RECORD_COLUMNS, "becomes")
"""Of records that are to be erased on request."""
MEANING_COLUMNS = (
    *(*_RECORD_COLUMNS, "rule", "clause", "mode", "anchor", "due"),
    *("has_fields", "decision", "why", "until"),
)
"""Of what each rule means to a record."""
FAULT_COLUMNS = ("what", *_RECORD_COLUMNS, "rule", "why")
"""Of what is wrong with a restored table."""


def listing_of(
    columns: Sequence[str], found: Sequence[Mapping[str, Any]], remarks: Sequence[str] = ()
) -> Listing:
    """What was found of records, as a list; what it cannot hold is said beside it."""
    rows = [{**each, "key": key_cell(each["key"])} for each in found]
    return Listing(columns, rows, remarks)


def name_of(record: RecordRef) -> str:
    """A record for people: `Shipments S-1001`, or `Orders pk=ORDER#1 sk=META`."""
    key = plain_key(record)
    parts = key.values() if len(key) == 1 else (f"{name}={value}" for name, value in key.items())
    return " ".join([record.table, *parts])


def record_json(record: RecordRef) -> dict[str, Any]:
    """A record as the contract names it."""
    return {"table": record.table, "key": plain_key(record)}


def hold_json(hold: Hold, now: datetime) -> dict[str, Any]:
    """A hold; without an `until` it ends when it is closed."""
    return {
        "case_ref": hold.case_ref,
        "reason_code": hold.reason_code,
        "opened_by": hold.opened_by,
        "since": hold.since,
        "until": hold.until,
        "in_force": hold.in_force(now),
        "days_left": days_left(hold.until, now) if hold.until and hold.in_force(now) else None,
        "closed_by": hold.closed_by or None,
        "closed_at": hold.closed_at,
    }


def pause_json(pause: Pause) -> dict[str, Any]:
    """Who paused Lapse, why, and until when."""
    return {"by": pause.paused_by, "reason_code": pause.reason_code, "until": pause.until}


def request_json(request: Request, now: datetime) -> dict[str, Any]:
    """A request; `days_left` of the month until its answer is due, if it is open."""
    answer_by = add(request.requested_at, TIME_TO_ANSWER)
    return {
        "request_id": request.request_id,
        "requested_at": request.requested_at,
        "approved_by": request.approved_by,
        "answer_by": answer_by,
        "days_left": days_left(answer_by, now) if request.answered_at is None else None,
        "answered_at": request.answered_at,
        "answer": request.answer or None,
    }


def dotted(paths: Any) -> str:  # noqa: ANN401 -- somebody may have forged it
    """The fields of an entry of the ledger, in one cell; nothing of what are no paths."""
    try:
        return " ".join(".".join(path) for path in paths)
    except TypeError:
        return ""
