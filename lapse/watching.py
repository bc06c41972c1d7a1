"""Looking again and again: a page that is refreshed in its place."""

import time
from collections.abc import Callable
from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from lapse.trouble import trouble_of
from shared.failure import CallFailedError

LOOKS_EVERY = timedelta(seconds=5)


def watch[T](
    look: Callable[[], T],
    show: Callable[[T], RenderableType],
    wait: Callable[[float], None] = time.sleep,
    console: Console | None = None,
) -> T | None:
    """Look and show until Ctrl-C. A call that fails is told below what was seen last, and tried again.

    Returns:
        What was seen last, if anything was.
    """
    seen: T | None = None
    shown: RenderableType = Text("Looking …")
    console = console or Console(highlight=False)
    try:
        with Live(shown, console=console, auto_refresh=False) as live:
            while True:
                try:
                    seen = look()
                    shown = show(seen)
                    live.update(Group(shown, _again("")), refresh=True)
                except CallFailedError as error:
                    live.update(Group(shown, _again(trouble_of(error).what)), refresh=True)
                wait(LOOKS_EVERY.total_seconds())
    except KeyboardInterrupt:
        return seen


def _again(trouble: str) -> Text:
    text = Text(f"\nLooks again every {LOOKS_EVERY.seconds} s; Ctrl-C ends.", style="dim")
    return Text.assemble((f"\n{trouble}", "bold red"), text) if trouble else text
