"""Foreign events and what becomes of them. `sources_file` reads them from TOML, `mapping` does the work."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from shared.expression import Expression
from shared.instants import AnchorFormat
from shared.outgoing import ContractEvent


class Kind(StrEnum):
    """The contract events that a foreign event can become, by detail-type."""

    SHIPMENT_DISPATCHED = "ShipmentDispatched"
    CONTACT_LEFT = "ContactLeft"
    CONTACT_RETURNED = "ContactReturned"


class Reason(StrEnum):
    """Why a record, or a whole event, became nothing. A metric's dimension: closed, and free of payload."""

    NO_ENTRY = "no_entry"
    CONDITION_NOT_MET = "condition_not_met"
    IGNORED = "ignored"
    NO_RECORDS = "no_records"
    NEEDS_FETCH = "needs_fetch"
    ENVELOPE_MALFORMED = "envelope_malformed"
    EXPRESSION_FAILED = "expression_failed"
    RECORDS_MALFORMED = "records_malformed"
    ID_MISSING = "id_missing"
    ID_MALFORMED = "id_malformed"
    FIELD_MISSING = "field_missing"
    FIELD_MALFORMED = "field_malformed"
    INSTANT_MISSING = "instant_missing"
    INSTANT_UNREADABLE = "instant_unreadable"
    INSTANT_IMPLAUSIBLE = "instant_implausible"
    PUT_FAILED = "put_failed"

    @property
    def expected(self) -> bool:
        """Whether that is an everyday matter, as against something that somebody must mend."""
        return self in {Reason.NO_ENTRY, Reason.CONDITION_NOT_MET, Reason.IGNORED, Reason.NO_RECORDS}


@dataclass(frozen=True)
class Match:
    """Which foreign events an entry is about."""

    source: str
    detail_type: str
    conditions: tuple[Expression, ...]

    def addresses(self, envelope: Mapping[str, object]) -> bool:
        """Whether source (a trailing `*` stands for any ending) and detail-type are the entry's."""
        return self.takes_source(envelope["source"]) and envelope["detail-type"] == self.detail_type

    def takes_source(self, source: object) -> bool:
        """Whether the source alone is the entry's."""
        if self.source.endswith("*"):
            return isinstance(source, str) and source.startswith(self.source[:-1])
        return source == self.source


@dataclass(frozen=True)
class Instant:
    """Where an instant stands, and how it is written; the zone is that of naive times and bare dates."""

    expression: Expression
    format: AnchorFormat
    zone: ZoneInfo


@dataclass(frozen=True)
class Becomes:
    """What each record of a foreign event becomes, and where to look. No instant: the time of receipt."""

    kind: Kind
    for_each: Expression | None
    record_id: Expression
    instant: Instant | None
    fields: Mapping[str, Expression]
    ignore_if: tuple[Expression, ...]


@dataclass(frozen=True)
class Source:
    """One entry of the configuration: a foreign event, and what it becomes or why it is refused."""

    id: str
    match: Match
    outcome: Becomes | Reason


@dataclass(frozen=True)
class Outcome:
    """What one entry made of a foreign event: contract events, and a reason for each record without one."""

    entry: str
    events: tuple[ContractEvent, ...] = ()
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Contract:
    """How a kind is written: its EventBridge source, and the names of its id and its instant."""

    source: str
    id_field: str
    instant_field: str


CONTRACT = {
    Kind.SHIPMENT_DISPATCHED: Contract("orders", "shipment_id", "shipped_at"),
    Kind.CONTACT_LEFT: Contract("crm", "contact_id", "notified_at"),
    Kind.CONTACT_RETURNED: Contract("crm", "contact_id", "returned_at"),
}
