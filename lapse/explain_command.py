"""`lapse explain`: one record, its rules, what was told about it and what became of it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import typer
from rich.console import RenderableType

from lapse.answer import add_row, answer, ends, in_words, left, short, table_of
from lapse.arguments import AsCsv, AsJson, Key, Table
from lapse.controls import controls
from lapse.examples import example
from lapse.explanation import Explanation, explained
from lapse.json_forms import dotted, hold_json, name_of, record_json, request_json
from lapse.late_progress import waiting
from lapse.listing import Listing
from shared.facts import Hold
from shared.instants import UnreadableInstantError, parse_rfc3339, to_text
from shared.ledger_batch import Kept

app = typer.Typer()


@app.command(rich_help_panel="Look", epilog=example("lapse explain Shipments S-1001"))
def explain(
    ctx: typer.Context, table: Table, key: Key, *, as_json: AsJson = False, as_csv: AsCsv = False
) -> None:
    """Say what becomes of a record, why, and what evidence there is. Shows no personal field.

    As CSV the evidence alone is printed.
    """
    lapse = controls(ctx)
    record, now = lapse.record(table, key), lapse.clock()
    with waiting("Reading timers and evidence"):
        found = explained(record, lapse, now)
    listing = _evidence_listing(found) if as_csv else None
    answer(_json(found, now), *_shown(found, now), as_json=as_json, csv=listing)


def _json(found: Explanation, now: datetime) -> dict[str, Any]:
    facts, pause = found.facts, found.pause
    return {
        **record_json(found.record),
        "exists": found.view.exists,
        "hold_mark": found.mark,
        "paused_until": pause.until if pause else None,
        "rules": [each.as_json() for each in found.meanings],
        "timers": [each.as_json() for each in found.standing],
        "facts": {kind.value: sorted(facts.of(kind)) for kind in facts.instants if facts.of(kind)},
        "withdrawn": {kind.value: sorted(each) for kind, each in facts.withdrawn.items() if each},
        "holds": [hold_json(each, now) for each in facts.holds.values()],
        "requests": [request_json(each, now) for each in facts.requests.values()],
        "evidence": [_entry_json(each) for each in found.evidence],
        "evidence_named_for_days": found.named_for.days,
    }


def _shown(found: Explanation, now: datetime) -> Iterator[RenderableType]:
    yield f"{name_of(found.record)}: {'it is there' if found.view.exists else 'there is no such record'}."
    if found.mark:
        yield f"It bears a hold mark by {found.mark['by']}, {ends(found.mark['until'])}."
    if found.pause:
        yield f"Lapse is paused {ends(found.pause.until)}: nothing is erased."
    yield from _rules(found, now)
    yield from _timers(found)
    yield from _told(found)
    yield from _holds(found, now)
    yield from _requests(found)
    yield from _evidence(found)


def _rules(found: Explanation, now: datetime) -> Iterator[RenderableType]:
    rows = table_of("Rule", "Clock began", "Due", "Fields", "What becomes of it")
    timers = [each.timer for each in found.standing]
    for each in found.meanings:
        rule = f"{each.rule.id} §{each.rule.clause}"
        fields = "there" if each.has_fields else "none"
        becomes = each.words(now, timed=each.is_timed(timers, now))
        add_row(rows, rule, short(each.anchor), short(each.due), fields, becomes)
    yield ""
    yield rows if found.meanings else "No rule is about a record of such a key."


def _timers(found: Explanation) -> Iterator[RenderableType]:
    rows = table_of("Timer", "Looks at", "Due", "Failed tries", "Woken by")
    for each in found.standing:
        timer = each.timer
        add_row(rows, timer.rule, short(timer.at), short(timer.due), str(timer.attempts), each.words)
    yield ""
    yield rows if found.standing else "No timer stands for it."


def _told(found: Explanation) -> Iterator[RenderableType]:
    """To the microsecond, as `lapse correct` wants them."""
    facts = found.facts
    for kind in facts.instants:
        if facts.of(kind):
            yield f"\nTold: {kind.value} {', '.join(map(to_text, sorted(facts.of(kind))))}"
    for kind, each in facts.withdrawn.items():
        yield f"\nTaken back: {kind.value} {', '.join(map(to_text, sorted(each)))}"


def _holds(found: Explanation, now: datetime) -> Iterator[RenderableType]:
    rows = table_of("Case", "Reason", "Opened by", "Since", "Until", "State")
    for each in found.facts.holds.values():
        cells = (each.reason_code, each.opened_by, short(each.since), short(each.until))
        add_row(rows, each.case_ref, *cells, _state(each, now))
    if found.facts.holds:
        yield ""
        yield rows


def _state(hold: Hold, now: datetime) -> str:
    if hold.is_closed:
        return f"closed {short(hold.closed_at)} by {hold.closed_by}"
    return f"in force, {left(hold.until, now)} left" if hold.in_force(now) else "lapsed"


def _requests(found: Explanation) -> Iterator[RenderableType]:
    rows = table_of("Request", "Requested", "Approved by", "Answer")
    for each in found.facts.requests.values():
        became = f"{each.answer} {short(each.answered_at)}" if each.answered_at else "open"
        add_row(rows, each.request_id, short(each.requested_at), each.approved_by, became)
    if found.facts.requests:
        yield ""
        yield rows


def _evidence(found: Explanation) -> Iterator[RenderableType]:
    rows = table_of("Evidence of", "What", "Rule", "About", "Batch")
    for each in found.evidence:
        add_row(rows, *_cells(each.entry), f"{each.shard}/{each.seq}")
    yield ""
    yield rows if found.evidence else "There is no evidence that names it."
    yield f"Evidence older than {found.named_for.days} days names its record no more, and is not shown here."


def _cells(entry: Mapping[str, Any]) -> Sequence[str]:
    """When, what, by which rule, about what; of an entry that somebody edited, that it cannot be read."""
    try:
        what = in_words(" ".join(text for text in (entry["outcome"], entry["reason"]) if text))
        return _at(entry["at"]), what, str(entry["rule"]), _about(entry)
    except (KeyError, TypeError):
        return "-", "cannot be read: lapse ledger verify", "-", "-"


def _evidence_listing(found: Explanation) -> Listing:
    columns = (
        *("at", "outcome", "reason", "rule", "clause", "fields", "details", "cause", "policy"),
        *("shard", "batch", "entry"),
    )
    rows = [_entry_json(each) for each in found.evidence]
    return Listing(columns, [{**row, "fields": dotted(row.get("fields"))} for row in rows])


def _at(text: str) -> str:
    """A text of the ledger; if it is an instant, to the minute."""
    try:
        return short(parse_rfc3339(text))
    except UnreadableInstantError:
        return text


def _about(entry: Mapping[str, Any]) -> str:
    fields = [".".join(path) for path in entry["fields"]]
    return ", ".join([*fields, *(f"{in_words(name)} {_at(text)}" for name, text in entry["details"].items())])


def _entry_json(kept: Kept) -> dict[str, Any]:
    entry = {name: each for name, each in kept.entry.items() if name != "record"}
    return {"shard": kept.shard, "batch": kept.seq, "entry": kept.position, **entry}
