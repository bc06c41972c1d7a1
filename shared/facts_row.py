"""A row of the Facts table: what was told about a record, as DynamoDB keeps it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.facts import FactKind, Facts, Hold, Request
from shared.instants import LAST, UnreadableInstantError, parse_rfc3339, to_text
from shared.record import RecordRef

FORMAT = "1"
"""Version of the rows."""


def row_of_facts(record: RecordRef, facts: Facts) -> dict[str, Any]:
    """The whole row. What is empty is left out."""
    parts: dict[str, dict[str, Any]] = {
        "withdrawn": {kind.value: _instants(each) for kind, each in facts.withdrawn.items() if each},
        "holds": {hold.case_ref: {"M": _hold_row(hold)} for hold in facts.holds.values()},
        "requests": {each.request_id: {"M": _request_row(each)} for each in facts.requests.values()},
    }
    return {
        "record": {"S": record.text},
        "v": {"N": FORMAT},
        "version": {"N": str(facts.version)},
        **{kind.value: _instants(each) for kind, each in facts.instants.items() if each},
        **{name: {"M": part} for name, part in parts.items() if part},
    }


def facts_of_row(row: Mapping[str, Any]) -> Facts:
    """What a row says. A hold that can only be read in part is a hold.

    Raises:
        UnreadableInstantError: an instant of a fact cannot be read.
    """
    withdrawn = row.get("withdrawn", {}).get("M", {})
    holds = row.get("holds", {}).get("M", {})
    requests = row.get("requests", {}).get("M", {})
    return Facts(
        version=_version(row["version"]["N"]),
        instants={kind: _read_instants(row[kind.value]) for kind in FactKind if kind.value in row},
        holds={case_ref: _hold(case_ref, each["M"]) for case_ref, each in holds.items()},
        requests={request_id: _request(request_id, each["M"]) for request_id, each in requests.items()},
        withdrawn={
            kind: _read_instants(withdrawn[kind.value]) for kind in FactKind if kind.value in withdrawn
        },
    )


def _version(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("version is no whole number") from None


def _instants(instants: frozenset[datetime]) -> dict[str, Any]:
    return {"SS": sorted(to_text(each) for each in instants)}


def _read_instants(value: Mapping[str, Any]) -> frozenset[datetime]:
    return frozenset(parse_rfc3339(text) for text in value["SS"])


def _hold_row(hold: Hold) -> dict[str, Any]:
    return _texts({
        "reason_code": hold.reason_code,
        "opened_by": hold.opened_by,
        "since": hold.since,
        "until": hold.until,
        "closed_at": hold.closed_at,
        "closed_by": hold.closed_by,
    })  # fmt: skip


def _hold(case_ref: str, row: Mapping[str, Any]) -> Hold:
    return Hold(
        reason_code=_text(row, "reason_code"),
        case_ref=case_ref,
        opened_by=_text(row, "opened_by"),
        since=_readable(_text(row, "since")),
        until=_readable(_text(row, "until")),
        closed_at=_readable(_text(row, "closed_at")),
        closed_by=_text(row, "closed_by"),
    )


def _request_row(request: Request) -> dict[str, Any]:
    return _texts({
        "requested_at": request.requested_at,
        "approved_by": request.approved_by,
        "answered_at": request.answered_at,
        "answer": request.answer,
    })  # fmt: skip


def _request(request_id: str, row: Mapping[str, Any]) -> Request:
    return Request(
        request_id=request_id,
        requested_at=_readable(_text(row, "requested_at")) or LAST,
        approved_by=_text(row, "approved_by"),
        answered_at=_readable(_text(row, "answered_at")),
        answer=_text(row, "answer"),
    )


def _texts(values: Mapping[str, datetime | str | None]) -> dict[str, Any]:
    texts = {name: to_text(each) if isinstance(each, datetime) else each for name, each in values.items()}
    return {name: {"S": text} for name, text in texts.items() if text}


def _text(row: Mapping[str, Any], name: str) -> str:
    return str(row.get(name, {}).get("S", ""))


def _readable(text: str) -> datetime | None:
    try:
        return parse_rfc3339(text)
    except UnreadableInstantError:
        return None
