"""The template with its defaults, with existing tables, with every option; and one life of its functions."""

import io
from contextlib import redirect_stdout
from unittest.mock import patch

import pytest
from aws_lambda_powertools import Metrics

from shared.metrics import publish
from shared.retention import Why
from shared.tally import Count, Tally
from tests.template.life import Life, Metric, live, metrics_in, published_in
from tests.template.translated import ACCOUNT, REGION, Deployment, deployment

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0"
EXISTING = {
    "BusinessTables": "Shipments=orders,Contacts=people",
    "BusinessTableArns": ",".join(
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}" for table in ("orders", "people")
    ),
}
EVERYTHING = {
    "NamePrefix": "acme",
    "Architecture": "x86_64",
    "PermissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
    "KmsKeyArn": KEY,
    "ExistingEventBusName": "company",
    "OrderSystemPrincipals": f"arn:aws:iam::{ACCOUNT}:role/orders,arn:aws:iam::{ACCOUNT}:role/shop",
    "CrmPrincipals": f"arn:aws:iam::{ACCOUNT}:role/crm",
    "RequestPrincipals": f"arn:aws:iam::{ACCOUNT}:role/officer",
    "PartnerEventBus": "aws.partner/shopify.com/1/orders",
    "AlarmTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms",
    "PointInTimeRecoveryDays": "7",
    "LogRetentionDays": "30",
    "SealRetentionDays": "3653",
    **EXISTING,
}
FUNCTIONS = (
    "OnShipmentFunction",
    "OnLeaverFunction",
    "OnDisputeFunction",
    "OnErasureRequestFunction",
    "PurgeFunction",
    "SweepFunction",
    "SealFunction",
    "OnSourceFunction",
)
STACKS = {"defaults": {}, "existing tables": EXISTING, "everything": EVERYTHING}


@pytest.fixture(scope="session")
def own() -> Deployment:
    """With its defaults: tables and bus of its own."""
    return deployment()


@pytest.fixture(scope="session")
def everything() -> Deployment:
    """With every option used, existing tables and an existing bus among them."""
    return deployment(**EVERYTHING)


@pytest.fixture(scope="session", params=STACKS)
def any_stack(request: pytest.FixtureRequest) -> Deployment:
    """In all three ways."""
    return deployment(**STACKS[request.param])


@pytest.fixture(scope="session")
def life(own: Deployment) -> Life:
    """What the functions call and print, with the settings of the defaults."""
    return live(own)


@pytest.fixture(scope="session")
def published(own: Deployment, life: Life) -> set[Metric]:
    """All that functions count, as CloudWatch will have it; in their life not all of it happens."""
    everything = Tally.total(Tally.of(count) for count in Count)
    everything.drop(Why.NO_MATCH)
    with (
        patch.dict("os.environ", own["PurgeFunction"]["Environment"]["Variables"]),
        redirect_stdout(io.StringIO()) as printed,
    ):
        metrics = Metrics()
        publish(metrics, everything)
        metrics.flush_metrics()
    counted = [metrics_in(printed.getvalue()), *life.metrics.values()]
    return {metric for blobs in counted for metric in published_in(blobs)}
