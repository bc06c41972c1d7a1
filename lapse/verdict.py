"""The verdict over what was seen: is all as it should be, and if not, what is not."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from lapse.answer import counted, ends, left, short
from lapse.lateness import Lateness
from lapse.overview import Overview
from lapse.present import Present
from shared.found import Found
from shared.record import SHARDS


class Colour(StrEnum):
    """How bad it is."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


@dataclass(frozen=True)
class Verdict:
    """What a report says first. Green claims no more than was seen."""

    colour: Colour
    headline: str
    remarks: tuple[str, ...]
    """What is not as it should be, the worst first."""


def verdict_of(seen: Overview) -> Verdict:
    """Red: something is overdue, or the evidence is not whole. Amber: something else is to be seen to."""
    wrong, remarks = tuple(_wrong(seen)), tuple(_remarks(seen))
    if wrong:
        return Verdict(Colour.RED, wrong[0], (*wrong[1:], *remarks))
    if remarks:
        things = "one thing needs" if len(remarks) == 1 else f"{len(remarks)} things need"
        return Verdict(Colour.AMBER, f"Nothing is overdue, but {things} attention.", remarks)
    return Verdict(Colour.GREEN, "Nothing is overdue.", ())


def _wrong(seen: Overview) -> Iterator[str]:
    ahead, now = seen.present.horizon, seen.now
    if ahead.overdue:
        what = f"{counted(ahead.overdue, 'erasure is', 'erasures are')} overdue"
        yield f"{what}, the oldest by {left(now - ahead.oldest, now).removesuffix(' late')}."
    if seen.ledger.found:
        yield f"The ledger is not whole: {counted(seen.ledger.found, 'finding')}."


def _remarks(seen: Overview) -> Iterator[str]:
    here = seen.present
    if here.pause:
        pause = here.pause
        yield f"Erasing is paused {ends(pause.until)} by {pause.paused_by}: {pause.reason_code}."
    if here.dead_letters:
        verb = "was" if here.dead_letters == 1 else "were"
        yield f"{counted(here.dead_letters, 'message')} {verb} refused or failed: dead letters."
    if here.failures:
        yield f"{counted(here.failures, 'run or delivery', 'runs or deliveries')} of Lapse itself failed."
    if here.unreadable:
        yield f"{counted(here.unreadable, 'row')} of Lapse's own tables cannot be read."
    early = seen.ledger.lateness[Lateness.EARLY]
    if early:
        yield f"{counted(early, 'erasure')} came before it was due, by the evidence."
    if seen.ledger.unreadable:
        yield f"{counted(seen.ledger.unreadable, 'entry', 'entries')} of the ledger cannot be counted."
    yield from _of_sweeps(here, seen.policy.digest)
    yield from _of_runs(here)
    if here.requests_late:
        late = counted(here.requests_late, "erasure request")
        yield f"{late} {'has' if here.requests_late == 1 else 'have'} waited for more than 30 days."


def _of_sweeps(here: Present, policy: str) -> Iterator[str]:
    sweep, since = here.sweep, short(here.swept_since)
    if sweep is None:
        yield "There was no sweep yet."
    elif sweep.finished is None:
        yield "The sweep is not through: what it finds is not known yet."
        if here.sweep_is_stale:
            yield f"No sweep has come through since {since}: it is stale."
    elif here.sweep_is_stale:
        yield f"The last sweep began {since}: it is stale."
    if sweep and sweep.policy != policy:
        yield "The last sweep was by another policy than the one that is deployed."
    if here.swept[Found.OVERDUE]:
        number = counted(here.swept[Found.OVERDUE], "record was", "records were")
        yield f"{number} overdue when the last sweep came by, which set a timer where none stood."
    if here.swept[Found.OBSERVED]:
        number = counted(here.swept[Found.OBSERVED], "erasure is", "erasures are")
        yield f"{number} due by a rule that only observes, and not done: so the last sweep found."
    if here.swept[Found.IMPLAUSIBLE]:
        number = counted(here.swept[Found.IMPLAUSIBLE], "record")
        yield f"{number} of the last sweep cannot be timed: the date is absurd, or cannot be read."


def _of_runs(here: Present) -> Iterator[str]:
    purge = here.last_purge
    if here.purge_is_silent:
        ended = f"The last purge ended {short(purge.finished)}: it is silent." if purge else None
        yield ended or "No purge has left a note yet."
    elif purge and here.purge_is_partial:
        yield f"The last purge finished {purge.shards_finished} of {SHARDS} parts."
    if here.seal_unknown:
        why = here.seal_unknown.removesuffix(".")
        yield f"The last seal is unknown ({why}): the ledger was not compared with it."
    elif here.last_seal is None:
        yield "The ledger was never sealed: it cannot show that no tail of it was cut off."
    elif here.seal_is_stale:
        yield f"The last seal is of {short(here.last_seal.at)}: it is stale."
