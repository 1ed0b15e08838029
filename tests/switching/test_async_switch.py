"""The live switch of an async adapter: the loop goes on, and a cancelled switch leaves nothing behind."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.switching.follow_back import Follower

pytestmark = pytest.mark.anyio
TABLE = "CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER)"


async def test_there_and_back_while_tasks_write(both: DatabaseConfig) -> None:
    """No task sees an error, and every row that one was told of is there once."""
    async with AsyncDatabaseAdapter(both) as adapter:
        await adapter.execute(TABLE)
        told: list[int] = []
        done = False

        async def write(task: int) -> None:
            n = 0
            while not done:
                n += 1
                key = task * 1_000_000 + n
                async with adapter.transaction() as tx:
                    await tx.execute("INSERT INTO t VALUES (?, ?)", (key, n))
                told.append(key)

        tasks = [asyncio.create_task(write(task)) for task in range(4)]
        while len(told) < 50:
            await asyncio.sleep(0.01)
        for target in (DatabaseType.POSTGRESQL, DatabaseType.SQLITE):
            report = await adapter.switch_database(target, carry_data=True)
            assert report.verified
            assert adapter.db_type is target
        done = True
        await asyncio.gather(*tasks)
        rows = await adapter.fetch_all("SELECT a FROM t ORDER BY a", row_type=tuple)
        assert [key for (key,) in rows] == sorted(told)


async def test_a_cancelled_switch(both: DatabaseConfig) -> None:
    """The adapter stays where it was, and the file is as it was."""
    async with AsyncDatabaseAdapter(both) as adapter:
        await adapter.execute(TABLE)
        await adapter.insert_many("t", [{"a": number, "b": 0} for number in range(100)])
        loop, reached = asyncio.get_running_loop(), asyncio.Event()

        def tell(told: Any) -> None:
            if told["phase"] == "indexing":
                loop.call_soon_threadsafe(reached.set)

        switch = asyncio.create_task(
            adapter.switch_database(DatabaseType.POSTGRESQL, carry_data=True, progress=tell)
        )
        await reached.wait()
        switch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await switch
        assert adapter.db_type is DatabaseType.SQLITE
        await adapter.execute("INSERT INTO t VALUES (1000, 0)")
        with closing(sqlite3.connect(both.sqlite_path)) as raw:
            assert raw.execute(
                "SELECT count(*) FROM sqlite_master WHERE name LIKE '%dbadapter%'"
            ).fetchone() == (0,)


@pytest.mark.parametrize("step", ["start", "release"])
async def test_a_switch_that_is_cancelled_with_its_follower(
    both: DatabaseConfig, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While following begins, or ends for the way back: it is over, notes nothing any more, and is in nobody's way."""
    loop, reached = asyncio.get_running_loop(), asyncio.Event()
    original = getattr(Follower, step)

    def told(self: Follower) -> Any:
        loop.call_soon_threadsafe(reached.set)
        return original(self)

    noting = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%capture%'"
    async with AsyncDatabaseAdapter(both) as adapter:
        await adapter.execute(TABLE)
        if step == "release":
            await adapter.switch_database(DatabaseType.POSTGRESQL, carry_data=True, follow_back=True)
        monkeypatch.setattr(Follower, step, told)
        target = DatabaseType.SQLITE if step == "release" else DatabaseType.POSTGRESQL
        switch = asyncio.create_task(adapter.switch_database(target, carry_data=True, follow_back=True))
        await reached.wait()
        switch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await switch
        assert adapter.db_type is DatabaseType.POSTGRESQL
        assert (await adapter.status())["follow_back"] is None
        assert await adapter.fetch_value(noting) == 0
        await adapter.execute("INSERT INTO t VALUES (1, 2)")
        await adapter.switch_database(DatabaseType.SQLITE, carry_data=True)
        assert await adapter.fetch_all("SELECT a FROM t", row_type=tuple) == [(1,)]
