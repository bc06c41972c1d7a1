"""The brake: how many records one run may erase."""

from dataclasses import dataclass, field
from threading import Lock


@dataclass
class Allowance:
    """How many erasures are left in this run; shared by its workers."""

    left: int | None
    _lock: Lock = field(default_factory=Lock)

    @property
    def spent(self) -> bool:
        """Whether the run has to halt."""
        return self.left == 0

    def take(self) -> bool:
        """Take one, if there is one."""
        with self._lock:
            if self.spent:
                return False
            if self.left is not None:
                self.left -= 1
            return True

    def give_back(self) -> None:
        """Nothing was erased after all."""
        with self._lock:
            if self.left is not None:
                self.left += 1
