"""Where mutmut works: a copy of the tree for each module, with its configuration."""

import ast
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PARTS = ("events", "functions", "lapse", "shared", "tests")
PROPERTIES = {"property", "cached_property"}
"""Decorators whose functions mutmut would leave out."""


@dataclass(frozen=True)
class Module:
    """A module to mutate, and what is to notice."""

    path: str
    tests: Sequence[str]
    unread: Sequence[str]
    leave_out: str


def stage(module: Module, tree: Path, place: Path) -> None:
    """Copy the tree to a place where mutmut can work on this module."""
    shutil.rmtree(place, ignore_errors=True)
    for part in PARTS:
        shutil.copytree(tree / part, place / part, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    source = place / module.path
    source.write_text(with_plain_properties(source.read_text()))
    project = (tree / "pyproject.toml").read_text()
    (place / "pyproject.toml").write_text(f"{project}\n{_configuration(module)}")


def with_plain_properties(source: str) -> str:
    """The same module, its properties made of undecorated functions: mutmut mutates no decorated ones."""
    lines = source.split("\n")
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    for node in sorted(functions, key=lambda each: each.lineno, reverse=True):
        match node.decorator_list:
            case [ast.Name(decorator) as name] if decorator in PROPERTIES:
                lines.insert(
                    node.end_lineno or 0, f"{' ' * node.col_offset}{node.name} = property({node.name})"
                )
                del lines[name.lineno - 1]
    return "\n".join(lines)


def _configuration(module: Module) -> str:
    settings = {
        "source_paths": ["shared"],
        "only_mutate": [module.path],
        "also_copy": [part for part in PARTS if part not in {"shared", "tests"}],
        "do_not_mutate_patterns": module.unread,
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-k", f"not ({module.leave_out})"],
        "pytest_add_cli_args_test_selection": module.tests,
        "timeout_multiplier": 5.0,
        "timeout_constant": 3.0,
        "use_git_change_detection": False,
        "track_dependencies": False,
    }
    written = (f"{name} = {json.dumps(value)}" for name, value in settings.items())  # TOML reads these alike
    return "\n".join(["[tool.mutmut]", *written, ""])
