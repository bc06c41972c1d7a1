"""An AWS client that answers as a test says, and keeps what it was asked."""

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError


class Client:
    """Answers each call by the next of its answers; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers: Iterator[Any] = iter(answers)
        self.calls: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Any operation."""

        def call(**parameters: Any) -> Any:
            self.calls.append({"operation": name, **parameters})
            answer = next(self.answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    @property
    def operations(self) -> list[str]:
        """What was called, in order."""
        return [call["operation"] for call in self.calls]


def failing(code: str, message: str = "canary", **more: Any) -> ClientError:
    """What botocore raises. By default its message is a canary: it must be in no error of ours."""
    response: Any = {"Error": {"Code": code, "Message": message}, **more}
    return ClientError(response, "Operation")
