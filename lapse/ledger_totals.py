"""What the ledger tells in one pass: what was erased when and how late, what was not and why; is it whole."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import chain as one_after_another
from typing import Any
from zoneinfo import ZoneInfo

from lapse.controls import Controls
from lapse.lateness import Lateness
from lapse.ledger_audit import UNSAID, FollowedChain, chains_to_follow
from lapse.seals import NEVER, LastSeal
from shared.evidence import Outcome
from shared.facts import COMPLETED
from shared.instants import parse_rfc3339
from shared.ledger import Finding
from shared.ledger_batch import Batch, Kept, entries_in

DAYS = 90
"""How far back erasures are counted by day."""
MOST_FINDINGS = 50
"""How many findings are named; the verifier names all."""
_ENDS = {
    Outcome.ALREADY_ABSENT,
    Outcome.RECORD_ABSENT,
    Outcome.OBSERVED,
    Outcome.DROPPED,
    Outcome.HOLD_REFUSED,
    Outcome.HALTED,
}
"""What else becomes of a timer, a hold or a run; all other outcomes are what Lapse was told."""


@dataclass
class LedgerTotals:
    """What the evidence of the last days says, and whether all of it is whole."""

    since: date
    erased: Counter[tuple[date, str]] = field(default_factory=Counter)
    """By local day and rule."""
    lateness: Counter[Lateness] = field(default_factory=Counter)
    not_erased: Counter[tuple[Outcome, str]] = field(default_factory=Counter)
    """What ended otherwise, by outcome and reason."""
    chains: list[FollowedChain] = field(default_factory=list)
    found: int = 0
    """How many findings the verifier has."""
    findings: list[Finding] = field(default_factory=list)
    """The first of them."""
    unreadable: int = 0
    """Entries that say nothing that can be counted."""

    @property
    def entries(self) -> int:
        """Of all chains."""
        return sum(chain.entries for chain in self.chains)

    def by_day(self, since: date | None = None) -> Mapping[date, int]:
        """How much was erased on each day, without the days that have none."""
        days: Counter[date] = Counter()
        for (day, _), number in self.erased.items():
            days[day] += number if since is None or day >= since else 0
        return dict(sorted((+days).items()))

    def by_rule(self) -> Mapping[str, int]:
        """How much each rule erased."""
        rules: Counter[str] = Counter()
        for (_, rule), number in self.erased.items():
            rules[rule] += number
        return rules


@dataclass(frozen=True)
class Reader:
    """Reads the ledger, and tells others what it reads, so that one pass is enough for all."""

    now: datetime
    zone: ZoneInfo
    advance: Callable[[int], None] = lambda _: None
    """Is told how many entries were read."""
    witness: Callable[[Kept], None] = lambda _: None
    """Is shown each entry."""
    sealed: LastSeal | None = None
    """The last seal, read before the ledger: its heads must still be there, and names as far as it says."""

    def read(self, lapse: Controls) -> LedgerTotals:
        """All chains, one after the other, in constant memory."""
        today = self.now.astimezone(self.zone).date()
        totals = LedgerTotals(today - timedelta(days=DAYS - 1))
        heads = self.sealed.heads if self.sealed else {}
        for shard, chain in enumerate(chains_to_follow(heads, "last seal's head").values()):
            totals.chains.append(chain)
            unsaid = list[Any]()
            batches = self._noting(lapse.ledger.batches(shard), chain.name, unsaid)
            followed = chain.follow(self._counted(batches, totals))
            for finding in one_after_another(followed, chain.end(), _still(unsaid, chain.name, lapse)):
                totals.found += 1
                if totals.found <= MOST_FINDINGS:
                    totals.findings.append(finding)
        return totals

    def _noting(self, batches: Iterable[Batch], chain: str, unsaid: list[Any]) -> Iterator[Batch]:
        """The same batches; the numbers of those whose names are gone, though the seal does not say so."""
        for batch in batches:
            if self.sealed and batch["names"] is None and batch["seq"] > self.sealed.unnaming.get(chain, 0):
                unsaid.append(batch["seq"])
            yield batch

    def _counted(self, batches: Iterable[Batch], totals: LedgerTotals) -> Iterator[Batch]:
        """The same batches. What cannot be read is not counted: the verifier finds it."""
        for batch in batches:
            try:
                entries = list(entries_in(batch))
            except ValueError:
                entries = []
            for kept in entries:
                self._count(kept.entry, totals)
                self.witness(kept)
            self.advance(len(entries))
            yield batch

    def _count(self, entry: Mapping[str, Any], totals: LedgerTotals) -> None:
        try:
            at, outcome = parse_rfc3339(entry["at"]), Outcome(entry["outcome"])
            rule, reason = str(entry["rule"]), str(entry["reason"])
            due = parse_rfc3339(entry["due"]) if entry.get("due") else None
            day = at.astimezone(self.zone).date()
        except (ValueError, KeyError, TypeError, OverflowError):
            totals.unreadable += 1
            return
        if day < totals.since:
            return
        if outcome is Outcome.ERASED:
            totals.erased[day, rule] += 1
            if due:
                totals.lateness[Lateness.of(at - due)] += 1
        elif outcome in _ENDS or (outcome is Outcome.ANSWERED and reason not in COMPLETED):
            totals.not_erased[outcome, reason] += 1


def _still(unsaid: Iterable[Any], chain: str, lapse: Controls) -> Iterator[Finding]:
    """Of these batches, whose names are gone, those that no seal lets go that came meanwhile."""
    last: LastSeal | None = None
    for seq in unsaid:
        last = last or lapse.seals.last() or NEVER
        if seq > last.unnaming.get(chain, 0):
            yield Finding(chain, seq, UNSAID)
