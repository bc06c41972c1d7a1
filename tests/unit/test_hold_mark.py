"""The hold mark on a record: what it should say, whoever set it, and however it reads."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.facts import Closing, FactKind, Facts, Hold
from shared.hold_mark import MarkChange, mark_change, mark_until, right_mark
from shared.instants import MICROSECOND, to_text
from shared.record import WireValue

NOW = datetime(2026, 8, 25, 12, 0, tzinfo=UTC)
JUST, SOON, LATE = NOW + MICROSECOND, NOW + timedelta(days=3), NOW + timedelta(days=9)
NULL: WireValue = {"NULL": True}
CLOSING = Closing("CASE-1", "U-2", NOW)


def ours(until: datetime | None) -> WireValue:
    """A mark as Lapse sets it."""
    return {"M": {"by": {"S": "lapse"}, **({"until": {"S": to_text(until)}} if until else {})}}


def theirs(until: datetime | None) -> WireValue:
    """A mark as a business system may set it."""
    return {"M": {"who": {"S": "warehouse"}, **({"until": {"S": to_text(until)}} if until else {})}}


def held(*ends: datetime | None) -> Facts:
    """Facts with a case for each end."""
    return Facts(5, holds={f"C-{n}": Hold("fraud", f"C-{n}", "U-1", NOW, end) for n, end in enumerate(ends)})


RELEASED = Facts().held(Hold("fraud", "CASE-1", "U-1", NOW, LATE)).released(CLOSING)
TOLD = Facts().told(FactKind.SHIPPED, NOW)
UNREADABLE: WireValue = {"M": {"by": {"S": "lapse"}, "until": {"S": "soon"}}}

CASES = [
    # what Facts say, what the record says, what it should say
    pytest.param(None, None, None, id="nothing, no mark"),
    pytest.param(TOLD, None, None, id="no case, no mark"),
    pytest.param(held(SOON), None, ours(SOON), id="held, no mark: set"),
    pytest.param(held(SOON), NULL, ours(SOON), id="held, NULL: set"),
    pytest.param(held(SOON, LATE), None, ours(LATE), id="two cases: the last end"),
    pytest.param(held(SOON, NOW), None, ours(SOON), id="one of two lapsed"),
    pytest.param(held(SOON, None), None, ours(None), id="an end that cannot be read: no end"),
    pytest.param(held(SOON), ours(SOON), ours(SOON), id="held and marked"),
    pytest.param(held(LATE), ours(SOON), ours(LATE), id="extended"),
    pytest.param(held(SOON), ours(LATE), ours(SOON), id="shortened"),
    pytest.param(held(SOON), ours(None), ours(SOON), id="a mark without an end gets one"),
    pytest.param(held(SOON), UNREADABLE, ours(SOON), id="a mark of ours that cannot be read is put right"),
    pytest.param(RELEASED, ours(LATE), None, id="released: goes"),
    pytest.param(RELEASED, UNREADABLE, None, id="released, unreadable: goes"),
    pytest.param(RELEASED, None, None, id="released, no mark"),
    pytest.param(held(NOW), ours(NOW), None, id="lapsed: goes"),
    pytest.param(held(JUST), ours(JUST), ours(JUST), id="just in force"),
    pytest.param(None, ours(NOW), None, id="lapsed, Facts lost: goes all the same"),
    pytest.param(None, ours(SOON), ours(SOON), id="Facts lost: all that is left of a hold"),
    pytest.param(TOLD, ours(SOON), ours(SOON), id="no case known: the same"),
    pytest.param(None, ours(None), ours(None), id="Facts lost, no end: stays"),
    pytest.param(None, theirs(SOON), theirs(SOON), id="another's mark: stays"),
    pytest.param(None, theirs(None), theirs(None), id="another's without an end: stays"),
    pytest.param(RELEASED, theirs(SOON), theirs(SOON), id="another's outlives our release"),
    pytest.param(held(LATE), theirs(SOON), theirs(SOON), id="another's is not replaced while it holds"),
    pytest.param(held(LATE), theirs(NOW), ours(LATE), id="another's that lapsed is replaced"),
    pytest.param(None, theirs(NOW), None, id="another's that lapsed goes"),
    pytest.param(held(SOON), {"S": "held"}, {"S": "held"}, id="text for a map is another's"),
    pytest.param(None, {"BOOL": False}, {"BOOL": False}, id="even false is a mark"),
    pytest.param(None, NULL, None, id="NULL is no mark"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "seen", "right"), CASES)
def test_what_the_mark_should_say(
    facts: Facts | None, seen: WireValue | None, right: WireValue | None
) -> None:
    """Lapse's own mark says what Facts say; any other stays till it lapses, as does any if Facts are lost."""
    assert right_mark(facts, seen, NOW) == right


ends = st.none() | st.integers(-3, 3).map(lambda days: NOW + timedelta(days=days))
marks = st.none() | st.just(NULL) | st.builds(ours, ends) | st.builds(theirs, ends)
some_facts = st.none() | st.lists(ends, max_size=3).map(lambda some: held(*some)) | st.just(RELEASED)


@given(some_facts, marks)
def test_a_mark_never_says_less_than_facts(facts: Facts | None, seen: WireValue | None) -> None:
    """Whoever reads the record alone finds a hold wherever Facts have one; a mark that is set has its end."""
    right = right_mark(facts, seen, NOW)
    ends = [hold.until for hold in facts.in_force(NOW)] if facts else []
    if ends:
        assert right is not None
    if right is not None and right != seen:
        known = [end for end in ends if end is not None]
        assert mark_until(right) == (max(known) if len(known) == len(ends) else None)


@given(some_facts, marks)
def test_putting_right_is_done_once(facts: Facts | None, seen: WireValue | None) -> None:
    """Looking again finds nothing to change, so that no sweep repairs for ever."""
    right = right_mark(facts, seen, NOW)
    assert right_mark(facts, right, NOW) == right


@pytest.mark.parametrize(
    ("exists", "change"),
    [
        (True, MarkChange(exists=True, seen=None, right=ours(SOON), needs=(("email",),))),
        (False, MarkChange(exists=False)),
    ],
)
def test_a_record_that_does_not_exist_has_no_mark(exists: bool, change: MarkChange) -> None:  # noqa: FBT001 -- an expectation
    """Its hold is in Facts alone; the change only checks that it still does not exist."""
    assert mark_change(held(SOON), exists=exists, seen=None, now=NOW, needs=(("email",),)) == change


def test_a_change_is_guarded_by_the_mark_that_was_seen() -> None:
    """What is right depends on it, and it is to be there still when the change is made."""
    seen = theirs(SOON)
    change = mark_change(held(LATE), exists=True, seen=seen, now=NOW)
    assert change == MarkChange(exists=True, seen=seen, right=seen)


@pytest.mark.parametrize(
    ("mark", "until"),
    [
        (ours(SOON), SOON),
        (theirs(SOON), SOON),
        ({"M": {"until": {"S": "2026-08-28T13:00:00+01:00"}}}, SOON),
        (ours(None), None),
        (UNREADABLE, None),
        ({"M": {"until": {"N": "1"}}}, None),
        ({"S": "2026-08-28T12:00:00Z"}, None),
    ],
    ids=str,
)
def test_of_a_mark_only_its_end_is_read(mark: WireValue, until: datetime | None) -> None:
    """RFC 3339 with an offset, whoever set it; else it cannot be read, and is in force."""
    assert mark_until(mark) == until
