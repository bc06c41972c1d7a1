"""What else is asked about a business table: its copies, its TTL, who reads it; and what nobody can ask."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lapse.answer import counted
from lapse.preflight import Check, Question, Remark, Verdict
from shared.policy import Rule

_GOOD, _LOOK, _UNKNOWN = Verdict.GOOD, Verdict.LOOK, Verdict.UNKNOWN
_MORE = ("LastEvaluatedBackupArn", "NextToken", "NextMarker")
_NOT_ALL = "Not all of the list was read: look yourself."
_LONGEST = 35
"""Days that DynamoDB keeps for point-in-time recovery, unless told otherwise."""

NOT_SEEN = (
    "exports to S3 that are older than 90 days, and copies that were made of any export",
    "who reads a stream, but for Lambda functions of this account and region",
    "readers, caches and search indexes of business systems, data warehouses, other regions",
    "logs of business systems, and what they print",
)
"""What no call tells."""


def _backups(answer: Mapping[str, Any], _: Sequence[Rule]) -> Iterator[Remark]:
    recovery = answer.get("ContinuousBackupsDescription", {}).get("PointInTimeRecoveryDescription", {})
    about = "point-in-time recovery"
    if recovery.get("PointInTimeRecoveryStatus") == "ENABLED":
        days = recovery.get("RecoveryPeriodInDays", _LONGEST)
        what = f"On: a restored table has erased fields again for {days} days; then run lapse restore."
        yield Remark(about, _LOOK, what)
    else:
        yield Remark(about, _GOOD, "Off: it keeps no erased field. Nor can the table be restored by it.")


def _ttl(answer: Mapping[str, Any], rules: Sequence[Rule]) -> Iterator[Remark]:
    described = answer.get("TimeToLiveDescription", {})
    if described.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"}:
        yield Remark("TTL", _GOOD, "Off: DynamoDB deletes no record of its own accord.")
        return
    name = described["AttributeName"]
    erased = any(path == (name,) for rule in rules for path in rule.erase)
    yield Remark("TTL", _LOOK, f"By {name}: whole records go, held ones and what the policy keeps, too.")
    if erased:
        yield Remark("TTL", _LOOK, f"The policy erases {name}: then TTL deletes such a record no more.")


def _on_demand(answer: Mapping[str, Any], _: Sequence[Rule]) -> Iterator[Remark]:
    yield _copies("backups on demand", "backup", len(answer.get("BackupSummaries", [])), answer)


def _aws_backup(answer: Mapping[str, Any], _: Sequence[Rule]) -> Iterator[Remark]:
    yield _copies("AWS Backup", "recovery point", len(answer.get("RecoveryPoints", [])), answer)


def _exports(answer: Mapping[str, Any], _: Sequence[Rule]) -> Iterator[Remark]:
    yield _copies("exports", "export", len(answer.get("ExportSummaries", [])), answer)


def _copies(about: str, what: str, number: int, answer: Mapping[str, Any]) -> Remark:
    if not number:
        return (
            Remark(about, _UNKNOWN, _NOT_ALL) if _goes_on(answer) else Remark(about, _GOOD, "None is listed.")
        )
    more = " or more" if _goes_on(answer) else ""
    keeps = (
        f"{counted(number, what)}{more}: erased fields stay in what was copied before, until it is deleted."
    )
    return Remark(about, _LOOK, keeps)


def _goes_on(answer: Mapping[str, Any]) -> bool:
    """Whether there are pages that were not read."""
    return any(answer.get(each) for each in _MORE)


def _kinesis(answer: Mapping[str, Any], _: Sequence[Rule]) -> Iterator[Remark]:
    running = {"ACTIVE", "ENABLING", "UPDATING"}
    streams = answer.get("KinesisDataStreamDestinations", [])
    number = sum(each.get("DestinationStatus") in running for each in streams)
    if number:
        what = f"{counted(number, 'Kinesis stream')}: old images stay there for as long as it keeps them."
        yield Remark("Kinesis", _LOOK, what)
    else:
        yield Remark("Kinesis", _GOOD, "No change goes to a Kinesis stream.")


def _shared(answer: Mapping[str, Any], _: Sequence[Rule]) -> Iterator[Remark]:
    if answer.get("Policy"):
        what = "It has a resource policy: others may read or write it, as that says."
        yield Remark("access by others", _LOOK, what)
    else:
        yield Remark("access by others", _GOOD, "No resource policy: only this account's own roles.")


def _consumers(answer: Mapping[str, Any], _: Sequence[Rule]) -> Iterator[Remark]:
    arns = [each.get("FunctionArn", "") for each in answer.get("EventSourceMappings", [])]
    names = sorted({arn.partition(":function:")[2] for arn in arns})
    if names:
        what = f"{', '.join(names)}: what they keep of old images, Lapse does not erase."
        yield Remark("functions at the stream", _LOOK, what)
    elif _goes_on(answer):
        yield Remark("functions at the stream", _UNKNOWN, _NOT_ALL)
    else:
        yield Remark(
            "functions at the stream", _GOOD, "No Lambda function of this region reads a stream of it."
        )


CHECKS = (
    Check("functions at the stream", Question.CONSUMERS, _consumers),
    Check("Kinesis", Question.KINESIS, _kinesis),
    Check("point-in-time recovery", Question.BACKUPS, _backups),
    Check("backups on demand", Question.ON_DEMAND, _on_demand),
    Check("AWS Backup", Question.AWS_BACKUP, _aws_backup),
    Check("exports", Question.EXPORTS, _exports),
    Check("TTL", Question.TTL, _ttl),
    Check("access by others", Question.SHARED, _shared),
)
