"""Settings, from the environment that template.yaml sets. Nothing else reads the environment.

What is required has no default: a function that lacks a setting fails at its cold start.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict

from shared.policy import Policy
from shared.policy_file import PolicyError, read_policy


def _named_pairs(text: object) -> object:
    if not isinstance(text, str):
        return text
    return dict(pair.strip().split("=", 1) for pair in text.split(","))


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment; the variables have the fields' names in capitals."""
        return cls.model_validate({name.lower(): value for name, value in os.environ.items()})


class TimerSettings(_Settings):
    """What is needed to look at records and to set timers."""

    tables: Annotated[Mapping[str, str], BeforeValidator(_named_pairs)]
    """Logical table name to real one, from `Shipments=shipments-prod,Contacts=…`."""
    facts_table: str
    due_table: str
    wake_up_group: str
    wake_up_role_arn: str
    failure_queue_arn: str


class EventSettings(TimerSettings):
    """For functions that take events from a queue."""

    purge_function_arn: str
    dead_letter_queue_url: str
    ledger_table: str


class NewsSettings(EventSettings):
    """For functions that also put news on the stack's bus."""

    event_bus_name: str


class SweepSettings(TimerSettings):
    """For the sweep."""

    purge_function_arn: str
    ledger_table: str
    event_bus_name: str
    sweep_units_per_second: float
    """Read units that the scans may use in a second, all together; 0 for as many as they can."""


class PurgeSettings(TimerSettings):
    """For the purge; its own ARN it learns from its context."""

    ledger_table: str
    event_bus_name: str


class SealSettings(_Settings):
    """For the sealing of the ledger."""

    ledger_table: str
    seal_bucket: str
    seal_key_arn: str


class SourceSettings(_Settings):
    """For foreign events."""

    event_bus_name: str


def policy_text() -> bytes:
    """The policy file in the function's artifact."""
    return Path(__file__).with_name("policy.toml").read_bytes()


def deployed_policy() -> Policy:
    """The policy in the function's artifact."""
    return read_policy(policy_text())


def policy_for(settings: TimerSettings) -> Policy:
    """The policy in the function's artifact, if the settings name a table for each of its rules.

    Raises:
        PolicyError: they do not; says which rules have no table.
    """
    policy = deployed_policy()
    homeless = [rule for rule in policy.rules if rule.table not in settings.tables]
    if homeless:
        raise PolicyError(
            [f"{rule.id}.table: the stack's BusinessTables do not name it" for rule in homeless]
        )
    return policy
