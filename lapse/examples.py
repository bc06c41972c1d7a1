"""The example at the end of each command's `--help`: a line that can be typed as it is printed."""

from textwrap import wrap

TITLE = "Example:"
_WIDTH = 74
"""So that no usual terminal breaks a line of its own accord."""


def example(*commands: str) -> str:
    """The epilog of a command. Tests type these lines, so what they name must be there."""
    lines = [line for command in commands for line in _broken(command)]
    return "\n\n".join([TITLE, *lines])  # typer joins lines that no empty one parts


def typed_lines(epilog: str) -> list[str]:
    """The commands of an epilog, or of a help page's end, each on one line."""
    _, _, shown = epilog.partition(TITLE)
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    return "\n".join(lines).replace("\\\n", "").splitlines()


def _broken(command: str) -> list[str]:
    """The command in lines, as a shell joins them."""
    *lines, last = wrap(command, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [*(f"{line} \\" for line in lines), last]
