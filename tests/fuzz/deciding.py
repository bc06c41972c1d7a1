"""Target for the decision itself: whatever was read, nothing goes early or over a hold."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shared.hold_mark import right_mark
from shared.instants import FIRST, LAST, MICROSECOND, MINUTE, AnchorFormat, parse_rfc3339, to_text
from shared.policy import Counting, Merge, Mode, Rule
from shared.record import HOLD_MARK, Path, View
from shared.retention import SKEW, Drop, Erase, Wait, decide, wake_up_minute
from tests.builders import delivery_rule, leaver_rule
from tests.fuzz import reference
from tests.fuzz.checks import sound
from tests.fuzz.choices import Choices
from tests.fuzz.formats import LOCAL, ZONES
from tests.fuzz.stored import CLOCKS, FACTS_NAMES, FACTS_ROW, read_facts
from tests.fuzz.target import Target
from tests.fuzz.wire import damaged_item, loaded, stored, wire_value

_TAME: dict[Path, dict[str, Any]] = {
    ("drop_ship",): {"BOOL": True},
    ("shipped_at",): {"S": "2026-05-27T22:15:00Z"},  # twelve hours too late for `NOW`
    HOLD_MARK: {"M": {"by": {"S": "lapse"}, "until": {"S": "2026-05-01T10:15:00Z"}}},
}


def make_decision(choices: Choices) -> bytes:
    """A rule's settings, and what was seen."""
    rule = {
        "leaver": choices.chance(),
        "own": not choices.chance(4),
        "format": choices.pick(tuple(AnchorFormat)) if choices.chance() else AnchorFormat.RFC3339,
        "zone": str(choices.pick(ZONES)),
        "merge": choices.pick(tuple(Merge)),
        "retain": choices.pick((90, 90, 1, 999_999_999)),
        "counting": choices.pick(tuple(Counting)),
        "mode": choices.pick((Mode.ENFORCE, Mode.ENFORCE, Mode.OBSERVE)),
        "ever": choices.chance(),
    }
    seen = {path[0]: wire_value(choices, like) for path, like in _TAME.items() if not choices.chance(4)}
    facts = damaged_item(FACTS_ROW, choices, FACTS_NAMES) if choices.chance() else None
    now = to_text(choices.pick(CLOCKS))
    return stored({"rule": rule, "exists": not choices.chance(8), "seen": seen, "facts": facts, "now": now})


def check_decision(text: bytes) -> None:
    """A decision, whatever it is about; and nothing is erased early or over a hold."""
    given = loaded(text)
    rule, now = _rule(given["rule"]), parse_rfc3339(given["now"])
    facts = read_facts(given["facts"]) if given["facts"] else None
    view = View(given["exists"], {(name,): value for name, value in given["seen"].items()}, facts)
    match decide(rule, view, now):
        case Erase(due):
            assert sound(due) <= _certain(now)
            assert due.microsecond == 0
            _may_be_erased(rule, view, now)
        case Wait(until, _):
            assert sound(until) > _certain(now)
            assert sound(wake_up_minute(until, now)) > now or now > LAST - MINUTE
        case Drop(why):
            assert why
    mark = right_mark(facts, view.attributes.get(HOLD_MARK), now)
    assert mark is None or right_mark(facts, mark, now) == mark


def _certain(now: datetime) -> datetime:
    """What is certainly past."""
    return now - SKEW if now - FIRST > SKEW else FIRST


def _rule(given: dict[str, Any]) -> Rule:
    rule = leaver_rule() if given["leaver"] else delivery_rule()
    anchor = replace(
        rule.anchor,
        attribute=("shipped_at",) if given["own"] else None,
        format=AnchorFormat(given["format"]),
        zone=ZoneInfo(given["zone"]),
        merge=Merge(given["merge"]),
    )
    return replace(
        rule,
        anchor=anchor,
        retain=timedelta(days=given["retain"]),
        counting=Counting(given["counting"]),
        zone=anchor.zone,
        mode=Mode(given["mode"]),
        not_before=FIRST if given["ever"] else rule.not_before,
    )


def _may_be_erased(rule: Rule, view: View, now: datetime) -> None:
    """By a second reading of the same record."""
    assert view.exists
    assert rule.mode is Mode.ENFORCE
    assert _anchor(rule, view) + rule.retain // MICROSECOND <= reference.microseconds(now) + _slack(rule)
    for hold in view.facts.holds.values() if view.facts else ():
        assert hold.is_closed or (hold.until and hold.until <= now)
    mark = view.value(HOLD_MARK)
    if mark is not None:
        until = reference.rfc3339(mark["M"]["until"]["S"])
        assert until is not None
        assert until <= reference.microseconds(now)


def _anchor(rule: Rule, view: View) -> int:
    """The record's own, or else the facts' after the last cancel."""
    own = view.value(("shipped_at",)) if rule.anchor.attribute else None
    if own is not None:
        ((kind, text),) = own.items()
        assert kind in {"S", "N"}
        anchor = reference.read(text, rule.anchor.format)
        assert anchor is not None
        return anchor
    assert view.facts
    cancels = view.facts.of(rule.anchor.cancel)
    told = [each for each in view.facts.of(rule.anchor.fact) if not cancels or each > max(cancels)]
    plausible = [each for each in told if each >= rule.not_before]
    return reference.microseconds(max(plausible) if rule.anchor.merge is Merge.LATEST else min(plausible))


def _slack(rule: Rule) -> int:
    """By how much a local day or time may differ from UTC's."""
    is_local = rule.anchor.format in LOCAL or rule.counting is Counting.CALENDAR_DAYS
    return 3 * reference.DAY if is_local else 0


TARGETS = {"decisions": Target(make_decision, check_decision)}
