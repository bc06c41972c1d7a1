"""`lapse policy …`: is a policy file usable, what does it say, what may Lapse touch, what may one write."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lapse.arguments import AsCsv, AsJson
from lapse.examples import example
from lapse.listing import Listing, print_listing
from lapse.policy_attributes import UnsuitableNameError, parameter_overrides
from lapse.policy_plan import plan_command
from lapse.policy_schema import policy_schema
from lapse.policy_table import COLUMNS, heading, rule_rows, rules_table
from shared.policy_file import PolicyError, read_policy

app = typer.Typer(no_args_is_help=True)

PolicyFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A policy file.", exists=True, dir_okay=False, readable=True)
]


@app.callback()
def policy() -> None:
    """The policy file: check it, and what follows from it."""


@app.command(epilog=example("lapse policy check shared/policy.toml"))
def check(file: PolicyFile, *, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Print what is wrong with a policy file and end with 1; or its rules, and end with 0."""
    text = file.read_bytes()
    try:
        checked = read_policy(text)
    except PolicyError as error:
        problems = "\n".join(error.problems)
        print(
            _json({"problems": error.problems}) if as_json else problems, file=sys.stderr if as_csv else None
        )
        raise typer.Exit(1) from None
    written = tomllib.loads(text.decode())
    if as_json:
        print(_json({"problems": [], "digest": checked.digest, "policy": written}))
        return
    if as_csv:
        print_listing(Listing(COLUMNS, rule_rows(checked)))
        return
    console = Console()
    console.print(heading(checked, written["updated"]), soft_wrap=True)
    console.print(rules_table(checked))


@app.command(epilog=example("lapse policy schema"))
def schema() -> None:
    """Print the JSON Schema of policy files, as docs/policy.schema.json keeps it for editors."""
    print(_json(policy_schema()))


@app.command(epilog=example("lapse policy attributes shared/policy.toml"))
def attributes(file: PolicyFile) -> None:
    """Print the stack parameters that allow Lapse what this policy needs, and nothing else.

    For `sam deploy --parameter-overrides $(lapse policy attributes FILE)`.
    """
    try:
        print(parameter_overrides(read_policy(file.read_bytes())))
    except (PolicyError, UnsuitableNameError) as error:
        typer.echo(str(error), err=True)  # what is on stdout becomes part of another command
        raise typer.Exit(1) from None


app.command("plan", epilog=example("lapse policy plan shared/policy.toml"))(plan_command)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)  # TOML's dates as ISO 8601
