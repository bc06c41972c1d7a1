"""Targets for what others send: the contract's events, and foreign ones."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.contract import read_event
from shared.deliveries import Deliveries
from shared.disputes import Closed, MarkOutdated, Opened, read_dispute
from shared.foreign_values import NOT_BEFORE
from shared.instants import DAY
from shared.key_template import KeyTemplate
from shared.mapping import NO_ENTRY, map_event
from shared.record import RecordRef
from shared.refused import RefusedError
from shared.requests import read_request
from shared.sources import CONTRACT, Kind, Reason
from shared.sources_file import read_sources, shipped_sources
from shared.tally import Count, Tally
from tests.builders import NOW, delivery_rule, event, leaver_rule, policy
from tests.fuzz import hostile, reference
from tests.fuzz.checks import not_ahead, referable, sound, well_refused
from tests.fuzz.choices import Choices, damaged
from tests.fuzz.tables import CANARY, CANARY_DIGITS
from tests.fuzz.target import Target
from tests.fuzz.writing import as_json, decoded, encoded

POLICY = policy()
RULES = (
    delivery_rule(),
    leaver_rule(),
    delivery_rule(key={"no": KeyTemplate("N", "1{shipment_id}")}),
    delivery_rule(key={"pk": KeyTemplate("S", "O#{shipment_id}"), "sk": KeyTemplate("S", "{line}")}),
)
THEN = f"2026-08-20T10:15:00.{CANARY_DIGITS}+01:00"
LATER = f"2026-09-20T10:15:00.{CANARY_DIGITS}Z"
CASE = {"shipment_id": f"{CANARY}-1", "case_ref": f"{CANARY}-2"}
OPENED = {"reason_code": "damaged", "opened_by": f"{CANARY}-3", "opened_at": THEN, "until": LATER}
ASKED = {
    "request_id": f"{CANARY}-4",
    "requested_at": THEN,
    "approved_by": f"{CANARY}-5",
    "records": [
        {"table": "Shipments", "key": {"shipment_id": f"{CANARY}-1"}},
        {"table": "Contacts", "key": {"contact_id": {"S": CANARY_DIGITS}}},
        {"table": "Elsewhere", "key": {"pk": {"N": CANARY_DIGITS}, "sk": CANARY}},
    ],
}
SAMPLES = Path(__file__).parents[2] / "events" / "sources"
FOREIGN = tuple(json.loads(file.read_text()) for file in sorted(SAMPLES.glob("*.json")))
FIELDS = ("shipment_id", "shipped_at", "v", "line", "time", "detail", "at", "table", "key", "id", "item")
OWN_SOURCES = b"""
version = 1
[[sources]]
id = "everything"
match = { source = "x*", detail_type = "x" }
kind = "ContactLeft"
for_each = "detail[?type]"
record_id = "item.id"
instant = "max(item.at)"
instant_format = "naive"
instant_zone = "Europe/London"
fields = { line = "sort_by(detail, &id)[0].id", other = "to_string(item.at)" }
ignore_if = ["length(item.at) > `3`", "contains(item.id, 'test')"]
[[sources]]
id = "by-day"
match = { source = "x*", detail_type = "x", conditions = ["detail[0].type"] }
kind = "ContactReturned"
record_id = "detail[-1].id"
instant = "detail[0].at[1]"
instant_format = "date"
instant_zone = "America/New_York"
[[sources]]
id = "now"
match = { source = "x", detail_type = "x" }
kind = "ShipmentDispatched"
record_id = "join('-', detail[*].id)"
time_of_receipt = true
"""
OWN_FOREIGN = {
    "source": "x",
    "detail-type": "x",
    "detail": [{"type": True, "id": "7", "at": ["2026-08-20 10:15:00", "2026-08-19"]}],
}
ENTRIES = (*shipped_sources(), *read_sources(OWN_SOURCES))


def _told(given: Any) -> None:
    """An event that starts or stops the clock."""
    told = read_event(given, NOW)
    contract = CONTRACT[Kind(given["detail-type"])]
    text = given["detail"].get(contract.instant_field) or given["time"]
    assert reference.microseconds(not_ahead(told.instant)) == reference.rfc3339(text)
    for rule in RULES:
        try:
            referable(told.record(rule))
        except RefusedError as refused:
            well_refused(refused)


def _disputed(given: Any) -> None:
    match read_dispute(given, POLICY, NOW):
        case Opened(records, hold):
            _all_referable(records)
            assert hold.since
            assert hold.until
            assert not_ahead(hold.since) < sound(hold.until) <= hold.since + POLICY.max_hold
            assert reference.microseconds(hold.until) == reference.rfc3339(given["detail"]["until"])
            assert hold.reason_code in POLICY.hold_reasons
            _plain(hold.case_ref, hold.opened_by)
        case Closed(records, closing):
            _all_referable(records)
            not_ahead(closing.closed_at)
            _plain(closing.case_ref, closing.closed_by)
        case MarkOutdated(record):
            assert record.text == given["detail"]["record"]


def _all_referable(records: tuple[RecordRef, ...]) -> None:
    for record in records:
        referable(record)


def _asked(given: Any) -> None:
    told = read_request(given, POLICY, NOW)
    not_ahead(told.request.requested_at)
    _plain(told.request.request_id, told.request.approved_by)
    assert 1 <= len(told.asked) <= 100
    for each in told.asked:
        assert (each.rule is None) == (each.record is None)
        if each.record:
            referable(each.record)


def _plain(*texts: str) -> None:
    for text in texts:
        assert 1 <= len(text) <= 64
        assert text.isascii()
        assert "@" not in text


_EVENTS = (
    event("ShipmentDispatched", {"shipment_id": f"{CANARY}-1", "shipped_at": THEN, "line": "2"}),
    event("ShipmentDispatched", {"shipment_id": CANARY_DIGITS, "shipped_at": THEN, "v": 1}),
    event("ContactLeft", {"contact_id": f"{CANARY}-1"}),
    event("ContactReturned", {"contact_id": f"{CANARY}-1", "returned_at": THEN}),
    event("DisputeOpened", {**CASE, **OPENED}),
    event("DisputeClosed", {**CASE, "closed_by": f"{CANARY}-3", "closed_at": THEN}),
    event("HoldMarkOutdated", {"record": f'Shipments#{{"shipment_id":{{"S":"{CANARY}"}}}}'}),
    event("ErasureRequested", ASKED),
)
CONTRACTS = tuple({name: each[name] for name in ("detail-type", "time", "detail")} for each in _EVENTS)


class _Kept:
    """Dead letters, checked."""

    def keep(self, body: str, refused: RefusedError) -> None:
        well_refused(refused)


def make_body(choices: Choices) -> bytes:
    """A message's body."""
    body = as_json(damaged(choices.pick(CONTRACTS), choices, hostile.anything, FIELDS))
    return encoded(choices.edited(body) if choices.chance(8) else body)


def check_body(body: bytes) -> None:
    """By whoever it is taken: all that is accepted of it is sound, or it is refused without a word of it."""
    accepted(body)


def accepted(body: bytes) -> int:
    """How many of our functions take it, whose events are different ones."""
    tallies = []
    for read in (_told, _disputed, _asked):

        def work(given: object, _now: datetime, read: Callable[[Any], None] = read) -> Tally:
            read(given)
            return Tally()

        tallies.append(Deliveries(work, _Kept(), lambda: NOW).take(decoded(body)))
    return sum(not tally.counts[Count.REFUSED] for tally in tallies)


def make_foreign(choices: Choices) -> bytes:
    """A foreign event."""
    sample = choices.pick(FOREIGN) if choices.chance() else OWN_FOREIGN
    return encoded(as_json(damaged(sample, choices, hostile.anything, FIELDS)))


def check_foreign(text: bytes) -> None:
    """What comes out are closed reasons, and contract events that the contract takes."""
    try:
        envelope = json.loads(decoded(text))
    except (ValueError, RecursionError):
        return  # Lambda itself takes no such thing
    outcomes = map_event(envelope, NOW, ENTRIES)
    assert outcomes
    for outcome in outcomes:
        assert outcome.entry in {NO_ENTRY, *(entry.id for entry in ENTRIES)}
        assert outcome.events or outcome.reasons
        assert all(isinstance(reason, Reason) for reason in outcome.reasons)
        for made in outcome.events:
            contract = CONTRACT[Kind(made.detail_type)]
            names = {"v", contract.id_field, contract.instant_field}
            assert made.detail.keys() - {"line", "other"} == names
            told = read_event(json.loads(json.dumps(event(made.detail_type, made.detail))), NOW)
            assert NOT_BEFORE <= sound(told.instant) <= NOW + DAY
            referable(told.record(delivery_rule(key={"pk": KeyTemplate("S", f"{{{contract.id_field}}}")})))


TARGETS = {
    "events": Target(make_body, check_body),
    "mapping": Target(make_foreign, check_foreign),
}
