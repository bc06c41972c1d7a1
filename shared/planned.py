"""What a plan says: for each rule, how many records are erased when, by the old policy and by the new one."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from shared.policy import Policy, Rule
from shared.prospect import AT_ONCE, Bucket


class Moved(StrEnum):
    """What the new policy means for a record, by one rule."""

    EARLIER = "earlier"
    LATER = "later"
    SAME = "same"
    NEWLY_COVERED = "newly_covered"
    """It is erased, and by this rule it would not have been."""
    NO_LONGER_COVERED = "no_longer_covered"
    OBSERVED = "observed"
    """The new rule only observes. If it enforced, it would erase this record."""


@dataclass
class RulePlan:
    """What would change by one rule: how many records are erased when, and how many of them move."""

    before: Counter[Bucket] = field(default_factory=Counter)
    after: Counter[Bucket] = field(default_factory=Counter)
    moved: Counter[Moved] = field(default_factory=Counter)

    def add(self, other: "RulePlan") -> None:
        """Add what another part of the scan counted."""
        self.before += other.before
        self.after += other.after
        self.moved += other.moved


@dataclass
class Plan:
    """What would change, by rule. `unreadable` are rows and records that cannot be judged."""

    by_rule: dict[str, RulePlan] = field(default_factory=dict)
    unreadable: int = 0

    @property
    def at_once(self) -> int:
        """How many erasures are overdue as soon as the new policy is deployed."""
        return sum(rule.after[AT_ONCE] for rule in self.by_rule.values())

    def add(self, other: "Plan") -> None:
        """Add what another part of the scan counted."""
        for rule_id, rule in other.by_rule.items():
            self.by_rule.setdefault(rule_id, RulePlan()).add(rule)
        self.unreadable += other.unreadable


@dataclass(frozen=True)
class Pair:
    """A rule as it is and as it would be; one is missing if it is new, removed, or to be of other records."""

    id: str
    before: Rule | None
    after: Rule | None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Those of the two that there are."""
        return tuple(rule for rule in (self.before, self.after) if rule)


def pairs_of(old: Policy, new: Policy) -> list[Pair]:
    """Rules of the same id together, if they are about the same records."""
    pairs = []
    for rule_id in dict.fromkeys(rule.id for rule in (*old.rules, *new.rules)):
        before, after = old.rule(rule_id), new.rule(rule_id)
        if before and after and kind(before) != kind(after):
            pairs += [Pair(rule_id, before, None), Pair(rule_id, None, after)]
        else:
            pairs.append(Pair(rule_id, before, after))
    return pairs


def kind(rule: Rule) -> tuple[str, list[str]]:
    """Which records a rule may be about."""
    return rule.table, sorted(rule.key)
