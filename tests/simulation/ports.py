"""Ports that misbehave: the in-memory ports, of which each call may crash, fail, or be applied in part.

Before a call, and so between any two, everybody else goes on. A call itself is atomic, as DynamoDB's are.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from shared.evidence import Entry
from shared.failure import CallFailedError
from shared.ledger_batch import BEGINNING, SALT_BYTES, Batch, End, chained, seal, split
from shared.ledger_index import partition
from shared.record import SHARDS, RecordRef
from tests.memory import Memory
from tests.simulation.faults import SLOW_RATE, Faults, Kind
from tests.simulation.hub import Crash, Hub, Task

CODES = ("ThrottlingException", "InternalServerError", "RequestTimeout")
CHANGES = {"records.erase": 1, "facts.change": 0}
"""Calls that rest on what was seen before, and which of their arguments is the record."""
AMBUSH = timedelta(seconds=1)
"""For so long such a call is on its way, where somebody waited for it."""
SLOWEST = 4.0
"""Seconds that a slow call takes at most."""


class Chain(list[list[Entry]]):
    """A shard's evidence as the ledger keeps it: batches, sealed and chained."""

    def __init__(self, shard: int, salts: Random) -> None:
        super().__init__()
        self.rows: list[Batch] = []
        self._shard, self._salts, self._end = partition(shard), salts, BEGINNING

    def append(self, batch: list[Entry]) -> None:
        """Keep a batch: as the adapter does, in rows of limited size."""
        super().append(batch)
        for lines in split(seal(entry, self._salts.randbytes(SALT_BYTES)) for entry in batch):
            row = chained(self._shard, self._end, lines)
            self.rows.append(row)
            self._end = end_of(row)


def end_of(row: Batch) -> End:
    """Number and hash of a batch."""
    return int(row["seq"]), row["hash"]


def memory_with_chains(salts: Random) -> tuple[Memory, Mapping[int, Chain]]:
    """A store whose evidence is chained, and the chains."""
    chains = {shard: Chain(shard, salts) for shard in range(SHARDS)}
    return Memory(batches={**chains}), chains


@dataclass(frozen=True)
class Calls:
    """Makes the calls of one run of a function. `applied` hears of each that was applied, with its answer."""

    hub: Hub
    faults: Faults
    task: Task
    memory: Memory
    ambushed: Callable[[str, RecordRef], bool]
    """Whether somebody waited for this call about this record, and does something to it now."""
    applied: Callable[[Task, str, tuple[Any, ...], Any], object]

    def port(self, name: str, port: object) -> Any:
        """A port whose calls go through here."""
        return _Port(self, name, port)

    def make(
        self, name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """One call, at its time, and whatever goes wrong with it."""
        task, faults, chance = self.task, self.faults, self.task.chance
        if task.dead:
            raise Crash
        if name == "timers.ready" and not any(shard == args[0] for shard, _ in self.memory.timers):
            return []  # a look into an empty shard is no step: nothing can come of it
        slow = faults.happens(Kind.SLOW, SLOW_RATE, chance)
        if name in CHANGES and self.ambushed(name, args[CHANGES[name]]):
            self.hub.wait(task, AMBUSH)
        self.hub.wait(task, timedelta(seconds=SLOWEST * chance.random() if slow else 0.05 * chance.random()))
        if self.hub.now > task.deadline:
            self._die()
        if faults.poisoned and _is_about(faults.poisoned, name, args):
            faults.strike(Kind.POISON)
            raise CallFailedError(name, "ValidationException")
        kind = faults.of_call(name, chance, about_several=_part_of(name, args) is not None)
        if kind is None:
            result = method(*args, **kwargs)
            self._applied(name, args, result)
            return result
        task.disturbed = True
        return self._strike(kind, name, method, args, kwargs)

    def _strike(
        self,
        kind: Kind,
        name: str,
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        some = _part_of(name, args)
        self.faults.strike(kind, name)
        self.hub.note(self.task.name, name, kind)
        if kind is Kind.CRASH_BEFORE:
            self._die()
        if kind is not Kind.THROTTLED:
            args = some if kind is Kind.PARTIAL and some else args
            self._applied(name, args, method(*args, **kwargs))
        if kind is Kind.CRASH_AFTER:
            self._die()
        raise CallFailedError(name, self.task.chance.choice(CODES))

    def _applied(self, name: str, args: tuple[Any, ...], result: Any) -> None:
        self.hub.note(self.task.name, name)
        self.hub.explain(lambda: f"{args} -> {result}")
        self.applied(self.task, name, args, result)

    def _die(self) -> None:
        self.task.dead = self.task.disturbed = True
        raise Crash


def _is_about(poisoned: Collection[RecordRef], name: str, args: tuple[Any, ...]) -> bool:
    """Whether a look at a business table asks for a record that it cannot answer for."""
    if name not in {"records.look", "records.has_fields", "records.erase"}:
        return False
    asked = args[1] if name == "records.erase" else args[0]
    return asked in poisoned if isinstance(asked, RecordRef) else any(each in poisoned for each in asked)


def _part_of(name: str, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The same call for the first few only, where it is about several things."""
    last = args[-1] if args else None
    if name not in {"timers.put", "timers.remove", "bus.put", "ledger.append"} or not isinstance(
        last, Sequence
    ):
        return None
    return (*args[:-1], last[: len(last) // 2]) if len(last) > 1 else None


@dataclass
class _Port:
    calls: Calls
    name: str
    port: Any
    methods: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def __getattr__(self, method: str) -> Any:
        known = self.methods.get(method)
        if known is None:
            port_method = getattr(self.port, method)
            # It only says what the last call met, and calls nobody.
            known = (
                port_method if method == "unreadable" else self._made(f"{self.name}.{method}", port_method)
            )
            self.methods[method] = known
        return known

    def _made(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: self.calls.make(name, method, args, kwargs)
