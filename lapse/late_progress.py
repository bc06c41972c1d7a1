"""What is shown while one waits: a bar, where one can count, or a spinner."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_MOMENT = 1.0
"""Seconds."""


def waiting(what: str, console: Console | None = None) -> AbstractContextManager[object]:
    """Show `what` for as long as a `with` block lasts, on stderr; where nobody looks, nothing."""
    console = console or Console(stderr=True)
    return console.status(what) if console.is_terminal else nullcontext()


class LateProgress:
    """Counts items, for the length of a `with` block. On stderr: what is printed stays as it is."""

    def __init__(
        self,
        what: str,
        total: int | None,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Show `what`, of about so many; `None` or 0 if that is not known."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        console = console or Console(stderr=True)
        self._clock = clock
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task(what, total=total or None)
        self._since = clock()

    def __enter__(self) -> Self:
        """Begin to count."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._bar.stop()

    def advance(self, number: int) -> None:
        """So many more; from any thread."""
        self._bar.advance(self._task, number)
        if self._clock() - self._since >= _MOMENT and not self._bar.live.is_started:
            self._bar.start()

    def over[T](self, items: Iterable[T]) -> Iterator[T]:
        """The same items, each counted once it is done with."""
        for item in items:
            yield item
            self.advance(1)

    def pause(self) -> None:
        """Take the bar away for a question."""
        self._bar.stop()
