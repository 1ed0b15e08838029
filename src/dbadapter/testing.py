"""A pytest plugin: an empty database on either backend for each test, quickly.

In ``conftest.py``::

    pytest_plugins = ["dbadapter.testing"]

    @pytest.fixture(scope="session")
    def dbadapter_schema():
        return my_app.schema

    def test_it(db):                      # once on each backend
        db.execute("INSERT INTO notes (title) VALUES ('x')")

The tables are made once for each backend, and each test gets a copy. ``--dbadapter sqlite`` leaves Postgres out.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from .config import DatabaseConfig
from .errors import ConfigError

if TYPE_CHECKING:
    from . import DatabaseAdapter
    from .embedded import EmbeddedPostgres

__all__ = [
    "db",
    "db_config",
    "dbadapter_postgres_server",
    "dbadapter_schema",
    "postgres_db_config",
    "sqlite_db_config",
]

_BACKENDS = ("sqlite", "postgres")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--dbadapter``."""
    group = parser.getgroup("dbadapter")
    group.addoption(
        "--dbadapter", choices=(*_BACKENDS, "both"), default="both", help="backends for the fixture db"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that use ``db_config``, directly or through ``db``, once on each backend."""
    if "db_config" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--dbadapter")
        metafunc.parametrize("db_config", _BACKENDS if chosen == "both" else (chosen,), indirect=True)


@pytest.fixture(scope="session")
def dbadapter_schema() -> Any:
    """The app's tables: a `dbadapter.schema.Schema`, or a function that is called with an open adapter; override it."""
    return None


@pytest.fixture(scope="session")
def dbadapter_postgres_server() -> Iterator[EmbeddedPostgres]:
    """A Postgres server from pip, started when a test first needs it."""
    from .embedded import EmbeddedPostgres

    with EmbeddedPostgres() as server:
        yield server


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory, dbadapter_schema: Any) -> Path:
    path = tmp_path_factory.mktemp("dbadapter") / "template.db"
    _make(DatabaseConfig(sqlite_path=str(path)), dbadapter_schema)
    return path


@pytest.fixture
def sqlite_db_config(_sqlite_template: Path, tmp_path: Path) -> DatabaseConfig:
    """An SQLite file of the test's own, with the tables of ``dbadapter_schema``."""
    path = tmp_path / "dbadapter.db"
    shutil.copyfile(_sqlite_template, path)
    return DatabaseConfig(sqlite_path=str(path))


@pytest.fixture(scope="session")
def _postgres_template(dbadapter_postgres_server: EmbeddedPostgres, dbadapter_schema: Any) -> DatabaseConfig:
    config = _named(dbadapter_postgres_server.config, f"template_{uuid.uuid4().hex}")
    _run(dbadapter_postgres_server, f'CREATE DATABASE "{config.pool.database}"')
    _make(config, dbadapter_schema)
    return config


@pytest.fixture
def postgres_db_config(
    dbadapter_postgres_server: EmbeddedPostgres, _postgres_template: DatabaseConfig
) -> Iterator[DatabaseConfig]:
    """A Postgres database of the test's own, with the tables of ``dbadapter_schema``; dropped afterwards."""
    config = _named(_postgres_template, f"test_{uuid.uuid4().hex}")
    name, template = config.pool.database, _postgres_template.pool.database
    _run(dbadapter_postgres_server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield config
    _run(dbadapter_postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def db_config(request: pytest.FixtureRequest) -> DatabaseConfig:
    """The config of an empty database: the test runs once on each backend."""
    config: DatabaseConfig = request.getfixturevalue(f"{request.param}_db_config")
    return config


@pytest.fixture
def db(db_config: DatabaseConfig) -> Iterator[DatabaseAdapter]:
    """An open adapter on an empty database of the test's own, once on each backend."""
    from . import DatabaseAdapter

    with DatabaseAdapter(db_config) as adapter:
        yield adapter


def _named(config: DatabaseConfig, database: str) -> DatabaseConfig:
    return attrs.evolve(config, pool=attrs.evolve(config.pool, database=database))


def _run(server: EmbeddedPostgres, sql: str) -> None:
    import psycopg

    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.encode())


def _make(config: DatabaseConfig, schema: Any) -> None:
    """Make the tables, and leave the database without connections or a log, so that it can be copied."""
    from . import DatabaseAdapter

    make: Callable[[DatabaseAdapter], object] | None = schema if callable(schema) else None
    with DatabaseAdapter(config) as adapter:
        if make is not None:
            make(adapter)
        elif hasattr(schema, "to_sql"):
            adapter.create_tables(schema)
        elif schema is not None:
            raise ConfigError(
                "dbadapter_schema must give a Schema, a function that takes an adapter, or None, "
                f"not {type(schema).__name__}"
            )
