"""One deployed stack of the demo: records and events go in, and what became of them is seen from outside."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

from lapse.demo_records import KEYS, ON_REQUEST, PERSONAL, Cohort, Event, Item, Malformed
from lapse.endpoint import Clients
from lapse.stack import StackError
from shared.ledger import verify
from shared.ledger_batch import entries_in
from shared.ledger_index import LedgerReader, partition
from shared.record import SHARDS

LONGEST_QUEUE_SECONDS = 90


@dataclass
class Demo:
    """One deployed stack with records, and what was seen of it."""

    title: str
    clients: Clients
    outputs: dict[str, str]
    cohorts: list[Cohort]
    malformed: list[Malformed]
    observing: bool

    def tables(self) -> dict[str, str]:
        """Logical table name to real one."""
        return {table: self.outputs[f"{table}TableName"] for table in KEYS}

    def put_records_and_send_events(self) -> None:
        """First the early events, then all records, then all other events, some twice and in disorder."""
        early = [event for cohort in self.cohorts for event in cohort.early_events]
        events = [event for cohort in self.cohorts for event in cohort.events]
        disorder = random.Random(11)  # noqa: S311 -- a shuffle, not a secret
        self._send([*early, *disorder.sample(early, len(early) // 5)])
        self._drained()
        for cohort in self.cohorts:
            requests: Any = [{"PutRequest": {"Item": item}} for item in cohort.items]
            for some in batched(requests, 25, strict=False):
                self.clients.dynamodb.batch_write_item(RequestItems={self.tables()[cohort.table]: some})
        sent = [*events, *disorder.sample(events, len(events) // 5), *(each.event for each in self.malformed)]
        disorder.shuffle(sent)
        self._send(sent)
        self._drained()

    def sweep(self) -> dict[str, Any]:
        """Have the records found that no event ever told of; what the sweep counted, by rule."""
        answer = self.clients.functions.invoke(
            FunctionName=self.outputs["SweepFunctionName"], Payload=b'{"v": 1, "cause": "manual"}'
        )
        summary: dict[str, Any] = json.loads(answer["Payload"].read())
        if answer.get("FunctionError") or not summary["finished"]:
            raise StackError("the sweep did not come to its end; see its log")
        counts: dict[str, Any] = summary["counts"]
        self._drained()
        return counts

    def erased(self) -> list[int]:
        """How many records of each cohort have lost their personal fields, and nothing else."""
        seen = {table: self._contents(table) for table in KEYS}
        return [
            sum(_is_erased(item, seen[cohort.table], cohort) for item in cohort.items)
            for cohort in self.cohorts
        ]

    def expected(self) -> list[int]:
        """How many of each cohort must be erased in the end."""
        must = [cohort.erased and not self.only_observed(cohort) for cohort in self.cohorts]
        return [len(cohort.items) if each else 0 for cohort, each in zip(self.cohorts, must, strict=True)]

    def only_observed(self, cohort: Cohort) -> bool:
        """Whether the rule that these records are due by only observes."""
        return self.observing and cohort.table == "Shipments" and not cohort.on_request

    def untouched(self) -> list[int]:
        """How many records of each cohort are as they were put, but for a hold mark of Lapse's own."""
        seen = {table: self._contents(table) for table in KEYS}
        return [
            sum(
                _unmarked(seen[cohort.table].get(item_key(item, cohort.table), {})) == item
                for item in cohort.items
            )
            for cohort in self.cohorts
        ]

    def marked(self) -> int:
        """How many records have a hold mark of Lapse's own."""
        return sum(_unmarked(item) != item for item in self._contents("Shipments").values())

    def evidence(self) -> list[dict[str, Any]]:
        """All ledger entries."""
        ledger = LedgerReader(self.clients.dynamodb, self.outputs["LedgerTableName"])
        batches = [batch for shard in range(SHARDS) for batch in ledger.batches(shard)]
        return [dict(kept.entry) for batch in batches for kept in entries_in(batch)]

    def broken_chains(self) -> int:
        """How many findings there are against the ledger's chains."""
        ledger = LedgerReader(self.clients.dynamodb, self.outputs["LedgerTableName"])
        return sum(len(list(verify(partition(shard), ledger.batches(shard)))) for shard in range(SHARDS))

    def must_have_evidence(self) -> dict[str, set[str]]:
        """The keys of the records that must have been erased, or observed, by outcome."""
        must: dict[str, set[str]] = {"erased": set(), "observed": set()}
        for cohort in self.cohorts:
            timed = cohort.events or cohort.early_events
            if cohort.erased and (timed or not self.only_observed(cohort)):  # the sweep only counts these
                outcome = "observed" if self.only_observed(cohort) else "erased"
                must[outcome] |= {item_key(item, cohort.table) for item in cohort.items}
        return must

    def settled(self) -> set[str]:
        """The keys of the records that have evidence of being erased, or observed."""
        outcomes = {"erased", "observed"}
        return {record_key(entry["record"]) for entry in self.evidence() if entry["outcome"] in outcomes}

    def timers(self) -> int:
        """How many timers stand."""
        return sum("rule" in row for row in self._scan(self.outputs["DueTableName"]))

    def wake_ups(self) -> list[str]:
        """The standing schedules, by name."""
        group = self.outputs["WakeUpGroupName"]
        return sorted(
            each["Name"] for each in self.clients.scheduler.list_schedules(GroupName=group)["Schedules"]
        )

    def dead_letters(self) -> Counter[str]:
        """Dead letters by reason; taken out of the queue."""
        reasons: Counter[str] = Counter()
        url = self.outputs["DeadLetterQueueUrl"]
        while messages := self.clients.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for message in messages:
                reasons[message["MessageAttributes"]["reason"]["StringValue"]] += 1
                self.clients.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return reasons

    def _drained(self) -> None:
        """Wait until the handlers' queues are empty."""
        names = [f"{self.title}-{queue}" for queue in ("shipments", "leavers", "disputes", "requests")]
        urls = [self.clients.sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in names]
        deadline = time.monotonic() + LONGEST_QUEUE_SECONDS
        while any(self._waiting(url) for url in urls):
            if time.monotonic() > deadline:
                raise StackError("the handlers do not empty their queues; see their logs")
            time.sleep(0.2)

    def _waiting(self, queue: str) -> bool:
        counts: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.clients.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=counts)[
            "Attributes"
        ]
        return any(int(number) for number in attributes.values())

    def _send(self, events: Sequence[Event]) -> None:
        bus = self.outputs["EventBusName"]
        for some in batched(events, 10, strict=False):
            entries: Any = [
                {
                    "EventBusName": bus,
                    "Source": e.source,
                    "DetailType": e.detail_type,
                    "Detail": json.dumps(e.detail),
                }
                for e in some
            ]
            answer = self.clients.events.put_events(Entries=entries)
            if answer["FailedEntryCount"]:
                raise StackError("the bus did not take all events")

    def _contents(self, table: str) -> dict[str, Item]:
        return {item_key(item, table): item for item in self._scan(self.tables()[table])}

    def _scan(self, table: str) -> Iterator[dict[str, Any]]:
        for page in self.clients.dynamodb.get_paginator("scan").paginate(
            TableName=table, ConsistentRead=True
        ):
            yield from page["Items"]


def _is_erased(item: Item, seen: dict[str, Item], cohort: Cohort) -> bool:
    """Whether the record is there, without its personal fields and otherwise exactly as it was put."""
    personal = (ON_REQUEST if cohort.on_request else PERSONAL)[cohort.table]
    without = {name: value for name, value in item.items() if name not in personal}
    return seen.get(item_key(item, cohort.table)) == without


def _unmarked(item: Item) -> Item:
    """The record without a hold mark of Lapse's own."""
    ours = item.get("legal_hold", {}).get("M", {}).get("by") == {"S": "lapse"}
    return {name: value for name, value in item.items() if not (ours and name == "legal_hold")}


def item_key(item: Item, table: str) -> str:
    """The key of a record, as the business system knows it."""
    key: str = item[KEYS[table]]["S"]
    return key


def record_key(record: str) -> str:
    """The key of a record that evidence refers to."""
    key: dict[str, dict[str, str]] = json.loads(record.partition("#")[2])
    return next(iter(key.values()))["S"]
