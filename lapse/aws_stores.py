"""The tables of a deployed Lapse, on AWS."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lapse.stores import Restored
from lapse.trouble import TroubleError
from shared import rebuild_facts, replay
from shared.aws import failures_of
from shared.brake import BrakeWithEvidence, FactsBrake
from shared.facts_rebuilding import FactsToRebuildTable
from shared.facts_table import FactsToSweepTable, FactsWithEvidence
from shared.failure import CallFailedError
from shared.ledger_table import LedgerTable
from shared.policy import Policy
from shared.policy_archive import PolicyArchive
from shared.scanning import Scans
from shared.table_scans import ScannedTables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class ReplayedFacts(FactsWithEvidence, FactsToSweepTable):
    """The real facts, with the marks on a restored table."""


@dataclass(frozen=True)
class AwsStores:
    """All tables, by their real names."""

    client: "DynamoDBClient"
    tables: Mapping[str, str]
    facts_table: str
    ledger_table: str

    @property
    def archive(self) -> PolicyArchive:
        """As `Stores.archive`."""
        return PolicyArchive(self.client, self.ledger_table)

    @property
    def scans(self) -> Scans:
        """As `Stores.scans`."""
        facts = FactsToSweepTable(self.client, self.facts_table)
        return Scans(ScannedTables(self.client, self.tables, self.facts_table), facts)

    @property
    def without_fields(self) -> ScannedTables:
        """As `Stores.without_fields`."""
        return ScannedTables(self.client, self.tables, self.facts_table)

    @property
    def rebuilding(self) -> rebuild_facts.Ports:
        """As `Stores.rebuilding`."""
        ledger = LedgerTable(self.client, self.ledger_table)
        brake = BrakeWithEvidence(self.client, self.facts_table, ledger)
        return rebuild_facts.Ports(FactsToRebuildTable(self.client, self.facts_table), ledger, brake)

    def restored(self, table: str, real_name: str, policy: Policy) -> Restored:
        """As `Stores.restored`."""
        self._examine(table, real_name, policy)
        tables = {table: real_name}
        records = ScannedTables(self.client, tables, self.facts_table)
        ledger = LedgerTable(self.client, self.ledger_table)
        facts = ReplayedFacts(self.client, self.facts_table, ledger, tables)
        brake = FactsBrake(self.client, self.facts_table)
        return Restored(Scans(records, facts), ledger, replay.Ports(records, facts, ledger, brake))

    def _examine(self, table: str, real_name: str, policy: Policy) -> None:
        """Refuse what is not the restored table: its rules would be applied to other records."""
        if any(real == real_name and name != table for name, real in self.tables.items()):
            raise TroubleError(f"--as: that is another table of this stack, and not {table}.")
        described = self._describe(real_name)
        if described["TableStatus"] != "ACTIVE":
            raise TroubleError("--as: the table is not ready yet.", "Wait until it is restored.")
        types = {each["AttributeName"]: each["AttributeType"] for each in described["AttributeDefinitions"]}
        key = {each["AttributeName"]: types[each["AttributeName"]] for each in described["KeySchema"]}
        for rule in policy.rules_of(table):
            if {name: part.type for name, part in rule.key.items()} != key:
                raise TroubleError(
                    f"--as: the table has another key than {rule.id} names.", "Is it that table?"
                )

    def _describe(self, real_name: str) -> Mapping[str, Any]:
        try:
            with failures_of("DescribeTable"):
                return self.client.describe_table(TableName=real_name)["Table"]
        except CallFailedError as error:
            if error.code != "ResourceNotFoundException":
                raise
        raise TroubleError(
            "--as: there is no table of that name.", "Name the table that the backup was restored to."
        )
