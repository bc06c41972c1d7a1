"""The sealing: comes hourly, and once a day signs the ledger's heads; by hand at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws import CLIENT_CONFIG
from shared.config import SealSettings, deployed_policy
from shared.ledger_names import NamesOfLedger
from shared.metrics import publish
from shared.record import SHARDS
from shared.seal_bucket import SealBucket
from shared.seal_ledger import Pace, Ports, SealReport, seal_ledger
from shared.signing_key import KmsKey
from shared.wiring import clock

logger = Logger()
metrics = Metrics()
settings = SealSettings.from_environment()
policy = deployed_policy()
ports = Ports(
    NamesOfLedger(boto3.client("dynamodb", config=CLIENT_CONFIG), settings.ledger_table),
    SealBucket(boto3.client("s3", config=CLIENT_CONFIG), settings.seal_bucket),
    KmsKey(boto3.client("kms", config=CLIENT_CONFIG), settings.seal_key_arn),
)


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    """Seal, if it is time; answers with the seal's number, and fails if a part failed."""
    report = run(event, context)
    publish(metrics, report.tally)
    metrics.add_metric("SealGap", MetricUnit.Seconds, report.gap.total_seconds())
    summary: dict[str, object] = {
        "sealed": report.sealed.number if report.sealed else None,
        "counts": report.tally.as_json(),
        "findings": list(report.findings),
        "failures": list(report.failures),
    }
    logger.info("sealed", extra=summary)
    report.raise_failures()
    return summary


def run(event: dict[str, Any], context: LambdaContext) -> SealReport:
    """Seal, with a worker for each chain."""
    with ThreadPoolExecutor(SHARDS) as workers:
        pace = Pace(
            clock=clock,
            time_left=lambda: timedelta(milliseconds=context.get_remaining_time_in_millis()),
            side_by_side=workers.map,
        )
        return seal_ledger(policy, ports, pace, by_hand=event.get("cause") != "recurring")
