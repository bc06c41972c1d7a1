"""`make demo`: events of shipments and leavers lead to erased fields, on the real template, locally.

Exits with 0 only if each record was seen to end as it must.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lapse import artifact, project, stack
from lapse.demo_audit import audit
from lapse.demo_records import Cohort, Maker
from lapse.demo_stack import Demo, item_key, record_key
from lapse.deployment import deploy_with_sam

LONGEST_WAIT = timedelta(seconds=170)
console = Console(width=100)


def main() -> int:
    """Show it all; 0 if all was seen."""
    started = time.monotonic()
    with stack.running() as running:
        enforcing = _deployed(running, "lapse", observe=False)
        enforcing.put_records_and_send_events()
        _show_standing(enforcing)
        _show_sweep(enforcing)
        observing = _deployed(running, "lapse-observe", observe=True)
        observing.put_records_and_send_events()
        _show_sweep(observing)
        for demo in (enforcing, observing):
            _wait(demo)
        good = [_show_result(demo) for demo in (enforcing, observing)]
        good.append(_show_audit(enforcing, running))
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    verdict = (
        "[green]Seen as expected.[/]" if all(good) else "[red]NOT as expected: see the rows marked ✗.[/]"
    )
    console.print(f"\n{verdict}  ({minutes} min {seconds} s; the local stack is stopped again)")
    return 0 if all(good) else 1


def _deployed(running: stack.Stack, name: str, *, observe: bool) -> Demo:
    """Build with SAM CLI, with the policy chosen, and deploy with SAM CLI."""
    mode = "delivery-contact only observes" if observe else "both rules enforce"
    with tempfile.TemporaryDirectory() as directory:
        policy = None
        if observe:
            policy = Path(directory) / "policy.toml"
            shipped = (project.ROOT / "shared" / "policy.toml").read_text()
            enforced, observed = 'mode = "enforce"', 'mode = "observe"'
            if enforced not in shipped:
                raise stack.StackError("the policy has no rule that could only observe")
            policy.write_text(shipped.replace(enforced, observed, 1))
        with console.status(f"[bold]{name}[/]: sam build ({mode})"):
            built = artifact.build(policy)
        with console.status(f"[bold]{name}[/]: sam deploy"):
            outputs = deploy_with_sam(running, built, name=name, parameters={"NamePrefix": name}, quiet=True)
    console.print(f"[bold]{name}[/]: built and deployed with SAM CLI ({mode})")
    maker = Maker(datetime.now(UTC).replace(microsecond=0))
    return Demo(name, running.clients, outputs, maker.cohorts(), maker.malformed(), observe)


def _show_standing(demo: Demo) -> None:
    """What the events became."""
    names = demo.wake_ups()
    events = sum(len(cohort.events) + len(cohort.early_events) for cohort in demo.cohorts)
    console.print(f"{events} events, some twice, became {demo.timers()} timers and {len(names)} wake-ups:")
    console.print(f"  {', '.join(names[:3])}, …, {names[-1]}", highlight=False)


def _show_sweep(demo: Demo) -> None:
    """What the daily sweep finds, by rule: also the records that no event told of."""
    for rule, found in demo.sweep().items():
        counts = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in found.items())
        console.print(f"[bold]{demo.title}[/]: swept, {rule}: {counts}", highlight=False)


def _wait(demo: Demo) -> None:
    """Wait for real wake-ups to fire, until all that is due has evidence, or the time is up."""
    due = sum(len(each) for each in demo.must_have_evidence().values())
    deadline = time.monotonic() + LONGEST_WAIT.total_seconds()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(f"{demo.title}: settled by wake-ups", total=due)
        while not progress.finished and time.monotonic() < deadline:
            progress.update(bar, completed=len(demo.settled()))
            time.sleep(1)


def _show_result(demo: Demo) -> bool:
    """The closing table; whether expected equals seen."""
    entries = demo.evidence()
    erased, untouched, expected = demo.erased(), demo.untouched(), demo.expected()
    table = Table(title=f"{demo.title}: what became of the records (seen / expected)", title_justify="left")
    for heading in ("table", "class"):
        table.add_column(heading)
    for heading in ("erased", "untouched", "due → erased", "at most", ""):
        table.add_column(heading, justify="right")
    good = True
    for cohort, gone, kept, must in zip(demo.cohorts, erased, untouched, expected, strict=True):
        must_stay = len(cohort.items) - must
        as_expected = gone == must and kept == must_stay
        good = good and as_expected
        lags = _lags(cohort, entries) if cohort.due_soon and gone else []
        lag = (f"{median(lags):.0f} s", f"{max(lags):.0f} s") if lags else ("", "")
        counts = (f"{gone} / {must}", f"{kept} / {must_stay}")
        table.add_row(cohort.table, cohort.name, *counts, *lag, _mark(good=as_expected))
    console.print(table)
    return _show_causes(entries) & _show_evidence(demo, entries) & _show_dead_letters(demo) & good


def _show_causes(entries: Iterable[dict[str, Any]]) -> bool:
    """What woke the purge: without wake-ups, only the recurring purge would have come by."""
    causes = Counter(entry["cause"] for entry in entries if entry["rule"])
    seen = ", ".join(f"{cause} {number}" for cause, number in causes.most_common())
    good = causes["wake-up"] > causes["recurring"]
    console.print(f"entries of evidence by what woke the purge: {seen}", _mark(good=good), highlight=False)
    return good


def _show_evidence(demo: Demo, entries: Iterable[dict[str, Any]]) -> bool:
    """Whether exactly the right records have evidence of their erasure, or of being observed."""
    seen: dict[str, set[str]] = {}
    for entry in entries:
        seen.setdefault(entry["outcome"], set()).add(record_key(entry["record"]))
    must = demo.must_have_evidence()
    good = all(seen.get(outcome, set()) == records for outcome, records in must.items())
    counts = ", ".join(f"{outcome} {len(records)}" for outcome, records in sorted(seen.items()))
    wanted = ", ".join(f"{outcome} {len(records)}" for outcome, records in must.items())
    console.print(f"records with evidence: {counts}; expected: {wanted}", _mark(good=good), highlight=False)
    broken, held = demo.broken_chains(), sum(len(c.items) for c in demo.cohorts if c.name == "dispute opened")
    marked = demo.marked()
    console.print(f"hash chains: {broken} findings", _mark(good=not broken), highlight=False)
    console.print(f"hold marks: {marked}; expected: {held}", _mark(good=marked == held), highlight=False)
    return good and not broken and marked == held


def _show_audit(demo: Demo, running: stack.Stack) -> bool:
    """The evidence, as an auditor has it."""
    console.print(f"[bold]{demo.title}[/]: the report; the ledger sealed, exported and audited")
    good = True
    with tempfile.TemporaryDirectory() as directory:
        for what, as_expected in audit(demo.title, running.endpoint.environment(), Path(directory)):
            console.print(f"  {what}", _mark(good=as_expected), highlight=False)
            good = good and as_expected
    return good


def _show_dead_letters(demo: Demo) -> bool:
    """Dead letters by reason, against the malformed events that were sent."""
    must, seen = Counter(each.reason for each in demo.malformed), demo.dead_letters()
    table = Table(title=f"{demo.title}: dead letters by reason", title_justify="left")
    table.add_column("reason")
    for heading in ("expected", "seen", ""):
        table.add_column(heading, justify="right")
    for reason in sorted(must | seen):
        counts = (str(must[reason]), str(seen[reason]))
        table.add_row(reason, *counts, _mark(good=must[reason] == seen[reason]))
    console.print(table)
    return must == seen


def _mark(*, good: bool) -> str:
    return "[green]✓[/]" if good else "[red]✗[/]"


def _lags(cohort: Cohort, entries: Iterable[dict[str, Any]]) -> list[float]:
    """Seconds between due and erased, by the evidence."""
    keys = {item_key(item, cohort.table) for item in cohort.items}
    return [
        (datetime.fromisoformat(entry["at"]) - datetime.fromisoformat(entry["due"])).total_seconds()
        for entry in entries
        if entry["outcome"] == "erased" and record_key(entry["record"]) in keys
    ]


if __name__ == "__main__":
    sys.exit(main())
