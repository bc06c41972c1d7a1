"""Ports with which something happens at a chosen call: the caller crashes, it fails, others come between."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.worlds import World

PORTS = ("records", "facts", "timers", "ledger", "wake_ups", "brake", "bus", "progress", "dead_letters")
ASK_NOBODY = {"unreadable"}
"""Methods that make no call: they only say what the last call met."""


class Crash(BaseException):
    """The function's process ends here; no handler of the program's sees it."""


@dataclass
class Fault:
    """What happens at the call of a number, counted over all ports from 0."""

    at_call: int
    after: bool
    raises: Callable[[], BaseException]
    calls: list[str] = field(default_factory=list)

    def wrap(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """A port's method that may misbehave."""

        def misbehaving(*args: Any, **kwargs: Any) -> Any:
            strikes = len(self.calls) == self.at_call
            self.calls.append(name)
            if strikes and not self.after:
                raise self.raises()
            result = method(*args, **kwargs)
            if strikes:
                raise self.raises()
            return result

        return misbehaving


@dataclass
class Meanwhile:
    """What others do just before the call of a number, counted over all ports from 0."""

    at_call: int
    happens: Callable[[], object]
    calls: int = 0

    def wrap(self, _name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """A port's method, before which something may happen."""

        def disturbed(*args: Any, **kwargs: Any) -> Any:
            if self.calls == self.at_call:
                self.happens()
            self.calls += 1
            return method(*args, **kwargs)

        return disturbed


@dataclass
class _Port:
    name: str
    port: Any
    fault: Fault | Meanwhile

    def __getattr__(self, method: str) -> Any:
        port_method = getattr(self.port, method)
        return port_method if method in ASK_NOBODY else self.fault.wrap(f"{self.name}.{method}", port_method)


def misbehaving(world: World, fault: Fault | Meanwhile) -> World:
    """The same world, with ports that misbehave."""
    of_world = {name: getattr(world, name) for name in PORTS if hasattr(world, name)}
    ports: dict[str, Any] = {name: _Port(name, port, fault) for name, port in of_world.items()}
    return replace(world, **ports)
