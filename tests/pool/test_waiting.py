"""Connections that stay registered with the event loop: nothing is missed, nothing hangs, nothing spins."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig
from dbadapter._drivers.postgres_link_async import open_raw

PATIENCE = 20.0

_BACKENDS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s AND state = 'active'"


async def opened(config: DatabaseConfig) -> psycopg.AsyncConnection[Any]:
    """One connection, as the pools open them."""
    host, port = config.pool.primary_nodes[0]
    return await open_raw(host, port, config.pool, PATIENCE)


async def value(raw: psycopg.AsyncConnection[Any], sql: str, *params: Any) -> Any:
    """The first column of the first row."""
    row = await (await raw.execute(sql, params)).fetchone()
    return None if row is None else row[0]


async def until_it_runs(raw: psycopg.AsyncConnection[Any], marker: str) -> None:
    """Return once a statement with `marker` in it runs in the server."""
    async with asyncio.timeout(PATIENCE):
        while not await value(raw, _BACKENDS, f"%{marker} %"):
            pass


async def test_closing_ends_a_query_of_another_task(postgres_database: DatabaseConfig) -> None:
    """Whoever waits for the answer of a connection that is closed gets an error, and no hang."""
    async with await opened(postgres_database) as other:
        raw = await opened(postgres_database)
        assert await value(raw, "SELECT 1") == 1
        query = asyncio.create_task(value(raw, "SELECT /* closing */ pg_sleep(3600)"))
        await until_it_runs(other, "closing")
        await raw.close()
        done, _ = await asyncio.wait({query}, timeout=PATIENCE)
        assert done == {query}
        assert isinstance(query.exception(), psycopg.OperationalError)


async def test_cancelling_a_task_cancels_its_query(postgres_database: DatabaseConfig) -> None:
    """The server stops working on it, and the connection serves on."""
    async with await opened(postgres_database) as other, await opened(postgres_database) as raw:
        query = asyncio.create_task(value(raw, "SELECT /* cancelling */ pg_sleep(3600)"))
        await until_it_runs(other, "cancelling")
        query.cancel()
        with pytest.raises(asyncio.CancelledError):
            await query
        assert await value(raw, "SELECT 2") == 2


async def test_what_an_idle_server_says_does_not_keep_the_loop_busy(
    postgres_database: DatabaseConfig,
) -> None:
    """After an idle connection was ended by the server, its socket is watched no longer; the next query tells."""
    async with await opened(postgres_database) as other:
        raw = await opened(postgres_database)
        assert await value(raw, "SELECT 1") == 1
        descriptor = raw.fileno()
        await other.execute("SELECT pg_terminate_backend(%s)", [raw.info.backend_pid])
        async with asyncio.timeout(PATIENCE):
            while raw._registered_at is not None:  # type: ignore[attr-defined]
                await value(other, "SELECT 1")
        assert not asyncio.get_running_loop().remove_reader(descriptor)
        with pytest.raises(psycopg.OperationalError):
            await value(raw, "SELECT 1")
        await raw.close()


async def test_a_socket_number_used_again(postgres_database: DatabaseConfig) -> None:
    """A connection that gets the number of one that was closed, or that failed, is watched like any other."""
    async with await opened(postgres_database) as other:
        numbers, failed = set(), []
        async with asyncio.timeout(PATIENCE):
            for turn in range(6):
                raw = await opened(postgres_database)
                numbers.add(raw.fileno())
                assert await value(raw, "SELECT %s::int", turn) == turn
                if turn % 2:
                    await raw.close()
                    continue
                await other.execute("SELECT pg_terminate_backend(%s)", [raw.info.backend_pid])
                with pytest.raises(psycopg.OperationalError):
                    while True:
                        await value(raw, "SELECT 1")
                failed.append(raw)  # its socket is closed, and it has not been told so
        for raw in failed:
            await raw.close()
        assert await value(other, "SELECT 1") == 1
        assert len(numbers) < 6, "no number was used twice, so nothing was tested"


async def test_bulk_loads_pipelines_and_notifications(postgres_database: DatabaseConfig) -> None:
    """What does not simply wait for an answer works as with psycopg alone."""
    async with await opened(postgres_database) as other, await opened(postgres_database) as raw:
        await raw.execute("CREATE TEMP TABLE t (a text)")
        async with raw.cursor() as cursor, cursor.copy("COPY t FROM STDIN") as copy:
            for _ in range(200):
                await copy.write(b"x" * 65536 + b"\n")  # more than the socket takes at once
        assert await value(raw, "SELECT sum(length(a)) FROM t") == 200 * 65536
        async with raw.pipeline():
            cursors = [await raw.execute("SELECT %s::int", [number]) for number in range(100)]
            assert [(await cursor.fetchone() or (None,))[0] for cursor in cursors] == list(range(100))
        await raw.execute("LISTEN bell")
        await other.execute("NOTIFY bell, 'rang'")
        notes = [note.payload async for note in raw.notifies(timeout=PATIENCE, stop_after=1)]
        assert notes == ["rang"]
        assert await value(raw, "SELECT 3") == 3


async def test_other_tasks_run_beside_many_short_queries(postgres_database: DatabaseConfig) -> None:
    """Tasks that never pause leave the event loop to others between their queries."""
    async with AsyncDatabaseAdapter(postgres_database) as adapter:
        done = asyncio.Event()

        async def work() -> None:
            while not done.is_set():
                assert await adapter.fetch_value("SELECT 1") == 1

        tasks = [asyncio.create_task(work()) for _ in range(4)]
        async with asyncio.timeout(PATIENCE):
            for _ in range(50):
                await asyncio.sleep(0)
        done.set()
        await asyncio.gather(*tasks)
