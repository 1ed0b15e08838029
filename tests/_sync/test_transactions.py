# Generated from tests/_async/test_transactions.py by tools/unasync.py; do not edit.
"""transaction, its savepoints, run_transaction and connection."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import (
    ConfigError,
    DatabaseAdapterError,
    DatabaseBusy,
    PoolExhausted,
    SerializationFailure,
    TransactionFailed,
    UniqueViolation,
)
from tests.crowd import Crowd, Signal

from .drivers import driver

ADD = "INSERT INTO n (i) VALUES (?)"


@pytest.fixture
def numbers(adapter: DatabaseAdapter) -> DatabaseAdapter:
    """The adapter with an empty table of distinct numbers."""
    adapter.execute("CREATE TABLE n (i BIGINT PRIMARY KEY)")
    return adapter


def held(db: Any) -> list[int]:
    """The numbers that are there."""
    return [row[0] for row in db.fetch_all("SELECT i FROM n ORDER BY i", row_type=tuple)]


def test_a_transaction_commits(numbers: DatabaseAdapter) -> None:
    """Its work is seen inside at once, outside after the block."""
    with numbers.transaction() as tx:
        tx.execute(ADD, (1,))
        assert held(tx) == [1]
        assert held(numbers) == []
    assert held(numbers) == [1]


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt, SystemExit])
def test_an_exception_rolls_back(numbers: DatabaseAdapter, error: type[BaseException]) -> None:
    """Whatever leaves the block but its end rolls back, and comes through unchanged."""
    raised = error("stop")
    with pytest.raises(error) as caught:
        with numbers.transaction() as tx:
            tx.execute(ADD, (1,))
            raise raised
    assert caught.value is raised
    assert held(numbers) == []
    assert numbers.get_stats()["active"] == 0


def test_savepoints(numbers: DatabaseAdapter) -> None:
    """A nested transaction that fails takes back only its own work; else it belongs to the outer."""
    with numbers.transaction() as tx:
        tx.execute(ADD, (1,))
        with pytest.raises(UniqueViolation):
            with tx.transaction() as inner:
                inner.execute(ADD, (2,))
                inner.execute(ADD, (1,))
        with tx.transaction() as inner:
            inner.execute(ADD, (3,))
            with pytest.raises(LookupError):
                with inner.transaction() as innermost:
                    innermost.execute(ADD, (4,))
                    raise LookupError
            with inner.transaction() as innermost:
                innermost.execute(ADD, (5,))
        assert held(tx) == [1, 3, 5]
    assert held(numbers) == [1, 3, 5]
    with pytest.raises(LookupError):
        with numbers.transaction() as tx:
            with tx.transaction() as inner:
                inner.execute(ADD, (6,))
            raise LookupError
    assert held(numbers) == [1, 3, 5]


def test_two_savepoints_of_one_name_level(numbers: DatabaseAdapter) -> None:
    """Savepoints one after another do not step on each other."""
    with numbers.transaction() as tx:
        for i in range(5):
            with pytest.raises(LookupError):
                with tx.transaction() as inner:
                    inner.execute(ADD, (100 + i,))
                    raise LookupError
            with tx.transaction() as inner:
                inner.execute(ADD, (i,))
    assert held(numbers) == [0, 1, 2, 3, 4]


def test_a_transaction_is_over_after_its_block(numbers: DatabaseAdapter) -> None:
    """Using tx later is an error of ours and touches nobody else's connection."""
    with numbers.transaction() as tx:
        tx.execute(ADD, (1,))
        with tx.transaction() as inner:
            inner.execute(ADD, (2,))
        with pytest.raises(DatabaseAdapterError):
            inner.execute(ADD, (3,))
    for use in (tx.execute, tx.fetch_all, tx.fetch_value):
        with pytest.raises(DatabaseAdapterError):
            use("SELECT 1")
    with pytest.raises(DatabaseAdapterError):
        with tx.transaction():
            pass
    with pytest.raises(DatabaseAdapterError):
        tx.insert_many("n", [{"i": 9}])
    with pytest.raises(DatabaseAdapterError):
        for _ in tx.stream("SELECT 1"):
            pass
    assert held(numbers) == [1, 2]


@pytest.mark.parametrize("nested", [False, True])
def test_a_transaction_is_for_one_block(numbers: DatabaseAdapter, nested: bool) -> None:
    """Using it before its block, or beginning it once more, inside the block or after it, is refused."""
    outer = numbers.transaction()
    if nested:
        outer.__enter__()
    tx = outer.transaction() if nested else outer
    with pytest.raises(TransactionFailed, match="has not begun"):
        tx.execute(ADD, (1,))
    with tx:
        with pytest.raises(TransactionFailed, match="for one with statement"):
            tx.__enter__()
        tx.execute(ADD, (2,))
    with pytest.raises(TransactionFailed, match="for one with statement"):
        with tx:
            tx.execute(ADD, (3,))
    tx.__exit__(None, None, None)  # it has ended: nothing is to be done
    if nested:
        outer.__exit__(None, None, None)
    assert held(numbers) == [2]
    assert numbers.get_stats()["active"] == 0


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
def test_isolation_levels(numbers: DatabaseAdapter, level: str) -> None:
    """The standard's levels are accepted on both (SQLite is always serializable)."""
    with numbers.transaction(isolation=level) as tx:
        tx.execute(ADD, (1,))
    assert held(numbers) == [1]


def test_an_unknown_isolation_level(numbers: DatabaseAdapter) -> None:
    """Another word is refused before anything is begun, naming the levels there are."""
    with pytest.raises((DatabaseAdapterError, ValueError), match="serializable"):
        with numbers.transaction(isolation="chaos; DROP TABLE n"):
            pass
    assert held(numbers) == []


def test_a_repeatable_read_sees_one_state(numbers: DatabaseAdapter) -> None:
    """A reading transaction goes on seeing the state it began with while others write."""
    with numbers.transaction(read_only=True, isolation="repeatable read") as tx:
        assert held(tx) == []
        numbers.execute(ADD, (1,))
        assert held(tx) == []
    assert held(numbers) == [1]


def test_the_level_does_not_stick(numbers: DatabaseAdapter) -> None:
    """read_only and isolation end with their transaction, whichever connection comes next."""
    for _ in range(4):
        with numbers.transaction(read_only=True, isolation="serializable") as tx:
            held(tx)
        with numbers.transaction() as tx:
            tx.execute("DELETE FROM n")
            tx.execute(ADD, (1,))
    assert held(numbers) == [1]


def test_run_transaction(numbers: DatabaseAdapter) -> None:
    """The function's result comes back; its exception rolls back and is not retried."""
    calls = []

    def work(tx: Any) -> int:
        calls.append(1)
        tx.execute(ADD, (len(calls),))
        if len(calls) > 1:
            raise LookupError
        return 42

    assert numbers.run_transaction(work) == 42
    with pytest.raises(LookupError):
        numbers.run_transaction(work)
    assert len(calls) == 2
    assert held(numbers) == [1]


@pytest.mark.parametrize("kind", [SerializationFailure, DatabaseBusy])
def test_run_transaction_retries(numbers: DatabaseAdapter, kind: type[Exception]) -> None:
    """What may succeed the next time is run again from the start, at most `retries` times more."""
    attempts = []

    def work(tx: Any) -> str:
        attempts.append(1)
        tx.execute(ADD, (1,))
        if len(attempts) < 3:
            raise kind("lost the race")
        return "won"

    assert numbers.run_transaction(work) == "won"
    assert (len(attempts), held(numbers)) == (3, [1])
    attempts.clear()
    numbers.execute("DELETE FROM n")
    with pytest.raises(kind):
        numbers.run_transaction(work, retries=1)
    assert (len(attempts), held(numbers)) == (2, [])


@pytest.mark.parametrize("retries", [-1, None, "3", 1.5])
def test_run_transaction_with_a_wrong_number_of_retries(numbers: DatabaseAdapter, retries: Any) -> None:
    """It is refused before anything runs."""

    def work(tx: Any) -> None:
        raise AssertionError("it ran")

    with pytest.raises(ConfigError, match="retries must be an integer of at least 0"):
        numbers.run_transaction(work, retries=retries)


def test_lost_updates_do_not_happen(numbers: DatabaseAdapter, on_sqlite: bool) -> None:
    """Read-then-write in serializable transactions from many sides at once adds up, by way of retries."""
    numbers.execute("CREATE TABLE account (id BIGINT PRIMARY KEY, balance BIGINT)")
    numbers.execute("INSERT INTO account (id, balance) VALUES (1, 0)")

    def deposit() -> None:
        def work(tx: Any) -> None:
            if not on_sqlite:  # where the default level would lose updates of this kind
                tx.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            balance = tx.fetch_value("SELECT balance FROM account WHERE id = 1")
            tx.execute("UPDATE account SET balance = ? WHERE id = 1", (balance + 1,))

        for _ in range(10):
            numbers.run_transaction(work, retries=200)

    with Crowd() as crowd:
        for _ in range(4):
            crowd.start(deposit)
    assert numbers.fetch_value("SELECT balance FROM account") == 40


def test_connection_is_the_drivers_own(numbers: DatabaseAdapter) -> None:
    """What the driver's connection does outside a transaction of its own is kept at once."""
    with numbers.connection() as raw:
        driver(raw.execute("INSERT INTO n (i) VALUES (1)"))
        assert held(numbers) == [1]
        cursor = driver(raw.execute("SELECT i FROM n"))
        assert driver(cursor.fetchone()) == (1,)
    assert held(numbers) == [1]


def test_connection_is_left_clean(numbers: DatabaseAdapter) -> None:
    """A transaction left open on the driver's connection is rolled back, and the next user finds none."""
    for _ in range(3):
        with numbers.connection() as raw:
            driver(raw.execute("BEGIN"))
            driver(raw.execute("INSERT INTO n (i) VALUES (1)"))
        with pytest.raises(LookupError):
            with numbers.connection() as raw:
                driver(raw.execute("BEGIN"))
                driver(raw.execute("INSERT INTO n (i) VALUES (2)"))
                raise LookupError
        assert held(numbers) == []
        numbers.execute(ADD, (7,))
        numbers.execute("DELETE FROM n")
    assert numbers.get_stats()["active"] == 0


def test_closing_the_drivers_connection_is_harmless(numbers: DatabaseAdapter) -> None:
    """Closing the driver's connection hurts nobody else."""
    for _ in range(3):
        with numbers.connection() as raw:
            driver(raw.close())
        numbers.execute(ADD, (1,))
        numbers.execute("DELETE FROM n")
        assert held(numbers) == []


def test_a_user_s_commit_inside_a_transaction(numbers: DatabaseAdapter) -> None:
    """COMMIT or ROLLBACK sent as a statement inside a block is refused or noticed."""
    for text in ("COMMIT", "ROLLBACK"):
        with pytest.raises(DatabaseAdapterError):
            with numbers.transaction() as tx:
                tx.execute(ADD, (1,))
                tx.execute(text)
                tx.execute(ADD, (2,))
        assert 2 not in held(numbers)
        numbers.execute("DELETE FROM n")
    assert numbers.get_stats()["active"] == 0


def test_begin_as_a_statement_of_the_adapter(numbers: DatabaseAdapter) -> None:
    """BEGIN through execute would poison a shared connection: refused, or harmless."""
    for _ in range(3):
        with suppress(DatabaseAdapterError):
            numbers.execute("BEGIN")
        numbers.execute(ADD, (1,))
        with numbers.transaction() as tx:
            tx.execute("DELETE FROM n WHERE i = 1")
        assert held(numbers) == []


def test_writers_wait_for_each_other(config: DatabaseConfig) -> None:
    """A second writing transaction waits for the first on the same row and then sees its work."""
    with DatabaseAdapter(config) as adapter:
        adapter.execute("CREATE TABLE account (id BIGINT PRIMARY KEY, balance BIGINT)")
        adapter.execute("INSERT INTO account (id, balance) VALUES (1, 0)")
        begun, let_go = Signal(), Signal()

        def first() -> None:
            with adapter.transaction() as tx:
                tx.execute("UPDATE account SET balance = balance + 1")
                begun.set()
                let_go.wait()

        def second() -> None:
            begun.wait()
            with adapter.transaction() as tx:
                tx.execute("UPDATE account SET balance = balance * 10")

        with Crowd() as crowd:
            crowd.start(first)
            other = crowd.start(second)
            begun.wait()
            assert adapter.fetch_value("SELECT balance FROM account") == 0  # readers do not wait
            for _ in range(20):
                crowd.breathe()
            assert not other.done()
            let_go.set()
        assert adapter.fetch_value("SELECT balance FROM account") == 10


def test_a_writer_that_waits_too_long_for_its_own_caller(config: DatabaseConfig) -> None:
    """Writing past one's own transaction when there is one connection: an error, not a hang."""
    tight = attrs.evolve(
        config, pool=attrs.evolve(config.pool, min_connections=1, max_connections=1, connection_timeout=0.2)
    )
    with DatabaseAdapter(tight) as adapter:
        adapter.execute("CREATE TABLE n (i BIGINT PRIMARY KEY)")
        with adapter.transaction() as tx:
            tx.execute(ADD, (1,))
            with pytest.raises(PoolExhausted) as caught:
                adapter.execute(ADD, (2,))
            assert caught.value.holders
            tx.execute(ADD, (3,))
        assert held(adapter) == [1, 3]
