"""SQLite from tasks: one row by its key, as a dict, one caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiosqlite

from benchmarks.harness import Contender, Suite, Target
from benchmarks.postgres import EXPECTED, ROWS, SQL, keys
from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter, DatabaseConfig


def repeated(
    loop: asyncio.AbstractEventLoop, fetch: Callable[[int], Awaitable[Any]]
) -> Callable[[int], None]:
    """Await `fetch` with one key after the other."""
    first = loop.run_until_complete(fetch(7))
    if dict(first) != EXPECTED:
        raise AssertionError(f"a contender reads something else: {first!r}")
    order = keys()

    async def run(n: int) -> None:
        for _ in range(n):
            await fetch(next(order))

    return lambda n: loop.run_until_complete(run(n))


@contextmanager
def suite(scratch: Path) -> Iterator[Suite]:
    """Read one file with both contenders, on one event loop."""
    config = DatabaseConfig(sqlite_path=str(scratch / "items.db"))
    with DatabaseAdapter(config) as made:
        made.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, score REAL NOT NULL)")
        made.insert_many(
            "items", ({"id": key, "name": f"item {key}", "score": key / 2} for key in range(ROWS))
        )
    loop = asyncio.new_event_loop()
    adapter = AsyncDatabaseAdapter(config)
    loop.run_until_complete(adapter.initialize())

    async def connect() -> aiosqlite.Connection:
        return await aiosqlite.connect(config.sqlite_path, isolation_level=None)

    peer = loop.run_until_complete(connect())

    async def with_aiosqlite(key: int) -> Any:
        async with peer.execute(SQL, (key,)) as cursor:
            return dict(
                zip([column[0] for column in cursor.description], await cursor.fetchone() or (), strict=True)
            )

    contenders = {"dbadapter": lambda key: adapter.fetch_one(SQL, [key]), "aiosqlite": with_aiosqlite}
    try:
        yield Suite(
            title="SQLite from a task: point read by key",
            unit="one row of three columns, by its primary key, as a dict",
            contenders=[Contender(name, repeated(loop, fetch)) for name, fetch in contenders.items()],
            targets=[Target("aiosqlite", 1.0)],
            one_core=True,
        )
    finally:
        loop.run_until_complete(adapter.close())
        loop.run_until_complete(peer.close())
        loop.close()
