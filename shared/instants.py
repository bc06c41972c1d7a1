"""Instants: read from their declared formats, written as RFC 3339, rounded up.

Whenever a text leaves a choice, the later instant is taken: erasing a moment late keeps the promise,
erasing a moment early breaks it.
"""

import math
import re
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""The first and the last representable instant; what would lie outside of them stays there."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ](?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,18}))?"
    r"(?P<offset>[Zz]|[+-]\d\d:\d\d)?",
    re.ASCII,
)
_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?", re.ASCII)


class AnchorFormat(StrEnum):
    """How an instant is written. Declared by the policy, never guessed."""

    RFC3339 = "rfc3339"
    EPOCH_SECONDS = "epoch-seconds"
    EPOCH_MILLIS = "epoch-millis"
    DATE = "date"
    NAIVE = "naive"


class UnreadableInstantError(ValueError):
    """The text is not an instant in the declared format. Never carries the text itself."""


def parse(text: str, anchor_format: AnchorFormat, zone: ZoneInfo) -> datetime:
    """Read an instant in its declared format.

    Args:
        text: as found on the record or in the event.
        anchor_format: how it is written.
        zone: the zone of bare dates and naive times; the other formats carry their own.

    Returns:
        An aware UTC instant; a bare date is the last instant of that local day.

    Raises:
        UnreadableInstantError: the text is not in this format, or not representable.
    """
    try:
        match anchor_format:
            case AnchorFormat.RFC3339:
                return parse_rfc3339(text)
            case AnchorFormat.EPOCH_SECONDS:
                return _from_epoch(text, microseconds_per_unit=1_000_000)
            case AnchorFormat.EPOCH_MILLIS:
                return _from_epoch(text, microseconds_per_unit=1_000)
            case AnchorFormat.NAIVE:
                return _from_naive(text, zone)
            case AnchorFormat.DATE:
                return end_of_day(_date(text), zone)
    except (ValueError, OverflowError):
        raise UnreadableInstantError(anchor_format.value) from None


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 instant, which must carry an offset, as UTC.

    Raises:
        UnreadableInstantError: as `parse`.
    """
    try:
        local, offset = _split(text)
        return local.replace(tzinfo=UTC) - _offset_length(offset)
    except (ValueError, OverflowError):
        raise UnreadableInstantError("rfc3339") from None


def to_text(instant: datetime) -> str:
    """Write an instant as RFC 3339 in UTC: `2026-08-25T10:15:00Z`, with a fraction only if there is one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def ceil(instant: datetime, unit: timedelta) -> datetime:
    """Round an instant up to a whole second, minute or day of UTC."""
    over = (instant - _EPOCH) % unit
    return add(instant, unit - over) if over else instant


def add(instant: datetime, length: timedelta) -> datetime:
    """Add elapsed time to a UTC instant; what is not representable stays at the last, or the first."""
    try:
        return instant + length
    except OverflowError:
        return LAST if length > timedelta(0) else FIRST


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The last instant of a local day, as UTC (one microsecond before the next day begins)."""
    if day == date.max:
        return LAST
    return _local_to_utc(datetime.combine(day + DAY, time.min), zone) - MICROSECOND


def _split(text: str) -> tuple[datetime, str | None]:
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        raise UnreadableInstantError("shape")
    clock, leap = found["time"], found["time"].endswith(":60")
    local = datetime.fromisoformat(f"{found['date']}T{clock[:-2] + '59' if leap else clock}")
    # Fractions finer than a microsecond are rounded up; a leap second counts as the one after it.
    microseconds = -(-int((found["fraction"] or "0").ljust(18, "0")) // 10**12)
    return local + timedelta(microseconds=microseconds) + (SECOND if leap else timedelta(0)), found["offset"]


def _offset_length(offset: str | None) -> timedelta:
    if offset is None:
        raise UnreadableInstantError("offset")
    if offset in "Zz":
        return timedelta(0)
    distance = time.fromisoformat(offset[1:])
    return (-1 if offset[0] == "-" else 1) * timedelta(hours=distance.hour, minutes=distance.minute)


def _from_epoch(text: str, microseconds_per_unit: int) -> datetime:
    if not _NUMBER.fullmatch(text):
        raise UnreadableInstantError("number")
    return _EPOCH + timedelta(microseconds=math.ceil(Fraction(text) * microseconds_per_unit))


def _from_naive(text: str, zone: ZoneInfo) -> datetime:
    local, offset = _split(text)
    if offset is not None:
        raise UnreadableInstantError("offset")
    return _local_to_utc(local, zone)


def _date(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise UnreadableInstantError("date")
    return date.fromisoformat(text)


def _local_to_utc(local: datetime, zone: ZoneInfo) -> datetime:
    """The latest of the instants that a local time may mean: there are two when the clock changes."""
    return max(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
