"""Asks before what cannot be undone is begun."""

import sys

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
        agreed = not silent and confirmed(question)
    except typer.Abort:
        agreed = False
    if not agreed:
        raise TroubleError(otherwise, "Confirm it at a terminal, or give --yes.")


def confirmed(question: str) -> bool:
    """Whether somebody at a terminal says yes.

    Where there is none, nobody does: what a script is given to read may be the next record's key.

    Raises:
        Abort: the answer was broken off.
    """
    if sys.stdin and sys.stdin.isatty():
        return typer.confirm(question, err=True)
    typer.echo(f"{question} There is no terminal to ask at: no.", err=True)
    return False
