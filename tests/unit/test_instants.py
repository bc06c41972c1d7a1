"""Instants: each declared format is read exactly, and every choice falls on the later instant."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.instants import (
    DAY,
    FIRST,
    LAST,
    MICROSECOND,
    MINUTE,
    SECOND,
    AnchorFormat,
    UnreadableInstantError,
    add,
    ceil,
    end_of_day,
    parse,
    parse_rfc3339,
    to_text,
)

LONDON = ZoneInfo("Europe/London")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

instants = st.datetimes(timezones=st.just(UTC))
clocks = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis wants naive bounds
zones = st.sampled_from(
    [ZoneInfo(name) for name in ("Europe/London", "UTC", "America/Havana", "Pacific/Apia", "Asia/Kathmandu")]
)


def utc(text: str) -> datetime:
    """An instant as the standard library reads it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param("2026-08-25T10:15:00Z", "2026-08-25T10:15:00", id="utc"),
        pytest.param("2026-08-25t10:15:00z", "2026-08-25T10:15:00", id="lower-case"),
        pytest.param("2026-08-25 10:15:00Z", "2026-08-25T10:15:00", id="space-between"),
        pytest.param("2026-08-25T10:15:00+01:00", "2026-08-25T09:15:00", id="east"),
        pytest.param("2026-08-25T10:15:00-05:30", "2026-08-25T15:45:00", id="west"),
        pytest.param("2026-08-25T10:15:00+00:00", "2026-08-25T10:15:00", id="plus-zero"),
        pytest.param("2026-08-25T10:15:00-00:00", "2026-08-25T10:15:00", id="minus-zero"),
        pytest.param("2026-08-25T10:15:00+23:59", "2026-08-24T10:16:00", id="farthest-east"),
        pytest.param("2026-08-25T10:15:00-23:59", "2026-08-26T10:14:00", id="farthest-west"),
        pytest.param("2024-02-29T23:59:59Z", "2024-02-29T23:59:59", id="leap-day"),
        pytest.param("2026-12-31T23:59:59-01:00", "2027-01-01T00:59:59", id="year-end"),
        pytest.param("2016-12-31T23:59:60Z", "2017-01-01T00:00:00", id="leap-second"),
        pytest.param("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.25", id="within-a-leap-second"),
        pytest.param("2017-01-01T05:29:60+05:30", "2017-01-01T00:00:00", id="leap-second-elsewhere"),
        pytest.param("2026-08-25T10:15:00.5Z", "2026-08-25T10:15:00.5", id="tenths"),
        pytest.param("2026-08-25T10:15:00.000001Z", "2026-08-25T10:15:00.000001", id="microsecond"),
        pytest.param("2026-08-25T10:15:00.0000001Z", "2026-08-25T10:15:00.000001", id="rounded-up"),
        pytest.param(
            "2026-08-25T10:15:00.000000000000000001Z", "2026-08-25T10:15:00.000001", id="attosecond"
        ),
        pytest.param("2026-08-25T10:15:00.9999999Z", "2026-08-25T10:15:01", id="rounded-up-to-the-second"),
        pytest.param("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999", id="last"),
        pytest.param("0001-01-01T00:00:00Z", "0001-01-01T00:00:00", id="first"),
    ],
)
def test_an_rfc_3339_instant_is_read_as_utc(text: str, instant: str) -> None:
    """An offset is subtracted; what is finer than a microsecond, and a leap second, count as later."""
    assert parse_rfc3339(text) == parse(text, AnchorFormat.RFC3339, LONDON) == utc(instant)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("2026-08-25T10:15:00", id="no-offset"),
        pytest.param("2026-08-25", id="no-time"),
        pytest.param("2026-08-25T10:15Z", id="no-seconds"),
        pytest.param("2026-08-25T10:15:00+24:00", id="offset-of-a-day"),
        pytest.param("2026-08-25T10:15:00+23:60", id="offset-of-60-minutes"),
        pytest.param("2026-08-25T10:15:00+0100", id="offset-without-colon"),
        pytest.param("2026-08-25T10:15:00+01", id="offset-of-hours"),
        pytest.param("2026-08-25T10:15:00ZZ", id="two-offsets"),
        pytest.param("2026-08-25T10:15:00.Z", id="no-digits-in-fraction"),
        pytest.param("2026-08-25T10:15:00,5Z", id="comma"),
        pytest.param("2026-08-25T10:15:00." + "0" * 19 + "Z", id="fraction-too-long"),
        pytest.param("2026-08-25T24:00:00Z", id="hour-24"),
        pytest.param("2026-08-25T10:60:00Z", id="minute-60"),
        pytest.param("2026-08-25T10:15:61Z", id="second-61"),
        pytest.param("2026-02-29T10:15:00Z", id="no-leap-year"),
        pytest.param("2026-13-01T10:15:00Z", id="month-13"),
        pytest.param("0000-01-01T00:00:00Z", id="year-0"),
        pytest.param("12026-08-25T10:15:00Z", id="five-digit-year"),
        pytest.param("9999-12-31T23:59:60Z", id="leap-second-beyond-the-last"),
        pytest.param("9999-12-31T23:59:59.9999999Z", id="fraction-beyond-the-last"),
        pytest.param("9999-12-31T23:59:59-00:01", id="offset-beyond-the-last"),
        pytest.param("0001-01-01T00:00:00+00:01", id="offset-before-the-first"),
        pytest.param(" 2026-08-25T10:15:00Z", id="space-before"),
        pytest.param("2026-08-25T10:15:00Z\n", id="newline-after"),
        pytest.param("٢٠٢٦-08-25T10:15:00Z", id="other-digits"),
        pytest.param("2026-08-25T10:15:00.\u0665Z", id="other-digits-in-fraction"),
        pytest.param("1787652900", id="epoch"),
        pytest.param("20260825T101500Z", id="basic-format"),
    ],
)
def test_what_is_no_rfc_3339_instant_is_unreadable(text: str) -> None:
    """Nothing is guessed: no offset, no instant; nor is the text in the error."""
    for read in (parse_rfc3339, lambda each: parse(each, AnchorFormat.RFC3339, LONDON)):
        with pytest.raises(UnreadableInstantError) as caught:
            read(text)
        assert str(caught.value) == "rfc3339"
        assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("text", "anchor_format", "instant"),
    [
        pytest.param("0", AnchorFormat.EPOCH_SECONDS, "1970-01-01T00:00:00", id="zero"),
        pytest.param("1787652900", AnchorFormat.EPOCH_SECONDS, "2026-08-25T10:15:00", id="seconds"),
        pytest.param("1787652900.5", AnchorFormat.EPOCH_SECONDS, "2026-08-25T10:15:00.5", id="half-seconds"),
        pytest.param(
            "1787652900.0000001", AnchorFormat.EPOCH_SECONDS, "2026-08-25T10:15:00.000001", id="rounded-up"
        ),
        pytest.param("-1", AnchorFormat.EPOCH_SECONDS, "1969-12-31T23:59:59", id="negative"),
        pytest.param(
            "-0.0000001", AnchorFormat.EPOCH_SECONDS, "1970-01-01T00:00:00", id="negative-rounded-up"
        ),
        pytest.param("253402300799", AnchorFormat.EPOCH_SECONDS, "9999-12-31T23:59:59", id="last-second"),
        pytest.param("0001787652900", AnchorFormat.EPOCH_SECONDS, "2026-08-25T10:15:00", id="leading-zeros"),
        pytest.param("1787652900000", AnchorFormat.EPOCH_MILLIS, "2026-08-25T10:15:00", id="millis"),
        pytest.param("1787652900001", AnchorFormat.EPOCH_MILLIS, "2026-08-25T10:15:00.001", id="one-milli"),
        pytest.param(
            "1787652900000.000000000000000001",
            AnchorFormat.EPOCH_MILLIS,
            "2026-08-25T10:15:00.000001",
            id="millis-rounded-up",
        ),
        pytest.param("-1", AnchorFormat.EPOCH_MILLIS, "1969-12-31T23:59:59.999", id="negative-millis"),
    ],
)
def test_an_epoch_is_counted_exactly(text: str, anchor_format: AnchorFormat, instant: str) -> None:
    """Seconds or milliseconds since 1970, rounded up to the microsecond, never through a binary fraction."""
    assert parse(text, anchor_format, LONDON) == utc(instant)


@given(
    whole=st.integers(-62_135_596_799, 253_402_300_798),
    fraction=st.text("0123456789", min_size=1, max_size=18),
    unit=st.sampled_from([(AnchorFormat.EPOCH_SECONDS, 1_000_000), (AnchorFormat.EPOCH_MILLIS, 1_000)]),
)
def test_an_epoch_is_never_early(whole: int, fraction: str, unit: tuple[AnchorFormat, int]) -> None:
    """The instant is less than a microsecond after the exact one, and never before it."""
    anchor_format, microseconds = unit
    text = f"{whole}.{fraction}"
    read = (parse(text, anchor_format, LONDON) - EPOCH) // MICROSECOND
    assert 0 <= read - Fraction(text) * microseconds < 1


@pytest.mark.parametrize("anchor_format", [AnchorFormat.EPOCH_SECONDS, AnchorFormat.EPOCH_MILLIS])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "1e9",
        "+1",
        "NaN",
        "Infinity",
        "0x10",
        "1_000",
        ".5",
        "5.",
        "1 ",
        "9" * 18,
        "-" + "9" * 18,
        "9" * 38,
        "\u0661",
    ],
)
def test_what_is_no_epoch_is_unreadable(text: str, anchor_format: AnchorFormat) -> None:
    """Only plain numbers of representable size count an epoch."""
    with pytest.raises(UnreadableInstantError, match=f"^{anchor_format}$"):
        parse(text, anchor_format, LONDON)


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        pytest.param("2026-01-25T10:15:00", "Europe/London", "2026-01-25T10:15:00", id="winter"),
        pytest.param("2026-08-25T10:15:00", "Europe/London", "2026-08-25T09:15:00", id="summer"),
        pytest.param("2026-03-29T01:30:00", "Europe/London", "2026-03-29T01:30:00", id="skipped-hour"),
        pytest.param("2026-10-25T01:30:00", "Europe/London", "2026-10-25T01:30:00", id="repeated-hour"),
        pytest.param("2026-03-29T00:59:59.9999999", "Europe/London", "2026-03-29T01:00:00", id="fraction"),
        pytest.param("2026-08-25 10:15:00", "America/New_York", "2026-08-25T14:15:00", id="elsewhere"),
        pytest.param("9999-12-31T23:59:59.999999", "UTC", "9999-12-31T23:59:59.999999", id="last"),
    ],
)
def test_a_naive_time_is_read_in_its_declared_zone(text: str, zone: str, instant: str) -> None:
    """Where the clock change makes a local time ambiguous, or skips it, the later instant is meant."""
    assert parse(text, AnchorFormat.NAIVE, ZoneInfo(zone)) == utc(instant)


@pytest.mark.parametrize(
    "text", ["2026-08-25T10:15:00Z", "2026-08-25T10:15:00+01:00", "2026-08-25", "1787652900"]
)
def test_a_naive_time_has_no_offset(text: str) -> None:
    """A time with an offset is not in the declared format."""
    with pytest.raises(UnreadableInstantError, match=r"^naive$"):
        parse(text, AnchorFormat.NAIVE, LONDON)


def test_a_naive_time_beyond_the_last_instant_is_unreadable() -> None:
    """The year's last hours do not exist in UTC once that year is 9999."""
    with pytest.raises(UnreadableInstantError):
        parse("9999-12-31T23:59:59", AnchorFormat.NAIVE, ZoneInfo("America/New_York"))


@pytest.mark.parametrize(
    ("day", "zone", "next_day_begins"),
    [
        pytest.param("2026-01-25", "Europe/London", "2026-01-26T00:00:00", id="winter"),
        pytest.param("2026-08-25", "Europe/London", "2026-08-25T23:00:00", id="summer"),
        pytest.param("2026-03-28", "Europe/London", "2026-03-29T00:00:00", id="before-spring"),
        pytest.param("2026-03-29", "Europe/London", "2026-03-29T23:00:00", id="23-hour-day"),
        pytest.param("2026-10-24", "Europe/London", "2026-10-24T23:00:00", id="before-autumn"),
        pytest.param("2026-10-25", "Europe/London", "2026-10-26T00:00:00", id="25-hour-day"),
        pytest.param("2024-02-28", "Europe/London", "2024-02-29T00:00:00", id="before-leap-day"),
        pytest.param("2024-02-29", "Europe/London", "2024-03-01T00:00:00", id="leap-day"),
        pytest.param("2026-12-31", "Europe/London", "2027-01-01T00:00:00", id="year-end"),
        pytest.param("2026-12-31", "America/New_York", "2027-01-01T05:00:00", id="west"),
        pytest.param("2026-03-07", "America/Havana", "2026-03-08T05:00:00", id="midnight-skipped"),
        pytest.param("2026-10-31", "America/Havana", "2026-11-01T05:00:00", id="midnight-twice"),
        pytest.param("2011-12-29", "Pacific/Apia", "2011-12-30T10:00:00", id="before-a-skipped-day"),
    ],
)
def test_a_bare_date_is_the_last_instant_of_that_local_day(day: str, zone: str, next_day_begins: str) -> None:
    """A day ends a microsecond before the next one begins, where it is; of two midnights at the later."""
    end = utc(next_day_begins) - MICROSECOND
    assert (
        parse(day, AnchorFormat.DATE, ZoneInfo(zone))
        == end_of_day(date.fromisoformat(day), ZoneInfo(zone))
        == end
    )


def test_the_last_day_ends_with_the_last_instant() -> None:
    """There is no day after 9999-12-31; its end is the last instant in every zone."""
    for zone in ("UTC", "Europe/London", "America/New_York", "Asia/Tokyo"):
        assert parse("9999-12-31", AnchorFormat.DATE, ZoneInfo(zone)) == LAST


@pytest.mark.parametrize(
    "text", ["2026-02-29", "2026-8-25", "20260825", "2026-08-25T00:00:00Z", "25/08/2026", "2026-W35-2", ""]
)
def test_what_is_no_bare_date_is_unreadable(text: str) -> None:
    """A date is written with two dashes, and exists."""
    with pytest.raises(UnreadableInstantError, match=r"^date$"):
        parse(text, AnchorFormat.DATE, LONDON)


@given(day=st.dates(date(1, 1, 3), date(9999, 12, 29)), zone=zones)
def test_a_day_ends_after_all_its_instants(day: date, zone: ZoneInfo) -> None:
    """After the end no local clock shows that day any more; the clock may repeat a midnight before."""
    assert (end_of_day(day, zone) + MICROSECOND).astimezone(zone).date() > day
    assert (end_of_day(day, zone) - timedelta(hours=1)).astimezone(zone).date() <= day


@given(
    text=st.one_of(
        st.text(),
        st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]", fullmatch=True),
        st.from_regex(
            r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6]{2}:[0-6]{2}(\.9+)?(Z|[+-][0-2][0-9]:[0-6]{2})?",
            fullmatch=True,
        ),
        st.from_regex(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", fullmatch=True),
    ),
    anchor_format=st.sampled_from(AnchorFormat),
    zone=zones,
)
def test_reading_is_total(text: str, anchor_format: AnchorFormat, zone: ZoneInfo) -> None:
    """Any text is an aware UTC instant or unreadable; nothing else happens."""
    try:
        instant = parse(text, anchor_format, zone)
    except UnreadableInstantError:
        return
    assert instant.tzinfo is UTC


@given(instant=instants, offset=st.integers(-1439, 1439))
def test_what_is_written_is_read_again(instant: datetime, offset: int) -> None:
    """Text of an instant, in UTC or at any offset, is that instant."""
    assert parse_rfc3339(to_text(instant)) == instant
    try:
        local = instant.replace(tzinfo=None) + timedelta(minutes=offset)
    except OverflowError:
        return
    sign, distance = "-" if offset < 0 else "+", abs(offset)
    assert parse_rfc3339(f"{local.isoformat()}{sign}{distance // 60:02}:{distance % 60:02}") == instant


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 8, 25, 10, 15, tzinfo=UTC), "2026-08-25T10:15:00Z"),
        (datetime(2026, 8, 25, 10, 15, tzinfo=LONDON), "2026-08-25T09:15:00Z"),
        (datetime(2026, 8, 25, 10, 15, 0, 1, tzinfo=UTC), "2026-08-25T10:15:00.000001Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (LAST, "9999-12-31T23:59:59.999999Z"),
    ],
    ids=["utc", "elsewhere", "fraction", "first", "last"],
)
def test_an_instant_is_written_in_utc(instant: datetime, text: str) -> None:
    """A fraction is written only where there is one, so that whole seconds sort as text."""
    assert to_text(instant) == text


@pytest.fixture
def _in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own clock is nine hours ahead."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_in_tokyo")
def test_the_machines_own_zone_does_not_matter() -> None:
    """An operator's laptop writes what the functions write."""
    assert to_text(datetime(2026, 8, 25, 10, 15, tzinfo=LONDON)) == "2026-08-25T09:15:00Z"


@given(instant=clocks, unit=st.sampled_from([SECOND, MINUTE, DAY]))
def test_rounding_is_up(instant: datetime, unit: timedelta) -> None:
    """A whole unit, at most one unit later and never earlier; what is whole stays."""
    rounded = ceil(instant, unit)
    assert (rounded - EPOCH) % unit == timedelta(0)
    assert timedelta(0) <= rounded - instant < unit
    assert ceil(rounded, unit) == rounded


def test_rounding_up_before_the_epoch() -> None:
    """Up is later also before 1970."""
    assert ceil(datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC), SECOND) == EPOCH
    assert ceil(datetime(1969, 12, 31, 23, 59, 1, tzinfo=UTC), MINUTE) == EPOCH


@pytest.mark.parametrize("unit", [SECOND, MINUTE])
def test_the_last_instant_is_not_rounded(unit: timedelta) -> None:
    """Beyond the last instant there is nothing to round up to."""
    assert ceil(LAST, unit) == LAST


@given(instant=instants, length=st.timedeltas())
def test_adding_is_total(instant: datetime, length: timedelta) -> None:
    """A sum that is not representable stays at the last instant, or the first."""
    exact = (instant - FIRST) // MICROSECOND + length // MICROSECOND
    within = min(max(exact, 0), (LAST - FIRST) // MICROSECOND)
    assert add(instant, length) == FIRST + timedelta(microseconds=within)
