"""Unit tests reach nothing: their sockets are closed."""

import pytest


@pytest.fixture(autouse=True)
def _closed_sockets(socket_disabled: None) -> None:
    """Every attempt to open a socket fails."""
