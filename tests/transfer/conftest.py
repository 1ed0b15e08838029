"""What the tests of the transfer have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dbadapter import DatabaseConfig

from .moving import Rows, make

Maker = Callable[..., DatabaseConfig]


@pytest.fixture
def lite(tmp_path: Path) -> Maker:
    """Makes an SQLite file of the test's own from a script and rows."""

    def made(script: str, rows: dict[str, Rows] | None = None, name: str = "source.db") -> DatabaseConfig:
        return make(tmp_path / name, script, rows)

    return made
