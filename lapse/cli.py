"""The operator's command line, `lapse`. Thin: each group of commands stands in a module of its own."""

import sys
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lapse import (
    brake_commands,
    correct_command,
    dead_letters_command,
    due_command,
    explain_command,
    hold_commands,
    ledger_command,
    policy_command,
    preflight_command,
    report_command,
    request_commands,
    restore_command,
    run_commands,
    send_command,
    sources_try,
    status_command,
)
from lapse.trouble import TellingTroubles

if TYPE_CHECKING:
    from lapse.controls import Controls

app = typer.Typer(
    cls=TellingTroubles,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, which may be personal
)
app.add_typer(status_command.app)
app.add_typer(due_command.app)
app.add_typer(report_command.app)
app.add_typer(explain_command.app)
app.add_typer(preflight_command.app)
app.add_typer(hold_commands.app)
app.add_typer(request_commands.app)
app.add_typer(correct_command.app)
app.add_typer(brake_commands.app)
app.add_typer(run_commands.app)
app.add_typer(dead_letters_command.app)
app.add_typer(send_command.app)
app.add_typer(ledger_command.app, name="ledger")
app.add_typer(restore_command.app, name="restore")
app.add_typer(policy_command.app, name="policy")
app.add_typer(sources_try.app, name="sources")


@dataclass(frozen=True)
class Connector:
    """How a command gets its controls, if it needs any."""

    stack: str
    policy: Path | None

    def __call__(self) -> "Controls":
        """Connect."""
        from lapse.connection import connect  # noqa: PLC0415 -- with boto3, `lapse --help` would take twice as long

        return connect(self.stack, self.policy)


@app.callback()
def lapse(
    ctx: typer.Context,
    *,
    stack: Annotated[
        str,
        typer.Option(
            metavar="NAME", envvar="LAPSE_STACK", help="The deployed stack, by its name in CloudFormation."
        ),
    ] = "lapse",
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="The policy that the stack was deployed with."
        ),
    ] = None,
) -> None:
    """Keep a company's retention promises on DynamoDB."""
    if isinstance(sys.stdout, TextIOWrapper):  # what somebody forged in a ledger may be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    if ctx.obj is None:  # tests bring their own
        ctx.obj = Connector(stack, policy)
