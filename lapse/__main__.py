"""`python -m lapse`."""

from lapse.cli import app

app(prog_name="lapse")
