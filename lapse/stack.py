"""The embedded local stack: AWS emulated by ministack, in a child process on a loopback port of its own."""

import contextlib
import fcntl
import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from lapse import project
from lapse.endpoint import REGION, Clients, Endpoint

_LAUNCHER = Path(__file__).with_name("ministack_launcher.py")
_START_SECONDS = 30
_STOP_SECONDS = 10
_PORT_TRIES = 5
_POLL_SECONDS = 0.02
_LOG = "ministack.log"


class StackError(RuntimeError):
    """The local stack did not start, deploy or stop."""


@dataclass(frozen=True)
class Stack:
    """A running emulator: `directory` holds its log, its pid and its scratch files."""

    endpoint: Endpoint
    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def log_file(self) -> Path:
        """The emulator's own log; functions log to CloudWatch Logs (`endpoint.function_log`)."""
        return self.directory / _LOG

    @cached_property
    def clients(self) -> Clients:
        """Typed boto3 clients for this stack."""
        return Clients(self.endpoint)

    def stop(self) -> None:
        """End the emulator and with it all functions; what it held is gone."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        shutil.rmtree(self.directory / "tmp", ignore_errors=True)


@contextlib.contextmanager
def running(
    directory: Path | None = None, *, tick_seconds: float = 0.5, settings: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """Run a stack for the length of a `with` block; without a directory, its files go with it."""
    with contextlib.ExitStack() as cleanup:
        where = directory or Path(cleanup.enter_context(TemporaryDirectory(prefix="lapse-stack-")))
        stack = start(where, tick_seconds=tick_seconds, settings=settings)
        cleanup.callback(stack.stop)
        yield stack


def start(
    directory: Path,
    *,
    tick_seconds: float = 0.5,
    detached: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Stack:
    """Start ministack and wait until it answers.

    Args:
        directory: for its log, pid and scratch files; one running stack per directory.
        tick_seconds: how often schedules and scheduled rules are looked at (ministack's own: 10).
        detached: let it outlive this process; otherwise it ends when this process does, even by SIGKILL.
        settings: more environment variables for ministack, such as `AUTH=true`.

    Raises:
        StackError: it does not come up.
    """
    directory.mkdir(parents=True, exist_ok=True)
    options = {
        "LAPSE_PID_FILE": str(directory / "pid"),
        "LAPSE_TICK_SECONDS": str(tick_seconds),
        "LAPSE_STOP_WITH_PARENT": "no" if detached else "yes",
        **(settings or {}),
    }
    for _ in range(_PORT_TRIES):
        stack = _launch(directory, free_port(), options)
        if _answers(stack):
            return stack
        stack.stop()  # most likely somebody else took the port in the meantime
    log = (directory / _LOG).read_text(errors="replace")
    raise StackError(f"ministack did not start; its log ends with:\n{log[-2000:]}")


def stop_detached(directory: Path) -> bool:
    """Stop the detached stack of a directory; False if none is running there."""
    pid_file = directory / "pid"
    if not _is_locked(pid_file):
        return False
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _is_locked(pid_file):
        if time.monotonic() > deadline:
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
    return True


def _launch(directory: Path, port: int, options: Mapping[str, str]) -> Stack:
    endpoint = Endpoint(f"http://127.0.0.1:{port}")
    scratch = directory / "tmp"
    scratch.mkdir(exist_ok=True)
    follow = options["LAPSE_STOP_WITH_PARENT"] == "yes"
    with (directory / _LOG).open("ab") as log:
        process = subprocess.Popen(
            [project.STACK_PYTHON, "-P", _LAUNCHER],
            stdin=subprocess.PIPE if follow else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=_environment(endpoint, port, scratch, options),
            start_new_session=True,
        )
    return Stack(endpoint, directory, process)


def _environment(endpoint: Endpoint, port: int, scratch: Path, options: Mapping[str, str]) -> dict[str, str]:
    return project.clean_environment({
        "AWS_ACCESS_KEY_ID": endpoint.access_key,
        "AWS_SECRET_ACCESS_KEY": endpoint.secret_key,
        "BIND_HOST": "127.0.0.1",
        "DOCKER_HOST": f"unix://{scratch}/no-docker",  # it would tidy up containers that are not ours
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LAPSE_LAMBDA_PYTHON": str(project.LAMBDA_PYTHON),
        "MINISTACK_REGION": REGION,
        "S3_DATA_DIR": str(scratch / "s3"),
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(scratch / "state"),
        "TMPDIR": str(scratch),
        **options,
    })  # fmt: skip


def _answers(stack: Stack) -> bool:
    """Wait until the stack is healthy; False if its process ends, or does not answer in time."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and stack.process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(stack.endpoint.url.removeprefix("http://"), timeout=2)
            connection.request("GET", "/_ministack/health")
            healthy = connection.getresponse().status == http.HTTPStatus.OK
            connection.close()
            return healthy and stack.process.poll() is None
        time.sleep(_POLL_SECONDS)
    return False


def free_port() -> int:
    """Return a loopback port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_locked(pid_file: Path) -> bool:
    try:
        with pid_file.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
