"""I7 and I5: every removal has its evidence, all evidence its reason, and the due instant that was told."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.record import RecordRef
from tests.simulation.history import COMPLETED
from tests.simulation.places import Path, Place, Removal, Run

if TYPE_CHECKING:
    from tests.simulation.oracle import Oracle

TIMERS_END = {"erased", "already_absent", "record_absent", "observed", "dropped"}
"""Outcomes that say what became of a timer."""
SKEW = timedelta(seconds=5)
MOST_TIME = timedelta(minutes=1)
"""Between a removal and the instant in its evidence: a few more looks at the record."""


class EvidenceJudge:
    """Compares what the ledger says with what happened."""

    def __init__(self, oracle: "Oracle") -> None:
        self._oracle = oracle
        self._unclaimed: list[Removal] = []
        self._timers_ended: dict[tuple[RecordRef, str], datetime] = {}
        """When there was evidence of the end of a record's and a rule's timer."""

    def expect(self, removal: Removal) -> None:
        """A field was removed: there is to be evidence."""
        self._unclaimed.append(removal)

    def entered(self, entry: Mapping[str, Any], run: Run | None) -> None:
        """An entry came into the ledger."""
        if not entry["record"]:
            return
        oracle, record, outcome = self._oracle, RecordRef.of(entry["record"]), entry["outcome"]
        if outcome == "answered" and entry["reason"] not in COMPLETED:
            if run is None or not oracle.place.no_record(record, run.began):
                oracle.violated("I10", "an erasure was refused of a record that was there", record)
            oracle.refused(record, set(entry["details"]["requests"].split()))
        if outcome not in TIMERS_END:
            return
        if run is None:
            oracle.violated("I7", "evidence of a timer by nobody", record)
            return
        run.ended.add((entry["record"], entry["rule"]))
        self._timers_ended[record, entry["rule"]] = oracle.now
        self._judge_circumstances(record, entry, run)
        place = oracle.restored if run.is_restore and oracle.restored else oracle.place
        fields = [tuple(path) for path in entry["fields"]]
        if outcome == "erased":
            self._claim(place, record, fields, entry, run)
        elif outcome == "already_absent" and not place.absent(record, fields, run.began):
            oracle.violated("I7", "called absent what was there", record)
        elif outcome == "record_absent" and not place.no_record(record, run.began):
            oracle.violated("I7", "called a record absent that was there", record)

    def _judge_circumstances(self, record: RecordRef, entry: Mapping[str, Any], run: Run) -> None:
        """By which policy, for which clause, why, and when."""
        clauses = {each.rule: each.clause for each in run.edition.promises}
        wrong = [
            entry["policy"] != run.edition.policy.digest and "policy",
            entry["clause"] != clauses[entry["rule"]] and "clause",
            entry["cause"] != run.cause and "cause",
            not run.began - SKEW <= _at(entry) <= self._oracle.now + SKEW and "time",
        ]
        for what in filter(None, wrong):
            self._oracle.violated("I7", f"evidence names another {what}", record)

    def ended(self, run: Run) -> None:
        """A function's run ended; if nothing disturbed it, all that it removed is in evidence.

        What a disturbed replay removed from a table that nobody uses yet is found absent by the next one.
        """
        mine = [each for each in self._unclaimed if each.run is run]
        if not run.disturbed:
            for each in mine:
                self._oracle.violated("I7", "a removal without evidence", each.record)
        if not run.disturbed or run.is_restore:
            self._unclaimed = [each for each in self._unclaimed if each not in mine]

    def judge_the_end(self, may_be_without: Callable[[Removal], bool]) -> None:
        """What a disturbed run removed was found absent by another: its timer ended with evidence, later."""
        for each in self._unclaimed:
            ends = [self._timers_ended.get((each.record, rule)) for rule in each.dues]
            is_known = any(end and end >= each.when - SKEW for end in ends)
            if not is_known and not may_be_without(each):
                self._oracle.violated("I7", "a removal without evidence", each.record)

    def _claim(
        self, place: Place, record: RecordRef, fields: list[Path], entry: Mapping[str, Any], run: Run
    ) -> None:
        by_run = [each for each in self._unclaimed if each.run is run and each.record == record]
        # Of fields that came back and went again the first removal: each has an entry of its own.
        mine = list({each.path: each for each in reversed(by_run) if each.path in fields}.values())
        if not mine:
            self._oracle.violated("I7", "evidence of an erasure that was none", record)
            return
        self._unclaimed = [each for each in self._unclaimed if each not in mine]
        claimed = {each.path for each in mine}
        rest = [path for path in fields if path not in claimed]
        if rest and not place.absent(record, rest, min(each.when for each in mine)):
            self._oracle.violated("I7", "called erased what was there", record)
        last = max(each.when for each in mine)
        if not last - SKEW <= _at(entry) <= last + MOST_TIME:
            self._oracle.violated("I7", "evidence of an erasure at another time", record)
        if entry["rule"] not in mine[-1].dues:
            self._oracle.violated("I7", "evidence names another rule", record)
        due = mine[-1].dues.get(entry["rule"])
        if due is not None and datetime.fromisoformat(entry["due"]) != due:
            self._oracle.violated("I5", "erased by another due instant than what was told leads to", record)


def _at(entry: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["at"])
