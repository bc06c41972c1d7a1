"""Messages that no retry can mend, and foreign events, to be disturbed."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from functions.on_source.app import relay
from shared.contract import read_event
from shared.deliveries import Deliveries
from shared.refused import RefusedError
from shared.schedule_deletion import Ports, schedule_deletion
from shared.sources_file import shipped_sources
from shared.tally import Tally
from tests.builders import event, shipped
from tests.crash_scenarios import POLICY, until_all_is_due, with_records
from tests.crashes import Scenario
from tests.worlds import World

FOREIGN = Path(__file__).parents[1] / "events" / "sources" / "salesforce-contact-left.json"
MESSAGES = [
    "no JSON",
    *map(
        json.dumps, (event("ShipmentDispatched", {"shipment_id": ""}), shipped("S-due"), shipped("S-absent"))
    ),
]


@dataclass
class KeptLetters:
    """The dead-letter queue. One that was kept twice is there twice, and no worse."""

    kept: set[tuple[str, str]] = field(default_factory=set)

    def keep(self, body: str, refused: RefusedError) -> None:
        self.kept.add((body, str(refused)))


@dataclass
class WithDeadLetters(World):
    """A world that messages come to."""

    dead_letters: KeptLetters = field(default_factory=KeptLetters)


def with_messages() -> World:
    """Records, and a queue in front of them."""
    return WithDeadLetters(**vars(with_records()))


def deliver(world: World) -> None:
    """Deliver the messages, as a queue does: one that fails does not stop the others."""
    assert isinstance(world, WithDeadLetters)
    ports = Ports(world.records, world.facts, world.timers, world.wake_ups)

    def work(body: object, now: datetime) -> Tally:
        return schedule_deletion(read_event(body, now), world.telling(POLICY), ports)

    deliveries, failures = Deliveries(work, world.dead_letters, lambda: world.now), []
    for message in MESSAGES:
        try:
            deliveries.take(message)
        except Exception as error:  # noqa: BLE001 -- as the queue's processor does
            failures.append(error)
    if failures:
        raise ExceptionGroup("will come again", failures)


def with_dead_letters(world: World) -> dict[str, Any]:
    assert isinstance(world, WithDeadLetters)
    return {**until_all_is_due(world), "dead letters": world.dead_letters.kept}


def relay_foreign(world: World) -> None:
    event = json.loads(FOREIGN.read_text())
    relay(event, world.now, shipped_sources(), world.bus, lambda *_: None)


def what_was_relayed(world: World) -> set[str]:
    """Each event once: putting it twice is harmless."""
    said = {json.dumps(each) for each in world.business.news()}
    assert len(said) == 2
    return said


SCENARIOS = {
    "messages": Scenario("take", with_messages, deliver, with_dead_letters),
    "foreign events": Scenario("relay", with_records, relay_foreign, what_was_relayed),
}
