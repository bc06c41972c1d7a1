"""`lapse policy plan`: what would come due earlier, later or at once if another policy were deployed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from lapse.answer import add_row, answer, counted, table_of
from lapse.arguments import AsCsv, AsJson
from lapse.controls import Controls, controls
from lapse.late_progress import LateProgress
from lapse.listing import Listing
from lapse.policy_attributes import UnsuitableNameError, parameter_overrides
from lapse.policy_changes import Changes, Written
from lapse.trouble import TroubleError
from shared.finding import SEGMENTS
from shared.plan_policy import plan
from shared.planned import Moved, Plan, RulePlan
from shared.policy import Policy
from shared.prospect import AT_ONCE

NewPolicy = Annotated[
    Path, typer.Argument(metavar="NEW", help="The policy to be judged.", exists=True, dir_okay=False)
]
OldPolicy = Annotated[
    Path | None,
    typer.Option("--old", help="In the place of the deployed policy.", exists=True, dir_okay=False),
]
_WORDS = {
    Moved.EARLIER: "earlier",
    Moved.LATER: "later",
    Moved.SAME: "at the same time",
    Moved.NEWLY_COVERED: "newly covered",
    Moved.NO_LONGER_COVERED: "no longer erased",
    Moved.OBSERVED: "only observed",
}


def plan_command(
    ctx: typer.Context,
    new: NewPolicy,
    *,
    old: OldPolicy = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Show how many records a new policy would erase when, rule by rule. Changes nothing."""
    after, lapse = Written.of(new.read_bytes()), controls(ctx)
    changes = Changes(Written.of(old.read_bytes()) if old else _deployed(lapse), after)
    planned = _planned(lapse, changes.before.policy, after.policy)
    listing = _listing(changes, planned) if as_csv else None
    answer(_as_json(changes, planned), *_shown(changes, planned), as_json=as_json, csv=listing)


def _deployed(lapse: Controls) -> Written:
    archived = lapse.stores.archive.deployed()
    if archived is None:
        raise TroubleError(
            "Which policy is deployed is not known: no purge has run yet.", "Name it with --old FILE."
        )
    return Written.of(archived[1])


def _planned(lapse: Controls, old: Policy, new: Policy) -> Plan:
    rules = [*old.rules, *new.rules]
    homeless = sorted({rule.table for rule in rules} - lapse.stores.tables.keys())
    if homeless:
        raise TroubleError(
            f"A policy is about {', '.join(homeless)}, which the stack does not know.",
            "Deploy it with these tables in BusinessTables first, with the new rules in mode observe.",
        )
    scans = lapse.stores.scans
    total = sum(scans.records.about_how_many(each) for each in {r.table for r in rules if r.anchor.attribute})
    with LateProgress("Scanning", total) as progress, ThreadPoolExecutor(SEGMENTS) as workers:
        return plan(old, new, scans, lapse.clock(), side_by_side=workers.map, advance=progress.advance)


def _as_json(changes: Changes, planned: Plan) -> dict[str, Any]:
    return {
        "old": changes.before.policy.digest,
        "new": changes.after.policy.digest,
        "changes": [each.as_json() for each in changes.above_the_rules()],
        "rules": {
            rule_id: {
                "state": changes.state(rule_id),
                "changes": [each.as_json() for each in changes.of(rule_id)],
                "before": {bucket.label: number for bucket, number in sorted(each.before.items())},
                "after": {bucket.label: number for bucket, number in sorted(each.after.items())},
                "records": {moved.value: each.moved[moved] for moved in Moved},
            }
            for rule_id, each in planned.by_rule.items()
        },
        "at_once": planned.at_once,
        "unreadable": planned.unreadable,
        "would_halt": _halts(changes.after.policy, planned),
        "needs_other_roles": _needs_other_roles(changes),
    }


def _shown(changes: Changes, planned: Plan) -> Iterator[RenderableType]:
    before, after = changes.before.policy, changes.after.policy
    yield f"Policy {before.id} ({before.digest[:12]}) -> {after.id} ({after.digest[:12]})"
    yield from (f"  {each}" for each in changes.above_the_rules())
    for rule_id, each in planned.by_rule.items():
        yield Text.assemble("\n", (rule_id, "bold"), f": {changes.state(rule_id)}")
        yield from (f"  {change}" for change in changes.of(rule_id))
        yield from _counts(each)
    yield ""
    yield from _remarks(changes, planned)


def _listing(changes: Changes, planned: Plan) -> Listing:
    rows = [
        {
            "rule": rule_id,
            "state": changes.state(rule_id),
            "erased": bucket.label,
            "before": each.before[bucket],
            "after": each.after[bucket],
        }
        for rule_id, each in planned.by_rule.items()
        for bucket in sorted({*each.before, *each.after})
    ]
    columns = ("rule", "state", "erased", "before", "after")
    return Listing(columns, rows, list(_remarks(changes, planned)))


def _remarks(changes: Changes, planned: Plan) -> Iterator[str]:
    after = changes.after.policy
    was = sum(rule.before[AT_ONCE] for rule in planned.by_rule.values())
    yield f"At once: {counted(planned.at_once, 'erasure')} (by the old policy {was:,})."
    if _halts(after, planned):
        yield f"That is more than max_erasures_per_run: a run stops at {after.max_erasures_per_run:,}."
    if planned.unreadable:
        yield f"{counted(planned.unreadable, 'record')} cannot be judged: facts cannot be read."
    if _needs_other_roles(changes):
        yield "The roles need other attributes: deploy with what `lapse policy attributes` prints."


def _counts(rule: RulePlan) -> Iterator[RenderableType]:
    rows = table_of("Erased", "Before", "After")
    for bucket in sorted({*rule.before, *rule.after}):
        add_row(rows, bucket.label, f"{rule.before[bucket]:,}", f"{rule.after[bucket]:,}")
    if rows.row_count:
        yield rows
    moved = [f"{number:,} {_WORDS[each]}" for each in Moved if (number := rule.moved[each])]
    yield "  " + (" · ".join(moved) or "no records")


def _halts(policy: Policy, planned: Plan) -> bool:
    limit = policy.max_erasures_per_run
    return limit is not None and planned.at_once > limit


def _needs_other_roles(changes: Changes) -> bool:
    try:
        return parameter_overrides(changes.before.policy) != parameter_overrides(changes.after.policy)
    except UnsuitableNameError:
        return True
