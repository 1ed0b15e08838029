"""What the HTTP interface says when the database does not answer."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import attrs
import psutil
import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter, DatabaseConfig
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.web import create_app
from tests.proxy import Proxy
from tests.servers import SETTINGS, TEMP_DIR
from tests.web.conftest import client_of, fill

KINDS = [DatabaseAdapter, AsyncDatabaseAdapter]


async def opened(kind: Any, config: DatabaseConfig, stack: AsyncExitStack) -> Any:
    """An open adapter of either kind."""
    if kind is AsyncDatabaseAdapter:
        return await stack.enter_async_context(kind(config))
    return stack.enter_context(kind(config))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_hanging_database_is_unhealthy(
    kind: Any, postgres_proxy: Proxy, postgres_database: DatabaseConfig
) -> None:
    """``health`` answers 503 though the database does not answer at all, again and again; then it recovers."""
    config = postgres_proxy.config(postgres_database)
    async with AsyncExitStack() as stack:
        adapter = await opened(kind, config, stack)
        client = await stack.enter_async_context(client_of(create_app(adapter)))
        assert (await client.get("/health")).status_code == 200
        postgres_proxy.stall()
        try:
            for _ in range(3):
                answer = await client.get("/health")
                assert answer.status_code == 503
                assert answer.json()["status"] == "unhealthy"
            # The figures of the pool take no question to the database.
            assert (await client.get("/stats")).status_code == 200
            assert 'dbadapter_up{backend="postgresql"} 0' in (await client.get("/metrics")).text
        finally:
            postgres_proxy.resume()
        while (await client.get("/health")).status_code != 200:
            pass  # each answer takes as long as the database does


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_whose_processes_are_stopped(kind: Any) -> None:
    """A real server whose every process is stopped (SIGSTOP) gives 503; when they go on, 200."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(EmbeddedPostgres(settings=SETTINGS, temp_dir=TEMP_DIR))
        adapter = await opened(kind, server.config, stack)
        client = await stack.enter_async_context(client_of(create_app(adapter)))
        assert (await client.get("/health")).status_code == 200
        main = psutil.Process(server.pid)
        processes = [main, *main.children(recursive=True)]
        try:
            for process in processes:
                process.suspend()
            assert (await client.get("/health")).status_code == 503
        finally:
            for process in processes:
                process.resume()
        while (await client.get("/health")).status_code != 200:
            pass  # each answer takes as long as the database does


@pytest.mark.parametrize("kind", KINDS)
async def test_a_database_that_is_gone_is_unavailable(
    kind: Any, postgres_proxy: Proxy, postgres_database: DatabaseConfig
) -> None:
    """Questions to a server that has gone away give 503 with the reason, and no secret."""
    config = postgres_proxy.config(postgres_database)
    quick = attrs.evolve(config, pool=attrs.evolve(config.pool, connection_timeout=0.5))
    async with AsyncExitStack() as stack:
        adapter = await opened(kind, quick, stack)
        client = await stack.enter_async_context(client_of(create_app(adapter)))
        postgres_proxy.refuse()
        postgres_proxy.cut()
        for path in ("tables", "tables/things", "tables/things/rows"):
            answer = await client.get(f"/{path}")
            assert answer.status_code == 503, answer.text
            assert answer.json()["error"]
            assert str(config.pool.password) not in answer.text
        assert (await client.get("/health")).status_code == 503
        postgres_proxy.listen()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_closed_adapter(kind: Any, sqlite_database: DatabaseConfig) -> None:
    """After the host app has closed its adapter, the answer is 503."""
    fill(sqlite_database)
    async with AsyncExitStack() as stack:
        adapter = await opened(kind, sqlite_database, stack)
        client = await stack.enter_async_context(client_of(create_app(adapter)))
        done = adapter.close()
        if done is not None:
            await done
        assert (await client.get("/health")).status_code == 503
        assert (await client.get("/tables")).status_code == 503
        assert (await client.get("/stats")).status_code == 200


async def test_a_statement_that_takes_too_long(postgres_database: DatabaseConfig) -> None:
    """A page of rows is subject to ``statement_timeout``, and says so with 504."""
    fill(postgres_database)
    limited = attrs.evolve(
        postgres_database, pool=attrs.evolve(postgres_database.pool, statement_timeout=0.2)
    )
    with DatabaseAdapter(limited) as adapter, DatabaseAdapter(postgres_database) as other:
        async with client_of(create_app(adapter)) as client:
            with other.transaction() as tx:
                tx.execute("LOCK TABLE things IN ACCESS EXCLUSIVE MODE")
                answer = await client.get("/tables/things/rows")
    assert answer.status_code == 504, answer.text


async def test_a_row_that_cannot_be_read(sqlite_database: DatabaseConfig) -> None:
    """A value that is not what its column says is no fault of ours or the caller's: 502, with the reason."""
    fill(sqlite_database)
    with DatabaseAdapter(sqlite_database) as adapter:
        with adapter.connection() as raw:
            raw.execute("INSERT INTO things (id, name) VALUES (999, CAST(x'ff41' AS TEXT))")
        async with client_of(create_app(adapter)) as client:
            answer = await client.get("/tables/things/rows?id=999")
    assert answer.status_code == 502
    assert "UTF-8" in answer.json()["error"]


async def test_slow_statements_are_shown_without_parameters(sqlite_database: DatabaseConfig) -> None:
    """Statements above ``slow_query_seconds`` appear with their times; parameters never do."""
    config = attrs.evolve(sqlite_database, slow_query_seconds=0.0)
    with DatabaseAdapter(config) as adapter:
        for value in ("hunter2", "hunter3"):
            assert adapter.fetch_value("SELECT :value AS x", {"value": value}) == value
        async with client_of(create_app(adapter)) as client:
            answer = await client.get("/stats")
    assert "hunter" not in answer.text
    noted = {row["statement"]: row for row in answer.json()["slowest"]}
    assert noted["SELECT :value AS x"]["count"] == 2
    assert noted["SELECT :value AS x"]["max_ms"] > 0
