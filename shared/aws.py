"""AWS clients, and their failures as the use cases see them: by code, since a message may echo a value."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import uniform
from time import sleep

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.failure import CallFailedError
from shared.record import SHARDS

CLIENT_CONFIG = Config(
    user_agent="lapse",  # botocore puts its own together anew for each request: a tenth of the purge's CPU
    connect_timeout=1,
    read_timeout=4,
    retries={"mode": "standard", "total_max_attempts": 3},  # all in all less than the purge's time to stop
    max_pool_connections=SHARDS,  # a connection for each worker
)
WAKE_UP_CONFIG = CLIENT_CONFIG.merge(Config(read_timeout=2))
"""A wake-up is a hint, so it is not worth as much waiting; a whole batch of events must fit into its time."""
_TRIES = 6
_FIRST_PAUSE = 0.05


@contextmanager
def failures_of(operation: str) -> Iterator[None]:
    """Turn what botocore raises into `CallFailedError`, without its message."""
    try:
        yield
    except ClientError as error:
        raise CallFailedError(operation, error_code(error)) from None
    except BotoCoreError as error:
        raise CallFailedError(operation, type(error).__name__) from None


def error_code(error: ClientError) -> str:
    """The service's error code."""
    return error.response.get("Error", {}).get("Code", "Unknown")


def tries(operation: str) -> Iterator[None]:
    """Try again and again for what a batch call left unprocessed, with growing pauses and jitter.

    Raises:
        CallFailedError: the tries are used up.
    """
    for attempt in range(_TRIES):
        if attempt:
            sleep(uniform(0, _FIRST_PAUSE * 2**attempt))  # noqa: S311 -- jitter is no secret
        yield
    raise CallFailedError(operation, "Unprocessed")
