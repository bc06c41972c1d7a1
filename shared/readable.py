"""Reading many at once when one of them cannot be read: the others are sound."""

from collections.abc import Callable, Mapping, Sequence

from shared.failure import CallFailedError
from shared.look import POISON
from shared.record import RecordRef


def readable[T](
    read: Callable[[Sequence[RecordRef]], Mapping[RecordRef, T]], records: Sequence[RecordRef]
) -> tuple[dict[RecordRef, T], set[RecordRef]]:
    """What can be read of these records, and those that cannot be read at all.

    Raises:
        CallFailedError: the call failed, and not because of a single record.
    """
    try:
        return dict(read(records)), set()
    except Exception as error:
        if isinstance(error, CallFailedError) and error.code not in POISON:
            raise
        if len(records) == 1:
            return {}, set(records)
    half = len(records) // 2
    one, others = readable(read, records[:half]), readable(read, records[half:])
    return one[0] | others[0], one[1] | others[1]
