"""A second reader of instants, written by hand from the formats' definitions, to compare with.

It shares nothing with `shared.instants`: no regular expression, no `datetime` arithmetic. Instants are whole
microseconds since the year 1, and `None` where there is none.
"""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal

from shared.instants import AnchorFormat

FIRST = datetime(1, 1, 1, tzinfo=UTC)
SECOND, DAY = 1_000_000, 86_400_000_000
MOST = 3_652_059 * DAY
"""One more than the last microsecond of the year 9999."""
TO_EPOCH = 719_162 * DAY
DIGITS = frozenset("0123456789")
EXACTLY = Context(prec=80, rounding=ROUND_CEILING)
_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_LONG = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def microseconds(instant: datetime) -> int:
    """A UTC instant, counted."""
    return (instant - FIRST) // timedelta(microseconds=1)


def read(text: str, written: AnchorFormat) -> int | None:
    """An instant of a format that carries its own zone; a naive time or a date as if it were UTC."""
    match written:
        case AnchorFormat.RFC3339:
            return rfc3339(text)
        case AnchorFormat.EPOCH_SECONDS:
            return epoch(text, 6)
        case AnchorFormat.EPOCH_MILLIS:
            return epoch(text, 3)
        case AnchorFormat.DATE:
            day = _day(text)
            return None if day is None else (day + 1) * DAY - 1
        case AnchorFormat.NAIVE:
            return within(_local(text))


def within(instant: int | None) -> int | None:
    """The instant, if it is representable."""
    return instant if instant is not None and 0 <= instant < MOST else None


def rfc3339(text: str) -> int | None:
    """An instant with its offset."""
    if text[-1:] in {"Z", "z"}:
        return within(_local(text[:-1]))
    body, sign, zone = text[:-6], text[-6:-5], text[-5:]
    hours, minutes = _digits(zone[:2], 2), _digits(zone[3:], 2)
    local = _local(body)
    if sign not in {"+", "-"} or zone[2:3] != ":" or local is None:
        return None
    if hours is None or minutes is None or hours > 23 or minutes > 59 or within(local) is None:
        return None
    return within(local - (60 * hours + minutes) * 60 * SECOND * (1 if sign == "+" else -1))


def epoch(text: str, exponent: int) -> int | None:
    """A count of seconds or milliseconds, with a fraction or without, rounded up."""
    whole, point, fraction = text.removeprefix("-").partition(".")
    if not _few(whole) or (point and not _few(fraction)):
        return None
    number = Decimal(text).scaleb(exponent, EXACTLY).to_integral_value(ROUND_CEILING, EXACTLY)
    return within(TO_EPOCH + int(number))


def _few(digits: str) -> bool:
    return 1 <= len(digits) <= 18 and set(digits) <= DIGITS


def _local(text: str) -> int | None:
    """A date and a time of day; the second 60 is the one after 59."""
    day, clock, fraction = _day(text[:10]), text[11:19], text[19:]
    if day is None or text[10:11] not in {"T", "t", " "} or clock[2:3] + clock[5:6] != "::":
        return None
    hour, minute, second = (_digits(part, 2) for part in (clock[:2], clock[3:5], clock[6:]))
    if hour is None or minute is None or second is None or hour > 23 or minute > 59 or second > 60:
        return None
    if fraction and not (fraction[0] == "." and _few(fraction[1:])):
        return None
    parts = -(-int(fraction[1:].ljust(18, "0") or 0) // 10**12)
    return within(day * DAY + (hour * 3600 + minute * 60 + second) * SECOND + parts)


def _day(text: str) -> int | None:
    """Days since the year 1."""
    year, month, day = _digits(text[:4], 4), _digits(text[5:7], 2), _digits(text[8:], 2)
    if len(text) != 10 or text[4] + text[7] != "--" or not year or not month or not day or month > 12:
        return None
    leaps = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > _LONG[month - 1] + (leaps and month == 2):
        return None
    years = year - 1
    return (
        years * 365
        + years // 4
        - years // 100
        + years // 400
        + _BEFORE[month - 1]
        + day
        - 1
        + (leaps and month > 2)
    )


def _digits(text: str, number: int) -> int | None:
    return int(text) if len(text) == number and set(text) <= DIGITS else None
