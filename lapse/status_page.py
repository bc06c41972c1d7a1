"""The page that `lapse status` shows: how things are, line by line."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from lapse.answer import add_row, counted, ends, in_words, left, short, table_of
from lapse.controls import Controls
from lapse.present import Present
from lapse.run_commands import counts_by_rule
from shared.found import Counts, Found
from shared.record import SHARDS
from shared.sweep_pages import EXPIRES_SOON

type Line = tuple[str, str, bool]
"""What it is about, how it is, and whether somebody should see to it."""


def shown(lapse: Controls, seen: Present) -> Iterator[RenderableType]:
    """The page, piece by piece."""
    where = f" in {lapse.account} {lapse.region}" if lapse.account else ""
    policy = f"policy {lapse.policy.id} {lapse.policy.digest[:12]}"
    yield Text(f"Stack {lapse.stack}{where}, {policy}\nSeen at {seen.now:%Y-%m-%d %H:%M:%SZ}\n")
    rows = table_of("", "")
    rows.show_header = False
    for title, text, bad in lines(seen):
        add_row(rows, title, text, style="bold red" if bad else "")
    yield rows
    if seen.sweep and seen.sweep.counts:
        yield Text()
        yield counts_by_rule(by_rule(seen.sweep.counts))


def lines(seen: Present) -> Iterator[Line]:
    """What the page says, line by line."""
    yield from _of_timers(seen)
    yield from _of_facts(seen)
    for title, found in (
        ("Waiting", Found.WAITING),
        ("Observing", Found.OBSERVED),
        ("Implausible", Found.IMPLAUSIBLE),
    ):
        number, through = seen.swept[found], seen.sweep and seen.sweep.finished
        bad = found is Found.IMPLAUSIBLE and number > 0
        yield title, f"{number:,} at the last sweep" if through else "-", bad
    yield "Dead letters", f"{seen.dead_letters:,}", seen.dead_letters > 0
    yield "Failures", f"{seen.failures:,}", seen.failures > 0
    yield "Unreadable", _unreadable(seen), seen.unreadable > 0
    yield from _of_runs(seen)


def _of_timers(seen: Present) -> Iterator[Line]:
    ahead = seen.horizon
    oldest = f", the oldest by {left(seen.now - ahead.oldest, seen.now)}" if ahead.overdue else ""
    overdue = f"{counted(ahead.overdue, 'timer')}{oldest.removesuffix(' late')}"
    yield "Overdue", overdue, ahead.overdue > 0
    for title, number in zip(("Due today", "Due in 7 days", "Due in 30 days"), ahead.soon, strict=True):
        yield title, f"{number:,}", False


def _of_facts(seen: Present) -> Iterator[Line]:
    pause, first = seen.pause, seen.answer_first
    why = f"{ends(pause.until)}, by {pause.paused_by}: {pause.reason_code}" if pause else "no"
    yield "Paused", why, pause is not None
    expiring = seen.holds_expiring
    soon = f", {expiring:,} within {EXPIRES_SOON.days} days of the end" if expiring else ""
    yield "Holds in force", f"{len(seen.holds):,}{soon}", False
    answer_by = f", the first to be answered: {left(first, seen.now)}" if first else ""
    yield "Open requests", f"{len(seen.requests):,}{answer_by}", seen.requests_late > 0


def _of_runs(seen: Present) -> Iterator[Line]:
    sweep, purge = seen.sweep, seen.last_purge
    ended = f"finished {short(sweep.finished)}" if sweep and sweep.finished else "not through yet"
    yield "Last sweep", f"began {short(sweep.began)}, {ended}" if sweep else "none yet", seen.sweep_is_stale
    part = f", {purge.shards_finished} of {SHARDS} parts" if purge and purge.shards_finished < SHARDS else ""
    ran = f"{short(purge.finished)}, {in_words(purge.cause)}{part}" if purge else "none noted yet"
    yield "Last purge", ran, seen.purge_is_silent or seen.purge_is_partial
    yield "Last seal", seen.seal_in_words, seen.seal_is_stale


def _unreadable(seen: Present) -> str:
    facts, timers = seen.unreadable_facts, seen.horizon.unreadable
    return f"{counted(facts, 'row')} of Facts, {timers:,} of Due" if seen.unreadable else "0"


def by_rule(counts: Counts) -> dict[str, dict[str, int]]:
    """What a sweep counted, by the names of rules and of what was found."""
    rules: dict[str, dict[str, int]] = {}
    for (rule, found), number in sorted(counts.items()):
        rules.setdefault(rule, {})[found.value] = number
    return rules
