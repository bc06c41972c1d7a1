"""Deploys a built template to the local stack: with SAM, as a person would, or fast for tests."""

import contextlib
import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from lapse import artifact, project
from lapse.endpoint import REGION
from lapse.stack import Stack, StackError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import CapabilityType
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

STACK_NAME = "lapse"
_BUCKET = "lapse-local-artifacts"
_CAPABILITIES: Final[list["CapabilityType"]] = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
_DEPLOY_SECONDS = 120


def deploy_with_sam(
    stack: Stack,
    built: Path,
    *,
    name: str = STACK_NAME,
    parameters: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> dict[str, str]:
    """Run the real `sam deploy` against the local stack; return the stack's outputs.

    SAM's own output goes on ours; with `quiet`, only if it fails.

    Raises:
        StackError: SAM CLI says no.
    """
    overrides = [f"{key}={value}" for key, value in _with_architecture(parameters).items()]
    command = [
        *(str(project.SAM), "deploy", "--no-progressbar", "--stack-name", name),
        *("--config-file", str(project.ROOT / "samconfig.toml"), "--config-env", "local"),
        *("--template-file", str(built / "template.yaml"), "--parameter-overrides", *overrides),
    ]
    environment = project.clean_environment({**stack.endpoint.environment(), "SAM_CLI_TELEMETRY": "0"})
    done = subprocess.run(
        command, cwd=project.ROOT, env=environment, check=False, capture_output=quiet, text=True
    )
    if done.returncode:
        raise StackError(f"sam deploy failed with exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return outputs(stack, name)


def deploy_fast(
    stack: Stack, built: Path, *, name: str = STACK_NAME, parameters: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Do what `sam deploy` does, with boto3 and in a tenth of the time; return the stack's outputs.

    Raises:
        StackError: the stack was not created; says which resource failed and why.
    """
    template = yaml.safe_load((built / "template.yaml").read_text())
    _upload_functions(stack, built, template)
    known = template.get("Parameters", {})
    given: list[ParameterTypeDef] = [
        {"ParameterKey": key, "ParameterValue": value}
        for key, value in _with_architecture(parameters).items()
        if key in known or key in (parameters or {})
    ]
    body = json.dumps(template, default=str)  # default: YAML takes unquoted versions for dates
    stack.clients.s3.put_object(Bucket=_BUCKET, Key=f"{name}.json", Body=body.encode())
    stack.clients.cloudformation.create_stack(
        StackName=name,
        TemplateURL=f"{stack.endpoint.url}/{_BUCKET}/{name}.json",  # too long to be sent with the call
        Parameters=given,
        Capabilities=_CAPABILITIES,
    )
    _wait_until_created(stack, name)
    return outputs(stack, name)


def outputs(stack: Stack, name: str = STACK_NAME) -> dict[str, str]:
    """Return a deployed stack's outputs: name -> value."""
    described = stack.clients.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def _upload_functions(stack: Stack, built: Path, template: dict[str, Any]) -> None:
    """Put the functions' artifacts on the emulated S3, and their places there into the template."""
    s3 = stack.clients.s3
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    present = {entry["Key"] for entry in s3.list_objects_v2(Bucket=_BUCKET).get("Contents", [])}
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            key, content = artifact.pack(built / resource["Properties"]["CodeUri"])
            if key not in present:  # the functions share one artifact
                s3.put_object(Bucket=_BUCKET, Key=key, Body=content)
                present.add(key)
            resource["Properties"]["CodeUri"] = f"s3://{_BUCKET}/{key}"


def _with_architecture(parameters: Mapping[str, str] | None) -> dict[str, str]:
    return {"Architecture": project.host_architecture(), **(parameters or {})}


def _wait_until_created(stack: Stack, name: str) -> None:
    cloudformation = stack.clients.cloudformation
    deadline = time.monotonic() + _DEPLOY_SECONDS
    while time.monotonic() < deadline:
        status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        if status == "CREATE_COMPLETE":
            return
        if not status.endswith("_IN_PROGRESS"):
            break
        time.sleep(0.05)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failures = [event for event in events if event.get("ResourceStatusReason")]
    reasons = [f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}" for event in failures]
    raise StackError(f"{name} was not created: " + "; ".join(reasons))
