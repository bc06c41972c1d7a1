"""Planted bugs in evidence: what is kept, in which order, and what must not be in it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.contract import Told
from shared.evidence import Entry, Outcome
from shared.facts import Facts
from shared.failure import CallFailedError
from shared.finish_timers import Finishing
from shared.record import RecordRef, View
from shared.settle import Settled
from shared.telling import Telling, tell
from tests.simulation.planted import I5, I7, I8, I10, planted, swap
from tests.simulation.ports import Chain

ENTRY = "shared.settle._Case._entry"
APPEND = "tests.simulation.ports.Chain.append"
FORKED_AT = 3
"""So many batches in."""


@planted(I7, I10)
def the_timer_is_deleted_first(plant: pytest.MonkeyPatch) -> None:
    """Then the evidence: a crash between the two leaves neither."""

    def finish(run: Finishing, settled: list[Settled]) -> None:
        run._move([each for each in settled if not each.stands])
        run.ports.ledger.append(run.report.shard, [entry for each in settled for entry in each.entries])

    plant.setattr("shared.finish_timers.Finishing.finish", finish)


@planted(I7)
def evidence_says_when_it_was_due(plant: pytest.MonkeyPatch) -> None:
    """And not when it was erased."""
    swap(plant, ENTRY, lambda real: lambda *of, **more: _as_if_in_time(real(*of, **more)))


@planted(I7)
def evidence_names_no_clause(plant: pytest.MonkeyPatch) -> None:
    """Nobody can say which promise was kept."""
    swap(plant, ENTRY, lambda real: lambda *of, **more: replace(real(*of, **more), clause=""))


@planted(I7)
def a_tail_of_the_ledger_is_lost(plant: pytest.MonkeyPatch) -> None:
    """A batch overwrites the one before it."""
    _before_append(plant, lambda chain: chain.rows.pop())


@planted(I7)
def the_chain_is_forked(plant: pytest.MonkeyPatch) -> None:
    """Two batches follow the same one."""

    def fork(chain: Chain) -> None:
        chain._end = chain._end[0], chain.rows[1]["hash"]

    _before_append(plant, fork)


@planted(I7)
def only_the_first_entry_of_a_batch_is_kept(plant: pytest.MonkeyPatch) -> None:
    """The others of the batch are lost."""
    swap(
        plant,
        "tests.memory.MemoryLedger.append",
        lambda real: lambda ledger, shard, entries: real(ledger, shard, entries[:1]),
    )


@planted(I5)
def evidence_names_the_timers_due(plant: pytest.MonkeyPatch) -> None:
    """Not the instant by which it was decided."""
    swap(
        plant,
        ENTRY,
        lambda real: (
            lambda case, outcome, fields=(), *, reason="", due=None: real(
                case, outcome, fields, reason=reason, due=due and case.timer.due
            )
        ),
    )


@planted(I7)
def absence_is_recorded_unasked(plant: pytest.MonkeyPatch) -> None:
    """A refused guard is taken for fields that are gone."""
    plant.setattr("shared.settle._Case._has_personal_fields", lambda _case: False)


@planted(I7)
def an_unknown_answer_counts_as_erased(plant: pytest.MonkeyPatch) -> None:
    """If the call fails, the fields may be gone: so the evidence says that they are."""

    def hopeful(real: Callable[..., bool]) -> Callable[..., bool]:
        def erase(case: Any, view: Any, due: Any) -> bool:
            try:
                return real(case, view, due)
            except CallFailedError:
                case.removed.update(dict.fromkeys(case.rule.erase, due))
                return True

        return erase

    swap(plant, "shared.settle._Case._erase", hopeful)


@planted(I8)
def an_events_other_fields_are_kept(plant: pytest.MonkeyPatch) -> None:
    """What came beside the instant, a note about somebody, goes into the evidence."""

    def noting(told: Told, record: RecordRef, view: View, telling: Telling, facts: Any) -> Facts | None:
        entry = telling.entry(Outcome.TOLD, record, note=str(told.fields.get("note")))
        return tell(record, lambda known: known.told(told.kind, told.instant), entry, facts) or view.facts

    plant.setattr("shared.schedule_deletion._tell", noting)


def _before_append(plant: pytest.MonkeyPatch, spoil: Callable[[Chain], object]) -> None:
    """Once a chain has some batches, do this to it first."""

    def spoiled(real: Callable[..., None]) -> Callable[..., None]:
        def append(chain: Chain, batch: Any) -> None:
            if len(chain.rows) == FORKED_AT:
                spoil(chain)
            real(chain, batch)

        return append

    swap(plant, APPEND, spoiled)


def _as_if_in_time(entry: Entry) -> Entry:
    return replace(entry, at=entry.due) if entry.due and entry.outcome is Outcome.ERASED else entry
