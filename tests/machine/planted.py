"""Bugs planted in the adapters, for the length of one test: each breaks one thing on purpose.

Each comes with the operations that meet it, and with who is to notice: an invariant of the machine, or the
comparison of the same script on two kinds of ports.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared import business_tables, conditions, due_table, facts_table
from shared.aws import error_code
from shared.business_tables import BusinessTables
from shared.facts_table import FactsToSweepTable, FactsWithEvidence, unchanged_facts
from shared.failure import CallFailedError
from shared.ledger_batch import to_item
from shared.ledger_index import LedgerReader
from shared.ledger_table import LedgerTable
from shared.policy import Guard, Rule
from shared.record import HOLD_MARK, Path, at_path
from shared.scheduler import SchedulerWakeUps
from shared.table_scans import ScannedTables
from shared.transaction import transact, transact_with_evidence
from tests.builders import closed, left, opened, returned, shipment_ref, shipped, to_wire_text
from tests.machine.clients import Trouble, When
from tests.machine.operations import (
    CONTACTS,
    SHIPMENTS,
    Arrive,
    Deletes,
    Operation,
    Purges,
    Sweeps,
    Updates,
    Waits,
    Writes,
    day,
)
from tests.simulation.oracle import Invariant

type Plant = Callable[[pytest.MonkeyPatch], None]
SHIPMENT, CONTACT = SHIPMENTS[0], CONTACTS[0]
WAITING = Writes(SHIPMENT, {"shipped_at": {"S": to_wire_text(day(-6))}})


@dataclass(frozen=True)
class Step:
    """An operation, what happens at its calls, and what others do meanwhile."""

    operation: Operation
    at: Mapping[When, Trouble] = field(default_factory=dict)
    meanwhile: Sequence[Operation] = ()


@dataclass(frozen=True)
class Planted:
    """A bug."""

    plant: Plant
    by: Invariant | None
    """Who is to notice; none, if it shows where the same script ends otherwise in memory."""
    steps: Sequence[Step]
    sweeping: bool = True
    """Whether the sweep, which would mend it, runs afterwards."""
    guard: Guard = Guard.RECORD
    """Of the policy that is deployed."""

    @property
    def what(self) -> str:
        """What is wrong, in one line."""
        return (self.plant.__doc__ or "").partition("\n")[0]


PLANTED: dict[str, Planted] = {}


def planted(
    by: Invariant | None, *steps: Operation | Step, sweeping: bool = True, guard: Guard = Guard.RECORD
) -> Callable[[Plant], Plant]:
    """Add a bug to the list."""

    def add(plant: Plant) -> Plant:
        taken = [each if isinstance(each, Step) else Step(each) for each in steps]
        PLANTED[plant.__name__.replace("_", " ")] = Planted(plant, by, taken, sweeping, guard)
        return plant

    return add


@planted(Invariant.I10, WAITING, Arrive((shipped("S-1"),)), Arrive((closed("S-1"),)))
def conflict_treated_as_failure(plant: pytest.MonkeyPatch) -> None:
    """A wake-up that is there already is an error."""

    def ensure(self: SchedulerWakeUps, minute: Any) -> None:
        try:
            self._create(f"purge-{minute:%Y%m%dT%H%M}", minute)
        except ClientError as error:
            raise CallFailedError("CreateSchedule", error_code(error)) from None

    plant.setattr(SchedulerWakeUps, "ensure", ensure)


@planted(
    Invariant.I7,
    Writes(SHIPMENT),
    Arrive((shipped("S-1"),)),
    Step(Purges(), {("batch_get_item", 0): Trouble.PARTIAL}),
)
def unprocessed_keys_dropped(plant: pytest.MonkeyPatch) -> None:
    """What BatchGetItem leaves unprocessed is taken to be absent."""

    def batch_get(client: Any, table: str, keys: Sequence[Any], **options: Any) -> Any:
        wanted = {table: {"Keys": list(keys), "ConsistentRead": True, **options}}
        return client.batch_get_item(RequestItems=wanted)["Responses"].get(table, []) if keys else []

    plant.setattr(business_tables, "batch_get", batch_get)


@planted(
    Invariant.I2,
    Writes(CONTACT),
    Step(Arrive((left("C-1"),)), {("batch_write_item", 0): Trouble.PARTIAL}),
    sweeping=False,
)
def unprocessed_items_dropped(plant: pytest.MonkeyPatch) -> None:
    """What BatchWriteItem leaves unprocessed is taken to be written."""

    def batch_put(client: Any, table: str, items: Sequence[Any]) -> None:
        if items:
            client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": each}} for each in items]})

    plant.setattr(due_table, "batch_put", batch_put)


HOLD = Arrive((opened("S-1"),))


@planted(Invariant.I3, WAITING, Step(HOLD, {("transact_write_items", 1): Trouble.CRASH_BEFORE}))
def fact_without_mark(plant: pytest.MonkeyPatch) -> None:
    """The transaction is split in two: first the fact with its evidence, then the mark."""

    def change(self: FactsWithEvidence, record: Any, *told: Any) -> bool:
        before, after, entry, mark = told
        own = [self._row(record, before, after)]
        kept = transact_with_evidence(self._client, own, self._ledger, record.shard, entry)
        return kept and (mark is None or transact(self._client, list(self._mark(record, mark))))

    plant.setattr(FactsWithEvidence, "change", change)


@planted(Invariant.I3, WAITING, Step(HOLD, {("transact_write_items", 1): Trouble.CRASH_BEFORE}))
def mark_without_fact(plant: pytest.MonkeyPatch) -> None:
    """The transaction is split in two: first the mark, then the fact with its evidence."""

    def change(self: FactsWithEvidence, record: Any, *told: Any) -> bool:
        before, after, entry, mark = told
        if mark is not None and not transact(self._client, list(self._mark(record, mark))):
            return False
        own = [self._row(record, before, after)]
        return transact_with_evidence(self._client, own, self._ledger, record.shard, entry)

    plant.setattr(FactsWithEvidence, "change", change)


@planted(Invariant.I7, Writes(CONTACT), Arrive((left("C-1"),)), Purges(), Arrive((left("C-1", day(-1)),)))
def chain_forked(plant: pytest.MonkeyPatch) -> None:
    """A batch is put whoever has its number."""

    def put_of(self: LedgerTable, batch: Any) -> dict[str, Any]:
        return {"TableName": self._table, "Item": to_item(batch)}

    plant.setattr(LedgerTable, "_put_of", put_of)


@planted(
    Invariant.I4,
    Purges(),
    Writes(SHIPMENT),
    Arrive((shipped("S-1"),)),
    Step(Purges(), {("put_item", 0): Trouble.MEANWHILE}, (Updates(SHIPMENT, {"status": {"N": "7"}}),)),
)
def erased_by_a_whole_item_put(plant: pytest.MonkeyPatch) -> None:
    """The item is read, and written back without the fields."""

    def remove(self: BusinessTables, _rule: Any, record: Any, _view: Any, paths: Any) -> Any:
        table, key = self.real_name(record.table), dict(record.key)
        item: Any = self._client.get_item(TableName=table, Key=key).get("Item")
        present = [path for path in paths if at_path(item or {}, path)]
        for path in present:
            parent: Any = at_path(item, path[:-1]) if path[:-1] else {"M": item}
            del parent["M"][path[-1]]
        if not present:
            return business_tables._Removal.REFUSED
        self._client.put_item(TableName=table, Item=item)
        return business_tables._Removal.DONE

    plant.setattr(BusinessTables, "_remove", remove)


@planted(
    Invariant.I4,
    Writes(CONTACT),
    Arrive((left("C-1"),)),
    Step(Purges(), {("transact_write_items", 0): Trouble.MEANWHILE}, (Deletes(CONTACT),)),
)
def ghost_item(plant: pytest.MonkeyPatch) -> None:
    """The erase does not ask whether there is still a record."""

    def removal(rule: Any, record: Any, view: Any, paths: Any) -> dict[str, Any]:
        aliases = conditions.Aliases()
        unchanged = [aliases.still(path, view.attributes.get(path)) for path in rule.view_paths]
        return {
            "Key": dict(record.key),
            "ConditionExpression": " AND ".join(unchanged),
            "UpdateExpression": f"REMOVE {', '.join(aliases.path(path) for path in paths)}",
            "ExpressionAttributeNames": aliases.names,
            **({"ExpressionAttributeValues": aliases.values} if aliases.values else {}),
        }

    plant.setattr(business_tables, "guarded_removal", removal)


def purge_while(*meanwhile: Operation, at: When = ("update_item", 1)) -> Step:
    """A purge, and what others do between its look and its erase. Its first update is the lease's."""
    return Step(Purges(), {at: Trouble.MEANWHILE}, meanwhile)


def leave_out(plant: pytest.MonkeyPatch, paths: Callable[[Rule], Collection[Path | None]]) -> None:
    """The guard of the erase does not compare these paths."""
    real: Any = conditions.guarded_removal

    def removal(rule: Rule, *seen: Any) -> Any:
        compared = [path for path in rule.view_paths if path not in paths(rule)]
        return real(SimpleNamespace(view_paths=compared), *seen)

    plant.setattr(business_tables, "guarded_removal", removal)


OVERDUE = Writes(SHIPMENT), Arrive((shipped("S-1"),))
TRANSACTION = ("transact_write_items", 0)


@planted(Invariant.I1, *OVERDUE, purge_while(Updates(SHIPMENT, {"drop_ship": {"BOOL": False}})))
def guard_without_match(plant: pytest.MonkeyPatch) -> None:
    """The erase does not ask whether the rule is still about the record."""
    leave_out(plant, lambda rule: rule.match)


@planted(Invariant.I1, *OVERDUE, purge_while(Updates(SHIPMENT, {"shipped_at": {"S": to_wire_text(day(-1))}})))
def guard_without_anchor(plant: pytest.MonkeyPatch) -> None:
    """The erase does not ask whether the clock still starts when it did."""
    leave_out(plant, lambda rule: (rule.anchor.attribute,))


@planted(Invariant.I3, *OVERDUE, purge_while(HOLD))
def guard_without_mark(plant: pytest.MonkeyPatch) -> None:
    """The erase does not ask whether the record was marked as held meanwhile."""
    leave_out(plant, lambda _rule: (HOLD_MARK,))


@planted(Invariant.I3, *OVERDUE, purge_while(HOLD, Writes(SHIPMENT), at=TRANSACTION), guard=Guard.FACTS)
def facts_left_out_of_the_transaction(plant: pytest.MonkeyPatch) -> None:
    """With guard = "facts" the erase is a transaction, but of the record alone: Facts are not checked."""

    def transact_alone(self: BusinessTables, update: Any, _unchanged: Any) -> Any:
        try:
            self._client.transact_write_items(TransactItems=[{"Update": update}])
        except ClientError as error:
            return business_tables._refusal(error)
        return business_tables._Removal.DONE

    plant.setattr(BusinessTables, "_transact", transact_alone)


@planted(
    Invariant.I1,
    Writes(CONTACT),
    Arrive((left("C-1"),)),
    purge_while(Arrive((returned("C-1", day(0)),)), at=TRANSACTION),
)
def version_of_facts_not_compared(plant: pytest.MonkeyPatch) -> None:
    """The erase asks whether there are still facts, not whether they are those that were seen."""

    def still_some(table: str, record: Any, facts: Any) -> Any:
        none = unchanged_facts(table, record, None)
        return {**none, "ConditionExpression": "attribute_exists(#version)"} if facts else none

    plant.setattr(business_tables, "unchanged_facts", still_some)


@planted(Invariant.I2, *(Writes(shipment_ref(f"S-{number}")) for number in range(1, 7)))
def paging_of_scans_ignored(plant: pytest.MonkeyPatch) -> None:
    """Each segment of a table ends with its first page."""
    for adapter in (ScannedTables, FactsToSweepTable):
        scan = adapter.scan

        def first_page(self: Any, *args: Any, scan: Any = scan) -> Any:
            page = scan(self, *args)
            return type(page)(**{**vars(page), "following": None})

        plant.setattr(adapter, "scan", first_page)


@planted(
    None,
    Writes(CONTACT),
    Arrive((left("C-1"),)),
    Purges(),
    Waits(1),
    Writes(CONTACT),
    Sweeps(),
)
def paging_of_queries_ignored(plant: pytest.MonkeyPatch) -> None:
    """Of the entries about a record only the first page is read: what was erased before is not recognised."""

    def items(self: LedgerReader, of: str, after: int = 0, *, consistent: bool = True) -> Any:
        whole = list(real(self, of, after, consistent=consistent))
        return iter(whole[:1] if of.startswith("of#") else whole)

    real = LedgerReader._items
    plant.setattr(LedgerReader, "_items", items)


NOTHING_LEFT = dict.fromkeys(("email", "contact_number", "name", "company", "gate"))


@planted(None, Writes(SHIPMENT, NOTHING_LEFT), Arrive((opened("S-1"),)))
def hold_without_a_field(plant: pytest.MonkeyPatch) -> None:
    """A hold is placed whether or not there is anything left to hold."""
    real = conditions.guarded_mark

    def guarded_mark(record: Any, change: Any) -> Any:
        return real(record, type(change)(change.exists, change.seen, change.right, ()))

    plant.setattr(facts_table, "guarded_mark", guarded_mark)
