"""Use case: tell whoever asked for an erasure what became of it, record by record."""

from dataclasses import dataclass
from datetime import timedelta

from shared.evidence import Outcome
from shared.facts import COMPLETED
from shared.outgoing import EventBus, erasure_completed, erasure_refused, plain_key
from shared.record import RecordRef
from shared.telling import FactsToChange, Telling, tell

TIME_TO_ANSWER = timedelta(days=30)
"""A request is to be answered within one month (GDPR, article 12.3); counted as 30 days, never too long."""


@dataclass(frozen=True)
class Answering:
    """Where answers go, and where it is kept that they went."""

    facts: FactsToChange
    bus: EventBus

    def answer(self, record: RecordRef, outcome: Outcome, reason: str, telling: Telling) -> int:
        """Answer the open requests for a record; how many there were.

        First the event, then the fact that it went: a crash between the two sends it twice.

        Raises:
            CallFailedError: a call failed; the timer must stand, so that it is tried again.
        """
        facts = self.facts.read([record]).get(record)
        asked = [request.request_id for request in facts.open_requests()] if facts else []
        if not asked:
            return 0
        at, word = telling.now, outcome.value if outcome in COMPLETED else reason or outcome.value
        if outcome in COMPLETED:
            self.bus.put([erasure_completed(each, record, word, at) for each in asked])
        else:
            key = plain_key(record)
            self.bus.put([erasure_refused(each, record.table, key, word, at) for each in asked])
        entry = telling.entry(Outcome.ANSWERED, record, word, requests=" ".join(asked))
        tell(record, lambda known: known.answered(asked, at, word), entry, self.facts)
        return len(asked)
