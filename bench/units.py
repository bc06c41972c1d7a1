"""DynamoDB's published rules for item sizes and for read and write units, as pure functions.

Source: the DynamoDB developer guide, "DynamoDB item sizes and formats" and "DynamoDB throughput capacity".
The emulators' own figures are wrong, so the units of a request are computed from the items that it touched.
"""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

WRITE_BYTES = 1024
READ_BYTES = 4096
TRANSACTIONAL = 2
"""A transaction prepares and commits: each of its units counts twice."""
DOLLARS_PER_WRITE = 0.625 / 1_000_000
DOLLARS_PER_READ = 0.125 / 1_000_000
"""On demand, us-east-1."""

type Item = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Units:
    """Write and read request units."""

    write: float = 0
    read: float = 0

    def __add__(self, other: "Units") -> "Units":
        """Add both."""
        return Units(self.write + other.write, self.read + other.read)

    def __truediv__(self, number: float) -> "Units":
        """Share both."""
        return Units(self.write / number, self.read / number)

    @property
    def dollars_per_million(self) -> float:
        """What a million of these cost on demand."""
        return (self.write * DOLLARS_PER_WRITE + self.read * DOLLARS_PER_READ) * 1_000_000


def item_size(item: Item | None) -> int:
    """Bytes of an item in wire format, names included; 0 where there is none."""
    return sum(len(name.encode()) + _value_size(value) for name, value in (item or {}).items())


def write_units(before: Item | None, after: Item | None) -> int:
    """Of one item's put, update or delete, also a refused one: by the larger of before and after."""
    return _rounded(max(item_size(before), item_size(after)), WRITE_BYTES)


def read_units(items: Iterable[Item | None], *, consistent: bool) -> float:
    """Of reads by key: each item by itself, at least one unit each, also where there is none."""
    return sum(_read(item_size(item), consistent=consistent) for item in items)


def query_units(items: Iterable[Item], *, consistent: bool) -> float:
    """Of one query: all items that it went through, before any filter or projection, together."""
    return _read(sum(map(item_size, items)), consistent=consistent)


def _read(size: int, *, consistent: bool) -> float:
    return _rounded(size, READ_BYTES) / (1 if consistent else 2)


def _rounded(size: int, unit: int) -> int:
    return max(1, -(-size // unit))


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            size = len(content.encode())
        case "N":
            size = _number_size(content)
        case "B":
            size = len(b64decode(content) if isinstance(content, str) else content)
        case "BOOL" | "NULL":
            size = 1
        case "SS" | "NS" | "BS":
            size = sum(_value_size({kind[0]: each}) for each in content)
        case "L":
            size = 3 + sum(1 + _value_size(each) for each in content)
        case "M":
            size = 3 + sum(1 + len(name.encode()) + _value_size(each) for name, each in content.items())
        case _:
            raise ValueError(f"{kind} is no type of DynamoDB's")
    return size


def _number_size(text: str) -> int:
    """One byte, one for two significant digits, and one for a minus."""
    number = Decimal(text).normalize()
    digits = len(number.as_tuple().digits) if number else 0
    return 1 + -(-digits // 2) + (number < 0)
