"""All functions' real handlers, deployed on moto, on a clock that only moves when told."""

import importlib
import io
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any, Self
from unittest.mock import patch
from uuid import uuid4

import boto3
from moto import mock_aws

from shared.correct_fact import Correction
from shared.failure import CallFailedError
from shared.policy import Policy
from shared.record import RecordRef
from tests.builders import NOW
from tests.machine.clients import Client, Troubles
from tests.machine.operations import Item
from tests.misbehaving import Crash
from tests.worlds import AwsBusiness, World, aws_world

ACCOUNT = "123456789012"
WORKERS = {
    "ShipmentDispatched": "on_shipment",
    "ContactLeft": "on_leaver",
    "ContactReturned": "on_leaver",
    "DisputeOpened": "on_dispute",
    "DisputeClosed": "on_dispute",
    "HoldMarkOutdated": "on_dispute",
    "ErasureRequested": "on_erasure_request",
}
MOST_RECEIVES = 5

type Event = Mapping[str, Any]


class Context:
    """What Lambda tells a function about itself."""

    function_name = "lapse"
    memory_limit_in_mb = 512
    invoked_function_arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:lapse-purge"
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


class InTurn:
    """A pool whose workers work one after the other, so that a run can be repeated."""

    def __init__(self, _workers: int) -> None:
        self.map = map

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


@dataclass
class Deployed:
    """The hands on a deployed Lapse. What failed waits in its queue."""

    world: World
    business: AwsBusiness
    troubles: Troubles
    sqs: Any
    queues: Mapping[str, str]
    policy: Policy
    now: datetime = NOW
    output: io.StringIO = field(default_factory=io.StringIO)
    waiting: list[tuple[Event, int]] = field(default_factory=list)
    """Messages that are to come again, with how often they came."""
    dead: list[Event] = field(default_factory=list)
    """What came too often."""
    failed: bool = False
    """Whether the last operation failed, in part or whole."""
    sent: list[Event] = field(default_factory=list)
    """What was ever put into a queue."""
    modules: dict[str, ModuleType] = field(default_factory=dict)

    # --- the business system -------------------------------------------------------------------------------

    def put(self, record: RecordRef, item: Item | None) -> None:
        if item is None:
            self.business.delete(record)
        else:
            self.business.put(record, item)

    def get(self, record: RecordRef) -> Item | None:
        return self.business.get(record)

    # --- events --------------------------------------------------------------------------------------------

    def deliver(self, events: Sequence[Event]) -> None:
        """Function by function, each as a batch; what fails comes again, and too often is dead."""
        self.sent += events
        self._work([(event, 0) for event in events])

    def redeliver(self) -> None:
        """All that waits comes again."""
        waiting, self.waiting = self.waiting, []
        self._work(waiting)

    def _work(self, messages: Sequence[tuple[Event, int]]) -> None:
        for name in dict.fromkeys(WORKERS[each["detail-type"]] for each, _ in messages):
            mine = [(each, times + 1) for each, times in messages if WORKERS[each["detail-type"]] == name]
            bodies = [{"messageId": str(n), "body": json.dumps(each)} for n, (each, _) in enumerate(mine)]
            answer = self._invoke(name, {"Records": bodies})
            failed = (
                range(len(mine)) if answer is None
                else [int(each["itemIdentifier"]) for each in answer["batchItemFailures"]]
            )  # fmt: skip
            self.failed |= bool(failed)
            for number in failed:
                event, times = mine[number]
                if times >= MOST_RECEIVES:
                    self.dead.append(event)
                else:
                    self.waiting.append((event, times))

    def relay(self, foreign: Event) -> list[Event]:
        """A partner's event comes; Lambda tries again what fails. What it became comes out of the bus."""
        while self._invoke("on_source", foreign) is None:
            self.troubles.begin({})
        return self.read("contract")

    def dead_letters(self) -> list[tuple[str, str]]:
        """Body and reason of each refused message that nobody asked for yet."""
        messages = self._messages("dead-letters")
        return [(m["Body"], m["MessageAttributes"]["reason"]["StringValue"]) for m in messages]

    def read(self, queue: str) -> list[Event]:
        """What came out of the bus, and nobody asked for yet."""
        return [json.loads(each["Body"]) for each in self._messages(queue)]

    def _messages(self, queue: str) -> Iterator[Any]:
        while messages := self.sqs.receive_message(
            QueueUrl=self.queues[queue], MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            yield from messages
            for each in messages:
                self.sqs.delete_message(QueueUrl=self.queues[queue], ReceiptHandle=each["ReceiptHandle"])

    # --- operators and runs --------------------------------------------------------------------------------

    def correct(self, record: RecordRef, correction: Correction) -> None:
        self._operate(lambda: self.world.correct(record, correction, self.policy))

    def pause(self, until: datetime | None) -> None:
        self._operate(
            lambda: self.world.pause(until, self.policy) if until else self.world.resume(self.policy)
        )

    def deploy(self, policy: Policy) -> None:
        """Another policy, in the artifact of all functions."""
        self.policy = policy
        self.modules.clear()

    def purge(self, cause: str = "recurring") -> None:
        self.failed |= self._invoke("purge_scheduler", {"cause": cause}) is None

    def sweep(self, cause: str = "") -> None:
        self.failed |= self._invoke("sweep", {"cause": cause}) is None

    def _operate(self, command: Callable[[], object]) -> None:
        self.world.now = self.now
        command()

    def _invoke(self, name: str, event: Event) -> Any:
        """What a function answers; none if it failed. One that crashed starts cold the next time."""
        with redirect_stdout(self.output), redirect_stderr(self.output), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "No application metrics")  # of a function that crashed
            try:
                if name not in self.modules:
                    self.modules[name] = self._cold_start(name)
                return self.modules[name].handler(event, Context())
            except Crash:
                del self.modules[name]
            except (CallFailedError, ExceptionGroup) as error:
                self.output.write(f"{error!r} {error}")
        return None

    def _cold_start(self, name: str) -> ModuleType:
        module = importlib.reload(importlib.import_module(f"functions.{name}.app"))
        stand_ins: dict[str, object] = {
            "clock": lambda: self.now,
            "time": SimpleNamespace(sleep=self._sleep),
            "ThreadPoolExecutor": InTurn,
            "datetime": SimpleNamespace(now=lambda _zone: self.now),
        }
        for attribute, stand_in in stand_ins.items():
            if attribute in vars(module):
                setattr(module, attribute, stand_in)
        return module

    def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@contextmanager
def deployed(policy: Policy) -> Iterator[Deployed]:
    """Tables, queues, bus and environment as the template makes them."""
    with mock_aws(), patch.dict("os.environ", {"AWS_DEFAULT_REGION": "eu-west-1"}):
        boto3.setup_default_session()
        make, troubles = boto3.client, Troubles()
        world = aws_world(make("dynamodb"), make("scheduler"))
        business, sqs = world.business, make("sqs")
        assert isinstance(business, AwsBusiness)
        queues = {
            name: sqs.create_queue(QueueName=name)["QueueUrl"]
            for name in ("dead-letters", "news", "contract")
        }
        _make_bus(queues)
        deployment = Deployed(world, business, troubles, sqs, queues, policy)

        def client(*args: Any, **options: Any) -> Client:
            options.pop("config", None)  # its retries would hide what is to be met
            return Client(make(*args, **options), troubles)

        with (
            patch.dict("os.environ", _settings(business, queues["dead-letters"])),
            patch("boto3.client", client),
            patch("shared.config.deployed_policy", lambda: deployment.policy),
            patch("shared.queue_handler.clock", lambda: deployment.now),
            patch("shared.wiring.clock", lambda: deployment.now),
            patch("shared.aws.sleep", lambda _: None),
            patch("shared.ledger_table.sleep", lambda _: None),
        ):
            yield deployment


def _make_bus(queues: Mapping[str, str]) -> None:
    events = boto3.client("events")
    events.create_event_bus(Name="lapse")
    for queue, sources in (("news", ["lapse"]), ("contract", ["orders", "crm"])):
        events.put_rule(Name=queue, EventBusName="lapse", EventPattern=json.dumps({"source": sources}))
        arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{queues[queue].rpartition('/')[2]}"
        events.put_targets(Rule=queue, EventBusName="lapse", Targets=[{"Id": queue, "Arn": arn}])


def _settings(business: AwsBusiness, dead_letters: str) -> dict[str, str]:
    return {
        "POWERTOOLS_SERVICE_NAME": uuid4().hex,  # a logger is kept by name, with its output
        "POWERTOOLS_METRICS_NAMESPACE": "Lapse",
        "TABLES": ",".join(f"{logical}={real}" for logical, real in business.tables.items()),
        "FACTS_TABLE": business.facts_table,
        "DUE_TABLE": business.due_table,
        "LEDGER_TABLE": business.ledger_table,
        "WAKE_UP_GROUP": business.group,
        "WAKE_UP_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/wake-up",
        "FAILURE_QUEUE_ARN": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:failures",
        "PURGE_FUNCTION_ARN": Context.invoked_function_arn,
        "DEAD_LETTER_QUEUE_URL": dead_letters,
        "EVENT_BUS_NAME": "lapse",
        "SWEEP_UNITS_PER_SECOND": "0",
    }
