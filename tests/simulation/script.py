"""What happens outside in one run: orders and contacts, people, deployments. A list, made from a seed.

Much of it comes within seconds of an instant at which something is due: there the races are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from random import Random
from typing import Any

from shared.record import RecordRef
from tests.builders import NOW
from tests.simulation.promises import DAY

SAFETY = 15 * DAY
"""How long there are faults, and how long anything begins."""
RETAIN = 7 * DAY
MANY = (1, 2, 2, 3)


ABSURD = datetime(1970, 1, 1, tzinfo=UTC)
BAD_ANCHORS = ("2026-08-25T10:15:00", "0", "1970-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "soon")
"""Nobody can say for certain what they mean."""


class Mode(StrEnum):
    """Which of the parts that heal are at work: they could mask what another part does wrong."""

    ALL = "all parts"
    NO_SWEEP = "no sweep"
    NO_RECURRING = "no recurring purge"


@dataclass(frozen=True)
class Happening:
    """Something that somebody outside does: the method of `Outside` of this name, with these arguments."""

    when: datetime
    what: str
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """One line of a trace."""
        named = (each.text if isinstance(each, RecordRef) else _short(each) for each in self.args)
        return f"{self.when.isoformat()} {self.what} {' '.join(named)}".rstrip()


def _short(arg: object) -> str:
    return arg.isoformat() if isinstance(arg, datetime) else str(arg)


def _in_shards(table: str, attribute: str, prefix: str, shards: set[int]) -> tuple[RecordRef, ...]:
    made = (RecordRef(table, {attribute: {"S": f"{prefix}-{number}"}}) for number in range(400))
    return tuple(each for each in made if each.shard in shards)


SHIPMENTS = _in_shards("Shipments", "shipment_id", "S", {3, 4, 9})
CONTACTS = _in_shards("Contacts", "contact_id", "C", {3, 9})
"""Of few shards, so that several timers meet in one batch, and batches follow one another."""


def script(seed: int, mode: Mode) -> list[Happening]:
    """What happens in the run of a seed, in order; nothing begins long after the faults have stopped."""
    written = _Author(Random(f"script {seed}"), mode).write()  # noqa: S311 -- the same seed, the same script
    happenings = (each for each in written if each.when <= NOW + SAFETY + 3 * DAY)
    return sorted(happenings, key=lambda each: each.when)


class _Author:
    def __init__(self, chance: Random, mode: Mode) -> None:
        self._chance, self._mode = chance, mode
        self._cases = iter(range(10**6))
        self._all = mode is Mode.ALL
        self._moments: list[datetime] = []
        at_once = NOW + SAFETY * 0.4 * chance.random()
        self._together = at_once.replace(microsecond=0) if chance.random() < 0.35 else None
        """Where all were shipped and all left at once, one run erases many."""

    def write(self) -> Iterator[Happening]:
        chance = self._chance
        shipments = chance.sample(SHIPMENTS, chance.randint(4, 7))
        contacts = chance.sample(CONTACTS, chance.randint(2, 4))
        for record in shipments:
            yield from self._shipment(record)
        for record in contacts:
            yield from self._contact(record)
        for record in (*shipments, *contacts):
            for _ in range(chance.choice((0, 1, 2, 3))):
                yield Happening(NOW, "ambush", (record, *self._ambush(record)))
        yield from self._operators()
        if self._all:
            yield from self._stack((*shipments, *contacts))

    def _shipment(self, record: RecordRef) -> Iterator[Happening]:
        chance = self._chance
        created = NOW + SAFETY * 0.4 * chance.random()
        if self._all and chance.random() < 0.06:
            yield Happening(created, "create", (record, ABSURD), {"matches": True})
            return
        shipped = self._together or self._instant(created, spread=2 * DAY)
        on_record = chance.random() < 0.7
        imported = self._all and chance.random() < 0.25
        if imported:
            shipped -= 9 * DAY * chance.random()
        first = shipped if on_record and (imported or chance.random() < 0.3) else None
        yield Happening(created, "create", (record, first), {"matches": chance.random() < 0.9})
        if on_record and first is None:
            yield Happening(max(shipped, created), "set_anchor", (record, _text(shipped)))
        told_at = max(shipped, created) + timedelta(seconds=1 + 60 * chance.random())
        if not imported:
            yield self._event(told_at, "shipped", record, shipped)
        for _ in range(chance.choice((0, 0, 0, 1, 2)) if not on_record else 0):
            parcel = self._instant(shipped, spread=DAY)
            yield self._event(max(told_at, parcel), "shipped", record, parcel)
        due = max(shipped + RETAIN, created)
        self._moments.append(due)
        yield from self._holds(record, due, by_event=True)
        yield from self._requests(record, created, due)
        yield from self._writes(record, created, due)
        yield from self._at_the_very_second(due)
        if self._all and chance.random() < 0.12:
            at = max(told_at, due - RETAIN * 0.5 * chance.random())
            yield Happening(at, "set_anchor", (record, chance.choice(BAD_ANCHORS)))
        if self._all and chance.random() < 0.15:
            was = self._instant(shipped, spread=DAY)
            becomes = None if chance.random() < 0.3 else self._instant(shipped, spread=DAY)
            yield self._event(told_at, "shipped", record, was)
            yield Happening(told_at + DAY * chance.random(), "correct", (record, "shipped", was, becomes))

    def _contact(self, record: RecordRef) -> Iterator[Happening]:
        chance = self._chance
        created = NOW + SAFETY * 0.3 * chance.random()
        yield Happening(created, "create", (record, None), {"matches": True})
        left = self._together or self._instant(created, spread=3 * DAY)
        if self._all and chance.random() < 0.06:
            yield self._event(created, "left", record, ABSURD)
            return
        if chance.random() < 0.2:
            left -= 10 * DAY * chance.random()
        if self._all and chance.random() < 0.12:
            # Of a contact who is gone for long, and whose record is gone, nobody needs to know any more.
            yield self._event(created, "left", record, created - 9 * DAY)
            yield Happening(created + DAY * chance.random(), "delete", (record,))
            return
        told = [left, *(self._instant(left, spread=3 * DAY) for _ in range(chance.choice((0, 0, 1, 3))))]
        for each in told:
            yield self._event(max(created, each), "left", record, each)
        if chance.random() < 0.4:
            back = chance.choice(
                [max(told), self._instant(left, spread=4 * DAY), self._around(left + RETAIN)]
            )
            yield self._event(max(created, back), "returned", record, back)
            if chance.random() < 0.5:
                again = self._instant(back, spread=2 * DAY)
                yield self._event(max(created, again), "left", record, again)
        due = left + RETAIN
        self._moments.append(due)
        yield from self._holds(record, due, by_event=False)
        yield from self._requests(record, created, due)
        yield from self._at_the_very_second(due)
        if self._all:
            yield from self._writes(record, created, due)
            if chance.random() < 0.15:
                becomes = None if chance.random() < 0.5 else self._instant(left, spread=2 * DAY)
                yield Happening(left + 5 * DAY * chance.random(), "correct", (record, "left", left, becomes))

    def _at_the_very_second(self, due: datetime) -> Iterator[Happening]:
        """A purge just before or after something is due: what it does shows which clock it trusts."""
        if self._chance.random() < 0.5:
            yield Happening(due + timedelta(seconds=5 * self._chance.random() - 3), "purge")

    def _ambush(self, record: RecordRef) -> tuple[Any, ...]:
        """What somebody does to a record just when it is about to be erased."""
        chance = self._chance
        hold = ("hold", 1 + 40 * chance.random())
        if record.table == "Contacts":
            return chance.choice([hold, ("returned",), ("touch",)])
        if not self._all:
            return chance.choice([hold, ("touch",)])
        later, mark = _text(NOW + SAFETY * 0.8), _text(NOW + SAFETY)
        others = (
            ("set_anchor", later),
            ("no_match",),
            ("foreign_mark", mark),
            ("update",),
            ("stale", 0),
            ("delete",),
        )
        wiped = ("hold and wipe", *hold[1:])
        return chance.choice([hold, hold, wiped, wiped, wiped, *others])

    def _holds(self, record: RecordRef, due: datetime, *, by_event: bool) -> Iterator[Happening]:
        chance = self._chance
        for _ in range(chance.choice((0, 0, 1, 1, 2))):
            case = f"CASE-{next(self._cases)}"
            since = self._around(due)
            until = self._instant(since + timedelta(hours=1), spread=chance.choice((4, 4, 25)) * DAY)
            yield self._event(since, "opened" if by_event else "hold", record, case, since, until)
            if chance.random() < 0.3:
                later = self._around(min(until, since + 2 * DAY))
                longer = self._instant(later + timedelta(minutes=1), spread=3 * DAY)
                yield self._event(later, "opened" if by_event else "hold", record, case, later, longer)
            if chance.random() < 0.5:
                closed = self._instant(since, spread=max(until - since, DAY / 24))
                yield self._event(closed, "closed" if by_event else "release", record, case, closed)
        if self._all and chance.random() < 0.15:
            yield from self._stale_mark(record, due)

    def _stale_mark(self, record: RecordRef, due: datetime) -> Iterator[Happening]:
        """A case that ends long before it was to; and then its mark is back, with a cached copy."""
        chance, case = self._chance, f"CASE-{next(self._cases)}"
        since = self._around(due)
        closed = max(since, NOW + SAFETY) + DAY * chance.random()
        yield self._event(since, "hold", record, case, since, closed + 9 * DAY)
        yield Happening(since + (closed - since) * chance.random(), "read", (record,))
        yield self._event(closed, "release", record, case, closed)
        yield Happening(closed + timedelta(hours=12 * chance.random()), "stale", (record, 0))

    def _requests(self, record: RecordRef, created: datetime, due: datetime) -> Iterator[Happening]:
        chance = self._chance
        for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
            at = self._around(due) if chance.random() < 0.5 else created + RETAIN * chance.random()
            others = [chance.choice(SHIPMENTS + CONTACTS)] if chance.random() < 0.3 else []
            yield self._event(at, "asked", record, f"R-{next(self._cases)}", at, *set(others) - {record})

    def _writes(self, record: RecordRef, created: datetime, due: datetime) -> Iterator[Happening]:
        """What the business system does to its record in the course of time."""
        chance = self._chance
        harmless = ("update", "update", "touch")
        others = (
            "stale",
            "stale",
            "re_add",
            "delete",
            "anchor",
            "no_match",
            "null_anchor",
            "bad_anchor",
            "foreign_mark",
            "drop_gate",
        )
        for _ in range(chance.randint(1, 5)):
            at = self._around(due) if chance.random() < 0.6 else created + SAFETY * 0.8 * chance.random()
            what = chance.choice(harmless + others * 2) if self._all else "touch"
            match what:
                case "anchor":
                    yield Happening(at, "set_anchor", (record, _text(self._instant(created, spread=3 * DAY))))
                case "null_anchor":
                    yield Happening(at, "set_anchor", (record, None))
                case "bad_anchor":
                    yield Happening(at, "set_anchor", (record, chance.choice(BAD_ANCHORS)))
                case "foreign_mark":
                    until = chance.choice([_text(at + 2 * DAY * chance.random()), "unreadable"])
                    yield Happening(at, "foreign_mark", (record, until))
                    yield Happening(at + 2 * DAY * chance.random(), "stale", (record, 0))
                case "stale":
                    yield Happening(at, "stale", (record, chance.randint(0, 3)))
                case _:
                    yield Happening(at, what, (record,))

    def _operators(self) -> Iterator[Happening]:
        """What operators do; and somebody sends what nobody can read."""
        chance = self._chance
        for _ in range(chance.choice(MANY)):
            yield Happening(self._sometime(), "malformed", (chance.randrange(10**6),))
        for _ in range(chance.choice(MANY)):
            yield Happening(self._sometime(), "purge")
        if self._mode is not Mode.NO_RECURRING:
            for _ in range(chance.choice((0, 1, 2))):
                at = self._sometime()
                yield Happening(at, "pause", (at + DAY * chance.random(),))
                if chance.random() < 0.6:
                    yield Happening(at + DAY * chance.random(), "resume")

    def _stack(self, records: tuple[RecordRef, ...]) -> Iterator[Happening]:
        """What happens to the whole stack, and heals by the sweep."""
        chance = self._chance
        for _ in range(chance.choice(MANY)):
            yield Happening(self._sometime(), "sweep")
        for _ in range(chance.choice(MANY)):
            edition = chance.choice(("usual", "shorter", "more fields", "observing"))
            yield Happening(self._sometime(), "deploy", (edition,))
        for _ in range(chance.choice((1, 2, 4))):
            yield Happening(
                self._sometime(), "restore", (chance.choice(("Shipments", "Contacts")), chance.random())
            )
        for _ in range(chance.choice((0, 2, 5, 12))):
            yield Happening(self._sometime(), "lose_timers")
        if chance.random() < 0.4:
            at = max(self._moments) - 5 * DAY * chance.random()
            yield Happening(at, "poison", (chance.choice(records),))

    def _event(self, when: datetime, *args: Any) -> Happening:
        return Happening(when, "tell", args)

    def _around(self, moment: datetime) -> datetime:
        """Near a moment: most of all in the minutes after it, when the purge comes."""
        within = self._chance.choice((5.0, 90.0, 90.0, 1800.0, 86_400.0))
        return max(moment + timedelta(seconds=within * (1.4 * self._chance.random() - 0.4)), NOW)

    def _instant(self, begin: datetime, spread: timedelta) -> datetime:
        """An instant as systems write it: to the second, or finer."""
        exact = begin + spread * self._chance.random()
        return exact if self._chance.random() < 0.3 else exact.replace(microsecond=0)

    def _sometime(self) -> datetime:
        if self._chance.random() < 0.6:
            return min(self._around(self._chance.choice(self._moments)), NOW + SAFETY)
        return NOW + SAFETY * self._chance.random()


def _text(instant: datetime) -> str:
    """As one of several systems writes it: each with an offset of its own."""
    offset = timezone(timedelta(hours=(instant.second % 4 - 1) * 5))
    return instant.astimezone(offset).isoformat().replace("+00:00", "Z")
