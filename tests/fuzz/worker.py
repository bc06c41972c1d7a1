"""One target under atheris, in a process of its own: `python -m tests.fuzz.worker TARGET OPTIONS…`.

A broken property does not end the run: what breaks it is made smaller and written to `found/`, once for each
place where it breaks.
"""

import hashlib
import re
import sys
import traceback
from pathlib import Path

import atheris  # type: ignore[import-untyped]  # it has an environment of its own

with atheris.instrument_imports(include=["shared"]):
    from tests.fuzz.targets import TARGETS

FOUND = Path(__file__).with_name("found")
TRIES = 500
"""How often an input is run again to make it smaller."""
type Place = tuple[str, ...]


class Watched:
    """A target whose breaks are written down."""

    def __init__(self, name: str) -> None:
        """Watch the target of that name."""
        self._target = TARGETS[name]
        self._found = FOUND / name
        self._places: set[Place] = set()

    def __call__(self, data: bytes) -> None:
        """Run the target on these bytes."""
        place = self.broken_at(data)
        if place and place not in self._places:
            self._places.add(place)
            self._write(self._smaller(data, place), place)

    def broken_at(self, data: bytes) -> Place | None:
        """What broke, and where in the project."""
        try:
            self._target(data)
        except Exception as error:  # noqa: BLE001 -- any error is what is looked for
            frames = traceback.extract_tb(error.__traceback__)
            own = [each for each in frames if re.search(r"/(shared|tests/fuzz)/[a-z_]+\.py$", each.filename)]
            return type(error).__name__, *(f"{Path(each.filename).stem}.{each.name}" for each in own[-2:])
        return None

    def _smaller(self, data: bytes, place: Place) -> bytes:
        """The same break, with as many bytes left out as can be found at once."""
        tries, size = TRIES, len(data)
        while size and tries:
            for start in range(len(data) - size, -1, -size):
                less = data[:start] + data[start + size :]
                tries -= 1
                if self.broken_at(less) == place:
                    data = less
                if not tries:
                    break
            size //= 2
        return data

    def _write(self, data: bytes, place: Place) -> None:
        made = self._target.made_from(data)
        broken_in = re.sub("[<>]", "", place[-1])
        name = f"{place[0]}-{broken_in}-{hashlib.sha256(made).hexdigest()[:8]}"
        self._found.mkdir(parents=True, exist_ok=True)
        (self._found / name).write_bytes(made)
        print(f"BROKEN {self._found.name}/{name}: {place[0]} in {place[-1]}", flush=True)  # noqa: T201


if __name__ == "__main__":
    watched = Watched(sys.argv.pop(1))
    atheris.Setup(sys.argv, watched)
    atheris.Fuzz()
