"""The sum of many runs."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.faults import Kind
from tests.simulation.oracle import Violation
from tests.simulation.run import Result

LEAST_FAULTS = 10_000
"""Of each kind, in a full run."""
LEAST_CRASHES = 100
"""Before and after each call."""


@dataclass
class Totals:
    """What all runs did together."""

    seeds: int = 0
    steps: int = 0
    events: int = 0
    erasures: int = 0
    cut_overs: int = 0
    windows: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    happenings: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    crashed: Counter[tuple[str, str]] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    failed: list[Result] = field(default_factory=list)
    traces: dict[int, str] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        """One run more."""
        self.seeds += 1
        self.steps += result.steps
        self.events += result.events
        self.erasures += result.erasures
        self.cut_overs += result.cut_overs
        self.windows += result.windows
        self.injected.update({kind.value: number for kind, number in result.faults.injected.items()})
        self.happenings.update(result.happenings)
        self.calls.update(result.faults.calls)
        self.crashed.update(result.faults.crashed)
        self.violations += result.violations
        self.traces[result.seed] = result.trace
        if result.violations:
            self.failed.append(result)

    def too_seldom(self) -> list[str]:
        """Faults, and crashes at calls, of which a full run should have had more."""
        faults = [kind.value for kind in Kind if self.injected[kind.value] < LEAST_FAULTS]
        crashes = [
            f"crash {at} {call}"
            for call in sorted(self.calls)
            for at in ("before", "after")
            if self.crashed[call, at] < LEAST_CRASHES
        ]
        return faults + crashes

    def digest(self) -> str:
        """One hash of all traces: the same seeds give the same."""
        return hashlib.sha256("".join(self.traces[seed] for seed in sorted(self.traces)).encode()).hexdigest()
