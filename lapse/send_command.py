"""`lapse send`: an event of the contract, by hand. Never shows its detail."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from lapse.answer import answer
from lapse.arguments import AsJson
from lapse.controls import controls
from lapse.examples import example
from lapse.json_forms import name_of, record_json
from lapse.outbound import Outbound, Started, outbound
from lapse.trouble import TroubleError
from shared.policy import Policy
from shared.refused import RefusedError

app = typer.Typer()

EventFile = Annotated[
    Path, typer.Argument(metavar="EVENT.json", help="The event.", exists=True, dir_okay=False, readable=True)
]


@app.command(rich_help_panel="Runs", epilog=example("lapse send events/contract/dispute-opened.json"))
def send(ctx: typer.Context, event: EventFile, *, as_json: AsJson = False) -> None:
    """Validate an event by the contract, and put it on the stack's bus.

    The file holds source, detail-type and detail, as the samples in events/contract do.
    """
    written = _read(event)
    lapse = controls(ctx)
    sent = _valid(written, lapse.policy, lapse.clock())
    lapse.bus.put([sent.event])
    data = {
        "source": sent.event.source,
        "detail_type": sent.event.detail_type,
        "sent": True,
        "starts": [
            {
                **(record_json(each.record) if each.record else {}),
                "what": each.what,
                "rule": each.rule or None,
            }
            for each in sent.started
        ],
    }
    lines = [f"{sent.event.detail_type} is on the bus of stack {lapse.stack}.", *map(_words, sent.started)]
    records = {each.record for each in sent.started if each.record}
    hints = [f"In a few seconds: lapse explain {name_of(record)}" for record in records]
    answer(data, *lines, *hints[:1], as_json=as_json)


def _read(file: Path) -> Any:  # noqa: ANN401 -- JSON may be anything
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        raise TroubleError("EVENT.json: the file is not JSON.") from None


def _valid(event: object, policy: Policy, now: datetime) -> Outbound:
    if isinstance(event, dict) and "Records" in event:
        raise TroubleError(
            "EVENT.json: that is a batch of a queue, as a function gets it.",
            "Send one event: events/contract has samples.",
        )
    try:
        return outbound(event, policy, now)
    except RefusedError as refused:  # the event's own fields: no options of this command
        raise TroubleError(f"EVENT.json: {refused}.", "Nothing was sent.") from None


def _words(started: Started) -> str:
    by = f", by rule {started.rule}" if started.rule else ""
    about = name_of(started.record) if started.record else "A record"
    return f"  {about}: {started.what}{by}."
