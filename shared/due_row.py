"""Rows of the Due table: a timer each, which can be told apart, removed and read again."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from shared.instants import parse_rfc3339, to_text
from shared.record import RecordRef
from shared.timer import Timer

FORMAT = "1"
"""Version of the rows."""
_PLAIN = re.compile(r"[0-9A-Za-z:#_.-]*")


def row_of_timer(timer: Timer) -> dict[str, Any]:
    """The row that holds a timer; its stamp is another each time that it is written."""
    return {
        "shard": {"S": shard_key(timer.record.shard)},
        "sk": {"S": timer.sort_key},
        "v": {"N": FORMAT},
        "table": {"S": timer.record.table},
        "key": {"M": timer.record.key},
        "rule": {"S": timer.rule},
        "due": {"S": to_text(timer.due)},
        "attempts": {"N": str(timer.attempts)},
        "stamp": {"S": uuid4().hex},
    }


def timer_of_row(row: Mapping[str, Any]) -> Timer | None:
    """What a row says; `None` if it cannot be read."""
    try:
        return _read(row)
    except (ValueError, KeyError, TypeError):
        return None


def _read(row: Mapping[str, Any]) -> Timer:
    timer = Timer(
        record=RecordRef.of(RecordRef(row["table"]["S"], row["key"]["M"]).text),
        rule=row["rule"]["S"],
        at=parse_rfc3339(row["sk"]["S"].partition("#")[0]),
        due=parse_rfc3339(row["due"]["S"]),
        attempts=_attempts(row["attempts"]["N"]),
        stamp=row["stamp"]["S"],
    )
    own_key = shard_key(timer.record.shard), quotable(timer.sort_key)
    if own_key != (row["shard"]["S"], row["sk"]["S"]) or not quotable(timer.stamp):
        raise ValueError("not a row that a timer leaves: it could not be removed")
    return timer


def _attempts(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise ValueError("attempts are no small whole number")
    return int(text)


def quotable(value: str) -> str:
    """A value that can stand between quotes: digits, letters and `:#_.-` are all that keys are made of."""
    if not _PLAIN.fullmatch(value):
        raise ValueError("a timer's key is not made of plain characters")
    return value


def shard_key(shard: int) -> str:
    """A shard, as the partition key names it."""
    return f"{shard:02}"
