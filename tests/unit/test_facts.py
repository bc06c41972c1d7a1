"""Facts: instants, holds, requests; the same whatever the order and number of deliveries, and small."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.facts import MOST_CASES, MOST_INSTANTS, MOST_REQUESTS, Closing, FactKind, Facts, Hold, Request
from shared.facts_row import facts_of_row, row_of_facts
from shared.instants import FIRST, LAST, to_text
from tests.builders import contact_ref

START = datetime(2026, 1, 1, tzinfo=UTC)
LEFT, RETURNED, SHIPPED = FactKind.LEFT, FactKind.RETURNED, FactKind.SHIPPED

type Telling = tuple[FactKind, datetime]

instants = st.integers(0, 400).map(lambda hours: START + timedelta(hours=hours))
tellings = st.tuples(st.sampled_from(FactKind), instants)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def told(tellings: Iterable[Telling], facts: Facts | None = None) -> Facts:
    facts = facts or Facts()
    for kind, instant in tellings:
        facts = facts.told(kind, instant)
    return facts


def standing(
    tellings: Sequence[Telling], kind: FactKind = LEFT, cancel: FactKind = RETURNED
) -> list[datetime]:
    """The oracle: every instant ever told after the last cancel, in order."""
    last = max((instant for each, instant in tellings if each is cancel), default=None)
    return sorted(instant for each, instant in tellings if each is kind and (last is None or instant > last))


def test_what_was_not_told_is_empty() -> None:
    """An absent row is version 0, without instants or holds; no kind has no instants."""
    assert (Facts().version, Facts().holds) == (0, {})
    assert [Facts().of(kind) for kind in (*FactKind, None)] == [frozenset()] * 5


def test_telling_adds_an_instant_of_its_kind() -> None:
    """Each kind has its own set, and each change raises the version by one."""
    facts = told([(LEFT, day(1)), (LEFT, day(2)), (RETURNED, day(1))])
    assert facts == Facts(3, {LEFT: frozenset({day(1), day(2)}), RETURNED: frozenset({day(1)})})
    assert facts.of(SHIPPED) == frozenset()


def test_telling_leaves_the_rest_alone() -> None:
    """Holds stay as they are, and what was there before is not changed in place."""
    hold = Hold("fraud", "CASE-1", "U-1", since=day(0), until=None)
    before = Facts(7, {LEFT: frozenset({day(1)})}, {"CASE-1": hold})
    after = before.told(LEFT, day(2))
    assert after == Facts(8, {LEFT: frozenset({day(1), day(2)})}, {"CASE-1": hold})
    assert before == Facts(7, {LEFT: frozenset({day(1)})}, {"CASE-1": hold})


@given(st.lists(tellings, max_size=120))
def test_telling_twice_changes_nothing(told_before: list[Telling]) -> None:
    """The same instant again gives the very same facts, version included, however many were told before."""
    facts = Facts()
    for kind, instant in told_before:
        facts = facts.told(kind, instant)
        assert facts.told(kind, instant) is facts


@given(
    st.lists(tellings, max_size=MOST_INSTANTS).flatmap(
        lambda some: st.tuples(st.just(some), st.permutations(some + some[:9]))
    )
)
def test_the_order_of_telling_does_not_matter(orders: tuple[list[Telling], list[Telling]]) -> None:
    """Any order, with duplicates, makes the same sets, and a version for each different instant."""
    once, again = orders
    facts = told(once)
    assert facts == told(again)
    assert facts.version == len(set(once))
    for kind in FactKind:
        assert facts.of(kind) == {instant for each, instant in once if each is kind}


@given(st.lists(instants, max_size=200, unique=True), st.sampled_from(FactKind))
def test_a_kind_keeps_no_more_than_fifty(some: list[datetime], kind: FactKind) -> None:
    """The set stays small; up to the bound nothing is dropped."""
    facts = told((kind, instant) for instant in some)
    assert len(facts.of(kind)) == min(len(some), MOST_INSTANTS)
    assert facts.of(kind) <= set(some)


few_examples = settings(max_examples=30)  # each tells hundreds of instants
many = st.lists(st.tuples(st.sampled_from([LEFT, LEFT, LEFT, RETURNED]), instants), min_size=60, max_size=200)


@few_examples
@given(many, instants)
def test_beyond_the_bound_no_departure_counts_too_early(some: list[Telling], back: datetime) -> None:
    """Whatever was dropped, and whenever the contact returns, what counts was told and is never earlier."""
    every = [*some, (RETURNED, back)]
    for tellings_so_far, facts in ((some, told(some)), (every, told(every))):
        true = standing(tellings_so_far)
        kept = standing([(kind, instant) for kind in (LEFT, RETURNED) for instant in facts.of(kind)])
        assert set(kept) <= set(true)
        assert bool(kept) == bool(true)
        assert kept[-1:] == true[-1:]


@few_examples
@given(st.lists(instants, min_size=60, max_size=200, unique=True))
def test_beyond_the_bound_the_first_and_the_last_are_kept(some: list[datetime]) -> None:
    """Without a cancel, the earliest and the latest departure are exact."""
    kept = told((LEFT, instant) for instant in some).of(LEFT)
    assert (min(kept), max(kept)) == (min(some), max(some))


@few_examples
@given(st.permutations(range(80)))
def test_of_cancels_the_last_is_kept(days: list[int]) -> None:
    """Only the last return counts, so the earliest ones go first."""
    facts = told((RETURNED, day(number)) for number in days)
    assert facts.of(RETURNED) == {day(number) for number in range(80 - MOST_INSTANTS, 80)}


def test_spent_instants_go_first() -> None:
    """A departure at or before the last return decides nothing: it makes room for one that does."""
    spent = [(LEFT, day(number)) for number in range(10)]
    facts = told([*spent, (RETURNED, day(9)), *((LEFT, day(number)) for number in range(10, 60))])
    assert facts.of(LEFT) == {day(number) for number in range(10, 60)}


def test_of_standing_instants_the_one_nearest_its_successor_goes() -> None:
    """Taking the successor in its place is late by the least."""
    spread = [(LEFT, day(10 * number)) for number in range(MOST_INSTANTS)]
    facts = told(spread).told(LEFT, day(199))
    assert facts.of(LEFT) == {instant for _, instant in spread}
    facts = told(spread).told(LEFT, day(201))
    assert facts.of(LEFT) == {instant for _, instant in spread} - {day(200)} | {day(201)}


def test_the_second_instant_gives_way_as_any_other() -> None:
    """Only the earliest of those that stand always counts."""
    spread = [(LEFT, day(10 * number)) for number in range(MOST_INSTANTS)]
    facts = told(spread).told(LEFT, day(11))
    assert facts.of(LEFT) == {instant for _, instant in spread} - {day(10)} | {day(11)}


def test_nightly_repeats_do_not_lose_the_first_notice() -> None:
    """HR re-sends a departure every night with a new instant: the first one stands."""
    nights = [(LEFT, day(number)) for number in range(365)]
    assert min(told(nights).of(LEFT)) == day(0)


@pytest.mark.parametrize("dropped", [day(-1), day(199)], ids=["spent", "nearest-its-successor"])
def test_what_is_dropped_at_once_changes_nothing(dropped: datetime) -> None:
    """An instant that the bound drops leaves the facts, and their version, as they were."""
    facts = told([(RETURNED, day(0)), *((LEFT, day(10 * number)) for number in range(1, MOST_INSTANTS + 1))])
    assert facts.told(LEFT, dropped) is facts


def opened(
    since: float, until: float, case_ref: str = "CASE-1", reason: str = "fraud", by: str = "U-1"
) -> Hold:
    return Hold(reason, case_ref, by, since=day(since), until=day(until))


def closed(at: float, case_ref: str = "CASE-1", by: str = "U-2") -> Closing:
    return Closing(case_ref, by, day(at))


def after(words: Iterable[Hold | Closing], facts: Facts | None = None) -> Facts:
    facts = facts or Facts()
    for word in words:
        facts = facts.held(word) if isinstance(word, Hold) else facts.released(word)
    return facts


def is_held(words: Sequence[Hold | Closing], now: datetime) -> bool:
    """The oracle: a case holds if its last opening, of two at once the longer, is later than all closings."""
    for case_ref in {word.case_ref for word in words}:
        of_case = [word for word in words if word.case_ref == case_ref]
        openings = [(w.since or FIRST, w.until or LAST) for w in of_case if isinstance(w, Hold)]
        since, until = max(openings, default=(FIRST, FIRST))
        if until > now and all(since > word.closed_at for word in of_case if isinstance(word, Closing)):
            return True
    return False


@pytest.mark.parametrize(
    ("words", "held_until"),
    [
        pytest.param([opened(1, 9)], 9, id="opened"),
        pytest.param([opened(1, 9), opened(2, 12)], 12, id="extended"),
        pytest.param([opened(1, 9), opened(2, 5)], 5, id="shortened"),
        pytest.param([opened(1, 9), opened(1, 12)], 12, id="two words at once: the longer"),
        pytest.param([opened(1, 9), closed(3)], None, id="closed"),
        pytest.param([closed(3)], None, id="closed, never opened"),
        pytest.param([opened(1, 9), closed(1)], None, id="closed as it was opened"),
        pytest.param([opened(1, 9), closed(3), opened(4, 8)], 8, id="opened again"),
        pytest.param([opened(1, 9), closed(3), opened(2, 12)], None, id="closed after the extension"),
        pytest.param([opened(1, 9), closed(3), opened(4, 8), closed(5)], None, id="closed again"),
        pytest.param([opened(1, 9), opened(1, 7, "CASE-2"), closed(3)], 7, id="one of two closed"),
        pytest.param([opened(1, 9), opened(1, 7, "CASE-2")], 9, id="two cases: until the last ends"),
        pytest.param([opened(1, 9), closed(3, "CASE-2")], 9, id="another case closed"),
    ],
)
def test_a_record_is_held_until_the_last_case_ends(
    words: list[Hold | Closing], held_until: float | None
) -> None:
    """In the order of the words' own instants, and in the reverse order of arrival."""
    for told in (words, words[::-1], [*words, *words]):
        ends = [hold.until for hold in after(told).in_force(day(3.5))]
        assert max((end for end in ends if end), default=None) == (day(held_until) if held_until else None)


cases = st.sampled_from(["CASE-1", "CASE-2"])
days = st.integers(0, 8)
openings = st.builds(opened, days, days, cases, st.sampled_from(["fraud", "lost"]), st.sampled_from("AB"))
words_about_holds = openings | st.builds(closed, days, cases, st.sampled_from("AB"))


@given(
    st.lists(words_about_holds, max_size=8).flatmap(
        lambda words: st.tuples(st.just(words), st.permutations(words + words[::2]))
    ),
    st.integers(-1, 9),
)
def test_holds_do_not_depend_on_the_order_of_telling(
    orders: tuple[list[Hold | Closing], list[Hold | Closing]], now: int
) -> None:
    """Any order, with duplicates, makes the very same holds; and they hold when the oracle says so."""
    one, other = (after(words) for words in orders)
    assert one.holds == other.holds
    for hour in (0, 1):
        instant = day(now + hour / 24)
        assert bool(one.in_force(instant)) == bool(other.in_force(instant)) == is_held(orders[0], instant)


@given(st.lists(words_about_holds, max_size=8))
def test_a_word_that_is_known_changes_nothing(words: list[Hold | Closing]) -> None:
    """The same word again, however late, gives the very same facts, version included."""
    facts = after(words)
    assert after(words, facts) is facts


@pytest.mark.parametrize(
    "hold",
    [
        Hold("", "CASE-1", "", since=None, until=None),
        Hold("fraud", "CASE-1", "U-1", since=day(0), until=None),
        Hold("fraud", "CASE-1", "U-1", since=None, until=day(9)),
    ],
    ids=["nothing readable", "no end", "no beginning"],
)
def test_a_hold_that_can_be_read_in_part_is_in_force(hold: Hold) -> None:
    """Until it is closed, or, where its end can be read, until it ends."""
    facts = Facts(1, holds={"CASE-1": hold})
    assert facts.in_force(day(5)) == (hold,)
    assert facts.released(closed(5)).in_force(day(5)) == ()


def test_a_case_knows_who_closed_it_and_who_opened_it() -> None:
    """Whatever comes first, reason and both names stay; an opening that was told later fills in the rest."""
    expected = replace(opened(1, 9), closed_at=day(3), closed_by="U-2")
    orders: list[list[Hold | Closing]] = [
        [opened(1, 9), closed(3)],
        [closed(3), opened(1, 9)],
        [closed(2), opened(1, 9), closed(3)],
    ]
    for words in orders:
        assert after(words).holds == {"CASE-1": expected}


def test_a_case_that_was_closed_before_its_opening_was_told() -> None:
    """Nothing is made up of what was not told: no reason, no name, no instant."""
    unknown = Hold("", "CASE-1", "", since=None, until=None, closed_at=day(3), closed_by="U-2")
    assert after([closed(3)]).holds == {"CASE-1": unknown}


def test_of_too_many_cases_the_one_that_ended_first_goes() -> None:
    """A row stays small; cases that hold are never dropped, and telling what was dropped changes nothing."""
    ended: list[Hold | Closing] = []
    for n in range(MOST_CASES):
        ended += [opened(n, 99, f"C-{n}"), closed(n + 1, f"C-{n}")]
    full = after(ended)
    assert len(full.holds) == MOST_CASES
    more = full.held(opened(99, 199, "C-new"))
    assert full.holds.keys() - more.holds.keys() == {"C-0"}
    assert more.in_force(day(100)) == (opened(99, 199, "C-new"),)
    assert more.released(closed(1, "C-0")) is more
    open_ones = after(opened(n, 99, f"C-{n}") for n in range(MOST_CASES + 5))
    assert len(open_ones.in_force(day(0))) == MOST_CASES + 5


def asked(request_id: str, at: float = 1, by: str = "U-3") -> Request:
    return Request(request_id, day(at), by)


def test_requests_stand_by_their_id() -> None:
    """Each id once, each with an instant that starts the clock, open until it is answered, and kept then."""
    facts = Facts().requested(asked("R-1")).requested(asked("R-2", 2))
    assert facts.of(FactKind.REQUESTED) == {day(1), day(2)}
    assert [each.request_id for each in facts.open_requests()] == ["R-1", "R-2"]
    assert facts.requested(asked("R-1", 9, "U-9")) is facts
    answered = facts.answered(["R-1"], day(3), "erased")
    assert answered.open_requests() == (asked("R-2", 2),)
    assert answered.requests["R-1"] == replace(asked("R-1"), answered_at=day(3), answer="erased")
    assert answered.of(FactKind.REQUESTED) == {day(1), day(2)}


def test_two_requests_of_the_same_instant_are_two() -> None:
    """Both are answered, though the instant is one."""
    facts = Facts().requested(asked("R-1")).requested(asked("R-2"))
    assert facts.version == 2
    assert len(facts.open_requests()) == 2


def test_an_answer_is_given_once() -> None:
    """The first counts; an answer to what nobody asked is none; neither changes the version."""
    facts = Facts().requested(asked("R-1")).answered(["R-1"], day(3), "erased")
    assert facts.answered(["R-1", "R-9"], day(4), "already_absent") is facts


def test_a_request_whose_instant_was_taken_back_is_answered_all_the_same() -> None:
    """Whoever asked waits for the answer, though nothing is left that starts a clock."""
    facts = Facts(4, requests={"R-1": asked("R-1")}).answered(["R-1"], day(3), "no_anchor")
    assert facts.open_requests() == ()
    assert facts.of(FactKind.REQUESTED) == frozenset()


def test_a_refused_request_starts_no_clock() -> None:
    """Whoever was told that nothing is erased must not find it erased; one that stands keeps its instant."""
    facts = Facts().requested(asked("R-1")).requested(asked("R-2"))
    refused = facts.answered(["R-1"], day(3), "record_absent")
    assert refused.of(FactKind.REQUESTED) == {day(1)}
    assert refused.answered(["R-2"], day(3), "no_match").of(FactKind.REQUESTED) == frozenset()
    assert refused.answered(["R-2"], day(3), "already_absent").of(FactKind.REQUESTED) == {day(1)}


def test_what_was_refused_may_be_asked_again() -> None:
    """By the same id: it is open again, starts the clock again, and is answered again."""
    refused = Facts().requested(asked("R-1")).answered(["R-1"], day(3), "record_absent")
    again = refused.requested(asked("R-1", 4))
    assert again.open_requests() == (asked("R-1", 4),)
    assert again.of(FactKind.REQUESTED) == {day(4)}
    assert again.version == refused.version + 1


def test_of_too_many_requests_the_one_that_was_answered_first_goes() -> None:
    """A row stays small; those that wait for their answer are never dropped."""
    facts = Facts()
    for number in range(MOST_REQUESTS):
        facts = facts.requested(asked(f"R-{number}", number)).answered([f"R-{number}"], day(number), "erased")
    more = facts.requested(asked("R-new", 99))
    assert facts.requests.keys() - more.requests.keys() == {"R-0"}
    waiting = Facts()
    for number in range(MOST_REQUESTS + 5):
        waiting = waiting.requested(asked(f"R-{number}", number))
    assert len(waiting.open_requests()) == MOST_REQUESTS + 5
    answered = waiting.answered(waiting.requests, day(200), "erased")
    assert len(answered.requests) == MOST_REQUESTS
    assert answered.of(FactKind.REQUESTED) == waiting.of(FactKind.REQUESTED)


def test_a_corrected_instant_stays_corrected() -> None:
    """What was taken back does not come back by being told again; what stands in its place counts."""
    facts = told([(LEFT, day(1)), (LEFT, day(5))]).corrected(LEFT, day(1), day(3))
    assert facts.of(LEFT) == {day(3), day(5)}
    assert facts.told(LEFT, day(1)).of(LEFT) == {day(3), day(5)}
    assert facts.corrected(LEFT, day(3), None).of(LEFT) == {day(5)}
    assert told([(RETURNED, day(4)), (LEFT, day(1))], facts).of(RETURNED) == {day(4)}


def test_a_correction_can_be_taken_back() -> None:
    """The instant that was withdrawn is right after all."""
    facts = told([(LEFT, day(1))]).corrected(LEFT, day(1), day(3))
    assert facts.corrected(LEFT, day(3), day(1)).of(LEFT) == {day(1)}


def test_a_correction_beyond_the_bound_drops_what_telling_would() -> None:
    """Of cancels the earliest, though others are closer to each other."""
    days = [0, *range(10, 10 + MOST_INSTANTS - 1)]
    full = told((RETURNED, day(number)) for number in days)
    corrected = full.corrected(RETURNED, day(5), day(99))
    assert corrected.of(RETURNED) == {day(number) for number in [*days[1:], 99]}


def test_a_correction_that_is_known_changes_nothing() -> None:
    """Made again, it gives the very same facts, version included."""
    facts = told([(LEFT, day(1))]).corrected(LEFT, day(1), day(3))
    assert facts.version == 2
    assert facts.corrected(LEFT, day(1), day(3)) is facts
    gone = facts.corrected(LEFT, day(3), None)
    assert gone.corrected(LEFT, day(3), None) is gone


def test_telling_again_what_was_taken_back_changes_nothing() -> None:
    """Neither the facts nor their version: an erase under way is not disturbed, the ledger has no news."""
    facts = told([(LEFT, day(1))]).corrected(LEFT, day(1), None)
    assert facts.told(LEFT, day(1)) is facts
    assert facts.of(LEFT) == frozenset()


def test_what_was_withdrawn_does_not_count_wherever_it_stands() -> None:
    """A row that an earlier release wrote may have it among the instants, too."""
    facts = Facts(7, {LEFT: frozenset({day(1), day(2)})}, withdrawn={LEFT: frozenset({day(1)})})
    assert facts.of(LEFT) == {day(2)}


def test_what_was_withdrawn_stays_few() -> None:
    """As many as of a kind's instants, the last ones."""
    facts = Facts()
    for number in range(MOST_INSTANTS + 5):
        facts = facts.told(LEFT, day(number)).corrected(LEFT, day(number), None)
    assert facts.withdrawn[LEFT] == {day(number) for number in range(5, MOST_INSTANTS + 5)}


def test_facts_that_begin_anew_are_not_the_old_ones() -> None:
    """A row that is made again after its removal has a version that the old one never had."""
    old = told((LEFT, day(n / 1000)) for n in range(60))
    old = replace(old, version=Facts.begun(day(0)).version + 60)
    assert Facts.begun(day(0) + timedelta(seconds=1)).version > old.version
    assert Facts.begun(day(0)) == Facts(version=int(day(0).timestamp()) * 1000)


@pytest.mark.parametrize(
    ("facts", "last"),
    [
        pytest.param(Facts(), FIRST, id="nothing"),
        pytest.param(told([(LEFT, day(1)), (RETURNED, day(2))]), day(2), id="an instant"),
        pytest.param(after([opened(1, 9)]), day(9), id="a hold's end"),
        pytest.param(after([closed(7)]), day(7), id="a closing"),
        pytest.param(Facts().requested(asked("R-1")).answered(["R-1"], day(4), "x"), day(4), id="an answer"),
    ],
)
def test_the_last_instant_that_facts_are_about(facts: Facts, last: datetime) -> None:
    """Facts may go a long time after it; a request without an answer is never of the past."""
    assert facts.last_instant() == last
    assert facts.requested(asked("R-9")).last_instant() > day(10**6)


@dataclass(frozen=True)
class Change:
    """One word of any kind, and how it is told."""

    word: Hold | Closing | Request | Telling

    def __call__(self, facts: Facts) -> Facts:
        match self.word:
            case Hold():
                return facts.held(self.word)
            case Closing():
                return facts.released(self.word)
            case Request():
                return facts.requested(self.word)
            case (kind, instant):
                return facts.told(kind, instant)


changes = st.builds(
    Change, words_about_holds | tellings | st.builds(asked, st.sampled_from(["R-1", "R-2"]), days)
)


@given(st.lists(changes, max_size=12), st.lists(tellings, max_size=3))
def test_a_row_keeps_all_of_it(some: list[Change], corrections: list[Telling]) -> None:
    """Facts come back from their row exactly as they went in; each change raised the version by one."""
    facts = Facts()
    for change in some:
        changed = change(facts)
        assert changed is facts or changed.version == facts.version + 1
        facts = changed
    for kind, instant in corrections:
        facts = facts.corrected(kind, instant, instant + timedelta(hours=1))
    facts = facts.answered(["R-1"], day(9), "erased")
    assert facts_of_row(row_of_facts(contact_ref(), facts)) == replace(
        facts, instants={kind: some for kind, some in facts.instants.items() if some}
    )


def test_a_row_of_the_first_release_can_be_read() -> None:
    """Version 1 knew instants and holds; what it does not have is empty, what cannot be read holds."""
    row = {
        "record": {"S": contact_ref().text},
        "v": {"N": "1"},
        "version": {"N": "7"},
        "left": {"SS": [to_text(day(1))]},
        "holds": {"M": {"CASE-1": {"M": {"until": {"S": "soon"}, "since": {"N": "5"}}}}},
        "other": {"S": "canary"},
    }
    hold = Hold("", "CASE-1", "", since=None, until=None)
    assert facts_of_row(row) == Facts(7, {LEFT: frozenset({day(1)})}, {"CASE-1": hold})
