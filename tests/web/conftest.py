"""Adapters with something to look at, and clients of the HTTP interface on them."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn

from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter, DatabaseConfig
from dbadapter.web import create_app
from tests.servers import fresh_database

TABLES = (
    """CREATE TABLE things (
        id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50) NOT NULL, price NUMERIC(10, 2), is_new BOOLEAN,
        made_at TIMESTAMPTZ, tag UUID, extra JSON, raw BYTEA)""",
    'CREATE TABLE "odd ""name"" / ü" ("limit it" BIGINT, "where" TEXT)',
)
MOMENT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
TAG = UUID(int=7)


def fill(config: DatabaseConfig) -> None:
    """Make two tables; one of them has 250 rows."""
    with DatabaseAdapter(config) as adapter:
        for table in TABLES:
            adapter.execute(table)
        rows = [
            (n, f"thing {n}", Decimal(n) / 4, n % 2 == 0, MOMENT, UUID(int=n), {"n": [n]}, bytes([n]))
            for n in range(250)
        ]
        adapter.insert_many("things", rows)
        adapter.execute('INSERT INTO "odd ""name"" / ü" VALUES (1, ?)', ["'; DROP TABLE things; --"])


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseConfig]:
    """A database with two tables, on each backend, for tests that only read."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            config = DatabaseConfig(sqlite_path=str(tmp_path_factory.mktemp("web") / "app.db"))
        else:
            config = stack.enter_context(fresh_database(request.getfixturevalue("postgres_server")))
        fill(config)
        yield config


@pytest.fixture(params=["sync", "async"])
async def adapter(request: pytest.FixtureRequest, filled: DatabaseConfig) -> AsyncIterator[Any]:
    """An open adapter of each kind on each backend."""
    async with AsyncExitStack() as stack:
        if request.param == "async":
            yield await stack.enter_async_context(AsyncDatabaseAdapter(filled))
        else:
            yield stack.enter_context(DatabaseAdapter(filled))


def client_of(app: Any) -> httpx.AsyncClient:
    """A client that talks to the app without a network."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url="http://host")


@pytest.fixture
async def client(adapter: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app without a token."""
    async with client_of(create_app(adapter)) as made:
        yield made


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """A real server on a free port of loopback; its address, with a slash at the end."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    started = threading.Event()
    startup = server.startup

    async def startup_and_tell(sockets: Any = None) -> None:
        await startup(sockets)
        started.set()

    server.startup = startup_and_tell  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, daemon=True)
    with ExitStack() as stack:
        stack.callback(thread.join, 20)
        stack.callback(setattr, server, "should_exit", True)
        thread.start()
        assert started.wait(20), "the server did not start"
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
