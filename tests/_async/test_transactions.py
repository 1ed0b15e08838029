"""transaction, its savepoints, run_transaction and connection."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import attrs
import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig
from dbadapter.errors import (
    ConfigError,
    DatabaseAdapterError,
    DatabaseBusy,
    PoolExhausted,
    SerializationFailure,
    TransactionFailed,
    UniqueViolation,
)
from tests.crowd import AsyncCrowd, AsyncSignal

from .drivers import driver

ADD = "INSERT INTO n (i) VALUES (?)"


@pytest.fixture
async def numbers(adapter: AsyncDatabaseAdapter) -> AsyncDatabaseAdapter:
    """The adapter with an empty table of distinct numbers."""
    await adapter.execute("CREATE TABLE n (i BIGINT PRIMARY KEY)")
    return adapter


async def held(db: Any) -> list[int]:
    """The numbers that are there."""
    return [row[0] for row in await db.fetch_all("SELECT i FROM n ORDER BY i", row_type=tuple)]


async def test_a_transaction_commits(numbers: AsyncDatabaseAdapter) -> None:
    """Its work is seen inside at once, outside after the block."""
    async with numbers.transaction() as tx:
        await tx.execute(ADD, (1,))
        assert await held(tx) == [1]
        assert await held(numbers) == []
    assert await held(numbers) == [1]


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt, SystemExit])
async def test_an_exception_rolls_back(numbers: AsyncDatabaseAdapter, error: type[BaseException]) -> None:
    """Whatever leaves the block but its end rolls back, and comes through unchanged."""
    raised = error("stop")
    with pytest.raises(error) as caught:
        async with numbers.transaction() as tx:
            await tx.execute(ADD, (1,))
            raise raised
    assert caught.value is raised
    assert await held(numbers) == []
    assert numbers.get_stats()["active"] == 0


async def test_savepoints(numbers: AsyncDatabaseAdapter) -> None:
    """A nested transaction that fails takes back only its own work; else it belongs to the outer."""
    async with numbers.transaction() as tx:
        await tx.execute(ADD, (1,))
        with pytest.raises(UniqueViolation):
            async with tx.transaction() as inner:
                await inner.execute(ADD, (2,))
                await inner.execute(ADD, (1,))
        async with tx.transaction() as inner:
            await inner.execute(ADD, (3,))
            with pytest.raises(LookupError):
                async with inner.transaction() as innermost:
                    await innermost.execute(ADD, (4,))
                    raise LookupError
            async with inner.transaction() as innermost:
                await innermost.execute(ADD, (5,))
        assert await held(tx) == [1, 3, 5]
    assert await held(numbers) == [1, 3, 5]
    with pytest.raises(LookupError):
        async with numbers.transaction() as tx:
            async with tx.transaction() as inner:
                await inner.execute(ADD, (6,))
            raise LookupError
    assert await held(numbers) == [1, 3, 5]


async def test_two_savepoints_of_one_name_level(numbers: AsyncDatabaseAdapter) -> None:
    """Savepoints one after another do not step on each other."""
    async with numbers.transaction() as tx:
        for i in range(5):
            with pytest.raises(LookupError):
                async with tx.transaction() as inner:
                    await inner.execute(ADD, (100 + i,))
                    raise LookupError
            async with tx.transaction() as inner:
                await inner.execute(ADD, (i,))
    assert await held(numbers) == [0, 1, 2, 3, 4]


async def test_a_transaction_is_over_after_its_block(numbers: AsyncDatabaseAdapter) -> None:
    """Using tx later is an error of ours and touches nobody else's connection."""
    async with numbers.transaction() as tx:
        await tx.execute(ADD, (1,))
        async with tx.transaction() as inner:
            await inner.execute(ADD, (2,))
        with pytest.raises(DatabaseAdapterError):
            await inner.execute(ADD, (3,))
    for use in (tx.execute, tx.fetch_all, tx.fetch_value):
        with pytest.raises(DatabaseAdapterError):
            await use("SELECT 1")
    with pytest.raises(DatabaseAdapterError):
        async with tx.transaction():
            pass
    with pytest.raises(DatabaseAdapterError):
        await tx.insert_many("n", [{"i": 9}])
    with pytest.raises(DatabaseAdapterError):
        async for _ in tx.stream("SELECT 1"):
            pass
    assert await held(numbers) == [1, 2]


@pytest.mark.parametrize("nested", [False, True])
async def test_a_transaction_is_for_one_block(numbers: AsyncDatabaseAdapter, nested: bool) -> None:
    """Using it before its block, or beginning it once more, inside the block or after it, is refused."""
    outer = numbers.transaction()
    if nested:
        await outer.__aenter__()
    tx = outer.transaction() if nested else outer
    with pytest.raises(TransactionFailed, match="has not begun"):
        await tx.execute(ADD, (1,))
    async with tx:
        with pytest.raises(TransactionFailed, match="for one with statement"):
            await tx.__aenter__()
        await tx.execute(ADD, (2,))
    with pytest.raises(TransactionFailed, match="for one with statement"):
        async with tx:
            await tx.execute(ADD, (3,))
    await tx.__aexit__(None, None, None)  # it has ended: nothing is to be done
    if nested:
        await outer.__aexit__(None, None, None)
    assert await held(numbers) == [2]
    assert numbers.get_stats()["active"] == 0


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
async def test_isolation_levels(numbers: AsyncDatabaseAdapter, level: str) -> None:
    """The standard's levels are accepted on both (SQLite is always serializable)."""
    async with numbers.transaction(isolation=level) as tx:
        await tx.execute(ADD, (1,))
    assert await held(numbers) == [1]


async def test_an_unknown_isolation_level(numbers: AsyncDatabaseAdapter) -> None:
    """Another word is refused before anything is begun, naming the levels there are."""
    with pytest.raises((DatabaseAdapterError, ValueError), match="serializable"):
        async with numbers.transaction(isolation="chaos; DROP TABLE n"):
            pass
    assert await held(numbers) == []


async def test_a_repeatable_read_sees_one_state(numbers: AsyncDatabaseAdapter) -> None:
    """A reading transaction goes on seeing the state it began with while others write."""
    async with numbers.transaction(read_only=True, isolation="repeatable read") as tx:
        assert await held(tx) == []
        await numbers.execute(ADD, (1,))
        assert await held(tx) == []
    assert await held(numbers) == [1]


async def test_the_level_does_not_stick(numbers: AsyncDatabaseAdapter) -> None:
    """read_only and isolation end with their transaction, whichever connection comes next."""
    for _ in range(4):
        async with numbers.transaction(read_only=True, isolation="serializable") as tx:
            await held(tx)
        async with numbers.transaction() as tx:
            await tx.execute("DELETE FROM n")
            await tx.execute(ADD, (1,))
    assert await held(numbers) == [1]


async def test_run_transaction(numbers: AsyncDatabaseAdapter) -> None:
    """The function's result comes back; its exception rolls back and is not retried."""
    calls = []

    async def work(tx: Any) -> int:
        calls.append(1)
        await tx.execute(ADD, (len(calls),))
        if len(calls) > 1:
            raise LookupError
        return 42

    assert await numbers.run_transaction(work) == 42
    with pytest.raises(LookupError):
        await numbers.run_transaction(work)
    assert len(calls) == 2
    assert await held(numbers) == [1]


@pytest.mark.parametrize("kind", [SerializationFailure, DatabaseBusy])
async def test_run_transaction_retries(numbers: AsyncDatabaseAdapter, kind: type[Exception]) -> None:
    """What may succeed the next time is run again from the start, at most `retries` times more."""
    attempts = []

    async def work(tx: Any) -> str:
        attempts.append(1)
        await tx.execute(ADD, (1,))
        if len(attempts) < 3:
            raise kind("lost the race")
        return "won"

    assert await numbers.run_transaction(work) == "won"
    assert (len(attempts), await held(numbers)) == (3, [1])
    attempts.clear()
    await numbers.execute("DELETE FROM n")
    with pytest.raises(kind):
        await numbers.run_transaction(work, retries=1)
    assert (len(attempts), await held(numbers)) == (2, [])


@pytest.mark.parametrize("retries", [-1, None, "3", 1.5])
async def test_run_transaction_with_a_wrong_number_of_retries(
    numbers: AsyncDatabaseAdapter, retries: Any
) -> None:
    """It is refused before anything runs."""

    async def work(tx: Any) -> None:
        raise AssertionError("it ran")

    with pytest.raises(ConfigError, match="retries must be an integer of at least 0"):
        await numbers.run_transaction(work, retries=retries)


async def test_lost_updates_do_not_happen(numbers: AsyncDatabaseAdapter, on_sqlite: bool) -> None:
    """Read-then-write in serializable transactions from many sides at once adds up, by way of retries."""
    await numbers.execute("CREATE TABLE account (id BIGINT PRIMARY KEY, balance BIGINT)")
    await numbers.execute("INSERT INTO account (id, balance) VALUES (1, 0)")

    async def deposit() -> None:
        async def work(tx: Any) -> None:
            if not on_sqlite:  # where the default level would lose updates of this kind
                await tx.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            balance = await tx.fetch_value("SELECT balance FROM account WHERE id = 1")
            await tx.execute("UPDATE account SET balance = ? WHERE id = 1", (balance + 1,))

        for _ in range(10):
            await numbers.run_transaction(work, retries=200)

    async with AsyncCrowd() as crowd:
        for _ in range(4):
            crowd.start(deposit)
    assert await numbers.fetch_value("SELECT balance FROM account") == 40


async def test_connection_is_the_drivers_own(numbers: AsyncDatabaseAdapter) -> None:
    """What the driver's connection does outside a transaction of its own is kept at once."""
    async with numbers.connection() as raw:
        await driver(raw.execute("INSERT INTO n (i) VALUES (1)"))
        assert await held(numbers) == [1]
        cursor = await driver(raw.execute("SELECT i FROM n"))
        assert await driver(cursor.fetchone()) == (1,)
    assert await held(numbers) == [1]


async def test_connection_is_left_clean(numbers: AsyncDatabaseAdapter) -> None:
    """A transaction left open on the driver's connection is rolled back, and the next user finds none."""
    for _ in range(3):
        async with numbers.connection() as raw:
            await driver(raw.execute("BEGIN"))
            await driver(raw.execute("INSERT INTO n (i) VALUES (1)"))
        with pytest.raises(LookupError):
            async with numbers.connection() as raw:
                await driver(raw.execute("BEGIN"))
                await driver(raw.execute("INSERT INTO n (i) VALUES (2)"))
                raise LookupError
        assert await held(numbers) == []
        await numbers.execute(ADD, (7,))
        await numbers.execute("DELETE FROM n")
    assert numbers.get_stats()["active"] == 0


async def test_closing_the_drivers_connection_is_harmless(numbers: AsyncDatabaseAdapter) -> None:
    """Closing the driver's connection hurts nobody else."""
    for _ in range(3):
        async with numbers.connection() as raw:
            await driver(raw.close())
        await numbers.execute(ADD, (1,))
        await numbers.execute("DELETE FROM n")
        assert await held(numbers) == []


async def test_a_user_s_commit_inside_a_transaction(numbers: AsyncDatabaseAdapter) -> None:
    """COMMIT or ROLLBACK sent as a statement inside a block is refused or noticed."""
    for text in ("COMMIT", "ROLLBACK"):
        with pytest.raises(DatabaseAdapterError):
            async with numbers.transaction() as tx:
                await tx.execute(ADD, (1,))
                await tx.execute(text)
                await tx.execute(ADD, (2,))
        assert 2 not in await held(numbers)
        await numbers.execute("DELETE FROM n")
    assert numbers.get_stats()["active"] == 0


async def test_begin_as_a_statement_of_the_adapter(numbers: AsyncDatabaseAdapter) -> None:
    """BEGIN through execute would poison a shared connection: refused, or harmless."""
    for _ in range(3):
        with suppress(DatabaseAdapterError):
            await numbers.execute("BEGIN")
        await numbers.execute(ADD, (1,))
        async with numbers.transaction() as tx:
            await tx.execute("DELETE FROM n WHERE i = 1")
        assert await held(numbers) == []


async def test_writers_wait_for_each_other(config: DatabaseConfig) -> None:
    """A second writing transaction waits for the first on the same row and then sees its work."""
    async with AsyncDatabaseAdapter(config) as adapter:
        await adapter.execute("CREATE TABLE account (id BIGINT PRIMARY KEY, balance BIGINT)")
        await adapter.execute("INSERT INTO account (id, balance) VALUES (1, 0)")
        begun, let_go = AsyncSignal(), AsyncSignal()

        async def first() -> None:
            async with adapter.transaction() as tx:
                await tx.execute("UPDATE account SET balance = balance + 1")
                begun.set()
                await let_go.wait()

        async def second() -> None:
            await begun.wait()
            async with adapter.transaction() as tx:
                await tx.execute("UPDATE account SET balance = balance * 10")

        async with AsyncCrowd() as crowd:
            crowd.start(first)
            other = crowd.start(second)
            await begun.wait()
            assert await adapter.fetch_value("SELECT balance FROM account") == 0  # readers do not wait
            for _ in range(20):
                await crowd.breathe()
            assert not other.done()
            let_go.set()
        assert await adapter.fetch_value("SELECT balance FROM account") == 10


async def test_a_writer_that_waits_too_long_for_its_own_caller(config: DatabaseConfig) -> None:
    """Writing past one's own transaction when there is one connection: an error, not a hang."""
    tight = attrs.evolve(
        config, pool=attrs.evolve(config.pool, min_connections=1, max_connections=1, connection_timeout=0.2)
    )
    async with AsyncDatabaseAdapter(tight) as adapter:
        await adapter.execute("CREATE TABLE n (i BIGINT PRIMARY KEY)")
        async with adapter.transaction() as tx:
            await tx.execute(ADD, (1,))
            with pytest.raises(PoolExhausted) as caught:
                await adapter.execute(ADD, (2,))
            assert caught.value.holders
            await tx.execute(ADD, (3,))
        assert await held(adapter) == [1, 3]
