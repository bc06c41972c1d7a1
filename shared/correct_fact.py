"""Use case: an operator puts right what Lapse was told. With evidence; the record is timed anew at once."""

from dataclasses import dataclass
from datetime import datetime

from shared.evidence import Outcome
from shared.facts import FactKind, Facts
from shared.record import RecordRef
from shared.refused import RefusedError
from shared.tally import Tally
from shared.telling import FactsToChange, Telling, tell
from shared.timing import Timing


@dataclass(frozen=True)
class Correction:
    """An instant that was wrong, and the right one, if there is one."""

    kind: FactKind
    was: datetime
    becomes: datetime | None
    corrected_by: str


def correct_fact(
    record: RecordRef, correction: Correction, telling: Telling, facts: FactsToChange, timing: Timing
) -> Tally:
    """Take an instant back, and put another in its place, if there is one.

    Telling the wrong instant again will not bring it back. A correction made twice changes nothing.

    Raises:
        RefusedError: no such instant was told, or it was taken back before for another one.
        CallFailedError: a call failed; the correction is to be made again.
    """
    kind, was, becomes = correction.kind, correction.was, correction.becomes
    known = facts.read([record]).get(record) or Facts()
    told, withdrawn = known.instants.get(kind, frozenset()), known.withdrawn.get(kind, frozenset())
    if was not in told | withdrawn:
        raise RefusedError("was", f"no {kind.value} at that instant was told")
    if was in withdrawn and becomes is not None and becomes not in known.of(kind):
        raise RefusedError("was", "was taken back before: correct the instant that stands")
    by = correction.corrected_by
    entry = telling.entry(Outcome.CORRECTED, record, kind=kind.value, was=was, becomes=becomes, by=by)
    tell(record, lambda facts: facts.corrected(kind, was, becomes), entry, facts)
    return timing.time_anew(record, telling.policy, telling.now)
