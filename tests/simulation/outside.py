"""Everybody outside Lapse: the business system with its own hands on the tables, people, partners."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from shared.correct_fact import Correction, correct_fact
from shared.facts import Closing as ClosingFact
from shared.facts import FactKind, Hold
from shared.hold_records import Ports as HoldPorts
from shared.hold_records import place_hold, release_hold
from shared.outgoing import ContractEvent
from shared.pausing import Pause, pause, resume
from shared.record import RecordRef
from shared.refused import RefusedError
from shared.telling import Telling
from tests.builders import NOW
from tests.memory import (
    Memory,
    MemoryBrake,
    MemoryFacts,
    MemoryLedger,
    MemoryTables,
    MemoryTimers,
    MemoryWakeUps,
)
from tests.simulation.faults import Faults, Kind
from tests.simulation.history import Asked, Closing, Corrected, Instant, Opening, Said
from tests.simulation.hub import Hub, Task
from tests.simulation.oracle import Oracle
from tests.simulation.places import Run
from tests.simulation.ports import AMBUSH, Calls
from tests.simulation.script import Happening, Mode
from tests.simulation.stack import Delivery, Message, Stack

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DELAYS = (timedelta(hours=6), timedelta(days=1), timedelta(days=14))
MOST_PATIENCE = timedelta(hours=3)
"""For how long somebody waits, at most, before a command is tried again."""
DETAIL_TYPES = {
    "shipped": ("orders", "ShipmentDispatched"),
    "left": ("crm", "ContactLeft"),
    "returned": ("crm", "ContactReturned"),
    "opened": ("orders", "DisputeOpened"),
    "closed": ("orders", "DisputeClosed"),
    "asked": ("lapse.requests", "ErasureRequested"),
}


@dataclass
class Outside:
    """Carries out the happenings of a script."""

    hub: Hub
    faults: Faults
    memory: Memory
    stack: Stack
    oracle: Oracle
    mode: Mode
    canary: str
    restore: Callable[[str, float], object]
    deploy: Callable[[str], object]
    arrivals: dict[RecordRef, datetime]
    ambushes: dict[RecordRef, list[tuple[Any, ...]]] = field(default_factory=dict)
    versions: dict[RecordRef, list[dict[str, Any]]] = field(default_factory=dict)
    """What the business system has in its caches."""
    sent: list[Message] = field(default_factory=list)
    last_delivery: datetime = NOW
    _newest: dict[RecordRef, int] = field(default_factory=dict)

    def do(self, happening: Happening) -> object:
        """Let it happen."""
        self.hub.note("outside", happening.what, *(str(each) for each in happening.args))
        method: Callable[..., object] = getattr(self, happening.what)
        return method(*happening.args, **happening.options)

    # --- the business system --------------------------------------------------------------------------------

    def create(self, record: RecordRef, anchor: datetime | None, *, matches: bool) -> None:
        """A new order or contact."""
        contact = {"email": {"S": f"{self.canary}@example.org"}, "name": {"S": f"{self.canary} Jo"}}
        item: dict[str, Any] = {**record.key, **contact, "status": {"N": "0"}}
        if record.table == "Shipments":
            item |= {
                "drop_ship": {"BOOL": matches},
                "contact_number": {"S": f"{self.canary} 1"},
                "mobile": {"S": f"{self.canary} 2"},
                "company": {"S": f"{self.canary} 3"},
                "address": {"M": {"city": {"S": "Huddersfield"}}},
                "gate": {"M": {"code": {"S": f"{self.canary} 4"}, "side": {"S": "left"}}},
            }
            if anchor:
                item["shipped_at"] = {"S": anchor.isoformat()}
        else:
            item |= {"telephone": {"S": f"{self.canary} 5"}, "job_title": {"S": f"{self.canary} 6"}}
        self._put(record, item)

    def update(self, record: RecordRef) -> object:
        """The customer has a new address; also if the old one is gone."""
        return self._change(record, email={"S": f"{self.canary}-{self.hub.steps}@example.org"})

    def touch(self, record: RecordRef) -> object:
        """Something changes that is not Lapse's business."""
        return self._change(record, status={"N": str(self.hub.steps)})

    def set_anchor(self, record: RecordRef, text: str | None) -> object:
        """Shipped then, or not known when."""
        return self._change(record, shipped_at={"NULL": True} if text is None else {"S": text})

    def no_match(self, record: RecordRef) -> object:
        """It was no drop-shipment after all; or it was."""
        now = self.memory.items.get(record, {}).get("drop_ship")
        return self._change(record, drop_ship={"BOOL": now != {"BOOL": True}})

    def foreign_mark(self, record: RecordRef, until: str) -> object:
        """The business system marks a hold of its own."""
        return self._change(record, legal_hold={"M": {"until": {"S": until}, "by": {"S": "orders"}}})

    def read(self, record: RecordRef) -> object:
        """The business system reads the record, and keeps the copy, with Lapse's mark if there is one."""
        item = self.memory.items.get(record)
        if item is None:
            return False
        self.versions[record].append(deepcopy(dict(item)))
        return None

    def stale(self, record: RecordRef, age: int) -> object:
        """A cached copy is written back, whole."""
        if record not in self.memory.items:
            return False
        versions = self.versions[record]
        self._put(record, versions[max(0, len(versions) - 1 - age)])
        return None

    def re_add(self, record: RecordRef) -> object:
        """The first copy of all is written back, whole."""
        return self.stale(record, 10**6)

    def drop_gate(self, record: RecordRef) -> object:
        """The map that holds one of the fields goes, as a whole."""
        item = self.memory.items.get(record)
        if item is None or "gate" not in item:
            return False
        self._put(record, {name: each for name, each in item.items() if name != "gate"})
        return None

    def ambush(self, record: RecordRef, *happening: Any) -> object:
        """Wait for the moment between the purge's look and its erase."""
        self.ambushes.setdefault(record, []).append(happening)
        return False

    def ambushed(self, call: str, record: RecordRef) -> bool:
        """The moment may have come: then do what was waited for."""
        waiting = self.ambushes.get(record)
        if not waiting or not self.faults.on:
            return False
        what, *args = waiting[0]
        if what == "hold and wipe" and call != "records.erase":
            return False
        waiting.pop(0)
        self.faults.strike(Kind.AMBUSH)
        now = self.hub.now
        if what == "returned":
            self.hub.at(now, lambda: self._tell_now(what, record, now))
        elif what in {"hold", "hold and wipe"}:
            words = f"CASE-A{self.hub.steps}", now, now + timedelta(hours=args[0])
            self.hub.at(now, lambda: self.tell("hold", record, *words))
            if what == "hold and wipe":
                self.hub.at(now + AMBUSH * 0.6, lambda: self.stale(record, 0))
        else:
            self.hub.at(now, lambda: self.do(Happening(now, what, (record, *args))))
        return True

    def _tell_now(self, kind: str, record: RecordRef, *words: Any) -> None:
        """As `tell`, without delay."""
        source, detail_type = DETAIL_TYPES[kind]
        detail = _detail(kind, record, words)
        event = {
            "source": source,
            "detail-type": detail_type,
            "time": self.hub.now.isoformat(),
            "detail": detail,
        }
        self.sent.append(Message(detail_type, event, _said(kind, *words), (record,)))
        self.stack.work(self.sent[-1])

    def poison(self, record: RecordRef) -> object:
        """From now on no call can work the record; the others must not suffer from it."""
        self.faults.poisoned.add(record)
        return False

    def delete(self, record: RecordRef) -> object:
        """The record goes."""
        if self.memory.items.pop(record, None) is None:
            return False
        self.oracle.wrote(record, None)
        return None

    def _change(self, record: RecordRef, **attributes: Mapping[str, Any]) -> object:
        item = self.memory.items.get(record)
        if item is None:
            return False
        self._put(record, {**item, **attributes})
        return None

    def _put(self, record: RecordRef, item: Mapping[str, Any]) -> None:
        self.memory.items[record] = deepcopy(dict(item))
        self.versions.setdefault(record, []).append(deepcopy(dict(item)))
        self.oracle.wrote(record, item)

    # --- events --------------------------------------------------------------------------------

    def tell(self, kind: str, record: RecordRef, *words: Any) -> None:
        """Somebody says something about a record: an event, or an operator's command."""
        said = _said(kind, *words)
        if kind in {"hold", "release"}:
            self._operate(kind, partial(self._hold, record, said), said, record)
            return
        source, detail_type = DETAIL_TYPES[kind]
        event = ContractEvent(source, detail_type, _detail(kind, record, words))
        chance = self.hub.chance(f"send {kind} {record.text} {words}")
        at = words[0]
        if kind == "shipped" and at.microsecond == 0 and chance.random() < 0.2:
            detail = {
                "data": {"orderId": _id(record)},
                "created_at": int(at.timestamp()),
                "email": self.canary,
            }
            foreign = {
                "source": "webhook/bigcommerce",
                "detail-type": "store/shipment/created",
                "detail": detail,
            }
            self.stack.relay(foreign, said, (record,))
            return
        envelope = {
            "source": event.source,
            "detail-type": event.detail_type,
            "time": self.hub.now.isoformat(),
            "detail": {**event.detail, "note": self.canary},
        }
        self._send(Message(detail_type, envelope, said, (record,)), chance)

    def malformed(self, number: int) -> None:
        """An event that is to be refused."""
        naive, ahead = (
            self.hub.now.replace(tzinfo=None).isoformat(),
            (self.hub.now + 40 * 24 * 60 * MINUTE).isoformat(),
        )
        details: list[tuple[str, dict[str, Any]]] = [
            ("ShipmentDispatched", {"shipment_id": "S-1", "shipped_at": naive}),
            ("ShipmentDispatched", {"shipment_id": "S-1", "shipped_at": ahead}),
            ("ShipmentDispatched", {"shipment_id": "S-1", "shipped_at": int(self.hub.now.timestamp())}),
            ("ContactLeft", {"contact_id": "", "notified_at": self.hub.now.isoformat()}),
            ("ContactReturned", {"contact_id": f"{self.canary}@example.org", "returned_at": naive}),
            ("DisputeOpened", {"shipment_id": "S-1", "note": self.canary}),
            (
                "ErasureRequested",
                {"request_id": "R", "requested_at": naive, "approved_by": "a", "records": []},
            ),
        ]
        detail_type, detail = details[number % len(details)]
        event = {
            "source": "orders",
            "detail-type": detail_type,
            "time": self.hub.now.isoformat(),
            "detail": detail,
        }
        self._send(Message(detail_type, event, sound=False), self.hub.chance(f"malformed {number}"))

    def _send(self, message: Message, chance: Any) -> None:
        """Through EventBridge and SQS: at least once, in any order; now and then never."""
        if self.mode is Mode.ALL and self.faults.happens(Kind.DROPPED, 0.25, chance):
            return
        number = len(self.sent)
        self.sent.append(message)
        delay = SECOND + 30 * SECOND * chance.random()
        if self.faults.happens(Kind.DELAYED, 0.25, chance):
            delay += 60 * MINUTE * chance.random()
        elif self.faults.happens(Kind.DELAYED_LONG, 0.2, chance):
            delay += chance.choice(DELAYS[: 3 if chance.random() < 0.3 else 2])
        for record in message.records:
            self.arrivals[record] = max(self.arrivals.get(record, self.hub.now), self.hub.now + delay)
        self._deliver(message, delay, number)
        while self.faults.happens(Kind.DUPLICATED, 0.25, chance):
            again = Message(message.name, message.event, message.said, message.records, message.sound)
            self._deliver(again, delay + chance.choice((MINUTE, 6 * 60 * MINUTE)) * chance.random(), number)

    def _deliver(self, message: Message, delay: timedelta, number: int) -> None:
        def arrives() -> None:
            for record in message.records:
                if self._newest.get(record, -1) > number:
                    self.faults.strike(Kind.REORDERED)
                self._newest[record] = max(self._newest.get(record, -1), number)
            self.stack.work(message)

        self.last_delivery = max(self.last_delivery, self.hub.now + delay)
        self.hub.at(self.hub.now + delay, arrives)

    # --- operators --------------------------------------------------------------------------------

    def correct(self, record: RecordRef, kind: str, was: datetime, becomes: datetime | None) -> None:
        """An operator takes an instant back."""

        def work(calls: Calls, telling: Telling) -> object:
            ports = self._hold_ports(calls)
            correction = Correction(FactKind(kind), was, becomes, "staff-6")
            return correct_fact(record, correction, telling, ports.facts, ports.timing)

        self._operate("correct", work, Corrected(kind, was, becomes), record)

    def pause(self, until: datetime) -> None:
        """An operator pauses Lapse."""
        self._operate(
            "pause",
            lambda calls, telling: pause(
                Pause("staff-4", "investigation", telling.now, until),
                telling,
                calls.port("brake", MemoryBrake(self.memory)),
            ),
        )

    def resume(self) -> None:
        """An operator resumes."""
        self._operate(
            "resume",
            lambda calls, telling: resume("staff-5", telling, calls.port("brake", MemoryBrake(self.memory))),
        )

    def purge(self) -> None:
        """An operator runs the purge."""
        self.stack.purge("manual")

    def sweep(self) -> None:
        """An operator begins a sweep."""
        self.stack.sweep(by_hand=True)

    def lose_timers(self) -> None:
        """The Due table is lost: its timers, and with them the sweep's progress."""
        self.faults.strike(Kind.TIMERS_LOST)
        self.memory.timers.clear()
        self.memory.parts.clear()
        self.memory.sweep = None

    def _hold_ports(self, calls: Calls) -> HoldPorts:
        return HoldPorts(
            calls.port("records", MemoryTables(self.memory)),
            calls.port("facts", MemoryFacts(self.memory)),
            calls.port("ledger", MemoryLedger(self.memory)),
            calls.port("timers", MemoryTimers(self.memory)),
            calls.port("wake_ups", MemoryWakeUps(self.memory)),
        )

    def _hold(self, record: RecordRef, said: Said, calls: Calls, telling: Telling) -> object:
        ports = self._hold_ports(calls)
        if isinstance(said, Opening):
            hold = Hold(said.reason, said.case, said.by, said.since, said.until)
            return place_hold(record, hold, telling, ports)
        assert isinstance(said, Closing)
        return release_hold(record, ClosingFact(said.case, said.by, said.at), telling, ports)

    def _operate(
        self,
        name: str,
        work: Callable[[Calls, Telling], object],
        said: Said | None = None,
        record: RecordRef | None = None,
    ) -> None:
        """An operator's command, repeated until it succeeds."""
        message = Message(name, {"command": name}, said, (record,) if record else ())
        delivery: list[Delivery] = []

        def begin(run: Run) -> Delivery:
            delivery.append(Delivery(message, run))
            return delivery[-1]

        def command(calls: Calls, clock: Callable[[], datetime], _task: Task) -> object:
            telling = Telling(self.stack.editions["events"].policy, clock(), "operator")
            return work(calls, telling)

        def done(result: object, error: BaseException | None, _run: Run) -> None:
            if error is None:
                delivery[-1].result = result
                self.stack.ears.taken(delivery[-1])
            elif not isinstance(error, RefusedError):
                self.hub.at(self.hub.now + min(len(delivery) ** 2 * MINUTE, MOST_PATIENCE), again)

        def again() -> None:
            self.stack.run(f"events-{name}", command, done, begin)

        again()


def _id(record: RecordRef) -> str:
    return str(next(iter(record.key.values()))["S"])


def _said(kind: str, *words: Any) -> Said:
    match kind:
        case "opened" | "hold":
            case, since, until = words
            return Opening(case, since, until, "damaged", "staff-1")
        case "closed" | "release":
            case, at = words
            return Closing(case, at, "staff-2")
        case "asked":
            request, at = words
            return Asked(request, at)
    return Instant(kind, words[0])


def _detail(kind: str, record: RecordRef, words: tuple[Any, ...]) -> dict[str, Any]:
    match kind:
        case "shipped":
            return {"shipment_id": _id(record), "shipped_at": words[0].isoformat()}
        case "left":
            return {"contact_id": _id(record), "notified_at": words[0].isoformat()}
        case "returned":
            return {"contact_id": _id(record), "returned_at": words[0].isoformat()}
        case "opened":
            case, since, until = words
            hold = {"reason_code": "damaged", "case_ref": case, "opened_by": "staff-1"}
            return {
                "shipment_id": _id(record),
                **hold,
                "opened_at": since.isoformat(),
                "until": until.isoformat(),
            }
        case "closed":
            case, at = words
            closed = {"case_ref": case, "closed_by": "staff-2", "closed_at": at.isoformat()}
            return {"shipment_id": _id(record), **closed}
    request, at = words
    named = [{"table": record.table, "key": {name: text["S"] for name, text in record.key.items()}}]
    return {"request_id": request, "requested_at": at.isoformat(), "approved_by": "staff-3", "records": named}
