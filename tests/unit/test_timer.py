"""Timers: the same event makes the same key, hostile ids no clash, and a failure never moves what is due."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.instants import LAST
from shared.record import RecordRef
from shared.timer import PUT_OFF_AT_MOST, Timer

DUE = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
HOSTILE = [
    "#",
    "##",
    "a#b",
    "Z#x#",
    '"',
    "\\",
    '"},"x":{"S":"',
    "\x00",
    " ",
    "😀" * 256,
    "😀" * 255 + "#",
    "\U0010ffff" * 256,
]
RULE_OF_MOST_CHARACTERS = "r" * 64

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256) | st.sampled_from(HOSTILE)
instants = st.datetimes(datetime(2000, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis wants naive bounds


def timer(shipment_id: str = "S-1001", rule: str = "delivery-contact", at: datetime = DUE) -> Timer:
    return Timer(RecordRef("Shipments", {"shipment_id": {"S": shipment_id}}), rule, at=at, due=at)


def test_the_sort_key_never_changes() -> None:
    """Standing timers are found and replaced by this very key."""
    digest = "39501c7fbc5970fabb764b46f20a8d184299f0da936d9b714f1797a641b87f3c"
    assert timer().sort_key == f"2026-11-23T10:15:00Z#delivery-contact#{digest}"


@given(ids, instants)
def test_the_same_event_twice_makes_the_same_key(shipment_id: str, at: datetime) -> None:
    """Key and equality depend on record, rule and instant only, not on which writing of the timer it is."""
    one, again = timer(shipment_id, at=at), replace(timer(shipment_id, at=at), stamp="another writing")
    assert one == again
    assert one.sort_key == again.sort_key


@given(ids, ids)
def test_different_ids_never_clash(one: str, other: str) -> None:
    """Whatever separators an id holds, another id has another key."""
    assert (timer(one).sort_key == timer(other).sort_key) == (one == other)


def test_hostile_ids_never_clash() -> None:
    """Nor do ids that look like parts of a key, also across rules."""
    keys = {timer(each, rule).sort_key for each in HOSTILE for rule in ("a", "a-b")}
    assert len(keys) == 2 * len(HOSTILE)


@given(ids, instants | st.just(LAST))
def test_the_sort_key_fits(shipment_id: str, at: datetime) -> None:
    """Sort keys may have 1,024 bytes; ids of 256 four-byte characters and the longest rule id stay below."""
    assert len(timer(shipment_id, RULE_OF_MOST_CHARACTERS, at).sort_key.encode()) < 256


@given(instants, instants)
def test_keys_sort_by_instant(one: datetime, other: datetime) -> None:
    """A query up to an instant finds what is due by then: as text, an earlier whole second comes first."""
    earlier, later = sorted([one, other])
    assert timer(at=earlier).sort_key <= timer(at=later).sort_key


@given(instants)
def test_the_instant_in_the_key_is_rounded_up(at: datetime) -> None:
    """A timer is not found before its instant, and less than a second after it."""
    written = datetime.fromisoformat(timer(at=at).sort_key.split("#", maxsplit=1)[0])
    assert timedelta(0) <= written - at < timedelta(seconds=1)
    assert written.microsecond == 0


def test_a_moved_timer_starts_afresh() -> None:
    """Its new instant is what is promised now, and it has no failures yet."""
    moved = timer().backed_off(DUE).moved(DUE + timedelta(days=1))
    assert moved == timer(at=DUE + timedelta(days=1))


def test_a_failing_timer_is_put_off_ever_longer() -> None:
    """One minute, then twice as long each time, at most 15 minutes."""
    failing, waits = timer(), list[float]()
    now = DUE + timedelta(hours=1)
    for _ in range(7):
        failing = failing.backed_off(now)
        waits.append((failing.at - now) / timedelta(minutes=1))
    assert waits == [1, 2, 4, 8, 15, 15, 15]


@given(instants, st.integers(0, 10**9))
def test_a_failure_never_changes_what_is_due(now: datetime, attempts: int) -> None:
    """The due instant is kept, the look is at a whole minute at most 16 minutes ahead; nothing overflows."""
    put_off = replace(timer(), attempts=attempts).backed_off(now)
    assert put_off.due == DUE
    assert put_off.attempts == attempts + 1
    assert now < put_off.at <= now + PUT_OFF_AT_MOST == now + timedelta(minutes=16)
    assert (put_off.at.second, put_off.at.microsecond) == (0, 0)


def test_two_timers_of_one_record_that_fail_become_one() -> None:
    """What failed a few seconds apart is looked at together from then on."""
    one, other = (
        timer().backed_off(DUE),
        timer(at=DUE - timedelta(days=1)).backed_off(DUE - timedelta(seconds=9)),
    )
    assert one.sort_key == other.sort_key


def test_backing_off_at_the_end_of_time() -> None:
    """Beyond the last instant there is nowhere to put a timer: it stays there."""
    assert timer().backed_off(LAST).at == LAST


@pytest.mark.parametrize(("field", "value"), [("rule", "other"), ("attempts", 1), ("due", LAST)])
def test_other_timers_are_not_equal(field: str, value: object) -> None:
    """Only the stamp is left out of comparisons."""
    assert replace(timer(), **{field: value}) != timer()  # type: ignore[arg-type]  # one field at a time
