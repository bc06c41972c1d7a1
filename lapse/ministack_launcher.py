"""Runs ministack, inside its own environment (`.envs/stack`), the way the local stack wants it.

Imports nothing of the project's. Uses private names of ministack, whose version is pinned for that reason.
Its directory's file `pid` names this process and stays locked while it lives: a lock that is free means that
the number is stale, so nobody stops a stranger's process by it.
"""

import fcntl
import os
import signal
import sys
import threading

from ministack import app
from ministack.core import lambda_runtime
from ministack.services import eventbridge, scheduler
from ministack.services.cloudformation import provisioners


def _claim(pid_file: str) -> None:
    """Lock and fill the pid file; fails if another stack of this directory is alive."""
    # A bare descriptor, so that nothing but the end of this process closes it.
    file = os.open(pid_file, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.ftruncate(file, 0)
    os.write(file, f"{os.getpid()}\n".encode())


def _stop_with_parent() -> None:
    """Wait for the parent to end, however it ends (its side of our standard input closes), and end too."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(5)
    os._exit(1)


def _use_lambda_python(binary: str) -> None:
    """Run functions with a Python that has what Lambda's has, not with the emulator's packages."""
    detect = lambda_runtime._detect_runtime_binary  # noqa: SLF001 - see the module's docstring

    def detect_with_lambda_python(runtime: str) -> tuple[str, str]:
        found, worker = detect(runtime)
        return (binary if runtime.startswith("python") else found), worker

    lambda_runtime._detect_runtime_binary = detect_with_lambda_python  # noqa: SLF001


def _accept_bus_policies() -> None:
    """Let CloudFormation create bus policies; ministack knows no such type, and enforces none."""

    def create(logical_id: str, _properties: object, stack_name: str) -> tuple[str, dict[str, str]]:
        return f"{stack_name}-{logical_id}", {}

    def delete(_physical_id: str, _properties: object) -> None:
        """Nothing was kept."""

    handlers = provisioners._RESOURCE_HANDLERS  # noqa: SLF001
    handlers["AWS::Events::EventBusPolicy"] = {"create": create, "delete": delete}


def main() -> None:
    """Serve until told to stop by SIGTERM, or by the end of the parent where one follows us.

    Its settings leave the environment, which the functions inherit.
    """
    _claim(os.environ.pop("LAPSE_PID_FILE"))
    tick = float(os.environ.pop("LAPSE_TICK_SECONDS"))
    scheduler._SCHEDULE_TICK_INTERVAL = tick  # noqa: SLF001
    eventbridge._SCHEDULER_TICK_INTERVAL = tick  # noqa: SLF001
    _accept_bus_policies()
    _use_lambda_python(os.environ.pop("LAPSE_LAMBDA_PYTHON"))
    if os.environ.pop("LAPSE_STOP_WITH_PARENT") == "yes":
        threading.Thread(target=_stop_with_parent, daemon=True).start()
    sys.argv = sys.argv[:1]
    app.main()


if __name__ == "__main__":
    main()
