"""What everybody can see of a deployment, held against the oracle of the simulation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.ledger import verify
from shared.ledger_batch import Batch, entries_in, from_item
from shared.policy import Guard
from shared.record import RecordRef
from tests.machine.deployed import Deployed
from tests.machine.operations import CANARY, Item
from tests.machine.saying import said_in
from tests.simulation.history import Corrected, Opening, Said, mark_end
from tests.simulation.oracle import Oracle
from tests.simulation.places import Run
from tests.simulation.promises import Edition

PERSONAL = {
    "Shipments": frozenset({("contact_number",), ("email",), ("gate", "code"), ("name",), ("company",)}),
    "Contacts": frozenset({("telephone",), ("email",), ("job_title",)}),
}


@dataclass
class Onlooker:
    """Looks at tables, evidence, schedules and output, and tells the oracle."""

    deployed: Deployed
    edition: Edition
    live: dict[RecordRef, Item] = field(default_factory=dict)
    batches: dict[str, list[Batch]] = field(default_factory=dict)
    timers: set[tuple[str, str]] = field(default_factory=set)
    """Record and rule of each that stands."""
    marks: dict[RecordRef, Any] = field(default_factory=dict)
    placed: dict[RecordRef, Opening] = field(default_factory=dict)
    """Holds placed in this step."""
    said: set[tuple[RecordRef, Said]] = field(default_factory=set)
    """All that events said."""
    in_step: bool = False
    wrote_meanwhile: bool = False
    seen_output: int = 0
    """So many characters of it."""

    def __post_init__(self) -> None:
        by_facts = all(rule.guard is Guard.FACTS for rule in self.edition.policy.rules)
        self.oracle = Oracle(self.live, PERSONAL, lambda: self.now, by_facts=by_facts)
        self.run = Run("outside", self.now, self.edition, self.now)

    @property
    def now(self) -> datetime:
        return self.deployed.now

    @now.setter
    def now(self, now: datetime) -> None:
        self.deployed.now = now

    def look(self) -> None:
        """Hold everything that can be seen against the oracle."""
        business, oracle = self.deployed.business, self.oracle
        self.live.clear()
        for table, real in business.tables.items():
            for item in rows_of(business.dynamodb, real):
                name = "shipment_id" if table == "Shipments" else "contact_id"
                self.live[RecordRef(table, {name: item[name]})] = item
        removed = len(oracle.removals)
        entries = list(self._new_entries())
        for each in entries:
            self._hear(each)
        oracle.look(self.run)
        for each in entries:
            oracle.evidence.entered(each, self.run)
        self._look_at_marks()
        due = rows_of(business.dynamodb, business.due_table)
        self._look_at_timers(due, removed)
        facts = rows_of(business.dynamodb, business.facts_table)
        self._look_for_canaries({"timers": due, "facts": facts, "ledger": self.batches})

    def _new_entries(self) -> Iterator[dict[str, Any]]:
        """Evidence that was not there before; what was there must be there still."""
        business = self.deployed.business
        rows = [
            row for row in rows_of(business.dynamodb, business.ledger_table) if row["shard"]["S"].isdigit()
        ]
        chains: dict[str, list[Batch]] = {}
        for batch in sorted(map(from_item, rows), key=lambda each: each["seq"]):
            chains.setdefault(batch["shard"], []).append(batch)
        for shard, chain in chains.items():
            known = self.batches.get(shard, [])
            if chain[: len(known)] != known:
                self.oracle.violated("I7", f"chain {shard}: evidence was replaced")
            elif list(verify(shard, chain)):
                self.oracle.violated("I7", f"chain {shard} does not verify")
            for batch in chain[len(known) :]:
                yield from (dict(each.entry) for each in entries_in(batch))
        for shard in self.batches.keys() - chains.keys():
            self.oracle.violated("I7", f"chain {shard} is gone")
        self.batches = chains

    def _hear(self, entry: Mapping[str, Any]) -> None:
        """Evidence says that something was kept; it must have been said, too."""
        said = said_in(entry)
        if said is None:
            return
        record = RecordRef.of(entry["record"])
        self.oracle.heard(record, said)
        if isinstance(said, Opening):
            self.placed[record] = said
        if not isinstance(said, Corrected) and (record, said) not in self.said:
            self.oracle.violated("I7", f"evidence of what nobody said: {entry['outcome']}", record)

    def _look_at_marks(self) -> None:
        """I3: a mark that Lapse sets tells of a hold that was told, and comes with it."""
        for record, item in self.live.items():
            mark, before = item.get("legal_hold"), self.marks.get(record)
            self.marks[record] = mark
            ends = self.oracle.told[record].ends()
            if _is_ours(mark) and mark != before and mark_end(item) not in ends:
                self.oracle.violated("I3", "marked without a fact", record)
            held_until = max(ends, default=self.now)
            told_so = mark is not None and (not _is_ours(mark) or mark_end(item) == held_until)
            if record in self.placed and held_until > self.now and not told_so and not self.wrote_meanwhile:
                self.oracle.violated("I3", "a hold was placed without its mark", record)
        if not self.in_step:
            if not self.deployed.failed:
                for record, opening in self.placed.items():
                    self.oracle.acknowledged[record].add(opening)
            self.placed.clear()

    def _look_at_timers(self, due: list[Item], removed: int) -> None:
        """I10: nothing is erased without a timer; a timer that goes leaves evidence, or a later timer."""
        rows = [row for row in due if row["shard"]["S"].isdigit()]
        standing = {(RecordRef(r["table"]["S"], r["key"]["M"]).text, r["rule"]["S"]) for r in rows}
        for text, rule in self.timers - standing - self.run.ended:
            self.oracle.violated("I10", f"{text}: a timer of {rule} went without evidence")
        for removal in self.oracle.removals[removed:]:
            if not {(removal.record.text, rule) for rule in removal.dues} & self.timers:
                self.oracle.violated("I10", "erased without a timer", removal.record)
        self.timers = standing

    def _look_for_canaries(self, sinks: Mapping[str, Any]) -> None:
        """I8: what people entered is in the business tables alone."""
        written = self.deployed.output.getvalue()
        new = {"output": written[self.seen_output :]}
        self.seen_output = len(written)
        if '"WakeUpFailed"' in new["output"] and not self.run.disturbed:
            self.oracle.violated("I10", "a wake-up failed, though nothing was wrong")
        for sink, content in {**sinks, **new}.items():
            if CANARY in repr(content):
                self.oracle.violated("I8", f"personal data in {sink}")

    def look_at_schedules(self) -> None:
        """I8: a schedule names a minute, and nothing else."""
        business = self.deployed.business
        for each in business.scheduler.list_schedules(GroupName=business.group)["Schedules"]:
            schedule = business.scheduler.get_schedule(Name=each["Name"], GroupName=business.group)
            if CANARY in repr(schedule) or "S-1" in repr(schedule):
                self.oracle.violated("I8", "a record's name, or more, in a schedule")


def _is_ours(mark: Any) -> bool:
    return bool(mark and mark.get("M", {}).get("by") == {"S": "lapse"})


def rows_of(dynamodb: Any, table: str) -> list[Item]:
    """All items of a table."""
    return list(dynamodb.scan(TableName=table)["Items"])
