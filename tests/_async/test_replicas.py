"""Reads from streaming replicas: where they run, what they show, and what they never miss."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import attrs
import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.errors import ConfigError, ParameterError, ReadOnlyViolation
from tests.crowd import AsyncCrowd
from tests.servers import fresh_database, standing_still


@pytest.fixture
def replicated(postgres_cluster: EmbeddedPostgres) -> Iterator[DatabaseConfig]:
    """An empty database on a primary with two replicas."""
    with fresh_database(postgres_cluster) as config:
        postgres_cluster.wait_for_replicas()
        yield config


@pytest.fixture
async def adapter(replicated: DatabaseConfig) -> AsyncIterator[AsyncDatabaseAdapter]:
    """An open adapter on it, with a table of counters."""
    async with AsyncDatabaseAdapter(replicated) as adapter:
        await adapter.execute("CREATE TABLE counters (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
        await adapter.insert_many("counters", [{"id": number, "n": 0} for number in range(20)])
        yield adapter


@pytest.fixture
def delayed(postgres_cluster: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """The cluster with replicas that show commits late, as under load or over a slow line."""
    for replica, seconds in zip(postgres_cluster.replicas, (0.15, 0.3), strict=True):
        replica.set_apply_delay(seconds)
    try:
        yield postgres_cluster
    finally:
        for replica in postgres_cluster.replicas:
            replica.set_apply_delay(0)


def reads(adapter: AsyncDatabaseAdapter) -> dict[str, int]:
    """How many reads ran where."""
    found: dict[str, int] = adapter.get_stats()["reads"]
    return found


async def until_fresh(adapter: AsyncDatabaseAdapter, sql: str = "SELECT count(*) FROM counters") -> None:
    """Read until a replica serves this session again."""
    async with AsyncCrowd() as crowd:
        before = reads(adapter)["replica"]
        while reads(adapter)["replica"] == before:
            await adapter.fetch_value(sql)
            await crowd.breathe()


async def standby(adapter: AsyncDatabaseAdapter, **options: Any) -> bool:
    """Whether a read ran on a replica."""
    found: bool = await adapter.fetch_value("SELECT pg_is_in_recovery()", **options)
    return found


async def test_reads_run_on_replicas_and_writes_on_the_primary(adapter: AsyncDatabaseAdapter) -> None:
    """With nothing of its own to wait for, every read is served by a replica, both in turns."""
    await until_fresh(adapter)
    before = reads(adapter)
    for _ in range(20):
        assert await standby(adapter)
    assert reads(adapter)["replica"] - before["replica"] == 20
    nodes = adapter.get_stats()["nodes"]
    assert [node["role"] for node in nodes] == ["primary", "replica", "replica"]
    assert all(node["healthy"] for node in nodes)
    async with AsyncCrowd() as crowd:
        while any(node["requests"] < 10 for node in adapter.get_stats()["nodes"][1:]):
            assert await standby(adapter)
            await crowd.breathe()
    assert [(node["lag_bytes"], node["lag_seconds"]) for node in adapter.get_stats()["nodes"][1:]] == [
        (0, 0.0)
    ] * 2
    await adapter.execute("UPDATE counters SET n = 1 WHERE id = 1")


async def test_a_read_never_misses_a_write_of_its_own(
    adapter: AsyncDatabaseAdapter, delayed: EmbeddedPostgres
) -> None:
    """Callers that write and read their own counter, on replicas that are late: not one stale read."""
    stale: list[tuple[int, int]] = []

    async def work(number: int) -> None:
        for n in range(1, 25):
            if n % 3 == 1:
                await adapter.execute("UPDATE counters SET n = ? WHERE id = ?", (n, number))
                written = n
            elif n % 3 == 2:
                async with adapter.transaction() as tx:
                    await tx.execute("UPDATE counters SET n = ? WHERE id = ?", (n, number))
                written = n
            else:
                sql = "UPDATE counters SET n = ? WHERE id = ? RETURNING n"
                written = await adapter.fetch_value(sql, (n, number))
            for _ in range(12):
                found = await adapter.fetch_value("SELECT n FROM counters WHERE id = ?", (number,))
                if found != written:
                    stale.append((found, written))

    async with AsyncCrowd() as crowd:
        for number in range(6):
            crowd.start(work, number)
    assert stale == []


async def test_eventual_reads_may_be_old(adapter: AsyncDatabaseAdapter, delayed: EmbeddedPostgres) -> None:
    """A read that takes what it gets does not wait for its own write; strong and session reads see it at once."""
    delayed.wait_for_replicas()
    sql = "SELECT n FROM counters WHERE id = 3"
    await adapter.execute("UPDATE counters SET n = 77 WHERE id = 3")
    # The old value from a replica that lags; on a busy machine the replica may have caught up already.
    assert await adapter.fetch_value(sql, consistency="eventual") in (0, 77)
    assert await adapter.fetch_value(sql, consistency="strong") == 77
    assert await adapter.fetch_value(sql, consistency="session") == 77
    assert await adapter.fetch_value(sql) == 77
    assert await standby(adapter, consistency="eventual")
    assert not await standby(adapter, consistency="strong")


async def test_replicas_serve_again_once_they_have_caught_up(adapter: AsyncDatabaseAdapter) -> None:
    """After a write the session's reads run on the primary for a moment only."""
    for n in range(5):
        await adapter.execute("UPDATE counters SET n = ? WHERE id = 4", (n,))
        await until_fresh(adapter)
        assert await adapter.fetch_value("SELECT n FROM counters WHERE id = 4") == n


async def test_a_token_carries_a_write_elsewhere(
    adapter: AsyncDatabaseAdapter, replicated: DatabaseConfig, delayed: EmbeddedPostgres
) -> None:
    """Another adapter, as in another process, sees the write that the token stands for."""
    delayed.wait_for_replicas()
    async with AsyncDatabaseAdapter(replicated) as other:
        await until_fresh(other)
        await adapter.execute("UPDATE counters SET n = 5 WHERE id = 5")
        token = await adapter.consistency_token()
        sql = "SELECT n FROM counters WHERE id = 5"
        assert await other.fetch_value(sql, consistency="eventual") == 0
        assert await other.fetch_value(sql, after=token) == 5
        assert await other.fetch_value(sql, after=token, consistency="eventual") == 5
        assert (await other.fetch_one(sql, after=token))["n"] == 5
        assert [row["n"] for row in await other.fetch_all(sql, after=token)] == [5]
        assert [row["n"] async for row in other.stream(sql, after=token)] == [5]
        async with other.transaction(read_only=True, after=token) as tx:
            assert await tx.fetch_value(sql) == 5


async def test_a_token_is_enough_for_a_replica(
    adapter: AsyncDatabaseAdapter, replicated: DatabaseConfig
) -> None:
    """Once a replica has replayed what a token stands for, it serves the reads that come with it."""
    await adapter.execute("UPDATE counters SET n = 6 WHERE id = 6")
    token = await adapter.consistency_token()
    async with AsyncDatabaseAdapter(replicated) as other, AsyncCrowd() as crowd:
        while not await standby(other, after=token):
            await crowd.breathe()
        assert await other.fetch_value("SELECT n FROM counters WHERE id = 6", after=token) == 6


@pytest.mark.parametrize("after", ["", "nonsense", "pg1-0-0", "pg1-zz-1-1"])
async def test_what_is_no_token(adapter: AsyncDatabaseAdapter, after: str) -> None:
    """A made-up token is refused; one of another cluster, or of the future, is answered by the primary."""
    with pytest.raises(ParameterError, match="consistency_token"):
        await adapter.fetch_value("SELECT 1", after=after)
    assert not await standby(adapter, after="pg1-1-1-1")
    system, timeline = (await adapter.consistency_token()).split("-")[1:3]
    assert not await standby(adapter, after=f"pg1-{system}-{timeline}-ffffffffffff")
    assert not await standby(adapter, after=f"pg1-{system}-ffff-1")


async def test_what_is_no_consistency(adapter: AsyncDatabaseAdapter) -> None:
    """A misspelt consistency is refused, everywhere."""
    with pytest.raises(ConfigError, match="session, strong, eventual"):
        await adapter.fetch_value("SELECT 1", consistency="sesion")
    with pytest.raises(ConfigError, match="session, strong, eventual"):
        adapter.stream("SELECT 1", consistency="sesion")
    with pytest.raises(ConfigError, match="session, strong, eventual"):
        adapter.transaction(read_only=True, consistency="sesion")


WRITER = """
CREATE FUNCTION bump(which BIGINT) RETURNS BIGINT LANGUAGE sql AS
'UPDATE counters SET n = n + 1 WHERE id = which RETURNING n'"""


async def test_a_read_that_writes(adapter: AsyncDatabaseAdapter) -> None:
    """What a replica refuses as a write runs on the primary, once; its text is remembered, and its write is seen."""
    await adapter.execute(WRITER)
    await until_fresh(adapter)
    before = adapter.get_stats()["nodes"][0]["requests"]
    for n in range(1, 6):
        assert await adapter.fetch_value("SELECT bump(7)") == n
        assert await adapter.fetch_value("SELECT n FROM counters WHERE id = 7") == n
    assert adapter.get_stats()["nodes"][0]["requests"] - before >= 5
    await until_fresh(adapter)
    refused = reads(adapter)["replica"]
    assert await adapter.fetch_value("SELECT bump(7)") == 6
    assert reads(adapter)["replica"] == refused


async def test_a_read_that_writes_and_is_first_met_on_the_primary(adapter: AsyncDatabaseAdapter) -> None:
    """There is no replica to refuse it then; still it runs once, and its write is seen."""
    await adapter.execute(WRITER)
    for n in range(1, 6):
        await adapter.execute("UPDATE counters SET n = ? WHERE id = 8", (10 * n,))
        sql = f"SELECT bump(8) /* {n} */"
        assert await adapter.fetch_value(sql, consistency="strong") == 10 * n + 1
        assert await adapter.fetch_value("SELECT n FROM counters WHERE id = 8") == 10 * n + 1


async def test_a_view_that_writes(adapter: AsyncDatabaseAdapter, delayed: EmbeddedPostgres) -> None:
    """A text that calls no function itself may still write, first met on the primary: its write is seen."""
    await adapter.execute(WRITER)
    await adapter.execute("CREATE VIEW bumped AS SELECT bump(9) AS n")
    for n in range(1, 4):
        await until_fresh(adapter)
        assert await adapter.fetch_value(f"SELECT n FROM bumped /* {n} */", consistency="strong") == n
        assert await adapter.fetch_value("SELECT n FROM counters WHERE id = 9") == n


async def test_streams_run_on_replicas(adapter: AsyncDatabaseAdapter) -> None:
    """A stream of a read does; one that turns out to write goes to the primary before its first row."""
    await adapter.execute(WRITER)
    await until_fresh(adapter)
    rows = [row async for row in adapter.stream("SELECT pg_is_in_recovery() AS it FROM counters")]
    assert rows == [{"it": True}] * 20
    rows = [
        row async for row in adapter.stream("SELECT bump(id) AS n FROM counters ORDER BY id", batch_size=3)
    ]
    assert rows == [{"n": 1}] * 20
    assert await adapter.fetch_value("SELECT sum(n) FROM counters") == 20


async def test_read_only_transactions_run_on_one_replica(adapter: AsyncDatabaseAdapter) -> None:
    """All of it sees one server; a write in it is refused as on the primary."""
    await until_fresh(adapter)
    async with adapter.transaction(read_only=True, isolation="repeatable read") as tx:
        assert await tx.fetch_value("SELECT pg_is_in_recovery()")
        ports = {await tx.fetch_value("SELECT inet_server_port()") for _ in range(5)}
        assert len(ports) == 1
    with pytest.raises(ReadOnlyViolation):
        async with adapter.transaction(read_only=True) as tx:
            await tx.execute("UPDATE counters SET n = 1")
    async with adapter.transaction(read_only=True, consistency="strong") as tx:
        assert not await tx.fetch_value("SELECT pg_is_in_recovery()")
    async with adapter.transaction(read_only=True, isolation="serializable") as tx:
        assert not await tx.fetch_value("SELECT pg_is_in_recovery()")
    async with adapter.transaction() as tx:
        assert not await tx.fetch_value("SELECT pg_is_in_recovery()")


async def test_a_replica_that_is_too_late(
    replicated: DatabaseConfig, adapter: AsyncDatabaseAdapter, postgres_cluster: EmbeddedPostgres
) -> None:
    """Beyond max_replica_lag a replica serves nothing, not even reads that take anything; then it comes back."""
    pool = attrs.evolve(replicated.pool, max_replica_lag=0.0)
    async with AsyncDatabaseAdapter(attrs.evolve(replicated, pool=pool)) as strict, AsyncCrowd() as crowd:
        assert await standby(strict, consistency="eventual")
        with standing_still(postgres_cluster):
            await strict.execute("UPDATE counters SET n = 9 WHERE id = 9")
            await strict.fetch_value("SELECT 1")  # asks for the positions
            while not all(
                node["lag_seconds"] for node in strict.get_stats()["nodes"][1:]
            ):  # or not known yet
                await crowd.breathe()
            assert not await standby(strict, consistency="eventual")
        while not await standby(strict, consistency="eventual"):
            await crowd.breathe()


async def test_who_wrote_before_the_adapter_was_opened(
    adapter: AsyncDatabaseAdapter, replicated: DatabaseConfig, delayed: EmbeddedPostgres
) -> None:
    """An adapter's reads show what was there when it was opened, whoever wrote it."""
    for n in range(1, 4):
        await adapter.execute("UPDATE counters SET n = ? WHERE id = 10", (n,))
        async with AsyncDatabaseAdapter(replicated) as other:
            assert await other.fetch_value("SELECT n FROM counters WHERE id = 10") == n


async def test_health_with_replicas(adapter: AsyncDatabaseAdapter) -> None:
    """Both kinds of servers answer."""
    health = await adapter.health()
    assert (health["status"], health["main_pool"], health["read_pool"]) == ("healthy", True, True)


async def test_resizing(adapter: AsyncDatabaseAdapter) -> None:
    """New limits hold for each server, at once."""
    await adapter.pool.resize(3, 5)
    stats = adapter.get_stats()
    assert (stats["min"], stats["max"]) == (9, 15)
    assert all(node["idle"] + node["active"] >= 3 for node in stats["nodes"])
    with pytest.raises(ConfigError, match="min_connections"):
        await adapter.pool.resize(6, 5)
    assert adapter.get_stats()["max"] == 15
    await adapter.pool.resize(0, 1)
    assert adapter.get_stats()["idle"] <= 3
