"""A policy's rules as a table for people: what is erased from which records, and when."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from rich import box
from rich.table import Table
from rich.text import Text

from shared.instants import DAY, MINUTE, AnchorFormat
from shared.key_template import KeyTemplate
from shared.policy import Anchor, Counting, Mode, Policy, Rule
from shared.record import Path

_HOUR = timedelta(hours=1)
_STYLES = {Mode.OBSERVE: "yellow", Mode.ENFORCE: "green"}


def heading(policy: Policy, updated: date) -> Text:
    """Which policy this is."""
    return Text.assemble((f"Policy {policy.id}", "bold"), f", updated {updated}\nsha256 {policy.digest}\n")


def rules_table(policy: Policy) -> Table:
    """One row for each rule, in the order of the file. Long names are wrapped, never cut off."""
    table = Table(box=box.SIMPLE, show_edge=False, show_lines=True, pad_edge=False)
    for title in ("Rule", "Records", "Clock", "Erase", "Keep"):
        table.add_column(title, overflow="fold")
    for rule in policy.rules:
        table.add_row(_name(rule), _records(rule), _clock(rule), _paths(rule.erase), _paths(rule.keep))
    return table


COLUMNS = ("rule", "clause", "mode", "table", "records", "clock", "erase", "keep")


def rule_rows(policy: Policy) -> list[dict[str, str]]:
    """The same for spreadsheets: one row for each rule, in the order of the file."""
    return [
        {
            "rule": rule.id,
            "clause": rule.clause,
            "mode": rule.mode.value,
            "table": rule.table,
            "records": "; ".join(_records(rule).plain.splitlines()[1:]),
            "clock": "; ".join(_clock(rule).plain.splitlines()),
            "erase": "; ".join(map(_dotted, rule.erase)),
            "keep": "; ".join(map(_dotted, rule.keep)),
        }
        for rule in policy.rules
    ]


def _name(rule: Rule) -> Text:
    return _lines([Text(rule.id, "bold"), Text(f"§{rule.clause}"), Text(rule.mode.value, _STYLES[rule.mode])])


def _records(rule: Rule) -> Text:
    keys = [Text(_key(rule, name, part)) for name, part in rule.key.items()]
    matches = [Text(f"if {_dotted(path)}={_value(value)}") for path, value in rule.match.items()]
    return _lines([Text(rule.table, "bold"), *keys, *matches])


def _clock(rule: Rule) -> Text:
    if rule.on_request:
        return _lines([Text(f"{rule.trigger} events"), Text("at once", "bold")])
    zone = f" in {rule.zone.key}" if rule.counting is Counting.CALENDAR_DAYS else ""
    retained = Text.assemble((length(rule.retain), "bold"), f", {rule.counting}{zone}")
    return _lines([Text(f"{rule.trigger} events"), *map(Text, _anchor(rule.anchor)), retained])


def _anchor(anchor: Anchor) -> Iterable[str]:
    if anchor.attribute:
        zone = f" in {anchor.zone.key}" if anchor.format in {AnchorFormat.NAIVE, AnchorFormat.DATE} else ""
        yield f"from {_dotted(anchor.attribute)} ({anchor.format}{zone})"
    if anchor.fact:
        yield f"{'or' if anchor.attribute else 'from'} {anchor.merge} fact {anchor.fact}"
    if anchor.cancel:
        yield f"unless {anchor.cancel} since"


def length(period: timedelta) -> str:
    """A period of the policy, in words: `1 day 12 hours`."""
    days, rest = divmod(period, DAY)
    hours, rest = divmod(rest, _HOUR)
    counted = {"day": days, "hour": hours, "minute": rest // MINUTE}
    return " ".join(f"{n} {unit}{'' if n == 1 else 's'}" for unit, n in counted.items() if n)


def _key(rule: Rule, name: str, part: KeyTemplate) -> str:
    """A key attribute and its template; a request names the attribute itself."""
    written = name if rule.on_request else f"{name}={part.template}"
    return written if part.type == "S" else f"{written} (number)"


def _value(value: Mapping[str, object]) -> str:
    ((_, plain),) = value.items()
    return str(plain).lower() if isinstance(plain, bool) else str(plain)


def _paths(paths: Iterable[Path]) -> Text:
    return _lines([Text(_dotted(path)) for path in paths])


def _dotted(path: Path) -> str:
    return ".".join(path)


def _lines(lines: Iterable[Text]) -> Text:
    return Text("\n").join(lines)
