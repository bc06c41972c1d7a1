"""The business system: its own hands on the tables, and what it has in its caches."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.record import RecordRef
from tests.memory import Memory
from tests.simulation.hub import Hub
from tests.simulation.oracle import Oracle


@dataclass
class Business:
    """Writes records as it likes. Each method returns `False` if there was nothing to do."""

    hub: Hub
    memory: Memory
    oracle: Oracle
    canary: str
    versions: dict[RecordRef, list[dict[str, Any]]] = field(default_factory=dict)
    """Its caches."""

    def create(self, record: RecordRef, anchor: datetime | None, *, matches: bool) -> None:
        """A new order or contact."""
        contact = {"email": {"S": f"{self.canary}@example.org"}, "name": {"S": f"{self.canary} Jo"}}
        item: dict[str, Any] = {**record.key, **contact, "status": {"N": "0"}}
        if record.table == "Shipments":
            item |= {
                "drop_ship": {"BOOL": matches},
                "contact_number": {"S": f"{self.canary} 1"},
                "mobile": {"S": f"{self.canary} 2"},
                "company": {"S": f"{self.canary} 3"},
                "address": {"M": {"city": {"S": "Huddersfield"}}},
                "gate": {"M": {"code": {"S": f"{self.canary} 4"}, "side": {"S": "left"}}},
            }
            if anchor:
                item["shipped_at"] = {"S": anchor.isoformat()}
        else:
            item |= {"telephone": {"S": f"{self.canary} 5"}, "job_title": {"S": f"{self.canary} 6"}}
        self._put(record, item)

    def update(self, record: RecordRef) -> object:
        """The customer has a new address; also if the old one is gone."""
        return self._change(record, email={"S": f"{self.canary}-{self.hub.steps}@example.org"})

    def touch(self, record: RecordRef) -> object:
        """Something changes that is not Lapse's business."""
        return self._change(record, status={"N": str(self.hub.steps)})

    def set_anchor(self, record: RecordRef, text: str | None) -> object:
        """Shipped then, or not known when."""
        return self._change(record, shipped_at={"NULL": True} if text is None else {"S": text})

    def no_match(self, record: RecordRef) -> object:
        """It was no drop-shipment after all; or it was."""
        now = self.memory.items.get(record, {}).get("drop_ship")
        return self._change(record, drop_ship={"BOOL": now != {"BOOL": True}})

    def foreign_mark(self, record: RecordRef, until: str) -> object:
        """The business system marks a hold of its own."""
        return self._change(record, legal_hold={"M": {"until": {"S": until}, "by": {"S": "orders"}}})

    def read(self, record: RecordRef) -> object:
        """The business system reads the record, and keeps the copy, with Lapse's mark if there is one."""
        item = self.memory.items.get(record)
        if item is None:
            return False
        self.versions[record].append(deepcopy(dict(item)))
        return None

    def stale(self, record: RecordRef, age: int) -> object:
        """A cached copy is written back, whole."""
        if record not in self.memory.items:
            return False
        versions = self.versions[record]
        self._put(record, versions[max(0, len(versions) - 1 - age)])
        return None

    def re_add(self, record: RecordRef) -> object:
        """The first copy of all is written back, whole."""
        return self.stale(record, 10**6)

    def drop_gate(self, record: RecordRef) -> object:
        """The map that holds one of the fields goes, as a whole."""
        item = self.memory.items.get(record)
        if item is None or "gate" not in item:
            return False
        self._put(record, {name: each for name, each in item.items() if name != "gate"})
        return None

    def delete(self, record: RecordRef) -> object:
        """The record goes."""
        if self.memory.items.pop(record, None) is None:
            return False
        self.oracle.wrote(record, None)
        return None

    def _change(self, record: RecordRef, **attributes: Mapping[str, Any]) -> object:
        item = self.memory.items.get(record)
        if item is None:
            return False
        self._put(record, {**item, **attributes})
        return None

    def _put(self, record: RecordRef, item: Mapping[str, Any]) -> None:
        self.memory.items[record] = deepcopy(dict(item))
        self.versions.setdefault(record, []).append(deepcopy(dict(item)))
        self.oracle.wrote(record, item)
