"""Exports and copies of seals as files: whole or not there; and what the bucket's first versions are."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lapse.aws_seals import StackSeals
from lapse.ledger_file import lines_of, read_lines, write_whole
from lapse.seals import LastSeal, SealFile, keep_seals
from lapse.trouble import TroubleError
from shared.ledger_batch import BEGINNING, Batch, chained, seal
from tests.builders import NOW
from tests.operators import Operator
from tests.sealing import Sealing, entry_at

BATCH = chained("03", BEGINNING, [seal(entry_at(NOW, reason="Ünï 😀"), b"salt" * 4)])


def test_an_export_reads_as_it_was(tmp_path: Path) -> None:
    """A line that says what it is, then each batch, whatever letters it has."""
    file = tmp_path / "ledger.jsonl"
    assert write_whole(file, lines_of("lapse", NOW, [BATCH])) == 2
    head = json.loads(file.read_text().splitlines()[0])
    assert head == {"v": 1, "what": "lapse ledger export", "stack": "lapse", "at": "2026-08-25T10:15:00Z"}
    assert list(read_lines(file)) == [BATCH]


def test_a_forged_number_is_exported(tmp_path: Path) -> None:
    """As a text, which the verifier finds: an export leaves nothing out."""
    file = tmp_path / "ledger.jsonl"
    write_whole(file, lines_of("lapse", NOW, [Batch(**{**BATCH, "seq": Decimal("2.5")})]))
    assert json.loads(file.read_text().splitlines()[1])["seq"] == "2.5"
    assert list(read_lines(file)) == [None]


def test_half_an_export_is_none(tmp_path: Path) -> None:
    """One that fails leaves an earlier file as it was."""
    file = tmp_path / "ledger.jsonl"
    file.write_text("before")

    def failing() -> Any:
        yield "half"
        raise TroubleError("canary")

    with pytest.raises(TroubleError, match="canary"):
        write_whole(file, failing())
    assert file.read_text() == "before"
    with pytest.raises(TroubleError, match="--out: the file cannot be written"):
        write_whole(tmp_path / "nowhere" / "file", [])


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "canary",
            "[]",
            '{"v": 1}',
            '{"v": 2, "what": "lapse ledger export"}',
            '{"v": 1, "what": "canary"}',
        ),
        *('{"what": "lapse ledger export", "v": 1}', '{"v": 1.0, "what": "lapse ledger export", "at": ""}'),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, text: str) -> None:
    """And nothing of it is repeated."""
    file = tmp_path / "ledger.jsonl"
    file.write_text(text)
    with pytest.raises(TroubleError, match="^EXPORT: the file is none of `lapse ledger export`.$"):
        list(read_lines(file))


@pytest.mark.parametrize(
    "line",
    [
        *("[]", "7", "{", "", "[" * 100_000, "{}", '{"seq": null}', '{"seq": true}', '{"seq": "1"}'),
        *(
            f'{{"seq": {number}}}'
            for number in ("1.0", "1e0", "NaN", "Infinity", 2**53, -(2**53), "1" * 5000)
        ),
        *('{"seq": 1, "seq": 1}', '{"seq": 1, "more": 0.5}'),
    ],
)
def test_a_line_that_is_no_batch_is_none(tmp_path: Path, line: str) -> None:
    """Whoever reads it says which line that is."""
    file = tmp_path / "ledger.jsonl"
    write_whole(file, [*lines_of("lapse", NOW, []), line, json.dumps(BATCH)])
    assert list(read_lines(file)) == [None, BATCH]


def test_an_object_is_answered(tmp_path: Path) -> None:
    """How many batches and seals, for scripts."""
    operator = Operator()
    operator.ledger.forged[3] = [BATCH]
    operator.seals.kept = [SealFile("seals/0000000001.json", "{}"), SealFile("keys/ab.pem", "key")]
    file = tmp_path / "ledger.jsonl"
    assert operator.types("ledger", "export", "--out", file, "--json").json == {
        "file": str(file),
        "batches": 1,
    }
    copied = operator.types("ledger", "seals", "--out", tmp_path, "--json").json
    assert copied == {"seals": 1, "public_keys": 1, "new": 2}
    assert (tmp_path / "keys" / "ab.pem").read_text() == "key"


def test_the_first_version_counts() -> None:
    """A newer one is somebody's who could not remove the first; so is a mark that it was deleted."""
    with mock_aws():
        s3: Any = boto3.client("s3", "eu-west-1", aws_access_key_id="t", aws_secret_access_key="t")
        s3.create_bucket(Bucket="seals", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket="seals", VersioningConfiguration={"Status": "Enabled"})
        names = ["keys/ab.pem", "seals/0000000001.json", "seals/0000000002.json"]
        for version in ("first", "second", "third"):
            for name in names:
                s3.put_object(Bucket="seals", Key=name, Body=version.encode())
        s3.delete_object(Bucket="seals", Key=names[1])
        s3.put_object(Bucket="seals", Key="other", Body=b"canary")
        files = list(StackSeals(s3, lambda: "seals").files())
    assert files == [SealFile(name, "first") for name in names]


def test_the_last_seal_is_known() -> None:
    """Its number and instant, or that there is none."""
    sealing = Sealing()
    sealing.run()
    with mock_aws():
        s3: Any = boto3.client("s3", "eu-west-1", aws_access_key_id="t", aws_secret_access_key="t")
        s3.create_bucket(Bucket="seals", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        seals = StackSeals(s3, lambda: "seals")
        assert seals.last() is None
        text = json.dumps({"body": sealing.last.body, "signature": ""})
        s3.put_object(Bucket="seals", Key="seals/0000000001.json", Body=text.encode())
        s3.put_object(Bucket="seals", Key="seals/9999999999.json", Body=b"canary")  # no seal: passed over
        assert seals.last() == LastSeal(1, NOW, sealing.last.heads, sealing.last.unnaming)


def test_a_stack_without_seals_says_so() -> None:
    """An older one."""

    def older() -> str:
        raise TroubleError("The stack has no output SealBucketName.", "Deploy this version of Lapse.")

    s3: Any = None
    with pytest.raises(TroubleError, match="SealBucketName"):
        StackSeals(s3, older).last()
    with pytest.raises(TroubleError, match="SealBucketName"):
        list(StackSeals(s3, older).files())


def test_a_seal_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full halfway leaves nothing that looks like another seal the next time."""

    class Here:
        def last(self) -> None: ...

        def files(self) -> Iterator[SealFile]:
            yield SealFile("seals/0000000001.json", "seal\n")

    def full(_from: Path, _to: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(TroubleError, match="No space left"):
            keep_seals(Here(), tmp_path, lambda _: None)
    assert list((tmp_path / "seals").iterdir()) == []
    assert keep_seals(Here(), tmp_path, lambda _: None).new == 1
    assert keep_seals(Here(), tmp_path, lambda _: None).new == 0
    assert [each.name for each in (tmp_path / "seals").iterdir()] == ["0000000001.json"]
