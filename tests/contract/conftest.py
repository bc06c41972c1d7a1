"""The three worlds that the contract's cases run in."""

from collections.abc import Callable, Iterable, Iterator

import boto3
import pytest
from moto import mock_aws

from lapse.stack import Stack, running
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
