"""Fixtures of the tests of embedded Postgres."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbadapter.embedded import EmbeddedPostgres
from tests.embedded.hosts import plain_directory, plain_python, plain_user
from tests.servers import TEMP_DIR

__all__ = ["plain_directory", "plain_python", "plain_user"]


@pytest.fixture(scope="module")
def quick_path() -> Iterator[Path]:
    """A directory in memory, if there is plenty, for data that must outlive its server but not the tests."""
    with tempfile.TemporaryDirectory(prefix="kept-", dir=TEMP_DIR) as name:
        yield Path(name)


@pytest.fixture
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server of the test's own, to be stopped and killed."""
    with EmbeddedPostgres(temp_dir=TEMP_DIR) as server:
        yield server
