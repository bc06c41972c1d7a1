"""The archive of policies: each text once, byte by byte, and which of them is deployed."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from shared.evidence import Entry, Outcome
from shared.failure import CallFailedError
from shared.ledger_table import LedgerTable
from shared.policy_archive import PolicyArchive
from tests.builders import NOW
from tests.worlds import make_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

SHIPPED = (Path(__file__).parents[2] / "shared" / "policy.toml").read_bytes()
OTHER = b'id = "T"\r\n# Aufbewahrung: \xc3\xa4hnlich lang, \xe2\x80\xa6\r\n'
HOUR = timedelta(hours=1)


def digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


@pytest.fixture
def dynamodb() -> "Iterator[DynamoDBClient]":
    with mock_aws():
        client = boto3.Session("test", "test", region_name="eu-west-1").client("dynamodb")
        make_table(client, "ledger", {"shard": "S", "seq": "N"})
        yield client


@pytest.fixture
def archive(dynamodb: "DynamoDBClient") -> PolicyArchive:
    return PolicyArchive(dynamodb, "ledger")


def rows(dynamodb: "DynamoDBClient") -> dict[str, dict[str, Any]]:
    return {str(row["shard"]["S"]): dict(row) for row in dynamodb.scan(TableName="ledger")["Items"]}


def test_nothing_was_published(archive: PolicyArchive) -> None:
    """There is no policy, and no text of any digest."""
    assert archive.deployed() is None
    assert archive.text_of(digest(SHIPPED)) is None


@pytest.mark.parametrize("text", [SHIPPED, OTHER, b""])
def test_a_text_comes_back_byte_by_byte(archive: PolicyArchive, text: bytes) -> None:
    """So its digest is the one that stands in the evidence."""
    assert archive.publish(text, NOW) == digest(text)
    assert archive.text_of(digest(text)) == text
    assert archive.deployed() == (digest(text), text)


def test_publishing_again_changes_nothing(archive: PolicyArchive, dynamodb: "DynamoDBClient") -> None:
    """Each new execution environment publishes: the rows stay as the first one wrote them."""
    archive.publish(SHIPPED, NOW)
    written = rows(dynamodb)
    archive.publish(SHIPPED, NOW + HOUR)
    archive.publish(SHIPPED, NOW - HOUR)
    assert rows(dynamodb) == written
    assert written["policy"]["since"] == {"S": "2026-08-25T10:15:00Z"}


def test_the_one_put_to_use_last_is_deployed(archive: PolicyArchive) -> None:
    """Whatever the order of writing; also to the fraction of a second, and also back to an earlier text."""
    archive.publish(SHIPPED, NOW + timedelta(seconds=0.5))
    archive.publish(OTHER, NOW)
    assert archive.deployed() == (digest(SHIPPED), SHIPPED)
    assert archive.text_of(digest(OTHER)) == OTHER
    archive.publish(OTHER, NOW + HOUR)
    assert archive.deployed() == (digest(OTHER), OTHER)
    archive.publish(SHIPPED, NOW + 2 * HOUR)
    assert archive.deployed() == (digest(SHIPPED), SHIPPED)


def test_a_text_that_was_changed_is_not_taken(archive: PolicyArchive, dynamodb: "DynamoDBClient") -> None:
    """Whoever edits the archive is found out; publishing does not write over it either."""
    archive.publish(SHIPPED, NOW)
    row = rows(dynamodb)[f"policy#{digest(SHIPPED)}"]
    dynamodb.put_item(TableName="ledger", Item={**row, "text": {"S": "max_hold = 1"}})
    archive.publish(SHIPPED, NOW + HOUR)
    with pytest.raises(CallFailedError, match="PolicyIsNotOfItsDigest"):
        archive.text_of(digest(SHIPPED))
    with pytest.raises(CallFailedError, match="PolicyIsNotOfItsDigest"):
        archive.deployed()


def test_a_text_that_was_removed_is_missed(archive: PolicyArchive, dynamodb: "DynamoDBClient") -> None:
    """That some policy is deployed is known; no other is taken for it."""
    archive.publish(SHIPPED, NOW)
    key = {"shard": {"S": f"policy#{digest(SHIPPED)}"}, "seq": {"N": "0"}}
    dynamodb.delete_item(TableName="ledger", Key=key)
    with pytest.raises(CallFailedError, match="PolicyIsMissing"):
        archive.deployed()


def test_a_failure_is_one(dynamodb: "DynamoDBClient") -> None:
    """Only a refused condition means that the row is there already."""
    with pytest.raises(CallFailedError, match="ResourceNotFoundException"):
        PolicyArchive(dynamodb, "no-such-table").publish(SHIPPED, NOW)


def test_the_chains_do_not_see_it(archive: PolicyArchive, dynamodb: "DynamoDBClient") -> None:
    """The archive is in the ledger's table and in none of its chains."""
    archive.publish(SHIPPED, NOW)
    ledger = LedgerTable(dynamodb, "ledger")
    ledger.append(0, [Entry(outcome=Outcome.PAUSED, at=NOW, cause="operator", policy=digest(SHIPPED))])
    assert [batch["seq"] for batch in ledger.batches(0)] == [1]
