"""Cold starts of built functions under AWS's runtime emulator, against one that only makes a client."""

import compileall
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode
from statistics import median
from tempfile import TemporaryDirectory

import yaml

from lapse import artifact, deployment, project, rie
from lapse.stack import Stack, running

BARE = "BareFunction"
FUNCTIONS = ("OnShipmentFunction", "PurgeFunction")
_BARE_STACK = "bare"
_SHIPPED = {
    "detail-type": "ShipmentDispatched",
    "time": "2026-01-01T00:00:00Z",
    "detail": {"shipment_id": "S-1", "shipped_at": "2026-01-01T00:00:00Z"},
}
_EVENTS = {
    BARE: "{}",
    "OnShipmentFunction": json.dumps(
        {"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": json.dumps(_SHIPPED)}]}
    ),
    "PurgeFunction": json.dumps({"v": 1, "cause": "manual"}),
}


@dataclass(frozen=True)
class ColdStart:
    """The emulator's INIT REPORTs of a function, and of the bare one taken in turn with it."""

    function: str
    milliseconds: Sequence[float]
    bare_milliseconds: Sequence[float]

    @property
    def median(self) -> float:
        """In milliseconds."""
        return median(self.milliseconds)

    @property
    def bare_median(self) -> float:
        """In milliseconds."""
        return median(self.bare_milliseconds)

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return self.median / self.bare_median


def cold_starts(repeats: int) -> list[ColdStart]:
    """Start each function that often, in turn, each time in a fresh process of the same interpreter."""
    built = artifact.build()
    _compile_runtime()
    with TemporaryDirectory(prefix="lapse-bare-") as scratch, running() as stack:
        bare = _bare_build(Path(scratch))
        deployment.deploy_fast(stack, built)
        deployment.deploy_fast(stack, bare, name=_BARE_STACK)
        places = dict.fromkeys(FUNCTIONS, (built, deployment.STACK_NAME)) | {BARE: (bare, _BARE_STACK)}
        times: dict[str, list[float]] = {name: [] for name in places}
        for number in range(repeats + 1):
            for name, (where, stack_name) in places.items():
                taken = _start(stack, name, where, stack_name)
                if number:  # the first round only warms the machine's file cache
                    times[name].append(taken)
    return [ColdStart(name, times[name], times[BARE]) for name in FUNCTIONS]


def _start(stack: Stack, function: str, built: Path, stack_name: str) -> float:
    done = rie.invoke(function, _EVENTS[function], stack.endpoint, built=built, stack=stack_name)
    if done.failed:
        raise RuntimeError(f"{function} failed under the runtime emulator: {done.response}")
    return done.cold_start_ms


def _compile_runtime() -> None:
    """Compile what Lambda's own image holds compiled; whoever installed it may not have."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run(
        [project.LAMBDA_PYTHON, "-c", where], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    subprocess.run([project.LAMBDA_PYTHON, "-m", "compileall", "-q", packages], check=True)


def _bare_build(directory: Path) -> Path:
    """Lay the bare function out as `sam build` would, with its bytecode."""
    code = directory / BARE
    code.mkdir()
    shutil.copy(Path(__file__).with_name("bare_function.py"), code)
    compileall.compile_dir(code, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {"Runtime": "python3.13", "Handler": "bare_function.handler", "CodeUri": BARE},
    }
    template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {BARE: function}}
    (directory / "template.yaml").write_text(yaml.safe_dump(template))
    return directory
