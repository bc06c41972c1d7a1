"""A progress bar shows itself only where somebody waits and looks."""

import io
from itertools import count

from rich.console import Console

from lapse.late_progress import LateProgress, waiting


def shown(*, seconds: float, terminal: bool = True) -> str:
    """What a bar wrote that was told of an item every `seconds`."""
    written, times = io.StringIO(), count()
    console = Console(file=written, force_terminal=terminal, width=80)
    with LateProgress("Scanning", 3, console, clock=lambda: next(times) * seconds) as progress:
        for _ in range(3):
            progress.advance(1)
        progress.pause()
    return written.getvalue()


def test_what_is_quick_shows_none() -> None:
    """Three items within a moment."""
    assert shown(seconds=0.2) == ""


def test_what_takes_longer_shows_how_far_it_is() -> None:
    """From the first second on."""
    written = shown(seconds=1)
    assert "Scanning" in written
    assert "3/3" in written


def test_no_terminal_no_bar() -> None:
    """What goes into a file or a log stays free of it."""
    assert shown(seconds=1, terminal=False) == ""


def waited(*, terminal: bool) -> str:
    """What was written while something was waited for."""
    written = io.StringIO()
    with waiting("Sweeping", Console(file=written, force_terminal=terminal, width=80)):
        pass
    return written.getvalue()


def test_what_cannot_be_counted_is_named() -> None:
    """Where somebody looks; a file or a log stays free of it."""
    assert "Sweeping" in waited(terminal=True)
    assert waited(terminal=False) == ""
