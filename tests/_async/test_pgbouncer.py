"""Through PgBouncer in transaction mode: paused, restarted, led elsewhere, and in front of replicas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import psycopg
import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.errors import ConnectionLost, DatabaseUnavailable, ReadOnlyViolation
from tests.crowd import AsyncCrowd
from tests.pgbouncer import PgBouncer, running_pgbouncer
from tests.servers import fresh_database

from .ledger import AsyncLedger

WRITERS = 4


def limited(config: DatabaseConfig, **limits: object) -> DatabaseConfig:
    """The same with other limits."""
    return attrs.evolve(config, pool=attrs.evolve(config.pool, **limits))


async def test_pgbouncer_paused_and_restarted_under_load(
    pgbouncer: PgBouncer, postgres_database: DatabaseConfig
) -> None:
    """PAUSE and RESUME are a wait; a killed PgBouncer that comes back loses no entry and doubles none."""
    config = limited(pgbouncer.config(postgres_database), connection_timeout=40.0)
    async with AsyncDatabaseAdapter(config) as adapter:
        async with AsyncCrowd() as crowd:
            ledger = AsyncLedger(adapter)
            await ledger.open()
            for number in range(WRITERS):
                crowd.start(ledger.write, number)
            await ledger.progress(crowd)
            for _ in range(3):
                await crowd.aside(pgbouncer.admin, "PAUSE").result()
                await crowd.aside(pgbouncer.admin, "RESUME").result()
                await ledger.progress(crowd)
            assert ledger.errors == []
            await crowd.aside(pgbouncer.kill).result()
            await crowd.aside(pgbouncer.start).result()
            await ledger.progress(crowd)
            ledger.end()
        await ledger.check()
        assert adapter.get_stats()["active"] == 0


async def load(tx: Any, cut: Callable[[], None]) -> None:
    """A bulk load."""
    cut()
    await tx.insert_many("t", [{"a": 1}])


async def load_half(tx: Any, cut: Callable[[], None]) -> None:
    """A bulk load that is under way."""

    def rows() -> Iterator[dict[str, int]]:
        yield {"a": 1}
        cut()
        yield from ({"a": n} for n in range(5000))

    await tx.insert_many("t", rows())


async def execute(tx: Any, cut: Callable[[], None]) -> None:
    """A statement."""
    cut()
    await tx.execute("INSERT INTO t (a) VALUES (1)")


async def execute_many(tx: Any, cut: Callable[[], None]) -> None:
    """A statement for several rows."""
    cut()
    await tx.execute_many("INSERT INTO t (a) VALUES (?)", [(1,), (2,)])


@pytest.mark.parametrize("work", [load, load_half, execute, execute_many], ids=lambda work: work.__name__)
async def test_two_goodbyes(
    pgbouncer: PgBouncer, postgres_server: EmbeddedPostgres, postgres_database: DatabaseConfig, work: Any
) -> None:
    """Server and PgBouncer both end the connection, each with a message: whatever was under way, it was lost."""

    def cut() -> None:
        with psycopg.connect(postgres_server.url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                [postgres_database.pool.database],
            )

    async with AsyncDatabaseAdapter(pgbouncer.config(postgres_database)) as adapter:
        await adapter.execute("CREATE TABLE t (a BIGINT)")
        with pytest.raises(ConnectionLost):
            async with adapter.transaction() as tx:
                await tx.execute("INSERT INTO t (a) VALUES (0)")
                await work(tx, cut)
        assert await adapter.fetch_value("SELECT count(*) FROM t") == 0
        assert adapter.get_stats()["active"] == 0


async def test_a_pgbouncer_that_the_config_does_not_name(
    pgbouncer: PgBouncer, postgres_database: DatabaseConfig
) -> None:
    """It refuses what is sent at login; the error says which setting is missing."""
    config = limited(pgbouncer.config(postgres_database), pgbouncer=False)
    with pytest.raises(DatabaseUnavailable, match="set pgbouncer=True"):
        await AsyncDatabaseAdapter(config).initialize()


async def test_a_primary_swapped_behind_a_pgbouncer(postgres_cluster: EmbeddedPostgres) -> None:
    """Our connections stay, and lead to a standby all at once: it refuses writes, and is not asked for ever."""
    with (
        fresh_database(postgres_cluster) as config,
        running_pgbouncer(postgres_cluster.config) as bouncer,
    ):
        postgres_cluster.wait_for_replicas()
        async with AsyncDatabaseAdapter(limited(bouncer.config(config), connection_timeout=20.0)) as adapter:
            await adapter.execute("CREATE TABLE t (a BIGINT)")
            postgres_cluster.wait_for_replicas()
            primary = bouncer.server
            for server in (postgres_cluster.replicas[0].config, primary):
                bouncer.lead_to(server)
                if server is primary:
                    await adapter.execute("INSERT INTO t (a) VALUES (1)")
                    continue
                with pytest.raises(ReadOnlyViolation):
                    await adapter.execute("INSERT INTO t (a) VALUES (2)")
                assert await adapter.fetch_value("SELECT count(*) FROM t") == 0
            assert await adapter.fetch_value("SELECT sum(a) FROM t") == 1
            assert adapter.get_stats()["active"] == 0


async def test_replicas_behind_pgbouncers(postgres_cluster: EmbeddedPostgres) -> None:
    """In transaction mode too a session's reads see its writes, and others' reads run on the replica."""
    with (
        fresh_database(postgres_cluster) as config,
        running_pgbouncer(postgres_cluster.config) as first,
        running_pgbouncer(postgres_cluster.replicas[0].config) as second,
    ):
        postgres_cluster.wait_for_replicas()
        hosts = limited(first.config(config), read_hosts=(f"127.0.0.1:{second.port}",))
        async with AsyncDatabaseAdapter(hosts) as adapter, AsyncCrowd() as crowd:
            await adapter.execute("CREATE TABLE t (a BIGINT)")
            for n in range(1, 20):
                await adapter.execute("INSERT INTO t (a) VALUES (1)")
                assert await adapter.fetch_value("SELECT count(*) FROM t") == n
            assert await adapter.fetch_value("SELECT pg_is_in_recovery()", consistency="eventual")
            async with AsyncDatabaseAdapter(hosts) as other:
                while not await other.fetch_value("SELECT pg_is_in_recovery()"):
                    await crowd.breathe()
