"""A record's whole life, from its event until its timer is gone: calls, units and standing schedules.

Counted from the requests that the real adapters really sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bench.lapse_way import LapseWay
from bench.place import Case, Place, contacts, fresh_place, shipments, spread_over_an_hour, store
from bench.requests_sent import CallCounter, UnitMeter
from bench.units import Units
from bench.usual_way import UsualWay, schedule_input
from lapse.endpoint import Endpoint
from shared.retention import wake_up_minute

AN_HOUR = 10_000
"""Records that are due within one hour: the pace of all that is measured here, but for the lone record."""
KB = 1024
SIZES = (KB, 4 * KB)


@dataclass(frozen=True)
class Life:
    """What one record's life takes, on average over so many; units only where they were metered."""

    records: int
    calls: Mapping[str, float]
    units: Mapping[str, Units] = field(default_factory=dict)

    @property
    def calls_in_all(self) -> float:
        """Of all operations."""
        return sum(self.calls.values())

    @property
    def units_in_all(self) -> Units:
        """Of all operations."""
        return sum(self.units.values(), Units())


@dataclass(frozen=True)
class MeteredLives:
    """Lives with their units, by the size of the record in bytes."""

    name: str
    by_size: Mapping[int, Life]


@dataclass(frozen=True)
class StandingSchedules:
    """How many schedules stand for so many records that are due within one hour."""

    records: int
    lapse: int
    usual: int


def standing_schedules(endpoint: Endpoint, records: int) -> StandingSchedules:
    """Make the schedules of so many records, due over one hour, both ways."""
    dues = list(spread_over_an_hour(records, records))
    place, counter = fresh_place(endpoint), CallCounter()
    way = LapseWay.at(place, place.dynamodb(), place.scheduler())
    way.ensure_wake_ups(dues, now=dues[0] - timedelta(hours=1))
    standing = place.scheduler().list_schedules(GroupName=place.name, MaxResults=100)["Schedules"]
    place = fresh_place(endpoint)
    scheduler = place.scheduler()
    counter.watch(scheduler)
    usual = UsualWay(place.dynamodb(), scheduler, place.table("shipments"), place.name)
    for case in shipments(dues, KB):
        usual.take(case)
    # More than the emulator lists: those that it said it created, and none was deleted.
    return StandingSchedules(records, len(standing), counter.succeeded["CreateSchedule"])


def lives(endpoint: Endpoint, records: int) -> tuple[Life, Life]:
    """So many shipments both ways, Lapse's first: all events, and then what each wake-up does."""
    return (
        _lapse(endpoint, "shipments", shipments(_dues(records), KB), metered=False),
        _usual(endpoint, shipments(_dues(records), KB), metered=False),
    )


def metered_lives(endpoint: Endpoint, records: int) -> list[MeteredLives]:
    """Lives with their units: Lapse's for both shipped rules, a lone record's, and the usual way's."""
    dues, alone = _dues(records), _dues(1)
    return [
        MeteredLives(
            "Lapse, shipment",
            {size: _lapse(endpoint, "shipments", shipments(dues, size), metered=True) for size in SIZES},
        ),
        MeteredLives(
            "Lapse, departure",
            {size: _lapse(endpoint, "contacts", contacts(dues, size), metered=True) for size in SIZES},
        ),
        MeteredLives(
            "Lapse, a lone shipment",
            {size: _lapse(endpoint, "shipments", shipments(alone, size), metered=True) for size in SIZES},
        ),
        MeteredLives(
            "usual way, shipment",
            {size: _usual(endpoint, shipments(dues, size), metered=True) for size in SIZES},
        ),
    ]


def _dues(records: int) -> list[datetime]:
    return list(spread_over_an_hour(records, AN_HOUR))


def _lapse(endpoint: Endpoint, plain: str, cases: Sequence[Case], *, metered: bool) -> Life:
    place = fresh_place(endpoint)
    store(place, plain, cases)
    dynamodb, scheduler, counter = place.dynamodb(), place.scheduler(), CallCounter()
    counter.watch(dynamodb, scheduler)
    meter = UnitMeter(place.dynamodb(), place.keys)
    if metered:
        meter.watch(dynamodb)
    way = LapseWay.at(place, dynamodb, scheduler)
    now = cases[0].due - timedelta(hours=1)
    for case in cases:
        way.take(case, now)
    minutes = sorted({wake_up_minute(case.due, now) for case in cases})
    erased = sum(way.purge(minute) for minute in minutes)
    _must_be_done(place, erased, len(cases), counter)
    return _life(len(cases), counter, meter)


def _usual(endpoint: Endpoint, cases: Sequence[Case], *, metered: bool) -> Life:
    place = fresh_place(endpoint)
    store(place, "shipments", cases)
    dynamodb, scheduler, counter = place.dynamodb(), place.scheduler(), CallCounter()
    counter.watch(dynamodb, scheduler)
    meter = UnitMeter(place.dynamodb(), place.keys)
    if metered:
        meter.watch(dynamodb)
    way = UsualWay(dynamodb, scheduler, place.table("shipments"), place.name)
    for case in cases:
        way.take(case)
    erased = sum(way.invoke(schedule_input(case), case.due) for case in cases)
    _must_be_done(place, erased, len(cases), counter)
    return _life(len(cases), counter, meter)


def _life(records: int, counter: CallCounter, meter: UnitMeter) -> Life:
    calls = {operation: number / records for operation, number in counter.calls.items()}
    units = {operation: sum_ / records for operation, sum_ in meter.by_operation.items()}
    return Life(records, calls, units)


def _must_be_done(place: Place, erased: int, records: int, counter: CallCounter) -> None:
    """See that the whole life was seen: all erased, no timer left, and no call sent twice."""
    left = place.dynamodb().scan(TableName=place.table("due"))["Count"]
    if (erased, left, counter.retries) != (records, 0, 0):
        raise RuntimeError(
            f"{erased} of {records} erased, {left} timers left, {counter.retries} calls tried again"
        )
