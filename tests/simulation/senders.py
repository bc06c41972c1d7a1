"""Whoever sends events: through EventBridge and SQS, at least once, in any order; now and then never."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from shared.record import RecordRef
from tests.builders import NOW
from tests.simulation.faults import Faults, Kind
from tests.simulation.hub import Hub
from tests.simulation.saying import event_of, foreign_event, malformed_event, said
from tests.simulation.script import Mode
from tests.simulation.stack import Message, Stack

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DELAYS = (timedelta(hours=6), timedelta(days=1), timedelta(days=14))


@dataclass
class Senders:
    """Sends events."""

    hub: Hub
    faults: Faults
    stack: Stack
    mode: Mode
    canary: str
    arrivals: dict[RecordRef, datetime]
    """When the last event about a record comes for the first time."""
    last_delivery: datetime = NOW
    _sent: int = 0
    _newest: dict[RecordRef, int] = field(default_factory=dict)

    def send(self, kind: str, record: RecordRef, *words: Any) -> None:
        """Say something about a record, as the order system does, the CRM, or a partner."""
        chance = self.hub.chance(f"send {kind} {record.text} {words}")
        at = words[0]
        if kind == "shipped" and at.microsecond == 0 and chance.random() < 0.2:
            self.stack.relay(foreign_event(record, at, self.canary), said(kind, *words), (record,))
            return
        self._send(self._message(kind, record, words), chance)

    def send_at_once(self, kind: str, record: RecordRef, *words: Any) -> None:
        """As `send`, without delay."""
        self._sent += 1
        self.stack.work(self._message(kind, record, words))

    def malformed(self, number: int) -> None:
        """Send an event that is to be refused."""
        event = malformed_event(number, self.hub.now, self.canary)
        self._send(Message(event["detail-type"], event, sound=False), self.hub.chance(f"malformed {number}"))

    def _message(self, kind: str, record: RecordRef, words: tuple[Any, ...]) -> Message:
        event = event_of(kind, record, words, self.hub.now)
        event["detail"]["note"] = self.canary
        others = (each for each in words if isinstance(each, RecordRef))
        return Message(event["detail-type"], event, said(kind, *words), (record, *others))

    def _send(self, message: Message, chance: Random) -> None:
        if self.mode is Mode.ALL and self.faults.happens(Kind.DROPPED, 0.25, chance):
            return
        number = self._sent
        self._sent += 1
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
