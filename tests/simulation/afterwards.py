"""What can be said only in the end: I6 to I8, and that everybody was answered."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import datetime, time
from random import Random
from typing import Any

import rfc8785

from shared.ledger import Head
from shared.ledger_batch import BEGINNING
from shared.timer import Timer
from tests.builders import NOW
from tests.followed import followed
from tests.memory import Memory
from tests.simulation.deadlines import GRACE
from tests.simulation.history import FOR_EVER, Asked, is_ours, mark_end
from tests.simulation.oracle import Oracle
from tests.simulation.ports import Chain, end_of
from tests.simulation.stack import Delivery, Message, Stack

TOLD = {"told", "corrected", "hold_placed", "hold_released", "requested", "answered", "erased"}


def judge_answers(oracle: Oracle, stack: Stack, answered: set[tuple[str, str]]) -> None:
    """I10: no sound event is left over; who asked for an erasure is answered, unless a hold is in the way."""
    for message in stack.dead_letters:
        if message.sound:
            oracle.violated("I10", f"{message.name}: never taken")
    for record, told in oracle.told.items():
        item = oracle.place.last.get(record, {})
        marked = None if is_ours(item) else mark_end(item)
        held_until = max([*told.ends(), marked or NOW])
        if held_until + GRACE > oracle.now or record in stack.faults.poisoned:
            continue
        for said in told.said:
            if isinstance(said, Asked) and (said.request, record.text) not in answered:
                oracle.violated("I10", "a request was never answered", record)


def judge_chains(
    oracle: Oracle, chains: Mapping[int, Chain], heads: Mapping[int, Head], chance: Random
) -> None:
    """I7: each chain verifies, ends as it was seen to end, and a tampered copy does not verify."""
    for number, chain in chains.items():
        if not chain.rows and number not in heads:
            continue
        shard, head = f"{number:02}", heads[number]
        findings = [str(each) for each in followed(shard, chain.rows, head)]
        if findings or not chain.rows or head != Head(*end_of(chain.rows[-1])):
            oracle.violated("I7", f"chain {shard} does not verify")
        if chain.rows and not followed(shard, tampered(chain.rows, chance), head):
            oracle.violated("I7", f"chain {shard}: tampering is not found")


def judge_canary(oracle: Oracle, canary: str, sinks: Mapping[str, object]) -> None:
    """I8: what people entered is in the business tables alone."""
    for sink, content in sinks.items():
        if canary in repr(content):
            oracle.violated("I8", f"personal data in {sink}")


def judge_redelivery(
    oracle: Oracle, stack: Stack, taken: Sequence[Delivery], let_pass: Callable[[], object]
) -> None:
    """I6: all that was taken comes once more, and changes nothing; and yet again: no timer is added either.

    The first time may set timers anew that have done their work.
    """

    def deliver_all() -> None:
        for delivery in taken:
            if _may_come_again(delivery.message, oracle, stack.memory):
                stack.work(Message("again", delivery.message.event, sound=delivery.message.sound))
        let_pass()

    before, began = _state(stack.memory), oracle.now
    deliver_all()
    after, timers = _state(stack.memory), dict(stack.memory.timers)
    for what, state in after.items():
        if state != before[what]:
            oracle.violated("I6", f"delivering all again changed {what}")
    deliver_all()
    for key, timer in stack.memory.timers.items():
        if key not in timers and not _lapses(timer, oracle, began):
            oracle.violated("I6", "delivering all yet again set a timer", timer.record)


def _may_come_again(message: Message, oracle: Oracle, memory: Memory) -> bool:
    """Whether it is no news: its record is there, and it was kept, and not refused or forgotten since."""
    if "detail-type" not in message.event or message.said is None:
        return False
    for record in message.records:
        told = oracle.told[record]
        refused = isinstance(message.said, Asked) and message.said.request in told.refused
        is_known = record in memory.items and record not in oracle.forgotten
        if not is_known or refused or message.said not in told.said:
            return False
    return True


def _state(memory: Memory) -> dict[str, Any]:
    entries = [entry for chain in memory.batches.values() for batch in chain for entry in batch]
    return {
        "the business tables": deepcopy(memory.items),
        "facts": dict(memory.facts),
        "evidence of what was told": sum(each.outcome in TOLD for each in entries),
    }


def _lapses(timer: Timer, oracle: Oracle, began: datetime) -> bool:
    """Whether it is of a hold that ended meanwhile, or has no readable end, and so comes each midnight."""
    item = oracle.place.last.get(timer.record, {})
    ends = [*oracle.told[timer.record].ends(), mark_end(item) or FOR_EVER]
    return any(began <= end <= oracle.now for end in ends) or timer.at.time() == time.min


def tampered(rows: Sequence[Mapping[str, Any]], chance: Random) -> list[dict[str, Any]]:
    """A copy that somebody edited, cut, or put in another order."""
    copy: list[dict[str, Any]] = [dict(row) for row in rows]
    number = chance.randrange(len(copy))
    match chance.choice(("edit", "cut", "remove", "forge", "swap", "rewrite", "repeat", "insert", "rename")):
        case "edit":
            copy[number]["body"] = copy[number]["body"].replace("20", "19", 1)
        case "cut":
            del copy[-1]
        case "remove":
            del copy[number]
        case "forge":
            copy[number]["hash"] = copy[number]["hash"][::-1]
        case "rewrite":
            rewritten = {**copy[number], "body": copy[number]["body"].replace("20", "19", 1)}
            copy[number] = _forged(copy[number - 1] if number else None, rewritten)
        case "repeat":
            copy.insert(number, dict(copy[number]))
        case "insert":
            copy.insert(number, _forged(copy[number - 1] if number else None, copy[number]))
        case "rename":
            copy[number]["names"] = copy[number]["names"].replace("[", "[ ", 1)
        case _:
            copy = [*copy[number:], *copy[:number]] if number else [copy[-1], {}, *copy[:-1]]
    return copy


def _forged(before: Any, like: Mapping[str, Any]) -> dict[str, Any]:
    """A batch with sound links and a hash of its own, as somebody makes it who knows the format."""
    number, link = end_of(before) if before else BEGINNING
    body = rfc8785.dumps({**json.loads(like["body"]), "seq": number + 1, "prev": link})
    own = {"seq": number + 1, "prev": link, "hash": hashlib.sha256(body).hexdigest(), "body": body.decode()}
    return {**like, **own}
