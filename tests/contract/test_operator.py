"""The real commands against a deployed stack: `bin/lapse`, as an operator runs it."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lapse import artifact, deployment, project
from lapse.stack import Stack, running
from tests.builders import shipment, to_wire_text
from tests.e2e.outside import eventually

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Deployed:
    """A deployed stack, and an operator's shell in front of it."""

    stack: Stack
    outputs: dict[str, str]

    def lapse(
        self, *words: str, code: int = 0, place: Path | None = None, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command."""
        found = subprocess.run(  # noqa: S603 -- our own script
            [str(Path(__file__).parents[2] / "bin" / "lapse"), *words],
            env=project.clean_environment({**self.stack.endpoint.environment(), **environment}),
            capture_output=True,
            text=True,
            check=False,
            cwd=place,
        )
        assert (found.returncode, "Traceback" in found.stderr) == (code, False), found.stdout + found.stderr
        return found

    def json(self, *words: str) -> Any:
        """Run a command for programs."""
        return json.loads(self.lapse(*words, "--json").stdout)

    def shipment(self, shipment_id: str) -> dict[str, Any]:
        """What the order system sees."""
        return dict(
            self.stack.clients.dynamodb.get_item(
                TableName=self.outputs["ShipmentsTableName"],
                Key={"shipment_id": {"S": shipment_id}},
                ConsistentRead=True,
            )["Item"]
        )

    def put(self, item: dict[str, Any]) -> None:
        """What the order system does."""
        self.stack.clients.dynamodb.put_item(TableName=self.outputs["ShipmentsTableName"], Item=item)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """A stack of its own, in which nothing wakes up by itself."""
    with running(tmp_path_factory.mktemp("stack"), tick_seconds=3600) as stack:
        yield Deployed(stack, deployment.deploy_fast(stack, artifact.build()))


def test_a_dispute_from_beginning_to_end(deployed: Deployed) -> None:
    """Hold -> holds -> explain -> release: what one command does, the next one shows."""
    deployed.put(shipment("S-1001"))
    end = to_wire_text(datetime.now(UTC) + timedelta(days=10))
    hold = ("hold", "Shipments", "S-1001", "--case", "CASE-1", "--reason", "lost", "--by", "staff-7")
    assert deployed.lapse(*hold, "--until", "P10D").stdout.startswith("Held: Shipments S-1001, case CASE-1,")
    assert deployed.shipment("S-1001")["legal_hold"]["M"]["by"] == {"S": "lapse"}
    (held,) = deployed.json("holds", "--expiring")["holds"]
    assert (held["case_ref"], held["opened_by"], held["until"][:10]) == ("CASE-1", "staff-7", end[:10])
    deployed.lapse("purge")
    assert "email" in deployed.shipment("S-1001")
    explained = deployed.json("explain", "Shipments", "S-1001")
    assert [(rule["rule"], rule["why"]) for rule in explained["rules"]] == [
        ("delivery-contact", "held"),
        ("delivery-erasure", "no_anchor"),
    ]
    deployed.lapse("release", "Shipments", "S-1001", "--case", "CASE-1", "--by", "staff-8")
    assert deployed.json("holds") == {"holds": [], "unreadable": 0}
    assert deployed.json("purge")["counts"]["Erased"] == 1
    assert not {"email", "contact_number", "legal_hold"} & deployed.shipment("S-1001").keys()
    outcomes = [entry["outcome"] for entry in deployed.json("explain", "Shipments", "S-1001")["evidence"]]
    assert outcomes == ["hold_placed", "hold_released", "erased"]


def test_a_request_a_pause_a_sweep_and_the_ledger(deployed: Deployed) -> None:
    """What nobody told of is found by the sweep; what was asked for is answered; and all of it verifies."""
    for shipment_id in ("S-1", "S-2"):
        deployed.put(shipment(shipment_id))
    deployed.lapse("erase", "Shipments", "S-2", "--request", "DSR-1", "--approved-by", "dpo-1", "--yes")
    deployed.lapse("pause", "--by", "staff-1", "--reason", "check", "--until", "P1D")
    assert "Lapse is paused until" in deployed.lapse("purge").stdout
    assert "without timer" in deployed.lapse("sweep").stdout
    status = json.loads(deployed.lapse("status", "--json", code=1).stdout)  # something is overdue
    assert (status["paused"]["by"], status["requests_open"], status["timers_overdue"] > 0) == (
        "staff-1",
        1,
        True,
    )
    deployed.lapse("resume", "--by", "staff-1")

    def answered() -> bool:
        deployed.lapse("purge")
        return not deployed.json("requests")["requests"]

    eventually(answered, within=120)
    assert "email" not in deployed.shipment("S-1").keys() | deployed.shipment("S-2").keys()
    (request,) = deployed.json("requests", "--all")["requests"]
    assert (request["request_id"], request["answer"]) == ("DSR-1", "erased")
    assert deployed.json("ledger", "verify")["findings"] == []


def test_a_fact_is_corrected(deployed: Deployed) -> None:
    """A shipment of which only an event told, on a wrong day."""
    deployed.put(shipment("S-3", shipped_at=None))
    wrong, right = (datetime.now(UTC).replace(microsecond=0) - timedelta(days=days) for days in (99, 9))
    detail = {"shipment_id": "S-3", "shipped_at": to_wire_text(wrong)}
    send = deployed.stack.clients.events.put_events
    bus = deployed.outputs["EventBusName"]
    event = {"Source": "orders", "DetailType": "ShipmentDispatched", "Detail": json.dumps(detail)}
    assert send(Entries=[{"EventBusName": bus, **event}])["FailedEntryCount"] == 0  # type: ignore[typeddict-item]

    def told() -> Any:
        return deployed.json("explain", "Shipments", "S-3")

    eventually(lambda: told()["facts"], within=120)
    words = (
        "--kind",
        "shipped",
        "--was",
        to_wire_text(wrong),
        "--is",
        to_wire_text(right),
        "--by",
        "staff-1",
    )
    assert "left" in deployed.lapse("correct", "Shipments", "S-3", *words).stdout
    deployed.lapse("purge")
    assert "email" in deployed.shipment("S-3")
    assert told()["withdrawn"] == {"shipped": [to_wire_text(wrong)]}
    assert told()["rules"][0]["due"] == to_wire_text(right + timedelta(days=90))


def test_an_officer_has_a_report(deployed: Deployed, tmp_path: Path) -> None:
    """Of all that happened before: page, lists and figures, from what the stack itself says."""
    deployed.put(shipment("S-4"))
    deployed.lapse("sweep")
    assert json.loads(deployed.lapse("due", "--json", code=1).stdout)["overdue"] == 1
    words = ("report", "--html", "r.html", "--csv", "lists", "--json", "r.json")
    said = deployed.lapse(*words, code=1, place=tmp_path).stdout
    assert said.startswith("1 erasure is overdue, the oldest by ")
    deployed.lapse("purge")
    _, overdue_then, unsealed, *_ = deployed.lapse(*words, place=tmp_path).stdout.splitlines()
    assert overdue_then.startswith("- 1 record was overdue when the last sweep came by")
    assert unsealed.startswith("- The ledger was never sealed")
    deployed.lapse("sweep")
    deployed.lapse("seal")
    assert deployed.lapse(*words, place=tmp_path).stdout.startswith("Nothing is overdue.\n")
    data = json.loads((tmp_path / "r.json").read_text())
    assert (data["stack"]["name"], data["stack"]["region"]) == ("lapse", "eu-west-1")
    assert data["last_purge"]["cause"] == "manual"
    assert data["ledger"]["findings"] == 0
    assert [each["table"] for each in data["tables"]["copies"]["rows"]] == ["Contacts", "Shipments"]
    assert "shipment_id" in (tmp_path / "lists" / "erased.csv").read_text()
    assert "Nothing is overdue" in (tmp_path / "r.html").read_text()
    status = deployed.json("status")
    assert (status["timers_overdue"], status["last_purge"]["shards_finished"]) == (0, 16)


def test_what_is_wrong_is_said_in_two_lines(deployed: Deployed) -> None:
    """A stack that is not there, by the option and by its variable."""
    found = deployed.lapse("--stack", "none", "holds", code=1)
    assert found.stderr.splitlines()[0] == 'lapse: There is no stack "none" in eu-west-1.'
    assert deployed.lapse("holds", code=1, LAPSE_STACK="none").stderr == found.stderr
    assert deployed.lapse("explain", "Orders", "1", code=1).stderr.startswith(
        "lapse: The policy has no such table."
    )


def test_an_event_is_sent_by_hand(deployed: Deployed) -> None:
    """What is refused before it is sent comes nowhere; what is sent becomes a fact."""
    sample = Path(__file__).parents[2] / "events" / "contract" / "contact-left.json"
    sent = deployed.json("send", str(sample))
    assert (sent["sent"], sent["starts"][0]["rule"]) == (True, "leaver-contact")

    def told() -> Any:
        return deployed.json("explain", "Contacts", "C-7")["facts"]

    eventually(told, within=120)
    assert told() == {"left": ["2026-08-25T09:15:00Z"]}


def test_dead_letters_are_counted_and_not_lost(deployed: Deployed) -> None:
    """A refused event shows its reason, as often as one looks; this stack redrives nothing, and says so."""
    send = deployed.stack.clients.events.put_events
    event = {"Source": "orders", "DetailType": "ShipmentDispatched", "Detail": '{"shipment_id": "S-9"}'}
    send(Entries=[{"EventBusName": deployed.outputs["EventBusName"], **event}])  # type: ignore[typeddict-item]
    eventually(lambda: deployed.json("dead-letters")["dead_letters"], within=120)
    for _ in range(2):
        assert deployed.json("dead-letters")["reasons"] == {"refused: shipped_at: is missing": 1}
    url = deployed.outputs["DeadLetterQueueUrl"]
    deployed.stack.clients.sqs.send_message(QueueUrl=url, MessageBody="{}")
    found = deployed.lapse("dead-letters", "--redrive", "--yes", code=1)
    assert found.stderr.startswith("lapse: This SQS moves no messages (StartMessageMoveTask: InvalidAction)")


def test_the_stacks_own_tables_are_fit(deployed: Deployed) -> None:
    """Nothing blocks, and nothing that this stack can answer is unknown."""
    found = deployed.json("preflight")
    assert (found["fit"], [each["table"] for each in found["tables"]]) == (True, ["Contacts", "Shipments"])
    judgements = {each["judgement"] for table in found["tables"] for each in table["remarks"]}
    assert judgements <= {"good", "look at this"}
