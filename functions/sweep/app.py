"""The sweep: every few minutes it goes on with the day's sweep; by hand it begins one."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws import CLIENT_CONFIG
from shared.bus import EventBridgeBus
from shared.config import SweepSettings, policy_for
from shared.due_table import DueTable
from shared.facts_table import FactsToSweepTable
from shared.finding import SEGMENTS
from shared.ledger_index import LedgerReader
from shared.metrics import publish
from shared.sweep import SweepReport, sweep
from shared.sweep_metrics import publish_by_rule
from shared.sweep_part import Pace
from shared.sweep_ports import Ports
from shared.sweep_progress import SweepTable, counts_as_json
from shared.table_scans import ScannedTables
from shared.tally import Count
from shared.wiring import clock, wake_ups

logger = Logger()
metrics = Metrics()
settings = SweepSettings.from_environment()
policy = policy_for(settings)
dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
ports = Ports(
    ScannedTables(dynamodb, settings.tables, settings.facts_table),
    FactsToSweepTable(dynamodb, settings.facts_table),
    DueTable(dynamodb, settings.due_table),
    wake_ups(settings, settings.purge_function_arn),
    LedgerReader(dynamodb, settings.ledger_table),
    # Made now, and not when a segment first wants it: boto3 cannot make clients in several threads at once.
    EventBridgeBus(boto3.client("events", config=CLIENT_CONFIG), settings.event_bus_name),
)


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    """Sweep for as long as the function may run; answers with how far it came, and fails if a part failed."""
    report = run(event, context)
    publish(metrics, report.tally)
    summary: dict[str, object] = {"finished": False, "counts": {}, "failures": list(report.failures)}
    if report.sweep:
        metrics.add_metric("SweepGap", MetricUnit.Seconds, report.gap.total_seconds())
        summary |= {
            "finished": report.sweep.finished is not None,
            "counts": counts_as_json(report.sweep.counts),
        }
    else:
        metrics.add_metric("SweepsBusy", MetricUnit.Count, 1)
    if report.tally.counts[Count.SWEEPS] and report.sweep:
        publish_by_rule(metrics, report.sweep.counts)
    logger.info("swept", extra=summary)
    report.raise_failures()
    return summary


def run(event: dict[str, Any], context: LambdaContext) -> SweepReport:
    """Sweep, with a worker for each segment."""
    with ThreadPoolExecutor(SEGMENTS) as workers:
        pace = Pace(
            clock=clock,
            time_left=lambda: timedelta(milliseconds=context.get_remaining_time_in_millis()),
            sleep=lambda pause: time.sleep(pause.total_seconds()),
            side_by_side=workers.map,
            units_per_second=settings.sweep_units_per_second or None,
        )
        own_table = SweepTable(dynamodb, settings.due_table)
        return sweep(policy, ports, own_table, pace, by_hand=event.get("cause") != "recurring")
