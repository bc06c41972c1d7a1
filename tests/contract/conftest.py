"""The three worlds that the contract's cases run in."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from lapse.stack import Stack, running
from tests.sealing import LocalKey
from tests.tampering import Files, run_and_sealed
from tests.worlds import USUAL_TABLES, TableSpec, World, aws_world, memory_world

type MakeWorld = Callable[[Iterable[TableSpec]], World]


@pytest.fixture(scope="session")
def local_stack() -> Iterator[Stack]:
    """The local stack, with nothing deployed, and with a scheduler that does not wake up meanwhile."""
    with running(tick_seconds=3600) as stack:
        yield stack


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """For moto: one session for all tests, since each would read the services' models anew."""
    return boto3.Session("test", "test", region_name="eu-west-1")


@pytest.fixture(params=["memory", "moto", "local stack"])
def make_world(request: pytest.FixtureRequest) -> Iterator[MakeWorld]:
    """Makes a world with other business tables than the usual."""
    match request.param:
        case "memory":
            yield lambda _specs: memory_world()
        case "moto":
            session = request.getfixturevalue("session")
            with mock_aws():
                yield lambda specs: aws_world(session.client("dynamodb"), session.client("scheduler"), specs)
        case _:
            clients = request.getfixturevalue("local_stack").clients
            yield lambda specs: aws_world(clients.dynamodb, clients.scheduler, specs)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world with the usual business tables."""
    return make_world(USUAL_TABLES)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LocalKey]:
    """What `export` and `seals` wrote of a real run."""
    directory, key = tmp_path_factory.mktemp("ledger"), LocalKey()
    with run_and_sealed(key) as operator:
        answer = operator.types("ledger", "seals", "--out", directory)
        assert (answer.code, answer.out) == (0, "3 seals and 1 public key, 4 of them new.\n")
        answer = operator.types("ledger", "export", "--out", directory / "ledger.jsonl")
        assert (answer.code, answer.out) == (0, "7 batches.\n")
        printed = operator.types("ledger", "export").out
    assert printed == (directory / "ledger.jsonl").read_text()
    return directory, key


@pytest.fixture
def files(written: tuple[Path, LocalKey]) -> Files:
    """For one test to do with as it likes."""
    return Files.of(*written)
