"""SQLitePool and PostgresPool by themselves: limits, queues, figures and endings."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from dbadapter import AsyncPostgresPool, AsyncSQLitePool, DatabaseConfig, DatabaseType
from dbadapter.errors import ConfigError, DatabaseUnavailable, PoolClosed, PoolExhausted
from tests.crowd import AsyncCrowd, AsyncSignal

from .drivers import ask

Pool = AsyncPostgresPool | AsyncSQLitePool


def make(config: DatabaseConfig, **limits: Any) -> Pool:
    """The pool of a backend with other limits, not open yet."""
    limited = attrs.evolve(config, pool=attrs.evolve(config.pool, **limits))
    return (
        AsyncSQLitePool(limited) if config.db_type is DatabaseType.SQLITE else AsyncPostgresPool(limited.pool)
    )


@pytest.fixture
async def tight(config: DatabaseConfig) -> AsyncIterator[Pool]:
    """An open pool of one connection, for which one waits a moment only."""
    async with make(config, min_connections=1, max_connections=1, connection_timeout=0.3) as pool:
        yield pool


async def test_a_connection_is_the_drivers_own(config: DatabaseConfig) -> None:
    """It runs SQL, in autocommit mode; one for reading does as well."""
    async with make(config) as pool:
        async with pool.get_connection() as raw:
            await ask(raw, "CREATE TABLE t (a BIGINT)")
            await ask(raw, "INSERT INTO t (a) VALUES (1)")
        async with pool.get_connection(read_only=True) as raw:
            assert await ask(raw, "SELECT a FROM t") == [(1,)]


async def test_opening_and_closing(config: DatabaseConfig) -> None:
    """A pool not open refuses; opening or closing twice is nothing; after closing it can be opened again."""
    pool = make(config)
    for _ in range(2):
        with pytest.raises(PoolClosed):
            async with pool.get_connection():
                pass
        await pool.open()
        await pool.open()
        async with pool.get_connection() as raw:
            assert await ask(raw, "SELECT 1") == [(1,)]
        await pool.close()
        await pool.close()


async def test_the_limit_holds(config: DatabaseConfig) -> None:
    """However many callers, no more than max_connections are in use, and everybody is served."""
    most = 0
    async with make(config, min_connections=1, max_connections=3) as pool:

        async def call() -> None:
            nonlocal most
            for _ in range(10):
                async with pool.get_connection(read_only=True) as raw:
                    most = max(most, pool.get_stats()["active"])
                    assert await ask(raw, "SELECT 1") == [(1,)]

        async with AsyncCrowd() as crowd:
            for _ in range(12):
                crowd.start(call)
        stats = pool.get_stats()
    assert 1 <= most <= 3
    assert stats["requests"] >= 120
    assert (stats["active"], stats["waiting"], stats["max"], stats["min"]) == (0, 0, 3, 1)
    assert stats["created"] <= 3


async def test_exhaustion_says_who_holds_what(tight: Pool) -> None:
    """PoolExhausted is a TimeoutError with the pool's figures and the holders, and the pool goes on."""
    taken, give_back = AsyncSignal(), AsyncSignal()

    async def holder() -> None:
        async with tight.get_connection():
            taken.set()
            await give_back.wait()

    async with AsyncCrowd() as crowd:
        crowd.start(holder)
        await taken.wait()
        with pytest.raises(PoolExhausted, match="1 of 1") as caught:
            async with tight.get_connection():
                pass
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.stats["active"] == 1
        (held,) = caught.value.holders
        assert set(held) >= {"thread", "task", "seconds", "where"}
        assert "test_pools.py" in held["where"]
        give_back.set()
    assert tight.get_stats()["timeouts"] == 1
    async with tight.get_connection() as raw:
        assert await ask(raw, "SELECT 1") == [(1,)]


async def test_max_waiting(config: DatabaseConfig) -> None:
    """Who finds the queue full is refused at once, those in it are served."""
    async with make(config, min_connections=1, max_connections=1, max_waiting=1) as pool:
        taken, give_back = AsyncSignal(), AsyncSignal()

        async def holder() -> None:
            async with pool.get_connection():
                taken.set()
                await give_back.wait()

        async def waiter() -> None:
            async with pool.get_connection() as raw:
                assert await ask(raw, "SELECT 1") == [(1,)]

        async with AsyncCrowd() as crowd:
            crowd.start(holder)
            await taken.wait()
            crowd.start(waiter)
            while not pool.get_stats()["waiting"]:
                await crowd.breathe()
            with pytest.raises(PoolExhausted, match="max_waiting"):
                async with pool.get_connection():
                    pass
            give_back.set()
        stats = pool.get_stats()
        assert (stats["requests_waited"], stats["waiting"]) == (1, 0)
        assert stats["wait_ms"]["max"] > 0


async def test_waiters_are_served_in_order(config: DatabaseConfig) -> None:
    """First come, first served."""
    served: list[int] = []
    async with make(config, min_connections=1, max_connections=1) as pool:
        taken, give_back = AsyncSignal(), AsyncSignal()

        async def holder() -> None:
            async with pool.get_connection():
                taken.set()
                await give_back.wait()

        async def waiter(number: int) -> None:
            async with pool.get_connection():
                served.append(number)

        async with AsyncCrowd() as crowd:
            crowd.start(holder)
            await taken.wait()
            for number in range(8):
                crowd.start(waiter, number)
                while pool.get_stats()["waiting"] <= number:
                    await crowd.breathe()
            give_back.set()
    assert served == list(range(8))


async def test_writers_share_evenly(config: DatabaseConfig) -> None:
    """Writers that never pause get about the same share: each is served while the others are."""
    async with make(config, max_connections=4) as pool:
        async with pool.get_connection() as raw:
            await ask(raw, "CREATE TABLE t (a BIGINT)")
        counts = [0] * 6
        stop = AsyncSignal()

        async def write(number: int) -> None:
            while not stop.is_set():
                async with pool.get_connection() as raw:
                    await ask(raw, f"INSERT INTO t (a) VALUES ({number})")
                counts[number] += 1
                if sum(counts) >= 1500:
                    stop.set()

        async with AsyncCrowd() as crowd:
            for number in range(6):
                crowd.start(write, number)
        async with pool.get_connection(read_only=True) as raw:
            assert await ask(raw, "SELECT count(*) FROM t") == [(sum(counts),)]
    assert min(counts) >= 50, counts


async def test_what_is_left_open_is_rolled_back(tight: Pool) -> None:
    """An open transaction does not reach the next user, whichever way the block was left."""
    async with tight.get_connection() as raw:
        await ask(raw, "CREATE TABLE t (a BIGINT)")
    with pytest.raises(LookupError):
        async with tight.get_connection() as raw:
            await ask(raw, "BEGIN")
            await ask(raw, "INSERT INTO t (a) VALUES (1)")
            raise LookupError
    async with tight.get_connection() as raw:
        assert await ask(raw, "SELECT count(*) FROM t") == [(0,)]
        await ask(raw, "BEGIN")


async def test_closing_wakes_those_who_wait(config: DatabaseConfig) -> None:
    """Waiters get PoolClosed; the holder finishes its work, and its connection is closed after it."""
    pool = make(config, min_connections=1, max_connections=1)
    await pool.open()
    taken, give_back = AsyncSignal(), AsyncSignal()

    async def holder() -> None:
        async with pool.get_connection() as raw:
            taken.set()
            await give_back.wait()
            assert await ask(raw, "SELECT 1") == [(1,)]

    async def waiter() -> None:
        with pytest.raises(PoolClosed):
            async with pool.get_connection():
                pass

    async with AsyncCrowd() as crowd:
        crowd.start(holder)
        await taken.wait()
        waiting = [crowd.start(waiter) for _ in range(3)]
        while pool.get_stats()["waiting"] < 3:
            await crowd.breathe()
        await pool.close()
        for job in waiting:
            await job.result()
        give_back.set()
    stats = pool.get_stats()
    assert (stats["active"], stats["idle"]) == (0, 0)


async def test_old_and_idle_connections_are_replaced(config: DatabaseConfig) -> None:
    """max_lifetime and idle_timeout close what they should, never what is in use, and keep the minimum."""
    async with make(config, min_connections=1, max_connections=3, idle_timeout=0.2, max_lifetime=0.4) as pool:
        async with AsyncCrowd() as crowd:
            for _ in range(40):
                async with (
                    pool.get_connection(read_only=True) as first,
                    pool.get_connection(read_only=True) as raw,
                ):
                    assert await ask(raw, "SELECT 1") == await ask(first, "SELECT 1")
                for _ in range(20):
                    await crowd.breathe()
            while pool.get_stats()["recycled"] < 2:
                await crowd.breathe()
        stats = pool.get_stats()
        assert stats["created"] > 3
        assert stats["active"] + stats["idle"] <= 3
        async with pool.get_connection() as raw:
            assert await ask(raw, "SELECT 1") == [(1,)]


async def test_leaks_are_reported(config: DatabaseConfig, caplog: pytest.LogCaptureFixture) -> None:
    """A connection held for longer than leak_threshold is counted and logged once, with its place."""
    async with make(config, leak_threshold=0.1, idle_timeout=0.2) as pool, AsyncCrowd() as crowd:
        async with pool.get_connection() as raw:
            while not pool.get_stats()["leaks"]:
                await crowd.breathe()
            assert await ask(raw, "SELECT 1") == [(1,)]
            for _ in range(300):
                await crowd.breathe()
        assert pool.get_stats()["leaks"] == 1
    found = [record.getMessage() for record in caplog.records if "leak_threshold" in record.getMessage()]
    assert len(found) == 1
    assert "test_pools.py" in found[0]


async def test_figures_are_plain(config: DatabaseConfig) -> None:
    """get_stats works before opening and after closing, and is always JSON."""
    pool = make(config)
    json.dumps(pool.get_stats())
    async with pool:
        async with pool.get_connection():
            json.dumps(pool.get_stats())
    json.dumps(pool.get_stats())


async def test_a_database_that_is_not_there(config: DatabaseConfig, tmp_path: Any) -> None:
    """open() says what is wrong, in the driver's own words, and leaves nothing open."""
    nowhere = attrs.evolve(
        config,
        sqlite_path=str(tmp_path),
        pool=attrs.evolve(config.pool, host=str(tmp_path), connection_timeout=0.3),
    )
    pool = make(nowhere)
    with pytest.raises(DatabaseUnavailable, match=tmp_path.name) as caught:
        await pool.open()
    assert caught.value.__cause__ is not None
    assert pool.get_stats()["active"] + pool.get_stats()["idle"] == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [("database", "no_such_database"), ("user", "no_such_user"), ("password", "wrong-hunter2")],
)
async def test_a_server_that_refuses(postgres_database: DatabaseConfig, field: str, value: str) -> None:
    """A wrong database, user or password is told at once, with the server's reason and without the password."""
    pool = AsyncPostgresPool(attrs.evolve(postgres_database.pool, **{field: value}, connection_timeout=20))
    with pytest.raises(DatabaseUnavailable) as caught:
        await pool.open()
    assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__)
    assert ("password" if field == "password" else value) in str(caught.value)


async def test_connections_that_died_are_replaced(postgres_database: DatabaseConfig) -> None:
    """Connections that the server has ended are not handed out; nobody sees an error."""
    async with make(postgres_database, min_connections=2, max_connections=3) as pool:
        async with pool.get_connection() as raw, pool.get_connection() as other:
            mine = [(await ask(each, "SELECT pg_backend_pid()"))[0][0] for each in (raw, other)]
        async with make(postgres_database, min_connections=1, max_connections=1) as killer:
            async with killer.get_connection() as raw:
                await ask(raw, f"SELECT pg_terminate_backend(pid, 5000) FROM unnest(ARRAY{mine}) AS pid")
        async with AsyncCrowd() as crowd:
            for _ in range(600):  # unused for half a second: from then on they are looked at first
                await crowd.breathe()
        for _ in range(4):
            async with pool.get_connection() as raw, pool.get_connection() as other:
                assert await ask(raw, "SELECT 1") == await ask(other, "SELECT 1")


async def test_reading_connections_of_sqlite_do_not_write(sqlite_database: DatabaseConfig) -> None:
    """The readers are for reading."""
    async with AsyncSQLitePool(sqlite_database) as pool:
        async with pool.get_connection(read_only=True) as raw:
            with pytest.raises(sqlite3.OperationalError):
                await ask(raw, "CREATE TABLE t (a TEXT)")


async def test_a_file_that_is_gone(sqlite_database: DatabaseConfig) -> None:
    """Where no connection for reading can be opened any more, the one there is reads; nobody tries for ever."""
    async with AsyncSQLitePool(
        attrs.evolve(sqlite_database.pool, min_connections=1), sqlite_database.sqlite_path
    ) as pool:
        async with pool.get_connection() as raw:
            await ask(raw, "CREATE TABLE t (a BIGINT)")
        path = Path(sqlite_database.sqlite_path)
        path.unlink()
        path.mkdir()
        async with pool.get_connection(read_only=True) as raw:
            assert await ask(raw, "SELECT count(*) FROM t") == [(0,)]


async def test_a_pool_takes_its_path_in_more_than_one_way(sqlite_database: DatabaseConfig) -> None:
    """A DatabaseConfig, a path, or a PoolConfig with a path."""
    path = sqlite_database.sqlite_path
    for pool in (
        AsyncSQLitePool(sqlite_database),
        AsyncSQLitePool(path),
        AsyncSQLitePool(sqlite_database.pool, path),
        AsyncSQLitePool(sqlite_database.pool, path=path),
        AsyncSQLitePool(Path(path)),
    ):
        async with pool:
            async with pool.get_connection() as raw:
                assert (await ask(raw, "PRAGMA database_list"))[0][2] == path


@pytest.mark.parametrize("wrong", [5, {}, b"app.db"])
def test_what_describes_no_pool(wrong: Any) -> None:
    """It is refused when the pool is made, not when it is used."""
    for kind in (AsyncSQLitePool, AsyncPostgresPool):
        with pytest.raises(ConfigError, match="config must be a PoolConfig or a DatabaseConfig, not"):
            kind(wrong)
    with pytest.raises(ConfigError, match="sqlite_path"):
        AsyncSQLitePool("")
    with pytest.raises(ConfigError, match="config must be"):
        AsyncPostgresPool("postgresql://me@db/app")  # type: ignore[arg-type]
