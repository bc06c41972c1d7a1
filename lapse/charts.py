"""Bars of days, as figures for an SVG that the page draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

STEP, WIDTH, HEIGHT = 10.0, 7.0, 100.0
"""Of each day, and of its bar, in the units of the drawing; it is stretched to the page's width."""
LEAST = 2.0
"""One of thousands is still to be seen."""


@dataclass(frozen=True)
class Bar:
    """A day's bar, and what it says when it is pointed at."""

    x: float
    y: float
    height: float
    says: str


@dataclass(frozen=True)
class Chart:
    """A drawing with what is written below and above it."""

    name: str
    title: str
    description: str
    most: int
    bars: Sequence[Bar]
    width: float
    labels: Sequence[str]
    """Of the first day, of one in the middle, and of the last."""


def day_chart(name: str, title: str, what: str, per_day: Mapping[date, int], days: Sequence[date]) -> Chart:
    """The days in a row, each with a bar as high as its number.

    Args:
        name: for references within the page.
        title: of the chart.
        what: what is counted, for the description.
        per_day: the numbers; a day that is missing has none.
        days: in order.
    """
    most = max((per_day.get(day, 0) for day in days), default=0)
    bars = [
        _bar(position * STEP, per_day[day], most, f"{day}: {per_day[day]:,}")
        for position, day in enumerate(days)
        if per_day.get(day)
    ]
    total = sum(per_day.get(day, 0) for day in days)
    description = f"{total:,} {what} from {days[0]} to {days[-1]}, at most {most:,} on one day."
    labels = [f"{day.day} {day:%b}" for day in (days[0], days[len(days) // 2], days[-1])]
    return Chart(name, title, description, most, bars, len(days) * STEP, labels)


def days_from(first: date, number: int) -> list[date]:
    """So many days in order."""
    return [first + timedelta(days=ahead) for ahead in range(number)]


def _bar(x: float, number: int, most: int, says: str) -> Bar:
    height = max(HEIGHT * number / most, LEAST)
    return Bar(x + (STEP - WIDTH) / 2, round(HEIGHT - height, 2), round(height, 2), says)
