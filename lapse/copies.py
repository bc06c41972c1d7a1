"""Copies of the business tables that outlive an erasure: what AWS says of them, as far as it may be asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from lapse.preflight import Question, TablesToInspect
from shared.failure import CallFailedError
from shared.policy import OLDEST_BACKUP

_OLD_IMAGES: Final = {"OLD_IMAGE", "NEW_AND_OLD_IMAGES"}
_NOT_TOLD: Final = {
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"),
    *("ResourceNotFoundException", "TableNotFoundException", "UnknownOperationException"),
}
"""Then it is unknown, and said to be; a report need not fail for it."""


@dataclass(frozen=True)
class TableCopies:
    """Of one table. `None` where AWS did not say."""

    table: str
    """The policy's name of it."""
    recovery_days: int | None = None
    """How far point-in-time recovery reaches back; 0 if it is off."""
    streams: bool | None = None
    """Whether a stream carries old images."""


class CopiesOutside(Protocol):
    """What keeps copies that Lapse does not reach."""

    def of_tables(self) -> Sequence[TableCopies]:
        """For each business table, in the order of their names."""


@dataclass(frozen=True)
class InspectedCopies:
    """As `CopiesOutside`, by what AWS says of the tables, which are known by their real names."""

    inspection: TablesToInspect
    tables: Mapping[str, str]

    def of_tables(self) -> Sequence[TableCopies]:
        """As `CopiesOutside.of_tables`."""
        return [self._of_table(table, real) for table, real in sorted(self.tables.items())]

    def _of_table(self, table: str, real: str) -> TableCopies:
        described = _told(lambda: self.inspection.described(real))
        if described is None:
            return TableCopies(table)
        backups = _told(lambda: self.inspection.ask(Question.BACKUPS, described))
        days = None if backups is None else recovery_days(backups)
        return TableCopies(table, days, _has_old_images(described))


def recovery_days(backups: Mapping[str, Any]) -> int:
    """How far point-in-time recovery reaches back, by DescribeContinuousBackups; 0 if it is off."""
    recovery = backups.get("ContinuousBackupsDescription", {}).get("PointInTimeRecoveryDescription", {})
    is_on = recovery.get("PointInTimeRecoveryStatus") == "ENABLED"
    return int(recovery.get("RecoveryPeriodInDays", OLDEST_BACKUP.days)) if is_on else 0


def _has_old_images(described: Mapping[str, Any]) -> bool:
    stream = described.get("StreamSpecification", {})
    return bool(stream.get("StreamEnabled")) and stream.get("StreamViewType") in _OLD_IMAGES


def _told(ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """What AWS answers; `None` if it does not tell."""
    try:
        return ask()
    except CallFailedError as error:
        if error.code in _NOT_TOLD:
            return None
        raise
