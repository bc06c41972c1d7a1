"""The same script in memory, on moto and on the local stack ends in the same contents, all of them.

Hypothesis makes up the scripts, always the same ones, and shrinks one that fails.
"""

from collections.abc import Iterable
from typing import Any

import boto3
from hypothesis import Phase, given, settings
from moto import mock_aws

from lapse.stack import Stack
from shared.policy import Policy
from tests.builders import NOW, delivery_rule, policy
from tests.machine.clients import Client, Troubles
from tests.machine.made_up import scripts
from tests.machine.operations import Operation
from tests.machine.ports import OnPorts, contents
from tests.worlds import World, aws_world, memory_world

FLAT = policy()
NESTED = policy(delivery_rule(erase=(("email",), ("contact_number",), ("gate", "code"))), *policy().rules[1:])
"""The local stack takes REMOVE below a missing parent, which DynamoDB and moto refuse: so not there."""
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
"""Without the explanation, which traces each line: a script says enough."""


def run(world: World, script: Iterable[Operation], of: Policy) -> dict[str, Any]:
    world.now = NOW
    hands = OnPorts(world, of)
    for operation in script:
        operation.do(hands)
    return contents(hands)


def run_on_moto(
    session: boto3.Session, script: Iterable[Operation], of: Policy, *, short_pages: bool = False
) -> dict[str, Any]:
    """Begun anew each time, since moto's transactions copy all the tables that there are."""
    with mock_aws():
        dynamodb: Any = session.client("dynamodb")
        if short_pages:
            dynamodb = Client(dynamodb, Troubles())
        return run(aws_world(dynamodb, session.client("scheduler")), script, of)


@settings(max_examples=18, phases=PHASES)
@given(scripts(20))
def test_three_worlds_end_the_same(
    session: boto3.Session, local_stack: Stack, script: list[Operation]
) -> None:
    """Pairwise: where one differs, it is not as the others are."""
    clients = local_stack.clients
    in_memory = run(memory_world(), script, FLAT)
    assert run_on_moto(session, script, FLAT) == in_memory
    assert run(aws_world(clients.dynamodb, clients.scheduler), script, FLAT) == in_memory


@settings(max_examples=12, phases=PHASES)
@given(scripts(20))
def test_two_worlds_end_the_same_where_fields_are_nested(
    session: boto3.Session, script: list[Operation]
) -> None:
    """As above, with a field whose parent may be missing, and with pages of one item."""
    assert run_on_moto(session, script, NESTED, short_pages=True) == run(memory_world(), script, NESTED)
