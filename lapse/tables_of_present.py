"""The tables of a report that say how things are: what is overdue, comes due, is held or asked for."""

from collections.abc import Iterator
from datetime import datetime

from lapse.answer import days_left, left
from lapse.copies import TableCopies
from lapse.overview import Overview
from lapse.present import answer_by
from lapse.report_table import Row, Table, record_cells, table
from shared.facts import Hold, Request
from shared.policy import Policy
from shared.record import RecordRef
from shared.timer import Timer

OVERDUE_COLUMNS = ("table", "key", "rule", "clause", "due", "late_seconds", "attempts")
"""In CSV, where all of them stand."""


def overdue(seen: Overview) -> Table:
    """What is overdue, the oldest first; as many as the overview kept."""
    rows = [overdue_row(each, seen.now, seen.policy) for each in seen.timetable.oldest]
    columns = ("record", "rule", "clause", "due", "late", "attempts")
    return Table("overdue", "Overdue, the oldest first", columns, rows, seen.present.horizon.overdue)


def overdue_row(timer: Timer, now: datetime, policy: Policy) -> Row:
    """One overdue timer."""
    rule = policy.rule(timer.rule)
    return {
        **record_cells(timer.record),
        "rule": timer.rule,
        "clause": rule.clause if rule else None,
        "due": timer.due,
        "late": left(timer.due, now).removesuffix(" late"),
        "late_seconds": int((now - timer.due).total_seconds()),
        "attempts": timer.attempts,
    }


def due(seen: Overview) -> Table:
    """What becomes due by day and rule."""
    coming = sorted(seen.timetable.coming.items())
    rows = ({"day": day, "rule": rule, "timers": number} for (day, rule), number in coming)
    return table("due", "What becomes due", ("day", "rule", "timers"), rows)


def holds(seen: Overview) -> Table:
    """All holds in force."""
    columns = ("record", "case_ref", "reason_code", "opened_by", "since", "until", "days_left")
    rows = (_hold(record, each, seen.now) for record, each in seen.present.holds)
    return table("holds", "Holds in force, those that end first on top", columns, rows)


def requests(seen: Overview) -> Table:
    """All requests without an answer."""
    columns = ("request_id", "record", "requested_at", "approved_by", "answer_by", "days_left")
    rows = (_request(record, each, seen.now) for record, each in seen.present.requests)
    return table("requests", "Erasure requests without an answer, the oldest on top", columns, rows)


def copies(seen: Overview) -> Table:
    """Where erased fields may still be found."""
    columns = ("table", "recovery", "stream")
    return table("copies", "Copies of the tables", columns, map(_copies, seen.copies))


def dead_letters(seen: Overview) -> Table:
    """What was refused or failed, by reason."""
    rows = ({"reason": reason, "messages": number} for reason, number in seen.dead_letters.items())
    return table("dead_letters", "Dead letters by reason", ("reason", "messages"), rows)


def _hold(record: RecordRef, hold: Hold, now: datetime) -> Row:
    return {
        **record_cells(record),
        "case_ref": hold.case_ref,
        "reason_code": hold.reason_code,
        "opened_by": hold.opened_by,
        "since": hold.since,
        "until": hold.until,
        "days_left": days_left(hold.until, now) if hold.until else None,
    }


def _request(record: RecordRef, request: Request, now: datetime) -> Row:
    until = answer_by(request)
    return {
        **record_cells(record),
        "request_id": request.request_id,
        "requested_at": request.requested_at,
        "approved_by": request.approved_by,
        "answer_by": until,
        "days_left": days_left(until, now),
    }


def _copies(copies: TableCopies) -> Row:
    return {
        "table": copies.table,
        "recovery_days": copies.recovery_days,
        "recovery": " ".join(_recovery(copies.recovery_days)),
        "old_images": copies.streams,
        "stream": {None: "unknown", False: "none", True: "on: its readers see old images for 24 hours"}[
            copies.streams
        ],
    }


def _recovery(days: int | None) -> Iterator[str]:
    match days:
        case None:
            yield "unknown"
        case 0:
            yield "off"
        case _:
            yield f"on: what was erased can be restored for up to {days} days"
