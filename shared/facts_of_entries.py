"""What the ledger's entries say that Lapse was told: the other way round of telling. Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from shared.evidence import Outcome
from shared.facts import Closing, FactKind, Facts, Hold, Request
from shared.instants import UnreadableInstantError, parse_rfc3339
from shared.pausing import Pause
from shared.record import RecordRef

type KeptEntry = Mapping[str, Any]
"""An entry as the ledger keeps it, with its record and details, which are texts."""

UNREADABLE: KeptEntry = {"record": ""}
"""Stands for entries of a batch that cannot be read."""
UNREADABLE_LEDGER = Pause("lapse", "unreadable_ledger", since=None, until=None)
"""What may have been a pause, or a hold, is a pause: until somebody has seen to it, and resumes."""


def rebuilt(entries: Iterable[KeptEntry]) -> dict[str, Facts]:
    """Facts by the text of the record's reference, from a chain's entries in order.

    An entry whose record's name was dropped is about none any more; one that is not readable says nothing.
    """
    told: dict[str, Facts] = {}
    for entry in entries:
        if entry["record"] and is_about_facts(entry) and is_readable(entry):
            before = told.get(entry["record"]) or Facts.begun(parse_rfc3339(entry["at"]))
            told[entry["record"]] = _changed(before, entry)
    return told


def is_about_facts(entry: KeptEntry) -> bool:
    """Whether what this entry is evidence of changed Facts."""
    return isinstance(entry.get("outcome"), str) and entry["outcome"] in _CHANGES


def is_forgotten(entry: KeptEntry, names_since: datetime) -> bool:
    """Whether its name was dropped in its time: whom and what it told of, nobody can say, or needs to.

    One that is younger should have its name. It may have told of a hold that is in force.
    """
    at = _readable(entry.get("at"))
    return not entry["record"] and not entry["details"] and at is not None and at < names_since


def is_readable(entry: KeptEntry) -> bool:
    """Whether an entry about Facts has all that it takes to make the same change again."""
    try:
        texts = (entry["at"], entry["reason"], entry["record"], *entry["details"].values())
        if not all(isinstance(text, str) for text in texts):
            return False
        "".join(texts).encode()  # what is not valid Unicode could not be stored
        parse_rfc3339(entry["at"])
        _changed(Facts(), entry)
        if entry["record"]:
            RecordRef.of(entry["record"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return True


def longest_pause(entries: Iterable[KeptEntry]) -> Pause | None:
    """Of the pauses since one was last ended by hand, the one that ends last; what cannot be read may be one.

    Not the last one: when Facts are lost, and a pause with them, somebody pauses at once, and for a day only.
    """
    longest: Pause | None = None
    for entry in entries:
        if entry is UNREADABLE or entry.get("outcome") == Outcome.PAUSED:
            pause = _pause(entry) if entry.get("details") else UNREADABLE_LEDGER
            longest = pause if longest is None or pause.outlasts(longest) else longest
        elif entry.get("outcome") == Outcome.RESUMED:
            longest = None
    return longest


def _pause(entry: KeptEntry) -> Pause:
    """A pause of which something cannot be read is a pause."""
    details = entry["details"]
    since, until = _readable(entry.get("at")), _readable(details.get("until"))
    return Pause(details.get("by", ""), details.get("reason_code", ""), since, until)


def _readable(text: object) -> datetime | None:
    try:
        return parse_rfc3339(text) if isinstance(text, str) else None
    except UnreadableInstantError:
        return None


def _told(facts: Facts, entry: KeptEntry) -> Facts:
    details = entry["details"]
    return facts.told(FactKind(details["kind"]), parse_rfc3339(details["instant"]))


def _corrected(facts: Facts, entry: KeptEntry) -> Facts:
    details = entry["details"]
    was, becomes = parse_rfc3339(details["was"]), _instant(details, "becomes")
    return facts.corrected(FactKind(details["kind"]), was, becomes)


def _held(facts: Facts, entry: KeptEntry) -> Facts:
    details = entry["details"]
    since, until = _instant(details, "since"), _instant(details, "until")
    return facts.held(Hold(details["reason_code"], details["case_ref"], details["opened_by"], since, until))


def _released(facts: Facts, entry: KeptEntry) -> Facts:
    details = entry["details"]
    closed_at = parse_rfc3339(details["closed_at"])
    return facts.released(Closing(details["case_ref"], details["closed_by"], closed_at))


def _requested(facts: Facts, entry: KeptEntry) -> Facts:
    details = entry["details"]
    requested_at = parse_rfc3339(details["requested_at"])
    return facts.requested(Request(details["request_id"], requested_at, details["approved_by"]))


def _answered(facts: Facts, entry: KeptEntry) -> Facts:
    request_ids = entry["details"]["requests"].split()
    return facts.answered(request_ids, parse_rfc3339(entry["at"]), entry["reason"])


_CHANGES: Mapping[str, Callable[[Facts, KeptEntry], Facts]] = {
    Outcome.TOLD: _told,
    Outcome.CORRECTED: _corrected,
    Outcome.HOLD_PLACED: _held,
    Outcome.HOLD_RELEASED: _released,
    Outcome.REQUESTED: _requested,
    Outcome.ANSWERED: _answered,
}


def _changed(facts: Facts, entry: KeptEntry) -> Facts:
    return _CHANGES[entry["outcome"]](facts, entry)


def _instant(details: Mapping[str, str], name: str) -> datetime | None:
    return parse_rfc3339(details[name]) if name in details else None
