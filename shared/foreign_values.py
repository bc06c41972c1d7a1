"""Ids and instants as foreign systems write them: read exactly, or refused without quoting them."""

import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from shared.instants import DAY, AnchorFormat, UnreadableInstantError, add, parse
from shared.sources import Reason

LONGEST_NAME = 256
MOST_BITS = 1024
"""An integer of more bits has more than 256 digits; of more than 4,300 digits, Python refuses to write it."""
NOT_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)


class NothingError(Exception):
    """A record, or a whole event, becomes nothing."""

    def __init__(self, reason: Reason) -> None:
        """Keep the reason."""
        super().__init__(reason.value)
        self.reason = reason


def read_name(value: object, missing: Reason, malformed: Reason) -> str:
    """Read an id or a named field: text or a whole number, short, printable, and no e-mail address.

    Raises:
        NothingError: for one of the two reasons.
    """
    if value is None or value == "":
        raise NothingError(missing)
    text = value if isinstance(value, str) else _whole_number(value)
    if text is None or len(text) > LONGEST_NAME or not text.isprintable() or text != text.strip():
        raise NothingError(malformed)
    if "@" in unicodedata.normalize("NFKC", text).replace("%40", "@"):
        raise NothingError(malformed)
    return text


def read_instant(value: object, written: AnchorFormat, zone: ZoneInfo, received_at: datetime) -> datetime:
    """Read an instant in its declared format, as UTC.

    Raises:
        NothingError: it is missing, unreadable, before 2000, or more than a day ahead.
    """
    if value is None or value == "":
        raise NothingError(Reason.INSTANT_MISSING)
    text = str(value) if isinstance(value, str | float | Decimal) else _whole_number(value)
    try:
        instant = parse(text or "", written, zone)
    except UnreadableInstantError:
        raise NothingError(Reason.INSTANT_UNREADABLE) from None
    if not NOT_BEFORE <= instant <= add(received_at, DAY):
        raise NothingError(Reason.INSTANT_IMPLAUSIBLE)
    return instant


def _whole_number(value: object) -> str | None:
    """Its digits. A float has lost those beyond 2^53 already, so it is none; nor is a bool."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0 or value.bit_length() > MOST_BITS:
        return None
    return str(value)
