"""Running the command in this process, and a database to run it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.cli import main

PASSWORD = "hunter2-is-secret"


@attrs.frozen
class Ran:
    """What a command did: its exit code, and what it printed on both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Run:
    """Run a command as a user would, in an empty directory and an environment that names no database."""
    for name in ("DATABASE_URL", "DB_TYPE", "DB_DATABASE", "USE_POSTGRES", "DBADAPTER_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Ran:
        capsys.readouterr()
        code = main(words)
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run


def url_of(config: DatabaseConfig) -> str:
    """The config as a URL."""
    if config.db_type is DatabaseType.SQLITE:
        return f"sqlite:///{config.sqlite_path}"
    pool = config.pool
    password = quote(pool.current_password() or "", safe="")
    return f"postgresql://{pool.user}:{password}@{pool.host}:{pool.port}/{pool.database}"


@pytest.fixture
def url(config: DatabaseConfig) -> str:
    """The URL of a database with two tables, on each backend."""
    with DatabaseAdapter(config) as adapter:
        adapter.execute("CREATE TABLE parents (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50) NOT NULL)")
        adapter.execute(
            "CREATE TABLE children (id BIGINT NOT NULL PRIMARY KEY,"
            " parent_id BIGINT REFERENCES parents (id) ON DELETE CASCADE)"
        )
        adapter.execute("CREATE UNIQUE INDEX by_name ON parents (name)")
        adapter.insert_many("parents", [(1, "Ada"), (2, "Grace")])
    return url_of(config)
