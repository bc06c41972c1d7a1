"""What is fuzzed: how bytes become a hostile input, and what must be true of that."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz.choices import Choices


@dataclass(frozen=True)
class Target:
    """Calling it with a fuzzer's bytes raises where a property does not hold.

    What was once found is kept as `made` made it, not as the bytes: samples change, a found input does not.
    """

    made: Callable[[Choices], bytes]
    checked: Callable[[bytes], None]

    def __call__(self, data: bytes) -> None:
        """Make the input, and check it."""
        self.checked(self.made_from(data))

    def made_from(self, data: bytes) -> bytes:
        """The input that these bytes stand for."""
        return self.made(Choices(data))
