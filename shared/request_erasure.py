"""Use case: somebody asked for erasure. A fact and a timer for each record; the purge erases, and answers."""

from dataclasses import dataclass

from shared.evidence import Outcome
from shared.facts import Request
from shared.outgoing import EventBus, erasure_refused
from shared.policy import Rule
from shared.record import RecordRef
from shared.requests import ErasureRequested
from shared.tally import Count, Tally
from shared.telling import FactsToChange, Telling, tell
from shared.timer import Timer
from shared.waking import TimersToPut, WakeUps, ensure_wake_up


@dataclass(frozen=True)
class Ports:
    """What this use case works on."""

    facts: FactsToChange
    timers: TimersToPut
    wake_ups: WakeUps
    bus: EventBus


def request_erasure(asked: ErasureRequested, telling: Telling, ports: Ports) -> Tally:
    """Begin a request: for each of its records a fact and a timer for now; then one wake-up.

    A table that has no rule for requests is refused at once, with an event.

    Raises:
        CallFailedError: a call failed; the request is to be delivered again.
    """
    tally = Tally()
    for each in asked.asked:
        if each.rule is None or each.record is None:
            refused = erasure_refused(
                asked.request.request_id, each.table, each.key, "no_rule", at=telling.now
            )
            ports.bus.put([refused])
            tally.add(Count.NO_RULE)
        else:
            _begin(asked.request, each.rule, each.record, telling, ports)
            tally.add(Count.REQUESTS)
    if tally.counts[Count.REQUESTS]:
        ensure_wake_up(ports.wake_ups, asked.request.requested_at, telling.now, tally)
    return tally


def _begin(request: Request, rule: Rule, record: RecordRef, telling: Telling, ports: Ports) -> None:
    """The fact first: without it, the timer would find nothing to erase by."""
    details = {"request_id": request.request_id, "approved_by": request.approved_by}
    entry = telling.entry(
        Outcome.REQUESTED, record, requested_at=request.requested_at, rule=rule.id, **details
    )
    tell(record, lambda known: known.requested(request), entry, ports.facts)
    ports.timers.put([Timer(record, rule.id, at=request.requested_at, due=request.requested_at)])
