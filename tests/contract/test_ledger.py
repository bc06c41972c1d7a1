"""The ledger on moto's DynamoDB: one chain whatever happens, and an index that misses nothing."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count, islice
from threading import RLock
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from shared import ledger_table
from shared.evidence import Entry, Outcome
from shared.failure import CallFailedError
from shared.ledger import Head, verify
from shared.ledger_batch import entries_in
from shared.ledger_index import LedgerReader, index_partition
from shared.ledger_table import LedgerTable
from shared.record import RecordRef
from tests.builders import LONG_AGO, NOW, as_kept, contact_ref, shipment_ref
from tests.followed import followed
from tests.worlds import make_table

SHARD = 3
ENTRY = Entry(
    outcome=Outcome.ERASED, at=NOW, cause="wake-up", policy="d" * 64, rule="delivery-contact", due=LONG_AGO,
    fields=(("contact_number",), ("email",)),
)  # fmt: skip
PAUSE = Entry(outcome=Outcome.PAUSED, at=NOW, cause="operator", policy="d" * 64)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which take no time here."""
    taken: list[float] = []
    monkeypatch.setattr(ledger_table, "sleep", taken.append)
    return taken


@pytest.fixture
def client() -> Iterator[Any]:
    """DynamoDB with an empty ledger, and a table of somebody else's."""
    with mock_aws():
        dynamodb = boto3.client("dynamodb", "eu-west-1", aws_access_key_id="t", aws_secret_access_key="t")
        make_table(dynamodb, "ledger", {"shard": "S", "seq": "N"})
        make_table(dynamodb, "facts", {"record": "S"})
        yield dynamodb


@pytest.fixture
def ledger(client: Any) -> LedgerTable:
    """The ledger in one writer's hands."""
    return LedgerTable(client, "ledger")


class Between:
    """A client that lets something happen before or after a call."""

    def __init__(self, client: Any, operation: str, *, before: Any = None, after: Any = None) -> None:
        self.client, self.operation = client, operation
        self.before, self.after = before, after
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            self.calls.append(name)
            if name == self.operation and self.before:
                self.before()
            answer = getattr(self.client, name)(**parameters)
            if name == self.operation and self.after:
                self.after()
            return answer

        return call


def once(action: Callable[[], object]) -> Callable[[], None]:
    """An action that happens the first time only."""
    times = count()

    def happen() -> None:
        if next(times) == 0:
            action()

    return happen


def fail(error: Exception) -> Callable[[], None]:
    def raising() -> None:
        raise error

    return raising


TIMEOUT = ReadTimeoutError(endpoint_url="canary")
REFUSED = ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "PutItem")


def records(number: int, shard: int = SHARD) -> list[RecordRef]:
    """Records of one shard."""
    every = (shipment_ref(f"S-{n}") for n in count())
    return list(islice((each for each in every if each.shard == shard), number))


RECORDS = records(300)
JO, MAX = RECORDS[:2]


def about(*several: RecordRef, **changes: Any) -> list[Entry]:
    return [replace(ENTRY, record=record.text, **changes) for record in several]


def names_in(ledger: LedgerReader, shard: int = SHARD) -> list[str]:
    """The records of all entries of a sound chain, in order."""
    batches = list(ledger.batches(shard))
    assert followed(f"{shard:02}", batches, Head(*ledger.end(shard))) == []
    return [each.entry["record"] for batch in batches for each in entries_in(batch)]


def texts(several: Sequence[RecordRef]) -> list[str]:
    return [record.text for record in several]


def rows_of(client: Any, record: RecordRef) -> dict[int, list[str]]:
    """What the index says of a record: the outcomes, by batch."""
    items = client.scan(TableName="ledger")["Items"]
    rows = [item for item in items if item["shard"]["S"] == index_partition(record.text)]
    return {int(r["seq"]["N"]): [line["outcome"] for line in json.loads(r["lines"]["S"])] for r in rows}


def test_two_writers_in_turn_write_one_chain(client: Any) -> None:
    """Each finds the other's batch in its place, and goes on behind it."""
    writers = [LedgerTable(client, "ledger"), LedgerTable(client, "ledger")]
    for number, record in enumerate(RECORDS[:10]):
        writers[number % 2].append(SHARD, about(record))
    assert names_in(writers[0]) == texts(RECORDS[:10])


def test_two_writers_at_once_write_one_chain(client: Any) -> None:
    """Every entry once, whoever was first; each call by itself is atomic, as DynamoDB's are."""
    lock = RLock()

    class Atomic:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            def call(**parameters: Any) -> Any:
                with lock:
                    return getattr(client, name)(**parameters)

            return call

    def write(some: Sequence[RecordRef]) -> None:
        one: Any = Atomic()
        writer = LedgerTable(one, "ledger")
        for record in some:
            writer.append(SHARD, about(record))

    halves = [RECORDS[:9], RECORDS[9:18]]  # nine numbers taken by the other: less than the tries
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, halves))
    assert sorted(names_in(LedgerReader(client, "ledger"))) == sorted(texts(RECORDS[:18]))


def test_shards_have_chains_of_their_own(ledger: LedgerTable) -> None:
    """And their numbers."""
    (other,) = records(1, shard=11)
    ledger.append(SHARD, about(JO))
    ledger.append(11, about(other))
    assert (names_in(ledger, SHARD), names_in(ledger, 11)) == (texts([JO]), texts([other]))
    assert ledger.end(11)[0] == ledger.end(SHARD)[0] == 1


def test_a_lost_race_is_no_fork(client: Any, ledger: LedgerTable, pauses: list[float]) -> None:
    """Another took the number between the look at the end and the put: the batch follows that one."""
    racing: Any = Between(client, "put_item", before=once(lambda: ledger.append(SHARD, about(JO))))
    LedgerTable(racing, "ledger").append(SHARD, about(MAX))
    assert names_in(ledger) == texts([JO, MAX])
    assert len(pauses) == 1
    assert [each.seq for each in ledger.entries_of(JO)] == [1]
    assert [each.seq for each in ledger.entries_of(MAX)] == [2]


def test_a_lost_race_leaves_the_winners_index(client: Any, ledger: LedgerTable) -> None:
    """Both wrote of the same record, and the loser's row stood in the place of the winner's."""
    loser = LedgerTable(client, "ledger")
    loser.open(SHARD)
    ledger.append(SHARD, about(JO))
    loser.append(SHARD, [PAUSE, *about(JO, MAX, outcome=Outcome.ALREADY_ABSENT)])
    assert rows_of(client, JO) == {1: ["erased"], 2: ["already_absent"]}
    assert rows_of(client, MAX) == {1: [], 2: ["already_absent"]}
    assert client.scan(TableName="ledger")["Count"] == 2 + 4
    assert ledger.has_erased(JO, "delivery-contact")


def test_who_never_wins_gives_up(client: Any, ledger: LedgerTable, pauses: list[float]) -> None:
    """After ten tries, with growing pauses; nothing is lost but this batch, and its caller is told."""
    racing: Any = Between(client, "put_item", before=lambda: ledger.append(SHARD, [PAUSE]))
    with pytest.raises(CallFailedError, match="^append: Contended$"):
        LedgerTable(racing, "ledger").append(SHARD, about(JO))
    assert names_in(ledger) == [""] * 10
    assert len(pauses) == 9
    assert max(pauses) <= 0.5
    assert ledger.entries_of(JO) == []


@pytest.mark.parametrize("error", [TIMEOUT, REFUSED], ids=["timeout", "the SDK's own second try"])
def test_a_lost_answer_is_no_second_batch(client: Any, error: Exception) -> None:
    """The put took effect, and its answer was lost: what stands there is this very batch."""
    losing: Any = Between(client, "put_item", after=once(fail(error)))
    writer = LedgerTable(losing, "ledger")
    writer.append(SHARD, about(JO))
    writer.append(SHARD, about(MAX))
    assert names_in(writer) == texts([JO, MAX])


def test_a_put_that_failed_is_told(client: Any) -> None:
    """Nothing stands there: the caller is told the code, and a later batch takes the number."""
    failing: Any = Between(client, "put_item", before=once(fail(TIMEOUT)))
    writer = LedgerTable(failing, "ledger")
    with pytest.raises(CallFailedError, match="^PutItem: ReadTimeoutError$"):
        writer.append(SHARD, about(JO))
    writer.append(SHARD, about(MAX))
    assert names_in(writer) == texts([MAX])


def test_a_failure_with_anothers_batch_in_place_is_told(client: Any, ledger: LedgerTable) -> None:
    """It says nothing of this batch, so nothing is guessed from it."""

    def other_and_fail() -> None:
        ledger.append(SHARD, about(JO))
        raise TIMEOUT

    failing: Any = Between(client, "put_item", before=once(other_and_fail))
    with pytest.raises(CallFailedError, match="^PutItem: ReadTimeoutError$"):
        LedgerTable(failing, "ledger").append(SHARD, about(MAX))
    assert names_in(ledger) == texts([JO])


def test_the_index_comes_first(client: Any, ledger: LedgerTable) -> None:
    """A crash between both leaves a hint that does not hold; never a batch that is missing from the index."""
    crashing: Any = Between(client, "batch_write_item", before=fail(KeyboardInterrupt()))  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        LedgerTable(crashing, "ledger").append(SHARD, about(JO))
    assert ledger.end(SHARD) == (0, "")
    crashing = Between(client, "put_item", before=fail(KeyboardInterrupt()))  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        LedgerTable(crashing, "ledger").append(SHARD, about(JO))
    assert rows_of(client, JO) == {1: ["erased"]}
    assert ledger.entries_of(JO) == []
    ledger.append(SHARD, about(MAX))  # the hint now points at another's batch
    assert ledger.entries_of(JO) == []


def transact(client: Any, ledger: LedgerTable, entries: Sequence[Entry], row: str) -> None:
    """A row of somebody else's and its evidence, together."""
    fact: Any = {
        "TableName": "facts",
        "Item": {"record": {"S": row}},
        "ConditionExpression": "attribute_not_exists(#record)",
        "ExpressionAttributeNames": {"#record": "record"},
    }
    client.transact_write_items(TransactItems=[{"Put": fact}, *ledger.writes(SHARD, entries)])


def test_a_batch_may_be_part_of_a_transaction(client: Any) -> None:
    """Both or neither; after success the next batch needs no look at the end."""
    watched: Any = Between(client, "none")
    ledger = LedgerTable(watched, "ledger")
    for number, record in enumerate(RECORDS[:3]):
        transact(client, ledger, [*about(record, outcome=Outcome.TOLD), PAUSE], row=str(number))
        ledger.appended(SHARD)
    ledger.append(SHARD, about(JO))
    assert watched.calls == ["query", "batch_write_item", "put_item"]
    assert names_in(ledger) == [JO.text, "", MAX.text, "", RECORDS[2].text, "", JO.text]
    assert [(each.seq, each.position) for each in ledger.entries_of(JO)] == [(1, 0), (4, 0)]


def test_a_refused_transaction_leaves_no_evidence(client: Any, ledger: LedgerTable) -> None:
    """Whether the other part or the batch's number refused it: forget, read anew, try again."""
    transact(client, ledger, about(JO), row="there")
    ledger.appended(SHARD)
    with pytest.raises(client.exceptions.TransactionCanceledException):
        transact(client, ledger, about(MAX), row="there")
    ledger.forget(SHARD)
    LedgerTable(client, "ledger").append(SHARD, [PAUSE])
    transact(client, ledger, about(MAX), row="new")
    ledger.appended(SHARD)
    LedgerTable(client, "ledger").append(SHARD, [PAUSE])
    with pytest.raises(client.exceptions.TransactionCanceledException):
        transact(client, ledger, about(JO), row="newer")
    ledger.forget(SHARD)
    transact(client, ledger, about(JO), row="newer")
    ledger.appended(SHARD)
    assert names_in(ledger) == [JO.text, "", MAX.text, "", JO.text]
    assert rows_of(client, MAX) == {3: ["erased"]}


@pytest.mark.parametrize("committed", [True, False])
def test_a_transaction_whose_answer_was_lost_is_forgotten(
    client: Any, ledger: LedgerTable, *, committed: bool
) -> None:
    """What is prepared next follows what is there, whichever way it went."""
    ledger.open(SHARD)
    if committed:
        transact(client, ledger, about(JO), row="first")
    else:
        ledger.writes(SHARD, about(JO))
    ledger.forget(SHARD)
    ledger.append(SHARD, about(MAX))
    assert names_in(ledger) == texts([JO] * committed + [MAX])


@pytest.mark.parametrize("committed", [True, False])
def test_a_caller_that_says_nothing_does_no_harm(
    client: Any, ledger: LedgerTable, *, committed: bool
) -> None:
    """Crashed between transaction and `appended`, or before the transaction: there is no gap and no fork."""
    writes: Any = ledger.writes(SHARD, about(JO))
    if committed:
        client.transact_write_items(TransactItems=writes)
    ledger.append(SHARD, about(MAX))
    assert names_in(ledger) == texts([JO] * committed + [MAX])


def test_the_first_of_the_writes_is_the_batch(ledger: LedgerTable) -> None:
    """So a caller knows which of a cancelled transaction's reasons is its; the index has no condition."""
    first, *index = ledger.writes(SHARD, [*about(JO, MAX, JO), PAUSE])
    assert first["Put"]["Item"]["shard"] == {"S": "03"}
    assert first["Put"]["ConditionExpression"] == "attribute_not_exists(#seq)"
    assert [put["Put"].keys() for put in index] == [{"TableName", "Item"}] * 2
    for wrong in ([], about(*RECORDS[:101])):
        with pytest.raises(ValueError, match="unpack"):
            ledger.writes(SHARD, wrong)


def test_a_records_entries_are_found(ledger: LedgerTable) -> None:
    """Through the index, in order, from all batches: whole entries, with the record."""
    ledger.append(SHARD, about(JO, MAX, JO, outcome=Outcome.OBSERVED))
    ledger.append(SHARD, about(MAX))
    ledger.append(SHARD, [PAUSE, *about(JO)])
    places = [(each.shard, each.seq, each.position) for each in ledger.entries_of(JO)]
    assert places == [("03", 1, 0), ("03", 1, 2), ("03", 3, 1)]
    last = ledger.entries_of(JO)[-1].entry
    (expected,) = about(JO)
    assert {**last, "commitment": ""} == {**as_kept(expected), "commitment": ""}
    assert len(last["commitment"]) == 64
    assert ledger.entries_of(RECORDS[2]) == []


def test_more_batches_than_one_call_reads(client: Any, ledger: LedgerTable) -> None:
    """A record with a long history has it whole, and in order."""
    for _ in range(120):
        ledger.append(SHARD, about(JO))

    class Backwards:
        def query(self, **parameters: Any) -> Any:
            return client.query(**parameters)

        def batch_get_item(self, **parameters: Any) -> Any:
            items = client.batch_get_item(**parameters)["Responses"]["ledger"]
            return {"Responses": {"ledger": items[::-1]}}

    backwards: Any = Backwards()  # DynamoDB has no order there; moto has that of the keys
    assert [each.seq for each in LedgerReader(backwards, "ledger").entries_of(JO)] == list(range(1, 121))


def test_hints_that_do_not_hold_are_skipped(client: Any, ledger: LedgerTable) -> None:
    """They point at nothing, or at a batch that is about others."""
    ledger.append(SHARD, about(MAX))
    for seq in ("1", "7"):
        row = {"shard": {"S": index_partition(JO.text)}, "seq": {"N": seq}, "lines": {"S": "[]"}}
        client.put_item(TableName="ledger", Item=row)
    assert ledger.entries_of(JO) == []
    assert not ledger.has_erased(JO, "delivery-contact")


def test_an_earlier_erasure_is_known(ledger: LedgerTable) -> None:
    """By record and rule; anything else that became of the record is no erasure."""
    others = [each for each in Outcome if each is not Outcome.ERASED]
    ledger.append(SHARD, [entry for outcome in others for entry in about(JO, outcome=outcome)])
    ledger.append(SHARD, about(JO, rule="other"))
    ledger.append(SHARD, about(MAX))
    assert not ledger.has_erased(JO, "delivery-contact")
    ledger.append(SHARD, [*about(JO), *about(JO, outcome=Outcome.OBSERVED)])
    assert ledger.has_erased(JO, "delivery-contact")


def test_the_same_record_is_never_committed_to_alike(ledger: LedgerTable) -> None:
    """Each commitment has a salt of its own, so without the salts nothing shows who had several entries."""
    ledger.append(SHARD, about(JO, JO))
    ledger.append(SHARD, about(JO))
    assert len({each.entry["commitment"] for each in ledger.entries_of(JO)}) == 3


@pytest.mark.parametrize("record", [
    RecordRef("Shipments", {"shipment_id": {"S": "Ünï-日本-😀"}}),
    RecordRef("Other", {"pk": {"S": "A#1"}, "sk": {"N": "17"}}),
    RecordRef("Other", {"pk": {"B": "AAEC"}}),
    contact_ref('quote"\\\n'),
], ids=["beyond ASCII", "two attributes", "bytes", "escaped"])  # fmt: skip
def test_any_key_is_a_name(ledger: LedgerTable, record: RecordRef) -> None:
    """Committed to, found, and verified."""
    ledger.append(record.shard, about(record))
    assert names_in(ledger, record.shard) == [record.text]
    assert [each.entry["record"] for each in ledger.entries_of(record)] == [record.text]
    assert ledger.has_erased(record, "delivery-contact")


def test_many_entries_are_split(client: Any, ledger: LedgerTable) -> None:
    """By number; each batch has its rows in the index, one for each record."""
    ledger.append(SHARD, about(*RECORDS[:250]))
    batches = list(ledger.batches(SHARD))
    assert [len(list(entries_in(batch))) for batch in batches] == [100, 100, 50]
    assert names_in(ledger) == texts(RECORDS[:250])
    assert rows_of(client, RECORDS[249]) == {3: ["erased"]}


def test_large_entries_are_split(ledger: LedgerTable) -> None:
    """By size, so that each is well below DynamoDB's 400 KB, and no smaller than need be."""
    ledger.append(SHARD, about(*RECORDS[:90], reason="é" * 4_000))
    sizes = [len(f"{batch['body']}{batch['names']}".encode()) for batch in ledger.batches(SHARD)]
    assert len(sizes) == 3
    assert all(290_000 < size <= 300_000 for size in sizes[:-1])
    assert names_in(ledger) == texts(RECORDS[:90])


def test_a_chain_is_read_as_it_is_taken(client: Any, ledger: LedgerTable) -> None:
    """Page by page, of DynamoDB's megabyte; and from behind a number on."""
    ledger.append(SHARD, about(*RECORDS[:300], reason="é" * 4_000))
    watched: Any = Between(client, "none")
    batches = LedgerReader(watched, "ledger").batches(SHARD)
    assert next(batches)["seq"] == 1
    assert watched.calls == ["query"]
    assert [batch["seq"] for batch in batches] == list(range(2, 10))
    assert len(watched.calls) > 1
    assert [batch["seq"] for batch in ledger.batches(SHARD, after=7)] == [8, 9]


def test_names_may_be_dropped(client: Any, ledger: LedgerTable) -> None:
    """The chain verifies without, goes on, and names nobody any more."""
    ledger.append(SHARD, about(JO))
    key = {"shard": {"S": "03"}, "seq": {"N": "1"}}
    client.update_item(
        TableName="ledger", Key=key, UpdateExpression="REMOVE #n", ExpressionAttributeNames={"#n": "names"}
    )
    ledger.append(SHARD, about(JO))
    assert names_in(ledger) == ["", JO.text]
    assert [each.seq for each in ledger.entries_of(JO)] == [2]


@pytest.mark.parametrize(
    ("key", "change", "words"),
    [
        ("2", {"body": {"S": "{}"}}, "batch 2: hash is not that of the body"),
        ("2", {"hash": {"N": "1"}}, "batch 2: hash is not that of the body"),
        ("2", {"names": {"NULL": True}}, "batch 2: names cannot be read"),
        ("2", {"prev": {"S": "ab"}}, "batch 2: prev in the body is another"),
        ("2.5", {}, "batch 2.5: seq is missing or not of type int"),
        ("-1", {}, "batch -1: it comes after batch 0"),
        ("4", {}, "batch 4: prev is not the hash of batch 3"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_table_is_found(
    client: Any, ledger: LedgerTable, key: str, change: dict[str, Any], words: str
) -> None:
    """Whatever somebody with access to the table put there."""
    for record in RECORDS[:3]:
        ledger.append(SHARD, about(record))
    item = client.get_item(TableName="ledger", Key={"shard": {"S": "03"}, "seq": {"N": "2"}})["Item"]
    client.put_item(TableName="ledger", Item={**item, "seq": {"N": key}, **change})
    assert any(words in str(finding) for finding in verify("03", ledger.batches(SHARD)))


@pytest.mark.parametrize(
    "old", [{"v": {"N": "1"}, "entries": {"S": "[]"}}, {"v": {"N": "2"}, "hash": {"S": "ab"}}]
)
def test_a_ledger_of_another_format_is_not_continued(
    client: Any, ledger: LedgerTable, old: dict[str, Any]
) -> None:
    """That is to be known before anything is erased: 1 had no hash, 2 had details in what is hashed."""
    key = {"shard": {"S": "03"}, "seq": {"N": "1"}}
    client.put_item(TableName="ledger", Item={**key, **old})
    with pytest.raises(CallFailedError, match="LedgerOfAnotherFormat"):
        ledger.open(SHARD)
