"""The functions' real handlers on moto, in any order of what may happen, with clients that misbehave.

The oracle of the simulation looks on: after each step it is asked whether anything was done that must not be.
"""

from collections.abc import Mapping

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.policy import Guard
from tests.machine import made_up as may
from tests.machine.clients import Trouble, When
from tests.machine.deployed import Event, deployed
from tests.machine.operations import (
    CANARY,
    MALFORMED,
    Arrive,
    Deletes,
    Operation,
    Pauses,
    Updates,
    Waits,
    Writes,
    day,
)
from tests.machine.saying import said_by
from tests.machine.watching import BETWEEN, Watched
from tests.simulation.history import Instant
from tests.simulation.promises import editions

EDITIONS = editions(Guard.RECORD, None)
USUAL = EDITIONS["usual"]
troubles = st.dictionaries(st.integers(0, 60), st.sampled_from(Trouble), max_size=4)
writings = st.one_of(
    st.builds(Writes, may.records, may.changes),
    st.builds(Updates, may.records, may.changes),
    st.builds(Deletes, may.records),
)
arrivals = st.lists(may.events | may.malformed, min_size=1, max_size=5).map(tuple).map(Arrive)


class Handlers(RuleBasedStateMachine):
    """Everything that may happen to a deployed Lapse."""

    def __init__(self) -> None:
        super().__init__()
        self._deployment = deployed(USUAL.policy)
        self.watched = Watched(self._deployment.__enter__(), USUAL)

    @initialize(begin=may.beginnings)
    def begins(self, begin: tuple[Operation, ...]) -> None:
        """There are records, so that there is something to happen to."""
        for each in begin:
            each.do(self.watched)

    @rule(writing=writings)
    def the_business_system_writes(self, writing: Operation) -> None:
        self._happens(writing)

    @rule(arrival=arrivals, at=troubles, meanwhile=writings)
    def events_arrive(self, arrival: Arrive, at: Mapping[When, Trouble], meanwhile: Operation) -> None:
        self._happens(arrival, at, meanwhile)

    @rule(number=st.integers(1, 3), days=st.sampled_from([-8, -6]), at=troubles)
    def a_foreign_event_arrives(self, number: int, days: int, at: Mapping[When, Trouble]) -> None:
        shipped_at = int(day(days).timestamp())
        detail = {"data": {"orderId": f"S-{number}"}, "created_at": shipped_at, "email": CANARY}
        foreign = {"source": "webhook/bigcommerce", "detail-type": "store/shipment/created", "detail": detail}
        self._begin(at)
        self.watched.relay(foreign)

    @rule(correction=may.corrections)
    def an_operator_corrects(self, correction: Operation) -> None:
        self._happens(correction)

    @rule(pause=st.sampled_from([0.5, 3, None]).map(Pauses))
    def an_operator_pauses_or_resumes(self, pause: Operation) -> None:
        self._happens(pause)

    @rule(edition=st.sampled_from(["usual", "shorter", "observing"]))
    def a_policy_is_deployed(self, edition: str) -> None:
        self._begin({})
        self.watched.deploy(EDITIONS[edition])

    @rule(cause=st.sampled_from(["wake-up", "recurring"]), at=troubles, meanwhile=writings)
    def the_purge_runs(self, cause: str, at: Mapping[When, Trouble], meanwhile: Operation) -> None:
        self._begin(at, meanwhile)
        self.watched.purge(cause)

    @rule(cause=st.sampled_from(["by hand", "recurring"]), at=troubles, meanwhile=writings)
    def the_sweep_runs(self, cause: str, at: Mapping[When, Trouble], meanwhile: Operation) -> None:
        self._begin(at, meanwhile)
        self.watched.sweep(cause)

    @rule(days=st.sampled_from([0.01, 1, 2, 8]))
    def time_passes(self, days: float) -> None:
        self._happens(Waits(days))

    @precondition(lambda self: self.watched.deployed.waiting or self.watched.deployed.dead)
    @rule(at=troubles)
    def what_failed_comes_again(self, at: Mapping[When, Trouble]) -> None:
        self._begin(at)
        self.watched.redeliver()

    @precondition(lambda self: self._kept())
    @rule(data=st.data())
    def what_was_kept_comes_again(self, data: st.DataObject) -> None:
        self._begin({})
        self.watched.deliver_again([data.draw(st.sampled_from(self._kept()))])

    @invariant()
    def nothing_is_done_that_must_not_be(self) -> None:
        assert not [str(each) for each in self.watched.oracle.violations]

    def teardown(self) -> None:
        """In the end nothing is late."""
        try:
            if not self.watched.oracle.violations:
                self.watched.become_quiet()
            self.nothing_is_done_that_must_not_be()
        finally:
            self._deployment.__exit__(None, None, None)

    def _happens(
        self,
        operation: Operation,
        at: Mapping[When, Trouble] | None = None,
        meanwhile: Operation | None = None,
    ) -> None:
        self._begin(at or {}, meanwhile)
        operation.do(self.watched)

    def _begin(self, at: Mapping[When, Trouble], meanwhile: Operation | None = None) -> None:
        self.watched.now += BETWEEN
        watched = self.watched
        watched.deployed.troubles.begin(at, lambda: meanwhile.do(watched) if meanwhile else None)

    def _kept(self) -> list[Event]:
        """The departures and returns that Lapse was told, and that nobody took back."""
        told, kept = self.watched.oracle.told, list[Event]()
        for each in self.watched.deployed.sent:
            for record, said in () if each in MALFORMED else said_by(each):
                if not isinstance(said, Instant) or said.kind == "shipped":
                    continue
                if said in told[record].said and (said.kind, said.at) not in told[record].withdrawn:
                    kept.append(each)
        return kept


TestHandlers = Handlers.TestCase
TestHandlers.settings = settings(
    max_examples=8,
    stateful_step_count=20,
    phases=(Phase.explicit, Phase.generate),  # to shrink would take minutes, and twenty steps can be read
)
