"""`make demo`: events of shipments and leavers lead to erased fields, on the real template, locally.

Exits with 0 only if each record was seen to end as it must.
"""

import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lapse import artifact, project, stack
from lapse.demo_records import KEYS, PERSONAL, Cohort, Event, Item, Maker, Malformed
from lapse.deployment import deploy_with_sam
from lapse.endpoint import Clients

LONGEST_WAIT = timedelta(seconds=170)
console = Console(width=100)


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

    def erased(self) -> list[int]:
        """How many records of each cohort have lost their personal fields, and nothing else."""
        seen = {table: self._contents(table) for table in KEYS}
        return [
            sum(_is_erased(item, seen[cohort.table], cohort.table) for item in cohort.items)
            for cohort in self.cohorts
        ]

    def expected(self) -> list[int]:
        """How many of each cohort must be erased in the end."""
        must = [
            cohort.erased and not (self.observing and cohort.table == "Shipments") for cohort in self.cohorts
        ]
        return [len(cohort.items) if each else 0 for cohort, each in zip(self.cohorts, must, strict=True)]

    def untouched(self) -> list[int]:
        """How many records of each cohort are exactly as they were put."""
        seen = {table: self._contents(table) for table in KEYS}
        return [
            sum(seen[cohort.table].get(_key(item, cohort.table)) == item for item in cohort.items)
            for cohort in self.cohorts
        ]

    def evidence(self) -> list[dict[str, Any]]:
        """All ledger entries."""
        batches = self._scan(self.outputs["LedgerTableName"])
        return [entry for batch in batches for entry in json.loads(batch["entries"]["S"])]

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
        names = [f"{self.title}-shipments", f"{self.title}-leavers"]
        urls = [self.clients.sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in names]
        while any(self._waiting(url) for url in urls):
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
                raise stack.StackError("the bus did not take all events")

    def _contents(self, table: str) -> dict[str, Item]:
        return {_key(item, table): item for item in self._scan(self.tables()[table])}

    def _scan(self, table: str) -> Iterator[dict[str, Any]]:
        for page in self.clients.dynamodb.get_paginator("scan").paginate(
            TableName=table, ConsistentRead=True
        ):
            yield from page["Items"]


def main() -> int:
    """Show it all; 0 if all was seen."""
    started = time.monotonic()
    with stack.running() as running:
        enforcing = _deployed(running, "lapse", observe=False)
        enforcing.put_records_and_send_events()
        _show_standing(enforcing)
        observing = _deployed(running, "lapse-observe", observe=True)
        observing.put_records_and_send_events()
        for demo in (enforcing, observing):
            _wait(demo)
        good = [_show_result(demo) for demo in (enforcing, observing)]
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    verdict = (
        "[green]Seen as expected.[/]" if all(good) else "[red]NOT as expected: see the rows marked ✗.[/]"
    )
    console.print(f"\n{verdict}  ({minutes} min {seconds} s; the local stack is stopped again)")
    return 0 if all(good) else 1


def _deployed(running: stack.Stack, name: str, *, observe: bool) -> Demo:
    """Build with SAM CLI, with the policy chosen, and deploy with SAM CLI."""
    mode = "delivery-contact only observes" if observe else "both rules enforce"
    with tempfile.TemporaryDirectory() as directory:
        policy = None
        if observe:
            policy = Path(directory) / "policy.toml"
            shipped = (project.ROOT / "shared" / "policy.toml").read_text()
            policy.write_text(shipped.replace('mode = "enforce"', 'mode = "observe"', 1))
        with console.status(f"[bold]{name}[/]: sam build ({mode})"):
            built = artifact.build(policy)
        with console.status(f"[bold]{name}[/]: sam deploy"):
            outputs = deploy_with_sam(running, built, name=name, parameters={"NamePrefix": name}, quiet=True)
    console.print(f"[bold]{name}[/]: built and deployed with SAM CLI ({mode})")
    maker = Maker(datetime.now(UTC).replace(microsecond=0))
    return Demo(name, running.clients, outputs, maker.cohorts(), maker.malformed(), observe)


def _show_standing(demo: Demo) -> None:
    """What the events became."""
    names = demo.wake_ups()
    events = sum(len(cohort.events) + len(cohort.early_events) for cohort in demo.cohorts)
    console.print(f"{events} events, some twice, became {demo.timers()} timers and {len(names)} wake-ups:")
    console.print(f"  {', '.join(names[:3])}, …, {names[-1]}", highlight=False)


def _wait(demo: Demo) -> None:
    """Wait for real wake-ups to fire, until all that must be erased is, or the time is up."""
    expected = sum(demo.expected())
    deadline = time.monotonic() + LONGEST_WAIT.total_seconds()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(f"{demo.title}: erased by wake-ups", total=expected)
        while not progress.finished and time.monotonic() < deadline:
            progress.update(bar, completed=sum(demo.erased()))
            time.sleep(1)


def _show_result(demo: Demo) -> bool:
    """The closing table; whether expected equals seen."""
    entries = demo.evidence()
    erased, untouched, expected = demo.erased(), demo.untouched(), demo.expected()
    table = Table(title=f"{demo.title}: what became of the records (seen / expected)", title_justify="left")
    for heading in ("table", "class"):
        table.add_column(heading)
    for heading in ("erased", "untouched", "due → erased", "at most", ""):
        table.add_column(heading, justify="right")
    good = True
    for cohort, gone, kept, must in zip(demo.cohorts, erased, untouched, expected, strict=True):
        must_stay = len(cohort.items) - must
        as_expected = gone == must and kept == must_stay
        good = good and as_expected
        lags = _lags(cohort, entries) if "two minutes" in cohort.name and gone else []
        lag = (f"{median(lags):.0f} s", f"{max(lags):.0f} s") if lags else ("", "")
        counts = (f"{gone} / {must}", f"{kept} / {must_stay}")
        table.add_row(cohort.table, cohort.name, *counts, *lag, _mark(good=as_expected))
    console.print(table)
    return _show_evidence(demo, entries) & _show_dead_letters(demo) & good


def _show_evidence(demo: Demo, entries: Iterable[dict[str, Any]]) -> bool:
    """Whether exactly the right records have evidence of their erasure, or of being observed."""
    seen: dict[str, set[str]] = {}
    for entry in entries:
        seen.setdefault(entry["outcome"], set()).add(_key_of(entry["record"]))
    must: dict[str, set[str]] = {"erased": set(), "observed": set()}
    for cohort in demo.cohorts:
        outcome = "observed" if demo.observing and cohort.table == "Shipments" else "erased"
        must[outcome] |= {_key(item, cohort.table) for item in cohort.items if cohort.erased}
    good = all(seen.get(outcome, set()) == records for outcome, records in must.items())
    counts = ", ".join(f"{outcome} {len(records)}" for outcome, records in sorted(seen.items()))
    wanted = ", ".join(f"{outcome} {len(records)}" for outcome, records in must.items())
    console.print(f"records with evidence: {counts}; expected: {wanted}", _mark(good=good), highlight=False)
    return good


def _show_dead_letters(demo: Demo) -> bool:
    """Dead letters by reason, against the malformed events that were sent."""
    must, seen = Counter(each.reason for each in demo.malformed), demo.dead_letters()
    table = Table(title=f"{demo.title}: dead letters by reason", title_justify="left")
    table.add_column("reason")
    for heading in ("expected", "seen", ""):
        table.add_column(heading, justify="right")
    for reason in sorted(must | seen):
        counts = (str(must[reason]), str(seen[reason]))
        table.add_row(reason, *counts, _mark(good=must[reason] == seen[reason]))
    console.print(table)
    return must == seen


def _mark(*, good: bool) -> str:
    return "[green]✓[/]" if good else "[red]✗[/]"


def _lags(cohort: Cohort, entries: Iterable[dict[str, Any]]) -> list[float]:
    """Seconds between due and erased, by the evidence."""
    keys = {_key(item, cohort.table) for item in cohort.items}
    return [
        (datetime.fromisoformat(entry["at"]) - datetime.fromisoformat(entry["due"])).total_seconds()
        for entry in entries
        if entry["outcome"] == "erased" and _key_of(entry["record"]) in keys
    ]


def _is_erased(item: Item, seen: dict[str, Item], table: str) -> bool:
    """Whether the record is there, without its personal fields and otherwise exactly as it was put."""
    without = {name: value for name, value in item.items() if name not in PERSONAL[table]}
    return seen.get(_key(item, table)) == without


def _key(item: Item, table: str) -> str:
    key: str = item[KEYS[table]]["S"]
    return key


def _key_of(record: str) -> str:
    key: dict[str, dict[str, str]] = json.loads(record.partition("#")[2])
    return next(iter(key.values()))["S"]


if __name__ == "__main__":
    sys.exit(main())
