"""A ledger from a real run on moto, as files; and what somebody may do to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from moto import mock_aws

from lapse.aws_seals import StackSeals
from lapse.demo_copy import Copy
from shared.facts import FactKind
from shared.instants import DAY
from shared.ledger_names import NamesOfLedger
from shared.record import RecordRef
from shared.seal_bucket import SealBucket, pem
from shared.seal_ledger import Pace, Ports, seal_ledger
from tests.builders import LONG_AGO, NOW, contact_ref, event, policy, shipment, shipment_ref, to_wire_text
from tests.operators import Operator
from tests.sealing import LocalKey
from tests.worlds import AwsBusiness, World, aws_world

POLICY = policy()
TOLD_LONG_AGO = NOW - POLICY.names_retain - 9 * DAY
CHAIN = shipment_ref().shard
RECORDS = list(
    islice((each for each in (shipment_ref(f"S-{n}") for n in count()) if each.shard == CHAIN), 10)
)
OLD = next(each for each in (contact_ref(f"C-{n}") for n in count()) if each.shard != CHAIN)
"""A contact whose departure was told so long ago that its name is dropped from the ledger."""
TOLD = next(each for each in (contact_ref(f"C-{n}") for n in count()) if each.shard not in {CHAIN, OLD.shard})
"""A contact who left, and came back: entries with details."""


@contextmanager
def run_and_sealed(key: LocalKey) -> Iterator[Operator]:
    """Four purges of one chain, the first three of them sealed, with an operator in front of it all."""
    session = boto3.Session("test", "test", region_name="eu-west-1")
    with mock_aws():
        world = aws_world(session.client("dynamodb"), session.client("scheduler"))
        s3: Any = session.client("s3")
        where = {"LocationConstraint": "eu-west-1"}
        s3.create_bucket(Bucket="seals", CreateBucketConfiguration=where)
        world.now = TOLD_LONG_AGO
        world.tell(OLD, FactKind.LEFT, TOLD_LONG_AGO)
        world.now = NOW
        world.tell(TOLD, FactKind.LEFT, LONG_AGO)
        world.tell(TOLD, FactKind.RETURNED, NOW)
        for day in range(4):
            world.now = NOW + day * DAY
            _erase(world, RECORDS[2 * day : 2 * day + 2])
            if day < 3:
                _seal(world, s3, key)
        operator: Any = Operator(now=world.now)
        operator.ledger = world.ledger
        operator.seals = StackSeals(s3, lambda: "seals")
        operator.facts = world.facts
        operator.stores = SimpleNamespace(without_fields=world.records)
        operator.world = world
        yield operator


def _erase(world: World, records: list[RecordRef]) -> None:
    for record in records:
        shipment_id = str(record.key["shipment_id"]["S"])
        world.business.put(record, shipment(shipment_id))
        detail = {"shipment_id": shipment_id, "shipped_at": to_wire_text(LONG_AGO)}
        world.take(event("ShipmentDispatched", detail, time=world.now), POLICY)
    world.now += timedelta(minutes=2)
    world.purge(POLICY)


def _seal(world: World, s3: Any, key: LocalKey) -> None:
    assert isinstance(world.business, AwsBusiness)
    ledger = NamesOfLedger(world.business.dynamodb, world.business.ledger_table)
    pace = Pace(clock=lambda: world.now, time_left=lambda: timedelta(minutes=15))
    report = seal_ledger(POLICY, Ports(ledger, SealBucket(s3, "seals"), key), pace, by_hand=True)
    assert (report.findings, report.failures) == ((), ())


@dataclass
class Files(Copy):
    """What an auditor is given, and the key that signed it."""

    key: LocalKey

    @classmethod
    def of(cls, directory: Path, key: LocalKey) -> "Files":
        """As the commands wrote them."""
        copy = Copy.read(directory / "ledger.jsonl", directory)
        return cls(copy.lines, copy.seals, key)

    def given(self, directory: Path) -> list[str]:
        """To a verifier, whose arguments they are."""
        self.write(directory / "ledger.jsonl", directory)
        (directory / "key.pem").write_text(pem(self.key.public()))
        options = ["--seals", str(directory), "--public-key", str(directory / "key.pem")]
        return [str(directory / "ledger.jsonl"), *options]
