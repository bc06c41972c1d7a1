"""Deciding: never early, total, and the same for the same truth, whatever shape it has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.facts import FactKind, Facts, Hold
from shared.instants import FIRST, LAST, MICROSECOND, AnchorFormat, to_text
from shared.policy import Anchor, Counting, Merge, Mode, Rule
from shared.record import HOLD_MARK, Path, View, WireValue
from shared.retention import LEAD, Drop, Erase, Wait, Why, decide, due_instant, wake_up_minute
from tests.builders import delivery_rule, leaver_rule, policy

NOW = datetime(2026, 8, 25, 12, 0, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RETAIN = timedelta(days=90)
SKEW = timedelta(seconds=5)
LOOK_AGAIN_AT = datetime(2026, 8, 27, tzinfo=UTC)
"""The first midnight after a day has passed."""
DUE_NOW = NOW - RETAIN - SKEW
"""The latest anchor of which the fields may be erased now."""
SECOND = timedelta(seconds=1)
LONDON = ZoneInfo("Europe/London")
DELIVERY, LEAVER = delivery_rule(), leaver_rule()
LEFT, RETURNED, SHIPPED = FactKind.LEFT, FactKind.RETURNED, FactKind.SHIPPED
MATCHING: Mapping[Path, WireValue] = {("drop_ship",): {"BOOL": True}}
NULL: WireValue = {"NULL": True}


def anchored(how: Anchor = DELIVERY.anchor, **changes: Any) -> Anchor:
    return replace(how, **changes)


def shipment(
    shipped_at: WireValue | None = None, facts: Facts | None = None, mark: WireValue | None = None
) -> View:
    """A view of a matching shipment."""
    seen = {("shipped_at",): shipped_at, HOLD_MARK: mark}
    return View(True, {**MATCHING, **{path: value for path, value in seen.items() if value}}, facts)  # noqa: FBT003 -- it exists


def contact(facts: Facts | None) -> View:
    return View(exists=True, attributes={}, facts=facts)


def text(instant: datetime) -> WireValue:
    return {"S": to_text(instant)}


def facts(
    left: Iterable[datetime] = (),
    returned: Iterable[datetime] = (),
    shipped: Iterable[datetime] = (),
    holds: Iterable[datetime | None] = (),
) -> Facts:
    instants = {LEFT: frozenset(left), RETURNED: frozenset(returned), SHIPPED: frozenset(shipped)}
    cases = {f"CASE-{n}": Hold("fraud", f"CASE-{n}", "U-1", EPOCH, until) for n, until in enumerate(holds)}
    return Facts(1, {kind: some for kind, some in instants.items() if some}, cases)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.mark.parametrize(
    ("anchor", "decision"),
    [
        pytest.param(DUE_NOW, Erase(NOW - SKEW), id="due"),
        pytest.param(DUE_NOW - SECOND, Erase(NOW - SKEW - SECOND), id="a-second-past"),
        pytest.param(DUE_NOW + MICROSECOND, Wait(NOW - SKEW + SECOND, Why.NOT_DUE), id="a-microsecond-short"),
        pytest.param(DUE_NOW + SECOND, Wait(NOW - SKEW + SECOND, Why.NOT_DUE), id="a-second-short"),
        pytest.param(NOW - RETAIN, Wait(NOW, Why.NOT_DUE), id="due-within-the-skew"),
        pytest.param(NOW, Wait(NOW + RETAIN, Why.NOT_DUE), id="just-shipped"),
        pytest.param(ago(1000), Erase(ago(910)), id="long-past"),
    ],
)
def test_fields_are_erased_from_their_due_instant_on(anchor: datetime, decision: Erase | Wait) -> None:
    """Not before 90 times 24 hours after the anchor, by a clock that may be 5 seconds fast."""
    assert decide(DELIVERY, shipment(text(anchor)), NOW) == decision


@pytest.mark.parametrize(
    ("anchor_format", "zone", "value"),
    [
        pytest.param(AnchorFormat.RFC3339, LONDON, {"S": "2026-05-01T12:00:00+01:00"}, id="rfc3339"),
        pytest.param(AnchorFormat.EPOCH_SECONDS, LONDON, {"N": "1777633200"}, id="epoch-seconds"),
        pytest.param(AnchorFormat.EPOCH_SECONDS, LONDON, {"S": "1777633200"}, id="epoch-seconds-as-text"),
        pytest.param(AnchorFormat.EPOCH_MILLIS, LONDON, {"N": "1777633200000"}, id="epoch-millis"),
        pytest.param(AnchorFormat.EPOCH_MILLIS, LONDON, {"S": "1777633200000"}, id="epoch-millis-as-text"),
        pytest.param(AnchorFormat.NAIVE, LONDON, {"S": "2026-05-01T12:00:00"}, id="naive"),
        pytest.param(
            AnchorFormat.NAIVE, ZoneInfo("Asia/Tokyo"), {"S": "2026-05-01T20:00:00"}, id="naive-in-tokyo"
        ),
    ],
)
def test_an_anchor_is_read_in_its_declared_format(
    anchor_format: AnchorFormat, zone: ZoneInfo, value: WireValue
) -> None:
    """The same instant, however the business system writes it, is due at the same second."""
    rule = delivery_rule(anchor=anchored(format=anchor_format, zone=zone))
    assert due_instant(rule, shipment(value), NOW) == datetime(2026, 7, 30, 11, 0, tzinfo=UTC)


def test_a_bare_date_counts_from_the_end_of_its_local_day() -> None:
    """A parcel of that date was shipped by midnight in London, which is 23:00 UTC in summer."""
    rule = delivery_rule(anchor=anchored(format=AnchorFormat.DATE))
    assert due_instant(rule, shipment({"S": "2026-05-01"}), NOW) == datetime(2026, 7, 30, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("anchor", "days", "due"),
    [
        pytest.param("2026-01-10T12:00:00", 10, "2026-01-21T00:00:00", id="winter"),
        pytest.param("2026-06-10T12:00:00", 10, "2026-06-20T23:00:00", id="summer"),
        pytest.param("2026-03-20T12:00:00", 10, "2026-03-30T23:00:00", id="across-the-spring-change"),
        pytest.param("2026-10-20T12:00:00", 10, "2026-10-31T00:00:00", id="across-the-autumn-change"),
        pytest.param("2026-03-19T12:00:00", 10, "2026-03-29T23:00:00", id="ends-with-the-23-hour-day"),
        pytest.param("2026-10-15T12:00:00", 10, "2026-10-26T00:00:00", id="ends-with-the-25-hour-day"),
        pytest.param("2026-06-10T22:59:59", 1, "2026-06-11T23:00:00", id="before-local-midnight"),
        pytest.param("2026-06-10T23:00:00", 1, "2026-06-12T23:00:00", id="local-midnight-is-the-next-day"),
        pytest.param("2024-02-28T12:00:00", 1, "2024-03-01T00:00:00", id="to-the-leap-day"),
        pytest.param("2024-02-29T12:00:00", 1, "2024-03-02T00:00:00", id="from-the-leap-day"),
        pytest.param("2025-02-28T12:00:00", 1, "2025-03-02T00:00:00", id="no-leap-day"),
        pytest.param("2025-12-31T12:00:00", 1, "2026-01-02T00:00:00", id="across-the-year-end"),
    ],
)
def test_calendar_days_end_with_a_local_day(anchor: str, days: int, due: str) -> None:
    """Fields may go once the last local day is over, across both clock changes of a year."""
    rule = delivery_rule(counting=Counting.CALENDAR_DAYS, retain=timedelta(days=days))
    instant = datetime.fromisoformat(anchor).replace(tzinfo=UTC)
    assert due_instant(rule, shipment(text(instant)), LAST) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize("change", ["2026-03-29T01:00:00", "2026-10-25T01:00:00"])
def test_elapsed_time_knows_no_clock_change(change: str) -> None:
    """A day is 24 hours, also when the local day has 23 or 25."""
    rule = delivery_rule(retain=timedelta(days=1))
    anchor = datetime.fromisoformat(change).replace(tzinfo=UTC) - timedelta(hours=12)
    assert due_instant(rule, shipment(text(anchor)), LAST) == anchor + timedelta(hours=24)


def test_an_absent_record_is_dropped() -> None:
    """There is nothing to erase, whatever the facts say; but its facts say when to look."""
    absent = View(exists=False, attributes={}, facts=facts(shipped=[ago(100)]))
    assert decide(DELIVERY, absent, NOW) == Drop(Why.RECORD_ABSENT)
    assert due_instant(DELIVERY, absent, NOW) == ago(10)


@pytest.mark.parametrize(
    ("wanted", "found", "matches"),
    [
        pytest.param({"BOOL": True}, {"BOOL": True}, True, id="same"),
        pytest.param({"BOOL": True}, {"BOOL": False}, False, id="other"),
        pytest.param({"BOOL": True}, {"S": "true"}, False, id="other-type"),
        pytest.param({"BOOL": True}, {"N": "1"}, False, id="one-is-not-true"),
        pytest.param({"BOOL": False}, None, False, id="absent-is-not-false"),
        pytest.param({"BOOL": True}, None, False, id="absent"),
        pytest.param({"BOOL": True}, NULL, False, id="null"),
        pytest.param({"S": "GB"}, {"S": "GB"}, True, id="text"),
        pytest.param({"S": "GB"}, {"S": "gb"}, False, id="case"),
        pytest.param({"N": "7"}, {"N": "7"}, True, id="number"),
        pytest.param({"N": "7.0"}, {"N": "7"}, True, id="same-number-otherwise-written"),
        pytest.param({"N": "1e+22"}, {"N": "1" + "0" * 22}, True, id="large-number"),
        pytest.param({"N": "7"}, {"N": "8"}, False, id="other-number"),
        pytest.param({"N": "7"}, {"S": "7"}, False, id="number-as-text"),
    ],
)
def test_a_rule_is_about_matching_records_only(
    wanted: WireValue,
    found: WireValue | None,
    matches: bool,  # noqa: FBT001 -- an expectation
) -> None:
    """Type and value must be the wanted ones; `NULL` is absent; numbers compare as numbers."""
    rule = delivery_rule(match={("drop_ship",): wanted})
    seen = {("shipped_at",): text(ago(100)), ("drop_ship",): found}
    view = View(exists=True, attributes={path: value for path, value in seen.items() if value}, facts=None)
    assert decide(rule, view, NOW) == (Erase(ago(10)) if matches else Drop(Why.NO_MATCH))


def test_all_matches_must_match() -> None:
    """One wanted value that is not there is enough to leave the record alone."""
    rule = delivery_rule(match={("drop_ship",): {"BOOL": True}, ("region", "code"): {"S": "GB"}})
    assert decide(rule, shipment(text(ago(100))), NOW) == Drop(Why.NO_MATCH)


def test_a_record_that_does_not_exist_yet_is_taken_to_match() -> None:
    """An event may come before its record: the facts alone say when to look."""
    absent = View(exists=False, attributes={}, facts=facts(shipped=[NOW]))
    assert due_instant(DELIVERY, absent, NOW) == NOW + RETAIN


@pytest.mark.parametrize(
    ("own", "told", "decision"),
    [
        pytest.param(text(ago(95)), [ago(100)], Erase(ago(5)), id="record-later"),
        pytest.param(text(ago(100)), [ago(1)], Erase(ago(10)), id="record-earlier"),
        pytest.param(text(ago(1)), [ago(100)], Wait(NOW + timedelta(days=89), Why.NOT_DUE), id="not-due"),
        pytest.param({"S": "soon"}, [ago(100)], Drop(Why.IMPLAUSIBLE), id="record-unreadable"),
        pytest.param({"S": ""}, [ago(100)], Drop(Why.IMPLAUSIBLE), id="record-empty"),
        pytest.param({"BOOL": False}, [ago(100)], Drop(Why.IMPLAUSIBLE), id="record-other-type"),
        pytest.param({"N": "1777633200"}, [ago(100)], Drop(Why.IMPLAUSIBLE), id="record-other-format"),
        pytest.param({"N": "2026-05-17T12:00:00Z"}, [ago(100)], Drop(Why.IMPLAUSIBLE), id="text-in-a-number"),
        pytest.param(text(EPOCH), [ago(100)], Drop(Why.IMPLAUSIBLE), id="record-of-1970"),
        pytest.param(None, [ago(100)], Erase(ago(10)), id="record-without"),
        pytest.param(NULL, [ago(100)], Erase(ago(10)), id="record-null"),
        pytest.param(None, [], Drop(Why.NO_ANCHOR), id="neither"),
        pytest.param(NULL, [], Drop(Why.NO_ANCHOR), id="null-and-nothing-told"),
    ],
)
def test_the_records_own_anchor_wins_outright(
    own: WireValue | None, told: list[datetime], decision: Erase | Wait | Drop
) -> None:
    """Facts count only where the record has no anchor: not even an implausible one gives way to them."""
    assert decide(DELIVERY, shipment(own, facts(shipped=told)), NOW) == decision


def test_a_record_without_facts_has_no_anchor() -> None:
    """No attribute, no row in Facts: nothing says when."""
    assert decide(DELIVERY, shipment(), NOW) == decide(LEAVER, contact(None), NOW) == Drop(Why.NO_ANCHOR)


def test_an_anchor_may_be_the_attribute_alone() -> None:
    """A rule without a fact does not look at facts of any kind."""
    rule = delivery_rule(anchor=anchored(fact=None))
    assert decide(rule, shipment(None, facts(shipped=[ago(100)], left=[ago(100)])), NOW) == Drop(
        Why.NO_ANCHOR
    )


@pytest.mark.parametrize(
    ("anchor", "plausible"),
    [
        pytest.param(datetime(2000, 1, 1, tzinfo=UTC), True, id="not-before"),
        pytest.param(datetime(2000, 1, 1, tzinfo=UTC) - MICROSECOND, False, id="before-not-before"),
        pytest.param(EPOCH, False, id="1970"),
        pytest.param(datetime(1, 1, 1, tzinfo=UTC), False, id="first"),
        pytest.param(NOW + timedelta(days=1), True, id="a-day-ahead"),
        pytest.param(NOW + timedelta(days=1) + MICROSECOND, False, id="more-than-a-day-ahead"),
        pytest.param(LAST, False, id="last"),
    ],
)
@pytest.mark.parametrize("where", ["record", "facts"])
def test_an_implausible_anchor_never_erases(anchor: datetime, plausible: bool, where: str) -> None:  # noqa: FBT001 -- an expectation
    """Before `not_before` or more than a day ahead is a mistake, on the record and in facts alike."""
    view = shipment(text(anchor)) if where == "record" else shipment(None, facts(shipped=[anchor]))
    implausible = Drop(Why.IMPLAUSIBLE)
    assert (decide(DELIVERY, view, NOW) == implausible) == (due_instant(DELIVERY, view, NOW) == implausible)
    assert (decide(DELIVERY, view, NOW) != implausible) == plausible


@pytest.mark.parametrize(
    ("left", "returned", "anchor"),
    [
        pytest.param([1], [], 1, id="left"),
        pytest.param([1, 2, 3], [], 1, id="repeated-notice"),
        pytest.param([1, 5], [3], 5, id="left-again"),
        pytest.param([1, 5, 7], [3], 5, id="left-again-repeated"),
        pytest.param([1, 5, 9], [3, 7], 9, id="back-and-forth"),
        pytest.param([1, 5], [7, 3], Why.CANCELLED, id="back-for-good"),
        pytest.param([1], [1], Why.CANCELLED, id="tie"),
        pytest.param([1, 2], [1], 2, id="tie-then-left"),
        pytest.param([], [1], Why.CANCELLED, id="only-returned"),
        pytest.param([], [], Why.NO_ANCHOR, id="nothing"),
    ],
)
def test_the_earliest_departure_after_the_latest_return_counts(
    left: list[int], returned: list[int], anchor: int | Why
) -> None:
    """Repeated notices do not restart the clock, a return stops it, a tie is a return."""
    start = ago(200)
    told = facts(
        left=[start + timedelta(days=each) for each in left],
        returned=[start + timedelta(days=each) for each in returned],
    )
    due = Drop(anchor) if isinstance(anchor, Why) else start + timedelta(days=anchor) + RETAIN
    assert due_instant(LEAVER, contact(told), NOW) == due


def test_a_departure_at_not_before_counts() -> None:
    """It is plausible, so that a later one does not take its place."""
    first = LEAVER.not_before
    told = facts(left=[first, first + timedelta(days=5)])
    assert due_instant(LEAVER, contact(told), NOW) == first + RETAIN


def test_the_latest_parcel_counts() -> None:
    """An order in several parcels is shipped when the last one is."""
    told = facts(shipped=[ago(100), ago(95), ago(97)])
    assert decide(DELIVERY, shipment(None, told), NOW) == Erase(ago(5))
    assert decide(delivery_rule(anchor=anchored(merge=Merge.EARLIEST)), shipment(None, told), NOW) == Erase(
        ago(10)
    )


@given(st.lists(st.tuples(st.sampled_from([LEFT, RETURNED]), st.integers(0, 30)), max_size=50).flatmap(
    lambda tellings: st.tuples(st.just(tellings), st.permutations(tellings + tellings[::2]))
), st.sampled_from(Merge))  # fmt: skip
def test_the_anchor_does_not_depend_on_the_order_of_telling(
    orders: tuple[list[tuple[FactKind, int]], list[tuple[FactKind, int]]], merge: Merge
) -> None:
    """The same instants in any order, with duplicates, are due at the same second, as the oracle says."""
    rule = leaver_rule(anchor=anchored(LEAVER.anchor, merge=merge))
    dues = []
    for tellings in orders:
        told = Facts()
        for kind, day in tellings:
            told = told.told(kind, ago(200) + timedelta(days=day))
        dues.append(due_instant(rule, contact(told), NOW))
    last = max((day for kind, day in orders[0] if kind is RETURNED), default=-1)
    standing = [day for kind, day in orders[0] if kind is LEFT and day > last]
    assert dues[0] == dues[1]
    if standing:
        day = max(standing) if merge is Merge.LATEST else min(standing)
        assert dues[0] == ago(200) + timedelta(days=day) + RETAIN
    else:
        assert dues[0] == Drop(Why.NO_ANCHOR if last < 0 else Why.CANCELLED)


UNREADABLE_UNTIL = [
    pytest.param({"M": {}}, id="missing"),
    pytest.param({"M": {"since": text(ago(1))}}, id="other-names"),
    pytest.param({"M": {"until": {"N": "1777633200"}}}, id="number"),
    pytest.param({"M": {"until": NULL}}, id="null"),
    pytest.param({"M": {"until": {"M": {}}}}, id="map"),
    pytest.param({"M": {"until": {"S": "2026-08-01T12:00:00"}}}, id="no-offset"),
    pytest.param({"M": {"until": {"S": "2026-08-01"}}}, id="date"),
    pytest.param({"M": {"until": {"S": ""}}}, id="empty"),
    pytest.param({"M": {"until": {"S": None}}}, id="no-text"),
    pytest.param({"M": {"until": "2026-08-01T12:00:00Z"}}, id="no-wire-value"),
    pytest.param({"S": "2026-08-01T12:00:00Z"}, id="text-for-a-map"),
    pytest.param({"BOOL": False}, id="false-for-a-map"),
    pytest.param({"L": [{"M": {"until": text(ago(1))}}]}, id="list-for-a-map"),
    pytest.param({"SS": ["until"]}, id="set-for-a-map"),
]


@pytest.mark.parametrize("mark", UNREADABLE_UNTIL)
def test_a_hold_without_a_readable_end_is_in_force(mark: WireValue) -> None:
    """Any mark but `NULL` is a hold; where its end cannot be read, look again at a midnight, a day later."""
    view = shipment(text(ago(100)), mark=mark)
    assert decide(DELIVERY, view, NOW) == Wait(LOOK_AGAIN_AT, Why.HELD)


def test_all_looks_at_a_hold_without_a_readable_end_come_to_the_same_instant() -> None:
    """So that the timers of one record become one, and not one more with each sweep."""
    view = shipment(text(ago(100)), mark={"BOOL": True})
    decisions = {decide(DELIVERY, view, NOW + hours * timedelta(hours=1)) for hours in range(12)}
    assert decisions == {Wait(LOOK_AGAIN_AT, Why.HELD)}


def test_a_hold_in_facts_without_a_readable_end_is_in_force() -> None:
    """As on the record."""
    view = shipment(text(ago(100)), facts(holds=[None]))
    assert decide(DELIVERY, view, NOW) == Wait(LOOK_AGAIN_AT, Why.HELD)


@pytest.mark.parametrize(
    ("marked", "held", "until"),
    [
        pytest.param(None, [], None, id="none"),
        pytest.param(NOW + SECOND, [], NOW + SECOND, id="mark"),
        pytest.param(None, [NOW + SECOND], NOW + SECOND, id="fact"),
        pytest.param(NOW - SKEW + MICROSECOND, [], NOW - SKEW + MICROSECOND, id="mark-ends-within-the-skew"),
        pytest.param(None, [NOW - SKEW + MICROSECOND], NOW - SKEW + MICROSECOND, id="fact-within-the-skew"),
        pytest.param(NOW - SKEW, [NOW - SKEW], None, id="lapsed"),
        pytest.param(ago(1), [NOW + SECOND], NOW + SECOND, id="mark-lapsed"),
        pytest.param(NOW + SECOND, [ago(1)], NOW + SECOND, id="fact-lapsed"),
        pytest.param(ago(-2), [ago(-3), ago(-1)], ago(-3), id="the-last-of-several"),
        pytest.param(None, [ago(1), None], LOOK_AGAIN_AT, id="one-unreadable"),
        pytest.param(ago(-9), [None], ago(-9), id="unreadable-and-longer"),
        pytest.param(LAST, [], LAST, id="last"),
    ],
)
def test_a_hold_is_in_force_until_its_end(
    marked: datetime | None, held: list[datetime | None], until: datetime | None
) -> None:
    """In Facts or on the record: the last end counts, and a lapsed hold is none."""
    mark: WireValue | None = {"M": {"until": text(marked), "case_ref": {"S": "x"}}} if marked else NULL
    view = shipment(text(ago(100)), facts(holds=held), mark)
    assert decide(DELIVERY, view, NOW) == (Wait(until, Why.HELD) if until else Erase(ago(10)))


def test_a_hold_does_not_make_anything_due_earlier() -> None:
    """A hold that ends before the due instant changes nothing."""
    view = shipment(text(NOW), facts(holds=[ago(-1)]))
    assert decide(DELIVERY, view, NOW) == Wait(NOW + RETAIN, Why.NOT_DUE)


REQUEST = next(rule for rule in policy().rules if rule.on_request)


def asked(*instants: datetime, holds: Mapping[str, Hold] | None = None) -> View:
    """A shipment that was asked for at these instants; nothing of it is due by the clock."""
    known = Facts(1, {FactKind.REQUESTED: frozenset(instants)}, holds or {})
    return shipment(text(NOW), known)


@pytest.mark.parametrize(
    ("view", "decision"),
    [
        pytest.param(asked(), Drop(Why.NO_ANCHOR), id="nobody asked"),
        pytest.param(asked(NOW - SKEW), Erase(NOW - SKEW), id="just asked"),
        pytest.param(asked(NOW), Wait(NOW, Why.NOT_DUE), id="asked within the skew"),
        pytest.param(asked(ago(1), ago(3), ago(2)), Erase(ago(3)), id="asked thrice: since the first time"),
        pytest.param(asked(EPOCH, ago(3)), Erase(ago(3)), id="asked in 1970, and again"),
        pytest.param(asked(EPOCH), Drop(Why.IMPLAUSIBLE), id="asked in 1970"),
        pytest.param(
            asked(ago(1), holds={"C": Hold("fraud", "C", "U", EPOCH, ago(-1))}),
            Wait(ago(-1), Why.HELD),
            id="held",
        ),
    ],
)
def test_an_erasure_on_request_is_due_at_once(view: View, decision: Erase | Wait | Drop) -> None:
    """From when it was first asked for, whatever the clock says; a hold postpones it as it does all else."""
    assert decide(REQUEST, view, NOW) == decision


@pytest.mark.parametrize(
    ("closed_at", "held"),
    [(ago(3), True), (ago(2), False), (ago(1), False), (None, True)],
    ids=["closed before it was opened again", "closed as it was opened", "closed", "not closed"],
)
def test_a_closed_hold_holds_nothing(closed_at: datetime | None, held: bool) -> None:  # noqa: FBT001 -- an expectation
    """However long it was to last."""
    hold = Hold("fraud", "C", "U-1", ago(2), ago(-9), closed_at, "U-2")
    decision = decide(DELIVERY, shipment(text(ago(100)), Facts(1, {}, {"C": hold})), NOW)
    assert decision == (Wait(ago(-9), Why.HELD) if held else Erase(ago(10)))


def test_an_observing_rule_erases_nothing() -> None:
    """What it would erase is dropped as observed; until then it waits as any rule."""
    rule = delivery_rule(mode=Mode.OBSERVE)
    assert decide(rule, shipment(text(ago(100))), NOW) == Drop(Why.OBSERVED)
    assert decide(rule, shipment(text(ago(1))), NOW) == Wait(NOW + timedelta(days=89), Why.NOT_DUE)
    assert decide(rule, shipment(text(ago(100)), facts(holds=[None])), NOW).__class__ is Wait


@dataclass(frozen=True)
class Scenario:
    """A rule and a view, and the exact truth that they were made from."""

    rule: Rule
    view: View
    now: datetime
    anchor: datetime
    hold_ends: list[datetime | None]
    matches: bool

    def may_erase(self) -> bool:
        """The oracle: whether erasing now keeps every promise."""
        certain = self.now - timedelta(seconds=5)
        held = any(end is None or end > certain for end in self.hold_ends)
        plausible = datetime(2000, 1, 1, tzinfo=UTC) <= self.anchor <= self.now + timedelta(days=1)
        enforced = self.rule.mode is Mode.ENFORCE
        return (
            self.view.exists and self.matches and plausible and enforced and not held and self._due(certain)
        )

    def _due(self, at: datetime) -> bool:
        whole = at.replace(microsecond=0)  # erasing begins with a whole second
        if self.rule.counting is Counting.ELAPSED:
            return whole - self.anchor >= self.rule.retain
        days = (whole.astimezone(self.rule.zone).date() - self.anchor.astimezone(self.rule.zone).date()).days
        return days > self.rule.retain.days


near = st.sampled_from(
    [-5_000_001, -5_000_000, -4_999_999, -1, 0, 1, 999_999, 1_000_000, 5_000_000]
) | st.integers(-20_000_000, 20_000_000)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Anchors and hold ends close to where the decision turns, in every shape that they may have."""
    now = draw(st.datetimes(datetime(2005, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 -- hypothesis wants naive bounds
    retain = timedelta(days=draw(st.sampled_from([1, 90, 365])))
    certain = now - timedelta(seconds=5)
    far = st.integers(-(10**15), 10**14)
    anchor = certain - retain + timedelta(microseconds=draw(near | far))
    anchor_format = draw(
        st.sampled_from([AnchorFormat.RFC3339, AnchorFormat.EPOCH_SECONDS, AnchorFormat.EPOCH_MILLIS])
    )
    told = draw(st.booleans())
    ends = draw(st.lists(st.none() | near.map(lambda us: certain + timedelta(microseconds=us)), max_size=2))
    marked = draw(st.booleans()) and bool(ends)
    matches, zone = draw(st.integers(0, 3)) > 0, draw(st.sampled_from(["Europe/London", "America/New_York"]))
    seen: dict[Path, WireValue] = {("drop_ship",): {"BOOL": matches}}
    if not told:
        seen["shipped_at",] = _written(anchor, anchor_format)
    if marked:
        seen[HOLD_MARK] = {"M": {"until": text(ends[0])} if ends[0] else {}}
    rule = delivery_rule(
        anchor=anchored(format=anchor_format),
        retain=retain,
        counting=draw(st.sampled_from(Counting)),
        zone=ZoneInfo(zone),
        mode=draw(st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.OBSERVE])),
    )
    known = facts(
        shipped=[anchor, anchor - SECOND] if told else [ago(3000)], holds=ends[1:] if marked else ends
    )
    view = View(exists=draw(st.integers(0, 9)) > 0, attributes=seen, facts=known)
    return Scenario(rule, view, now, anchor, ends, matches)


def _written(instant: datetime, anchor_format: AnchorFormat) -> WireValue:
    if anchor_format is AnchorFormat.RFC3339:
        return {"S": instant.astimezone(ZoneInfo("Asia/Kathmandu")).isoformat()}
    microseconds = (instant - EPOCH) // MICROSECOND
    digits = 6 if anchor_format is AnchorFormat.EPOCH_SECONDS else 3
    whole, fraction = divmod(abs(microseconds), 10**digits)
    return {"N": f"{'-' if microseconds < 0 else ''}{whole}.{fraction:0{digits}}"}


@settings(max_examples=400)
@given(scenarios())
def test_never_early_and_never_late(scenario: Scenario) -> None:
    """Erase if and only if an independent oracle says that every condition of the promise holds."""
    erases = isinstance(decide(scenario.rule, scenario.view, scenario.now), Erase)
    assert erases == scenario.may_erase()


@given(scenarios())
def test_due_is_rounded_up_to_a_whole_second(scenario: Scenario) -> None:
    """Less than a second after the exact instant, and never before it."""
    due = due_instant(scenario.rule, scenario.view, scenario.now)
    if isinstance(due, Drop) or scenario.rule.counting is Counting.CALENDAR_DAYS:
        return
    exact = scenario.anchor + scenario.rule.retain
    assert due.microsecond == 0
    assert exact <= due < exact + SECOND


@given(scenarios())
def test_looking_again_as_told_comes_to_an_end(scenario: Scenario) -> None:
    """A wait is for an instant later than the certain now, so that looking then sees something new."""
    decision = decide(scenario.rule, scenario.view, scenario.now)
    if isinstance(decision, Wait):
        assert decision.until > scenario.now - SKEW
        again = decide(scenario.rule, scenario.view, decision.until + timedelta(seconds=6))
        assert again != decision


numbers = st.integers(-(10**38), 10**38).map(str) | st.decimals(
    allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12
).map(str)
instant_texts = st.datetimes(timezones=st.just(UTC)).map(to_text)
texts = st.text(max_size=20) | instant_texts | numbers | st.dates().map(str)
wire_values = st.recursive(
    st.one_of(
        texts.map(lambda value: {"S": value}),
        numbers.map(lambda value: {"N": value}),
        st.binary(max_size=4).map(lambda value: {"B": value}),
        st.booleans().map(lambda value: {"BOOL": value}),
        st.just({"NULL": True}),
        st.lists(texts, min_size=1, max_size=2).map(lambda value: {"SS": value}),
        st.lists(numbers, min_size=1, max_size=2).map(lambda value: {"NS": value}),
        st.lists(st.binary(max_size=4), min_size=1, max_size=2).map(lambda value: {"BS": value}),
    ),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda value: {"L": value})
        | st.dictionaries(st.sampled_from(["until", "since", "x"]), inner, max_size=2).map(
            lambda value: {"M": value}
        )
    ),
    max_leaves=4,
)
any_instant = st.datetimes(timezones=st.just(UTC)) | st.sampled_from([LAST, datetime(1, 1, 1, tzinfo=UTC)])
any_facts = st.none() | st.builds(
    facts,
    left=st.lists(any_instant, max_size=2),
    returned=st.lists(any_instant, max_size=2),
    shipped=st.lists(any_instant, max_size=2),
    holds=st.lists(st.none() | any_instant, max_size=2),
)
any_view = st.builds(
    View,
    exists=st.booleans(),
    attributes=st.dictionaries(st.sampled_from([("drop_ship",), ("shipped_at",), HOLD_MARK]), wire_values)
    | st.dictionaries(st.sampled_from([("shipped_at",), HOLD_MARK]), wire_values).map(
        lambda seen: {**MATCHING, **seen}
    ),
    facts=any_facts,
)
any_anchor = st.builds(
    Anchor,
    attribute=st.none() | st.just(("shipped_at",)),
    fact=st.none() | st.sampled_from(FactKind),
    cancel=st.none() | st.just(RETURNED),
    format=st.sampled_from(AnchorFormat),
    zone=st.sampled_from([LONDON, ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")]),
    merge=st.sampled_from(Merge),
)
any_rule = st.builds(
    delivery_rule,
    match=st.sampled_from([MATCHING, {}, {("drop_ship",): {"N": "7"}}]),
    anchor=any_anchor,
    retain=st.sampled_from([timedelta(minutes=1), RETAIN, timedelta(days=999_999_999)]),
    counting=st.sampled_from(Counting),
    zone=st.sampled_from([LONDON, ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")]),
    mode=st.sampled_from(Mode),
    not_before=st.sampled_from([DELIVERY.not_before, datetime(1, 1, 1, tzinfo=UTC)]),
)


@settings(max_examples=500)
@given(any_rule, any_view, any_instant)
def test_deciding_is_total(rule: Rule, view: View, now: datetime) -> None:
    """Whatever is on the record and in Facts, whatever the clock says: a decision, in UTC, and no error."""
    decision = decide(rule, view, now)
    match decision:
        case Erase(due):
            assert due + SKEW <= now
            assert rule.mode is Mode.ENFORCE
        case Wait(until):
            assert until.tzinfo is UTC
        case Drop(why):
            assert why in Why
    assert decide(rule, view, now) == decision


@given(any_rule, any_view, any_instant)
def test_null_is_absent(rule: Rule, view: View, now: datetime) -> None:
    """A view in which absent values are `NULL` leads to the same decision: for match, anchor and mark."""
    nulls = dict.fromkeys((("drop_ship",), ("shipped_at",), HOLD_MARK), NULL)
    assert decide(rule, replace(view, attributes={**nulls, **view.attributes}), now) == decide(
        rule, view, now
    )


@pytest.mark.parametrize("counting", Counting)
@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Asia/Tokyo"])
def test_nothing_overflows_at_the_end_of_time(counting: Counting, zone: str) -> None:
    """What would be due after the last instant is due then: never, and without an error."""
    rule = delivery_rule(counting=counting, zone=ZoneInfo(zone))
    for anchor in (LAST, LAST - RETAIN, LAST - SECOND, LAST - timedelta(days=1)):
        view = shipment(text(anchor))
        assert due_instant(rule, view, LAST) == LAST or anchor == LAST - RETAIN
        assert isinstance(decide(rule, view, anchor), Wait)


def test_nothing_overflows_at_the_beginning_of_time() -> None:
    """A clock at the first instant, less the skew, stays there: nothing is due yet."""
    rule = delivery_rule(not_before=FIRST, retain=SECOND)
    assert decide(rule, shipment(text(FIRST)), FIRST) == Wait(FIRST + SECOND, Why.NOT_DUE)


@given(any_instant, any_instant)
def test_a_wake_up_is_a_whole_minute_ahead(at: datetime, now: datetime) -> None:
    """Well ahead of now, late enough for the purge to be certain, and at most a minute later than that."""
    minute = wake_up_minute(at, now)
    assert (minute - EPOCH) % timedelta(minutes=1) == timedelta(0)
    if max(at, now) < LAST - timedelta(minutes=2):  # then comes the end of time, and its last minute
        assert minute >= now + LEAD
        assert timedelta(0) <= minute - max(at + SKEW, now + LEAD) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("at", "minute"),
    [
        pytest.param("2026-08-25T12:30:00", "2026-08-25T12:31:00", id="whole-minute"),
        pytest.param("2026-08-25T12:29:55", "2026-08-25T12:30:00", id="with-the-skew-whole"),
        pytest.param("2026-08-25T12:29:56", "2026-08-25T12:31:00", id="with-the-skew-past"),
        pytest.param("2026-08-25T12:29:01", "2026-08-25T12:30:00", id="rounded-up"),
        pytest.param("2026-08-25T11:00:00", "2026-08-25T12:01:00", id="past-is-the-next-minute"),
        pytest.param("2026-08-25T12:00:00", "2026-08-25T12:01:00", id="now-is-the-next-minute"),
    ],
)
def test_the_wake_up_of_a_timer(at: str, minute: str) -> None:
    """Rounded up from the instant and the skew, never this minute."""
    expected = datetime.fromisoformat(minute).replace(tzinfo=UTC)
    assert wake_up_minute(datetime.fromisoformat(at).replace(tzinfo=UTC), NOW) == expected
