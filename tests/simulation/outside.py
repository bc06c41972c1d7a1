"""Everybody outside Lapse, as a script has them act: the business system, senders of events, operators."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shared.record import RecordRef
from tests.simulation.business import Business
from tests.simulation.commands import Operators
from tests.simulation.faults import Faults, Kind
from tests.simulation.hub import Hub
from tests.simulation.ports import AMBUSH
from tests.simulation.script import Happening
from tests.simulation.senders import Senders


@dataclass
class Outside:
    """Carries out the happenings of a script: each is a method of this name, here or of one of those."""

    hub: Hub
    faults: Faults
    business: Business
    senders: Senders
    operators: Operators
    restore: Callable[[str, float], object]
    deploy: Callable[[str], object]
    ambushes: dict[RecordRef, list[tuple[Any, ...]]] = field(default_factory=dict)

    def do(self, happening: Happening) -> object:
        """Let it happen."""
        self.hub.note("outside", happening.what, *(str(each) for each in happening.args))
        those = (self, self.business, self.senders, self.operators)
        whose = next(each for each in those if hasattr(each, happening.what))
        method: Callable[..., object] = getattr(whose, happening.what)
        return method(*happening.args, **happening.options)

    def tell(self, kind: str, record: RecordRef, *words: Any) -> None:
        """Somebody says something about a record: an event, or an operator's command."""
        match kind:
            case "hold":
                self.operators.hold(record, *words)
            case "release":
                self.operators.release(record, *words)
            case _:
                self.senders.send(kind, record, *words)

    def poison(self, record: RecordRef) -> object:
        """From now on no call can work the record; the others must not suffer from it."""
        self.faults.poisoned.add(record)
        return False

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
            self.hub.at(now, lambda: self.senders.send_at_once(what, record, now))
        elif what in {"hold", "hold and wipe"}:
            words = f"CASE-A{self.hub.steps}", now, now + timedelta(hours=args[0])
            self.hub.at(now, lambda: self.operators.hold(record, *words))
            if what == "hold and wipe":
                self.hub.at(now + AMBUSH * 0.6, lambda: self.business.stale(record, 0))
        else:
            self.hub.at(now, lambda: self.do(Happening(now, what, (record, *args))))
        return True
