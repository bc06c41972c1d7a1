"""Evidence for whoever does not believe Lapse: sealed, exported, and verified without it."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lapse import project
from lapse.demo_records import text
from tests.e2e.conftest import Deploy, Deployed
from tests.e2e.outside import PERIOD, eventually, lapse, now, outcomes, purge, put, send

pytestmark = pytest.mark.e2e

AUDIT = project.ROOT / "audit" / "verify.py"


@pytest.fixture(scope="module")
def sealing(deploy: Deploy) -> Deployed:
    """A stack of its own: what it seals is what this test erased."""
    return deploy("seals", parameters={"NamePrefix": "seals"})


def erased(sealing: Deployed, shipment_id: str) -> None:
    """A shipment that was due long ago, erased by a real purge."""
    shipped_at = text(now() - PERIOD - timedelta(days=1))
    item = {"shipment_id": shipment_id, "shipped_at": shipped_at, "email": f"CANARY-{shipment_id}"}
    wire: dict[str, Any] = {name: {"S": value} for name, value in item.items()}
    put(sealing, sealing.outputs["ShipmentsTableName"], {**wire, "drop_ship": {"BOOL": True}})
    send(sealing, "orders", "ShipmentDispatched", {"shipment_id": shipment_id, "shipped_at": shipped_at})

    def is_erased() -> bool:
        purge(sealing)
        return "erased" in outcomes(sealing, shipment_id)

    eventually(is_erased)


def lock(sealing: Deployed) -> None:
    """Lock the bucket as the template tells CloudFormation to, which the emulator does not hear."""
    retention: Any = {"Mode": "COMPLIANCE", "Days": 2557}
    sealing.clients.s3.put_object_lock_configuration(
        Bucket=sealing.outputs["SealBucketName"],
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}},
    )


def audited(directory: Path) -> subprocess.CompletedProcess[str]:
    """The auditor's verifier, with the keys that were archived beside the seals."""
    (key,) = (directory / "keys").glob("*.pem")
    arguments = ["--seals", str(directory), "--public-key", str(key)]
    command = [sys.executable, "-I", str(AUDIT), str(directory / "ledger.jsonl"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- the project's own file


def test_an_erasure_can_be_verified_by_others(sealing: Deployed, tmp_path: Path) -> None:
    """Erased, sealed by KMS, erased again; exported and verified: all is whole, the last not sealed yet."""
    lock(sealing)
    erased(sealing, "S-sealed")
    assert lapse(sealing, "seal") == "Seal 1.\n"
    assert lapse(sealing, "seal") == "Seal 2.\n"
    erased(sealing, "S-later")
    lapse(sealing, "ledger", "export", "--out", str(tmp_path / "ledger.jsonl"))
    assert lapse(sealing, "ledger", "seals", "--out", str(tmp_path)).startswith("2 seals and 1 public key")

    (key,) = (tmp_path / "keys").glob("*.pem")
    verify = (
        "ledger",
        "verify",
        str(tmp_path / "ledger.jsonl"),
        "--seals",
        str(tmp_path),
        "--public-key",
        str(key),
    )
    said = lapse(sealing, *verify)
    assert "All chains are whole, as sealed" in said
    assert "nothing is sealed yet: 1 batch" in said
    live = json.loads(lapse(sealing, "ledger", "verify", *verify[3:], "--json"))
    assert (live["good"], live["seals"]["sound"]) == (True, 2)
    done = audited(tmp_path)
    assert (done.returncode, "All chains are whole, as sealed." in done.stdout) == (0, True), done.stdout

    file = tmp_path / "ledger.jsonl"
    file.write_text(file.read_text().replace("erased", "observed"))
    assert audited(tmp_path).returncode == 1
    assert "one of the two was edited" in lapse(sealing, *verify, status=1)
    assert "CANARY" not in file.read_text()


def test_a_seal_cannot_be_removed(sealing: Deployed) -> None:
    """Nobody can, before its time."""
    s3, bucket = sealing.clients.s3, sealing.outputs["SealBucketName"]
    lock(sealing)
    lapse(sealing, "seal")
    for each in s3.list_object_versions(Bucket=bucket, Prefix="seals/")["Versions"]:
        if each["Key"] == max(v["Key"] for v in s3.list_object_versions(Bucket=bucket)["Versions"]):
            with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
                s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])


def test_the_rule_invokes_the_sealing(sealing: Deployed) -> None:
    """Hourly; and a seal that is young enough is not followed by another."""
    functions = sealing.clients.functions
    lapse(sealing, "seal")
    payload = b'{"v": 1, "cause": "recurring"}'
    answer = functions.invoke(FunctionName=sealing.outputs["SealFunctionName"], Payload=payload)
    assert json.loads(answer["Payload"].read())["sealed"] is None
