"""The purge: woken by a wake-up, by the recurring rule or by hand, it erases what is due."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.config import PurgeSettings, deployed_policy
from shared.metrics import publish
from shared.policy import Policy
from shared.purge_due import Pace, Ports, PurgeReport, purge_due
from shared.record import SHARDS
from shared.wiring import clock, purge_ports

logger = Logger()
metrics = Metrics()
policy = deployed_policy()
ports = purge_ports(PurgeSettings.from_environment())


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    """Work through what is due; answers with how far it came, and fails if anything failed."""
    report = purge(event, context, policy, ports(context.invoked_function_arn))
    publish(metrics, report.tally)
    summary = {"shards_finished": report.shards_finished, "shards": SHARDS, "counts": report.tally.as_json()}
    logger.info("purged", extra=summary)
    report.raise_failures()
    return summary


def purge(event: dict[str, Any], context: LambdaContext, policy: Policy, ports: Ports) -> PurgeReport:
    """Run the purge with a worker for each shard, for as long as the function may run."""
    cause = event.get("cause")
    with ThreadPoolExecutor(SHARDS) as workers:
        pace = Pace(
            clock=clock,
            time_left=lambda: timedelta(milliseconds=context.get_remaining_time_in_millis()),
            sleep=lambda pause: time.sleep(pause.total_seconds()),
            side_by_side=workers.map,
        )
        return purge_due(policy, ports, pace, cause if cause in {"wake-up", "recurring"} else "manual")
