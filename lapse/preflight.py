"""Is a business table fit for Lapse: what may be asked about it, and what an answer means."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from shared.policy import Rule


class Judgement(StrEnum):
    """How a part of a table is."""

    GOOD = "good"
    LOOK = "look at this"
    UNKNOWN = "unknown"
    BLOCKS = "blocks Lapse"


@dataclass(frozen=True)
class Remark:
    """What was found about a part of a table, with its consequence."""

    about: str
    judgement: Judgement
    what: str


class Question(StrEnum):
    """What is asked about a table, by the operation that answers."""

    BACKUPS = "DescribeContinuousBackups"
    TTL = "DescribeTimeToLive"
    ON_DEMAND = "ListBackups"
    AWS_BACKUP = "ListRecoveryPointsByResource"
    EXPORTS = "ListExports"
    KINESIS = "DescribeKinesisStreamingDestination"
    SHARED = "GetResourcePolicy"
    CONSUMERS = "ListEventSourceMappings"


class TablesToInspect(Protocol):
    """The business tables, as AWS describes them."""

    def described(self, real_name: str) -> Mapping[str, Any]:
        """What DescribeTable says.

        Raises:
            CallFailedError: it says nothing, or that there is no such table.
        """

    def ask(self, question: Question, described: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the operation says of a described table.

        Raises:
            CallFailedError: nothing.
        """


type Judge = Callable[[Mapping[str, Any], Sequence[Rule]], Iterator[Remark]]
"""Says what an answer means for the table's rules."""


@dataclass(frozen=True)
class Check:
    """A question, what it is about, and what its answers mean."""

    about: str
    question: Question
    judge: Judge
