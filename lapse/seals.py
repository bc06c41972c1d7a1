"""The seals of the ledger, as operators and auditors see them: the last one, and all of them as files."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Protocol

from lapse.trouble import TroubleError
from lapse.whole_file import written
from shared.instants import FIRST
from shared.ledger import Head


@dataclass(frozen=True)
class LastSeal:
    """The last seal; its signature is not verified here."""

    number: int
    at: datetime
    heads: Mapping[str, Head]
    """What the chains ended with then, by their names."""
    unnaming: Mapping[str, int] = field(default_factory=dict)
    """Up to which of their batches names may be gone since."""


NEVER = LastSeal(0, FIRST, {})
"""Stands for the last seal of a ledger that was never sealed."""


@dataclass(frozen=True)
class SealFile:
    """A seal, or a public key: its name, such as `seals/0000000001.json`, and what it says."""

    name: str
    text: str


class Seals(Protocol):
    """Where the seals are kept."""

    def last(self) -> LastSeal | None:
        """The last seal, if there is one.

        Raises:
            TroubleError: the stack has none: it is of an older version.
        """

    def files(self) -> Iterator[SealFile]:
        """All seals and public keys, in order, as they were first written.

        Raises:
            TroubleError: as `last`.
        """


@dataclass
class Kept:
    """How many are in a directory now, and how many of them were not before."""

    seals: int = 0
    keys: int = 0
    new: int = 0


def keep_seals(seals: Seals, directory: Path, advance: Callable[[int], None]) -> Kept:
    """Copy all seals and keys into a directory; what is there already is left as it is.

    Raises:
        TroubleError: what is there is another than in the bucket; or the directory cannot be written.
    """
    kept = Kept()
    for each in seals.files():
        name = PurePosixPath(each.name)
        try:
            kept.new += _keep(directory / name.parent.name / name.name, each)
        except OSError as error:
            raise TroubleError(f"--out: the directory cannot be written ({error.strerror}).") from None
        kept.seals += name.suffix == ".json"
        kept.keys += name.suffix == ".pem"
        advance(1)
    return kept


def _keep(file: Path, it: SealFile) -> bool:
    if file.exists():
        if file.read_bytes() != it.text.encode():
            raise TroubleError(
                f"{it.name} is another in the bucket than in the directory: one of the two was changed.",
                "Keep both, and find out who did.",
            )
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    with written(file) as out:
        out.write(it.text)
    return True
