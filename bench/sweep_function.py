"""The sweep function in a process of its own, which keeps all that it was answered over the wire.

`python -m bench.sweep_function SECONDS FILE`, in the function's environment: sweeps for so many seconds, and
prints how far it came as the last line.
"""

import importlib
import json
import resource
import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import IO, Any

from botocore.config import Config

import shared.aws
from shared.aws import CLIENT_CONFIG
from shared.sweep_part import TIME_TO_STOP


@dataclass
class Wire:
    """Keeps the raw HTTP responses of a client, one after the other."""

    file: IO[bytes]
    lock: Lock = field(default_factory=Lock)

    def keep(self, response_dict: dict[str, Any], **_: object) -> None:
        """Keep one, before anything reads it."""
        with self.lock:
            self.file.write(response_dict["body"] + b"\n")


@dataclass(frozen=True)
class Context:
    """What Lambda tells a function of itself."""

    ends: float
    function_name: str = "sweep"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:000000000000:function:sweep"
    aws_request_id: str = "bench"

    def get_remaining_time_in_millis(self) -> int:
        """As Lambda's."""
        return int((self.ends - time.monotonic()) * 1000)


def peak_in_mb() -> float:
    """The most memory that this process has used."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux ru_maxrss begins with what the parent used
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def main(seconds: float, wire: Path) -> None:
    """Sweep for so long."""
    # The emulator walks through the whole table for each page, which takes longer than DynamoDB ever may.
    shared.aws.CLIENT_CONFIG = CLIENT_CONFIG.merge(Config(read_timeout=60))
    app = importlib.import_module("functions.sweep.app")
    loaded = peak_in_mb()
    with wire.open("ab", buffering=0) as file:
        app.dynamodb.meta.events.register("before-parse.dynamodb.*", Wire(file).keep)
        time_there_is = timedelta(seconds=seconds) + TIME_TO_STOP
        answer = app.handler({"cause": "manual"}, Context(time.monotonic() + time_there_is.total_seconds()))
    print(json.dumps({**answer, "loaded_mb": loaded, "peak_mb": peak_in_mb()}))


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]))
