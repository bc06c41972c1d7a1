"""Reading `policy.toml`: into the policy's own types, or every refusal, with an error that says where."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from shared.facts import FactKind
from shared.instants import AnchorFormat
from shared.policy import Anchor, Counting, Merge, Policy, Rule
from shared.policy_conflicts import conflicts
from shared.policy_text import PolicyText, RequestText, RuleText


class PolicyError(Exception):
    """The policy cannot be used."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems: where and what, a line each."""
        super().__init__("\n".join(problems))
        self.problems = problems


def read_policy(text: bytes) -> Policy:
    """Read a policy file.

    Args:
        text: the file's bytes, of which the digest is taken.

    Raises:
        PolicyError: it cannot be used; says where and why.
    """
    try:
        document = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:  # a number of too many digits is a plain ValueError
        raise PolicyError([f"not TOML: {error}"]) from None
    try:
        written = PolicyText.model_validate(document)
    except ValidationError as error:
        raise PolicyError(_problems(error, document)) from None
    rules = tuple(_rule(each, written) for each in written.rules)
    if problems := list(conflicts(rules)):
        raise PolicyError(problems)
    return Policy(
        id=written.id,
        digest=hashlib.sha256(text).hexdigest(),
        rules=rules,
        max_erasures_per_run=written.max_erasures_per_run,
        max_hold=written.max_hold,
        ledger_retain=written.ledger_retain,
        hold_reasons=frozenset(written.hold_reasons),
    )


def _rule(written: RuleText | RequestText, policy: PolicyText) -> Rule:
    zone = ZoneInfo(policy.timezone)
    if isinstance(written, RuleText):
        anchor, retain, counting = _anchor(written, zone), written.retain, written.counting
    else:
        anchor, retain, counting = _request_anchor(zone), timedelta(0), Counting.ELAPSED
    return Rule(
        id=written.id,
        clause=written.clause,
        table=written.table,
        key=written.key,
        match=written.match,
        trigger=written.trigger,
        anchor=anchor,
        retain=retain,
        counting=counting,
        zone=zone,
        erase=tuple(written.erase),
        keep=tuple(written.keep),
        mode=written.mode,
        guard=written.guard,
        not_before=datetime.combine(policy.not_before, time.min, UTC),
    )


def _anchor(written: RuleText, zone: ZoneInfo) -> Anchor:
    return Anchor(
        attribute=written.anchor.attribute,
        fact=written.anchor.fact,
        cancel=written.anchor.cancel,
        format=written.anchor_format,
        zone=ZoneInfo(written.anchor_zone) if written.anchor_zone else zone,
        merge=written.anchor_merge,
    )


def _request_anchor(zone: ZoneInfo) -> Anchor:
    """An erasure on request is due when it was first asked for; so it needs no decision of its own."""
    return Anchor(
        attribute=None,
        fact=FactKind.REQUESTED,
        cancel=None,
        format=AnchorFormat.RFC3339,
        zone=zone,
        merge=Merge.EARLIEST,
    )


def _problems(error: ValidationError, written: Mapping[str, Any]) -> list[str]:
    """A line for each problem: where, by the rule's id where it has one, and what."""
    problems = []
    for each in error.errors(include_url=False, include_input=False):
        where = ".".join(_where(each["loc"], written)) or "policy"
        problems.append(f"{where}: {each['msg'].removeprefix('Value error, ')}")
    return problems


def _where(location: tuple[int | str, ...], written: Mapping[str, Any]) -> Iterator[str]:
    match location:
        case ("rules", int(number), _, *names):  # in between is which kind of rule it was taken for
            rule = written["rules"][number]
            rule_id = rule.get("id") if isinstance(rule, dict) else None
            yield rule_id if isinstance(rule_id, str) else f"rules.{number}"
        case _:
            names = list(location)
    yield from map(str, names)
