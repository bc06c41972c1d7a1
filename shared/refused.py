"""The refusal of bad input: names the field and what is wrong with it, never its value."""


class RefusedError(Exception):
    """Input that no retry can mend."""

    def __init__(self, field: str, reason: str) -> None:
        """Say which field, and what is wrong with it."""
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
