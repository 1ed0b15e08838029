"""Servers that stop, die, are promoted and come back, under load: nothing lost, nothing doubled, nothing stale."""

from __future__ import annotations

import asyncio  # unasync: async-only
import uuid
from collections.abc import Iterator
from contextlib import suppress
from time import perf_counter, sleep

import attrs
import psycopg
import pytest
from psycopg import sql

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.errors import DatabaseUnavailable, ReadOnlyViolation
from tests.crowd import AsyncCrowd
from tests.faults.scripts import run
from tests.proxy import Link, Proxy, client_sends
from tests.servers import TEMP_DIR

from .ledger import AsyncLedger

WRITERS = 4
# Queries on a replica that are in the way of what it has to replay are cancelled at once.
SETTINGS = {"max_connections": "100", "max_standby_streaming_delay": "0"}


@pytest.fixture(scope="module")
def servers() -> Iterator[EmbeddedPostgres]:
    """A primary with two replicas, left in whatever state by the test before."""
    with EmbeddedPostgres(replicas=2, settings=SETTINGS, temp_dir=TEMP_DIR) as servers:
        yield servers


@pytest.fixture
def cluster(servers: EmbeddedPostgres) -> EmbeddedPostgres:
    """All of them up, and level."""
    servers.start()
    for replica in servers.replicas:
        replica.start()
    servers.wait_for_replicas()
    return servers


@pytest.fixture
def config(cluster: EmbeddedPostgres) -> DatabaseConfig:
    """An empty database on them."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    cluster.wait_for_replicas()
    pool = attrs.evolve(cluster.config.pool, database=name, connection_timeout=40.0)
    return attrs.evolve(cluster.config, pool=pool)


def limited(config: DatabaseConfig, **limits: object) -> DatabaseConfig:
    """The same with other limits or hosts."""
    return attrs.evolve(config, pool=attrs.evolve(config.pool, **limits))


def roles(adapter: AsyncDatabaseAdapter) -> dict[int, str]:
    """What the adapter takes each server for, by its port."""
    return {node["port"]: node["role"] for node in adapter.get_stats()["nodes"]}


async def under_load(adapter: AsyncDatabaseAdapter, crowd: AsyncCrowd) -> AsyncLedger:
    """Writers at work."""
    ledger = AsyncLedger(adapter)
    await ledger.open()
    for number in range(WRITERS):
        crowd.start(ledger.write, number)
    await ledger.progress(crowd)
    return ledger


async def test_an_orderly_promotion(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """The primary is shut down and a replica takes over, twice: writers wait a moment and go on there."""
    async with AsyncDatabaseAdapter(config) as adapter:
        async with AsyncCrowd() as crowd:
            ledger = await under_load(adapter, crowd)
            for _ in range(2):
                await crowd.aside(cluster.promote, 0).result()
                await ledger.progress(crowd)
                assert roles(adapter)[cluster.port] == "primary"
            ledger.end()
        await ledger.check()
        assert ledger.longest < 60
        stats = adapter.get_stats()
        assert (stats["active"], stats["waiting"]) == (0, 0)
        assert "no longer the primary" in stats["recycled_reasons"] or "broken" in stats["recycled_reasons"]


async def test_a_killed_primary_and_a_promotion(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """With replicas that confirm every commit, none is lost when the primary dies and one of them takes over."""
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'ANY 2 (*)'")
        connection.execute("SELECT pg_reload_conf()")
    old = cluster.port
    async with AsyncDatabaseAdapter(config) as adapter:
        async with AsyncCrowd() as crowd:
            ledger = await under_load(adapter, crowd)
            await crowd.aside(cluster.kill).result()
            await crowd.aside(cluster.promote, 1).result()
            await ledger.progress(crowd)
            await crowd.aside(cluster.replicas[1].start).result()  # the old one comes back, as a replica
            while roles(adapter)[old] != "replica":
                await crowd.breathe()
            await ledger.progress(crowd)
            ledger.end()
        await ledger.check()
        assert roles(adapter)[cluster.port] == "primary"


async def test_a_killed_primary_that_comes_back(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """Without anybody taking over, writers wait for it; what was acknowledged is there."""
    async with AsyncDatabaseAdapter(config) as adapter:
        async with AsyncCrowd() as crowd:
            ledger = await under_load(adapter, crowd)
            for stop in (cluster.kill, cluster.stop):
                await crowd.aside(stop).result()
                await crowd.aside(cluster.start).result()
                await ledger.progress(crowd)
            ledger.end()
        await ledger.check()
        assert (await adapter.health())["main_pool"]


async def test_a_primary_that_stays_away(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """Writes are refused when connection_timeout is over, saying of each server what is wrong; reads go on."""
    async with AsyncDatabaseAdapter(limited(config, connection_timeout=1.0)) as adapter:
        await adapter.execute("CREATE TABLE t (a BIGINT)")
        await adapter.execute("INSERT INTO t (a) VALUES (1)")
        cluster.wait_for_replicas()
        async with AsyncCrowd() as crowd:
            while adapter.get_stats()["reads"]["replica"] == 0:
                assert await adapter.fetch_value("SELECT a FROM t") == 1
                await crowd.breathe()
            await crowd.aside(cluster.kill).result()
        with pytest.raises(DatabaseUnavailable):
            await adapter.execute("INSERT INTO t (a) VALUES (2)")
        for _ in range(20):
            assert await adapter.fetch_value("SELECT a FROM t") == 1
        health = await adapter.health()
        assert (health["status"], health["main_pool"], health["read_pool"]) == ("degraded", False, True)
        cluster.start()
        async with AsyncCrowd() as crowd:
            while not (await adapter.health())["main_pool"]:
                await crowd.breathe()
        await adapter.execute("INSERT INTO t (a) VALUES (2)")


async def test_replicas_leave_and_come_back(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """One killed, then the other stopped: readers notice nothing; back again, they serve again."""
    async with AsyncDatabaseAdapter(config) as adapter:
        await adapter.execute("CREATE TABLE t (a BIGINT)")
        await adapter.execute("INSERT INTO t (a) VALUES (1)")
        cluster.wait_for_replicas()  # other threads are no part of this one's session
        ended = False

        async def read() -> None:
            while not ended:
                assert await adapter.fetch_value("SELECT a FROM t") == 1
                with suppress(DatabaseUnavailable):  # half of a transaction cannot be read elsewhere
                    async with adapter.transaction(read_only=True) as tx:
                        assert await tx.fetch_value("SELECT a FROM t") == 1

        async def served(where: str, more: int = 50) -> None:
            wanted = adapter.get_stats()["reads"][where] + more
            while adapter.get_stats()["reads"][where] < wanted:
                for reader in readers:
                    if reader.done():
                        await reader.result()
                await crowd.breathe()

        async with AsyncCrowd() as crowd:
            readers = [crowd.start(read) for _ in range(WRITERS)]
            await served("replica")
            await crowd.aside(cluster.replicas[0].kill).result()
            await served("replica")
            await crowd.aside(cluster.replicas[1].stop).result()
            await served("primary")
            assert [node["healthy"] for node in adapter.get_stats()["nodes"]] == [True, False, False]
            assert all(node["problem"] for node in adapter.get_stats()["nodes"][1:])
            for replica in cluster.replicas:
                await crowd.aside(replica.start).result()
            while not all(node["healthy"] for node in adapter.get_stats()["nodes"]):
                await crowd.breathe()
            await served("replica")
            ended = True
        assert (await adapter.health())["status"] == "healthy"


async def test_roles_are_found(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """Configured the wrong way round, or all as candidates: the servers themselves say what they are."""
    primary = f"127.0.0.1:{cluster.port}"
    first, second = (f"127.0.0.1:{replica.port}" for replica in cluster.replicas)
    await prepare(config)
    for hosts in (
        {"host": first, "read_hosts": (primary, second)},
        {"host": f"{second},{primary},{first}", "read_hosts": ()},
        {"host": f"{first},{primary}", "read_hosts": (second, first)},
    ):
        async with AsyncDatabaseAdapter(limited(config, **hosts)) as adapter, AsyncCrowd() as crowd:
            await adapter.execute("INSERT INTO t (a) VALUES (1)")
            found = roles(adapter)
            assert found.pop(cluster.port) == "primary"
            while set(roles(adapter).values()) != {"primary", "replica"}:
                await crowd.breathe()
            while not adapter.get_stats()["reads"]["replica"]:
                await adapter.fetch_value("SELECT count(*) FROM t")
                await crowd.breathe()


async def prepare(config: DatabaseConfig) -> None:
    """A table ``t``."""
    async with AsyncDatabaseAdapter(config) as adapter:
        await adapter.execute("CREATE TABLE t (a BIGINT)")


READER = """
given = json.loads(sys.argv[1])
pool = PoolConfig(**given["pool"])
with DatabaseAdapter(DatabaseConfig(db_type=DatabaseType.POSTGRESQL, pool=pool)) as adapter:
    print([adapter.fetch_value("SELECT count(*) FROM t", after=token) for token in given["tokens"]])
"""


async def test_tokens_outlive_a_promotion(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """Another process sees what a token stands for, taken before the promotion or after it."""
    import json

    await prepare(config)
    async with AsyncDatabaseAdapter(config) as adapter:
        await adapter.execute("INSERT INTO t (a) VALUES (1)")
        before = await adapter.consistency_token()
        async with AsyncCrowd() as crowd:
            await crowd.aside(cluster.promote, 0).result()
        for replica in cluster.replicas:
            replica.set_apply_delay(0.3)
        try:
            await adapter.execute("INSERT INTO t (a) VALUES (2)")
            after = await adapter.consistency_token()
            assert before.split("-")[2] != after.split("-")[2]  # the timeline
            assert await adapter.fetch_value("SELECT count(*) FROM t", after=before) == 2
            assert (
                await adapter.fetch_value("SELECT count(*) FROM t", after=after, consistency="eventual") == 2
            )
            pool = attrs.asdict(config.pool)
            said = run(READER, json.dumps({"pool": pool, "tokens": [after, before, after]}))
        finally:
            for replica in cluster.replicas:
                replica.set_apply_delay(0)
    assert said.strip() == "[2, 2, 2]"


async def test_two_that_take_writes(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """A dead primary that is started again as one, after another took over, gets no write and serves no read."""
    await prepare(config)
    async with AsyncDatabaseAdapter(config) as adapter:
        async with AsyncCrowd() as crowd:
            ledger = await under_load(adapter, crowd)
            await crowd.aside(cluster.stop).result()
            await crowd.aside(cluster.promote, 0).result()
            await ledger.progress(crowd)
            former = cluster.replicas[0]
            (former.pgdata / "standby.signal").unlink(missing_ok=True)
            await crowd.aside(former._node.start, {}, set()).result()
            with psycopg.connect(former.url) as connection:
                assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
            while "takes writes too" not in (problem(adapter, former.port) or ""):
                await crowd.breathe()
            await ledger.progress(crowd, 200)
            assert roles(adapter)[cluster.port] == "primary"
            await crowd.aside(former.stop, "immediate").result()
            ledger.end()
        await ledger.check()


def problem(adapter: AsyncDatabaseAdapter, port: int) -> str | None:
    """What is wrong with the server at a port."""
    (found,) = [node["problem"] for node in adapter.get_stats()["nodes"] if node["port"] == port]
    return None if found is None else str(found)


async def test_a_moved_address(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """One address for whoever is the primary: what a standby refuses is an error, and after the move all is well."""
    await prepare(config)
    with Proxy("127.0.0.1", cluster.port) as proxy:
        moving = limited(config, host="127.0.0.1", port=proxy.port, read_hosts=(), connection_timeout=2.0)
        async with AsyncDatabaseAdapter(moving) as adapter, AsyncCrowd() as crowd:

            async def move(port: int) -> None:
                proxy.target = ("127.0.0.1", port)
                proxy.cut()
                while proxy.links:
                    await crowd.breathe()

            await adapter.execute("INSERT INTO t (a) VALUES (1)")
            await move(cluster.replicas[0].port)
            with pytest.raises((ReadOnlyViolation, DatabaseUnavailable)):
                await adapter.execute("INSERT INTO t (a) VALUES (2)")
            await move(cluster.port)
            await adapter.execute("INSERT INTO t (a) VALUES (3)")
            assert await adapter.fetch_value("SELECT sum(a) FROM t") == 4


async def test_a_primary_that_falls_silent(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """Cut off from the app, so that nothing is ever answered: once another is promoted, writers go on there."""
    with Proxy("127.0.0.1", cluster.port) as proxy:
        replicas = tuple(f"127.0.0.1:{replica.port}" for replica in cluster.replicas)
        behind = limited(config, host="127.0.0.1", port=proxy.port, read_hosts=replicas)
        async with AsyncDatabaseAdapter(behind) as adapter:
            async with AsyncCrowd() as crowd:
                ledger = await under_load(adapter, crowd)
                proxy.stall()
                await crowd.aside(
                    cluster.promote, 0
                ).result()  # an orderly one: what was acknowledged is there
                await ledger.progress(crowd)
                proxy.resume()
                while roles(adapter)[proxy.port] != "replica":
                    await crowd.breathe()
                await ledger.progress(crowd)
                ledger.end()
            await ledger.check()
            assert roles(adapter)[cluster.port] == "primary"
            stats = adapter.get_stats()
            assert (stats["active"], stats["waiting"]) == (0, 0)


async def test_a_replica_that_falls_silent(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """Reads that wait for an answer that will not come are asked of another server instead."""
    await prepare(config)
    with Proxy("127.0.0.1", cluster.replicas[0].port) as proxy:
        hosts = limited(config, read_hosts=(f"127.0.0.1:{proxy.port}",))
        async with AsyncDatabaseAdapter(hosts) as adapter, AsyncCrowd() as crowd:
            while not await adapter.fetch_value("SELECT pg_is_in_recovery()"):
                await crowd.breathe()
            proxy.stall()
            jobs = [crowd.start(adapter.fetch_value, "SELECT count(*) FROM t") for _ in range(WRITERS)]
            assert [await job.result() for job in jobs] == [0] * WRITERS
            assert not await adapter.fetch_value("SELECT pg_is_in_recovery()")
            proxy.resume()
            while not await adapter.fetch_value("SELECT pg_is_in_recovery()"):
                await crowd.breathe()


async def test_a_server_that_hangs_up_on_the_watch(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """Cut in the middle of setting it up, the watch over a server is begun again, and the server is used."""
    await prepare(config)
    with Proxy("127.0.0.1", cluster.replicas[0].port) as proxy:
        hosts = limited(config, read_hosts=(f"127.0.0.1:{proxy.port}",))
        fault = proxy.on(client_sends("PREPARE"), Link.cut, times=3)
        async with AsyncDatabaseAdapter(hosts) as adapter, AsyncCrowd() as crowd:
            while not await adapter.fetch_value("SELECT pg_is_in_recovery()"):
                await crowd.breathe()
        assert fault.times == 0


async def test_a_process_held_up(  # unasync: async-only
    cluster: EmbeddedPostgres, config: DatabaseConfig, caplog: pytest.LogCaptureFixture
) -> None:
    """An event loop that stood still for a while does not take its servers for dead: their answers have come."""
    async with AsyncDatabaseAdapter(config) as adapter:
        watched = adapter.pool.cluster
        assert watched is not None
        watched.nudge()
        while not any(node.silent_for(perf_counter()) for node in watched.nodes):
            await asyncio.sleep(0)
        sleep(2.5)  # with a question sent and its answer not read
        for _ in range(50):
            await adapter.fetch_value("SELECT 1")
            await asyncio.sleep(0.001)
    assert [record.getMessage() for record in caplog.records if "out of use" in record.getMessage()] == []


async def test_a_read_cut_off(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """A read whose connection is cut, before or after the server has it, is run again."""
    await prepare(config)
    with Proxy("127.0.0.1", cluster.replicas[0].port) as proxy:
        hosts = limited(config, read_hosts=(f"127.0.0.1:{proxy.port}",))
        async with AsyncDatabaseAdapter(hosts) as adapter, AsyncCrowd() as crowd:
            for number, action in enumerate([Link.cut, Link.finish, Link.half_close] * 2):
                while not await adapter.fetch_value("SELECT pg_is_in_recovery()"):
                    await crowd.breathe()
                fault = proxy.on(client_sends(f"SELECT {number} "), action, forward=number > 2)
                found = await adapter.fetch_value(f"SELECT {number} + count(*) FROM t")
                assert found == number
                assert fault.happened.wait(10)
            stats = adapter.get_stats()
            assert stats["active"] == 0


async def test_a_replica_that_comes_back_older(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """A read that had chosen a replica does not take what that shows after it was restarted meanwhile."""
    await prepare(config)
    replica = cluster.replicas[0]
    with Proxy("127.0.0.1", replica.port) as proxy:
        hosts = limited(config, read_hosts=(f"127.0.0.1:{proxy.port}",), min_connections=0)
        async with AsyncDatabaseAdapter(hosts) as adapter, AsyncCrowd() as crowd:
            await adapter.execute("INSERT INTO t (a) VALUES (1)")
            while not await adapter.fetch_value("SELECT pg_is_in_recovery() FROM t"):
                await crowd.breathe()
            held = adapter.transaction(read_only=True)
            tx = await held.__aenter__()
            assert await tx.fetch_value("SELECT count(*) FROM t") == 1
            proxy.stall()
            opened = proxy.accepted

            def bring_back() -> None:
                # Until the read below has chosen the replica, and opens a connection to it.
                while proxy.accepted == opened:
                    sleep(0.001)
                replica.set_apply_delay(60)
                replica.kill()
                replica.start()
                proxy.resume()

            try:
                job = crowd.aside(bring_back)
                assert await adapter.fetch_value("SELECT count(*) FROM t") == 1
                await job.result()
            finally:
                replica.set_apply_delay(0)
            with suppress(DatabaseUnavailable):
                await held.__aexit__(None, None, None)


async def test_a_query_in_the_way_of_replay(cluster: EmbeddedPostgres, config: DatabaseConfig) -> None:
    """What a replica cancels in order to go on replaying is run on the primary."""
    await prepare(config)
    async with AsyncDatabaseAdapter(config) as adapter, AsyncCrowd() as crowd:
        await adapter.insert_many("t", [{"a": n} for n in range(3)])
        while not await adapter.fetch_value("SELECT pg_is_in_recovery() FROM t LIMIT 1"):
            await crowd.breathe()
        slow = "SELECT count(*) FROM t, pg_sleep(CASE WHEN pg_is_in_recovery() THEN 60 ELSE 0 END)"
        job = crowd.start(adapter.fetch_value, slow)
        while not adapter.get_stats()["active"]:
            await crowd.breathe()
        with psycopg.connect(cluster.replicas[0].url) as one, psycopg.connect(cluster.replicas[1].url) as two:
            text = (
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%%pg_sleep(C%%'"
            )
            while not any(each.execute(text).fetchone() > (0,) for each in (one, two)):
                await crowd.breathe()
        async with adapter.transaction() as tx:
            await tx.execute("ALTER TABLE t ADD COLUMN b BIGINT")
        assert await job.result() == 3


async def test_cancelled_while_the_primary_is_away(
    cluster: EmbeddedPostgres, config: DatabaseConfig
) -> None:  # unasync: async-only
    """Tasks that are cancelled while they wait for a primary leave nothing behind."""
    await prepare(config)
    async with AsyncDatabaseAdapter(config) as adapter:
        await asyncio.to_thread(cluster.kill)
        tasks = [asyncio.ensure_future(adapter.execute("INSERT INTO t (a) VALUES (1)")) for _ in range(50)]
        await asyncio.sleep(0.3)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} <= {asyncio.CancelledError}
        await asyncio.to_thread(cluster.start)
        await adapter.execute("INSERT INTO t (a) VALUES (2)")
        assert await adapter.fetch_value("SELECT sum(a) FROM t") == 2
        stats = adapter.get_stats()
        assert (stats["active"], stats["waiting"]) == (0, 0)
