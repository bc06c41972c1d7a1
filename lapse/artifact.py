"""What is deployed to the local stack: built by SAM once per change, packed the way SAM packs it."""

import fcntl
import hashlib
import io
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from lapse import project

_INPUTS = ("Makefile", "samconfig.toml", "template.yaml", "requirements/runtime.txt", "functions", "shared")
_OLDEST_DATE = (1980, 1, 1, 0, 0, 0)  # of a zip file; also what SAM gives all files
_MAKE_VARIABLES = {"CONFIG", "LAPSE_ARCH", "LAPSE_POLICY", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}


class BuildError(RuntimeError):
    """`sam build` failed; says how."""


def build(policy: Path | None = None) -> Path:
    """Run `sam build` for this machine, unless nothing has changed since the last one.

    Args:
        policy: a file to put into the artifact instead of `shared/policy.toml`.

    Returns:
        The build directory with the built `template.yaml`: one per policy, none of them `make build`'s.

    Raises:
        BuildError: the build failed.
    """
    policy = policy.resolve() if policy else None
    name = _digest(policy.read_bytes())[:12] if policy else "default"
    target = project.ROOT / ".aws-sam" / "local" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one build at a time, also among parallel test processes
        stamp, wanted = target.with_suffix(".inputs"), _inputs_digest()
        if not (stamp.exists() and stamp.read_text() == wanted and (target / "template.yaml").exists()):
            stamp.unlink(missing_ok=True)
            _make_build(target, policy)
            stamp.write_text(wanted)
    return target


def pack(artifact: Path) -> tuple[str, bytes]:
    """Return a function's artifact as the bytes of a zip file, and a name made from its content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in _files(artifact):
            entry = zipfile.ZipInfo(str(file.relative_to(artifact)), _OLDEST_DATE)
            archive.writestr(entry, file.read_bytes())
    return f"{_digest(buffer.getvalue())}.zip", buffer.getvalue()


def _make_build(target: Path, policy: Path | None) -> None:
    # A make around us (`make test`) must not hand its own variables on to this one.
    environment = {name: value for name, value in os.environ.items() if name not in _MAKE_VARIABLES}
    chosen = ["CONFIG=local", "LAPSE_ARCH=host", f"BUILD_DIR={target}", f"LAPSE_POLICY={policy or ''}"]
    done = subprocess.run(
        [shutil.which("make") or "make", "build", *chosen],
        cwd=project.ROOT,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise BuildError(f"sam build failed:\n{done.stdout[-4000:]}")


def _inputs_digest() -> str:
    """Digest everything that a build reads, but for the policy chosen, which names the build."""
    tops = [project.ROOT / name for name in _INPUTS]
    files = [file for top in tops for file in (_files(top) if top.is_dir() else [top])]
    sources = [file for file in files if "__pycache__" not in file.parts]
    return _digest("".join(f"{file}\0{_digest(file.read_bytes())}\n" for file in sources).encode())


def _files(top: Path) -> list[Path]:
    return sorted(file for file in top.rglob("*") if file.is_file())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
