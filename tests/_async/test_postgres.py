"""What only a server knows: losers of races, lost connections, its own view of us."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig
from dbadapter.errors import (
    DatabaseBusy,
    DatabaseUnavailable,
    DeadlockDetected,
    OutcomeUnknown,
    RetryableError,
    SerializationFailure,
)
from tests.crowd import AsyncCrowd, AsyncSignal


@pytest.fixture
async def accounts(postgres_database: DatabaseConfig) -> AsyncIterator[AsyncDatabaseAdapter]:
    """An adapter on Postgres with two rows to fight for."""
    async with AsyncDatabaseAdapter(postgres_database) as adapter:
        await adapter.execute("CREATE TABLE account (id BIGINT PRIMARY KEY, balance BIGINT)")
        await adapter.insert_many("account", [{"id": 1, "balance": 0}, {"id": 2, "balance": 0}])
        yield adapter


async def add(tx: Any, account: int) -> None:
    """One more on an account."""
    await tx.execute("UPDATE account SET balance = balance + 1 WHERE id = ?", (account,))


async def test_a_deadlock(accounts: AsyncDatabaseAdapter) -> None:
    """One of two that wait for each other gets DeadlockDetected, a RetryableError; the other goes through."""
    first, second = AsyncSignal(), AsyncSignal()
    lost: list[RetryableError] = []

    async def transfer(mine: int, other: int, done: AsyncSignal, wait_for: AsyncSignal) -> None:
        try:
            async with accounts.transaction() as tx:
                await tx.execute("SET LOCAL deadlock_timeout = '20ms'")
                await add(tx, mine)
                done.set()
                await wait_for.wait()
                await add(tx, other)
        except RetryableError as error:
            lost.append(error)

    async with AsyncCrowd() as crowd:
        crowd.start(transfer, 1, 2, first, second)
        crowd.start(transfer, 2, 1, second, first)
    assert [(type(error), error.sqlstate) for error in lost] == [(DeadlockDetected, "40P01")]
    assert await accounts.fetch_value("SELECT sum(balance) FROM account") == 2


async def test_run_transaction_gets_over_deadlocks(accounts: AsyncDatabaseAdapter) -> None:
    """Run again, both get through."""

    async def transfer(mine: int, other: int) -> None:
        async def work(tx: Any) -> None:
            await tx.execute("SET LOCAL deadlock_timeout = '5ms'")
            await add(tx, mine)
            await add(tx, other)

        for _ in range(20):
            await accounts.run_transaction(work, retries=50)

    async with AsyncCrowd() as crowd:
        for pair in ((1, 2), (2, 1), (1, 2), (2, 1)):
            crowd.start(transfer, *pair)
    assert await accounts.fetch_value("SELECT sum(balance) FROM account") == 160


async def test_a_serialization_failure(accounts: AsyncDatabaseAdapter) -> None:
    """Who decided on what another one has changed meanwhile gets SerializationFailure."""
    with pytest.raises(SerializationFailure) as caught:
        async with accounts.transaction(isolation="serializable") as tx:
            await tx.fetch_value("SELECT sum(balance) FROM account")
            await add(accounts, 1)
            await add(tx, 1)
    assert caught.value.sqlstate == "40001"
    assert await accounts.fetch_value("SELECT sum(balance) FROM account") == 1


async def test_a_lock_that_is_not_waited_for(accounts: AsyncDatabaseAdapter) -> None:
    """NOWAIT and lock_timeout are DatabaseBusy, as a locked SQLite file is."""
    async with accounts.transaction() as tx:
        await add(tx, 1)
        with pytest.raises(DatabaseBusy):
            await accounts.fetch_all("SELECT * FROM account WHERE id = 1 FOR UPDATE NOWAIT")
        with pytest.raises(DatabaseBusy):
            async with accounts.transaction() as other:
                await other.execute("SET LOCAL lock_timeout = '10ms'")
                await add(other, 1)


async def end_connections(accounts: AsyncDatabaseAdapter, condition: str) -> int:
    """Have the server end all connections to this database that answer to a condition."""
    alone = attrs.evolve(accounts.config.pool, min_connections=1, max_connections=1)
    async with AsyncDatabaseAdapter(attrs.evolve(accounts.config, pool=alone)) as killer:
        text = (
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            f" WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
        )
        return int(await killer.fetch_value(text))


async def test_connections_ended_while_idle(accounts: AsyncDatabaseAdapter) -> None:
    """Readers do not notice."""
    for _ in range(3):
        assert await end_connections(accounts, "true") >= 1
        assert await accounts.fetch_value("SELECT sum(balance) FROM account") == 0
    assert (await accounts.health())["status"] == "healthy"


async def test_a_connection_ended_under_a_statement(accounts: AsyncDatabaseAdapter) -> None:
    """A write that was under way is an error of ours, is not there, and the next one works."""

    async def write() -> None:
        with pytest.raises((DatabaseUnavailable, OutcomeUnknown)) as caught:
            await accounts.execute("INSERT INTO account (id) SELECT 3 FROM pg_sleep(60)")
        assert caught.value.__cause__ is not None

    async with AsyncCrowd() as crowd:
        crowd.start(write)
        while not await end_connections(accounts, "query LIKE '%pg_sleep(60)%' AND state = 'active'"):
            await crowd.breathe()
    assert await accounts.fetch_value("SELECT count(*) FROM account") == 2
    await add(accounts, 1)
    assert accounts.get_stats()["active"] == 0


async def test_a_connection_ended_inside_a_transaction(accounts: AsyncDatabaseAdapter) -> None:
    """The transaction is lost and says so, whatever comes next in it; the adapter works on."""
    for use in ("execute", "fetch", "stream", "insert", "commit"):
        with pytest.raises((DatabaseUnavailable, OutcomeUnknown)):
            async with accounts.transaction() as tx:
                await add(tx, 1)
                await end_connections(accounts, "true")
                if use == "execute":
                    await add(tx, 2)
                elif use == "fetch":
                    await tx.fetch_all("SELECT * FROM account")
                elif use == "insert":
                    await tx.insert_many("account", [{"id": 9, "balance": 9}])
                elif use == "stream":
                    async for _ in tx.stream("SELECT * FROM account"):
                        pass
        assert await accounts.fetch_value("SELECT sum(balance) FROM account") == 0, use
    assert accounts.get_stats()["active"] == 0


async def test_how_the_server_sees_us(postgres_database: DatabaseConfig) -> None:
    """application_name, the zone and the statement timeout are set on every connection."""
    pool = attrs.evolve(postgres_database.pool, application_name="shop's own", statement_timeout=7.5)
    async with AsyncDatabaseAdapter(attrs.evolve(postgres_database, pool=pool)) as adapter:
        found = await adapter.fetch_one(
            "SELECT current_setting('application_name') AS a, current_setting('TimeZone') AS z,"
            " current_setting('statement_timeout') AS t"
        )
    assert found == {"a": "shop's own", "z": "UTC", "t": "7500ms"}


async def test_a_missing_database_is_made_when_asked_for(postgres_database: DatabaseConfig) -> None:
    """create_database=True makes it, under any name, once; without it the server's word is final."""
    name = f'made "{postgres_database.pool.database}" % ü'
    absent = attrs.evolve(postgres_database, pool=attrs.evolve(postgres_database.pool, database=name))
    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        await AsyncDatabaseAdapter(absent).initialize()
    wanted = attrs.evolve(absent, create_database=True)

    async def use() -> str:
        async with AsyncDatabaseAdapter(wanted) as adapter:
            found: str = await adapter.fetch_value("SELECT current_database()")
            return found

    try:
        async with AsyncCrowd() as crowd:
            assert [await each.result() for each in [crowd.start(use) for _ in range(3)]] == [name] * 3
        assert await use() == name
    finally:
        quoted = name.replace('"', '""')
        async with AsyncDatabaseAdapter(postgres_database) as adapter:
            await adapter.execute(f'DROP DATABASE IF EXISTS "{quoted}" WITH (FORCE)')


async def test_a_missing_database_that_may_not_be_made(accounts: AsyncDatabaseAdapter) -> None:
    """A role without the right to create databases: one error that says what was tried, and the server's reason."""
    await accounts.execute("CREATE ROLE maker LOGIN PASSWORD 'maker'")
    try:
        pool = attrs.evolve(accounts.config.pool, user="maker", password="maker", database="never made")
        config = attrs.evolve(accounts.config, pool=pool, create_database=True)
        with pytest.raises(DatabaseUnavailable, match=r"never made is missing, .*permission denied"):
            await AsyncDatabaseAdapter(config).initialize()
    finally:
        await accounts.execute("DROP ROLE maker")


async def test_a_server_that_lets_few_in(accounts: AsyncDatabaseAdapter) -> None:
    """A limit on the server's side makes callers wait for one of the connections there are, not fail."""
    await accounts.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 2 PASSWORD 'few'")
    try:
        await accounts.execute("GRANT SELECT ON account TO few")
        pool = attrs.evolve(
            accounts.config.pool, user="few", password="few", min_connections=1, max_connections=6
        )
        async with AsyncDatabaseAdapter(attrs.evolve(accounts.config, pool=pool)) as adapter:

            async def read() -> None:
                for _ in range(5):
                    assert await adapter.fetch_value("SELECT count(*) FROM account") == 2

            async with AsyncCrowd() as crowd:
                for _ in range(6):
                    crowd.start(read)
    finally:
        await accounts.execute("DROP OWNED BY few")
        await accounts.execute("DROP ROLE few")
