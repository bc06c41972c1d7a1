"""The policies that a run deploys one after the other, and the same promises as the oracle knows them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache

from shared.config import deployed_policy
from shared.policy import Guard, Mode, Policy, Rule
from shared.record import Path

DAY = timedelta(days=1)
MOBILE: Path = ("mobile",)
GATE_CODE: Path = ("gate", "code")


@dataclass(frozen=True)
class Promise:
    """What the oracle knows of a rule. `fields` go `days` after the anchor, or at once if asked for."""

    rule: str
    table: str
    fields: tuple[Path, ...]
    days: int = 0
    enforced: bool = True
    on_request: bool = False
    attribute: str | None = None
    fact: str | None = None
    cancel: str | None = None
    earliest: bool = False
    match: tuple[str, object] | None = None
    clause: str = ""


@dataclass(frozen=True)
class Edition:
    """One edition of the policy, in both forms."""

    policy: Policy
    promises: tuple[Promise, ...]

    def promises_of(self, table: str) -> tuple[Promise, ...]:
        """The promises about a table."""
        return tuple(each for each in self.promises if each.table == table)

    def held(self, table: str) -> frozenset[Path]:
        """The fields that a hold keeps: what the clock would erase."""
        by_the_clock = (each for each in self.promises_of(table) if not each.on_request)
        return frozenset(path for each in by_the_clock for path in each.fields)


@cache
def editions(guard: Guard, cap: int | None) -> Mapping[str, Edition]:
    """All editions, for one kind of guard and one limit of erasures per run, by name."""
    edition = {
        "usual": _edition("usual", days=7),
        "shorter": _edition("shorter", days=5),
        "more fields": _edition("more fields", days=7, more=(MOBILE,)),
        "observing": _edition("observing", days=7, enforced=False),
    }
    return {
        name: replace(
            each,
            policy=replace(each.policy, rules=_guarded(each.policy.rules, guard), max_erasures_per_run=cap),
        )
        for name, each in edition.items()
    }


def _guarded(rules: tuple[Rule, ...], guard: Guard) -> tuple[Rule, ...]:
    return tuple(replace(rule, guard=guard) for rule in rules)


def _edition(name: str, *, days: int, more: tuple[Path, ...] = (), enforced: bool = True) -> Edition:
    shipped = deployed_policy()
    delivery, leaver, delivery_erasure, contact_erasure = shipped.rules
    contact = ("contact_number",), ("email",), GATE_CODE
    rules = (
        replace(
            delivery,
            retain=days * DAY,
            erase=(*contact, *more),
            mode=Mode.ENFORCE if enforced else Mode.OBSERVE,
        ),
        replace(leaver, retain=days * DAY),
        replace(delivery_erasure, erase=(*contact, ("name",), ("company",))),
        contact_erasure,
    )
    promises: tuple[Promise, ...] = (
        Promise(
            "delivery-contact",
            "Shipments",
            (*contact, *more),
            days,
            enforced,
            attribute="shipped_at",
            fact="shipped",
            match=("drop_ship", {"BOOL": True}),
        ),
        Promise(
            "leaver-contact",
            "Contacts",
            (("telephone",), ("email",)),
            days,
            fact="left",
            cancel="returned",
            earliest=True,
        ),
        Promise("delivery-erasure", "Shipments", (*contact, ("name",), ("company",)), on_request=True),
        Promise("contact-erasure", "Contacts", (("telephone",), ("email",), ("job_title",)), on_request=True),
    )
    clauses = {rule.id: rule.clause for rule in rules}
    promises = tuple(replace(each, clause=clauses[each.rule]) for each in promises)
    policy = replace(shipped, rules=rules, digest=f"digest of {name}", ledger_retain=12 * DAY)
    return Edition(policy, promises)
