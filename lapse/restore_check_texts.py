"""What `lapse restore check` says: whether the table may be used, what is wrong, and what is to be done."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType

from lapse.answer import add_row, in_words, table_of
from lapse.json_forms import FAULT_COLUMNS, listing_of, name_of, record_json
from lapse.listing import Listing
from shared.policy import Policy
from shared.record import RecordRef
from shared.restore_faults import Checked, Fault, Wrong
from shared.retention import Why

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


def check_json(table: str, real_name: str, policy: Policy, checked: Checked) -> dict[str, Any]:
    """What a check found."""
    counts = {wrong.value: checked.counts[wrong] for wrong in Wrong}
    passed = checked.passed
    return {
        "table": table,
        "as": real_name,
        "policy": policy.digest,
        "passed": passed,
        "counts": counts,
        "faults": _faults_json(checked),
    }


def _faults_json(checked: Checked) -> list[dict[str, Any]]:
    return [
        {
            "what": each.what.value,
            **record_json(RecordRef.of(each.record)),
            "rule": each.rule,
            "why": each.why,
        }
        for each in sorted(checked.faults)
    ]


def check_texts(table: str, real_name: str, policy: Policy, checked: Checked) -> Iterator[RenderableType]:
    """The same for people, with what is to be done."""
    if not checked.passed:
        yield from _found(checked)
    yield from _said(table, real_name, policy, checked)


def check_listing(table: str, real_name: str, policy: Policy, checked: Checked) -> Listing:
    """What is wrong, as a list: as many of each kind as are named. The others are counted beside it."""
    remarks = [*_unnamed(checked), *_said(table, real_name, policy, checked)]
    return listing_of(FAULT_COLUMNS, _faults_json(checked), remarks)


def _unnamed(checked: Checked) -> Iterator[str]:
    named = Counter(each.what for each in checked.faults)
    for wrong, number in (checked.counts - named).items():
        yield f"{_NAMES[wrong]}: {number:,} more, which are not in the list (--show)."


def _found(checked: Checked) -> Iterator[RenderableType]:
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


def _said(table: str, real_name: str, policy: Policy, checked: Checked) -> Iterator[str]:
    if checked.passed:
        yield f"{real_name} may be used as {table}: nothing is due, unmarked, or back after its erasure."
    else:
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
