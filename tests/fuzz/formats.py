"""Target for instants in their declared formats."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.instants import MICROSECOND, AnchorFormat, UnreadableInstantError, parse, parse_rfc3339
from tests.fuzz import hostile, reference
from tests.fuzz.checks import silent, sound
from tests.fuzz.choices import Choices
from tests.fuzz.target import Target
from tests.fuzz.writing import decoded, encoded

LOCAL = {AnchorFormat.NAIVE, AnchorFormat.DATE}
ZONES = tuple(map(ZoneInfo, ("UTC", "Europe/London", "America/New_York", "Asia/Kathmandu", "Pacific/Apia")))


def make_instant(choices: Choices) -> bytes:
    """A format, a zone and a text, a line each."""
    written, zone = choices.pick(tuple(AnchorFormat)), choices.pick(ZONES)
    text = choices.rest().decode(errors="surrogateescape") if choices.chance(4) else hostile.text(choices)
    return encoded(f"{written}\n{zone}\n{text}")


def check_instant(lines: bytes) -> None:
    """An instant just as a second reader has it, or unreadable to both."""
    name, zone_name, text = decoded(lines).split("\n", 2)
    written, zone = AnchorFormat(name), ZoneInfo(zone_name)
    expected = reference.read(text, written)
    try:
        by_itself = written is AnchorFormat.RFC3339 and zone.key == "UTC"
        instant = sound(parse_rfc3339(text) if by_itself else parse(text, written, zone))
    except UnreadableInstantError as error:
        silent(error)
        assert expected is None or (written in LOCAL and _near_the_edge(expected)), "an instant is unreadable"
        return
    assert expected is not None, "nonsense is an instant"
    if written not in LOCAL:
        assert reference.microseconds(instant) == expected
    elif not _near_the_edge(expected):  # a day ends where the next begins
        last = MICROSECOND if written is AnchorFormat.DATE else timedelta(0)
        _is_local(instant + last, reference.FIRST + timedelta(microseconds=expected) + last, zone)


def _near_the_edge(local: int) -> bool:
    """Whether a local time may lie outside of what can be represented once it is UTC."""
    return not 2 * reference.DAY <= local < reference.MOST - 2 * reference.DAY


def _is_local(instant: datetime, local: datetime, zone: ZoneInfo) -> None:
    """It is the latest of the instants at which clocks show so; of a time that they skip, one nearby."""
    around = ((local + timedelta(hours=hours)).astimezone(zone) for hours in (-25, 0, 25))
    meant = [local - (each.utcoffset() or timedelta(0)) for each in around]
    shown = [each for each in meant if each.astimezone(zone).replace(tzinfo=UTC) == local]
    if shown:
        assert instant == max(shown)
    else:
        assert min(meant) <= instant <= max(meant)


TARGETS = {"instants": Target(make_instant, check_instant)}
