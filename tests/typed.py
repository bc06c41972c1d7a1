"""An operator at the command line, in front of the tables of a world on an emulator."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import typer

from lapse import policy_command, restore_command
from lapse.aws_stores import AwsStores
from lapse.trouble import TellingTroubles
from shared.config import deployed_policy
from shared.policy import Policy
from tests.terminals import Runner
from tests.worlds import AwsBusiness, World

app = typer.Typer(cls=TellingTroubles)
app.add_typer(restore_command.app, name="restore")
app.add_typer(policy_command.app, name="policy")


@app.callback()
def _lapse() -> None: ...


@dataclass(frozen=True)
class Connection:
    """What a command works with."""

    policy: Policy
    clock: Callable[[], datetime]
    stores: AwsStores


@dataclass(frozen=True)
class Typed:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def stores_of(world: World) -> AwsStores:
    """The tables of a world on an emulator."""
    business = world.business
    assert isinstance(business, AwsBusiness)
    return AwsStores(business.dynamodb, business.tables, business.facts_table, business.ledger_table)


def typed(world: World, *words: object, answers: str | None = None, policy: Policy | None = None) -> Typed:
    """Run a command; the policy is the shipped one, unless another is deployed."""
    connection = Connection(policy or deployed_policy(), lambda: world.now, stores_of(world))
    result = Runner().invoke(
        app, [*map(str, words)], env={"COLUMNS": "100"}, obj=lambda: connection, input=answers
    )
    return Typed(result.exit_code, result.stdout, result.stderr)
