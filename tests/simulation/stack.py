"""The deployed stack, in memory: queues, bus, schedules and rules around the unmodified use cases."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self

from shared.deliveries import Deliveries
from shared.outgoing import ContractEvent
from shared.purge_due import RECURRING, PurgeReport
from shared.record import RecordRef
from shared.refused import RefusedError
from shared.sweep import SweepReport
from shared.tally import Tally
from tests.memory import (
    Memory,
)
from tests.simulation.faults import Faults, Kind
from tests.simulation.history import Said
from tests.simulation.hub import Crash, Hub, Task
from tests.simulation.places import Run
from tests.simulation.ports import Calls
from tests.simulation.program import Clock, Program
from tests.simulation.promises import Edition

MINUTE = timedelta(minutes=1)
EVERY = 5 * MINUTE
TIMEOUT = 5 * MINUTE
VISIBLE_AGAIN = 6 * MINUTE
MOST_RECEIVES = 5
MOST_SKEW = 2.4
"""Seconds: so that no two clocks of ours differ by more than five."""


@dataclass
class Message:
    """An event in a queue: what it says, and of which records, if the run knows."""

    name: str
    event: Mapping[str, Any]
    said: Said | None = None
    records: tuple[RecordRef, ...] = ()
    sound: bool = True
    """Whether it is to be taken, or to be refused."""
    receives: int = 0


@dataclass
class Delivery:
    """One try to work a message, and what was seen of it."""

    message: Message
    run: Run
    committed: set[RecordRef] = field(default_factory=set)
    refused: bool = False
    news: list[ContractEvent] = field(default_factory=list)
    result: object = None
    """Of an operator's command."""


@dataclass(frozen=True)
class Ears:
    """Who hears of what becomes of everything: the simulation, for its oracle."""

    committed: Callable[[Delivery | None, Run, str, tuple[Any, ...], Any], object]
    taken: Callable[[Delivery], object]
    swept: Callable[[Run, SweepReport], object]
    ended: Callable[[Run], object]
    news: Callable[[Sequence[ContractEvent], Run], object]
    failed: Callable[[Run, BaseException], object]
    observe: Callable[[Run], object]
    """What a run's last step did is to be seen before it is known that it ended."""


class Stack:
    """The functions, and what invokes them."""

    def __init__(self, hub: Hub, faults: Faults, memory: Memory, edition: Edition, ears: Ears) -> None:
        self.hub, self.faults, self.memory, self.ears = hub, faults, memory, ears
        self.editions = dict.fromkeys(("events", "purge", "sweep"), edition)
        """By function: a new one is deployed one after the other."""
        self.sweeps = self.recurring = self.wake_ups = True
        self.dead_letters: list[Message] = []
        self.refused: list[tuple[Message, str]] = []
        self.aloud: list[str] = []
        """All that is said in errors."""
        self.events = 0
        self.ambushed: Callable[[str, RecordRef], bool] = lambda _call, _record: False
        self._woken: set[datetime] = set()
        self._purging = self._sweeping = 0
        self._program = Program(hub, memory)
        self._chance = hub.chance("stack")
        self._numbers = iter(range(10**9))

    # --- functions --------------------------------------------------------------------------------

    def run(  # noqa: PLR0913, PLR0917 -- what is to be known of an invocation
        self,
        name: str,
        work: Callable[[Calls, Clock, Task], Any],
        done: Callable[[Any, BaseException | None, Run], object] = lambda *_: None,
        delivery: Callable[[Run], Delivery] | None = None,
        timeout: timedelta = TIMEOUT,
        cause: str = "",
    ) -> None:
        """Invoke a function: it begins now, and everything else goes on beside it."""
        name = f"{name}-{next(self._numbers)}"
        hub, chance = self.hub, self.hub.chance(name)
        skew = timedelta(seconds=MOST_SKEW * (2 * chance.random() - 1))
        if self.faults.on:
            self.faults.strike(Kind.SKEW)
        run = Run(name, hub.now, self.editions[_kind(name)], hub.now, cause)
        at_work = delivery(run) if delivery else None

        def applied(_task: Task, call: str, args: tuple[Any, ...], result: Any) -> None:
            self.ears.committed(at_work, run, call, args, result)

        def begun(task: Task) -> Any:
            return work(
                Calls(hub, self.faults, task, self.memory, self.ambushed, applied),
                lambda: hub.now + skew,
                task,
            )

        def ended(result: Any, error: BaseException | None) -> None:
            run.disturbed = task.disturbed
            hub.note(name, "ended", type(error).__name__ if error else "well")
            self.ears.observe(run)
            if error is not None and not isinstance(error, Crash):
                self.aloud.append(f"{error!r} {error}")
                self.ears.failed(run, error)
            done(result, error, run)
            self.ears.ended(run)

        task = Task(name, begun, ended, skew=skew, deadline=hub.now + timeout, chance=chance)
        task.run = run
        hub.start(task)

    def purge(self, cause: str) -> None:
        """Invoke the purge."""
        self._purging += 1
        if self._purging > 1:
            self.faults.strike(Kind.TWO_PURGES)

        def work(calls: Calls, clock: Clock, task: Task) -> PurgeReport:
            return self._program.purge(calls, clock, task, self.editions["purge"].policy, cause)

        def done(_report: Any, error: BaseException | None, _run: Run) -> None:
            self._purging -= 1
            if error is not None and cause == "wake-up":  # Scheduler tries again, and Lambda does
                self.hub.at(self.hub.now + MINUTE, lambda: self.purge("wake-up"))

        self.run("purge", work, done, cause=cause)

    def sweep(self, *, by_hand: bool = False) -> None:
        """Invoke the sweep."""
        self._sweeping += 1

        def work(calls: Calls, clock: Clock, task: Task) -> SweepReport:
            return self._program.sweep(calls, clock, task, self.editions["sweep"].policy, by_hand=by_hand)

        def done(report: SweepReport | None, _error: BaseException | None, run: Run) -> None:
            self._sweeping -= 1
            if report:
                self.ears.swept(run, report)

        self.run("sweep", work, done)

    def relay(self, event: Mapping[str, Any], said: Said, records: tuple[RecordRef, ...]) -> None:
        """A partner's event comes: `on_source` maps it, and its contract event goes to its queue."""

        def work(calls: Calls, clock: Clock, _task: Task) -> object:
            return self._program.relay(calls, clock, event, out)

        def done(_result: Any, error: BaseException | None, _run: Run) -> None:
            if error is not None:  # Lambda tries again
                self.hub.at(self.hub.now + MINUTE, lambda: self.relay(event, said, records))

        out: list[ContractEvent] = _Arrivals(lambda made: self.put(made, said, records))
        self.run("events-source", work, done)

    def work(self, message: Message) -> None:
        """Deliver a message to its function."""
        message.receives += 1
        self.events += 1
        delivery: list[Delivery] = []

        def begin(run: Run) -> Delivery:
            delivery.append(Delivery(message, run))
            return delivery[0]

        def work(calls: Calls, clock: Clock, _task: Task) -> Tally:
            letters = calls.port("dead_letters", _DeadLetters(self, delivery[0]))
            policy = self.editions["events"].policy
            worked = partial(self._program.take, calls, policy)
            return Deliveries(worked, letters, clock).take(json.dumps(message.event))

        def done(_tally: Any, error: BaseException | None, _run: Run) -> None:
            if error is None:
                self.ears.taken(delivery[0])
            elif message.receives >= MOST_RECEIVES:
                self.dead_letters.append(message)
            else:
                self.hub.at(self.hub.now + VISIBLE_AGAIN, lambda: self.work(message))

        self.run(f"events-{message.name}", work, done, begin)

    # --- what invokes them --------------------------------------------------------------------------------

    def put(
        self, event: ContractEvent, said: Said | None = None, records: tuple[RecordRef, ...] = ()
    ) -> None:
        """An event comes to the stack's bus; its rule puts it into its queue."""
        envelope = {
            "source": event.source,
            "detail-type": event.detail_type,
            "time": self.hub.now.isoformat(),
            "detail": dict(event.detail),
        }
        message = Message(event.detail_type, envelope, said, records)
        self.hub.at(self.hub.now + timedelta(seconds=1), lambda: self.work(message))

    def see_outputs(self, run: Run) -> None:
        """After a step: schedules that were made will fire, and news are delivered."""
        if len(self._woken) != len(self.memory.minutes):
            for minute in sorted(self.memory.minutes - self._woken):
                self._woken.add(minute)
                self._will_wake(minute)
        if self.memory.news:
            news, self.memory.news = self.memory.news, []
            self.ears.news(news, run)
            for event in news:
                if event.detail_type == "HoldMarkOutdated":
                    self.put(event)

    def _will_wake(self, minute: datetime) -> None:
        if minute <= self.hub.now:
            return  # a schedule in the past never fires
        chance = self._chance
        lost = self.recurring and self.faults.happens(Kind.WAKE_UP_LOST, 0.2, chance)
        fires = 2 if not lost and self.faults.happens(Kind.WAKE_UP_TWICE, 0.2, chance) else 1

        def fire() -> object:
            # The schedule is deleted once it has fired: another may be made for the same minute.
            self.memory.minutes.discard(minute)
            self._woken.discard(minute)
            if lost or not self.wake_ups:
                return False
            for _ in range(fires):
                self.purge("wake-up")
            return None

        self.hub.at(minute + timedelta(seconds=60 * chance.random()), fire)

    def tick(self) -> object:
        """What EventBridge's rules do every five minutes; runs that would find nothing to do are left out."""
        self.hub.at(self.hub.now + EVERY, self.tick)
        begun = False
        if self.recurring and self._something_is_due() and self._purging < 3:
            if self.faults.happens(Kind.RECURRING_LOST, 0.2, self._chance):
                return False
            self.purge(RECURRING)
            begun = True
        if self.sweeps and self._sweep_is_due() and not self._sweeping:
            self.sweep()
            begun = True
        return None if begun else False

    def _something_is_due(self) -> bool:
        soon = self.hub.now + timedelta(seconds=MOST_SKEW)
        return any(timer.at <= soon for timer in self.memory.timers.values())

    def _sweep_is_due(self) -> bool:
        last = self.memory.sweep
        return (
            last is None
            or last.finished is None
            or last.policy != self.editions["sweep"].policy.digest
            or self.hub.now >= last.began + timedelta(days=1)
        )


class _Arrivals(list[ContractEvent]):
    """Where events are put that go on at once."""

    def __init__(self, went: Callable[[ContractEvent], object]) -> None:
        super().__init__()
        self._went = went

    def __iadd__(self, events: Iterable[ContractEvent]) -> Self:  # type: ignore[override,misc]
        for event in events:
            self._went(event)
        return self


@dataclass
class _DeadLetters:
    stack: Stack
    delivery: Delivery

    def keep(self, body: str, refused: RefusedError) -> None:
        """As `DeadLetters.keep`."""
        assert json.loads(body) == self.delivery.message.event
        self.delivery.refused = True
        self.stack.aloud.append(str(refused))
        self.stack.refused.append((self.delivery.message, f"{refused.field} {refused.reason}"))


def _kind(name: str) -> str:
    start = name.partition("-")[0]
    return {"restore": "purge"}.get(start, start if start in {"purge", "sweep"} else "events")
