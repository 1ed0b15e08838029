"""switch_database without data: new work waits, work in flight ends where it began, nobody sees an error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig, DatabaseType, PoolConfig
from dbadapter.errors import ConfigError, PoolClosed, SwitchAborted, SwitchInProgress
from tests.conftest import other
from tests.crowd import AsyncCrowd, AsyncJob, AsyncSignal

ADD = "INSERT INTO ledger (writer, n) VALUES (?, ?)"


async def contents(adapter: AsyncDatabaseAdapter) -> dict[DatabaseType, list[tuple[int, int]]]:
    """What stands in the ledger of each backend, read through adapters of their own."""
    found = {}
    for db_type in DatabaseType:
        async with AsyncDatabaseAdapter(attrs.evolve(adapter.config, db_type=db_type)) as one:
            found[db_type] = await one.fetch_all("SELECT writer, n FROM ledger ORDER BY 1, 2", row_type=tuple)
    return found


async def test_there_and_back(roomy: AsyncDatabaseAdapter) -> None:
    """The adapter speaks to the new backend after the call; the old one keeps what it held."""
    await roomy.execute(ADD, (1, 1))
    for step in (2, 3, 4):
        source = roomy.db_type
        report = await roomy.switch_database(other(source))
        assert roomy.db_type is other(source)
        names = (
            "source",
            "target",
            "epoch",
            "rows_copied",
            "rounds",
            "verified",
            "drained_ms",
            "paused_ms",
            "rejects",
        )
        assert [name for name in names if not hasattr(report, name)] == []
        assert report.rows_copied == 0
        await roomy.execute(ADD, (1, step))
        assert (await roomy.health())["status"] == "healthy"
        assert await roomy.list_tables() == ["ledger"]
    assert await contents(roomy) == {
        DatabaseType.SQLITE: [(1, 1), (1, 3)],
        DatabaseType.POSTGRESQL: [(1, 2), (1, 4)],
    }


async def test_a_switch_under_load_loses_nothing(roomy: AsyncDatabaseAdapter) -> None:
    """No caller sees an error, and every acknowledged write stands once, on one of the two."""
    acknowledged: list[tuple[int, int]] = []
    stop = AsyncSignal()

    async def one_by_one(writer: int) -> None:
        n = 0
        while not stop.is_set():
            assert (await roomy.execute(ADD, (writer, n))).rowcount == 1
            acknowledged.append((writer, n))
            n += 1
            await crowd.breathe()

    async def in_transactions(writer: int) -> None:
        n = 0
        while not stop.is_set():
            async with roomy.transaction() as tx:
                began = tx.db_type
                await tx.execute(ADD, (writer, n))
                await crowd.breathe()
                await tx.insert_many("ledger", [{"writer": writer, "n": n + 1}])
                assert (
                    await tx.fetch_value(
                        "SELECT count(*) FROM ledger WHERE writer = ? AND n >= ?", (writer, n)
                    )
                    == 2
                )
                assert tx.db_type is began
            acknowledged.extend([(writer, n), (writer, n + 1)])
            n += 2
            await crowd.breathe()

    async def in_bulk(writer: int) -> None:
        n = 0
        while not stop.is_set():
            rows = [{"writer": writer, "n": n + i} for i in range(50)]
            assert await roomy.insert_many("ledger", rows) == 50
            acknowledged.extend((writer, n + i) for i in range(50))
            n += 50
            await crowd.breathe()

    async def reading(writer: int) -> None:
        while not stop.is_set():
            rows = [row async for row in roomy.stream("SELECT * FROM ledger", batch_size=10)]
            assert len(rows) == len({(row["writer"], row["n"]) for row in rows})
            async with roomy.connection() as raw:
                assert raw is not None
            assert (await roomy.health())["status"] == "healthy"
            await crowd.breathe()

    switches = 0
    async with AsyncCrowd() as crowd:
        for writer, work in enumerate(
            (one_by_one, one_by_one, in_transactions, in_transactions, in_bulk, reading)
        ):
            crowd.start(work, writer)
        try:
            for _ in range(6):
                for _ in range(20):
                    await crowd.breathe()
                report = await roomy.switch_database(other(roomy.db_type))
                switches += 1
                assert report.paused_ms >= 0
        finally:
            stop.set()
    assert switches == 6
    found = await contents(roomy)
    assert sorted(found[DatabaseType.SQLITE] + found[DatabaseType.POSTGRESQL]) == sorted(acknowledged)
    assert found[DatabaseType.SQLITE]
    assert found[DatabaseType.POSTGRESQL]


class Pause:
    """Tells when a switch has begun to hold new work back."""

    def __init__(self, adapter: AsyncDatabaseAdapter, crowd: AsyncCrowd) -> None:
        self._adapter, self._crowd, self._phases = adapter, crowd, [""]

    def progress(self, report: Mapping[str, Any]) -> None:
        """What the switch is given to report to."""
        self._phases.append(report["phase"])

    async def begun(self) -> AsyncJob:
        """A caller that was held back by the switch, and is waiting still."""
        while self._phases[-1] != "draining":
            await self._crowd.breathe()
        while True:
            caller = self._crowd.start(self._adapter.fetch_value, "SELECT count(*) FROM ledger")
            for _ in range(20):
                await self._crowd.breathe()
            if not caller.done():
                return caller


@pytest.mark.parametrize("start", list(DatabaseType))
async def test_a_transaction_ends_where_it_began(roomy: AsyncDatabaseAdapter, start: DatabaseType) -> None:
    """The switch waits for an open transaction; a caller that comes meanwhile waits for the switch."""
    if roomy.db_type is not start:
        await roomy.switch_database(start)
    begun, go_on = AsyncSignal(), AsyncSignal()

    async def slow() -> None:
        async with roomy.transaction() as tx:
            await tx.execute(ADD, (1, 1))
            begun.set()
            await go_on.wait()
            await tx.execute(ADD, (1, 2))
            async with tx.transaction() as inner:
                await inner.insert_many("ledger", [{"writer": 1, "n": 3}])
            assert tx.db_type is start

    async with AsyncCrowd() as crowd:
        crowd.start(slow)
        await begun.wait()
        pause = Pause(roomy, crowd)
        switch = crowd.start(switch_to, roomy, other(start), 30.0, pause.progress)
        reader = await pause.begun()
        writer = crowd.start(roomy.execute, ADD, (2, 1))
        assert (await roomy.status())["switching"] is True
        assert (switch.done(), reader.done(), writer.done()) == (False, False, False)
        go_on.set()
        await switch.result()
        await writer.result()
    found = await contents(roomy)
    assert found[start] == [(1, 1), (1, 2), (1, 3)]
    assert found[other(start)] == [(2, 1)]


@pytest.mark.parametrize("start", list(DatabaseType))
async def test_a_connection_of_the_pool_follows_the_switch(
    roomy: AsyncDatabaseAdapter, start: DatabaseType
) -> None:
    """Whoever asks a pool for the driver's connection during a switch, or after it, gets one to the database in use."""
    if roomy.db_type is not start:
        await roomy.switch_database(start)
    pool, begun, go_on = roomy.pool, AsyncSignal(), AsyncSignal()

    async def slow() -> None:
        async with roomy.transaction() as tx:
            await tx.execute(ADD, (1, 1))
            begun.set()
            await go_on.wait()

    async def ask(read_only: bool) -> DatabaseType:
        async with pool.get_connection(read_only=read_only) as raw:
            return DatabaseType.POSTGRESQL if hasattr(raw, "pgconn") else DatabaseType.SQLITE

    async with AsyncCrowd() as crowd:
        crowd.start(slow)
        await begun.wait()
        pause = Pause(roomy, crowd)
        switch = crowd.start(switch_to, roomy, other(start), 30.0, pause.progress)
        await pause.begun()
        waiting = [crowd.start(ask, read_only) for read_only in (False, True)]
        go_on.set()
        await switch.result()
        assert [await each.result() for each in waiting] == [other(start)] * 2
    assert await ask(False) == other(start)
    assert pool.get_stats() == roomy.pool.get_stats()
    assert await pool.health() == {"main_pool": True, "read_pool": True}
    await roomy.switch_database(start)
    assert (await ask(False), await ask(True)) == (start, start)
    await roomy.close()
    with pytest.raises(PoolClosed):
        await ask(False)


async def test_a_stream_ends_where_it_began(roomy: AsyncDatabaseAdapter) -> None:
    """A stream that is being read is work in flight: the switch waits for it."""
    await roomy.insert_many("ledger", [{"writer": 1, "n": n} for n in range(100)])
    seen = 0
    async with AsyncCrowd() as crowd:
        pause = Pause(roomy, crowd)
        async for _ in roomy.stream("SELECT n FROM ledger", batch_size=10):
            if seen == 0:
                switch = crowd.start(switch_to, roomy, DatabaseType.POSTGRESQL, 30.0, pause.progress)
                await pause.begun()
            seen += 1
            assert not switch.done()
        await switch.result()
    assert (seen, roomy.db_type) == (100, DatabaseType.POSTGRESQL)


async def switch_to(
    adapter: AsyncDatabaseAdapter, target: DatabaseType, timeout: float, progress: Any
) -> None:
    """A switch to be run beside others."""
    await adapter.switch_database(target, drain_timeout=timeout, progress=progress)


@pytest.mark.parametrize("start", list(DatabaseType))
async def test_what_does_not_end_in_time_aborts_the_switch(both: DatabaseConfig, start: DatabaseType) -> None:
    """After drain_timeout the old backend stays in use, and whoever waited goes on there."""
    impatient = attrs.evolve(both, db_type=start, pool=attrs.evolve(both.pool, connection_timeout=0.2))
    async with AsyncDatabaseAdapter(impatient) as adapter, AsyncCrowd() as crowd:
        await adapter.execute("CREATE TABLE ledger (writer BIGINT, n BIGINT)")
        async with adapter.transaction() as tx:
            await tx.execute(ADD, (1, 1))
            pause = Pause(adapter, crowd)
            switch = crowd.start(switch_to, adapter, other(start), 0.6, pause.progress)
            held_back = await pause.begun()
            # The holder of the transaction itself comes back through the adapter: it does not wait for itself.
            assert await adapter.fetch_value("SELECT count(*) FROM ledger") == 0
            with pytest.raises(SwitchAborted) as caught:
                await switch.result()
            crowd.forget(switch)
            assert caught.value.reason
            assert await held_back.result() == 0
            await tx.execute(ADD, (1, 2))
        assert adapter.db_type is start
        await adapter.execute(ADD, (1, 3))
        assert await adapter.fetch_value("SELECT count(*) FROM ledger") == 3
        await adapter.switch_database(other(start))
        assert adapter.db_type is other(start)


async def test_an_unreachable_target_changes_nothing(roomy: AsyncDatabaseAdapter, tmp_path: Path) -> None:
    """SwitchAborted with its reason and cause, without secrets, and the old backend goes on under load."""
    nowhere = PoolConfig(host=str(tmp_path), user="me", password="hunter2", connection_timeout=1)
    (tmp_path / "not.db").write_bytes(b"no database at all" * 100)
    targets = [
        DatabaseConfig(db_type=DatabaseType.POSTGRESQL, pool=nowhere),
        DatabaseConfig(db_type=DatabaseType.SQLITE, sqlite_path=str(tmp_path / "not.db")),
        attrs.evolve(
            roomy.config,
            db_type=DatabaseType.POSTGRESQL,
            pool=attrs.evolve(roomy.config.pool, database="no_such_database", connection_timeout=2),
        ),
    ]
    stop = AsyncSignal()

    async def work() -> int:
        n = 0
        while not stop.is_set():
            await roomy.execute(ADD, (1, n))
            n += 1
            await crowd.breathe()
        return n

    async with AsyncCrowd() as crowd:
        job = crowd.start(work)
        try:
            for target in targets:
                with pytest.raises(SwitchAborted) as caught:
                    await roomy.switch_database(target)
                assert caught.value.reason
                assert caught.value.__cause__ is not None
                assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__)
        finally:
            stop.set()
        written = await job.result()
    assert roomy.db_type is DatabaseType.SQLITE
    assert await roomy.fetch_value("SELECT count(*) FROM ledger") == written


async def test_one_switch_at_a_time(roomy: AsyncDatabaseAdapter) -> None:
    """A second call while one is under way is SwitchInProgress; the first goes through."""
    begun, go_on = AsyncSignal(), AsyncSignal()

    async def slow() -> None:
        async with roomy.transaction() as tx:
            await tx.execute(ADD, (1, 1))
            begun.set()
            await go_on.wait()

    async with AsyncCrowd() as crowd:
        crowd.start(slow)
        await begun.wait()
        pause = Pause(roomy, crowd)
        crowd.start(switch_to, roomy, DatabaseType.POSTGRESQL, 30.0, pause.progress)
        await pause.begun()
        for target in DatabaseType:
            with pytest.raises(SwitchInProgress):
                await roomy.switch_database(target)
        go_on.set()
    assert roomy.db_type is DatabaseType.POSTGRESQL


async def test_switching_to_where_one_is(roomy: AsyncDatabaseAdapter) -> None:
    """The backend in use as a target is no switch: it is said, and nothing is lost."""
    await roomy.execute(ADD, (1, 1))
    with pytest.raises(SwitchAborted, match="already in use"):
        await roomy.switch_database(DatabaseType.SQLITE)
    assert (roomy.db_type, await roomy.fetch_value("SELECT count(*) FROM ledger")) == (DatabaseType.SQLITE, 1)


async def test_switching_to_another_file(roomy: AsyncDatabaseAdapter, tmp_path: Path) -> None:
    """A DatabaseConfig names any database, of the same backend too; the adapter's config follows."""
    target = DatabaseConfig(sqlite_path=str(tmp_path / "second.db"))
    await roomy.switch_database(target)
    assert await roomy.list_tables() == []
    assert roomy.config.sqlite_path == target.sqlite_path
    await roomy.execute("CREATE TABLE here (a TEXT)")
    async with AsyncDatabaseAdapter(target) as again:
        assert await again.list_tables() == ["here"]


async def test_a_wrong_target(roomy: AsyncDatabaseAdapter) -> None:
    """What is neither a type nor a config is refused, and nothing happens."""
    with pytest.raises((TypeError, ValueError)):
        await roomy.switch_database(5)  # type: ignore[arg-type]
    assert roomy.db_type is DatabaseType.SQLITE


@pytest.mark.parametrize("seconds", [-1, "3", None, True, float("nan"), float("inf")])
async def test_a_wrong_time_to_wait(roomy: AsyncDatabaseAdapter, seconds: Any) -> None:
    """It is refused before anything is touched."""
    with pytest.raises(ConfigError, match="drain_timeout must be a number of seconds from 0 to 2,000,000"):
        await roomy.switch_database(DatabaseType.POSTGRESQL, drain_timeout=seconds)
    with pytest.raises(ConfigError, match="drain_timeout"):
        await roomy.rehearse_switch(DatabaseType.POSTGRESQL, drain_timeout=seconds)
    assert roomy.db_type is DatabaseType.SQLITE
    assert await roomy.fetch_value("SELECT 1") == 1


async def test_a_closed_adapter_does_not_switch(both: DatabaseConfig) -> None:
    """PoolClosed, as for any other use."""
    with pytest.raises(PoolClosed):
        await AsyncDatabaseAdapter(both).switch_database(DatabaseType.POSTGRESQL)


async def test_no_connection_is_left_behind(roomy: AsyncDatabaseAdapter) -> None:
    """After switches there and back, the server keeps only the connections of whoever asks."""
    for _ in range(4):
        await roomy.switch_database(other(roomy.db_type))
    assert roomy.db_type is DatabaseType.SQLITE
    text = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    alone = attrs.evolve(
        roomy.config,
        db_type=DatabaseType.POSTGRESQL,
        pool=attrs.evolve(roomy.config.pool, min_connections=1, max_connections=1),
    )
    async with AsyncDatabaseAdapter(alone) as one, AsyncCrowd() as crowd:
        left: Any = None
        for _ in range(500):  # a closing backend takes a moment to leave the list
            left = await one.fetch_value(text)
            if left == 0:
                break
            await crowd.breathe()
        assert left == 0
