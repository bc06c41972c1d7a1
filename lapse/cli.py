"""The operator's command line, `lapse`. Thin: each group of commands stands in a module of its own."""

import typer

from lapse import policy_command, sources_try

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, which may be personal
)
app.add_typer(policy_command.app, name="policy")
app.add_typer(sources_try.app, name="sources")


@app.callback()
def lapse() -> None:
    """Keep a company's retention promises on DynamoDB."""
