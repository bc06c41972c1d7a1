"""boto3 clients that misbehave at chosen calls, as AWS's do and the emulators' never."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from tests.misbehaving import Crash


class Trouble(StrEnum):
    """What may happen at a call."""

    THROTTLED = "throttled"
    LOST_ANSWER = "lost answer"
    PARTIAL = "partial"
    """Of a batch call: half of it is done, the rest is left unprocessed."""
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    MEANWHILE = "meanwhile"
    """Others come first: the business system writes."""


type When = int | tuple[str, int]
"""The number of the call, of all or of those of one name, from 0."""


@dataclass
class Troubles:
    """What is to happen at which call, counted over all clients since `begin`. Pages are short, always."""

    at: Mapping[When, Trouble] = field(default_factory=dict)
    meanwhile: Callable[[], object] = lambda: None
    calls: Counter[str] = field(default_factory=Counter)
    struck: list[str] = field(default_factory=list)

    def begin(self, at: Mapping[When, Trouble], meanwhile: Callable[[], object] = lambda: None) -> None:
        """From now on, for the next operation."""
        self.at, self.meanwhile = at, meanwhile
        self.calls.clear()
        self.struck.clear()

    def call(self, name: str, method: Callable[..., Any], request: dict[str, Any]) -> Any:
        """Make a call, or what becomes of it."""
        trouble = self.at.get((name, self.calls[name]), self.at.get(self.calls.total()))
        self.calls[name] += 1
        if name == "scan" or (name == "query" and "Limit" not in request and "Select" not in request):
            request |= {"Limit": 1}  # a page of DynamoDB's ends wherever it likes
        if trouble is not None:
            self.struck.append(f"{trouble.value}: {name}")
        match trouble:
            case Trouble.MEANWHILE:
                self.meanwhile()
            case Trouble.THROTTLED:
                raise _throttled(name, request)
            case Trouble.CRASH_BEFORE:
                raise Crash
            case Trouble.PARTIAL if name in _PARTS:
                return _PARTS[name](method, request)
        answer = method(**request)
        if trouble is Trouble.CRASH_AFTER:
            raise Crash
        if trouble is Trouble.LOST_ANSWER:
            raise ReadTimeoutError(endpoint_url="https://example.org")
        return answer


@dataclass
class Client:
    """A client whose calls may misbehave."""

    client: Any
    troubles: Troubles

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if not callable(method) or name in {"close", "can_paginate", "get_paginator"}:
            return method
        return lambda **request: self.troubles.call(name, method, request)


def _throttled(name: str, request: Mapping[str, Any]) -> ClientError:
    operation = "".join(word.capitalize() for word in name.split("_"))
    error: Any = {"Error": {"Code": "ThrottlingException", "Message": "slow down"}}
    if name == "transact_write_items":
        reasons = [{"Code": "ThrottlingError"}, *({"Code": "None"} for _ in request["TransactItems"][1:])]
        error = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
    return ClientError(error, operation)


def _half_of_reads(method: Callable[..., Any], request: dict[str, Any]) -> Any:
    ((table, wanted),) = request["RequestItems"].items()
    keys = wanted["Keys"]
    some, rest = keys[: len(keys) // 2], keys[len(keys) // 2 :]
    answer = method(RequestItems={table: {**wanted, "Keys": some}}) if some else {"Responses": {}}
    return {**answer, "UnprocessedKeys": {table: {**wanted, "Keys": rest}}}


def _half_of_writes(method: Callable[..., Any], request: dict[str, Any]) -> Any:
    ((table, puts),) = request["RequestItems"].items()
    some, rest = puts[: len(puts) // 2], puts[len(puts) // 2 :]
    answer = method(RequestItems={table: some}) if some else {}
    return {**answer, "UnprocessedItems": {table: rest}}


def _half_of_statements(method: Callable[..., Any], request: dict[str, Any]) -> Any:
    statements = request["Statements"]
    some = list(islice(statements, len(statements) // 2))
    done = method(Statements=some)["Responses"] if some else []
    throttled = {"Error": {"Code": "ThrottlingError"}}
    return {"Responses": [*done, *(throttled for _ in statements[len(some) :])]}


_PARTS: Mapping[str, Callable[[Callable[..., Any], dict[str, Any]], Any]] = {
    "batch_get_item": _half_of_reads,
    "batch_write_item": _half_of_writes,
    "batch_execute_statement": _half_of_statements,
}
