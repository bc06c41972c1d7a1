"""Files that are there only once they are whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TextIO


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """A file that takes its name when the block ends well, and leaves nothing if it does not."""
    temporary = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        with temporary.open("x", encoding="utf-8", errors="backslashreplace", newline="") as out:
            yield out
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
