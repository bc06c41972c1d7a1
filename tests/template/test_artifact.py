"""What `sam build` makes is whole: the functions start from it alone, and there is nothing else in it."""

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lapse import artifact, project
from tests.template.conftest import FUNCTIONS
from tests.template.translated import Deployment

pytestmark = pytest.mark.e2e

MOST_BYTES = 30_000_000
IMPORT = """
import importlib, json, sys
artifact, handlers = sys.argv[1], json.loads(sys.argv[2])
standard = list(sys.path)
sys.path.insert(0, artifact)
for handler in handlers:
    module, _, name = handler.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))
ours = {name: it.__file__ for name, it in sys.modules.items() if getattr(it, "__file__", None)}
json.dump({name: file for name, file in ours.items() if not file.startswith(tuple(standard))}, sys.stdout)
"""
UNCHECKED_HASH = 0b01
"""The flags of bytecode that is valid by declaration (PEP 552): dates in a Lambda package mean nothing."""


@pytest.fixture(scope="module")
def built() -> Path:
    """The build directory."""
    return artifact.build()


@pytest.fixture(scope="module", params=FUNCTIONS)
def package(built: Path, request: pytest.FixtureRequest) -> Path:
    """One function's artifact, where the built template says that it is."""
    template: Any = yaml.safe_load((built / "template.yaml").read_text())
    return built.joinpath(template["Resources"][request.param]["Properties"]["CodeUri"])


def test_all_handlers_start_from_the_artifact_alone(package: Path, own: Deployment, tmp_path: Path) -> None:
    """With what Lambda provides, and the settings of the template: no requirement is missing."""
    functions = own.of_type("AWS::Lambda::Function")
    settings = {
        name: value for function in functions for name, value in function["Environment"]["Variables"].items()
    }
    handlers = json.dumps([function["Handler"] for function in functions])
    done = subprocess.run(  # noqa: S603 -- the project's own interpreter, with a constant program
        [project.LAMBDA_PYTHON, "-I", "-B", "-c", IMPORT, package, handlers],
        cwd=tmp_path,
        env={**settings, "AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outside = {
        name: file for name, file in json.loads(done.stdout).items() if not file.startswith(f"{package}/")
    }
    assert outside == {}


def test_nothing_else_is_in_it(package: Path) -> None:
    """No tests, no command line, nothing that the runtime provides, no dead links; the policy is there."""
    tops = {each.name for each in package.iterdir()}
    assert {"functions", "shared"} <= tops
    assert not tops & {"tests", "lapse", "bench", "docs", "boto3", "botocore", "bin", ".git", ".env"}
    files = [each for each in package.rglob("*") if each.is_file()]
    for own in ("functions", "shared"):
        inside = {each.suffix for each in files if each.relative_to(package).parts[0] == own}
        assert inside <= {".py", ".pyc", ".toml"}
    assert (package / "shared" / "policy.toml").read_bytes() == (
        project.ROOT / "shared" / "policy.toml"
    ).read_bytes()
    assert sum(each.stat().st_size for each in files) < MOST_BYTES


def test_bytecode_is_used(package: Path) -> None:
    """Every module has valid bytecode of this Python and of no other: a cold start compiles nothing."""
    for directory in package.rglob("__pycache__"):
        for each in directory.iterdir():
            assert each.name.endswith(".cpython-313.pyc"), each
    for source in package.rglob("*.py"):
        head = Path(importlib.util.cache_from_source(str(source))).read_bytes()[:16]
        assert head[:4] == importlib.util.MAGIC_NUMBER
        assert int.from_bytes(head[4:8], "little") == UNCHECKED_HASH
        assert head[8:] == importlib.util.source_hash(source.read_bytes())
