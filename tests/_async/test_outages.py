"""One server that restarts, hangs up, falls silent or loses an answer; and what its callers are told."""

from __future__ import annotations

import asyncio  # unasync: async-only
import logging
from collections.abc import AsyncIterator, Iterator
from time import monotonic
from typing import Any

import attrs
import psycopg
import pytest
from psycopg import sql

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.errors import (
    ConnectionLost,
    DatabaseUnavailable,
    OutcomeUnknown,
    PoolExhausted,
)
from tests.crowd import AsyncCrowd, AsyncSignal
from tests.pgbouncer import running_pgbouncer
from tests.proxy import Link, Proxy, client_sends, server_reports
from tests.servers import TEMP_DIR, connect

from .ledger import AsyncLedger

WRITERS = 4


def limited(config: DatabaseConfig, **limits: object) -> DatabaseConfig:
    """The same with other limits."""
    return attrs.evolve(config, pool=attrs.evolve(config.pool, **limits))


@pytest.fixture
async def proxied(
    postgres_proxy: Proxy, postgres_database: DatabaseConfig
) -> AsyncIterator[AsyncDatabaseAdapter]:
    """An adapter behind a proxy, with a table ``t``."""
    config = limited(postgres_proxy.config(postgres_database), connection_timeout=20.0)
    async with AsyncDatabaseAdapter(config) as adapter:
        await adapter.execute("CREATE TABLE t (a BIGINT)")
        yield adapter


async def stored(config: DatabaseConfig) -> list[int]:
    """What the table holds, asked for directly."""
    async with AsyncDatabaseAdapter(config) as adapter:
        return [row["a"] for row in await adapter.fetch_all("SELECT a FROM t ORDER BY a")]


# -- a lost answer


@pytest.mark.parametrize("action", [Link.cut, Link.finish, Link.half_close])
async def test_a_commit_whose_answer_is_lost(
    proxied: AsyncDatabaseAdapter, postgres_proxy: Proxy, postgres_database: DatabaseConfig, action: Any
) -> None:
    """The server is asked what became of it: it was committed, so nothing is wrong."""
    for n in range(3):
        fault = postgres_proxy.on(server_reports("COMMIT"), action)
        async with proxied.transaction() as tx:
            await tx.execute("INSERT INTO t (a) VALUES (?)", (n,))
        assert fault.happened.wait(10)
    assert await stored(postgres_database) == [0, 1, 2]
    assert proxied.get_stats()["active"] == 0


async def test_a_commit_that_never_arrives(
    proxied: AsyncDatabaseAdapter, postgres_proxy: Proxy, postgres_database: DatabaseConfig
) -> None:
    """It was rolled back, which is said, so that it may be run again; run_transaction does so, once."""
    postgres_proxy.on(client_sends("COMMIT"), Link.cut)
    with pytest.raises(ConnectionLost, match="rolled back"):
        async with proxied.transaction() as tx:
            await tx.execute("INSERT INTO t (a) VALUES (1)")
    assert await stored(postgres_database) == []
    runs = 0

    async def work(tx: Any) -> None:
        nonlocal runs
        runs += 1
        await tx.execute("INSERT INTO t (a) VALUES (?)", (runs,))

    fault = postgres_proxy.on(client_sends("COMMIT"), Link.cut)
    await proxied.run_transaction(work)
    assert fault.happened.wait(10)
    assert (runs, await stored(postgres_database)) == (2, [2])


async def test_a_commit_nobody_can_tell_of(postgres_proxy: Proxy, postgres_database: DatabaseConfig) -> None:
    """With the server out of reach afterwards it is OutcomeUnknown, when connection_timeout is over at the latest."""
    config = limited(postgres_proxy.config(postgres_database), connection_timeout=1.0)
    async with AsyncDatabaseAdapter(config) as adapter:
        await adapter.execute("CREATE TABLE t (a BIGINT)")

        def vanish(link: Link) -> None:
            postgres_proxy.refuse()
            link.cut()

        postgres_proxy.on(server_reports("COMMIT"), vanish)
        runs, begun = 0, monotonic()

        async def work(tx: Any) -> None:
            nonlocal runs
            runs += 1
            await tx.execute("INSERT INTO t (a) VALUES (1)")

        with pytest.raises(OutcomeUnknown) as caught:
            await adapter.run_transaction(work)
        assert not isinstance(caught.value, ConnectionLost)
        assert monotonic() - begun < 20
        assert runs == 1
        postgres_proxy.listen()
        await adapter.execute("INSERT INTO t (a) VALUES (2)")
    assert await stored(postgres_database) == [1, 2]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_single_write_whose_answer_is_lost(
    proxied: AsyncDatabaseAdapter, postgres_proxy: Proxy, postgres_database: DatabaseConfig, moment: str
) -> None:
    """It may be there or not, so that is what is said, and it is not run again."""
    sql_text = "INSERT INTO t (a) VALUES (?)"
    await proxied.execute(sql_text, (0,))
    when = client_sends("INSERT") if moment == "before" else server_reports("INSERT")
    fault = postgres_proxy.on(when, Link.cut)
    with pytest.raises(OutcomeUnknown):
        await proxied.execute(sql_text, (1,))
    assert fault.happened.wait(10)
    postgres_proxy.on(when, Link.cut)
    with pytest.raises(OutcomeUnknown):
        await proxied.fetch_one(f"{sql_text} RETURNING a", (2,))
    assert await stored(postgres_database) == ([0] if moment == "before" else [0, 1, 2])
    assert proxied.get_stats()["active"] == 0


async def test_a_network_that_cuts_at_random(
    proxied: AsyncDatabaseAdapter, postgres_proxy: Proxy, postgres_database: DatabaseConfig
) -> None:
    """All connections cut again and again under load: every entry is what its writer was told."""
    async with AsyncCrowd() as crowd:
        ledger = AsyncLedger(proxied)
        await ledger.open()
        for number in range(WRITERS):
            crowd.start(ledger.write, number)
        for number in range(12):
            await ledger.progress(crowd, 15)
            (postgres_proxy.cut, postgres_proxy.finish, postgres_proxy.half_close)[number % 3]()
        await ledger.progress(crowd, 15)
        ledger.end()
    await ledger.check()
    assert ledger.longest < 40
    stats = proxied.get_stats()
    assert (stats["active"], stats["waiting"]) == (0, 0)
    assert stats["recycled_reasons"]


async def test_commits_cut_under_load(proxied: AsyncDatabaseAdapter, postgres_proxy: Proxy) -> None:
    """Every fourth answer to a COMMIT or so is lost under load; the account is right all the same."""
    async with AsyncCrowd() as crowd:
        ledger = AsyncLedger(proxied)
        await ledger.open()
        for number in range(WRITERS):
            crowd.start(ledger.write, number)
        for number in range(10):
            when = server_reports("COMMIT") if number % 2 else client_sends("COMMIT")
            fault = postgres_proxy.on(when, Link.cut)
            while not fault.happened.is_set():
                await ledger.progress(crowd, 2)
        ledger.end()
    await ledger.check()
    assert not ledger.unknown  # transactions' fates were learned, and nothing else was cut


# -- a server that restarts


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server to stop and kill."""
    with EmbeddedPostgres(settings={"max_connections": "100"}, temp_dir=TEMP_DIR) as server:
        yield server


@pytest.fixture
def database(server: EmbeddedPostgres) -> DatabaseConfig:
    """Its database ``postgres``, without the tables of the test before."""
    server.start()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS t, ledger")
        connection.execute("CREATE TABLE t (a BIGINT)")
    return limited(server.config, connection_timeout=40.0)


async def test_many_idle_connections(server: EmbeddedPostgres, database: DatabaseConfig) -> None:
    """After a restart no read fails and none has to try one dead connection after the other."""
    crowded = limited(database, min_connections=20, max_connections=20)
    async with AsyncDatabaseAdapter(crowded) as adapter, AsyncCrowd() as crowd:
        for stop in (server.kill, server.stop):
            await fill(adapter, crowd, 20)
            await crowd.aside(stop).result()
            waiting = [crowd.start(adapter.fetch_value, "SELECT count(*) FROM t") for _ in range(10)]
            await crowd.aside(server.start).result()
            waiting += [crowd.start(adapter.fetch_value, "SELECT count(*) FROM t") for _ in range(10)]
            assert [await job.result() for job in waiting] == [0] * 20
        stats = adapter.get_stats()
        assert stats["recycled_reasons"]["died while idle"] + stats["recycled_reasons"].get("broken", 0) >= 20
        assert stats["active"] == 0


async def fill(adapter: AsyncDatabaseAdapter, crowd: AsyncCrowd, count: int) -> None:
    """Wait until so many connections are open and idle."""
    give_back = AsyncSignal()

    async def hold() -> None:
        async with adapter.connection():
            await give_back.wait()

    holders = [crowd.start(hold) for _ in range(count)]
    while adapter.get_stats()["active"] < count:
        await crowd.breathe()
    give_back.set()
    for job in holders:
        await job.result()


async def test_restarts_under_load(server: EmbeddedPostgres, database: DatabaseConfig) -> None:
    """Killed and stopped while writers are at work: they wait for it, and every entry is what they were told."""
    async with AsyncDatabaseAdapter(database) as adapter:
        async with AsyncCrowd() as crowd:
            ledger = AsyncLedger(adapter)
            await ledger.open()
            for number in range(WRITERS):
                crowd.start(ledger.write, number)
            for stop in (server.kill, server.stop, server.kill):
                await ledger.progress(crowd)
                await crowd.aside(stop).result()
                await crowd.aside(server.start).result()
            await ledger.progress(crowd)
            ledger.end()
        await ledger.check()
        assert adapter.get_stats()["active"] == 0


async def test_a_server_that_stays_away(server: EmbeddedPostgres, database: DatabaseConfig) -> None:
    """Callers wait for connection_timeout and are told the server's reason; all of it is over then."""
    async with AsyncDatabaseAdapter(limited(database, connection_timeout=1.0)) as adapter:
        async with AsyncCrowd() as crowd:
            await crowd.aside(server.kill).result()
            begun = monotonic()
            jobs = [crowd.start(adapter.fetch_value, "SELECT 1") for _ in range(15)]
            for job in jobs:
                crowd.forget(job)
                with pytest.raises((DatabaseUnavailable, PoolExhausted), match="refused"):
                    await job.result()
            assert monotonic() - begun < 20
            await crowd.aside(server.start).result()
            assert await adapter.fetch_value("SELECT 1") == 1
        stats = adapter.get_stats()
        assert (stats["active"], stats["waiting"]) == (0, 0)
        assert stats["errors"] > 0


# -- exhaustion and leaks


async def test_exhaustion_names_the_last_failure(
    postgres_proxy: Proxy, postgres_database: DatabaseConfig
) -> None:
    """Who waits in vain for a connection while none can be opened is told why none can."""
    config = limited(
        postgres_proxy.config(postgres_database), min_connections=1, max_connections=2, connection_timeout=1.0
    )
    async with AsyncDatabaseAdapter(config) as adapter:
        async with adapter.connection():
            postgres_proxy.refuse()
            with pytest.raises((PoolExhausted, DatabaseUnavailable), match="refused"):
                async with AsyncCrowd() as crowd:
                    jobs = [crowd.start(adapter.fetch_value, "SELECT 1") for _ in range(3)]
                    for job in jobs:
                        crowd.forget(job)
                    for job in jobs:
                        await job.result()
            postgres_proxy.listen()
        assert await adapter.fetch_value("SELECT 1") == 1


async def test_a_leak_and_its_end_are_logged(
    config: DatabaseConfig, caplog: pytest.LogCaptureFixture
) -> None:
    """Once when the threshold is over, with the place, and once when the connection is back."""
    async with AsyncDatabaseAdapter(limited(config, leak_threshold=0.1)) as adapter, AsyncCrowd() as crowd:
        with caplog.at_level(logging.WARNING, "dbadapter.pool"):
            async with adapter.connection():
                while not adapter.get_stats()["leaks"]:
                    await crowd.breathe()
                (holder,) = adapter.get_stats()["holders"]
                assert "test_outages.py" in holder["where"]
                assert holder["seconds"] > 0
        said = [record.getMessage() for record in caplog.records if record.name == "dbadapter.pool"]
    assert ["leak_threshold" in text for text in said] == [True, False]
    assert "is back after" in said[1]
    assert all("test_outages.py" in text for text in said)


# -- passwords that change, and TLS


async def test_a_password_that_changes(postgres_database: DatabaseConfig) -> None:
    """A function is asked anew for every connection, so a rotated password is taken up without a restart."""
    role = f"rotating_{postgres_database.pool.database}"
    quoted = sql.Identifier(role)
    current = ["first"]

    def admin(text: sql.Composed) -> None:
        with connect(postgres_database, autocommit=True) as connection:
            connection.execute(text)

    admin(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'first'").format(quoted))
    try:
        config = limited(
            postgres_database,
            user=role,
            password=lambda: current[0],
            min_connections=1,
            max_connections=3,
            connection_timeout=2.0,
        )
        async with AsyncDatabaseAdapter(config) as adapter:
            assert await adapter.fetch_value("SELECT current_user") == role
            admin(sql.SQL("ALTER ROLE {} PASSWORD 'second'").format(quoted))
            async with adapter.connection():  # the one there was
                with pytest.raises(DatabaseUnavailable, match="password") as caught:
                    await adapter.fetch_value("SELECT 1")
                assert "first" not in str(caught.value)
                current[0] = "second"
                assert await adapter.fetch_value("SELECT current_user") == role
    finally:
        admin(sql.SQL("DROP ROLE {}").format(quoted))


async def test_a_password_function_that_fails(postgres_database: DatabaseConfig) -> None:
    """It is told by the kind of its failure alone, since its words may hold a secret; the next attempt may succeed."""
    secret = "hunter2"
    password = postgres_database.pool.current_password()
    failures = [ValueError(secret)]

    def ask_vault() -> str:
        if failures:
            raise failures[0]
        assert password is not None
        return password

    config = limited(postgres_database, password=ask_vault, connection_timeout=0.3)
    with pytest.raises(DatabaseUnavailable, match="password failed with ValueError") as caught:
        await AsyncDatabaseAdapter(config).initialize()
    assert secret not in str(caught.value)
    failures.clear()
    async with AsyncDatabaseAdapter(config) as adapter:
        assert await adapter.fetch_value("SELECT 1") == 1


async def test_a_certificate_is_checked(
    postgres_server: EmbeddedPostgres, postgres_database: DatabaseConfig, tmp_path: Any
) -> None:
    """verify-full takes the authority it is given and the name it asks for, and nothing else; it says so at once."""
    import trustme

    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    with running_pgbouncer(postgres_server.config, tls=True) as bouncer:
        config = limited(bouncer.config(postgres_database), connection_timeout=20.0)
        async with AsyncDatabaseAdapter(config) as adapter:
            assert await adapter.fetch_value("SELECT 1") == 1
        for wrong in ({"sslrootcert": str(other)}, {"host": "127.0.0.1"}):
            with pytest.raises(DatabaseUnavailable, match="certificate"):
                await AsyncDatabaseAdapter(limited(config, **wrong)).initialize()


# -- limits that change, and figures


@pytest.mark.parametrize("times", [3])
async def test_resizing_under_load(config: DatabaseConfig, times: int) -> None:
    """Wider and narrower while everybody is busy: nobody notices, and the limits hold in the end."""
    async with AsyncDatabaseAdapter(limited(config, min_connections=1, max_connections=3)) as adapter:
        async with AsyncCrowd() as crowd:
            ledger = AsyncLedger(adapter)
            await ledger.open()
            for number in range(8):
                crowd.start(ledger.write, number)
            for _ in range(times):
                for limits in ((4, 8), (0, 2)):
                    await adapter.pool.resize(*limits)
                    await ledger.progress(crowd, 20)
            ledger.end()
        await ledger.check()
        assert ledger.errors == []
        stats = adapter.get_stats()
        assert stats["max"] == 2
        assert stats["idle"] + stats["active"] <= 2


async def test_waits_are_told(config: DatabaseConfig) -> None:
    """Half of the requests wait: the median, the 95th percentile and the maximum say so, in that order."""
    async with AsyncDatabaseAdapter(limited(config, min_connections=1, max_connections=1)) as adapter:
        await adapter.execute("CREATE TABLE t (a BIGINT)")
        async with AsyncCrowd() as crowd:

            async def work() -> None:
                for _ in range(20):
                    await adapter.execute("INSERT INTO t (a) VALUES (1)")

            for _ in range(6):
                crowd.start(work)
        stats = adapter.get_stats()
    wait = stats["wait_ms"]
    assert 0 < stats["requests_waited"] <= stats["requests"]
    assert 0 <= wait["p50"] <= wait["p95"] <= wait["max"]
    assert 0 < wait["mean"] <= wait["max"]


async def test_five_thousand_tasks_mostly_cancelled(config: DatabaseConfig) -> None:  # unasync: async-only
    """Most are cancelled while they wait or work; no connection is left behind, here or at the server."""
    import random

    chance = random.Random(5000)
    async with AsyncDatabaseAdapter(limited(config, connection_timeout=120.0)) as adapter:
        await adapter.execute("CREATE TABLE t (a BIGINT)")

        async def work(n: int) -> None:
            if n % 3 == 0:
                await adapter.execute("INSERT INTO t (a) VALUES (?)", (n,))
            elif n % 3 == 1:
                async with adapter.transaction() as tx:
                    await tx.execute("INSERT INTO t (a) VALUES (?)", (n,))
                    await tx.execute("INSERT INTO t (a) VALUES (?)", (n,))
            else:
                await adapter.fetch_all("SELECT a FROM t LIMIT 5")

        tasks = [asyncio.ensure_future(work(n)) for n in range(5000)]
        doomed = chance.sample(range(5000), 3500)
        for number, victim in enumerate(doomed):
            tasks[victim].cancel()
            if number % 20 == 0:
                await asyncio.sleep(0)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
        stats = adapter.get_stats()
        assert (stats["active"], stats["waiting"], stats["holders"]) == (0, 0, [])
        done = {n for n, result in enumerate(results) if not isinstance(result, BaseException)}
        rows = await adapter.fetch_all("SELECT a, count(*) AS times FROM t GROUP BY a")
        times = {row["a"]: row["times"] for row in rows}
        assert all(times.get(n) == 1 for n in done if n % 3 == 0)
        assert all(times.get(n) == 2 for n in done if n % 3 == 1)
        assert all(count == (1 if n % 3 == 0 else 2) for n, count in times.items())
        assert stats["idle"] <= stats["max"]
