"""A place to measure in: fresh tables on the local stack, records in them, clients as the functions have."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
from botocore.config import Config

from bench.units import item_size
from lapse.endpoint import Endpoint
from shared.aws import CLIENT_CONFIG
from shared.dynamodb import batch_put
from shared.instants import to_text
from shared.record import SHARDS, RecordRef

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

RETAIN = timedelta(days=90)
KEYS: Mapping[str, tuple[str, ...]] = {
    "shipments": ("shipment_id",),
    "contacts": ("contact_id",),
    "facts": ("record",),
    "due": ("shard", "sk"),
    "ledger": ("shard", "seq"),
}
_NUMBERS = {"seq"}
_serial = count(1)


@dataclass(frozen=True)
class Place:
    """Tables of its own, by their plain names, and a schedule group. `name` begins the names of all."""

    endpoint: Endpoint
    name: str

    def plain_dynamodb(self) -> "DynamoDBClient":
        """A new DynamoDB client as boto3 makes it, but for a connection for each thread."""
        config = Config(max_pool_connections=SHARDS)
        return self._session().client("dynamodb", endpoint_url=self.endpoint.url, config=config)

    def dynamodb(self) -> "DynamoDBClient":
        """A new DynamoDB client with the functions' settings."""
        return self._session().client("dynamodb", endpoint_url=self.endpoint.url, config=CLIENT_CONFIG)

    def scheduler(self) -> "EventBridgeSchedulerClient":
        """A new Scheduler client with the functions' settings."""
        return self._session().client("scheduler", endpoint_url=self.endpoint.url, config=CLIENT_CONFIG)

    def table(self, plain: str) -> str:
        """The real name of a table."""
        return f"{self.name}-{plain}"

    @property
    def keys(self) -> dict[str, tuple[str, ...]]:
        """The key attributes, by real table name."""
        return {self.table(plain): names for plain, names in KEYS.items()}

    def _session(self) -> boto3.Session:
        return boto3.Session(
            aws_access_key_id=self.endpoint.access_key,
            aws_secret_access_key=self.endpoint.secret_key,
            region_name=self.endpoint.region,
        )


@dataclass(frozen=True)
class Case:
    """A record and when it is due."""

    record: RecordRef
    item: Mapping[str, Any]
    due: datetime


def fresh_place(endpoint: Endpoint) -> Place:
    """Make the tables and the group."""
    place = Place(endpoint, f"bench{uuid4().hex[:8]}")
    dynamodb = place.dynamodb()
    for plain, names in KEYS.items():
        kinds: Any = [{"AttributeName": n, "AttributeType": "N" if n in _NUMBERS else "S"} for n in names]
        schema: Any = [
            {"AttributeName": name, "KeyType": kind}
            for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
        ]
        dynamodb.create_table(
            TableName=place.table(plain),
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=kinds,
            KeySchema=schema,
        )
    place.scheduler().create_schedule_group(Name=place.name)
    return place


def shipments(dues: Sequence[datetime], size: int) -> list[Case]:
    """Drop-shipped orders of that many bytes, which are due then."""
    return [_shipment(due, size) for due in dues]


def contacts(dues: Sequence[datetime], size: int) -> list[Case]:
    """Contacts of that many bytes, whose departure makes them due then."""
    return [_contact(due, size) for due in dues]


def store(place: Place, plain: str, cases: Sequence[Case]) -> None:
    """Write the records, as their business system would have done long ago."""
    batch_put(place.dynamodb(), place.table(plain), [each.item for each in cases])


def spread_over_an_hour(number: int, out_of: int) -> Iterator[datetime]:
    """Due instants at the pace of `out_of` records an hour, from a whole hour about a day ahead on.

    Ahead, so that no schedule of theirs fires while measuring.
    """
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    yield from (begin + timedelta(seconds=n * 3600 // out_of) for n in range(number))


def _shipment(due: datetime, size: int) -> Case:
    key = {"shipment_id": {"S": f"S-{next(_serial):09}"}}
    item = {
        **key,
        "drop_ship": {"BOOL": True},
        "shipped_at": {"S": to_text(due - RETAIN)},
        "name": {"S": "Jo Example"},
        "address": {"M": {"city": {"S": "Huddersfield"}}},
        "contact_number": {"S": "07700900123"},
        "email": {"S": "jo@example.org"},
    }
    return Case(RecordRef("Shipments", key), _padded(item, size), due)


def _contact(due: datetime, size: int) -> Case:
    key = {"contact_id": {"S": f"C-{next(_serial):09}"}}
    item = {
        **key,
        "name": {"S": "Jo Example"},
        "telephone": {"S": "07700900456"},
        "email": {"S": "jo@example.org"},
    }
    return Case(RecordRef("Contacts", key), _padded(item, size), due)


def _padded(item: dict[str, Any], size: int) -> dict[str, Any]:
    padded = item | {"order_lines": {"S": ""}}
    return padded | {"order_lines": {"S": "x" * (size - item_size(padded))}}
