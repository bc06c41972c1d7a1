"""Where things are in this checkout, and a clean environment to start the project's tools in."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
SAM = ROOT / ".envs" / "sam" / "bin" / "sam"
STACK_PYTHON = ROOT / ".envs" / "stack" / "bin" / "python"
LAMBDA_PYTHON = ROOT / ".envs" / "lambda" / "bin" / "python"

_INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "SSL_CERT_FILE")


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which no tool can find the user's own AWS account, nor this one's packages."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return inherited | nowhere | {"AWS_EC2_METADATA_DISABLED": "true"} | dict(extra)


def host_architecture() -> str:
    """Return this machine's architecture as Lambda calls it: `arm64` or `x86_64`."""
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"
