"""`lapse send`, as an operator types it."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lapse.outbound import READINGS
from shared.failure import CallFailedError
from shared.outgoing import ContractEvent
from tests.builders import event, opened, rules_from
from tests.operators import Operator

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "events" / "contract").glob("*.json"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the event stands."""
    return tmp_path / "event.json"


def written(file: Path, **changes: Any) -> Path:
    """A valid dispute, with changes."""
    file.write_text(json.dumps({**opened(), **changes}))
    return file


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_each_sample_is_sent_as_it_is(sample: Path) -> None:
    """Source, type and detail; and what it starts is said, with where to look."""
    operator = Operator()
    answer = operator.types("send", sample)
    told = json.loads(sample.read_text())
    assert (answer.code, answer.err) == (0, "")
    assert operator.memory.news == [ContractEvent(told["source"], told["detail-type"], told["detail"])]
    assert f"{told['detail-type']} is on the bus of stack lapse." in answer.out
    assert "In a few seconds: lapse explain" in answer.out


def test_there_is_a_sample_of_each_event() -> None:
    """One for each that the contract knows."""
    told = [json.loads(sample.read_text()) for sample in SAMPLES]
    assert {(each["source"], each["detail-type"]) for each in told} == set(READINGS)


@pytest.mark.parametrize(
    ("sample", "starts"),
    [
        ("shipment-dispatched", [("the clock starts", "delivery-contact")]),
        ("contact-left", [("the clock starts", "leaver-contact")]),
        ("contact-returned", [("the clock stops", "leaver-contact")]),
        ("dispute-opened", [("is held", None)]),
        ("dispute-closed", [("is released", None)]),
        ("erasure-requested", [("is erased, now or when its last hold ends", "delivery-erasure")]),
    ],
)
def test_what_an_event_starts(sample: str, starts: list[tuple[str, str | None]]) -> None:
    """By which rule, at which record."""
    answer = Operator().types("send", ROOT / "events" / "contract" / f"{sample}.json", "--json").json
    assert [(each["what"], each["rule"]) for each in answer["starts"]] == starts
    assert all(each["key"] for each in answer["starts"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": None}, "source: must be text."),
        ({"source": "lapse"}, "source: lapse is Lapse's own"),
        ({"source": "crm"}, "detail-type: is none that Lapse takes from this source. It takes ShipmentD"),
        ({"detail-type": "canary"}, "detail-type: is none that Lapse takes"),
        (
            {
                "source": "crm",
                "detail-type": "ContactLeft",
                "time": "canary",
                "detail": {"contact_id": "C-7"},
            },
            "time: is EventBridge's own to write: say notified_at",
        ),
        ({"detail": "canary"}, "detail: must be an object."),
        ({"detail": {"shipment_id": "canary"}}, "reason_code: is missing."),
        ({"detail": {**opened()["detail"], "opened_by": "canary@example.org"}}, "opened_by: must be letters"),
        ({"detail": {**opened()["detail"], "reason_code": "canary"}}, "reason_code: is none of chargeback"),
    ],
)
def test_what_the_contract_refuses_is_not_sent(file: Path, changes: dict[str, Any], said: str) -> None:
    """The field is named, and never its value."""
    operator = Operator()
    answer = operator.types("send", written(file, **changes), columns=300)
    assert (answer.code, operator.memory.news) == (1, [])
    assert said in answer.err
    assert "canary" not in answer.said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("canary", "the file is not JSON"),
        ("[" * 100_000, "the file is not JSON"),
        ('"canary"', "event: must be an object"),
        ('{"Records": []}', "that is a batch of a queue"),
    ],
)
def test_what_is_no_event_is_not_sent(file: Path, text: str, said: str) -> None:
    """Whatever it is."""
    operator = Operator()
    file.write_text(text)
    answer = operator.types("send", file)
    assert (answer.code, said in answer.err, operator.memory.news) == (1, True, [])


def test_a_table_without_a_rule_is_said_to_refuse(file: Path) -> None:
    """The event is valid: whoever asked hears of the refusal."""
    records = [{"table": "Orders", "key": {"id": "O-1"}}]
    detail = {
        "request_id": "R",
        "requested_at": "2026-08-25T10:15:00Z",
        "approved_by": "s",
        "records": records,
    }
    file.write_text(json.dumps(event("ErasureRequested", detail)))
    answer = Operator().types("send", file)
    assert (answer.code, "the policy erases nothing of this table on request" in answer.said) == (0, True)


def test_a_key_field_of_ones_own_is_asked_for() -> None:
    """A rule's key may name fields beside the contract's."""
    text = (ROOT / "shared" / "policy.toml").read_text().partition("[[rules]]")[2].partition("[[rules]]")[0]
    own = text.replace('shipment_id = "{shipment_id}"', 'pk = "ORDER#{order_id}"')
    operator = Operator(policy=rules_from(f"[[rules]]{own}"))
    answer = operator.types("send", ROOT / "events" / "contract" / "shipment-dispatched.json")
    assert (answer.code, answer.err, operator.memory.news) == (
        1,
        "lapse: EVENT.json: order_id: is missing.\nNothing was sent.\n",
        [],
    )


@dataclass
class Refusing:
    """A bus that takes nothing."""

    code: str

    def put(self, _: Any) -> None:
        raise CallFailedError("PutEvents", self.code)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("NotAuthorizedForSourceException", "must be one of the stack's RequestPrincipals."),
        ("AccessDeniedException", "need events:PutEvents, and for lapse.requests to be one of"),
        ("InternalFailure", "A call failed (PutEvents: InternalFailure)."),
    ],
)
def test_a_bus_that_does_not_take_it_is_explained(code: str, said: str) -> None:
    """PutEvents answers for each entry: its code says why."""
    refusing = replace(Operator().controls(), bus=Refusing(code))
    answer = Operator().types("send", SAMPLES[0], connect=lambda: refusing)
    assert (answer.code, said in answer.err) == (1, True)
