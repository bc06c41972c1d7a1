"""What the emulators never do: unprocessed keys, throttled transactions, odd answers, lost answers."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from shared import aws, ledger_table
from shared.brake import FactsBrake
from shared.business_tables import BusinessTables
from shared.due_table import DueTable
from shared.dynamodb import batch_get, batch_put
from shared.evidence import Entry, Outcome
from shared.facts import Facts
from shared.facts_table import FactsWithEvidence
from shared.failure import CallFailedError
from shared.hold_mark import MarkChange
from shared.ledger_table import LedgerTable
from shared.pausing import Pause
from shared.record import Path, RecordRef, View, WireValue
from shared.scheduler import SchedulerWakeUps
from shared.timer import Timer
from tests.answering import Client, failing
from tests.builders import LONG_AGO, delivery_rule, shipment_ref, to_wire_text

RULE = delivery_rule(erase=(("email",), ("delivery", "phone")))
SEEN: dict[Path, WireValue] = {("drop_ship",): {"BOOL": True}, ("shipped_at",): {"S": to_wire_text(LONG_AGO)}}
PLAIN = View(exists=True, attributes=SEEN, facts=None)
WITH_FACTS = View(exists=True, attributes=SEEN, facts=Facts(version=3))
NO_PARENT = "The document path provided in the update expression is invalid for update"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which take no time here."""
    taken: list[float] = []
    for module in (aws, ledger_table):
        monkeypatch.setattr(module, "sleep", taken.append)
    return taken


def cancelled(*codes: str, message: str = "canary") -> ClientError:
    reasons = [{"Code": code} | ({"Message": message} if code != "None" else {}) for code in codes]
    return failing("TransactionCanceledException", CancellationReasons=reasons)


def keys(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": {"N": str(number)}} for number in numbers]


def tables(*answers: Any) -> tuple[BusinessTables, Client]:
    client: Any = Client(*answers)
    return BusinessTables(client, {"Shipments": "real"}, "facts"), client


def test_unprocessed_keys_are_asked_for_again(pauses: list[float]) -> None:
    """Whatever DynamoDB leaves out of a batch is read by the next call, after a pause."""
    left = {"t": {"Keys": keys(2, 3)}}
    client: Any = Client(
        {"Responses": {"t": keys(1)}, "UnprocessedKeys": left},
        {"Responses": {"t": []}, "UnprocessedKeys": left},
        {"Responses": {"t": keys(2, 3)}, "UnprocessedKeys": {}},
    )
    assert list(batch_get(client, "t", keys(1, 2, 3))) == keys(1, 2, 3)
    assert [call["RequestItems"] for call in client.calls[1:]] == [left, left]
    assert len(pauses) == 1


def test_large_items_come_a_few_at_a_time() -> None:
    """As long as each call brings something, there is no limit to their number."""
    answers = [{"Responses": {"t": keys(n)}, "UnprocessedKeys": {"t": {"Keys": keys(99)}}} for n in range(40)]
    client: Any = Client(*answers, {"Responses": {"t": keys(99)}})
    assert len(list(batch_get(client, "t", keys(*range(41))))) == 41


def test_keys_that_stay_unprocessed_are_a_failure() -> None:
    """It gives up in the end, and says so."""
    never = {"Responses": {}, "UnprocessedKeys": {"t": {"Keys": keys(1)}}}
    client: Any = Client(*[never] * 20)
    with pytest.raises(CallFailedError, match="BatchGetItem: Unprocessed"):
        list(batch_get(client, "t", keys(1)))


def test_unprocessed_items_are_written_again() -> None:
    """The same for writes."""
    left: Any = {"t": [{"PutRequest": {"Item": item}} for item in keys(2)]}
    client: Any = Client({"UnprocessedItems": left}, {"UnprocessedItems": {}})
    batch_put(client, "t", keys(1, 2))
    assert client.calls[1]["RequestItems"] == left
    never: Any = Client(*[{"UnprocessedItems": left}] * 20)
    with pytest.raises(CallFailedError, match="BatchWriteItem: Unprocessed"):
        batch_put(never, "t", keys(1))


def test_a_missing_parent_is_erased_path_by_path() -> None:
    """DynamoDB refuses the whole update then: each path is removed by itself, under its own guard."""
    for view, refused in (
        (PLAIN, failing("ValidationException", NO_PARENT)),
        (WITH_FACTS, cancelled("ValidationError", "None", message=NO_PARENT)),
        (WITH_FACTS, failing("ValidationException", NO_PARENT)),
    ):
        absent = (
            cancelled("ConditionalCheckFailed", "None")
            if view.facts
            else failing("ConditionalCheckFailedException")
        )
        records, client = tables(refused, {}, absent)
        assert list(records.erase(RULE, shipment_ref(), view)) == [("email",)]
        assert len(client.calls) == 3


@pytest.mark.parametrize(
    ("view", "error", "code"),
    [
        (PLAIN, failing("ValidationException", "Two document paths overlap"), "ValidationException"),
        (PLAIN, failing("ValidationException", "The provided key does not match"), "ValidationException"),
        (PLAIN, failing("AccessDeniedException"), "AccessDeniedException"),
        (PLAIN, ReadTimeoutError(endpoint_url="canary"), "ReadTimeoutError"),
        (WITH_FACTS, cancelled("ValidationError", "None"), "TransactionCanceledException"),
        (WITH_FACTS, cancelled("None", "None"), "TransactionCanceledException"),
        (WITH_FACTS, failing("ThrottlingException"), "ThrottlingException"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)  # fmt: skip
def test_no_other_failure_is_taken_for_a_missing_parent(view: View, error: Exception, code: str) -> None:
    """Everything else rises, as a code without the service's message."""
    records, client = tables(error)
    with pytest.raises(CallFailedError, match=code) as raised:
        records.erase(RULE, shipment_ref(), view)
    assert "canary" not in repr(raised.value)
    assert len(client.calls) == 1


@pytest.mark.parametrize(
    ("view", "error"),
    [
        (PLAIN, failing("TransactionConflictException")),
        (WITH_FACTS, cancelled("TransactionConflict", "None")),
        (WITH_FACTS, cancelled("None", "ConditionalCheckFailed")),
    ],
)
def test_a_conflict_is_a_refusal(view: View, error: Exception) -> None:
    """Somebody else is writing the record or its facts: the truth is to be looked at again."""
    records, _ = tables(error)
    assert list(records.erase(RULE, shipment_ref(), view)) == []


def test_a_throttled_transaction_is_tried_again(pauses: list[float]) -> None:
    """The SDK does not; and a plain failure would ring the alarm for what heals itself."""
    throttled = cancelled("ThrottlingError", "None")
    records, client = tables(throttled, throttled, {})
    assert records.erase(RULE, shipment_ref(), WITH_FACTS) == RULE.erase
    assert len(client.calls) == 3
    assert pauses
    records, _ = tables(*[throttled] * 20)
    with pytest.raises(CallFailedError, match="TransactWriteItems: Unprocessed"):
        records.erase(RULE, shipment_ref(), WITH_FACTS)


def test_what_was_removed_before_a_failure_is_not_forgotten() -> None:
    """Path by path, the acknowledged removals are returned; the rest will be asked for again."""
    missing = failing("ValidationException", NO_PARENT)
    records, _ = tables(missing, {}, failing("ThrottlingException"))
    assert list(records.erase(RULE, shipment_ref(), PLAIN)) == [("email",)]
    records, _ = tables(missing, failing("ThrottlingException"))
    with pytest.raises(CallFailedError, match="ThrottlingException"):
        records.erase(RULE, shipment_ref(), PLAIN)


ENTRY = Entry(
    outcome=Outcome.ERASED, at=LONG_AGO, cause="manual", policy="d", record="r", rule="rule", due=LONG_AGO
)


def test_a_batch_whose_answer_was_lost_is_kept_once() -> None:
    """The number is taken by this very batch: that is success, and no second one is written."""
    client: Any = Client()

    def answers() -> Iterator[Any]:
        yield {"Items": [{"seq": {"N": "4"}, "v": {"N": "3"}, "hash": {"S": "abcd"}}]}
        yield {}
        yield failing("ConditionalCheckFailedException")
        yield {"Item": client.calls[2]["Item"]}

    client.answers = answers()
    LedgerTable(client, "ledger").append(0, [ENTRY])
    operations = [call["operation"] for call in client.calls]
    assert operations == ["query", "batch_write_item", "put_item", "get_item"]
    assert client.calls[2]["Item"]["seq"] == {"N": "5"}
    assert client.calls[2]["Item"]["prev"] == {"S": "abcd"}


def test_a_number_that_a_transaction_has_its_hand_on_is_tried_again() -> None:
    """A conflict says that another is about to take it: whether or not it did, the evidence is not lost."""
    end = {"Items": [{"seq": {"N": "4"}, "v": {"N": "3"}, "hash": {"S": "abcd"}}]}
    nobody_took_it: Any = [{}, failing("TransactionConflictException"), {}]
    client: Any = Client(end, *nobody_took_it, end, {}, {})
    LedgerTable(client, "ledger").append(0, [ENTRY])
    puts = [call["Item"] for call in client.calls if call["operation"] == "put_item"]
    assert [put["seq"] for put in puts] == [{"N": "5"}, {"N": "5"}]
    client = Client(end, *[*nobody_took_it, end] * 20)
    with pytest.raises(CallFailedError, match="append: Contended"):
        LedgerTable(client, "ledger").append(0, [ENTRY])


def test_an_empty_ledger_begins_with_one() -> None:
    """Sequence numbers have no gap at the beginning, and the first batch follows none."""
    client: Any = Client({"Items": []}, {}, {})
    LedgerTable(client, "ledger").append(7, [ENTRY])
    item = client.calls[2]["Item"]
    assert item.keys() == {"shard", "seq", "v", "prev", "hash", "body", "names"}
    first = {"shard": {"S": "07"}, "seq": {"N": "1"}, "v": {"N": "3"}, "prev": {"S": ""}}
    assert {name: item[name] for name in first} == first


def facts_table(*answers: Any) -> tuple[FactsWithEvidence, Client]:
    """The Facts table, whose ledger's chain ends with number 4."""
    client: Any = Client({"Items": [{"seq": {"N": "4"}, "v": {"N": "3"}, "hash": {"S": "abcd"}}]}, *answers)
    ledger = LedgerTable(client, "ledger")
    return FactsWithEvidence(client, "facts", ledger, {"Shipments": "real"}), client


def change(facts: FactsWithEvidence) -> bool:
    mark = MarkChange(exists=True, seen=None, right={"M": {}}, needs=RULE.erase)
    return facts.change(shipment_ref(), None, Facts(version=1), ENTRY, mark)


def transactions(client: Client) -> list[list[str]]:
    """The tables of each transaction, in order."""
    items = [call["TransactItems"] for call in client.calls if call["operation"] == "transact_write_items"]
    return [[next(iter(part.values()))["TableName"] for part in parts] for parts in items]


def test_a_change_of_facts_is_one_transaction() -> None:
    """The row, the record's mark, the batch of evidence and its index: all, or nothing."""
    facts, client = facts_table({})
    assert change(facts)
    assert transactions(client) == [["facts", "real", "ledger", "ledger"]]


@pytest.mark.parametrize(
    "codes",
    [("ConditionalCheckFailed", "None", "None", "None"), ("None", "ConditionalCheckFailed", "None", "None")],
)
def test_facts_or_record_that_changed_refuse_the_change(codes: tuple[str, ...]) -> None:
    """It is not tried again as it is: what it was decided by is not so any more."""
    facts, client = facts_table(cancelled(*codes))
    assert not change(facts)
    assert len(transactions(client)) == 1


@pytest.mark.parametrize(
    "code",
    ["ConditionalCheckFailed", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"],
)
def test_a_chain_that_went_on_is_tried_again(code: str, pauses: list[float]) -> None:
    """Somebody else's evidence took the number: the change is made on the new end, not refused."""
    again = {"Items": [{"seq": {"N": "5"}, "v": {"N": "3"}, "hash": {"S": "efgh"}}]}
    facts, client = facts_table(cancelled("None", "None", code, "None"), again, {})
    assert change(facts)
    batches = [
        call["TransactItems"][2]["Put"]["Item"]["seq"]["N"]
        for call in client.calls
        if "TransactItems" in call
    ]
    assert batches == ["5", "6"]
    assert len(pauses) == 1


def test_a_record_that_somebody_is_writing_is_tried_again() -> None:
    """A conflict of transactions says nothing about what is so: neither placed nor refused."""
    end = {"Items": [{"seq": {"N": "4"}, "v": {"N": "3"}, "hash": {"S": "abcd"}}]}
    conflict = cancelled("None", "TransactionConflict", "None", "None")
    facts, _ = facts_table(conflict, end, conflict, end, {})
    assert change(facts)
    facts, _ = facts_table(*[conflict, end] * 20)
    with pytest.raises(CallFailedError, match="TransactWriteItems: Unprocessed"):
        change(facts)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (failing("AccessDeniedException"), "AccessDeniedException"),
        (ReadTimeoutError(endpoint_url="canary"), "ReadTimeoutError"),
        (cancelled("None", "ValidationError", "None", "None"), "TransactionCanceledException"),
        (failing("TransactionCanceledException"), "TransactionCanceledException"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_that_fails_is_no_refusal(error: Exception, code: str) -> None:
    """It rises, as a code without the service's message; and where the chain ends is read anew."""
    end = {"Items": [{"seq": {"N": "7"}, "v": {"N": "3"}, "hash": {"S": "efgh"}}]}
    facts, client = facts_table(error, end, {})
    with pytest.raises(CallFailedError, match=code) as raised:
        change(facts)
    assert "canary" not in repr(raised.value)
    assert change(facts)
    assert client.calls[-1]["TransactItems"][2]["Put"]["Item"]["seq"] == {"N": "8"}


def test_a_table_that_the_settings_do_not_name_has_no_mark() -> None:
    """Nothing is sent: neither fact nor evidence of a hold that marks no record."""
    facts, client = facts_table({})
    record = RecordRef("Parcels", {"id": {"S": "7"}})
    with pytest.raises(CallFailedError, match="settings: UnknownTable"):
        facts.change(record, None, Facts(version=1), ENTRY, MarkChange(exists=False))
    assert transactions(client) == []


@pytest.mark.parametrize(
    ("row", "pause"),
    [
        (None, None),
        (
            {"paused_by": {"S": "U-1"}, "reason_code": {"S": "x"}, "since": {"S": "2026-05-17T10:15:00Z"}},
            Pause("U-1", "x", LONG_AGO, None),
        ),
        ({"until": {"S": "soon"}, "since": {"N": "5"}}, Pause("", "", None, None)),
        ({"until": {"S": "2026-05-17T11:15:00+01:00"}}, Pause("", "", None, LONG_AGO)),
    ],
    ids=["none", "no end", "unreadable", "only an end"],
)
def test_a_pause_that_can_be_read_in_part_is_a_pause(row: dict[str, Any] | None, pause: Pause | None) -> None:
    """Read consistently; what is missing of it makes it longer, never shorter."""
    client: Any = Client({"Item": {"record": {"S": "pause"}, **row}} if row else {})
    assert FactsBrake(client, "facts").read() == pause
    assert client.calls[0]["ConsistentRead"] is True
    assert pause is None or pause.in_force(LONG_AGO - timedelta(seconds=1))


def test_batches_of_evidence_are_limited() -> None:
    """By number, and by size: an item of DynamoDB holds 400 KB."""
    client: Any = Client({"Items": []}, *[{}] * 10)
    LedgerTable(client, "ledger").append(0, [ENTRY] * 250)
    puts = [call["Item"] for call in client.calls if call["operation"] == "put_item"]
    assert [len(json.loads(put["body"]["S"])["entries"]) for put in puts] == [100, 100, 50]
    client = Client({"Items": []}, *[{}] * 10)
    LedgerTable(client, "ledger").append(0, [replace(ENTRY, record="é" * 50_000)] * 5)
    puts = [call["Item"] for call in client.calls if call["operation"] == "put_item"]
    assert [len(put["names"]["S"].encode()) // 100_000 for put in puts] == [2, 2, 1]


def test_looks_are_consistent() -> None:
    """A look that may be stale would decide by what is no longer so; the emulators have no other."""
    client: Any = Client({"Responses": {}}, {"Items": []}, {"Count": 0}, {"Items": []})
    list(batch_get(client, "t", keys(1)))
    DueTable(client, "due").ready(0, LONG_AGO, "", 1)
    BusinessTables(client, {"Shipments": "real"}, "facts").has_fields(shipment_ref(), RULE.erase)
    LedgerTable(client, "ledger").open(0)
    pages: Any = Client([{"Items": []}])
    paginated: Any = SimpleNamespace(get_paginator={"query": pages}.get)
    DueTable(paginated, "due").of_record(shipment_ref())
    assert client.calls[0]["RequestItems"]["t"]["ConsistentRead"] is True
    assert [call["ConsistentRead"] for call in [*client.calls[1:], *pages.calls]] == [True] * 4


def test_a_wake_up_that_fails_is_not_remembered() -> None:
    """The next timer of that minute tries again; one that is there is remembered, and not asked for twice."""
    minute = datetime(2027, 2, 21, 14, 5, tzinfo=UTC)
    client: Any = Client(failing("ThrottlingException"), failing("ConflictException"))
    wake_ups = SchedulerWakeUps(client, "group", "role", "purge", "queue")
    with pytest.raises(CallFailedError, match="CreateSchedule: ThrottlingException"):
        wake_ups.ensure(minute)
    wake_ups.ensure(minute)
    wake_ups.ensure(minute)
    assert [call["Name"] for call in client.calls] == ["purge-20270221T1405"] * 2


def timers(number: int) -> list[Timer]:
    return [Timer(shipment_ref(f"S-{n}"), "rule", LONG_AGO, LONG_AGO, stamp="ab") for n in range(number)]


def test_timers_that_were_throttled_are_removed_by_the_next_call() -> None:
    """Each deletion fails or succeeds on its own; one whose stamp has changed is left."""
    throttled, changed = {"Error": {"Code": "ThrottlingError"}}, {"Error": {"Code": "ConditionalCheckFailed"}}
    client: Any = Client({"Responses": [{}, throttled, changed]}, {"Responses": [{}]})
    DueTable(client, "due").remove(timers(3))
    first, second = (call["Statements"] for call in client.calls)
    assert second == [first[1]]
    assert first[1]["Statement"].startswith('DELETE FROM "due" WHERE "shard" = ')
    assert first[1]["Statement"].endswith(""" AND "stamp" = 'ab'""")


def test_timers_that_may_not_be_removed_are_a_failure() -> None:
    """What no retry can mend rises at once, by its code."""
    client: Any = Client({"Responses": [{}, {"Error": {"Code": "AccessDenied", "Message": "canary"}}]})
    with pytest.raises(CallFailedError, match="^BatchExecuteStatement: AccessDenied$"):
        DueTable(client, "due").remove(timers(2))


def test_a_key_that_could_break_out_of_its_quotes_is_refused() -> None:
    """No rule can be called so; if a row says it is, nothing is sent."""
    client: Any = Client()
    with pytest.raises(ValueError, match="plain characters"):
        DueTable(client, "due").remove([replace(timers(1)[0], rule="x' OR 'a' = 'a")])
    assert client.calls == []


@pytest.mark.parametrize("seconds", [1, 0.5])
def test_a_wake_up_has_a_whole_minute(seconds: float) -> None:
    """Names and expressions are validated here: the emulators take any nonsense."""
    client: Any = Client()
    wake_ups = SchedulerWakeUps(client, "group", "role", "purge", "queue")
    with pytest.raises(ValueError, match="whole minute"):
        wake_ups.ensure(datetime.fromtimestamp(60 * 30_000_000 + seconds, UTC))
    assert client.calls == []
