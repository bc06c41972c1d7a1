"""Use case: Facts rebuilt from the ledger if they were lost. What is missing is added, nothing taken back."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import batched
from typing import Protocol

from shared.facts import Closing, FactKind, Facts, Hold, Request
from shared.facts_of_entries import (
    UNREADABLE,
    UNREADABLE_LEDGER,
    KeptEntry,
    is_about_facts,
    is_forgotten,
    is_readable,
    longest_pause,
    rebuilt,
)
from shared.failure import CallFailedError
from shared.instants import add
from shared.ledger_batch import Batch, Kept, entries_in
from shared.look import FactsToRead
from shared.pausing import SHARD_OF_PAUSES, BrakeToPull, Pause, pause
from shared.record import SHARDS, RecordRef
from shared.telling import TRIES, Telling

TOGETHER = 100
"""Records whose facts are read together."""


class FactsToRebuild(FactsToRead, Protocol):
    """The Facts table, for rows of which the ledger has the evidence already."""

    def put(self, record: RecordRef, before: Facts | None, after: Facts) -> bool:
        """Put a record's facts; False, and nothing changes, if they are no longer as they were seen."""


class LedgerToReadBack(Protocol):
    """The ledger, by shard and by record."""

    def batches(self, shard: int) -> Iterable[Batch]:
        """A shard's batches in order."""

    def entries_of(self, record: RecordRef) -> Sequence[Kept]:
        """The entries about a record, in order."""


@dataclass
class Rebuilt:
    """How far it came: records that the ledger knows facts of, those of which all or some were missing.

    `unreadable` are batches and entries that cannot be understood: what they told is not in Facts. They may
    have told of holds; so Lapse is paused, until somebody has seen to it and resumes.
    """

    records: int = 0
    added: int = 0
    completed: int = 0
    unreadable: int = 0


@dataclass(frozen=True)
class Ports:
    """What this use case works on."""

    facts: FactsToRebuild
    ledger: LedgerToReadBack
    brake: BrakeToPull


def rebuild(telling: Telling, ports: Ports) -> Rebuilt:
    """Add to Facts whatever the ledger knows and they do not. Run again, it changes nothing.

    Raises:
        CallFailedError: a call failed, or others kept changing the same facts; it is to be run again.
    """
    done = Rebuilt()
    for shard in range(SHARDS):
        told = rebuilt(_entries(ports.ledger, shard, telling, done))
        done.records += len(told)
        if done.unreadable:
            _pause(UNREADABLE_LEDGER, telling, ports.brake)
        for some in batched(told.items(), TOGETHER, strict=False):
            _add_missing({RecordRef.of(text): each for text, each in some}, ports, telling.now, done)
    if done.unreadable:  # also what was only found while adding
        _pause(UNREADABLE_LEDGER, telling, ports.brake)
    return done


def pause_again(telling: Telling, ports: Ports) -> Pause | None:
    """Pause Lapse if the ledger knows of a pause that outlasts what Facts know; with evidence; returns it."""
    lost = longest_pause(_entries(ports.ledger, SHARD_OF_PAUSES, telling, Rebuilt()))
    is_pulled = lost is not None and lost.in_force(telling.now) and _pause(lost, telling, ports.brake)
    return lost if is_pulled else None


def _pause(wanted: Pause, telling: Telling, brake: BrakeToPull) -> bool:
    """Pause Lapse, unless it is paused for as long already; with evidence."""
    standing = brake.read()
    if standing is not None and not wanted.outlasts(standing):
        return False
    pause(wanted, telling, brake)
    return True


def merged(present: Facts, from_ledger: Facts) -> Facts:
    """What stands in Facts and what the ledger knows, together; of two words on one thing, the ledger's.

    The version is the present one, raised if anything was missing.
    """
    both = from_ledger
    spent = from_ledger.spent_requests()
    for kind, instants in present.instants.items():
        for instant in sorted(instants - spent if kind is FactKind.REQUESTED else instants):
            both = both.told(kind, instant)
    for kind, withdrawn in present.withdrawn.items():
        for instant in sorted(withdrawn - both.of(kind) - both.withdrawn.get(kind, frozenset())):
            both = both.corrected(kind, instant, None)
    for hold in present.holds.values():
        both = _with_case(both, hold)
    for request in present.requests.values():
        both = _with_request(both, request)
    return replace(both, version=present.version + int(_parts(both) != _parts(present)))


def _entries(ledger: LedgerToReadBack, shard: int, telling: Telling, done: Rebuilt) -> Iterator[KeptEntry]:
    names_since = add(telling.now, -telling.policy.names_needed)
    for batch in ledger.batches(shard):
        try:
            kept = [each.entry for each in entries_in(batch)]
        except ValueError:
            done.unreadable += 1
            yield UNREADABLE
            continue
        entries = [each for each in kept if not is_forgotten(each, names_since)]
        done.unreadable += sum(is_about_facts(each) and not is_readable(each) for each in entries)
        yield from entries


def _add_missing(told: Mapping[RecordRef, Facts], ports: Ports, now: datetime, done: Rebuilt) -> None:
    present = ports.facts.read(told.keys())
    for record, from_ledger in told.items():
        known = present.get(record)
        if known is not None and merged(known, from_ledger) == known:
            continue
        # The version begins anew, lest the row be taken for the lost one, which somebody may just have read.
        anew = replace(from_ledger, version=Facts.begun(now).version)
        if known is None and ports.facts.put(record, None, anew):
            done.added += 1
            continue
        try:
            done.completed += _complete(record, ports, now)
        except ValueError:  # a batch was damaged: the verifier says which
            done.unreadable += 1


def _complete(record: RecordRef, ports: Ports, now: datetime) -> bool:
    """Merge a record's facts with its evidence, which is read later and so lacks nothing of them."""
    for _ in range(TRIES):
        known = ports.facts.read([record]).get(record)
        entries = [kept.entry for kept in ports.ledger.entries_of(record)]
        from_ledger = rebuilt(entries).get(record.text, Facts())
        after = merged(known or Facts.begun(now), from_ledger)
        if after == known:
            return False
        if ports.facts.put(record, known, after):
            return True
    raise CallFailedError("rebuild", "Contended")


def _with_case(facts: Facts, hold: Hold) -> Facts:
    """These facts and what stands elsewhere about one case: by its own instants, the later word counts."""
    facts = facts.held(replace(hold, closed_at=None, closed_by=""))
    if hold.closed_at is not None:
        facts = facts.released(Closing(hold.case_ref, hold.closed_by, hold.closed_at))
    return facts


def _with_request(facts: Facts, request: Request) -> Facts:
    """These facts and what stands elsewhere about one request. One that was refused may be open again."""
    is_completed = request.answered_at is not None and not request.is_refused
    if request.request_id in facts.requests and not is_completed:
        return facts
    facts = facts.requested(replace(request, answered_at=None, answer=""))
    if request.answered_at is None:
        return facts
    return facts.answered([request.request_id], request.answered_at, request.answer)


def _parts(facts: Facts) -> tuple[object, ...]:
    """What facts say: a kind of which nothing is known may stand there, empty, or not."""
    instants = {kind: each for kind, each in facts.instants.items() if each}
    withdrawn = {kind: each for kind, each in facts.withdrawn.items() if each}
    return instants, withdrawn, dict(facts.holds), dict(facts.requests)
