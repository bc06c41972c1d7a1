"""For all tests: what hypothesis generates is the same on each machine; who may run beside whom."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

BUILDING = {"e2e", "template"}
"""Folders of tests that build and deploy: in one process, and first, because they take longest."""

settings.register_profile(
    "lapse",
    deadline=None,  # machines are shared and noisy
    suppress_health_check=[HealthCheck.too_slow],  # as above: the first example may wait for an import
    derandomize=True,  # a red run can be repeated anywhere; --hypothesis-profile=default explores further
)
settings.load_profile("lapse")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that build the same artifact stay together; the others may run anywhere."""
    for item in items:
        if _builds(item):
            item.add_marker(pytest.mark.xdist_group("building"))
    items.sort(key=lambda item: not _builds(item))


def _builds(item: pytest.Item) -> bool:
    return bool(BUILDING & set(Path(item.path).parts))
