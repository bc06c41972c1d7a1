"""Commands as somebody types them at a terminal, or as a script runs them where there is none."""

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest import mock

from typer.testing import CliRunner


class Runner(CliRunner):
    """Its input is what somebody types at a terminal; with none, there is no terminal."""

    @contextmanager
    def isolation(
        self,
        input: str | bytes | None = None,  # noqa: A002 -- as typer calls it
        env: Mapping[str, str | None] | None = None,
        color: bool = False,  # noqa: FBT001, FBT002 -- as above
    ) -> Iterator[tuple[io.BytesIO, io.BytesIO, io.BytesIO]]:
        with (
            super().isolation(input=input, env=env, color=color) as streams,
            mock.patch.object(sys.stdin, "isatty", return_value=input is not None),
        ):
            yield streams
