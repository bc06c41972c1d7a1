"""A ledger from a real run on moto, as files; and what somebody may do to them."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from moto import mock_aws

from lapse.aws_seals import StackSeals
from shared.facts import FactKind
from shared.instants import DAY
from shared.ledger_names import NamesOfLedger
from shared.record import RecordRef
from shared.seal import Seal, opened, read_body, sealed
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
class Files:
    """What an auditor is given: the lines of an export, seals by number, and whom they trust."""

    lines: list[str]
    seals: dict[int, str]
    key: LocalKey

    @classmethod
    def read(cls, directory: Path, key: LocalKey) -> "Files":
        """From where the commands put them."""
        seals = {int(each.stem): each.read_text() for each in (directory / "seals").glob("*.json")}
        return cls((directory / "ledger.jsonl").read_text().splitlines(), seals, key)

    def write(self, directory: Path) -> list[str]:
        """For a verifier, whose arguments they are."""
        (directory / "seals").mkdir(parents=True)
        (directory / "ledger.jsonl").write_text("".join(f"{line}\n" for line in self.lines))
        for number, text in self.seals.items():
            (directory / "seals" / f"{number:010}.json").write_text(text)
        (directory / "key.pem").write_text(pem(self.key.public()))
        options = ["--seals", str(directory), "--public-key", str(directory / "key.pem")]
        return [str(directory / "ledger.jsonl"), *options]

    def place(self, seq: int) -> int:
        """The line of a batch of the chain."""
        return next(n for n, line in enumerate(self.lines) if f'"shard": "{CHAIN:02}", "seq": {seq},' in line)

    def batch(self, seq: int) -> dict[str, Any]:
        """A batch of the chain."""
        read: dict[str, Any] = json.loads(self.lines[self.place(seq)])
        return read

    def put(self, seq: int, /, **changes: Any) -> None:
        """Other values in a batch."""
        self.lines[self.place(seq)] = json.dumps(self.batch(seq) | changes)

    def edit(self, seq: int, change: Callable[[dict[str, Any]], object]) -> None:
        """Another body for a batch, and the hash that it would have."""
        body = json.loads(self.batch(seq)["body"])
        change(body)
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        self.put(seq, body=text, hash=sha256(text))

    def chain_anew(self, since: int) -> None:
        """Chain what follows a batch to what it is now, to the end: as one would who can write the ledger."""
        for seq in range(since + 1, 5):
            self.follow(seq, self.batch(seq - 1)["hash"])

    def follow(self, seq: int, before: str) -> None:
        """Chain a batch to another."""
        self.put(seq, prev=before)
        self.edit(seq, lambda body: body.update(prev=before))

    def seal(self, number: int) -> Seal:
        """What a seal says."""
        return read_body(opened(self.seals[number])[0])

    def forge(self, number: int, key: LocalKey, seal: Seal | None = None, /, **changes: Any) -> None:
        """A seal of that number, signed by this key."""
        forged = replace(seal or self.seal(number), **changes)
        self.seals[number] = sealed(forged.body, key.sign(forged.digest))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def names_changed(files: Files, seq: int, change: Callable[[list[Any]], object]) -> None:
    """Other names in a batch."""
    names = json.loads(files.batch(seq)["names"])
    change(names)
    files.put(seq, names=json.dumps(names, separators=(",", ":")))


def resigned(files: Files, number: int) -> None:
    """A signature with one bit changed."""
    body, signature = opened(files.seals[number])
    written = {
        "body": body,
        "signature": base64.b64encode(signature[:-1] + bytes([signature[-1] ^ 1])).decode(),
    }
    files.seals[number] = json.dumps(written)
