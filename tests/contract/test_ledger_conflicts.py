"""A put of evidence that meets another's transaction: nothing is lost, nothing is kept twice. On moto."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from shared import ledger_table
from shared.evidence import Entry, Outcome
from shared.failure import CallFailedError
from shared.ledger import Head
from shared.ledger_batch import entries_in
from shared.ledger_index import LedgerReader
from shared.ledger_table import LedgerTable
from shared.record import RecordRef
from shared.tally import Count
from tests.builders import NOW, policy, shipment, shipment_ref, shipped
from tests.followed import followed
from tests.worlds import AwsBusiness, World, aws_world

POLICY = policy()
RECORD = shipment_ref()
OTHER = next(each for n in range(1000) if (each := shipment_ref(f"S-{n}")).shard == RECORD.shard)
TRIES = 10
MANY = [1, 2, TRIES - 1]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which take no time here."""
    taken: list[float] = []
    monkeypatch.setattr(ledger_table, "sleep", taken.append)
    return taken


@pytest.fixture
def world(session: boto3.Session) -> Iterator[World]:
    with mock_aws():
        yield aws_world(session.client("dynamodb"), session.client("scheduler"))


def amazon(world: World) -> AwsBusiness:
    assert isinstance(world.business, AwsBusiness)
    return world.business


@dataclass
class Conflicting:
    """A client whose puts into the ledger meet a transaction under way, so and so many times."""

    client: Any
    times: int
    after_conflict: Callable[[], object] = lambda: None
    after_look: Callable[[], object] = lambda: None
    puts: int = 0
    looks: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def put_item(self, **parameters: Any) -> Any:
        self.puts += 1
        if self.puts <= self.times:
            self.after_conflict()
            error: Any = {"Error": {"Code": "TransactionConflictException", "Message": "canary"}}
            raise ClientError(error, "PutItem")
        return self.client.put_item(**parameters)

    def get_item(self, **parameters: Any) -> Any:
        """How the writer looks who has the number that it wanted."""
        answer = self.client.get_item(**parameters)
        self.looks += 1
        if self.looks == 1:
            self.after_look()
        return answer


def writer(world: World, times: int) -> tuple[LedgerTable, Conflicting]:
    client: Any = Conflicting(amazon(world).dynamodb, times)
    return LedgerTable(client, amazon(world).ledger_table), client


def about(*records: RecordRef, outcome: Outcome = Outcome.ERASED) -> list[Entry]:
    entry = Entry(outcome=outcome, at=NOW, cause="manual", policy="d" * 64, rule="delivery-contact", due=NOW)
    return [replace(entry, record=record.text) for record in records]


def kept(world: World, record: RecordRef = RECORD) -> list[list[tuple[str, str]]]:
    """The batches of a sound chain, in order: record and outcome."""
    reader = LedgerReader(amazon(world).dynamodb, amazon(world).ledger_table)
    batches = list(reader.batches(record.shard))
    assert followed(f"{record.shard:02}", batches, Head(*reader.end(record.shard))) == []
    entries = [[each.entry for each in entries_in(batch)] for batch in batches]
    return [[(each["record"], each["outcome"]) for each in batch] for batch in entries]


@pytest.mark.parametrize("times", MANY)
def test_a_conflict_costs_no_evidence(world: World, times: int, pauses: list[float]) -> None:
    """The transaction came to nothing, and the number is free: the same batch, once, in its place."""
    ledger, client = writer(world, times)
    ledger.append(RECORD.shard, about(RECORD, OTHER))
    ledger.append(RECORD.shard, about(OTHER, outcome=Outcome.ALREADY_ABSENT))
    assert kept(world) == [
        [(RECORD.text, "erased"), (OTHER.text, "erased")],
        [(OTHER.text, "already_absent")],
    ]
    assert (client.puts, len(pauses)) == (times + 2, times)
    assert [(each.seq, each.position) for each in ledger.entries_of(OTHER)] == [(1, 1), (2, 0)]


@pytest.mark.parametrize("moment", ["before the look", "after the look"])
def test_a_conflict_with_a_transaction_that_commits(world: World, moment: str) -> None:
    """The other's batch has the number, and tells of the same record: this one follows it."""
    ledger, client = writer(world, 1)
    others = LedgerTable(amazon(world).dynamodb, amazon(world).ledger_table)

    def commit() -> None:
        writes: Any = others.writes(RECORD.shard, about(RECORD, outcome=Outcome.HOLD_PLACED))
        client.client.transact_write_items(TransactItems=writes)

    others.open(RECORD.shard)
    if moment == "before the look":
        client.after_conflict = commit
    else:
        client.after_look = commit
    ledger.append(RECORD.shard, about(RECORD, OTHER))
    assert kept(world) == [
        [(RECORD.text, "hold_placed")],
        [(RECORD.text, "erased"), (OTHER.text, "erased")],
    ]
    assert [each.seq for each in ledger.entries_of(RECORD)] == [1, 2]
    assert [each.seq for each in ledger.entries_of(OTHER)] == [2]
    assert ledger.has_erased(OTHER, "delivery-contact")


def test_a_conflict_that_never_ends_is_told(world: World, pauses: list[float]) -> None:
    """After ten tries, with pauses between; nothing stands there, and a later batch takes the number."""
    ledger, client = writer(world, TRIES)
    with pytest.raises(CallFailedError, match="^append: Contended$"):
        ledger.append(RECORD.shard, about(RECORD))
    assert (client.puts, len(pauses), kept(world)) == (TRIES, TRIES - 1, [])
    ledger.append(RECORD.shard, about(OTHER))
    assert kept(world) == [[(OTHER.text, "erased")]]


@pytest.mark.parametrize("times", MANY)
def test_a_purge_that_meets_conflicts_keeps_its_evidence(world: World, times: int) -> None:
    """Erased, written down once, and the timers are gone: the next run has nothing to do."""
    for record in (RECORD, OTHER):
        name = record.key["shipment_id"]["S"]
        world.business.put(record, shipment(name))
        world.take(shipped(name), POLICY)
    world.ledger, _ = writer(world, times)
    before = kept(world)
    report = world.purge(POLICY)
    report.raise_failures()
    assert report.tally.counts[Count.ERASED] == 2
    (batch,) = kept(world)[len(before) :]
    assert sorted(batch) == sorted([(RECORD.text, "erased"), (OTHER.text, "erased")])
    assert world.standing() == []
    world.now += timedelta(minutes=5)
    assert world.purge(POLICY).tally.counts[Count.ERASED] == 0
    assert len(kept(world)) == len(before) + 1
