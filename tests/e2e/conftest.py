"""One deployed local stack per test session, built by SAM; more of them for tests that need their own."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lapse import artifact, deployment
from lapse.endpoint import Clients, function_log
from lapse.stack import Stack, running


@dataclass(frozen=True)
class Deployed:
    """A deployed Lapse: the emulator it runs on, its CloudFormation name and its outputs."""

    stack: Stack
    name: str
    outputs: Mapping[str, str]

    @property
    def clients(self) -> Clients:
        """Typed boto3 clients."""
        return self.stack.clients

    def logs(self) -> list[str]:
        """All lines that all of this stack's functions have logged."""
        pages = self.clients.cloudformation.get_paginator("list_stack_resources").paginate(
            StackName=self.name
        )
        resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
        functions = [
            r["PhysicalResourceId"] for r in resources if r["ResourceType"] == "AWS::Lambda::Function"
        ]
        return [line for function in functions for line in function_log(self.clients, function)]


type Deploy = Callable[..., Deployed]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An empty running emulator; its log stays in pytest's temporary directory."""
    with running(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="session")
def deploy(emulator: Stack) -> Deploy:
    """Deploy one more stack: `deploy("name", parameters={...}, policy=path)`, `on=` another emulator."""

    def deploy_one(
        name: str,
        *,
        parameters: Mapping[str, str] | None = None,
        policy: Path | None = None,
        on: Stack | None = None,
    ) -> Deployed:
        where = on or emulator
        outputs = deployment.deploy_fast(where, artifact.build(policy), name=name, parameters=parameters)
        return Deployed(where, name, outputs)

    return deploy_one


@pytest.fixture(scope="session")
def deployed(deploy: Deploy) -> Deployed:
    """Lapse as it is, deployed with its defaults; shared by all tests, so use record ids of your own."""
    return deploy("lapse")
