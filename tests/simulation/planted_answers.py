"""Planted bugs in taking events and in answering requests."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.deliveries import Deliveries, _parsed
from shared.evidence import Outcome
from shared.failure import CallFailedError
from shared.outgoing import erasure_completed
from shared.refused import RefusedError
from shared.tally import Tally
from tests.simulation.planted import I1, I7, I8, I10, everywhere, planted, swap

TAKE = "shared.deliveries.Deliveries.take"


@planted(I10)
def a_failed_event_counts_as_taken(plant: pytest.MonkeyPatch) -> None:
    """What could not be kept is not delivered again."""

    def careless(real: Callable[..., Tally]) -> Callable[..., Tally]:
        def take(deliveries: Deliveries, body: str) -> Tally:
            try:
                return real(deliveries, body)
            except CallFailedError:
                return Tally()

        return take

    swap(plant, TAKE, careless)


@planted(I10)
def a_refused_event_disappears(plant: pytest.MonkeyPatch) -> None:
    """It is in no dead-letter queue."""
    _refuse(plant, lambda _deliveries, _body, _refused: None)


@planted(I8)
def a_refusal_quotes_what_came(plant: pytest.MonkeyPatch) -> None:
    """The reason beside a dead letter repeats the event."""
    _refuse(
        plant,
        lambda deliveries, body, refused: deliveries.dead_letters.keep(
            body, RefusedError(refused.field, f"{refused.reason}: {body}")
        ),
    )


@planted(I10)
def requests_are_not_answered(plant: pytest.MonkeyPatch) -> None:
    """Whoever asked never hears of it."""
    plant.setattr("shared.answer_requests.Answering.answer", lambda *_: 0)


@planted(I7)
def an_erasure_is_called_complete_before_it_is(plant: pytest.MonkeyPatch) -> None:
    """The answer goes out when the request comes in."""

    def hasty(real: Callable[..., None]) -> Callable[..., None]:
        def begin(request: Any, rule: Any, record: Any, telling: Any, of: Any) -> None:
            real(request, rule, record, telling, of)
            of.bus.put([erasure_completed(request.request_id, record, "erased", telling.now)])

        return begin

    swap(plant, "shared.request_erasure._begin", hasty)


@planted(I10)
def only_the_first_record_of_a_request(plant: pytest.MonkeyPatch) -> None:
    """It names several; the others are forgotten."""
    everywhere(
        plant,
        "shared.request_erasure.request_erasure",
        lambda real: lambda told, *of: real(replace(told, asked=told.asked[:1]), *of),
    )


@planted(I10)
def every_request_is_refused(plant: pytest.MonkeyPatch) -> None:
    """Whatever became of it."""
    swap(
        plant,
        "shared.answer_requests.Answering.answer",
        lambda real: (
            lambda answering, record, _outcome, reason, telling: real(
                answering, record, Outcome.RECORD_ABSENT, reason, telling
            )
        ),
    )


@planted(I1)
def a_refused_request_still_erases(plant: pytest.MonkeyPatch) -> None:
    """Whoever asked was told that nothing is erased; when the record is back, it is."""
    plant.setattr("shared.facts.Facts.spent_requests", lambda _facts: frozenset())


def _refuse(plant: pytest.MonkeyPatch, refuse: Callable[[Deliveries, str, RefusedError], object]) -> None:
    """Have something else done with an event that is refused."""

    def take(deliveries: Deliveries, body: str) -> Tally:
        try:
            return deliveries.work(_parsed(body), deliveries.clock())
        except RefusedError as refused:
            refuse(deliveries, body, refused)
            return Tally()

    plant.setattr(TAKE, take)
