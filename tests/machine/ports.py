"""The hands on the use cases' ports, in whatever world; and all that is there in the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared.correct_fact import Correction
from shared.facts import Facts
from shared.policy import Policy
from shared.record import RecordRef
from shared.refused import RefusedError
from tests.machine.operations import CONTACTS, SHIPMENTS, Item
from tests.worlds import World


@dataclass
class OnPorts:
    """Hands on a world's ports."""

    world: World
    policy: Policy
    said: list[object] = field(default_factory=list)
    """What callers were told, in order."""

    @property
    def now(self) -> datetime:
        return self.world.now

    @now.setter
    def now(self, now: datetime) -> None:
        self.world.now = now

    def put(self, record: RecordRef, item: Item | None) -> None:
        if item is None:
            self.world.business.delete(record)
        else:
            self.world.business.put(record, item)

    def get(self, record: RecordRef) -> Item | None:
        return self.world.business.get(record)

    def deliver(self, events: Sequence[Mapping[str, Any]]) -> None:
        for each in events:
            try:
                self.said.append(self.world.take(each, self.policy).as_json())
            except RefusedError as refused:
                self.said.append(str(refused))

    def correct(self, record: RecordRef, correction: Correction) -> None:
        self.said.append(self.world.correct(record, correction, self.policy).as_json())

    def pause(self, until: datetime | None) -> None:
        if until:
            self.world.pause(until, self.policy)
        else:
            self.said.append(self.world.resume(self.policy))

    def purge(self) -> None:
        report = self.world.purge(self.policy)
        self.said.append((report.tally.as_json(), report.failures, report.shards_finished))

    def sweep(self) -> None:
        report = self.world.sweep(self.policy)
        assert report.sweep is not None
        self.said.append((report.sweep.counts, report.failures))


def as_kept(facts: Facts | None) -> Facts | None:
    """Facts without the kinds of which nothing is known any more: DynamoDB keeps no empty set."""
    if facts is None:
        return None
    instants = {kind: each for kind, each in facts.instants.items() if each}
    withdrawn = {kind: each for kind, each in facts.withdrawn.items() if each}
    return replace(facts, instants=instants, withdrawn=withdrawn)


def contents(hands: OnPorts) -> dict[str, Any]:
    """All that can be seen from outside, and what callers were told. No salts, no stamps."""
    world, all_records = hands.world, [*SHIPMENTS, *CONTACTS]
    return {
        "items": {record.text: world.business.get(record) for record in all_records},
        "facts": {record.text: as_kept(world.told(record)) for record in all_records},
        "timers": world.standing(),
        "evidence": world.business.entries(),
        "pause": world.brake.read(),
        "news": sorted(map(repr, world.business.news())),
        "minutes": world.business.minutes(),
        "said": hands.said,
    }
