"""The mark `legal_hold` on a record: it mirrors the holds in Facts, for whoever reads the record."""

from dataclasses import dataclass
from datetime import datetime

from shared.facts import Facts
from shared.instants import UnreadableInstantError, parse_rfc3339, to_text
from shared.record import Path, WireValue

_OURS = {"S": "lapse"}


@dataclass(frozen=True)
class MarkChange:
    """What a change of facts means for the record: the mark that was seen, and the one that is right now.

    The change holds only if the record still exists, or still does not; if its mark is still as seen; and if
    at least one of the needed fields is there.
    """

    exists: bool
    seen: WireValue | None = None
    right: WireValue | None = None
    needs: tuple[Path, ...] = ()


def mark_until(mark: WireValue) -> datetime | None:
    """When a marked hold ends; `None` if that cannot be read: then it is in force."""
    try:
        return parse_rfc3339(mark["M"]["until"]["S"])
    except (KeyError, TypeError, UnreadableInstantError):
        return None


def right_mark(facts: Facts | None, seen: WireValue | None, now: datetime) -> WireValue | None:
    """What should stand on the record; `None` for no mark, and for one that is `NULL` and means the same.

    A mark that a business system set, and not Lapse, stays until it lapses: it is a hold of its own. A mark
    of Lapse's own goes when Facts know that its cases were closed. If Facts know of no case at all, they may
    have been lost, and the mark is all that is left of a hold: then it stays.

    Args:
        facts: what was told about the record.
        seen: the mark as read.
        now: an aware UTC instant.
    """
    seen = None if seen is None or "NULL" in seen else seen
    lapsed = seen is not None and (until := mark_until(seen)) is not None and until <= now
    ends = [hold.until for hold in facts.in_force(now)] if facts else []
    if seen is not None and not lapsed and (not _is_ours(seen) or not (facts and facts.holds)):
        return seen
    if not ends:
        return None
    known = [end for end in ends if end is not None]
    until_text = {"until": {"S": to_text(max(known))}} if len(known) == len(ends) else {}
    return {"M": {"by": _OURS, **until_text}}


def _is_ours(mark: WireValue) -> bool:
    return "M" in mark and mark["M"].get("by") == _OURS


def mark_change(
    facts: Facts | None,
    *,
    exists: bool,
    seen: WireValue | None,
    now: datetime,
    needs: tuple[Path, ...] = (),
) -> MarkChange:
    """What facts mean for a record of which this was seen; one that does not exist has no mark."""
    return MarkChange(exists, seen, right_mark(facts, seen, now) if exists else None, needs if exists else ())
