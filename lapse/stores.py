"""The tables of a deployed Lapse, for commands that scan them or put a restored one in the place of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lapse.receipts import RecordsWithoutFields
from shared import rebuild_facts, replay
from shared.policy import Policy
from shared.restore import PastEntries
from shared.scanning import Scans


class Archive(Protocol):
    """The published policies."""

    def deployed(self) -> tuple[str, bytes] | None:
        """Digest and text of the policy that was deployed last."""


@dataclass(frozen=True)
class Restored:
    """A restored table in the place of the live one: what a check looks at, and a replay works on."""

    scans: Scans
    ledger: PastEntries
    ports: replay.Ports


class Stores(Protocol):
    """All tables."""

    @property
    def tables(self) -> Mapping[str, str]:
        """The business tables: the policy's names to the real ones."""

    @property
    def archive(self) -> Archive:
        """The published policies."""

    @property
    def scans(self) -> Scans:
        """The live tables, to be looked at."""

    @property
    def without_fields(self) -> RecordsWithoutFields:
        """The live tables, for records whose fields are gone."""

    @property
    def rebuilding(self) -> rebuild_facts.Ports:
        """Facts, to be rebuilt."""

    def restored(self, table: str, real_name: str, policy: Policy) -> Restored:
        """A table under its real name, in the place of the one that the policy calls `table`.

        Raises:
            TroubleError: there is no such table, it is not ready, or its key is not that of the rules.
        """
