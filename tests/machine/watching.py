"""The hands on a deployment, with somebody who looks on after each operation."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.correct_fact import Correction
from shared.record import RecordRef
from tests.machine.deployed import Event
from tests.machine.onlooking import Onlooker, rows_of
from tests.machine.operations import CANARY, MALFORMED, Item
from tests.machine.saying import said_by
from tests.simulation.deadlines import standing
from tests.simulation.history import Asked, Instant, Said
from tests.simulation.places import Run
from tests.simulation.promises import Edition

QUARTER = timedelta(minutes=15)
BETWEEN = timedelta(seconds=11)
"""From one thing to the next: longer than any window in which two may miss each other."""


@dataclass
class Watched(Onlooker):
    """The same hands, with an oracle that hears of everything that comes from outside."""

    letters: list[tuple[str, str]] = field(default_factory=list)
    """Bodies and reasons of all dead letters."""

    # --- operations ----------------------------------------------------------------------------------------

    def put(self, record: RecordRef, item: Item | None) -> None:
        if self.in_step:
            self.wrote_meanwhile = True
            self.look()  # what was done until now was not the business system
        self.deployed.put(record, item)
        self.oracle.wrote(record, item)
        self.marks[record] = (item or {}).get("legal_hold")

    def get(self, record: RecordRef) -> Item | None:
        return self.deployed.get(record)

    def deliver(self, events: Sequence[Event]) -> None:
        self._listen(events)
        with self._step("events"):
            self.deployed.deliver(events)
        if not self.deployed.failed:
            self._account_for(events)

    def redeliver(self) -> None:
        """All that failed comes again, also what came too often: operators put that back."""
        with self._step("events"):
            self.deployed.waiting += [(each, 0) for each in self.deployed.dead]
            self.deployed.dead.clear()
            self.deployed.redeliver()

    def deliver_again(self, events: Sequence[Event]) -> None:
        """I6: what was kept comes once more, and changes no record and no fact."""
        before = self._contents()
        with self._step("events"):
            self.deployed.deliver(events)
        if self._contents() != before:
            self.oracle.violated("I6", "an event that came again changed something")

    def relay(self, foreign: Event) -> None:
        with self._step("events"):
            events = self.deployed.relay(foreign)
            self._listen(events)
            self.deployed.deliver(events)

    def correct(self, record: RecordRef, correction: Correction) -> None:
        with self._step("operator"):
            self.deployed.correct(record, correction)

    def pause(self, until: datetime | None) -> None:
        with self._step("operator"):
            self.deployed.pause(until)
        self.oracle.paused(until)

    def deploy(self, edition: Edition) -> None:
        """Another policy, in the artifact of all functions."""
        self.edition = edition
        self.deployed.deploy(edition.policy)

    def purge(self, cause: str = "recurring") -> None:
        with self._step("purge", cause):
            self.deployed.purge(cause)
        self.deliver_news()

    def sweep(self, cause: str = "by hand") -> None:
        with self._step("sweep"):
            self.deployed.sweep(cause)
        self.deliver_news()

    def deliver_news(self) -> None:
        """What Lapse says comes to whoever listens: to itself, of marks."""
        news = self.deployed.read("news")
        if CANARY in json.dumps(news):
            self.oracle.violated("I8", "personal data in news")
        outdated = [each for each in news if each["detail-type"] == "HoldMarkOutdated"]
        if outdated:
            self.deliver(outdated)

    def become_quiet(self, *, sweeping: bool = True) -> None:
        """No more troubles: all that waits is worked, sweeps and purges run. Then nothing is late."""
        self.deployed.troubles.begin({})
        self.look_at_schedules()
        swept = self.now
        for _ in range(2):
            self.now += timedelta(hours=25)
            self.redeliver()
            swept = self.now
            if sweeping:
                self.sweep()
            self.purge()
            self.now += QUARTER
            self.purge()
        self.oracle.evidence.judge_the_end(lambda _removal: False)
        for record, promise, at in standing(self.oracle, self.oracle.place, self.edition):
            if max(at, self.oracle.settled_at(record), self.oracle.paused_until()) < swept:
                self.oracle.violated("I2", f"still there by {promise.rule}", record)

    @contextmanager
    def _step(self, name: str, cause: str = "") -> Iterator[None]:
        outer = self.run if self.in_step else None
        if outer:  # it happens in the middle of another step: what that did until now is its own
            self.look()
        self.run = Run(name, self.now, self.edition, self.now, cause)
        self.run.facts_read = dict.fromkeys(self.live, self.now)
        self.in_step, self.wrote_meanwhile = True, False
        self.deployed.failed = False
        yield
        self.in_step = False
        self.run.disturbed = self.deployed.failed or bool(self.deployed.troubles.struck)
        self.look()
        self.oracle.evidence.ended(self.run)
        if outer:
            self.run, self.in_step = outer, True
        else:
            self.deployed.troubles.begin({})

    def _contents(self) -> tuple[dict[RecordRef, Item], list[str]]:
        business = self.deployed.business
        self.look()
        return dict(self.live), sorted(map(repr, rows_of(business.dynamodb, business.facts_table)))

    def _account_for(self, events: Sequence[Event]) -> None:
        """I10: a sound event that was taken was kept; a malformed one is a dead letter, with a reason."""
        self.letters += self.deployed.dead_letters()
        refused = [body for body, _ in self.letters]
        if any(CANARY in reason for _, reason in self.letters):
            self.oracle.violated("I8", "personal data in the reason of a dead letter")
        for each in events:
            if (each in MALFORMED) != (json.dumps(each) in refused):
                self.oracle.violated("I10", f"{each['detail-type']}: refused, or not")
            for record, said in () if each in MALFORMED else said_by(each):
                if not self._is_kept(record, said):
                    self.oracle.violated("I10", "taken, and not kept", record)

    def _is_kept(self, record: RecordRef, said: Said) -> bool:
        """Whether it is known, or need not be: the record says it, or another word counts."""
        told = self.oracle.told[record].said
        if isinstance(said, Asked):
            return any(isinstance(each, Asked) and each.request == said.request for each in told)
        return said in told or not isinstance(said, Instant) or said.kind == "shipped"

    def _listen(self, events: Sequence[Event]) -> None:
        for each in events:
            self.said |= set(() if each in MALFORMED else said_by(each))
