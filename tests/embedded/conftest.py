"""Fixtures of the tests of embedded Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dbadapter.embedded import EmbeddedPostgres
from tests.embedded.hosts import plain_directory, plain_python, plain_user

__all__ = ["plain_directory", "plain_python", "plain_user"]


@pytest.fixture
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server of the test's own, to be stopped and killed."""
    with EmbeddedPostgres() as server:
        yield server
