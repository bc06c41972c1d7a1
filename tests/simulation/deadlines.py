"""I2: once the faults have stopped, by when each field must be gone, and each mark right; and that it is."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from shared.record import RecordRef
from tests.builders import NOW
from tests.simulation.history import FOR_EVER, due, is_ours, mark_end, present
from tests.simulation.oracle import Oracle
from tests.simulation.places import Place
from tests.simulation.promises import DAY, Edition, Promise
from tests.simulation.script import Mode

MINUTE = timedelta(minutes=1)
GRACE = timedelta(hours=26)
"""What the promise allows where nothing but the sweep can know."""
QUICK = {Mode.ALL: 10 * MINUTE, Mode.NO_SWEEP: 10 * MINUTE, Mode.NO_RECURRING: 3 * MINUTE}
"""What it allows where a timer stood in time; its wake-up may be lost, if there is a recurring purge."""
CAPPED = timedelta(hours=1)
"""What a limit of erasures per run may cost besides."""
DELIVERED = 40 * MINUTE
"""For how long an event is tried again, at most, if nothing fails any more."""


class Deadlines:
    """Looks at the clock."""

    def __init__(self, oracle: Oracle, mode: Mode) -> None:
        self._oracle, self._mode = oracle, mode
        self.quiet: datetime | None = None
        """Since when there are no faults."""
        self.deployed_at: datetime = oracle.now
        self.arrivals: dict[RecordRef, datetime] = {}
        """When the last event about a record comes for the first time."""
        self._swept: list[tuple[datetime, datetime]] = []
        self._next_check = FOR_EVER
        self._dirty = True

    def swept(self, began: datetime) -> None:
        """A sweep ended."""
        self._swept.append((began, self._oracle.now))

    def changed(self) -> None:
        """Something happened that may have moved a deadline."""
        self._dirty = True

    def look(self, edition: Edition, passed_over: set[RecordRef]) -> None:
        """Check what is due, if it is time to; but for some records that nobody can work just now."""
        if self.quiet is None or not (self._dirty or self._oracle.now > self._next_check):
            return
        self._dirty, self._next_check = False, FOR_EVER
        sweeps = self._mode is not Mode.NO_SWEEP
        for record, promise, deadline in standing(self._oracle, self._oracle.place, edition):
            if record in passed_over or deadline >= FOR_EVER - GRACE - DAY:
                continue
            latest = self._latest(record, deadline, self.quiet, capped=edition.policy.max_erasures_per_run)
            what = f"still there by {promise.rule}, since {deadline.isoformat()}"
            self._must_not_be_after(latest, "I2", what, record)
        for record, since, invariant, what in wrong_marks(self._oracle) if sweeps else ():
            if record not in passed_over:
                settled = max(self._oracle.settled_at(record), since, self.deployed_at, self.quiet)
                self._must_not_be_after(settled + GRACE, invariant, what, record)

    def _must_not_be_after(self, latest: datetime, invariant: str, what: str, record: RecordRef) -> None:
        if self._oracle.now > latest:
            self._oracle.violated(invariant, what, record)
        else:
            self._next_check = min(self._next_check, latest)

    def _latest(self, record: RecordRef, deadline: datetime, quiet: datetime, capped: int | None) -> datetime:
        """By when the fields must be gone."""
        paused = self._oracle.paused_until()
        at = max(deadline, paused)
        settled = max(self._oracle.settled_at(record), self.deployed_at, quiet, paused)
        quick = QUICK[self._mode] + (CAPPED if capped else timedelta(0))
        if self._mode is Mode.NO_SWEEP:
            return max(at, max(settled, self.arrivals.get(record, settled)) + DELIVERED) + quick
        for began, finished in self._swept:
            if began >= settled and finished + MINUTE <= at <= began + 2 * DAY:
                return at + quick
        return max(at, settled) + GRACE


def standing(oracle: Oracle, place: Place, edition: Edition) -> Iterator[tuple[RecordRef, Promise, datetime]]:
    """For each promise whose fields are there: when they are to go at the earliest, as things stand."""
    for record, item in place.last.items():
        told = oracle.told[record]
        for promise in edition.promises_of(record.table):
            at = due(promise, item, told, oracle.now)
            if at is not None and promise.enforced and present(item, promise.fields):
                # A mark that Lapse set is no reason to wait: it is for Lapse to take away, as the hold ends.
                marked = None if is_ours(item) else mark_end(item)
                yield record, promise, max(at, *told.ends(), marked or at)


def wrong_marks(oracle: Oracle) -> Iterator[tuple[RecordRef, datetime, str, str]]:
    """Records whose mark does not say what was told, since when at the earliest; and what is wrong.

    What the business system marked itself stands until it lapses.
    """
    for record, item in oracle.place.last.items():
        in_force = [end for end in oracle.told[record].ends() if end > oracle.now]
        end = mark_end(item) or NOW
        marked = end if end > oracle.now else None
        lapsed = NOW if marked or is_ours(item) else end
        if marked == max(in_force, default=None) or not (marked is None or is_ours(item)):
            continue
        if in_force:
            yield record, lapsed, "I3", "its mark does not say how long it is held"
        else:
            yield record, NOW, "I4", "still marked, though nothing holds it"
