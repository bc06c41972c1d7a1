"""What `lapse restore` says: what was found, how far it came, and what is to be done next."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType

from lapse.answer import add_row, counted, in_words, short, table_of
from lapse.json_forms import name_of, pause_json, record_json
from shared.found import Counts
from shared.pausing import Pause
from shared.policy import Policy
from shared.rebuild_facts import Rebuilt
from shared.record import RecordRef
from shared.replay import Replayed, Stopped
from shared.restore_faults import Checked, Fault, Wrong
from shared.retention import Why
from shared.tally import Count

_NAMES = {
    Wrong.OVERDUE: "overdue",
    Wrong.DUE: "due",
    Wrong.UNMARKED: "held, and not marked so",
    Wrong.OUTDATED: "marked as held, and not held",
    Wrong.BACK: "erased before, and back",
    Wrong.UNREADABLE: "cannot be read",
}
_MENDED = (Wrong.OVERDUE, Wrong.DUE, Wrong.UNMARKED, Wrong.OUTDATED)
_REPLAY = "Run `lapse restore replay`: it erases what is due, and puts the marks right."
_UNREADABLE = (
    "Mend the rows of Facts that cannot be read, or remove them and run `lapse restore facts`; "
    "whether it is the evidence, `lapse ledger verify` says."
)
_REMEDIES = {
    Why.NO_ANCHOR: "no anchor: give it the one that the business system knows (`{anchor}`), then replay.",
    Why.IMPLAUSIBLE: "implausible: put the record's anchor (`{anchor}`) right, then replay.",
    Why.NO_MATCH: "no match: give it what the business system knows ({match}), then replay.",
    Why.OBSERVED: "observed: the rule only observes by now; remove the fields by hand if they must be gone.",
}
_LOST = (
    "no anchor: Facts do not know it; run `lapse restore facts`, or have the event sent again, then replay."
)
_COUNTED = {
    Count.ERASED: "erased",
    Count.ALREADY_ABSENT: "found absent",
    Count.RECORD_ABSENT: "not in the table",
    Count.HELD: "held",
    Count.WAITING: "not due yet",
    Count.OBSERVED: "only observed",
    Count.FAILED: "failed",
}


def check_json(table: str, real_name: str, policy: Policy, checked: Checked) -> dict[str, Any]:
    """What a check found."""
    faults = [
        {
            "what": each.what.value,
            **record_json(RecordRef.of(each.record)),
            "rule": each.rule,
            "why": each.why,
        }
        for each in sorted(checked.faults)
    ]
    counts = {wrong.value: checked.counts[wrong] for wrong in Wrong}
    passed = checked.passed
    return {
        "table": table,
        "as": real_name,
        "policy": policy.digest,
        "passed": passed,
        "counts": counts,
        "faults": faults,
    }


def check_texts(table: str, real_name: str, policy: Policy, checked: Checked) -> Iterator[RenderableType]:
    """The same for people, with what is to be done."""
    if checked.passed:
        yield f"{real_name} may be used as {table}: nothing is due, unmarked, or back after its erasure."
        return
    counts = table_of("Found", "Records")
    for wrong in Wrong:
        if checked.counts[wrong]:
            add_row(counts, _NAMES[wrong], f"{checked.counts[wrong]:,}")
    yield counts
    if checked.faults:
        rows = table_of("Record", "Found", "Rule", "Why")
        for fault in sorted(checked.faults):
            name = name_of(RecordRef.of(fault.record))
            add_row(rows, name, _NAMES[fault.what], fault.rule or "-", in_words(fault.why) or "-")
        yield rows
    yield f"{real_name} may NOT be used as {table} yet."
    yield from _remedies(policy, checked)


def _remedies(policy: Policy, checked: Checked) -> Iterator[str]:
    if any(checked.counts[wrong] for wrong in _MENDED):
        yield _REPLAY
    yield from dict.fromkeys(f"{each.rule}, {_remedy(policy, each)}" for each in checked.faults if each.why)
    if checked.counts[Wrong.UNREADABLE]:
        yield _UNREADABLE


def _remedy(policy: Policy, fault: Fault) -> str:
    rule = policy.rule(fault.rule)
    anchor = ".".join(rule.anchor.attribute) if rule and rule.anchor.attribute else ""
    if fault.why == Why.NO_ANCHOR and not anchor:
        return _LOST
    match = ", ".join(".".join(path) for path in rule.match) if rule else ""
    return _REMEDIES[Why(fault.why)].format(anchor=anchor, match=match)


def replay_json(table: str, real_name: str, policy: Policy, replayed: Replayed) -> dict[str, Any]:
    """How far a replay came."""
    return {
        "table": table,
        "as": real_name,
        "policy": policy.digest,
        "through": replayed.through,
        "stopped": replayed.stopped.value if replayed.stopped else None,
        "marks": replayed.marks,
        "counts": {name: replayed.tally.counts[count] for count, name in _COUNTED.items()},
        "found": _by_rule(replayed.counts),
        "failures": sorted(set(replayed.failures)),
    }


def _by_rule(counts: Counts | None) -> dict[str, dict[str, int]]:
    by_rule: dict[str, dict[str, int]] = {}
    for (rule, found), number in (counts or {}).items():
        if number:
            by_rule.setdefault(rule, {})[found.value] = number
    return by_rule


def replay_texts(table: str, real_name: str, replayed: Replayed) -> Iterator[RenderableType]:
    """The same for people, with what is to be done next."""
    rows = table_of("Done", "Records")
    add_row(rows, "hold marks put right", f"{replayed.marks:,}")
    for count, name in _COUNTED.items():
        if replayed.tally.counts[count]:
            add_row(rows, name, f"{replayed.tally.counts[count]:,}")
    yield rows
    if replayed.stopped is Stopped.PAUSED:
        yield "Lapse is paused, so nothing more is erased here either. Run it again after `lapse resume`."
    elif replayed.stopped is Stopped.DECLINED:
        yield "Stopped as you said. Run it again to go on."
    elif replayed.failures:
        failures = ", ".join(sorted(set(replayed.failures)))
        yield f"Not through: {counted(len(replayed.failures), 'failure')} ({failures}). Run it again."
    else:
        yield f"Through. Now: lapse restore check {table} --as {real_name}"


def facts_json(rebuilt: Rebuilt, pause: Pause | None) -> dict[str, Any]:
    """The same as `facts_texts`, for programs."""
    return {**asdict(rebuilt), "paused_again": pause and pause_json(pause)}


def facts_texts(rebuilt: Rebuilt, pause: Pause | None) -> Iterator[str]:
    """What became of Facts."""
    yield f"The ledger knows facts of {counted(rebuilt.records, 'record')}."
    yield f"{rebuilt.added:,} were missing and are there again, {rebuilt.completed:,} were completed."
    if pause:
        whose = f"until {short(pause.until)}, by {pause.paused_by}: {pause.reason_code}"
        yield f"A pause was lost with them. Lapse is paused again, {whose}."
    if rebuilt.unreadable:
        yield f"{rebuilt.unreadable:,} parts of the ledger cannot be read: see `lapse ledger verify`."
        yield "They may have told of holds, so Lapse is paused: see to them, then `lapse resume`."
