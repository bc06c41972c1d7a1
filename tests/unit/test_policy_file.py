"""The policy file: every key is read as written, and every refusal says where."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path as FilePath
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.facts import FactKind
from shared.instants import AnchorFormat
from shared.key_template import KeyTemplate
from shared.policy import Anchor, Counting, Guard, Merge, Mode, Policy, Rule, Trigger
from shared.policy_file import PolicyError, read_policy
from shared.record import Path, RecordRef, WireValue

SHIPPED_POLICY = FilePath(__file__).parents[2] / "shared" / "policy.toml"

HEAD = {
    "version": "1",
    "id": '"T"',
    "updated": "2026-01-01",
    "timezone": '"Europe/London"',
}
RULE = {
    "id": '"delivery"',
    "clause": '"2.2.1"',
    "table": '"Shipments"',
    "key": '{ shipment_id = "{shipment_id}" }',
    "trigger": '"shipment"',
    "anchor": '{ attribute = "shipped_at", fact = "shipped" }',
    "anchor_format": '"rfc3339"',
    "anchor_merge": '"latest"',
    "retain": '"P90D"',
    "counting": '"elapsed"',
    "erase": '["phone"]',
    "mode": '"enforce"',
}
REQUEST = {
    "id": '"erasure"',
    "clause": '"9"',
    "table": '"Shipments"',
    "key": '{ shipment_id = "{shipment_id}" }',
    "trigger": '"request"',
    "erase": '["phone", "name"]',
    "mode": '"enforce"',
}
CLOCK = {key: RULE[key] for key in RULE if key not in REQUEST} | {"anchor_zone": '"UTC"'}
OTHER = {"id": '"other"', "erase": '["fax"]', "anchor": '{ fact = "shipped" }'}


def rule_text(**changes: str) -> str:
    """A rule in TOML, with some keys changed; an empty value leaves the key out."""
    keys = {**RULE, **changes}
    return "\n".join(["[[rules]]", *(f"{name} = {value}" for name, value in keys.items() if value)])


def request_text(**changes: str) -> str:
    """An erasure on request in TOML, with some keys changed; an empty value leaves the key out."""
    keys = {**REQUEST, **changes}
    return "\n".join(["[[rules]]", *(f"{name} = {value}" for name, value in keys.items() if value)])


def policy_text(*rules: str, **head: str) -> str:
    lines = [f"{name} = {value}" for name, value in {**HEAD, **head}.items() if value]
    return "\n".join([*lines, *(rules or [rule_text()])])


def read(*rules: str, **head: str) -> Policy:
    return read_policy(policy_text(*rules, **head).encode())


def read_rule(**changes: str) -> Rule:
    (rule,) = read(rule_text(**changes)).rules
    return rule


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        read_policy(text.encode() if isinstance(text, str) else text)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def only_problem(text: str) -> tuple[str, str]:
    """Where it is, and what it is."""
    (problem,) = problems(text)
    where, what = problem.split(": ", maxsplit=1)
    return where, what


def test_the_shipped_policy_says_what_was_promised() -> None:
    """§2.2.1 and §2.1.1: 90 days after shipment, and after the notice that a contact left."""
    text = SHIPPED_POLICY.read_bytes()
    policy = read_policy(text)
    assert (policy.id, policy.digest) == ("PP001", hashlib.sha256(text).hexdigest())
    assert policy.max_erasures_per_run == 50_000
    delivery, leaver, *_ = policy.rules
    assert delivery == Rule(
        id="delivery-contact",
        clause="2.2.1",
        table="Shipments",
        key={"shipment_id": KeyTemplate("S", "{shipment_id}")},
        match={("drop_ship",): {"BOOL": True}},
        trigger=Trigger.SHIPMENT,
        anchor=Anchor(
            attribute=("shipped_at",),
            fact=FactKind.SHIPPED,
            cancel=None,
            format=AnchorFormat.RFC3339,
            zone=ZoneInfo("Europe/London"),
            merge=Merge.LATEST,
        ),
        retain=timedelta(days=90),
        counting=Counting.ELAPSED,
        zone=ZoneInfo("Europe/London"),
        erase=(("contact_number",), ("email",)),
        keep=(("name",), ("company",), ("address",)),
        mode=Mode.ENFORCE,
        guard=Guard.RECORD,
        not_before=datetime(2000, 1, 1, tzinfo=UTC),
    )
    assert (leaver.id, leaver.clause, leaver.table) == ("leaver-contact", "2.1.1", "Contacts")
    assert (leaver.anchor.attribute, leaver.anchor.fact) == (None, FactKind.LEFT)
    assert (leaver.anchor.cancel, leaver.anchor.merge) == (FactKind.RETURNED, Merge.EARLIEST)
    assert (leaver.retain, leaver.counting, leaver.mode) == (
        timedelta(days=90),
        Counting.ELAPSED,
        Mode.ENFORCE,
    )
    assert (leaver.erase, leaver.keep) == ((("telephone",), ("email",)), (("name",),))
    assert (leaver.trigger, leaver.match) == (Trigger.LEAVER, {})
    assert leaver.key == {"contact_id": KeyTemplate("S", "{contact_id}")}


def test_rules_are_found_by_name_and_by_trigger() -> None:
    """A removed rule is found no more; an event starts the rules of its trigger only."""
    policy = read_policy(SHIPPED_POLICY.read_bytes())
    delivery, leaver, *erasures = policy.rules
    assert (policy.rule("leaver-contact"), policy.rule("removed")) == (leaver, None)
    assert policy.triggered_by(Trigger.SHIPMENT) == (delivery,)
    assert policy.triggered_by(Trigger.LEAVER) == (leaver,)
    assert policy.triggered_by(Trigger.REQUEST) == tuple(erasures)


@pytest.mark.parametrize(
    ("table", "clock"), [("Shipments", "delivery-contact"), ("Contacts", "leaver-contact")]
)
def test_the_shipped_policy_erases_more_on_request(table: str, clock: str) -> None:
    """§9: all that the clock erases and more, of each record; but never what its own rule keeps as proof."""
    policy = read_policy(SHIPPED_POLICY.read_bytes())
    by_the_clock, request = policy.rule(clock), policy.request_rule(table)
    assert by_the_clock
    assert request
    assert set(request.erase) > set(by_the_clock.erase)
    assert request.keep == {"Shipments": (("address",),), "Contacts": (("name",),)}[table]
    assert (request.clause, request.mode, request.match) == ("9", Mode.ENFORCE, {})


def test_the_rules_of_a_table_and_those_about_a_record() -> None:
    """By the table's logical name, in the file's order; a record is found by its key's names, too."""
    policy = read(rule_text(), rule_text(**OTHER, table='"Elsewhere"'), request_text())
    delivery, other, erasure = policy.rules
    assert policy.rules_of("Shipments") == (delivery, erasure)
    assert policy.rules_of("Nowhere") == ()
    assert policy.about(RecordRef("Shipments", {"shipment_id": {"S": "S-1"}})) == (delivery, erasure)
    assert policy.about(RecordRef("Elsewhere", {"shipment_id": {"S": "S-1"}})) == (other,)
    assert policy.about(RecordRef("Shipments", {"pk": {"S": "S-1"}})) == ()
    assert (policy.request_rule("Shipments"), policy.request_rule("Elsewhere")) == (erasure, None)


def test_a_hold_keeps_what_the_clock_would_erase() -> None:
    """§2.2.1: fields that only a request erases need no hold to stay, unless there is no clock at all."""
    policy = read(
        rule_text(), rule_text(**OTHER), request_text(), request_text(table='"Alone"', id='"alone"')
    )
    assert policy.held_fields("Shipments") == (("phone",), ("fax",))
    assert policy.held_fields("Alone") == (("phone",), ("name",))
    assert policy.held_fields("Nowhere") == ()


def test_a_view_is_of_match_anchor_and_hold_mark_only() -> None:
    """What a look asks for is what the decision needs, and never a field to erase."""
    rule = read_rule(match="{ drop_ship = true, delivery = { country = 'GB' } }")
    assert rule.view_paths == (("drop_ship",), ("delivery", "country"), ("shipped_at",), ("legal_hold",))
    assert read_rule(anchor='{ fact = "shipped" }').view_paths == (("legal_hold",),)


@pytest.mark.parametrize(
    ("record", "about"),
    [
        (RecordRef("Shipments", {"shipment_id": {"S": "S-1"}}), True),
        (RecordRef("Contacts", {"shipment_id": {"S": "S-1"}}), False),
        (RecordRef("Shipments", {"pk": {"S": "S-1"}}), False),
    ],
    ids=["same", "other-table", "other-key"],
)
def test_a_rule_knows_the_records_that_it_can_find(record: RecordRef, about: bool) -> None:  # noqa: FBT001 -- an expectation
    """A timer from before a rule's table or key changed is not about this rule any more."""
    assert read_rule().is_about(record) == about


def test_the_digest_is_of_the_text_as_published() -> None:
    """A changed comment is another text, with another digest."""
    text = policy_text()
    assert read_policy(text.encode()).digest != read_policy(f"{text}\n# a comment".encode()).digest


def test_what_may_be_left_out() -> None:
    """Everything, any anchor from 2000 on, no cap; no match, nothing declared as kept."""
    policy = read()
    (rule,) = policy.rules
    assert policy.max_erasures_per_run is None
    assert (policy.max_hold, policy.ledger_retain) == (timedelta(days=365), timedelta(days=2555))
    assert policy.hold_reasons >= {"lost", "chargeback", "courier_dispute", "legal_claim", "other"}
    assert (rule.match, rule.keep) == ({}, ())
    assert rule.not_before == datetime(2000, 1, 1, tzinfo=UTC)


def test_what_stands_beside_the_rules() -> None:
    """Zone, earliest plausible day and limits hold for all rules."""
    policy = read(
        timezone='"Asia/Tokyo"',
        not_before="2015-06-01",
        max_hold='"P30D"',
        ledger_retain='"P52W"',
        max_erasures_per_run="7",
        hold_reasons='["lost", "b2b_claim_7"]',
    )
    (rule,) = policy.rules
    assert policy.max_erasures_per_run == 7
    assert (policy.max_hold, policy.ledger_retain) == (timedelta(days=30), timedelta(weeks=52))
    assert policy.hold_reasons == {"lost", "b2b_claim_7"}
    assert rule.zone == rule.anchor.zone == ZoneInfo("Asia/Tokyo")
    assert rule.not_before == datetime(2015, 6, 1, tzinfo=UTC)


def test_an_anchor_may_have_a_zone_of_its_own() -> None:
    """A system that writes local times elsewhere; the days still end where the policy says."""
    rule = read_rule(anchor_format='"naive"', anchor_zone='"America/New_York"')
    assert (rule.anchor.zone, rule.zone) == (ZoneInfo("America/New_York"), ZoneInfo("Europe/London"))


def test_basis_and_review_are_optional() -> None:
    """Why what is kept is kept, and until when, for the reader."""
    assert read_rule(basis='"proof"', review_after="2030-01-01") == read_rule()


@pytest.mark.parametrize(
    ("key", "attribute", "values"),
    [
        ("counting", "counting", Counting),
        ("mode", "mode", Mode),
    ],
)
def test_the_words_of_the_policy(key: str, attribute: str, values: type[Counting | Mode]) -> None:
    """Each word is written as in the design."""
    for value in values:
        assert getattr(read_rule(**{key: f'"{value}"'}), attribute) is value


@pytest.mark.parametrize(
    ("trigger", "anchor"),
    [("shipment", '{ fact = "shipped" }'), ("leaver", '{ fact = "left", cancel = "returned" }')],
)
def test_a_trigger_and_what_its_events_tell(trigger: str, anchor: str) -> None:
    """Each kind of event tells its own kind of fact; an anchor on the record goes with both."""
    assert read_rule(trigger=f'"{trigger}"', anchor=anchor).trigger is Trigger(trigger)
    assert read_rule(trigger=f'"{trigger}"', anchor='{ attribute = "at" }').trigger is Trigger(trigger)
    other = {"shipment": "leaver", "leaver": "shipment"}[trigger]
    where, what = only_problem(policy_text(rule_text(trigger=f'"{other}"', anchor=anchor)))
    assert (where, what.split(":")[0]) == ("delivery", "anchor.fact")


@pytest.mark.parametrize("trigger", ["shipment", "leaver"])
def test_no_clock_starts_with_a_request(trigger: str) -> None:
    """A request is answered at once; as an anchor it would start nothing."""
    text = policy_text(rule_text(trigger=f'"{trigger}"', anchor='{ fact = "requested" }'))
    where, what = only_problem(text)
    assert (where, what.split(":")[0]) == ("delivery", "anchor.fact")


def test_an_erasure_on_request_is_due_when_asked_for() -> None:
    """It is a rule like any other, of the first request, with nothing to wait for."""
    (rule,) = read(request_text(keep='["address"]', match="{ drop_ship = true }")).rules
    assert rule == Rule(
        id="erasure",
        clause="9",
        table="Shipments",
        key={"shipment_id": KeyTemplate("S", "{shipment_id}")},
        match={("drop_ship",): {"BOOL": True}},
        trigger=Trigger.REQUEST,
        anchor=Anchor(
            attribute=None,
            fact=FactKind.REQUESTED,
            cancel=None,
            format=AnchorFormat.RFC3339,
            zone=ZoneInfo("Europe/London"),
            merge=Merge.EARLIEST,
        ),
        retain=timedelta(0),
        counting=Counting.ELAPSED,
        zone=ZoneInfo("Europe/London"),
        erase=(("phone",), ("name",)),
        keep=(("address",),),
        mode=Mode.ENFORCE,
        guard=Guard.RECORD,
        not_before=datetime(2000, 1, 1, tzinfo=UTC),
    )
    assert (rule.on_request, read_rule().on_request) == (True, False)


def test_an_erasure_on_request_may_say_why_and_until_when() -> None:
    """Basis and review are for readers, here as elsewhere."""
    assert read(request_text(basis='"proof"', review_after="2030-01-01")).rules == read(request_text()).rules


@pytest.mark.parametrize("key", CLOCK)
def test_an_erasure_on_request_has_no_clock(key: str) -> None:
    """Whoever writes a period to it would be waited for in vain: each key of a clock is refused by name."""
    text = policy_text(request_text(**{key: CLOCK[key]}))
    assert only_problem(text) == (f"erasure.{key}", "Extra inputs are not permitted")


@pytest.mark.parametrize("key", [key for key in REQUEST if key not in {"id", "trigger"}])
def test_what_every_erasure_on_request_says(key: str) -> None:
    """As of other rules, and its mode too."""
    assert only_problem(policy_text(request_text(**{key: ""}))) == (f"erasure.{key}", "Field required")


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ('{ pk = "ORDER" }', "key: reads none of the event's fields"),
        ('{ email = "{id}" }', "key: looks like an e-mail address"),
    ],
)
def test_an_erasure_on_request_has_a_usable_key(key: str, what: str) -> None:
    """Its records are in facts, timers and evidence like those of other rules."""
    where, problem = only_problem(policy_text(request_text(key=key)))
    assert (where, problem.split(",")[0]) == ("erasure", what)


@pytest.mark.parametrize("anchor_format", AnchorFormat)
@pytest.mark.parametrize("merge", Merge)
def test_anchor_formats_and_merges(anchor_format: AnchorFormat, merge: Merge) -> None:
    """Every format and merge may be declared."""
    rule = read_rule(
        anchor_format=f'"{anchor_format}"', anchor_merge=f'"{merge}"', anchor_zone='"Europe/London"'
    )
    assert (rule.anchor.format, rule.anchor.merge) == (anchor_format, merge)


@pytest.mark.parametrize(
    ("period", "length"),
    [
        ("P90D", timedelta(days=90)),
        ("P1D", timedelta(days=1)),
        ("P2W", timedelta(days=14)),
        ("PT36H", timedelta(hours=36)),
        ("PT5M", timedelta(minutes=5)),
        ("P1DT1H30M", timedelta(days=1, hours=1, minutes=30)),
        ("P999999999D", timedelta(days=999_999_999)),
    ],
)
def test_periods_of_fixed_length(period: str, length: timedelta) -> None:
    """Weeks, days, hours and minutes."""
    assert read_rule(retain=f'"{period}"').retain == length


@pytest.mark.parametrize("period", ["P34D", "PT1H", "P34DT23H59M"])
def test_the_ledger_outlasts_every_backup(period: str) -> None:
    """Or a restored record could come back of which the ledger names nothing any more."""
    where, what = only_problem(policy_text(ledger_retain=f'"{period}"'))
    assert (where, what) == ("ledger_retain", "must be at least P35D: so old can a backup be")
    assert read(ledger_retain='"P35D"').ledger_retain == timedelta(days=35)


@pytest.mark.parametrize("period", ["P3M", "P1Y", "P1Y6M", "P1M1D", "P1MT1H", "P1YT1M"])
@pytest.mark.parametrize("key", ["retain", "max_hold", "ledger_retain"])
def test_months_and_years_are_refused(period: str, key: str) -> None:
    """They have no fixed length, and are never taken for 30 or 365 days."""
    in_rule = key == "retain"
    text = policy_text(
        rule_text(**({key: f'"{period}"'} if in_rule else {})), **({} if in_rule else {key: f'"{period}"'})
    )
    where, what = only_problem(text)
    assert where == ("delivery.retain" if in_rule else key)
    assert what.startswith("months and years have no fixed length")


@pytest.mark.parametrize(
    "period",
    [
        '"P0D"',
        '"PT0H"',
        '"P"',
        '"PT"',
        '"P1DT"',
        '"-P90D"',
        '"P-90D"',
        '"P1.5D"',
        '"90"',
        '"90D"',
        '"p90d"',
        '"PT30S"',
        '"P90D "',
        '"P90D\\n"',
        '"P1W1D"',
        '"P9999999999D"',
        f'"P{"9" * 5000}D"',
        "90",
        "90.0",
        "true",
        "2026-01-01",
        '""',
    ],
    ids=lambda period: period[:16],
)
def test_what_is_no_period_is_refused(period: str) -> None:
    """A period is longer than nothing, written in ISO 8601, and not a bare number."""
    where, _ = only_problem(policy_text(rule_text(retain=period)))
    assert where == "delivery.retain"


def test_calendar_days_are_whole() -> None:
    """36 hours may elapse, but are no number of local days."""
    assert read_rule(retain='"PT36H"').retain == timedelta(hours=36)
    assert read_rule(retain='"PT48H"', counting='"calendar-days"').retain == timedelta(days=2)
    text = policy_text(rule_text(retain='"PT36H"', counting='"calendar-days"'))
    assert only_problem(text) == ("delivery", "retain: calendar days are counted whole")


@pytest.mark.parametrize(
    "name", ["Europe/Lundon", "Europe", "", "../UTC", "/etc/passwd", "europe/london x", "UTC\\u0000"]
)
def test_an_unknown_zone_is_refused(name: str) -> None:
    """Of the policy and of an anchor; whatever the name looks like on disk."""
    assert only_problem(policy_text(timezone=f'"{name}"')) == ("timezone", "is not a known time zone")
    text = policy_text(rule_text(anchor_zone=f'"{name}"'))
    assert only_problem(text) == ("delivery.anchor_zone", "is not a known time zone")


def test_naive_times_need_their_zone() -> None:
    """The policy's own zone is not silently taken for it."""
    text = policy_text(rule_text(anchor_format='"naive"'))
    assert only_problem(text) == ("delivery", "anchor_zone: naive times need their zone")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        pytest.param(policy_text(maximum="1"), "maximum", id="policy"),
        pytest.param(policy_text(rule_text(erases='["x"]')), "delivery.erases", id="rule"),
        pytest.param(
            policy_text(rule_text(anchor='{ fact = "shipped", format = "date" }')),
            "delivery.anchor.format",
            id="anchor",
        ),
    ],
)
def test_unknown_keys_are_refused(text: str, where: str) -> None:
    """A mistyped key is never ignored."""
    assert only_problem(text)[0] == where


@pytest.mark.parametrize("key", HEAD)
def test_what_every_policy_says(key: str) -> None:
    """Version, id, date and zone are mandatory."""
    assert only_problem(policy_text(**{key: ""})) == (key, "Field required")


@pytest.mark.parametrize("key", [key for key in RULE if key != "id"])
def test_what_every_rule_says(key: str) -> None:
    """Nothing that decides is left to a default: not the mode, not the counting, not the format."""
    assert only_problem(policy_text(rule_text(**{key: ""}))) == (f"delivery.{key}", "Field required")


def test_a_rule_without_an_id_is_named_by_its_place() -> None:
    """Counted from 0, as it has no name of its own."""
    assert only_problem(policy_text(rule_text(), rule_text(id=""))) == ("rules.1.id", "Field required")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "version"),
        (policy_text(" "), "rules"),
        (policy_text("rules = []"), "rules"),
        (policy_text("rules = 5"), "rules"),
        (policy_text("rules = [5]"), "rules.0"),
        (policy_text(version="2"), "version"),
        (policy_text(version='"1"'), "version"),
        (policy_text(id='""'), "id"),
        (policy_text(id='"a b"'), "id"),
        (policy_text(updated='"2026-01-01"'), "updated"),
        (policy_text(updated="2026-01-01T10:00:00"), "updated"),
        (policy_text(not_before="0"), "not_before"),
        (policy_text(not_before="false"), "not_before"),
        (policy_text(max_erasures_per_run="0"), "max_erasures_per_run"),
        (policy_text(max_erasures_per_run="-1"), "max_erasures_per_run"),
        (policy_text(max_erasures_per_run="true"), "max_erasures_per_run"),
        (policy_text(max_erasures_per_run='"5"'), "max_erasures_per_run"),
        (policy_text(hold_reasons="[]"), "hold_reasons"),
        (policy_text(hold_reasons='"lost"'), "hold_reasons"),
        (policy_text(hold_reasons="[7]"), "hold_reasons.0"),
        (policy_text(hold_reasons='["lost", ""]'), "hold_reasons.1"),
        (policy_text(hold_reasons='["Lost"]'), "hold_reasons.0"),
        (policy_text(hold_reasons='["not lost"]'), "hold_reasons.0"),
        (policy_text(hold_reasons='["7th"]'), "hold_reasons.0"),
        (policy_text(hold_reasons='["lost\\n"]'), "hold_reasons.0"),
        (policy_text(hold_reasons=f'["{"x" * 41}"]'), "hold_reasons.0"),
    ],
)
def test_a_malformed_head_is_refused(text: str, where: str) -> None:
    """Types are as written: a number is no date, and `true` is no number."""
    assert where in [problem.split(": ")[0] for problem in problems(text)]


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("id", '"a#b"', "a#b.id"),
        ("id", '""', ".id"),
        ("id", f'"{"x" * 65}"', f"{'x' * 65}.id"),
        ("id", '"a\\n"', "a\n.id"),
        ("id", "7", "rules.0.id"),
        ("clause", '""', "delivery.clause"),
        ("clause", "2.2", "delivery.clause"),
        ("table", '"a b"', "delivery.table"),
        ("table", '"Shipments#"', "delivery.table"),
        ("trigger", '"shipped"', "delivery.trigger"),
        ("anchor_format", '"iso"', "delivery.anchor_format"),
        ("anchor_merge", '"last"', "delivery.anchor_merge"),
        ("counting", '"days"', "delivery.counting"),
        ("mode", '"off"', "delivery.mode"),
        ("review_after", '"soon"', "delivery.review_after"),
        ("erase", "[]", "delivery.erase"),
        ("erase", '"phone"', "delivery.erase"),
        ("anchor", "{}", "delivery.anchor"),
        ("anchor", '{ attribute = "" }', "delivery.anchor.attribute"),
        ("anchor", '{ attribute = "a[0]" }', "delivery.anchor.attribute"),
        ("anchor", '{ fact = "gone" }', "delivery.anchor.fact"),
        ("match", "5", "delivery.match"),
        ("key", "{}", "delivery.key"),
        ("key", '{ a = "{a}", b = "{b}", c = "{c}" }', "delivery.key"),
        ("key", '"{shipment_id}"', "delivery.key"),
    ],
)
def test_a_malformed_rule_is_refused(key: str, value: str, where: str) -> None:
    """Each key of a rule is checked, and the refusal names rule and key."""
    assert only_problem(policy_text(rule_text(**{key: value})))[0] == where


def test_all_problems_are_told_at_once() -> None:
    """Nobody likes to find them one by one."""
    text = policy_text(rule_text(retain='"P3M"', mode='"off"'), timezone='"Nowhere"')
    assert [each.split(": ")[0] for each in problems(text)] == [
        "timezone",
        "delivery.mode",
        "delivery.retain",
    ]


@pytest.mark.parametrize(
    "text", [b"rules = [", b"\xff\xfe", b"a = 1\na = 2"], ids=["open", "not-utf-8", "twice"]
)
def test_what_is_no_toml_is_refused(text: bytes) -> None:
    """The parser says where."""
    (problem,) = problems(text)
    assert problem.startswith("not TOML: ")


@pytest.mark.parametrize(
    "anchor",
    [
        '{ fact = "shipped", cancel = "returned" }',
        '{ fact = "shipped", cancel = "shipped" }',
        '{ fact = "left" }',
        '{ fact = "left", cancel = "shipped" }',
        '{ fact = "left", cancel = "left" }',
        '{ fact = "returned", cancel = "returned" }',
        '{ attribute = "left_at", cancel = "returned" }',
    ],
)
def test_a_cancel_must_fit_its_fact(anchor: str) -> None:
    """A departure is cancelled by a return, and by that only; else a return would be forgotten."""
    where, what = only_problem(policy_text(rule_text(anchor=anchor)))
    assert where == "delivery.anchor"
    assert "is cancelled by" in what


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ('"phone"', ("phone",)),
        ('["phone"]', ("phone",)),
        ('["delivery", "phone"]', ("delivery", "phone")),
        ('"delivery.phone"', ("delivery.phone",)),
        ('["delivery.to", "phone.no"]', ("delivery.to", "phone.no")),
        ('"a*b"', ("a*b",)),
        ('"a[b]"', ("a[b]",)),
        ('"status"', ("status",)),
    ],
)
def test_a_field_path_is_a_list_of_names(written: str, path: Path) -> None:
    """From the top of the item down; a dot is part of a name, never a separator."""
    assert read_rule(erase=f"[{written}]").erase == (path,)
    assert read_rule(keep=f"[{written}]", erase='["other"]').keep == (path,)


@pytest.mark.parametrize(
    "written",
    [
        '"phones[0]"',
        '"phones[]"',
        '"phones[*]"',
        '"phones[0].number"',
        '"*"',
        '"a.*"',
        '"*.a"',
        '["phones", "[0]"]',
        '["a", "*"]',
        '["a\\n[0]"]',
    ],
)
@pytest.mark.parametrize("key", ["erase", "keep"])
def test_list_indexes_and_wildcards_are_refused(written: str, key: str) -> None:
    """They would be taken for names that no record has, and the promise be silently broken."""
    where, what = only_problem(policy_text(rule_text(**{key: f"[{written}]"})))
    assert where == f"delivery.{key}.0"
    assert what.startswith("list indexes and wildcards are not supported")


@pytest.mark.parametrize("written", ["[]", '""', '["a", ""]', "5", "[5]", "true", '{ a = "b" }'])
def test_what_is_no_field_path_is_refused(written: str) -> None:
    """Names are text, and not empty."""
    where, what = only_problem(policy_text(rule_text(erase=f"[{written}]")))
    assert (where, what.split(",")[0]) == ("delivery.erase.0", "must be a name")


@pytest.mark.parametrize(
    ("written", "match"),
    [
        ("{ drop_ship = true }", {("drop_ship",): {"BOOL": True}}),
        ('{ type = "ORDER" }', {("type",): {"S": "ORDER"}}),
        ("{ level = 7 }", {("level",): {"N": "7"}}),
        ("{ level = -7.5 }", {("level",): {"N": "-7.5"}}),
        ('{ to = { code = "GB" }, "a.b" = false }', {("to", "code"): {"S": "GB"}, ("a.b",): {"BOOL": False}}),
    ],
)
def test_a_match_names_wanted_values(written: str, match: dict[Path, WireValue]) -> None:
    """Text, numbers and truth values as DynamoDB writes them; tables nest."""
    assert read_rule(match=written).match == match


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("{ a = [1] }", "a: must be text, a number, true or false"),
        ("{ a = 2026-01-01 }", "a: must be text, a number, true or false"),
        ("{ a = nan }", "a: must be text, a number, true or false"),
        ("{ a = -inf }", "a: must be text, a number, true or false"),
        ("{ a = { b = {} } }", "a.b: must be text, a number, true or false"),
        ('{ "a[0]" = 1 }', "list indexes and wildcards are not supported"),
        ('{ "" = 1 }', "must be a name"),
    ],
)
def test_what_is_no_match_is_refused(written: str, what: str) -> None:
    """Above all an empty table, which every record would match."""
    where, problem = only_problem(policy_text(rule_text(match=written)))
    assert where == "delivery.match"
    assert problem.startswith(what)


def test_a_huge_number_may_be_wanted() -> None:
    """TOML's integers have no end; none of them crashes the reader."""
    number = "9" * 400
    assert read_rule(match=f"{{ a = {number} }}").match == {("a",): {"N": number}}


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ('{ shipment_id = "{shipment_id}" }', {"shipment_id": KeyTemplate("S", "{shipment_id}")}),
        ('{ order_no = { N = "{order_no}" } }', {"order_no": KeyTemplate("N", "{order_no}")}),
        (
            '{ pk = { S = "ORDER#{order_id}" }, sk = "META" }',
            {"pk": KeyTemplate("S", "ORDER#{order_id}"), "sk": KeyTemplate("S", "META")},
        ),
        ('{ pk = "{a}#{b_2}" }', {"pk": KeyTemplate("S", "{a}#{b_2}")}),
    ],
)
def test_keys_are_templates(written: str, key: dict[str, KeyTemplate]) -> None:
    """Single-table designs too: text around fields, numbers, and a constant beside a template."""
    assert read_rule(key=written).key == key


@pytest.mark.parametrize(
    ("written", "attribute"),
    [
        ('{ pk = "" }', "pk"),
        ("{ pk = { N = 5 } }", "pk"),
        ('{ pk = "{id" }', "pk"),
        ('{ pk = "id}" }', "pk"),
        ('{ pk = "{}" }', "pk"),
        ('{ pk = "{{id}}" }', "pk"),
        ('{ pk = "{a.b}" }', "pk"),
        ('{ pk = "{na\u00efve}" }', "pk"),
        ('{ ok = "{id}", sk = "{a-b}" }', "sk"),
    ],
)
def test_what_is_no_key_template_is_refused(written: str, attribute: str) -> None:
    """Braces name a field of the event, and nothing else."""
    assert only_problem(policy_text(rule_text(key=written)))[0] == f"delivery.key.{attribute}"


@pytest.mark.parametrize("written", ["5", "[]", "{}", '{ B = "{id}" }', '{ S = "{id}", N = "{id}" }'])
def test_a_key_attribute_is_text_or_a_number(written: str) -> None:
    """Exactly one of the two types; binary keys are not supported."""
    where, what = only_problem(policy_text(rule_text(key=f"{{ pk = {written} }}")))
    assert (where, what.split(",")[0]) == ("delivery.key.pk", "must be a template")


@pytest.mark.parametrize("word", ["email", "Email", "e-mail", "e_mail", "customer_email", "EMAIL_ADDRESS"])
def test_a_key_attribute_that_looks_like_an_e_mail_address_is_refused(word: str) -> None:
    """Keys stand in facts, timers and evidence: no address may be one."""
    where, what = only_problem(policy_text(rule_text(key=f'{{ "{word}" = "{{id}}" }}')))
    assert where == "delivery"
    assert what == "key: looks like an e-mail address, which a key must not be"


@pytest.mark.parametrize(
    "template", ["{email}", "USER#{customer_email}", "{E_Mail}", "{name}@{domain}", "{id}@example.org"]
)
def test_a_template_that_makes_an_e_mail_address_is_refused(template: str) -> None:
    """Neither from a field of that name, nor put together with an @."""
    where, what = only_problem(policy_text(rule_text(key=f'{{ pk = "{template}" }}')))
    assert where == "delivery.key.pk"
    assert what == "looks like an e-mail address, which a key must not be"


@pytest.mark.parametrize("written", ['{ pk = "ORDER" }', '{ pk = "ORDER", sk = "META" }'])
def test_a_constant_key_is_refused(written: str) -> None:
    """It would name one record for all events."""
    where, what = only_problem(policy_text(rule_text(key=written)))
    assert (where, what.split(",")[0]) == ("delivery", "key: reads none of the event's fields")


@pytest.mark.parametrize("template", ["7", "ORDER#{id}", "{a}{b}", "{id}.5", "-{id}"])
def test_a_number_is_one_field(template: str) -> None:
    """Anything else would refuse each event, or name one record for all."""
    where, what = only_problem(policy_text(rule_text(key=f'{{ pk = {{ N = "{template}" }} }}')))
    assert (where, what) == ("delivery.key.pk", "a number is one field, with digits around it at most")


def test_a_duplicate_id_is_refused() -> None:
    """Timers and evidence name rules by their ids: told once, however often it is there."""
    text = policy_text(rule_text(), rule_text(table='"B"'), rule_text(table='"C"'), rule_text(**OTHER))
    assert problems(text) == ["rules: the id delivery is there twice"]


OVERLAPPING: list[tuple[Path, Path]] = [
    (("a",), ("a",)),
    (("a",), ("a", "b")),
    (("a", "b"), ("a",)),
    (("a", "b"), ("a", "b", "c")),
    (("a", "b"), ("a", "b")),
]
APART: list[tuple[Path, Path]] = [
    (("a",), ("b",)),
    (("a", "b"), ("a", "c")),
    (("a",), ("a.b",)),
    (("a", "b"), ("a.b",)),
    (("a", "b"), ("b", "a")),
    (("a",), ("ab",)),
]


def written(path: Path) -> str:
    return "[" + ", ".join(f'"{name}"' for name in path) + "]"


def needing(use: str, path: Path) -> Iterator[dict[str, str]]:
    """Changes to a rule that make it need this path for this use, if it can."""
    match use:
        case "erase" | "keep":
            yield {use: f"[{written(path)}]"}
        case "key" if len(path) == 1:
            yield {"key": f'{{ "{path[0]}" = "{{id}}" }}'}
        case "anchor":
            yield {"anchor": f"{{ attribute = {written(path)} }}"}
        case "match":
            value = "true"
            for name in reversed(path):
                value = f'{{ "{name}" = {value} }}'
            yield {"match": value}


USES = ["erase", "keep", "key", "anchor", "match"]
PAIRS = [(one, other, use) for (one, other), use in product(OVERLAPPING, USES) if any(needing(use, other))]
PAIRS_APART = [(one, other, use) for (one, other), use in product(APART, USES) if any(needing(use, other))]
BARE = {"id": '"other"', "erase": '["unrelated"]', "anchor": '{ fact = "shipped" }', "key": '{ no = "{no}" }'}


def pair_id(value: object) -> str:
    return "/".join(value) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize(("erased", "needed", "use"), PAIRS, ids=pair_id)
@pytest.mark.parametrize("eraser_first", [True, False], ids=["eraser-first", "eraser-last"])
def test_what_a_rule_of_the_table_needs_is_not_erased(
    erased: Path,
    needed: Path,
    use: str,
    eraser_first: bool,  # noqa: FBT001 -- both orders
) -> None:
    """Paths that lie within each other conflict, between any two rules of a table, in any order."""
    (changes,) = needing(use, needed)
    rules = [
        rule_text(**{**OTHER, "erase": f"[{written(erased)}]"}),
        rule_text(**{**BARE, **changes, "id": '"needs"'}),
    ]
    found = problems(policy_text(*(rules if eraser_first else reversed(rules))))
    (first, path), (second, other_path) = ("other", erased), ("needs", needed)
    if use == "erase" and not eraser_first:
        (first, path), (second, other_path) = (second, other_path), (first, path)
    assert found == [f"{first}.erase: {'.'.join(path)} overlaps {second}.{use}: {'.'.join(other_path)}"]


@pytest.mark.parametrize(("erased", "needed", "use"), PAIRS, ids=pair_id)
def test_a_rule_does_not_erase_what_it_needs_itself(erased: Path, needed: Path, use: str) -> None:
    """Within one rule too: kept, key, anchor, match, and one field to erase within another."""
    (changes,) = needing(use, needed)
    if use == "erase":
        changes = {"erase": f"[{written(erased)}, {written(needed)}]"}
    else:
        changes["erase"] = f"[{written(erased)}]"
    named = "" if use == "erase" else f"other.{use}: "
    found = problems(policy_text(rule_text(**{**BARE, **changes})))
    assert found == [f"other.erase: {'.'.join(erased)} overlaps {named}{'.'.join(needed)}"]


@pytest.mark.parametrize(("erased", "needed", "use"), PAIRS_APART, ids=pair_id)
def test_paths_apart_do_not_conflict(erased: Path, needed: Path, use: str) -> None:
    """Neither a common beginning of a name nor a dot in it makes two paths one."""
    (changes,) = needing(use, needed)
    rules = [
        rule_text(**{**OTHER, "erase": f"[{written(erased)}]"}),
        rule_text(**{**BARE, **changes, "id": '"needs"'}),
    ]
    assert len(read(*rules).rules) == 2


@pytest.mark.parametrize(("erased", "needed", "use"), PAIRS, ids=pair_id)
def test_rules_of_different_tables_do_not_conflict(erased: Path, needed: Path, use: str) -> None:
    """Each table has its own attributes."""
    (changes,) = needing(use, needed)
    eraser = rule_text(**{**OTHER, "erase": f"[{written(erased)}]", "table": '"Elsewhere"'})
    assert len(read(eraser, rule_text(**{**BARE, **changes, "id": '"needs"'})).rules) == 2


NOT_ALWAYS = [(erased, needed, use) for erased, needed, use in PAIRS if use != "key"]
KEYS = [(erased, needed) for erased, needed, use in PAIRS if use == "key"]


@pytest.mark.parametrize(("erased", "needed", "use"), NOT_ALWAYS, ids=pair_id)
@pytest.mark.parametrize("request_first", [True, False], ids=["request-first", "request-last"])
def test_an_erasure_on_request_goes_further_than_the_clock(
    erased: Path,
    needed: Path,
    use: str,
    request_first: bool,  # noqa: FBT001 -- both orders
) -> None:
    """§9: what other rules erase, keep or decide by may be erased on request, in any order in the file."""
    (changes,) = needing(use, needed)
    rules = [
        request_text(erase=f"[{written(erased)}]", key=BARE["key"]),
        rule_text(**{**BARE, **changes}),
    ]
    assert len(read(*(rules if request_first else reversed(rules))).rules) == 2


@pytest.mark.parametrize(
    ("erased", "needed", "use"), [each for each in NOT_ALWAYS if each[2] in {"keep", "match"}], ids=pair_id
)
def test_the_clock_is_not_bound_by_an_erasure_on_request(erased: Path, needed: Path, use: str) -> None:
    """What a request leaves on the record, another rule may still erase when it is due."""
    (changes,) = needing(use, needed)
    request = request_text(**{"erase": '["unrelated"]', "key": BARE["key"], **changes})
    assert len(read(rule_text(**{**BARE, "erase": f"[{written(erased)}]"}), request).rules) == 2


@pytest.mark.parametrize(
    ("erased", "needed", "use"), [each for each in PAIRS if each[2] != "anchor"], ids=pair_id
)
def test_an_erasure_on_request_does_not_erase_what_it_needs_itself(
    erased: Path, needed: Path, use: str
) -> None:
    """Its own proof, its key and its match stay; nor is one field of it within another."""
    (changes,) = needing(use, needed)
    if use == "erase":
        changes = {"erase": f"[{written(erased)}, {written(needed)}]"}
    else:
        changes["erase"] = f"[{written(erased)}]"
    named = "" if use == "erase" else f"erasure.{use}: "
    found = problems(policy_text(request_text(**{"key": BARE["key"], **changes})))
    assert found == [f"erasure.erase: {'.'.join(erased)} overlaps {named}{'.'.join(needed)}"]


@pytest.mark.parametrize(("erased", "needed"), KEYS, ids=pair_id)
@pytest.mark.parametrize("eraser", ["erasure", "other"])
def test_no_key_is_erased_on_request_or_beside_it(erased: Path, needed: Path, eraser: str) -> None:
    """Without its key there is no record; told for each of the two rules, as both have that key."""
    (changes,) = needing("key", needed)
    erase = {"erase": f"[{written(erased)}]"}
    found = problems(
        policy_text(
            request_text(**changes, **(erase if eraser == "erasure" else {})),
            rule_text(**{**BARE, **changes, **(erase if eraser == "other" else {})}),
        )
    )
    overlap = f"{eraser}.erase: {'.'.join(erased)} overlaps"
    assert found == [f"{overlap} {rule}.key: {needed[0]}" for rule in ("erasure", "other")]


@pytest.mark.parametrize("path", [("legal_hold",), ("legal_hold", "until")], ids=pair_id)
def test_the_hold_mark_is_not_erased_on_request(path: Path) -> None:
    """A hold comes before a request, so a request must not undo it."""
    found = problems(policy_text(rule_text(), request_text(erase=f"[{written(path)}]")))
    overlap = f"erasure.erase: {'.'.join(path)} overlaps"
    assert found == [f"{overlap} {rule}.hold mark: legal_hold" for rule in ("delivery", "erasure")]


def test_a_table_has_one_erasure_on_request() -> None:
    """Two would answer one request twice; each table may have its own."""
    second = {"id": '"second"', "erase": '["fax"]'}
    found = problems(policy_text(request_text(), rule_text(), request_text(**second)))
    assert found == ["second.trigger: erasure is this table's erasure on request already"]
    assert len(read(request_text(), request_text(**second, table='"Elsewhere"')).rules) == 2


@pytest.mark.parametrize(
    "key",
    [
        '{ order_id = "{shipment_id}" }',
        '{ shipment_id = { N = "{shipment_id}" } }',
        '{ shipment_id = "{shipment_id}", sk = "META" }',
    ],
    ids=["name", "type", "more"],
)
@pytest.mark.parametrize("request_first", [True, False], ids=["request-first", "request-last"])
def test_a_table_has_one_kind_of_key(key: str, request_first: bool) -> None:  # noqa: FBT001 -- both orders
    """A request names key attributes: of other names or types, it would name no record of the table."""
    rules = [request_text(key=key), rule_text()]
    found = problems(policy_text(*(rules if request_first else reversed(rules))))
    assert found == ["erasure.key: has other names or types than delivery.key"]


def test_keys_are_compared_by_name_and_type_only() -> None:
    """A request names the attributes themselves, so their templates may differ; so may other tables' keys."""
    assert len(read(rule_text(), request_text(key='{ shipment_id = "S#{no}" }')).rules) == 2
    assert len(read(rule_text(), request_text(key='{ pk = "{no}" }', table='"Elsewhere"')).rules) == 2


@pytest.mark.parametrize("path", [("legal_hold",), ("legal_hold", "until")], ids=pair_id)
def test_the_hold_mark_is_never_erased(path: Path) -> None:
    """A rule that erases the mark, or a part of it, would undo every hold."""
    (problem,) = problems(policy_text(rule_text(erase=f"[{written(path)}]")))
    assert problem == f"delivery.erase: {'.'.join(path)} overlaps delivery.hold mark: legal_hold"


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_reading_is_total(text: bytes) -> None:
    """Whatever the file holds: a policy, or a refusal with its reasons."""
    assert problems(text)


toml_values = st.recursive(
    st.sampled_from(
        ["1", "true", '""', '"x"', '"{x}"', "2026-01-01", "nan", "-1.5", '"P90D"', '"2026-01-01"', "07:32:00"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda some: f"[{', '.join(some)}]")
        | st.dictionaries(st.sampled_from(["attribute", "fact", "S", "N", "x"]), inner, max_size=2).map(
            lambda some: "{ " + ", ".join(f"{name} = {value}" for name, value in some.items()) + " }"
        )
    ),
    max_leaves=4,
)


@given(
    st.sampled_from([rule_text, request_text]),
    st.sampled_from([*RULE, "match", "keep", "anchor_zone", "basis", "review_after"]),
    toml_values,
)
def test_a_rule_with_any_value_is_read_or_refused(kind: Callable[..., str], key: str, value: str) -> None:
    """No value of any type in any place makes the reader crash."""
    try:
        policy = read(kind(**{key: value}))
    except PolicyError as error:
        refused = error
    else:
        assert policy.rules
        return
    assert refused.problems
