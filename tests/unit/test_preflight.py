"""`lapse preflight`, as an operator types it: on moto, and on tables that are described as a test says."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config

from lapse.aws_inspection import AwsInspection
from lapse.controls import Controls
from lapse.inspection import inspect
from lapse.preflight import Question, Remark, Verdict
from lapse.preflight_checks import CHECKS, NOT_SEEN
from shared.failure import CallFailedError
from tests.account import deployed
from tests.builders import policy
from tests.operators import Operator

RULES = policy().rules_of("Shipments")
FIT: Mapping[str, Any] = {
    "TableName": "orders",
    "TableArn": "arn:aws:dynamodb:eu-west-1:000000000000:table/orders",
    "TableStatus": "ACTIVE",
    "AttributeDefinitions": [{"AttributeName": "shipment_id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "shipment_id", "KeyType": "HASH"}],
    "DeletionProtectionEnabled": True,
}
GOOD, LOOK, UNKNOWN, BLOCKS = Verdict.GOOD, Verdict.LOOK, Verdict.UNKNOWN, Verdict.BLOCKS


@dataclass
class Tables:
    """Answers each question as it is told; by default with nothing."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[Question, Any] = field(default_factory=dict)
    missing: str = ""

    def described(self, real_name: str) -> Mapping[str, Any]:
        if self.missing:
            raise CallFailedError("DescribeTable", self.missing)
        return {**FIT, **self.changes}

    def ask(self, question: Question, described: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self.answers.get(question, {})
        if isinstance(answer, str):
            raise CallFailedError(question, answer)
        return dict(answer)


def remarks(**changes: Any) -> list[Remark]:
    return inspect("orders", RULES, Tables(changes))


def of(about: str, found: list[Remark]) -> tuple[Verdict, str]:
    (remark,) = (each for each in found if each.about == about)
    return remark.verdict, remark.what


def test_a_table_without_copies_is_good_all_over() -> None:
    """Each part has its line."""
    assert {each.verdict for each in remarks()} == {GOOD}
    assert len(remarks()) == 7 + len(CHECKS)


@pytest.mark.parametrize(
    ("about", "changes", "verdict", "what"),
    [
        ("status", {"TableStatus": "UPDATING"}, LOOK, "being changed"),
        ("status", {"TableStatus": "DELETING"}, BLOCKS, "DELETING: nothing can be read"),
        (
            "key",
            {"AttributeDefinitions": [{"AttributeName": "shipment_id", "AttributeType": "N"}]},
            BLOCKS,
            "It is shipment_id (N): delivery-contact, delivery-erasure would find no record.",
        ),
        (
            "stream",
            {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}},
            LOOK,
            "a stream keeps old images, erased fields too, for 24 hours for whoever reads it.",
        ),
        (
            "stream",
            {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}},
            LOOK,
            "keeps what was written",
        ),
        (
            "stream",
            {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}},
            GOOD,
            "keys only",
        ),
        (
            "stream",
            {"StreamSpecification": {"StreamEnabled": False}, "LatestStreamArn": "arn"},
            LOOK,
            "Off, but there was one",
        ),
        ("replicas", {"Replicas": [{"RegionName": "eu-west-1"}]}, GOOD, "only writer"),
        (
            "replicas",
            {"Replicas": [{"RegionName": "us-east-1"}]},
            BLOCKS,
            "In us-east-1: conditions hold within",
        ),
        (
            "replicas",
            {"Replicas": [{"RegionName": "us-east-1"}], "MultiRegionConsistency": "STRONG"},
            BLOCKS,
            "no transactions, which holds need",
        ),
        (
            "global index",
            {
                "GlobalSecondaryIndexes": [
                    {"IndexName": "by-x", "KeySchema": [], "Projection": {"ProjectionType": "ALL"}}
                ]
            },
            LOOK,
            "by-x projects company, contact_number, email, name: they leave it",
        ),
        (
            "local index",
            {
                "LocalSecondaryIndexes": [
                    {"IndexName": "i", "KeySchema": [], "Projection": {"NonKeyAttributes": ["email", "x"]}}
                ]
            },
            LOOK,
            "i projects email: they",
        ),
        (
            "global index",
            {"GlobalSecondaryIndexes": [{"IndexName": "by-mail", "KeySchema": [{"AttributeName": "email"}]}]},
            LOOK,
            "by-mail is keyed by email: once erased, the record is not found",
        ),
        (
            "indexes",
            {
                "GlobalSecondaryIndexes": [
                    {"IndexName": "i", "KeySchema": [], "Projection": {"ProjectionType": "KEYS_ONLY"}}
                ]
            },
            GOOD,
            "None has a field",
        ),
        ("encryption", {"SSEDescription": {"SSEType": "KMS", "Status": "ENABLED"}}, LOOK, "KmsKeyArn"),
        ("encryption", {"SSEDescription": {"InaccessibleEncryptionDateTime": 1}}, BLOCKS, "cannot be used"),
        ("deletion protection", {"DeletionProtectionEnabled": False}, LOOK, "Off"),
    ],
)
def test_what_a_description_means(about: str, changes: Any, verdict: Verdict, what: str) -> None:
    """In plain words, with the consequence."""
    found = of(about, remarks(**changes))
    assert (found[0], what in found[1]) == (verdict, True), found


@pytest.mark.parametrize(
    ("question", "about", "answer", "verdict", "what"),
    [
        (
            Question.BACKUPS,
            "point-in-time recovery",
            {
                "ContinuousBackupsDescription": {
                    "PointInTimeRecoveryDescription": {
                        "PointInTimeRecoveryStatus": "ENABLED",
                        "RecoveryPeriodInDays": 7,
                    }
                }
            },
            LOOK,
            "has erased fields again for 7 days",
        ),
        (
            Question.TTL,
            "TTL",
            {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}},
            LOOK,
            "By expires: whole records go",
        ),
        (
            Question.ON_DEMAND,
            "backups on demand",
            {"BackupSummaries": [{}, {}], "LastEvaluatedBackupArn": "arn"},
            LOOK,
            "2 backups or more: erased fields stay",
        ),
        (Question.AWS_BACKUP, "AWS Backup", {"RecoveryPoints": [{}]}, LOOK, "1 recovery point: erased"),
        (Question.EXPORTS, "exports", {"ExportSummaries": [{}]}, LOOK, "1 export: erased"),
        (
            Question.KINESIS,
            "Kinesis",
            {
                "KinesisDataStreamDestinations": [
                    {"DestinationStatus": "ACTIVE"},
                    {"DestinationStatus": "DISABLED"},
                ]
            },
            LOOK,
            "1 Kinesis stream:",
        ),
        (Question.SHARED, "access by others", {"Policy": "{}"}, LOOK, "resource policy"),
        (
            Question.CONSUMERS,
            "functions at the stream",
            {"EventSourceMappings": [{"FunctionArn": "arn:aws:lambda:eu-west-1:1:function:mirror"}]},
            LOOK,
            "mirror: what they keep",
        ),
    ],
)
def test_what_an_answer_means(
    question: Question, about: str, answer: Any, verdict: Verdict, what: str
) -> None:
    """Each copy with its horizon; and a call that is denied leaves its part unknown, and no more."""
    found = of(about, inspect("orders", RULES, Tables(answers={question: answer})))
    assert (found[0], what in found[1]) == (verdict, True), found
    for code, said in (("AccessDeniedException", "is not permitted"), ("Odd", "is not answered")):
        denied = inspect("orders", RULES, Tables(answers={question: code}))
        assert of(about, denied) == (UNKNOWN, f"{question} {said} ({code}): look yourself.")
        assert [each.verdict for each in denied if each.about != about] == [GOOD] * (len(denied) - 1)


def test_a_ttl_attribute_that_is_erased_stops_the_ttl() -> None:
    """Said in a line of its own."""
    answer = {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "email"}}
    found = inspect("orders", RULES, Tables(answers={Question.TTL: answer}))
    assert [each.what for each in found if each.about == "TTL"][1].startswith("The policy erases email")


def operator(tables: Tables) -> Operator:
    """In front of tables of these."""
    names = {"Shipments": "orders", "Contacts": "people"}
    return Operator(stores=SimpleNamespace(tables=names), inspection=tables)


@pytest.mark.parametrize(
    ("missing", "code", "said"),
    [
        ("ResourceNotFoundException", 1, "There is no such table in this account and region."),
        (
            "AccessDeniedException",
            1,
            "DescribeTable is not permitted (AccessDeniedException): look yourself.",
        ),
    ],
)
def test_a_table_that_is_not_described(missing: str, code: int, said: str) -> None:
    """One that is not there keeps Lapse from its work; one that must not be looked at is not called fit."""
    answer = operator(Tables(missing=missing)).types("preflight", "Shipments", columns=200)
    assert (answer.code, said in answer.said) == (code, True)
    unknown = "Access" in missing
    assert ("A table was not described: whether it is fit is not known." in answer.said) == unknown
    fit = operator(Tables(missing=missing)).types("preflight", "--json").json["fit"]
    assert fit is (None if unknown else False)


@pytest.mark.parametrize(
    ("question", "about", "token"),
    [
        (Question.ON_DEMAND, "backups on demand", "LastEvaluatedBackupArn"),
        (Question.AWS_BACKUP, "AWS Backup", "NextToken"),
        (Question.EXPORTS, "exports", "NextToken"),
        (Question.CONSUMERS, "functions at the stream", "NextMarker"),
    ],
)
def test_an_empty_page_that_others_follow_is_not_none(question: Question, about: str, token: str) -> None:
    """What was not read is unknown."""
    found = of(about, inspect("orders", RULES, Tables(answers={question: {token: "more"}})))
    assert found == (UNKNOWN, "Not all of the list was read: look yourself.")


@pytest.mark.parametrize("pages", [1, 3, 1000])
@pytest.mark.parametrize("question", [Question.ON_DEMAND, Question.AWS_BACKUP, Question.EXPORTS])
def test_empty_pages_are_passed_over(question: Question, pages: int) -> None:
    """Up to the first that has anything on it; but not for ever."""
    service = Pages(pages)
    tables = AwsInspection(service, SimpleNamespace(client=lambda *_, **__: service), Config())  # type: ignore[arg-type]
    answer = tables.ask(question, FIT)
    listed = [each for each in answer.values() if isinstance(each, list) and each]
    assert (len(listed), service.read) == ((1, pages) if pages < 1000 else (0, 101))


def test_all_readers_of_a_stream_are_named() -> None:
    """However many pages that takes."""
    service = Pages(3)
    tables = AwsInspection(service, SimpleNamespace(client=lambda *_, **__: service), Config())  # type: ignore[arg-type]
    answer = tables.ask(Question.CONSUMERS, {**FIT, "LatestStreamArn": "arn"})
    assert (answer, service.read) == ({"EventSourceMappings": [{}]}, 3)


@dataclass
class Pages:
    """A service whose lists are empty but for their last page."""

    pages: int
    read: int = 0

    def list_backups(self, **request: str) -> Any:
        return self._page("BackupSummaries", "LastEvaluatedBackupArn", request.get("ExclusiveStartBackupArn"))

    def list_exports(self, **request: str) -> Any:
        return self._page("ExportSummaries", "NextToken", request.get("NextToken"))

    def list_recovery_points_by_resource(self, **request: str) -> Any:
        return self._page("RecoveryPoints", "NextToken", request.get("NextToken"))

    def list_event_source_mappings(self, **request: str) -> Any:
        return self._page("EventSourceMappings", "NextMarker", request.get("Marker"))

    def _page(self, items: str, token: str, after: str | None) -> Any:
        assert after == (str(self.read) if self.read else None)
        self.read += 1
        return {items: [{}]} if self.read == self.pages else {items: [], token: str(self.read)}


def test_what_cannot_be_seen_is_named() -> None:
    """At the end of each answer."""
    answer = operator(Tables()).types("preflight", "Shipments", columns=200)
    assert (answer.code, answer.out.startswith("Shipments (orders)")) == (0, True)
    assert not [each for each in NOT_SEEN if each not in answer.out]
    assert answer.out.splitlines()[-1] == "0 lines block Lapse. Nothing else to look at."


def test_all_tables_for_programs() -> None:
    """The rules of one table are not those of the other."""
    answer = operator(Tables({"TableStatus": "UPDATING"})).types("preflight", "--json")
    assert (answer.code, answer.json["fit"], answer.json["not_seen"]) == (1, False, list(NOT_SEEN))
    found = {
        (each["table"], each["name"], remark["about"]): remark["verdict"]
        for each in answer.json["tables"]
        for remark in each["remarks"]
    }
    assert found["Contacts", "people", "key"] == "blocks Lapse"
    assert found["Shipments", "orders", "key"] == "good"


def test_a_list_of_remarks() -> None:
    """What cannot be seen goes to stderr."""
    answer = operator(Tables()).types("preflight", "Shipments", "--csv")
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert rows[0] == {
        "table": "Shipments",
        "name": "orders",
        "about": "status",
        "verdict": "good",
        "what": "Active.",
    }
    assert answer.err.splitlines() == [f"Not seen: {each}." for each in NOT_SEEN]


def test_an_unknown_table_is_a_trouble() -> None:
    """The policy's tables are named."""
    answer = operator(Tables()).types("preflight", "Orders")
    assert (answer.code, "It has Contacts, Shipments." in answer.said) == (1, True)


@pytest.fixture
def account() -> Iterator[Controls]:
    """On moto."""
    with deployed() as found:
        yield found


def test_a_real_table_is_asked_all_there_is(account: Controls) -> None:
    """Each call is one that DynamoDB, Lambda and AWS Backup know, with the right parameters."""
    client, name = account.inspection.dynamodb, account.stores.tables["Shipments"]  # type: ignore[attr-defined]
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    client.update_table(TableName=name, StreamSpecification=stream, DeletionProtectionEnabled=True)
    client.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    client.create_backup(TableName=name, BackupName="before-release")
    answer = Operator().types("preflight", "Shipments", "--json", connect=lambda: account)
    (table,) = answer.json["tables"]
    found = {each["about"]: each["verdict"] for each in table["remarks"]}
    assert "unknown" not in found.values(), table
    looks = {about for about, verdict in found.items() if verdict == "look at this"}
    assert looks == {"stream", "functions at the stream", "point-in-time recovery", "backups on demand"}
    assert (answer.code, "blocks Lapse" in found.values()) == (0, False)
