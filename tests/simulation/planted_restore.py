"""Planted bugs in restores."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from shared.finding import FactsPage
from shared.policy import Guard
from shared.record import RecordRef
from shared.replay import Replayed
from shared.restore_faults import Checked
from tests.simulation.planted import I9, everywhere, planted, swap

MARKS, FIELDS = "shared.restore._Checking._faults_of_mark", "shared.restore._Checking._faults_of_fields"


@planted(I9)
def a_restore_forgets_holds(plant: pytest.MonkeyPatch) -> None:
    """The replay looks at the restored table alone, and the check does not mind."""
    plant.setattr("shared.replay._Replay._put_marks_right", lambda _replay: None)
    plant.setattr(MARKS, lambda *_: ())
    swap(
        plant,
        "shared.replay.purge_due",
        lambda real: lambda policy, of, *rest: real(policy, replace(of, facts=_Unheld(of.facts)), *rest),
    )


@planted(I9)
def a_restore_forgets_to_mark(plant: pytest.MonkeyPatch) -> None:
    """Facts know the holds of the restored records; the records do not say so."""
    plant.setattr("shared.replay._Replay._put_marks_right", lambda _replay: None)
    plant.setattr(MARKS, lambda *_: ())


@planted(I9)
def a_restore_forgets_what_was_told(plant: pytest.MonkeyPatch) -> None:
    """Departures and requests do not count for the restored table, and the check asks only for marks."""
    plant.setattr("shared.replay_ports.FactsAsTheyAre.scan", lambda *_: FactsPage({}, None, 0, 0.0))
    plant.setattr(FIELDS, lambda *_: ())


@planted(I9)
def a_restored_table_is_used_as_it_is(plant: pytest.MonkeyPatch) -> None:
    """Nothing is replayed, and the check always passes."""
    everywhere(plant, "shared.replay.replay", lambda _real: lambda *_: Replayed(counts=Counter()))
    everywhere(plant, "shared.restore.check", lambda _real: lambda *_, most: Checked(most))


@dataclass(frozen=True)
class _Unheld:
    """Facts that know of no hold."""

    of: Any

    def read(self, records: Collection[RecordRef]) -> dict[RecordRef, Any]:
        return {record: replace(facts, holds={}) for record, facts in self.of.read(records).items()}


@planted(I9)
def a_replay_asks_no_facts_in_the_erase(plant: pytest.MonkeyPatch) -> None:
    """A hold that is placed meanwhile marks the live record; the restored one is erased."""
    plant.setattr("shared.replay.Guard", SimpleNamespace(FACTS=Guard.RECORD))
