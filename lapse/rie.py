"""`make invoke`: runs a built function as Lambda would, under AWS's runtime interface emulator, no Docker.

The emulator ships inside SAM CLI's wheel, for Linux only. The function gets its settings from the running
local stack (`make local`), and talks to it. Both of the emulator's ports are on loopback.
"""

import contextlib
import http.client
import json
import platform
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated

import typer

from lapse import artifact, local, project
from lapse.deployment import STACK_NAME
from lapse.endpoint import Clients, Endpoint
from lapse.stack import free_port

_INVOKE_PATH = "/2015-03-31/functions/function/invocations"
_INIT_DURATION = re.compile(r"INIT REPORT\(durationMs: ([0-9.]+)\)")
_START_SECONDS = 10


class InvokeError(RuntimeError):
    """The runtime emulator could not be used."""


@dataclass(frozen=True)
class Invocation:
    """What one cold invocation gave; `cold_start_ms` is the emulator's INIT REPORT."""

    response: str
    log: str
    cold_start_ms: float

    @property
    def failed(self) -> bool:
        """Whether the handler, or its import, raised: Lambda then answers with an `errorType`."""
        with contextlib.suppress(json.JSONDecodeError):
            answer = json.loads(self.response)
            return isinstance(answer, dict) and "errorType" in answer
        return True


def invoke(
    function: str, event: str, endpoint: Endpoint, *, built: Path, stack: str = STACK_NAME
) -> Invocation:
    """Run a function once, in a fresh process.

    Args:
        function: its logical id, such as `PurgeFunction`.
        event: the event, as JSON text.
        endpoint: the local stack in which it is deployed, for its settings and as its AWS.
        built: the build directory that holds its artifact.
        stack: the name of the CloudFormation stack.
    """
    handler, settings = _configuration(function, endpoint, stack)
    environment = project.clean_environment({
        **settings,
        **endpoint.environment(),
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_REGION": endpoint.region,
        "LAMBDA_TASK_ROOT": str(built / function),
        "PYTHONPATH": str(built / function),
    })  # fmt: skip
    with tempfile.TemporaryFile() as log:
        with _emulator(handler, built / function, environment, log) as port:
            response = _post(port, event)
        log.seek(0)
        text = log.read().decode(errors="replace")
    duration = _INIT_DURATION.search(text)
    return Invocation(response, text, float(duration[1]) if duration else float("nan"))


def _configuration(function: str, endpoint: Endpoint, stack: str) -> tuple[str, dict[str, str]]:
    """Return the handler and the environment variables of the deployed function."""
    clients = Clients(endpoint)
    resource = clients.cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=function)
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    deployed = clients.functions.get_function_configuration(FunctionName=name)
    return deployed["Handler"], dict(deployed.get("Environment", {}).get("Variables", {}))


@contextlib.contextmanager
def _emulator(handler: str, code: Path, environment: Mapping[str, str], log: IO[bytes]) -> Iterator[int]:
    if platform.system() != "Linux":
        raise InvokeError("the runtime emulator in SAM CLI's package runs on Linux only")
    binaries = project.SAM.parent.parent.glob(
        "lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-*"
    )
    binary = next(path for path in binaries if path.name.endswith(project.host_architecture()))
    port = free_port()
    command: list[str | Path] = [
        *(binary, "--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
        *("--runtime-api-address", f"127.0.0.1:{free_port()}"),
        *(project.LAMBDA_PYTHON, "-m", "awslambdaric", handler),
    ]
    process = subprocess.Popen(command, cwd=code, env=environment, stdout=log, stderr=log)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def _post(port: int, event: str) -> str:
    """Invoke as soon as the emulator listens."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.request("POST", _INVOKE_PATH, body=event.encode())
            return connection.getresponse().read().decode()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        finally:
            connection.close()


def main(
    function: Annotated[str, typer.Argument(help="Logical id, such as PurgeFunction")],
    event: Annotated[Path, typer.Argument(help="File with the event as JSON", exists=True, dir_okay=False)],
) -> None:
    """Run a built function once, against the stack that `make local` left running."""
    done = invoke(function, event.read_text(), local.endpoint(), built=artifact.build())
    print(done.log, end="")
    print(f"Cold start: {done.cold_start_ms:.0f} ms\nResponse: {done.response}")
    raise typer.Exit(done.failed)


if __name__ == "__main__":
    typer.run(main)
