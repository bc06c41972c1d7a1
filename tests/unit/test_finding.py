"""What a sweep finds, at the turn: what is due just by the horizon is due."""

from datetime import datetime, timedelta

import pytest

from shared.finding import needs_facts
from tests.builders import LONG_AGO, NOW, delivery_rule, shipment

DUE = LONG_AGO + timedelta(days=90)


@pytest.mark.parametrize(("until", "needed"), [(DUE, True), (DUE - timedelta(seconds=1), False)])
def test_facts_matter_for_what_is_due_by_the_horizon(until: datetime, needed: bool) -> None:  # noqa: FBT001 -- an expectation
    """With the horizon's own second: a timer is set up to then, and a hold may stand against it."""
    assert needs_facts(shipment(), [delivery_rule()], until, NOW) == needed
