"""The tables of a report that the ledger fills: what was erased and how late, what was not, is it whole."""

from collections.abc import Mapping

from lapse.answer import in_words
from lapse.json_forms import dotted
from lapse.lateness import Lateness
from lapse.overview import Overview
from lapse.report_table import Row, Table, record_cells, table
from shared.evidence import Outcome
from shared.instants import parse_rfc3339
from shared.ledger_batch import Kept
from shared.record import RecordRef

DISPOSED_COLUMNS = (
    *("table", "key", "outcome", "rule", "clause", "due", "at", "late_seconds"),
    *("fields", "cause", "policy", "shard", "batch", "entry"),
)
"""In CSV, where every erasure of the ledger stands."""
DISPOSED = {Outcome.ERASED, Outcome.ALREADY_ABSENT}
_MEANINGS: Mapping[Outcome, str] = {
    Outcome.ALREADY_ABSENT: "Found absent, cause unknown",
    Outcome.RECORD_ABSENT: "There was no such record",
    Outcome.OBSERVED: "Due by a rule that only observes",
    Outcome.DROPPED: "The rule was not about the record as it stood",
    Outcome.HOLD_REFUSED: "A hold came too late: the fields were gone",
    Outcome.HALTED: "A run stopped at the policy's limit; the next went on",
    Outcome.ANSWERED: "A request was refused",
}


def erased(seen: Overview) -> Table:
    """What was erased by day and rule."""
    done = sorted(seen.ledger.erased.items())
    rows = ({"day": day, "rule": rule, "erasures": number} for (day, rule), number in done)
    return table("erased_by_day", "What was erased", ("day", "rule", "erasures"), rows)


def lateness(seen: Overview) -> Table:
    """How late what was erased was erased. That something was early is shown if it was."""
    counted = seen.ledger.lateness
    rows = (
        {"after": each.value, "erasures": counted[each], "share": _share(counted[each], counted.total())}
        for each in Lateness
        if counted[each] or each is not Lateness.EARLY
    )
    return table("lateness", "From due to erased", ("after", "erasures", "share"), rows)


def not_erased(seen: Overview) -> Table:
    """What ended otherwise, and why."""
    rows = (
        {"outcome": outcome.value, "meaning": _MEANINGS[outcome], "reason": in_words(reason), "times": number}
        for (outcome, reason), number in seen.ledger.not_erased.most_common()
    )
    return table("not_erased", "What ended without an erasure", ("meaning", "reason", "times"), rows)


def chains(seen: Overview) -> Table:
    """The ledger's chains and their heads."""
    rows = (
        {"shard": e.name, "batches": e.batches, "entries": e.entries, "seq": e.head.seq, "head": e.head.hash}
        for e in seen.ledger.chains
    )
    columns = ("shard", "batches", "entries", "head")
    return table("chains", "The ledger's chains and their heads", columns, rows)


def findings(seen: Overview) -> Table:
    """What the verifier found; as many as the overview kept."""
    rows = [
        {"shard": each.shard, "batch": each.seq, "entry": each.entry, "what": each.what}
        for each in seen.ledger.findings
    ]
    columns = ("shard", "batch", "entry", "what")
    return Table("findings", "What the verifier found", columns, rows, seen.ledger.found)


def disposed_row(kept: Kept) -> Row:
    """One erasure, as the ledger has it; what cannot be read is left out."""
    entry = kept.entry
    return {
        **_record(entry.get("record")),
        **{name: entry.get(name) for name in ("outcome", "rule", "clause", "due", "at", "cause")},
        "late_seconds": _late(entry.get("at"), entry.get("due")),
        "fields": dotted(entry.get("fields")),
        "policy": entry.get("policy"),
        "shard": kept.shard,
        "batch": int(kept.seq),
        "entry": kept.position,
    }


def _record(reference: object) -> Row:
    """As in all lists; nothing where the ledger names it no more."""
    try:
        return record_cells(RecordRef.of(str(reference)))
    except ValueError:
        return {}


def _late(at: object, due: object) -> int | None:
    try:
        return int((parse_rfc3339(str(at)) - parse_rfc3339(str(due))).total_seconds())
    except ValueError:
        return None


def _share(number: int, total: int) -> float:
    return round(100 * number / total, 1) if total else 0.0
