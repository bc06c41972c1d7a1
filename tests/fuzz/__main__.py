"""`make fuzz [TARGET=] [SECONDS=]`: hostile input, guided by coverage of `shared/`; ends with 1 on a find."""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.targets import TARGETS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CORPORA = ROOT / ".build" / "fuzz"
"""What reached something new, from run to run. Not kept: it means nothing once the samples change."""
OPTIONS = (
    "-max_len=400",
    "-timeout=30",
    "-report_slow_units=30",
    "-rss_limit_mb=2048",
)
_STATE = re.compile(r"^#(\d+)\s.*cov: (\d+) ft: (\d+) corp: (\d+)")


@dataclass
class Run:
    """What a run of a target came to."""

    executions: int = 0
    edges: int = 0
    features: int = 0
    inputs: int = 0
    broken: int = 0
    status: int = 0

    def take(self, lines: Iterable[str]) -> None:
        """Count from what the worker says; finds are repeated at once."""
        for line in lines:
            if state := _STATE.match(line):
                self.executions, self.edges, self.features, self.inputs = map(int, state.groups())
            elif line.startswith(("BROKEN", "==", "Traceback", "ALARM", "SUMMARY", "artifact_prefix")):
                _say(f"    {line.rstrip()}")
                self.broken += line.startswith("BROKEN")


def fuzz(name: str, seconds: int) -> Run:
    """One target for so long."""
    corpus, found = CORPORA / name, HERE / "found" / name
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.worker", name, str(corpus), *OPTIONS]
    command += [f"-max_total_time={seconds}", f"-artifact_prefix={found}/"]
    run = Run()
    worker = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert worker.stdout
    run.take(worker.stdout)
    run.status = worker.wait()
    return run


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz all targets, or one."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--target", choices=TARGETS, help="only this one")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    asked = parser.parse_args(arguments)
    failed = False
    for name in [asked.target] if asked.target else TARGETS:
        begun = time.monotonic()
        run = fuzz(name, asked.seconds)
        bad = run.broken or run.status
        failed = failed or bool(bad)
        took = time.monotonic() - begun
        verdict = f"{run.broken} FOUND, status {run.status}" if bad else "nothing found"
        covered = f"{run.edges:,} edges and {run.features:,} features by {run.inputs:,} inputs"
        _say(f"{name:13} {run.executions:>10,} executions in {took:4.0f} s, {covered}: {verdict}")
    return int(failed)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 -- a command line prints


if __name__ == "__main__":
    sys.exit(main())
