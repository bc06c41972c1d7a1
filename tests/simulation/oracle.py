"""The oracle: keeps a history of its own, and checks after each step what must never be.

It is told by the run what the business system wrote, what people and events said, and which calls DynamoDB
applied; it looks at what everybody can see, the tables' contents, the evidence and the answers. It never asks
the program what it thinks. Here are I1, I3, I4 and I9; I5 and I7 are in `evidence`, I2 in `deadlines`, the
rest in `run` and `afterwards`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.record import RecordRef
from tests.simulation.evidence import EvidenceJudge
from tests.simulation.history import Opening, Said, Told, due, is_ours, mark_end, present, value
from tests.simulation.places import Items, Path, Place, Removal, Run
from tests.simulation.promises import DAY, Promise

SKEW = timedelta(seconds=5)
WINDOW = timedelta(seconds=2) + timedelta(seconds=5)
"""The documented window, with guard = "record": two seconds from a look on, and the erase itself."""


class Invariant(StrEnum):
    """What must always hold."""

    I1 = "I1 never early"
    I2 = "I2 never late"
    I3 = "I3 hold"
    I4 = "I4 frame"
    I5 = "I5 order-free"
    I6 = "I6 idempotent"
    I7 = "I7 evidence"
    I8 = "I8 canary"
    I9 = "I9 restore"
    I10 = "I10 accounting"


@dataclass(frozen=True)
class Violation:
    """What was broken, when, and about which record. Never a field's content."""

    invariant: Invariant
    when: datetime
    what: str

    def __str__(self) -> str:
        """One line for a report."""
        return f"{self.invariant} at {self.when.isoformat()}: {self.what}"


class Oracle:
    """Checks one run of the simulation."""

    def __init__(
        self,
        live: Items,
        personal: Mapping[str, frozenset[Path]],
        clock: Callable[[], datetime],
        *,
        by_facts: bool,
    ) -> None:
        """Look at these tables, whose personal fields are these, by the true time.

        With `by_facts`, the policy closes the documented window.
        """
        self.violations: list[Violation] = []
        self.place = Place(live)
        self.restored: Place | None = None
        self.evidence = EvidenceJudge(self)
        self.told: dict[RecordRef, Told] = defaultdict(Told)
        self.told_at: dict[RecordRef, datetime] = {}
        self.forgotten: set[RecordRef] = set()
        """Records that were gone, and whose facts went after them; they may be back."""
        self.acknowledged: dict[RecordRef, set[Opening]] = defaultdict(set)
        """Holds that somebody was told are placed."""
        self.removals: list[Removal] = []
        self.erasures = 0
        self.windows = 0
        self._held_at: dict[RecordRef, datetime] = {}
        self._first_told: dict[RecordRef, datetime] = {}
        self._pauses: list[tuple[datetime, datetime | None]] = []
        """Since when, until when; the last one counts, and `None` is a resumption."""
        self._personal, self._clock, self._by_facts = personal, clock, by_facts

    @property
    def now(self) -> datetime:
        """The true time."""
        return self._clock()

    def violated(
        self, invariant: str, what: str, record: RecordRef | None = None, place: Place | None = None
    ) -> None:
        """Keep that something must not be; whatever it is, on a table that is being restored it is I9."""
        named = f"{record.text}: {what}" if record else what
        if place and place.restored:
            invariant, named = "I9", f"restored {named}"
        self.violations.append(Violation(Invariant[invariant], self.now, named))

    # --- what the run tells ---------------------------------------------------------------------------------

    def wrote(self, record: RecordRef, item: Mapping[str, Any] | None) -> None:
        """The business system wrote a record, or deleted it."""
        before = self.place.last.get(record, {})
        if item is None:
            self.place.last.pop(record, None)
        else:
            self.place.last[record] = deepcopy(dict(item))
        counts = {
            "shipped_at",
            "drop_ship",
            "legal_hold",
            *(path[0] for path in self._personal[record.table]),
        }
        if any(before.get(name) != (item or {}).get(name) for name in counts):
            self.place.written[record] = self.now
        if is_ours(before) and not is_ours(item or {}):
            self.place.wiped[record] = self.now
        self._remember(self.place, record)

    def heard(self, record: RecordRef, said: Said) -> None:
        """What somebody said about a record was kept: its transaction committed."""
        self.told[record].hear(said)
        self.told_at[record] = self.now
        self.forgotten.discard(record)
        self._first_told.setdefault(record, self.now)
        if isinstance(said, Opening):
            self._held_at[record] = self.now

    def refused(self, record: RecordRef, requests: set[str]) -> None:
        """Whoever asked for these erasures was told that nothing is erased."""
        self.told[record].refused |= requests
        self.told_at[record] = self.now

    def paused(self, until: datetime | None) -> None:
        """A pause was kept, or with `None` a resumption."""
        self._pauses.append((self.now, until))

    def restore(self, items: Items) -> None:
        """A table was restored beside the live one."""
        last = {record: deepcopy(dict(item)) for record, item in items.items()}
        self.restored = Place(items, restored=True, last=last)
        for record in items:
            self._remember(self.restored, record)

    def cut_over(self, table: str) -> None:
        """The restored table is now the live one."""
        assert self.restored is not None
        for record in {*self.place.last, *self.restored.last}:
            if record.table == table:
                self.place.last.pop(record, None)
                if record in self.restored.last:
                    self.place.last[record] = self.restored.last[record]
                self.place.written[record] = self.now
                self._remember(self.place, record)
        self.restored = None

    # --- after each step ------------------------------------------------------------------------------------

    def look(self, run: Run | None) -> None:
        """Compare the tables with what they were: whatever differs, the program has done in this step."""
        for place in (self.place, self.restored):
            if place is not None and place.items != place.last:
                self._judge(place, run)

    def _judge(self, place: Place, run: Run | None) -> None:
        for record in {*place.items, *place.last}:
            before, after = place.last.get(record), place.items.get(record)
            if before == after:
                continue
            if before is None or after is None:
                self.violated("I4", f"record {'created' if after else 'removed'}", record, place)
                place.last.pop(record, None)
            else:
                gone = self._judge_frame(place, record, before, after)
                if gone and run is None:
                    self.violated("I1", "erased by nobody's run", record, place)
                elif gone and run is not None:
                    self._judge_erasure(place, record, before, gone, run)
            if after is not None:
                place.last[record] = deepcopy(dict(after))
            self._remember(place, record)

    def _judge_frame(
        self, place: Place, record: RecordRef, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> frozenset[Path]:
        """I4: nothing but personal fields and Lapse's mark differs; returns the fields that are gone."""
        fields = self._personal[record.table]
        gone = present(before, fields) - present(after, fields)
        rest = deepcopy(dict(before))
        for path in gone:
            parent = value(rest, path[:-1]) if path[:-1] else {"M": rest}
            parent["M"].pop(path[-1])  # type: ignore[index]  # a field that was there has a parent
        if before.get("legal_hold") != after.get("legal_hold"):
            self._judge_mark(place, record, before, after)
        without_mark = [{n: each for n, each in item.items() if n != "legal_hold"} for item in (rest, after)]
        if without_mark[0] != without_mark[1]:
            self.violated("I4", "something else was changed", record, place)
        return gone

    def _judge_mark(
        self, place: Place, record: RecordRef, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> None:
        """I4: marks of others stay until they lapse; Lapse's own say what was told, neither more nor less."""
        end, ends = mark_end(before), self.told[record].ends()
        if not is_ours(before) and end is not None and end > self.now + SKEW:
            self.violated("I4", "a mark of the business system's own was changed", record, place)
        if is_ours(after):
            if mark_end(after) not in ends:
                self.violated("I4", "a mark that says something else than what was told", record, place)
        elif any(each > self.now + SKEW for each in ends):
            self.violated("I4", "a mark was taken away while a hold was in force", record, place)

    def _judge_erasure(
        self, place: Place, record: RecordRef, item: Mapping[str, Any], gone: Iterable[Path], run: Run
    ) -> None:
        """I1: it was due; nothing held it; and no brake was pulled."""
        run.erased += 1
        self.erasures += 1
        told = self.told[record]
        promises = run.edition.promises_of(record.table)
        dues = {each.rule: due(each, item, told, self.now) for each in promises}
        for path in gone:
            about = [each for each in promises if path in each.fields]
            if not any(self._is_due(each, dues) for each in about):
                self.violated("I1", "erased before it was due", record, place)
            removal = Removal(record, path, self.now, run, {each.rule: dues[each.rule] for each in about})
            self.removals.append(removal)
            self.evidence.expect(removal)
        self._judge_holds(place, record, item, told, run)
        if self._was_paused(run.batch_began - SKEW):
            self.violated("I1", "erased by a batch that began while paused", record, place)
        cap = run.edition.policy.max_erasures_per_run
        if cap is not None and run.erased > cap and not place.restored:
            self.violated("I1", "a run erased more records than it may", record)

    def _is_due(self, promise: Promise, dues: Mapping[str, datetime | None]) -> bool:
        at = dues[promise.rule]
        return promise.enforced and at is not None and at <= self.now

    def _judge_holds(
        self, place: Place, record: RecordRef, item: Mapping[str, Any], told: Told, run: Run
    ) -> None:
        """I1 and I3: no hold was in force, and none that somebody was told is placed."""
        marked = mark_end(item)
        if marked is not None and marked > self.now:
            self.violated("I1", "erased while the record was marked as held", record, place)
        if self._wiped_meanwhile(place, record, run):
            self.windows += 1
            return
        if any(end > self.now for end in told.ends()):
            self.violated("I1", "erased while a hold was in force", record, place)
        if any(end > self.now for end in told.ends(self.acknowledged[record])):
            self.violated("I3", "erased in spite of an acknowledged hold", record, place)

    def _wiped_meanwhile(self, place: Place, record: RecordRef, run: Run) -> bool:
        """Whether this is the documented window: look, a hold as the first word, its mark wiped, erase."""
        looked, held = run.facts_read.get(record), self._held_at.get(record)
        wiped = place.wiped.get(record)
        if self._by_facts or looked is None or held is None or wiped is None:
            return False
        was_unknown = looked <= self._first_told[record]
        return was_unknown and held <= wiped and self.now - looked <= WINDOW

    def _was_paused(self, at: datetime) -> bool:
        """Whether a pause was in force then, and was not ended since."""
        before = [until for since, until in self._pauses if since < at][-1:]
        since_then = [*before, *(until for since, until in self._pauses if since >= at)]
        return bool(before) and all(until is not None and until > self.now + SKEW for until in since_then)

    # --- what the deadlines depend on -----------------------------------------------------------------------

    def paused_until(self) -> datetime:
        """When the last pause ends, or ended."""
        since, until = self._pauses[-1] if self._pauses else (self.now - 999 * DAY, None)
        return until or since

    def settled_at(self, record: RecordRef) -> datetime:
        """Since when nobody changed anything about a record."""
        changed = [self.place.written.get(record), self.told_at.get(record)]
        return max((each for each in changed if each), default=self.now - 999 * DAY)

    def _remember(self, place: Place, record: RecordRef) -> None:
        place.remember(record, self._personal[record.table], self.now)
