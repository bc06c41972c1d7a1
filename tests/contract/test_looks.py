"""What people look at, on real tables: counted timers, and copies that AWS tells of."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from lapse.aws_inspection import AwsInspection
from lapse.copies import InspectedCopies, TableCopies, recovery_days
from shared.due_table import DueTable
from shared.failure import CallFailedError
from shared.timer import Timer
from tests.answering import Client, failing
from tests.builders import NOW, shipment_ref
from tests.memory import MemoryTimers
from tests.worlds import World

SECOND = timedelta(seconds=1)


def test_timers_are_counted_between_two_instants(world: World) -> None:
    """Behind the one, up to and including the other; whole seconds, since a timer's key has no others."""
    names = [f"S-{number}" for number in range(40)]
    records = [shipment_ref(name) for name in names if shipment_ref(name).shard == shipment_ref("S-0").shard]
    shard, timers = records[0].shard, world.timers
    assert isinstance(timers, DueTable | MemoryTimers)
    timers.put([Timer(each, "r", NOW + SECOND, NOW) for each in records])
    timers.put([Timer(records[0], "r", NOW + 3 * SECOND, NOW)])
    assert timers.count(shard, NOW, NOW + SECOND) == len(records)
    assert timers.count(shard, NOW, NOW + 2.5 * SECOND) == len(records)
    assert timers.count(shard, NOW + SECOND, NOW + 3 * SECOND) == 1
    assert timers.count(shard, NOW + 3 * SECOND, NOW + 9 * SECOND) == 0
    assert timers.count((shard + 1) % 16, NOW, NOW + SECOND) == 0


def test_counts_go_on_over_pages() -> None:
    """DynamoDB counts a megabyte at a time."""
    client: Any = Client({"Count": 7, "LastEvaluatedKey": {"sk": {"S": "x"}}}, {"Count": 5})
    assert DueTable(client, "due").count(3, NOW, NOW + SECOND) == 12


@pytest.fixture
def tables() -> Iterator[Any]:
    """Two business tables: one that nothing copies, and one that is copied in all ways."""
    with mock_aws():
        client = boto3.client(
            "dynamodb", region_name="eu-west-1", aws_access_key_id="t", aws_secret_access_key="t"
        )
        for name, streams in (("plain", {}), ("copied", {"StreamSpecification": IMAGES})):
            client.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                **streams,
            )
        client.update_continuous_backups(
            TableName="copied", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        yield client


IMAGES: Any = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def copies_of(client: Any, tables: Mapping[str, str]) -> Sequence[TableCopies]:
    """As a report shows them."""
    no_other_service: Any = None
    return InspectedCopies(AwsInspection(client, no_other_service, Config()), tables).of_tables()


def test_copies_are_told_of(tables: Any) -> None:
    """How far recovery reaches back, and whether a stream carries what was erased."""
    assert copies_of(tables, {"Orders": "copied", "Contacts": "plain", "Gone": "gone"}) == [
        TableCopies("Contacts", 0, streams=False),
        TableCopies("Gone", None, streams=None),
        TableCopies("Orders", 35, streams=True),
    ]


def described(**changes: Any) -> Mapping[str, Any]:
    """A table."""
    return {"Table": {"TableName": "o", "TableArn": "arn", **changes}}


def test_what_may_not_be_asked_is_unknown() -> None:
    """Without the permission a report says so; any other failure is one."""
    tables = {"Orders": "o"}
    assert copies_of(Client(failing("AccessDeniedException")), tables) == [TableCopies("Orders")]
    half = Client(described(), failing("AccessDeniedException"))
    assert copies_of(half, tables) == [TableCopies("Orders", None, streams=False)]
    for throttled in (
        Client(failing("ThrottlingException")),
        Client(described(), failing("ThrottlingException")),
    ):
        with pytest.raises(CallFailedError):
            copies_of(throttled, tables)


def test_a_stream_of_keys_copies_nothing() -> None:
    """Nor one of new images: what was erased is not in them. Recovery may reach back fewer days."""
    recovery = {"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 7}
    backups = {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}}
    stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    client = Client(described(StreamSpecification=stream), backups)
    assert copies_of(client, {"Orders": "o"}) == [TableCopies("Orders", 7, streams=False)]


def test_recovery_that_tells_no_days_reaches_back_35() -> None:
    """That is DynamoDB's own period, and the longest."""
    recovery = {"PointInTimeRecoveryStatus": "ENABLED"}
    assert recovery_days({"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}}) == 35
