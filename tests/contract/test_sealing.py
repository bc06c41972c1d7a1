"""Sealing on moto: each call may fail, be made twice or be the last, and the next run makes it whole."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from moto import mock_aws

from shared import seal, seal_ledger
from shared.failure import CallFailedError
from shared.last_seal import foregoing
from shared.ledger import verify
from shared.ledger_index import index_partition
from shared.ledger_names import NamesOfLedger
from shared.ledger_table import LedgerTable
from shared.record import RecordRef
from shared.seal import sealed
from shared.seal_bucket import SealBucket
from shared.seal_ledger import Pace, Ports, SealReport
from shared.signing_key import KmsKey
from shared.tally import Count
from tests.builders import NOW, policy, shipment_ref
from tests.sealing import LocalKey, entry_at
from tests.worlds import make_table

LONG_AGO = NOW - policy().names_retain - timedelta(days=1)
STAFF = {"by": "staff-1", "case_ref": "CASE-1"}
RECORD = shipment_ref()
OTHERS = [each for each in (shipment_ref(f"S-{n}") for n in range(999)) if each.shard == RECORD.shard]


class Crashed(BaseException):
    """The function is gone."""


class Watched:
    """A client that ends it all before or after its nth call."""

    def __init__(self, client: Any, crash: "Crash") -> None:
        self.client, self.crash = client, crash

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.client, name)
        return call if name == "get_paginator" else lambda **given: self.crash.around(call, given)


@dataclass
class Crash:
    """When it happens: numbers count from 0, and each call has a before and an after."""

    at: int = -1
    calls: int = 0

    def around(self, call: Any, given: dict[str, Any]) -> Any:
        self._maybe()
        answer = call(**given)
        self._maybe()
        return answer

    def _maybe(self) -> None:
        self.calls += 1
        if self.calls - 1 == self.at:
            raise Crashed


@dataclass
class Deployed:
    """Tables and a bucket."""

    dynamodb: Any
    s3: Any
    key: LocalKey

    def run(self, now: datetime = NOW, crash: Crash | None = None, **hands: Any) -> SealReport:
        watched = crash or Crash()
        ledger = NamesOfLedger(hands.get("dynamodb") or Watched(self.dynamodb, watched), "ledger")  # type: ignore[arg-type]
        seals = SealBucket(hands.get("s3") or Watched(self.s3, watched), "seals")  # type: ignore[arg-type]
        pace = Pace(clock=lambda: now, time_left=lambda: timedelta(minutes=15))
        return seal_ledger.seal_ledger(policy(), Ports(ledger, seals, self.key), pace, by_hand=False)

    @property
    def ledger(self) -> LedgerTable:
        return LedgerTable(self.dynamodb, "ledger")

    def items(self) -> list[dict[str, Any]]:
        """All that the ledger's table holds."""
        items: list[dict[str, Any]] = self.dynamodb.scan(TableName="ledger")["Items"]
        return items

    def rows(self) -> list[tuple[str, int]]:
        """The index."""
        rows = [(each["shard"]["S"], int(each["seq"]["N"])) for each in self.items()]
        return sorted(each for each in rows if each[0].startswith("of#"))

    def seals(self) -> list[str]:
        return [each["Key"] for each in self.s3.list_objects_v2(Bucket="seals", Prefix="seals/")["Contents"]]


@pytest.fixture
def deployed() -> Iterator[Deployed]:
    """Two old batches and a young one, about records that are named in several; a crash left a row behind."""
    with mock_aws():
        session = boto3.Session("test", "test", region_name="eu-west-1")
        dynamodb, s3 = session.client("dynamodb"), session.client("s3")
        make_table(dynamodb, "ledger", {"shard": "S", "seq": "N"})
        where: Any = {"LocationConstraint": "eu-west-1"}
        s3.create_bucket(Bucket="seals", CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
        retention: Any = {
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 2557}},
        }
        s3.put_object_lock_configuration(Bucket="seals", ObjectLockConfiguration=retention)
        world = Deployed(dynamodb, s3, LocalKey())
        old = [entry_at(LONG_AGO, record=each.text) for each in (RECORD, RECORD, OTHERS[0])]
        world.ledger.append(RECORD.shard, old)
        told = [entry_at(LONG_AGO, details=STAFF), entry_at(LONG_AGO, record="", details=STAFF)]
        world.ledger.append(RECORD.shard, told)
        world.ledger.append(RECORD.shard, [entry_at(NOW), entry_at(NOW, record=OTHERS[1].text)])
        stray = next(item for item in world.items() if "lines" in item)
        dynamodb.put_item(TableName="ledger", Item={**stray, "seq": {"N": "0"}})
        yield world


def names_of(world: Deployed, record: RecordRef) -> list[int]:
    return [int(each.seq) for each in world.ledger.entries_of(record)]


def as_it_should_be(world: Deployed) -> None:
    """Whole chains, sealed; old names gone with their rows, young ones there."""
    batches = list(world.ledger.batches(RECORD.shard))
    assert list(verify(f"{RECORD.shard:02}", batches)) == []
    assert [batch["names"] is None for batch in batches] == [True, True, False]
    assert (names_of(world, RECORD), names_of(world, OTHERS[0]), names_of(world, OTHERS[1])) == ([3], [], [3])
    assert [seq for _, seq in world.rows()] == [3, 3]
    assert not any(word in str(item) for item in world.items() for word in ("staff-1", "CASE-1"))
    last = foregoing(SealBucket(world.s3, "seals"), world.key).seal
    assert last is not None
    assert last.heads[f"{RECORD.shard:02}"] == world.ledger.end(RECORD.shard)


def test_a_run_seals_and_drops(deployed: Deployed) -> None:
    """The key beside the seals, as PEM."""
    report = deployed.run()
    assert report.failures == ()
    as_it_should_be(deployed)
    assert report.sealed
    assert deployed.seals() == ["seals/0000000001.json"]
    pem = deployed.s3.get_object(Bucket="seals", Key=f"keys/{report.sealed.public_key}.pem")["Body"].read()
    assert load_pem_public_key(pem) == deployed.key.private.public_key()


@pytest.fixture
def one_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the ledger had no other: a run has few calls then."""
    for module in (seal, seal_ledger):
        monkeypatch.setattr(module, "CHAINS", (f"{RECORD.shard:02}",))


MOMENTS = 26
"""Before and after each call of a run."""


def test_what_is_to_be_locked_has_a_checksum(deployed: Deployed) -> None:
    """S3 refuses it otherwise, however boto3 is set; moto does not."""
    sent: list[Any] = []
    quiet = Config(request_checksum_calculation="when_required")
    s3 = boto3.Session("test", "test", region_name="eu-west-1").client("s3", config=quiet)
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers))
    deployed.run(s3=s3)
    assert [headers["x-amz-sdk-checksum-algorithm"] for headers in sent] == [b"SHA256"] * 2  # key and seal


@pytest.mark.usefixtures("one_chain")
def test_the_moments_are_all(deployed: Deployed) -> None:
    """Of the run whose crashes the next test goes through."""
    deployed.run(crash=(crash := Crash()))
    assert crash.calls == MOMENTS


@pytest.mark.usefixtures("one_chain")
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_crash_anywhere_is_made_good_by_the_next_run(deployed: Deployed, moment: int) -> None:
    """Once the day is over all is as it should be, and no seal is missing or twice."""
    with pytest.raises(Crashed):
        deployed.run(crash=Crash(moment))
    deployed.run(NOW + timedelta(days=1))
    as_it_should_be(deployed)
    assert [int(name[6:16]) for name in deployed.seals()] == list(range(1, len(deployed.seals()) + 1))


def test_two_runs_at_once_make_one_seal(deployed: Deployed) -> None:
    """The second puts nothing over the first's, and drops nothing."""

    class Overtaken(Watched):
        def __getattr__(self, name: str) -> Any:
            if name == "put_object" and not self.crash.calls:
                self.crash.calls = 1
                deployed.run()
            return getattr(self.client, name)

    report = deployed.run(s3=Overtaken(deployed.s3, Crash()))
    assert report.sealed is None
    assert len(deployed.s3.list_object_versions(Bucket="seals", Prefix="seals/")["Versions"]) == 1
    as_it_should_be(deployed)


def test_a_seal_whose_answer_was_lost_is_its_own(deployed: Deployed) -> None:
    """The SDK tries again and is told that the name is taken: by this very seal."""

    class Losing(Watched):
        def put_object(self, **given: Any) -> Any:
            if given["Key"].startswith("seals/"):
                self.client.put_object(**given)
            return self.client.put_object(**given)

    assert deployed.run(s3=Losing(deployed.s3, Crash())).sealed
    as_it_should_be(deployed)


def test_a_seal_that_another_run_is_just_writing_is_not_its_own(deployed: Deployed) -> None:
    """S3 says so of two puts at the same moment: this run gives up quietly, and drops nothing."""

    class Conflicting(Watched):
        def put_object(self, **given: Any) -> Any:
            if given["Key"].startswith("seals/"):
                raise ClientError({"Error": {"Code": "ConditionalRequestConflict"}}, "PutObject")
            return self.client.put_object(**given)

    report = deployed.run(s3=Conflicting(deployed.s3, Crash()))
    assert (report.sealed, report.failures) == (None, ())
    assert names_of(deployed, RECORD) == [1, 1, 2, 3]


def test_a_refused_call_leaves_all_as_it_was(deployed: Deployed) -> None:
    """And says which."""

    class Denied(Watched):
        def put_object(self, **_given: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")

    with pytest.raises(CallFailedError, match="^PutObject: AccessDenied$"):
        deployed.run(s3=Denied(deployed.s3, Crash()))
    assert names_of(deployed, RECORD) == [1, 1, 2, 3]


@pytest.mark.parametrize("number", [2, 9, 9999999999])
@pytest.mark.parametrize(
    "what", ["canary", "a body", "bytes", "another number", "forged", "their key", "large"]
)
def test_what_is_no_seal_of_ours_does_not_stop_the_sealing(
    deployed: Deployed, number: int, what: str
) -> None:
    """It goes on behind the last sound seal, at the next free number; the object is counted, and told."""
    first = deployed.run().sealed
    assert first
    forged = replace(first, number=number, previous="", unnaming=dict.fromkeys(first.unnaming, 9))
    theirs = LocalKey()
    of_theirs = replace(forged, public_key=sha256(theirs.public()).hexdigest())
    text = {
        "canary": b"canary",
        "a body": b'{"body": "{}", "signature": ""}',
        "bytes": b"\xff\xfe",
        "another number": sealed(first.body, deployed.key.sign(first.digest)).encode(),
        "forged": sealed(forged.body, theirs.sign(forged.digest)).encode(),
        "their key": sealed(of_theirs.body, theirs.sign(of_theirs.digest)).encode(),
        "large": b" " * 2**16 + sealed(forged.body, deployed.key.sign(forged.digest)).encode(),
    }[what]
    name = f"seals/{number:010}.json"
    deployed.s3.put_object(Bucket="seals", Key=name, Body=text)
    report = deployed.run(NOW + timedelta(days=1))
    assert report.sealed
    free = 3 if number == 2 else 2
    assert (report.sealed.number, report.sealed.previous) == (free, first.digest.hex())
    assert (report.tally.counts[Count.FOREIGN_SEALS], report.failures) == (1, ())
    assert [f"seal {number}: " in each for each in report.findings] == [True]
    assert "canary" not in str(report.findings)
    again = deployed.run(NOW + timedelta(days=2))
    assert again.sealed
    assert (again.sealed.number, again.sealed.previous) == (free + 1, report.sealed.digest.hex())


@pytest.mark.parametrize(
    "code", ["AccessDenied", "InvalidRequest", "InvalidObjectState", "KMS.DisabledException"]
)
def test_an_object_that_nobody_can_read_is_passed_over(deployed: Deployed, code: str) -> None:
    """Encrypted by somebody's key, or archived; but if it may be the only seal, nothing is sealed anew."""

    class Failing(Watched):
        def get_object(self, **given: Any) -> Any:
            if given["Key"] in failing:
                raise ClientError({"Error": {"Code": code}}, "GetObject")
            return self.client.get_object(**given)

    failing = {"seals/0000000002.json"}
    first = deployed.run().sealed
    deployed.s3.put_object(Bucket="seals", Key="seals/0000000002.json", Body=b"canary")
    report = deployed.run(NOW + timedelta(days=1), s3=Failing(deployed.s3, Crash()))
    assert first
    assert report.sealed
    assert (report.sealed.number, report.sealed.previous) == (3, first.digest.hex())
    assert report.findings == (f"seal 2: it cannot be read ({code})",)
    failing |= {"seals/0000000001.json", "seals/0000000003.json"}
    with pytest.raises(CallFailedError, match=f"^GetObject: {code}$"):
        deployed.run(NOW + timedelta(days=2), s3=Failing(deployed.s3, Crash()))
    assert len(deployed.seals()) == 3


def test_a_seal_that_cannot_be_read_just_now_is_waited_for(deployed: Deployed) -> None:
    """Nothing is built upon the one before: the next run tries again."""

    class Failing(Watched):
        def get_object(self, **_given: Any) -> Any:
            raise ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")

    deployed.run()
    with pytest.raises(CallFailedError, match="^GetObject: SlowDown$"):
        deployed.run(NOW + timedelta(days=1), s3=Failing(deployed.s3, Crash()))
    assert len(deployed.seals()) == 1


def test_what_is_no_seal_is_passed_over(deployed: Deployed) -> None:
    """Whatever else somebody puts beside them."""
    deployed.s3.put_object(Bucket="seals", Key="seals/readme.txt", Body=b"canary")
    deployed.run()
    assert deployed.run(NOW + timedelta(days=1)).sealed


@pytest.mark.parametrize(
    ("odd", "dropped"),
    [
        (["", "[", "7", '"ab"', "{}", "[7]", '["ab"]', '[{"a":1,"b":2}]', "[[]]", '[["s",7,{}]]'], []),
        (['[["s","\\ud800",{}]]', '[["s","",{"by":"staff-1"}]]', "[" * 100_000], []),
        ([f'[null,["s",{json.dumps(RECORD.text)}],7]'], [RECORD]),
    ],
)
def test_names_that_cannot_be_read_go_with_the_others(
    deployed: Deployed, odd: list[str], dropped: list[RecordRef]
) -> None:
    """With the rows of the records that can, also by a name of format 2; others' rows stay."""
    ledger = NamesOfLedger(deployed.dynamodb, "ledger")
    (batch, *_), rows = deployed.ledger.batches(RECORD.shard), deployed.rows()
    for names in odd:
        ledger.drop_names({**batch, "names": names})
        key = {"shard": {"S": batch["shard"]}, "seq": {"N": "1"}}
        assert "names" not in deployed.dynamodb.get_item(TableName="ledger", Key=key)["Item"]
        value = {":names": {"S": names}}
        deployed.dynamodb.update_item(
            TableName="ledger",
            Key=key,
            UpdateExpression="SET #names = :names",
            ExpressionAttributeNames={"#names": "names"},
            ExpressionAttributeValues=value,
        )
    named = {index_partition(each.text) for each in dropped}
    gone = {(partition, seq) for partition, seq in rows if partition in named and seq <= 1}
    assert set(rows) - set(deployed.rows()) == gone


def test_names_that_are_gone_already_make_no_item(deployed: Deployed) -> None:
    """An update of what is not there would."""
    deployed.run()
    batch = next(iter(deployed.ledger.batches(RECORD.shard)))
    NamesOfLedger(deployed.dynamodb, "ledger").drop_names({**batch, "seq": 77, "names": "canary"})
    assert len(list(deployed.ledger.batches(RECORD.shard))) == 3


def test_kms_signs_a_digest() -> None:
    """With the algorithm that the seals are verified by."""
    asked: list[dict[str, Any]] = []

    class Kms:
        def get_public_key(self, **given: Any) -> Any:
            asked.append(given)
            return {"PublicKey": b"public"}

        def sign(self, **given: Any) -> Any:
            asked.append(given)
            return {"Signature": b"signature"}

        def verify(self, **given: Any) -> Any:
            asked.append(given)
            if given["Signature"] == b"signature":
                return {"SignatureValid": True}
            raise ClientError({"Error": {"Code": given["Signature"].decode()}}, "Verify")

    key = KmsKey(Kms(), "arn")
    assert (key.public(), key.sign(b"digest")) == (b"public", b"signature")
    how = {"MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
    assert asked == [{"KeyId": "arn"}, {"KeyId": "arn", "Message": b"digest", **how}]
    assert key.has_signed(b"digest", b"signature")
    assert asked[2:] == [{"KeyId": "arn", "Message": b"digest", "Signature": b"signature", **how}]
    assert not key.has_signed(b"digest", b"KMSInvalidSignatureException")
    with pytest.raises(CallFailedError, match="^Verify: KMSInternalException$"):
        key.has_signed(b"digest", b"KMSInternalException")
    assert not any(key.has_signed(b"digest", none) for none in (b"", b"s" * 73))
    assert len(asked) == 5


def test_the_names_of_seals_are_in_order(deployed: Deployed) -> None:
    """Also beyond nine of them."""
    for day in range(11):
        deployed.run(NOW + timedelta(days=day))
    bodies = [
        json.loads(json.loads(deployed.s3.get_object(Bucket="seals", Key=name)["Body"].read())["body"])
        for name in deployed.seals()
    ]
    assert [body["number"] for body in bodies] == list(range(1, 12))
