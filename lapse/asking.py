"""Asks before what cannot be undone is begun."""

import typer

from lapse.trouble import TroubleError


def confirm(question: str, otherwise: str, *, unasked: bool, silent: bool) -> None:
    """Ask on stderr: what is printed is the answer.

    Args:
        question: shown as it is.
        otherwise: what is said if the answer is no, or if nobody answers.
        unasked: it was confirmed by `--yes`.
        silent: programs read the answer, so nobody is there to ask.

    Raises:
        TroubleError: it was not confirmed.
    """
    if unasked:
        return
    try:
        agreed = not silent and typer.confirm(question, err=True)
    except typer.Abort:
        agreed = False
    if not agreed:
        raise TroubleError(otherwise, "Confirm it, or give --yes.")
