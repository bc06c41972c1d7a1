"""Use case: an event about a hold, for each record that it names; who is refused is told so."""

from shared.disputes import Closed, MarkOutdated, Opened
from shared.hold_records import Held, Ports, place_hold, put_mark_right, release_hold
from shared.outgoing import EventBus, hold_refused
from shared.tally import Count, Tally
from shared.telling import Telling

_COUNTS = {Held.PLACED: Count.HOLDS_PLACED, Held.TOO_LATE: Count.HOLDS_REFUSED}


def work_dispute(
    told: Opened | Closed | MarkOutdated, telling: Telling, ports: Ports, bus: EventBus
) -> Tally:
    """Work an event about a hold.

    Raises:
        CallFailedError: a call failed; the event is to be delivered again.
    """
    tally = Tally()
    match told:
        case Opened(records, hold):
            for record in records:
                held = place_hold(record, hold, telling, ports)
                if held is Held.TOO_LATE:
                    bus.put([hold_refused(record, hold, held)])
                if held in _COUNTS:
                    tally.add(_COUNTS[held])
        case Closed(records, closing):
            for record in records:
                tally.add(Count.HOLDS_RELEASED, int(release_hold(record, closing, telling, ports)))
        case MarkOutdated(record):
            tally.add(Count.MARKS_PUT_RIGHT, int(put_mark_right(record, telling.now, ports)))
            # Also if it was right: a stale mark has put timers off, or the first delivery came to no timer.
            tally.include(ports.timing.time_anew(record, telling.policy, telling.now))
    tally.include(telling.tally)
    return tally
