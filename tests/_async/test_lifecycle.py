"""Opening, closing, asking how it is, and the process-wide adapter."""

from __future__ import annotations

import gc
import json
import logging
import sqlite3
import threading

import attrs
import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.errors import ConfigError, DatabaseAdapterError, PoolClosed, UndefinedTable, UniqueViolation
from tests.crowd import AsyncCrowd, AsyncSignal

STATS = {
    "active", "idle", "created", "utilization", "min", "max", "waiting", "requests", "requests_waited",
    "wait_ms", "timeouts", "errors", "recycled", "leaks", "nodes", "holders",
}  # fmt: skip
NODE = {"role", "host", "port", "healthy", "active", "idle", "lag_bytes", "lag_seconds"}


async def use_everything(adapter: AsyncDatabaseAdapter) -> list[BaseException | None]:
    """What each method raises now."""

    async def stream() -> None:
        async for _ in adapter.stream("SELECT 1"):
            pass

    async def transaction() -> None:
        async with adapter.transaction():
            pass

    async def connection() -> None:
        async with adapter.connection():
            pass

    async def insert() -> None:
        await adapter.insert_many("t", [{"a": 1}])

    async def many() -> None:
        await adapter.execute_many("SELECT ?", [(1,)])

    async def ask() -> None:
        await adapter.fetch_value("SELECT 1")

    async def do() -> None:
        await adapter.execute("SELECT 1")

    raised: list[BaseException | None] = []
    for use in (do, ask, many, insert, connection, transaction, stream, adapter.list_tables):
        try:
            await use()
        except DatabaseAdapterError as error:
            raised.append(error)
        else:
            raised.append(None)
    return raised


async def test_before_and_after(config: DatabaseConfig) -> None:
    """An adapter not yet opened, and one closed, refuse every method with PoolClosed saying what to do."""
    adapter = AsyncDatabaseAdapter(config)
    assert {type(error) for error in await use_everything(adapter)} == {PoolClosed}
    await adapter.initialize()
    assert await adapter.fetch_value("SELECT 1") == 1
    await adapter.close()
    assert {type(error) for error in await use_everything(adapter)} == {PoolClosed}


async def test_opening_and_closing_twice(config: DatabaseConfig) -> None:
    """initialize and close may be called again; a closed adapter can be opened again."""
    adapter = AsyncDatabaseAdapter(config)
    await adapter.close()
    for _ in range(2):
        await adapter.initialize()
        await adapter.initialize()
        assert await adapter.fetch_value("SELECT 1") == 1
        await adapter.close()
        await adapter.close()
    async with adapter:
        assert await adapter.fetch_value("SELECT 1") == 1


async def test_the_constructor_touches_nothing(config: DatabaseConfig) -> None:
    """Making an adapter opens no file and no connection, and what it knows can be read at once."""
    broken = attrs.evolve(
        config,
        sqlite_path="/nonexistent/directory/app.db",
        pool=attrs.evolve(config.pool, host="/nonexistent"),
    )
    adapter = AsyncDatabaseAdapter(broken)
    assert (adapter.db_type, adapter.config) == (config.db_type, broken)


async def test_opening_at_the_same_time(config: DatabaseConfig) -> None:
    """Several callers of initialize get one open adapter, and close() leaves none of it behind."""
    before = threading.active_count()
    adapter = AsyncDatabaseAdapter(config)
    async with AsyncCrowd() as crowd:
        for _ in range(4):
            crowd.start(adapter.initialize)
        assert adapter.get_stats()["created"] <= 2 * config.pool.min_connections
    assert await adapter.fetch_value("SELECT 1") == 1
    await adapter.close()
    gc.collect()
    while threading.active_count() > before:  # else the time limit of the test says so
        await AsyncCrowd().breathe()


async def test_closing_while_in_use(config: DatabaseConfig) -> None:
    """close() lets work in flight end, or refuses it with an error of ours; what was acknowledged is kept."""
    acknowledged: list[int] = []
    adapter = AsyncDatabaseAdapter(config)
    await adapter.initialize()
    await adapter.execute("CREATE TABLE n (i BIGINT PRIMARY KEY)")
    running = AsyncSignal()

    async def write(writer: int) -> None:
        for n in range(writer, 100_000, 4):
            try:
                await adapter.execute("INSERT INTO n (i) VALUES (?)", (n,))
            except DatabaseAdapterError:
                return
            acknowledged.append(n)
            if len(acknowledged) > 20:
                running.set()
        raise AssertionError("close() never came")

    async with AsyncCrowd() as crowd:
        for writer in range(4):
            crowd.start(write, writer)
        await running.wait()
        await adapter.close()
    async with AsyncDatabaseAdapter(config) as again:
        found = {row["i"] for row in await again.fetch_all("SELECT i FROM n")}
    assert set(acknowledged) <= found


async def test_health(adapter: AsyncDatabaseAdapter) -> None:
    """A working adapter is healthy; the answer is plain JSON."""
    health = await adapter.health()
    assert (health["status"], health["main_pool"], health["read_pool"]) == ("healthy", True, True)
    json.dumps(health)


async def test_health_of_a_closed_adapter(config: DatabaseConfig) -> None:
    """health() reports, it does not raise."""
    health = await AsyncDatabaseAdapter(config).health()
    assert (health["status"], health["main_pool"]) == ("unhealthy", False)
    json.dumps(health)


async def test_status(adapter: AsyncDatabaseAdapter) -> None:
    """status() says which backend is in use, as plain JSON and without secrets."""
    status = await adapter.status()
    text = json.dumps(status)
    assert adapter.db_type.value in text
    assert "password" not in text


async def test_stats(adapter: AsyncDatabaseAdapter) -> None:
    """get_stats() has the documented keys on both backends, plain JSON, and follows what happens."""
    stats = adapter.get_stats()
    json.dumps(stats)
    assert STATS - set(stats) == set()
    assert {"mean", "p95", "max"} <= set(stats["wait_ms"])
    assert stats["nodes"]
    assert all(set(node) >= NODE for node in stats["nodes"])
    assert (stats["active"], stats["leaks"], stats["timeouts"], stats["errors"]) == (0, 0, 0, 0)
    before = stats["requests"]
    for _ in range(3):
        await adapter.fetch_value("SELECT 1")
    async with adapter.transaction() as tx:
        await tx.execute("CREATE TABLE t (a TEXT)")
        during = adapter.get_stats()
        assert during["active"] == 1
        assert during["utilization"] == pytest.approx(during["active"] / during["max"])
        (holder,) = during["holders"]
        assert set(holder) >= {"thread", "task", "seconds", "where"}
        assert "test_lifecycle.py" in str(holder["where"])
        json.dumps(during)
    after = adapter.get_stats()
    assert (after["active"], after["holders"]) == (0, [])
    assert after["requests"] >= before + 4


async def test_the_process_wide_adapter(adapter: AsyncDatabaseAdapter) -> None:
    """set_instance names it, get_instance gives it, and None forgets it; what is no adapter is refused."""
    with pytest.raises(ConfigError, match="adapter must be"):
        AsyncDatabaseAdapter.set_instance(5)  # type: ignore[arg-type]
    AsyncDatabaseAdapter.set_instance(adapter)
    try:
        assert await AsyncDatabaseAdapter.get_instance() is adapter
        assert await (await AsyncDatabaseAdapter.get_instance()).fetch_value("SELECT 1") == 1
    finally:
        AsyncDatabaseAdapter.set_instance(None)


async def test_the_process_wide_adapter_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, config: DatabaseConfig
) -> None:
    """On first use it is made from the environment, once, and usable."""
    pool = config.pool
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("DB_TYPE", config.db_type.value)
    on_sqlite = config.db_type is DatabaseType.SQLITE
    monkeypatch.setenv("DB_DATABASE", config.sqlite_path if on_sqlite else pool.database)
    for name, value in {"HOST": pool.host, "PORT": pool.port, "USER": pool.user}.items():
        monkeypatch.setenv(f"DB_{name}", str(value))
    monkeypatch.setenv("DB_PASSWORD", pool.current_password() or "")
    AsyncDatabaseAdapter.set_instance(None)
    found = await AsyncDatabaseAdapter.get_instance()
    try:
        assert await AsyncDatabaseAdapter.get_instance() is found
        assert found.db_type is config.db_type
        assert await found.fetch_value("SELECT 1") == 1
    finally:
        await found.close()
        AsyncDatabaseAdapter.set_instance(None)


async def test_list_tables(people: AsyncDatabaseAdapter) -> None:
    """The user's tables by name, without the database's own and without views."""
    await people.execute("CREATE VIEW grown AS SELECT * FROM people")
    await people.execute("CREATE INDEX by_kind ON pets (kind)")
    assert await people.list_tables() == ["people", "pets"]


async def test_describe_table(people: AsyncDatabaseAdapter) -> None:
    """Columns, key, foreign keys and indexes, the same on both but for the types' own words."""
    await people.execute("CREATE INDEX by_kind ON pets (kind)")
    info = await people.describe_table("people")
    assert (info.name, info.primary_key) == ("people", ("id",))
    assert [(c.name, c.nullable, c.primary_key) for c in info.columns] == [
        ("id", False, True),
        ("name", False, False),
        ("age", True, False),
        ("email", True, False),
    ]
    pets = await people.describe_table("pets")
    assert pets.primary_key == ("owner_id", "name")
    (key,) = pets.foreign_keys
    assert (key.columns, key.ref_table, key.ref_columns) == (("owner_id",), "people", ("id",))
    assert (key.on_delete, key.on_update) == ("NO ACTION", "NO ACTION")
    assert [(index.name, index.columns, index.unique) for index in pets.indexes] == [
        ("by_kind", ("kind",), False)
    ]
    assert [(index.columns, index.unique) for index in info.indexes] == [(("email",), True)]


async def test_describe_what_is_not_there(adapter: AsyncDatabaseAdapter) -> None:
    """UndefinedTable, naming it."""
    with pytest.raises(UndefinedTable, match="missing"):
        await adapter.describe_table("missing")


async def test_the_query_log(config: DatabaseConfig, caplog: pytest.LogCaptureFixture) -> None:
    """logging=True logs each statement, without its parameters unless they are asked for."""
    text = "SELECT :word AS said_aloud"
    for log, parameters in ((False, False), (True, False), (True, True)):
        caplog.clear()
        chosen = attrs.evolve(config, logging=log, log_parameters=parameters)
        with caplog.at_level(logging.DEBUG, logger="dbadapter"):
            async with AsyncDatabaseAdapter(chosen) as adapter:
                await adapter.fetch_value(text, {"word": "abracadabra"})
                async with adapter.transaction() as tx:
                    await tx.fetch_all(text, {"word": "abracadabra"})
        assert (caplog.text.count("said_aloud") >= 2) is log
        assert ("abracadabra" in caplog.text) is parameters


async def test_every_way_to_the_database_is_logged(
    config: DatabaseConfig, caplog: pytest.LogCaptureFixture
) -> None:
    """Bulk loads, batches, streams and what failed, and how: none of them with a value."""
    insert = "INSERT INTO n (i, s) VALUES (:i, :s)"
    async with AsyncDatabaseAdapter(attrs.evolve(config, logging=True, slow_query_seconds=1000)) as adapter:
        await adapter.execute("CREATE TABLE n (i INTEGER PRIMARY KEY, s TEXT)")
        caplog.set_level(logging.DEBUG, logger="dbadapter.query")
        await adapter.insert_many("n", [{"i": 1, "s": "abracadabra"}])
        await adapter.execute_many(insert, [{"i": 2, "s": "abracadabra"}])
        async with adapter.stream("SELECT s FROM n ORDER BY i", batch_size=1) as rows:
            async for _ in rows:
                break
        with pytest.raises(UniqueViolation):
            await adapter.execute(insert, {"i": 1, "s": "abracadabra"})
        with pytest.raises(UndefinedTable):
            await adapter.fetch_all("SELECT * FROM missing")
        with pytest.raises(UniqueViolation):
            async with adapter.transaction() as tx:
                await tx.insert_many("n", [(2, "abracadabra")])
        with pytest.raises(UndefinedTable):
            [row async for row in adapter.stream("SELECT * FROM gone")]
    told = [record.getMessage().partition(" ms: ") for record in caplog.records]
    assert [(how.rpartition(", ")[0], text) for how, _, text in told] == [
        ("", "insert_many into n"),
        ("", insert),
        ("", "SELECT s FROM n ORDER BY i"),
        ("UniqueViolation", insert),
        ("UndefinedTable", "SELECT * FROM missing"),
        ("UniqueViolation", "insert_many into n"),
        ("UndefinedTable", "SELECT * FROM gone"),
    ]
    assert "abracadabra" not in caplog.text


async def test_slow_queries_are_logged(config: DatabaseConfig, caplog: pytest.LogCaptureFixture) -> None:
    """slow_query_seconds warns of statements that took longer, also with the query log off."""
    chosen = attrs.evolve(config, slow_query_seconds=0.0)
    async with AsyncDatabaseAdapter(chosen) as adapter:
        await adapter.fetch_value("SELECT :word AS dawdle", {"word": "abracadabra"})
    slow = [record for record in caplog.records if "dawdle" in record.getMessage()]
    assert [record.levelno for record in slow] == [logging.WARNING]
    assert slow[0].name.startswith("dbadapter")
    assert "abracadabra" not in caplog.text


async def test_a_missing_directory_is_made(sqlite_database: DatabaseConfig) -> None:
    """The SQLite file's directory is created on opening; the file is in WAL mode with foreign keys on."""
    path = sqlite_database.sqlite_path.replace("app.db", "deep/er/app.db")
    async with AsyncDatabaseAdapter(DatabaseConfig(sqlite_path=path)) as adapter:
        assert await adapter.fetch_value("PRAGMA foreign_keys") == 1
        assert await adapter.fetch_value("PRAGMA journal_mode") == "wal"
        await adapter.execute("CREATE TABLE t (a TEXT)")
        with sqlite3.connect(path) as other:
            assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("t",)]
        other.close()


async def test_memory() -> None:
    """:memory: is one database for all callers of an adapter, and another one for the next adapter."""
    config = DatabaseConfig(sqlite_path=":memory:")
    async with AsyncDatabaseAdapter(config) as adapter, AsyncDatabaseAdapter(config) as other:
        await adapter.execute("CREATE TABLE n (i BIGINT PRIMARY KEY)")

        async def write(writer: int) -> None:
            for n in range(20):
                await adapter.execute("INSERT INTO n (i) VALUES (?)", (writer * 100 + n,))
                async with adapter.transaction() as tx:
                    await tx.execute("UPDATE n SET i = i WHERE i = ?", (n,))
                    assert await tx.fetch_value("SELECT count(*) FROM n") > 0

        async with AsyncCrowd() as crowd:
            for writer in range(4):
                crowd.start(write, writer)
        assert await adapter.fetch_value("SELECT count(*) FROM n") == 80
        assert await other.list_tables() == []
