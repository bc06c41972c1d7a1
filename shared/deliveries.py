"""Messages from a queue: each is worked, the refused are dead-lettered, the failed come again."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.refused import RefusedError
from shared.tally import Count, Tally


class DeadLetters(Protocol):
    """Where messages go that no retry can mend."""

    def keep(self, body: str, refused: RefusedError) -> None:
        """Keep a message, whole, with the reason."""


@dataclass(frozen=True)
class Deliveries:
    """What a delivered message is worked with."""

    work: Callable[[object, datetime], Tally]
    """What a function does with an event, as parsed from JSON, and the time now."""
    dead_letters: DeadLetters
    clock: Callable[[], datetime]

    def take(self, body: str) -> Tally:
        """Work one message.

        Args:
            body: an EventBridge event as JSON.

        Raises:
            CallFailedError: a call failed; the message is to be delivered again.
        """
        try:
            return self.work(_parsed(body), self.clock())
        except RefusedError as refused:
            self.dead_letters.keep(body, refused)
            return Tally.of(Count.REFUSED)


def _parsed(body: str) -> Any:  # noqa: ANN401 -- JSON may be anything
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError("body", "is not JSON") from None
