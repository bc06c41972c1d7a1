"""What DescribeTable says about a business table, and what that means for its rules."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lapse.preflight import Judge, Remark, Verdict
from shared.policy import Rule

_GOOD, _LOOK, _BLOCKS = Verdict.GOOD, Verdict.LOOK, Verdict.BLOCKS


def _status(table: Mapping[str, Any], _: Sequence[Rule]) -> Iterator[Remark]:
    status = table["TableStatus"]
    if status == "ACTIVE":
        yield Remark("status", _GOOD, "Active.")
    elif status == "UPDATING":
        yield Remark("status", _LOOK, "It is being changed; it can be used meanwhile.")
    else:
        yield Remark("status", _BLOCKS, f"{status}: nothing can be read or erased.")


def _key(table: Mapping[str, Any], rules: Sequence[Rule]) -> Iterator[Remark]:
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    key = {each["AttributeName"]: types[each["AttributeName"]] for each in table["KeySchema"]}
    written = ", ".join(f"{name} ({kind})" for name, kind in key.items())
    wrong = [rule.id for rule in rules if {name: part.type for name, part in rule.key.items()} != key]
    if wrong:
        yield Remark("key", _BLOCKS, f"It is {written}: {', '.join(wrong)} would find no record.")
    else:
        yield Remark("key", _GOOD, f"{written}, as the rules name it.")


def _stream(table: Mapping[str, Any], _: Sequence[Rule]) -> Iterator[Remark]:
    stream = table.get("StreamSpecification", {})
    if not stream.get("StreamEnabled") and table.get("LatestStreamArn"):
        what = "Off, but there was one: for 24 hours after it is switched off, what it keeps can be read."
        yield Remark("stream", _LOOK, what)
        return
    if not stream.get("StreamEnabled"):
        yield Remark("stream", _GOOD, "None: no old image is kept.")
        return
    kind = stream.get("StreamViewType", "")
    if kind == "KEYS_ONLY":
        yield Remark("stream", _GOOD, "Of keys only: no field is in it.")
        return
    images = "old images" if "OLD" in kind else "what was written"
    what = f"{kind}: a stream keeps {images}, erased fields too, for 24 hours for whoever reads it."
    yield Remark("stream", _LOOK, what)


def _replicas(table: Mapping[str, Any], _: Sequence[Rule]) -> Iterator[Remark]:
    here = str(table.get("TableArn", "")).split(":")[3:4]
    regions = sorted({each["RegionName"] for each in table.get("Replicas", [])} - set(here))
    if not regions:
        yield Remark("replicas", _GOOD, "None: this region is the only writer.")
    elif table.get("MultiRegionConsistency") == "STRONG":
        what = f"In {', '.join(regions)}, strongly consistent: no transactions, which holds need."
        yield Remark("replicas", _BLOCKS, what)
    else:
        yield Remark(
            "replicas",
            _BLOCKS,
            f"In {', '.join(regions)}: conditions hold within one region, so a writer there may bring an "
            "erased field back, or lose a hold's mark. Make sure that this region alone writes.",
        )


def _indexes(table: Mapping[str, Any], rules: Sequence[Rule]) -> Iterator[Remark]:
    erased = {path[0] for rule in rules for path in rule.erase}
    indexes = [
        *(("global", each) for each in table.get("GlobalSecondaryIndexes", [])),
        *(("local", each) for each in table.get("LocalSecondaryIndexes", [])),
    ]
    found = [remark for kind, each in indexes for remark in _index(kind, each, erased)]
    yield from found or [Remark("indexes", _GOOD, "None has a field that the policy erases.")]


def _index(kind: str, index: Mapping[str, Any], erased: set[str]) -> Iterator[Remark]:
    about, name = f"{kind} index", index["IndexName"]
    keyed = sorted(erased & {each["AttributeName"] for each in index["KeySchema"]})
    projection = index.get("Projection", {})
    everything = projection.get("ProjectionType") == "ALL"
    held = sorted(erased if everything else erased & set(projection.get("NonKeyAttributes", [])))
    if keyed:
        what = f"{name} is keyed by {', '.join(keyed)}: once erased, the record is not found by it any more."
        yield Remark(about, _LOOK, what)
    elif held:
        what = f"{name} projects {', '.join(held)}: they leave it a moment later, at another write unit."
        yield Remark(about, _LOOK, what)


def _encryption(table: Mapping[str, Any], _: Sequence[Rule]) -> Iterator[Remark]:
    encryption = table.get("SSEDescription", {})
    if encryption.get("InaccessibleEncryptionDateTime"):
        yield Remark("encryption", _BLOCKS, "Its key cannot be used any more: nothing can be read or erased.")
    elif encryption.get("SSEType") == "KMS":
        what = "By a KMS key: unless it is AWS's own, Lapse's roles need it (parameter KmsKeyArn)."
        yield Remark("encryption", _LOOK, what)
    else:
        yield Remark("encryption", _GOOD, "By a key of DynamoDB's own.")


def _protection(table: Mapping[str, Any], _: Sequence[Rule]) -> Iterator[Remark]:
    if table.get("DeletionProtectionEnabled"):
        yield Remark("deletion protection", _GOOD, "On.")
    else:
        what = "Off: whoever deletes the table deletes what the policy keeps as proof."
        yield Remark("deletion protection", _LOOK, what)


JUDGES: Sequence[Judge] = (_status, _key, _replicas, _stream, _indexes, _encryption, _protection)
