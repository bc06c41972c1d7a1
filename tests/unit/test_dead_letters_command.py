"""`lapse dead-letters`, as an operator types it; and the queues behind it, by moto and by a stand-in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lapse.controls import Redriven
from lapse.dead_letter_queues import StackDeadLetters
from lapse.trouble import TroubleError
from shared.failure import CallFailedError
from tests.answering import Client, failing
from tests.operators import DeadLetters, Operator

ARN = {"Attributes": {"QueueArn": "arn:aws:sqs:eu-west-1:000000000000:dead-letters"}}
FAILED = "no reason: failed 5 times (lapse-shipments)"
REFUSED = "refused: shipped_at: is missing"


@dataclass
class Queues:
    """The two queues and one source, on moto."""

    client: Any
    source: str
    url: str
    failures: str

    def adapter(self) -> StackDeadLetters:
        return StackDeadLetters(self.client, self.url, lambda: self.failures)

    def refuse(self, reason: str) -> None:
        self.client.send_message(
            QueueUrl=self.url,
            MessageBody="canary",
            MessageAttributes={"reason": {"DataType": "String", "StringValue": reason}},
        )

    def visible(self) -> list[dict[str, Any]]:
        asked = self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        messages: list[dict[str, Any]] = asked.get("Messages", [])
        return messages


@pytest.fixture
def queues() -> Iterator[Queues]:
    """Empty."""
    with mock_aws():
        client = boto3.client("sqs", "eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
        made = [client.create_queue(QueueName=name)["QueueUrl"] for name in ("source", "dead", "failures")]
        yield Queues(client, *made)


def test_messages_are_counted_by_reason_and_stay(queues: Queues) -> None:
    """Each once, in as many batches as it takes; and afterwards all are there for whoever looks next."""
    for _ in range(12):
        queues.refuse("shipped_at: is missing")
    queues.client.send_message(QueueUrl=queues.url, MessageBody="canary")
    advanced: list[int] = []
    found = queues.adapter().reasons(advanced.append)
    assert found == {REFUSED: 12, "no reason: failed 5 times": 1}
    assert "canary" not in repr(found)
    assert (sum(advanced), len(queues.visible()), queues.adapter().count()) == (13, 10, 13)


def test_a_message_that_somebody_looks_at_is_counted(queues: Queues) -> None:
    """It is out of sight for a while, and there all the same."""
    queues.refuse("shipped_at: is missing")
    queues.client.receive_message(QueueUrl=queues.url, VisibilityTimeout=60)
    assert (queues.visible(), queues.adapter().count()) == ([], 1)


def test_what_failed_is_counted_by_its_queue() -> None:
    """SQS says whence a message came that it moved itself."""
    moved = {
        "MessageId": "1",
        "ReceiptHandle": "r",
        "Attributes": {"DeadLetterQueueSourceArn": "arn:aws:sqs:eu-west-1:1:lapse-shipments"},
    }
    client = Client({"Messages": [moved]}, {"Messages": [moved]}, {})
    adapter = StackDeadLetters(client, "url", lambda: "")  # type: ignore[arg-type]
    assert adapter.reasons() == {FAILED: 1}
    assert client.operations == ["receive_message", "receive_message", "change_message_visibility_batch"]


def test_messages_are_shown_again_if_counting_fails(queues: Queues) -> None:
    """An interrupted look hides nothing."""
    queues.refuse("a: b")

    def fail(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        queues.adapter().reasons(fail)
    assert len(queues.visible()) == 1


def test_failures_are_counted_in_their_own_queue(queues: Queues) -> None:
    """Not among the dead letters."""
    queues.client.send_message(QueueUrl=queues.failures, MessageBody="canary")
    assert (queues.adapter().count(), queues.adapter().failures()) == (0, 1)


def test_a_redrive_is_sqs_own() -> None:
    """Without a destination: each message goes back to its queue."""
    client = Client(ARN, {"TaskHandle": "t"})
    StackDeadLetters(client, "url", lambda: "").redrive()  # type: ignore[arg-type]
    assert client.calls[-1] == {
        "operation": "start_message_move_task",
        "SourceArn": ARN["Attributes"]["QueueArn"],
    }


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("InvalidAction", "This SQS moves no messages (StartMessageMoveTask: InvalidAction)"),
        ("UnsupportedOperation", "SQS does not start a redrive now (UnsupportedOperation)."),
    ],
)
def test_a_redrive_that_is_not_begun_says_so(code: str, said: str) -> None:
    """An engine without move tasks, or one that is at it already."""
    adapter = StackDeadLetters(Client(ARN, failing(code)), "url", lambda: "")  # type: ignore[arg-type]
    with pytest.raises(TroubleError) as caught:
        adapter.redrive()
    assert caught.value.what.startswith(said)
    with pytest.raises(CallFailedError, match="AccessDenied"):
        StackDeadLetters(Client(ARN, failing("AccessDenied")), "url", lambda: "").redrive()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"Results": []}, None),
        (failing("InvalidAction"), None),
        (failing("AccessDenied"), None),
        (
            {"Results": [{"Status": "FAILED", "FailureReason": "CouldNotDetermineMessageSource"}]},
            Redriven("FAILED", 0, "CouldNotDetermineMessageSource"),
        ),
        (
            {"Results": [{"Status": "RUNNING", "ApproximateNumberOfMessagesMoved": 3}]},
            Redriven("RUNNING", 3),
        ),
    ],
)
def test_how_far_the_last_redrive_is(answer: Any, expected: Redriven | None) -> None:
    """If that can be known."""
    adapter = StackDeadLetters(Client(ARN, answer), "url", lambda: "")  # type: ignore[arg-type]
    assert adapter.last_redrive() == expected


@pytest.fixture
def operator() -> Operator:
    """Who has five dead letters and a failure."""
    return Operator(dead_letters=DeadLetters(5, {REFUSED: 2, FAILED: 3}, failed=1))


@pytest.mark.parametrize("option", [(), ("--reasons",)])
def test_reasons_are_shown_with_what_to_do(operator: Operator, option: tuple[str, ...]) -> None:
    """Most first; what was not looked at, and what cannot be redriven, is said."""
    operator.dead_letters.redriven = Redriven("FAILED", 2, "Odd")
    operator.dead_letters.messages = 6
    answer = operator.types("dead-letters", *option, columns=200)
    _, _, first, second, *_ = answer.out.splitlines()
    assert (answer.code, first.split()[-1], second.split()[-1]) == (0, "3", "2")
    for text in (
        *("6 dead letters.", "The reasons of about 1 were not looked at.", "mend the producer"),
        *("1 failure of rules, wake-ups", "The last redrive: failed (Odd), about 2 moved."),
    ):
        assert text in answer.said


def test_empty_queues_are_said_to_be() -> None:
    """In one line."""
    assert Operator().types("dead-letters").out == "0 dead letters.\n"


def test_reasons_for_programs(operator: Operator) -> None:
    """As one object, or as a list."""
    assert operator.types("dead-letters", "--json").json == {
        "dead_letters": 5,
        "reasons": {FAILED: 3, REFUSED: 2},
        "failures": 1,
        "last_redrive": None,
    }
    assert operator.types("dead-letters", "--csv").out.splitlines() == [
        "queue,reason,messages",
        f"dead letters,{FAILED},3",
        f"dead letters,{REFUSED},2",
        "failures,,1",
    ]


@pytest.mark.parametrize(("typed", "code", "redrives"), [("y\n", 0, 1), ("n\n", 1, 0), ("", 1, 0)])
def test_a_redrive_asks_first(operator: Operator, typed: str, code: int, redrives: int) -> None:
    """It says how many; and that of those that were refused SQS knows no queue."""
    answer = operator.types("dead-letters", "--redrive", answers=typed, columns=200)
    assert (answer.code, operator.dead_letters.redrives) == (code, redrives)
    assert "Redrive 3 messages that failed? 2 that were refused have no queue" in answer.err


def test_a_redrive_unasked(operator: Operator) -> None:
    """With --yes; what is printed for programs is one object. Without it a program is not asked."""
    assert operator.types("dead-letters", "--redrive", "--yes", "--json").json == {
        "started": True,
        "messages": 3,
        "refused": 2,
    }
    answer = operator.types("dead-letters", "--redrive", "--json")
    assert (answer.code, answer.json["error"], operator.dead_letters.redrives) == (
        1,
        "Nothing was redriven.",
        1,
    )


@pytest.mark.parametrize(
    ("by_reason", "said"), [({}, "no dead letters."), ({REFUSED: 2}, "2 refused messages")]
)
def test_nothing_to_redrive(by_reason: dict[str, int], said: str) -> None:
    """Then SQS is not bothered."""
    operator = Operator(dead_letters=DeadLetters(sum(by_reason.values()), by_reason))
    answer = operator.types("dead-letters", "--redrive", "--yes")
    assert (answer.code, said in answer.said, operator.dead_letters.redrives) == (0, True, 0)


def test_redrive_and_a_list_do_not_go_together(operator: Operator) -> None:
    """A wrong call, and nothing happens."""
    for option in ("--csv", "--reasons"):
        assert operator.types("dead-letters", "--redrive", "--yes", option).code == 2
    assert operator.dead_letters.redrives == 0
