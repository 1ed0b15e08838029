"""Postgres: one row by its key, 16 tasks on 4 connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import attrs
from psycopg_pool import AsyncConnectionPool

from benchmarks.harness import Contender, Suite, Target
from benchmarks.postgres import EXPECTED, ROWS, SQL, server
from dbadapter import AsyncDatabaseAdapter

TASKS, CONNECTIONS = 16, 4


def crowd(loop: asyncio.AbstractEventLoop, fetch: Callable[[int], Awaitable[Any]]) -> Callable[[int], None]:
    """Await `fetch` from 16 tasks, together `n` times."""
    first = loop.run_until_complete(fetch(7))
    if dict(first) != EXPECTED:
        raise AssertionError(f"a contender reads something else: {first!r}")

    async def work(number: int, n: int) -> None:
        for turn in range(number, n, TASKS):
            await fetch(turn * 7919 % ROWS)

    async def together(n: int) -> None:
        await asyncio.gather(*[work(number, n) for number in range(TASKS)])

    return lambda n: loop.run_until_complete(together(n))


async def peer_pool(url: str) -> Any:
    """asyncpg's pool, made inside the loop that it belongs to."""
    return await asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS)


@contextmanager
def suite(scratch: Path) -> Iterator[Suite]:
    """Read from one server with every contender, on one event loop."""
    loop = asyncio.new_event_loop()
    with server() as pg:
        limits = attrs.evolve(pg.config.pool, min_connections=CONNECTIONS, max_connections=CONNECTIONS)
        adapter = AsyncDatabaseAdapter(attrs.evolve(pg.config, pool=limits))
        loop.run_until_complete(adapter.initialize())
        pool = AsyncConnectionPool(
            pg.url, min_size=CONNECTIONS, max_size=CONNECTIONS, kwargs={"autocommit": True}, open=False
        )
        loop.run_until_complete(pool.open())
        peer = loop.run_until_complete(peer_pool(pg.url))
        native, numbered = SQL.replace("?", "%s"), SQL.replace("?", "$1")

        async def with_adapter(key: int) -> Any:
            return await adapter.fetch_one(SQL, [key])

        async def with_asyncpg(key: int) -> Any:
            return dict(await peer.fetchrow(numbered, key))

        async def with_pool(key: int) -> Any:
            async with pool.connection() as connection:
                cursor = await connection.execute(native, (key,))
                names = [column.name for column in cursor.description or ()]
                return dict(zip(names, await cursor.fetchone() or (), strict=True))

        contenders = {"dbadapter": with_adapter, "asyncpg's pool": with_asyncpg, "psycopg_pool": with_pool}
        try:
            yield Suite(
                title=f"Postgres: point reads, {TASKS} tasks on {CONNECTIONS} connections",
                unit="one row of three columns, by its primary key, as a dict",
                contenders=[Contender(name, crowd(loop, fetch)) for name, fetch in contenders.items()],
                targets=[Target("asyncpg's pool", 1 / 0.95)],
            )
        finally:
            loop.run_until_complete(adapter.close())
            loop.run_until_complete(pool.close())
            loop.run_until_complete(peer.close())
            loop.close()
