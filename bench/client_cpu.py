"""Client CPU for each erased record, against a bare loop of unconditional updates on the same kind of items.

CPU time of this process only: the emulator is another one. The bare loop has boto3's own client settings.
"""

import gc
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from statistics import median

from bench.lapse_way import LapseWay
from bench.place import Case, Place, contacts, fresh_place, shipments, spread_over_an_hour, store
from bench.usual_way import UsualWay, schedule_input
from lapse.endpoint import Endpoint

WORKERS = 16
_SIZE = 1024

type Work = Callable[[], int]
"""Erases records, and says how many."""


@dataclass(frozen=True)
class ClientCpu:
    """Milliseconds of CPU for each record, once for each repeat, and those of the bare loop beside it."""

    name: str
    milliseconds: Sequence[float]
    bare_milliseconds: Sequence[float]

    @property
    def median(self) -> float:
        """In milliseconds."""
        return median(self.milliseconds)

    @property
    def ratio(self) -> float:
        """The median of the repeats' own ratios."""
        return median(own / bare for own, bare in zip(self.milliseconds, self.bare_milliseconds, strict=True))


def client_cpu(endpoint: Endpoint, records: int, repeats: int) -> list[ClientCpu]:
    """Measure all in turn, so often, each time on fresh tables; in changing order."""
    contestants = _contestants()
    names = list(contestants)
    times: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(repeats):
        for name in names if repeat % 2 else reversed(names):
            times[name].append(_milliseconds_each(contestants[name](endpoint, records), records))
    return [ClientCpu(name, times[name], times[_bare_beside(name)]) for name in names]


BARE = "bare loop, 1 thread"
BARE_THREADS = f"bare loop, {WORKERS} threads"
BARE_OWN_SETTINGS = "bare loop with Lapse's client settings"
PURGE = "purge_due, 1 worker"
PURGE_WORKERS = f"purge_due, {WORKERS} workers"
PURGE_FACTS = "purge_due, 1 worker, by facts"
USUAL = "usual way, 1 thread"


def _bare_beside(name: str) -> str:
    return BARE_THREADS if name in {BARE_THREADS, PURGE_WORKERS} else BARE


def _contestants() -> dict[str, Callable[[Endpoint, int], Work]]:
    return {
        PURGE: lambda endpoint, records: _purge(endpoint, records, 1),
        BARE: lambda endpoint, records: _bare_loop(endpoint, records, 1),
        USUAL: _usual,
        BARE_OWN_SETTINGS: lambda endpoint, records: _bare_loop(endpoint, records, 1, own_settings=True),
        PURGE_FACTS: _purge_by_facts,
        BARE_THREADS: lambda endpoint, records: _bare_loop(endpoint, records, WORKERS),
        PURGE_WORKERS: lambda endpoint, records: _purge(endpoint, records, WORKERS),
    }


def _milliseconds_each(work: Work, records: int) -> float:
    gc.collect()
    begin = time.process_time()
    erased = work()
    taken = time.process_time() - begin
    if erased != records:
        raise RuntimeError(f"{erased} of {records} records were erased")
    return taken * 1000 / records


def _bare_loop(endpoint: Endpoint, records: int, threads: int, *, own_settings: bool = False) -> Work:
    place, cases, _ = _stored_shipments(endpoint, records)
    dynamodb = place.dynamodb() if own_settings else place.plain_dynamodb()
    dynamodb.describe_table(TableName=place.table("shipments"))  # the connection is there
    table = place.table("shipments")

    def erase(some: Sequence[Case]) -> int:
        for case in some:
            dynamodb.update_item(
                TableName=table,
                Key=dict(case.record.key),
                UpdateExpression="REMOVE contact_number, email",
            )
        return len(some)

    def work() -> int:
        if threads == 1:
            return erase(cases)
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(erase, batched(cases, -(-records // threads), strict=False)))

    return work


def _purge(endpoint: Endpoint, records: int, workers: int) -> Work:
    place, cases, end = _stored_shipments(endpoint, records)
    way = LapseWay.at(place, place.dynamodb(), place.scheduler())
    way.set_timers(cases)
    return lambda: way.purge(end, workers)


def _purge_by_facts(endpoint: Endpoint, records: int) -> Work:
    place = fresh_place(endpoint)
    cases = contacts(list(spread_over_an_hour(records, records)), _SIZE)
    store(place, "contacts", cases)
    way = LapseWay.at(place, place.dynamodb(), place.scheduler())
    way.keep_departures(cases)
    return lambda: way.purge(_after(cases))


def _usual(endpoint: Endpoint, records: int) -> Work:
    place, cases, end = _stored_shipments(endpoint, records)
    way = UsualWay(place.plain_dynamodb(), place.scheduler(), place.table("shipments"), place.name)
    way.dynamodb.describe_table(TableName=way.table)
    inputs = [schedule_input(case) for case in cases]
    return lambda: sum(way.invoke(each, end) for each in inputs)


def _stored_shipments(endpoint: Endpoint, records: int) -> tuple[Place, list[Case], datetime]:
    place = fresh_place(endpoint)
    cases = shipments(list(spread_over_an_hour(records, records)), _SIZE)
    store(place, "shipments", cases)
    return place, cases, _after(cases)


def _after(cases: Sequence[Case]) -> datetime:
    return max(case.due for case in cases) + timedelta(minutes=1)
