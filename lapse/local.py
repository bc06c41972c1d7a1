"""`make local` and `make local-down`: the deployed local stack, left running in the background."""

import json
import shutil

import typer

from lapse import artifact, deployment, project, stack
from lapse.endpoint import Endpoint

ENVIRONMENT = project.LOCAL / "env"
OUTPUTS = project.LOCAL / "outputs.json"

app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def up() -> None:
    """Build, start and deploy; a stack that is already running is replaced."""
    built = artifact.build()
    down()
    running = stack.start(project.LOCAL, detached=True)
    try:
        outputs = deployment.deploy_with_sam(running, built)
    except BaseException:
        running.stop()
        raise
    lines = (f"{name}={value}\n" for name, value in running.endpoint.environment().items())
    ENVIRONMENT.write_text("".join(lines))
    OUTPUTS.write_text(json.dumps(outputs, indent=2) + "\n")
    print(f"The local stack answers at {running.endpoint.url}: see .local/env and .local/outputs.json.")


@app.command()
def down() -> None:
    """Stop it, if it is running."""
    if stack.stop_detached(project.LOCAL):
        print("Stopped the local stack.")
    if project.LOCAL.exists():
        shutil.rmtree(project.LOCAL)


def endpoint() -> Endpoint:
    """Return the endpoint of the stack that `make local` left running.

    Raises:
        StackError: there is none.
    """
    if not ENVIRONMENT.exists():
        raise stack.StackError("no local stack is running: start one with `make local`")
    return Endpoint.of(dict(line.split("=", 1) for line in ENVIRONMENT.read_text().splitlines()))


if __name__ == "__main__":
    app()
