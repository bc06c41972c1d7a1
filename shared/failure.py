"""Failures of AWS calls, as the use cases see them: a code, never a message that might echo a value."""

from collections.abc import Sequence


class CallFailedError(Exception):
    """An AWS call failed, after its retries; a later try may succeed."""

    def __init__(self, operation: str, code: str) -> None:
        """Keep what was called, and the service's error code."""
        super().__init__(f"{operation}: {code}")
        self.operation = operation
        self.code = code


def code_of(error: Exception) -> str:
    """What to log and to raise of an error: the service's code, or the kind of error; never its message."""
    return error.code if isinstance(error, CallFailedError) else type(error).__name__


def raise_all(operation: str, codes: Sequence[str]) -> None:
    """Raise failures together, if there are any.

    Raises:
        ExceptionGroup: of `CallFailedError`s.
    """
    if codes:
        errors = [CallFailedError(operation, code) for code in codes]
        raise ExceptionGroup(f"{len(errors)} failed: {', '.join(sorted(set(codes)))}", errors)
