"""What must be true of whatever was read, and of whatever was refused."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from shared.instants import DAY, FIRST, LAST, parse_rfc3339, to_text
from shared.key_template import EMAIL
from shared.record import SHARDS, RecordRef
from shared.refused import RefusedError
from tests.builders import NOW
from tests.fuzz.tables import CANARY, CANARY_DIGITS

_OURS = {
    *("body", "event", "detail-type", "time", "detail", "v", "line", "record", "records", "table", "key"),
    *("shipment_id", "contact_id", "shipped_at", "notified_at", "returned_at"),
    *("reason_code", "case_ref", "opened_by", "opened_at", "until", "closed_by", "closed_at"),
    *("request_id", "requested_at", "approved_by"),
}
"""The names of the contract, and of what the key templates here read."""


def silent(error: BaseException) -> None:
    """An error says nothing of a value, nor do those that are logged with it."""
    for said in _sayings(error):
        assert CANARY not in said, "an error says a value"
        assert CANARY_DIGITS not in said, "an error says a number"


def _sayings(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield from (str(error), repr(error), repr(error.args), *getattr(error, "__notes__", ()))
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _sayings(each)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def well_refused(refused: RefusedError) -> None:
    """A refusal can stand in a message's attribute: a known name, a short reason, plain characters."""
    silent(refused)
    named = {name for name in re.split(r", |\.", refused.field) if not name.isdecimal()}
    assert named <= _OURS, "a refusal names no field of ours"
    assert len(str(refused)) < 600
    assert str(refused).replace("…", "").isascii()
    assert str(refused).isprintable()


def sound(instant: datetime) -> datetime:
    """An accepted instant is aware and in UTC, within the calendar, and is read again as it is written."""
    assert isinstance(instant, datetime)
    assert instant.tzinfo is UTC
    assert FIRST <= instant <= LAST
    assert parse_rfc3339(to_text(instant)) == instant
    return instant


def not_ahead(instant: datetime) -> datetime:
    """A sound instant, not more than a day ahead."""
    assert sound(instant) <= NOW + DAY
    return instant


def referable(record: RecordRef) -> None:
    """An accepted record has a reference that can be read again, and that no table refuses."""
    assert RecordRef.of(record.text) == record
    assert len(record.text.encode()) <= 2048
    assert 0 <= record.shard < SHARDS
    for value in record.key.values():
        ((kind, text),) = value.items()
        assert kind in {"S", "N"}
        assert text
        assert not EMAIL.search(text)
        assert len(text.encode()) <= 1024
