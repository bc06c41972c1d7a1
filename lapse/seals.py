"""The seals over the heads of the ledger's chains, as far as commands look at them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class LastSeal:
    """The seal that was written last."""

    number: int
    at: datetime


class Seals(Protocol):
    """The seals of a stack."""

    def last(self) -> LastSeal | None:
        """The last seal; none if there is none yet."""


@dataclass(frozen=True)
class NoSeals:
    """Of a stack that seals nothing."""

    def last(self) -> LastSeal | None:
        """As `Seals.last`."""
        return None
