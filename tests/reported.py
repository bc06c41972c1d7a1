"""Stacks to report on: one in order, and one of which a lot is to be said."""

from collections import Counter
from datetime import timedelta

from lapse.copies import TableCopies
from lapse.seals import LastSeal
from shared.evidence import Entry, Outcome
from shared.facts import Facts, Hold, Request
from shared.found import Found
from shared.last_purge import LastPurge
from shared.pausing import Pause
from shared.record import RecordRef
from shared.sweep_state import Sweep
from shared.timer import Timer
from tests.builders import NOW, contact_ref, shipment_ref
from tests.operators import Operator

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DELIVERY, LEAVER = "delivery-contact", "leaver-contact"


def erasure(operator: Operator, record: RecordRef, rule_id: str, ago: timedelta, late: timedelta) -> None:
    """Evidence of an erasure."""
    rule = operator.policy.rule(rule_id)
    assert rule is not None
    entry = Entry(
        outcome=Outcome.ERASED,
        at=NOW - ago,
        cause="wake-up",
        policy=operator.policy.digest,
        record=record.text,
        rule=rule.id,
        clause=rule.clause,
        due=NOW - ago - late,
        fields=rule.erase,
    )
    operator.ledger.append(record.shard, [entry])


def in_order(records: int = 600) -> Operator:
    """Many records that come due, many that were erased, a few holds and requests: nothing to be seen to."""
    operator = Operator()
    operator.sweeps.sweep = Sweep(NOW - 10 * HOUR, operator.policy.digest, NOW - 9.6 * HOUR, Counter(SWEPT))
    operator.purges.last = LastPurge(NOW - 2 * MINUTE, "recurring", 16)
    operator.seals.latest = LastSeal(212, NOW - 8 * HOUR, {})
    shipments = TableCopies("Shipments", 14, streams=True)
    operator.copies.told = [TableCopies("Contacts", 35, streams=False), shipments]
    for number in range(records):
        _come_and_go(operator, number)
    for number, (reason, days) in enumerate([("courier_dispute", 9), ("damaged", 31), ("lost", 60)]):
        hold = Hold(reason, f"CASE-{17 + number}", f"support-{7 + number}", NOW - 12 * DAY, NOW + days * DAY)
        operator.memory.facts[shipment_ref(f"S-{8000 + number}")] = Facts(1).held(hold)
    asked = Request("DSR-2026-11", NOW - 3 * DAY, "dpo-1")
    operator.memory.facts[contact_ref("C-9001")] = Facts(1).requested(asked)
    return operator


def _come_and_go(operator: Operator, number: int) -> None:
    """One record that comes due, and the evidence of one that did; few of either on Sundays."""
    rule = LEAVER if number % 9 == 4 else DELIVERY
    record = contact_ref(f"C-{number}") if rule == LEAVER else shipment_ref(f"S-{number}")
    due = NOW + timedelta(hours=number * (number + 37) % 719 + 1, minutes=number % 60)
    ago = timedelta(hours=number * (number + 53) % 2143 + 1)
    late = timedelta(seconds=14 + number % 70)
    if number % 40 == 0:
        late += 7 * MINUTE
    if number % 97 == 0:
        late += 9 * HOUR
    if due.weekday() < 6:
        operator.controls().timers.put([Timer(record, rule, due, due)])
    if (NOW - ago).weekday() < 6:
        erasure(operator, record, rule, ago, late)


def in_trouble(overdue: int = 3) -> Operator:
    """The same on a bad day."""
    operator = in_order()
    operator.memory.pause = Pause("staff-1", "policy_check", NOW - 3 * HOUR, NOW + DAY)
    found = Counter(SWEPT | {(DELIVERY, Found.IMPLAUSIBLE): 2})
    operator.sweeps.sweep = Sweep(NOW - 31 * HOUR, operator.policy.digest, NOW - 30 * HOUR, found)
    operator.purges.last = LastPurge(NOW - 3 * HOUR, "recurring", 9)
    operator.dead_letters.messages = 5
    operator.dead_letters.by_reason = {"shipped_at: has no offset": 3, "failed five times": 2}
    operator.facts.unreadable = 1
    late = [NOW - 5 * HOUR + timedelta(seconds=number) for number in range(overdue)]
    operator.controls().timers.put(
        [Timer(shipment_ref(f"S-{7000 + n}"), DELIVERY, NOW, due, n % 4) for n, due in enumerate(late)]
    )
    ends = ((Outcome.ALREADY_ABSENT, ""), (Outcome.DROPPED, "no_match"), (Outcome.ANSWERED, "no_rule"))
    for outcome, reason in ends:
        entry = Entry(outcome=outcome, at=NOW - DAY, cause="recurring", policy="digest", reason=reason)
        operator.ledger.append(5, [entry])
    waiting = Request("DSR-2026-7", NOW - 33 * DAY, "dpo-1")
    operator.memory.facts[contact_ref("C-9002")] = Facts(1).requested(waiting)
    first, *others = operator.ledger.batches(3)
    forged = first["body"].replace('"cause":"wake-up"', '"cause":"manual"')
    operator.ledger.forged[3] = [{**first, "body": forged}, *others]
    operator.copies.told = [TableCopies("Contacts"), TableCopies("Shipments", 0, streams=False)]
    return operator


SWEPT = {
    (DELIVERY, Found.WAITING): 18_204,
    (DELIVERY, Found.HELD): 3,
    (LEAVER, Found.WAITING): 412,
}
