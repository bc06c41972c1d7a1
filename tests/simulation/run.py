"""One run: a seed, a script, a phase with faults, a phase without; and what the oracle says."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

from shared.ledger import Head
from shared.policy import Guard
from shared.sweep import SweepReport
from shared.timer import PUT_OFF_AT_MOST
from tests.builders import NOW
from tests.memory import Items
from tests.simulation import afterwards
from tests.simulation.answers import Answers
from tests.simulation.business import Business
from tests.simulation.commands import Operators
from tests.simulation.deadlines import GRACE, Deadlines, standing
from tests.simulation.faults import Faults
from tests.simulation.history import mark_end
from tests.simulation.hub import Hub
from tests.simulation.oracle import Oracle, Violation
from tests.simulation.outside import Outside
from tests.simulation.places import Path, Run
from tests.simulation.ports import end_of, memory_with_chains
from tests.simulation.promises import DAY, Edition, editions
from tests.simulation.restoring import OLDEST_BACKUP, Restoring
from tests.simulation.script import RETAIN, SAFETY, Happening, Mode, script
from tests.simulation.senders import Senders
from tests.simulation.stack import Delivery, Ears, Stack
from tests.simulation.timers_judge import TimersJudge

MODES = (Mode.ALL, Mode.ALL, Mode.NO_SWEEP, Mode.NO_RECURRING)
BATCHES = (2, 3, 100)
"""The purge's batch: few, so that few timers make several, or as usual."""
MINUTE = timedelta(minutes=1)
POISONED = 1.3 * DAY
"""How long a record may still be unreadable once the faults are over: then somebody has mended it."""
TOLD_ON = {
    "timers.put",
    "ledger.append",
    "facts.change",
    "facts.mark",
    "bus.put",
    "brake.put",
    "wake_ups.ensure",
}
"""Calls whose arguments come to where personal data must never be."""
PERSONAL: Mapping[str, frozenset[Path]] = {
    "Shipments": frozenset(
        {("contact_number",), ("email",), ("gate", "code"), ("mobile",), ("name",), ("company",)}
    ),
    "Contacts": frozenset({("telephone",), ("email",), ("job_title",)}),
}


@dataclass
class Result:
    """What became of a run."""

    seed: int
    mode: Mode
    steps: int
    events: int
    erasures: int
    cut_overs: int
    windows: int
    happenings: Counter[str]
    faults: Faults
    violations: list[Violation]
    trace: str
    lines: list[str] = field(default_factory=list)


def simulate(seed: int, happenings: Sequence[Happening] | None = None, *, tell: bool = False) -> Result:
    """Run a seed, or part of its script; the lines of its trace only if asked for."""
    batch = BATCHES[seed // len(MODES) % len(BATCHES)]
    with patch("shared.purge_shard.BATCH", batch), patch("shared.sweep_pages.OLDEST_BACKUP", OLDEST_BACKUP):
        return Simulation(seed, happenings, tell=tell).run()


class Simulation:
    """One run."""

    def __init__(
        self, seed: int, happenings: Sequence[Happening] | None = None, *, tell: bool = False
    ) -> None:
        self.seed, self.mode = seed, MODES[seed % len(MODES)]
        self.happenings = script(seed, self.mode) if happenings is None else happenings
        self.hub = Hub(seed, NOW)
        self.hub.told = [] if tell else None
        self.faults = Faults()
        chance = self.hub.chance("run")
        guard = Guard.FACTS if chance.random() < 0.5 else Guard.RECORD
        cap = chance.choice((None, 2)) if self.mode is Mode.ALL else None
        self.editions = editions(guard, cap)
        self.memory, self.chains = memory_with_chains(self.hub.chance("salts"))
        self.memory.page = chance.choice((2, 5))
        self.oracle = Oracle(self.memory.items, PERSONAL, lambda: self.hub.now, by_facts=guard is Guard.FACTS)
        self.deadlines = Deadlines(self.oracle, self.mode)
        self.answers = Answers(self.oracle)
        self.timers = TimersJudge(self.oracle, self.memory)
        ears = Ears(
            committed=self._committed,
            taken=self.answers.take,
            swept=self._swept,
            ended=self.oracle.evidence.ended,
            news=self.answers.tell,
            failed=self.answers.fail,
            observe=self._observe,
        )
        self.stack = Stack(self.hub, self.faults, self.memory, self.editions["usual"], ears)
        self.stack.sweeps = self.mode is not Mode.NO_SWEEP
        self.stack.recurring = self.mode is not Mode.NO_RECURRING
        # Who crashes between the two leaves a timer without a wake-up: for the recurring purge.
        self.faults.spared = set() if self.stack.recurring else {"timers.put", "wake_ups.ensure"}
        self.restoring = Restoring(self.hub, self.stack, self.oracle, self._cut_over)
        self.canary = f"canary-{seed}-"
        self.senders = Senders(
            self.hub, self.faults, self.stack, self.mode, self.canary, self.deadlines.arrivals
        )
        self.operators = Operators(self.hub, self.faults, self.memory, self.stack)
        self.outside = Outside(
            self.hub,
            self.faults,
            Business(self.hub, self.memory, self.oracle, self.canary),
            self.senders,
            self.operators,
            restore=self.restoring.restore,
            deploy=self._deploy,
        )
        self.stack.ambushed = self.outside.ambushed
        self.heads: dict[int, Head] = {}
        """The ends of the chains, as they were seen."""
        self._rows = dict.fromkeys(self.chains, 0)

    def run(self) -> Result:
        """Safety, then liveness, then what can be said only in the end."""
        for happening in self.happenings:
            self.hub.at(happening.when, partial(self.outside.do, happening))
        self.hub.at(NOW, self.restoring.back_up)
        self.hub.at(NOW, self.stack.tick)
        self.hub.run(NOW + SAFETY, self._after_step)
        self._be_quiet()
        end = max(self.hub.now, self.senders.last_delivery) + RETAIN + GRACE + DAY
        self.hub.run(end, self._after_step)
        self._judge_the_end()
        self.hub.note(
            sorted(map(str, self.memory.items.values())), [len(each) for each in self.chains.values()]
        )
        return Result(
            self.seed,
            self.mode,
            self.hub.steps,
            self.stack.events,
            self.oracle.erasures,
            self.restoring.cut_overs,
            self.oracle.windows,
            Counter(each.what for each in self.happenings),
            self.faults,
            self.oracle.violations,
            self.hub.trace.hexdigest(),
            self.hub.told or [],
        )

    def _be_quiet(self) -> None:
        """The faults are over, and soon each record can be read again; the operators see to what is left."""
        self.deadlines.quiet = self.hub.now
        self.faults.on = False
        self._redrive()
        if not self.stack.recurring:  # what failed and was put off has no wake-up of its own
            self.hub.at(self.hub.now + PUT_OFF_AT_MOST + MINUTE, partial(self.stack.purge, "manual"))
        self.hub.at(self.hub.now + POISONED, self._mend)

    def _mend(self) -> None:
        for record in self.faults.poisoned:
            self.oracle.place.written[record] = self.hub.now  # as good as written anew
        self.faults.poisoned.clear()
        self._redrive()

    def _redrive(self) -> None:
        """Dead letters go back into their queues."""
        for message in self.stack.dead_letters:
            message.receives = 0
            self.stack.work(message)
        self.stack.dead_letters.clear()

    def _judge_the_end(self) -> None:
        self.deadlines.changed()
        self.deadlines.look(self.stack.editions["purge"], self.faults.poisoned)
        self.oracle.evidence.judge_the_end(self.timers.are_to_come_or_lost)
        afterwards.judge_answers(self.oracle, self.stack, self.answers.answered)
        afterwards.judge_chains(self.oracle, self.chains, self.heads, self.hub.chance("tamper"))
        sinks: dict[str, object] = {
            "facts": self.memory.facts,
            "timers": self.memory.timers,
            "ledger": [chain.rows for chain in self.chains.values()],
            "schedules": self.memory.minutes,
            "progress": (self.memory.sweep, self.memory.parts, self.memory.pause),
            "news": self.answers.news,
            "errors": self.stack.aloud,
            "reasons of dead letters": [reason for _, reason in self.stack.refused],
        }
        afterwards.judge_canary(self.oracle, self.canary, sinks)

        def let_pass() -> None:
            self.hub.run(self.hub.now + 60 * MINUTE, self._after_step)

        # Events alone: what purge and sweep do in the course of time is no consequence of theirs. And without
        # these two, nothing that falls due in this hour goes.
        self.deadlines.quiet = None
        self.stack.sweeps = self.stack.recurring = self.stack.wake_ups = False
        let_pass()
        afterwards.judge_redelivery(self.oracle, self.stack, self.answers.taken, let_pass)

    # --- after each step ------------------------------------------------------------------------------------

    def _after_step(self) -> None:
        self._observe(self.hub.acting.run if self.hub.acting else None)
        self.deadlines.look(self.stack.editions["purge"], self.faults.poisoned)

    def _observe(self, run: Run | None) -> None:
        before = len(self.oracle.removals)
        self.oracle.look(run)
        self.timers.judge_erased(self.oracle.removals[before:])
        self._read_ledger(run)
        self.timers.look(run)
        if run is not None:
            self.stack.see_outputs(run)

    def _read_ledger(self, run: Run | None) -> None:
        """Read what came into the ledger, as everybody can."""
        for number, chain in self.chains.items():
            if len(chain.rows) == self._rows[number]:
                continue
            for row in chain.rows[self._rows[number] :]:
                entries, names = json.loads(row["body"])["entries"], json.loads(row["names"] or "null")
                for entry, name in zip(entries, names, strict=True):
                    _, record, details = name or (None, "", {})
                    self.oracle.evidence.entered({**entry, "record": record, "details": details}, run)
                self.heads[number] = Head(*end_of(row))
            self._rows[number] = len(chain.rows)
            self.deadlines.changed()

    # --- what the run hears ---------------------------------------------------------------------------------

    def _committed(
        self, at_work: Delivery | None, run: Run, call: str, args: tuple[Any, ...], result: Any
    ) -> None:
        """A call was applied."""
        if call in TOLD_ON and self.canary in repr(args):
            self.oracle.violated("I8", f"personal data in {call}")
        match call:
            case "facts.read":
                run.facts_read.update(dict.fromkeys(args[0], self.hub.now))
            case "facts.change" if result and at_work and at_work.message.said:
                self.oracle.heard(args[0], at_work.message.said)
                self.answers.judge_placed(args[0], at_work.message.said, run)
                self.deadlines.changed()
            case "facts.forget":
                self.oracle.forgotten.add(args[0])
            case "brake.put":
                self.oracle.paused(args[0].until if args[0] else None)
                self.deadlines.changed()
            case "timers.ready" if args[3] > 1:
                run.batch_began = self.hub.now

    def _swept(self, _run: Run, report: SweepReport) -> None:
        if report.sweep and report.sweep.finished:
            self.deadlines.swept(report.sweep.began)

    # --- deployments and restores ---------------------------------------------------------------------------

    def _deploy(self, name: str) -> None:
        """A new edition, function by function."""
        for number, function in enumerate(("events", "sweep", "purge")):
            put_to_use = partial(self._put_to_use, function, self.editions[name])
            self.hub.at(self.hub.now + number * MINUTE / 2, put_to_use)

    def _put_to_use(self, function: str, edition: Edition) -> None:
        self.stack.editions[function] = edition
        self.deadlines.deployed_at = self.hub.now
        self.deadlines.changed()

    def _cut_over(self, table: str, items: Items, run: Run) -> None:
        """I9: the restored table is put to use. What is due is gone, what is held says so."""
        oracle, restored = self.oracle, self.oracle.restored
        assert restored is not None
        for record, promise, deadline in standing(oracle, restored, run.edition):
            latest = max(deadline, oracle.told_at.get(record, deadline), self.deadlines.deployed_at)
            if latest + MINUTE < run.began:
                oracle.violated("I9", f"put to use with fields that were due by {promise.rule}", record)
        for record, item in restored.last.items():
            held_until = max(oracle.told[record].ends(), default=NOW)
            is_new = oracle.told_at.get(record, NOW) >= run.began
            if held_until > self.hub.now + MINUTE and not is_new and (mark_end(item) or NOW) <= self.hub.now:
                oracle.violated("I9", "put to use without the mark of a hold", record)
        for record in [each for each in self.memory.items if each.table == table]:
            del self.memory.items[record]
        self.memory.items.update(items)
        oracle.cut_over(table)
        self.deadlines.changed()
        self.operators.sweep()
