"""The seals of a deployed Lapse, in their bucket."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapse.seals import LastSeal, SealFile
from shared.aws import failures_of
from shared.seal_bucket import KEYS, SEALS, SealBucket

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class StackSeals:
    """The stack's bucket, whose name is asked for when it is needed: an older stack has none."""

    client: "S3Client"
    bucket: "Callable[[], str]"

    def last(self) -> LastSeal | None:
        """As `Seals.last`."""
        seal = SealBucket(self.client, self.bucket()).last()
        return LastSeal(seal.number, seal.at, seal.heads, seal.unnaming) if seal else None

    def files(self) -> Iterator[SealFile]:
        """As `Seals.files`: of each object its first version, which is the one that is locked the longest."""
        bucket = self.bucket()
        for name, version in self._first_versions(bucket):
            with failures_of("GetObjectVersion"):
                answer = self.client.get_object(Bucket=bucket, Key=name, VersionId=version)
                text = answer["Body"].read().decode(errors="replace")
            yield SealFile(name, text)

    def _first_versions(self, bucket: str) -> Iterator[tuple[str, str]]:
        """Name and version of each object; S3 lists them by name, and of each the newest version first."""
        for prefix in (KEYS, SEALS):
            before: tuple[str, str] | None = None
            with failures_of("ListObjectVersions"):
                pages = self.client.get_paginator("list_object_versions").paginate(
                    Bucket=bucket, Prefix=prefix
                )
                versions = [each for page in pages for each in page.get("Versions", [])]
            for each in versions:
                if before and before[0] != each["Key"]:
                    yield before
                before = each["Key"], each["VersionId"]
            if before:
                yield before
