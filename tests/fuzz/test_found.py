"""What was once found, or is worth keeping: each input by its target, for ever."""

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

FOUND = Path(__file__).with_name("found")
KEPT = sorted(file for file in FOUND.glob("*/*") if file.is_file())

pytestmark = pytest.mark.filterwarnings("ignore:deprecated string literal syntax")  # jmespath's, of literals


@pytest.mark.parametrize("file", KEPT, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_was_once_found_stays_mended(file: Path) -> None:
    """No input breaks its target's properties a second time."""
    TARGETS[file.parent.name].checked(file.read_bytes())


def test_every_target_has_something_kept() -> None:
    """A target without an input would be a name that nobody tries."""
    assert {file.parent.name for file in KEPT} == set(TARGETS)
