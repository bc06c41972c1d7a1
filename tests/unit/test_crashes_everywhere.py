"""No port call escapes: each that a use case's Protocols permit is struck, or there is a reason why not."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any, get_protocol_members, get_type_hints, is_protocol

import shared
from functions.on_source.app import relay
from shared.correct_fact import correct_fact
from shared.deliveries import Deliveries
from shared.facts import FactKind, Facts
from shared.pausing import pause, resume
from shared.purge_due import purge_due
from shared.rebuild_facts import pause_again, rebuild
from shared.replay import replay
from shared.request_erasure import request_erasure
from shared.schedule_deletion import schedule_deletion
from shared.sweep import sweep
from shared.work_dispute import work_dispute
from tests import crash_scenarios, crash_scenarios_of_messages, crash_scenarios_of_runs
from tests.builders import contact_ref, shipment_ref
from tests.crash_scenarios import forgetful
from tests.crash_scenarios_of_runs import memory_of, told_of_all, with_a_backup
from tests.crashes import calls_of, points_of, settled
from tests.misbehaving import ASK_NOBODY

SCENARIOS = {
    **crash_scenarios.SCENARIOS,
    **crash_scenarios_of_runs.SCENARIOS,
    **crash_scenarios_of_messages.SCENARIOS,
}
USE_CASES: Mapping[str, Any] = {
    "schedule_deletion": schedule_deletion,
    "work_dispute": work_dispute,
    "request_erasure": request_erasure,
    "correct_fact": correct_fact,
    "pause": pause,
    "resume": resume,
    "purge_due": purge_due,
    "sweep": sweep,
    "replay": replay,
    "rebuild": rebuild,
    "pause_again": pause_again,
    "relay": relay,
    "take": Deliveries,
}
"""What takes ports: placing, releasing and marking holds is `work_dispute`, answering is the purge's."""
NOT_CALLED = {
    ("pause", "brake.read"): "to pause twice is to pause: nothing is asked first",
    ("replay", "facts.change"): "a replay sets marks again; it tells Facts nothing",
    ("pause_again", "facts.read"): "a pause is about no record",
    ("pause_again", "facts.put"): "as above",
    ("pause_again", "ledger.entries_of"): "as above",
}
ELSEWHERE = {
    "PastEntries": "the check of a restored table writes nothing: what fails is asked again",
    "LedgerToSeal": "sealing is crashed at each moment in tests/contract/test_sealing.py",
    "SealsToAddTo": "as above",
    "SealsToRead": "as above",
    "SigningKey": "as above",
    "KmsClient": "what an adapter uses of boto3",
}
"""Protocols that are in no use case that is disturbed here."""


def modules() -> list[ModuleType]:
    return [importlib.import_module(f"shared.{each.name}") for each in pkgutil.iter_modules(shared.__path__)]


def protocols(annotation: Any, name: str) -> Iterator[tuple[str, type]]:
    """The ports of an annotation, with their names, however deep they are."""
    if inspect.isclass(annotation) and is_protocol(annotation):
        yield name, annotation
    elif inspect.isclass(annotation) and is_dataclass(annotation):
        hints = get_type_hints(annotation)
        for field in fields(annotation):
            yield from protocols(hints[field.name], field.name)


def ports_of(use_case: Any) -> Iterator[tuple[str, type]]:
    if inspect.isclass(use_case):
        yield from protocols(use_case, "")
        return
    for name, hint in get_type_hints(use_case).items():
        yield from protocols(hint, name)


KNOWN = {
    (name, f"{port}.{method}")
    for name, use_case in USE_CASES.items()
    for port, protocol in ports_of(use_case)
    for method in get_protocol_members(protocol) - ASK_NOBODY
}
KNOWN |= {("take", call) for name, call in KNOWN if name == "schedule_deletion"}  # messages are of shipments
CALLS = {name: calls_of(scenario) for name, scenario in SCENARIOS.items()}
STRUCK = {(SCENARIOS[each.scenario].use_case, each.call) for each in points_of(SCENARIOS, CALLS)}


def test_each_known_call_is_struck() -> None:
    """A new method of a port is disturbed in each use case that is given it, or somebody says why not."""
    assert NOT_CALLED.keys() == KNOWN - STRUCK


def test_each_struck_call_is_known() -> None:
    """No use case calls anything that its Protocols do not have: else what it is given would be more."""
    assert not STRUCK - KNOWN


def test_each_protocol_belongs_to_a_use_case() -> None:
    """A new port is in a use case that is disturbed, or somebody says why not."""
    reached = {base for each in USE_CASES.values() for _, port in ports_of(each) for base in port.__mro__}
    defined = {each for module in modules() for each in vars(module).values() if inspect.isclass(each)}
    ours = {each for each in defined if is_protocol(each) and each.__module__.startswith("shared.")}
    assert {each.__name__ for each in ours - reached} == ELSEWHERE.keys()


def test_each_set_of_ports_belongs_to_a_use_case() -> None:
    """A new use case is disturbed, or somebody says why not."""
    homes = {module.__name__ for module in modules() if "Ports" in vars(module)}
    given = {hint for each in USE_CASES.values() for hint in get_type_hints(each).values()}
    disturbed = {each.__module__ for each in given if inspect.isclass(each) and each.__name__ == "Ports"}
    defining = {home for home in homes if vars(importlib.import_module(home))["Ports"].__module__ == home}
    assert defining - disturbed == {"shared.restore", "shared.seal_ledger"}  # see ELSEWHERE


def test_facts_are_rebuilt_as_they_were() -> None:
    """The end that all disturbed rebuildings are compared with is the right one."""
    world = told_of_all()
    lost_nothing = {record.text: forgetful(facts) for record, facts in memory_of(world).facts.items()}
    assert said(settled(SCENARIOS["rebuilding"], None)["facts"]) == said(lost_nothing)
    assert settled(SCENARIOS["the pause that was lost"], None)["pause"] is not None


def said(facts: Mapping[str, Facts]) -> dict[str, Any]:
    """What facts say: what was taken back may stand there, or not."""
    return {
        name: ({kind: each.of(kind) for kind in FactKind if each.of(kind)}, each.holds, each.requests)
        for name, each in facts.items()
    }


def test_a_replayed_table_is_as_it_should_be() -> None:
    """The end that all disturbed replays are compared with: what is due is gone, what is held is marked."""
    before, after = memory_of(with_a_backup()).items, settled(SCENARIOS["replay"], None)["items"]
    assert {record for record in before if "email" not in before[record]} == {shipment_ref("S-gone")}
    gone = {name for name, item in after.items() if "email" not in item}
    shipments = (shipment_ref(name) for name in ("S-gone", "S-no-anchor", "S-corrected"))
    assert gone == {contact_ref("C-left").text, *(each.text for each in shipments)}
    assert "legal_hold" in after[shipment_ref("S-due").text]


def test_what_is_refused_is_dead_lettered() -> None:
    """The end that all disturbed deliveries are compared with."""
    end = settled(SCENARIOS["messages"], None)
    assert sorted(reason for _, reason in end["dead letters"]) == [
        "body: is not JSON",
        "shipment_id: is empty",
    ]
    assert "email" not in end["items"][shipment_ref("S-due").text]
