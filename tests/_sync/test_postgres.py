# Generated from tests/_async/test_postgres.py by tools/unasync.py; do not edit.
"""What only a server knows: losers of races, lost connections, its own view of us."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import (
    DatabaseBusy,
    DatabaseUnavailable,
    DeadlockDetected,
    OutcomeUnknown,
    RetryableError,
    SerializationFailure,
)
from tests.crowd import Crowd, Signal


@pytest.fixture
def accounts(postgres_database: DatabaseConfig) -> Iterator[DatabaseAdapter]:
    """An adapter on Postgres with two rows to fight for."""
    with DatabaseAdapter(postgres_database) as adapter:
        adapter.execute("CREATE TABLE account (id BIGINT PRIMARY KEY, balance BIGINT)")
        adapter.insert_many("account", [{"id": 1, "balance": 0}, {"id": 2, "balance": 0}])
        yield adapter


def add(tx: Any, account: int) -> None:
    """One more on an account."""
    tx.execute("UPDATE account SET balance = balance + 1 WHERE id = ?", (account,))


def test_a_deadlock(accounts: DatabaseAdapter) -> None:
    """One of two that wait for each other gets DeadlockDetected, a RetryableError; the other goes through."""
    first, second = Signal(), Signal()
    lost: list[RetryableError] = []

    def transfer(mine: int, other: int, done: Signal, wait_for: Signal) -> None:
        try:
            with accounts.transaction() as tx:
                tx.execute("SET LOCAL deadlock_timeout = '20ms'")
                add(tx, mine)
                done.set()
                wait_for.wait()
                add(tx, other)
        except RetryableError as error:
            lost.append(error)

    with Crowd() as crowd:
        crowd.start(transfer, 1, 2, first, second)
        crowd.start(transfer, 2, 1, second, first)
    assert [(type(error), error.sqlstate) for error in lost] == [(DeadlockDetected, "40P01")]
    assert accounts.fetch_value("SELECT sum(balance) FROM account") == 2


def test_run_transaction_gets_over_deadlocks(accounts: DatabaseAdapter) -> None:
    """Run again, both get through."""

    def transfer(mine: int, other: int) -> None:
        def work(tx: Any) -> None:
            tx.execute("SET LOCAL deadlock_timeout = '5ms'")
            add(tx, mine)
            add(tx, other)

        for _ in range(20):
            accounts.run_transaction(work, retries=50)

    with Crowd() as crowd:
        for pair in ((1, 2), (2, 1), (1, 2), (2, 1)):
            crowd.start(transfer, *pair)
    assert accounts.fetch_value("SELECT sum(balance) FROM account") == 160


def test_a_serialization_failure(accounts: DatabaseAdapter) -> None:
    """Who decided on what another one has changed meanwhile gets SerializationFailure."""
    with pytest.raises(SerializationFailure) as caught:
        with accounts.transaction(isolation="serializable") as tx:
            tx.fetch_value("SELECT sum(balance) FROM account")
            add(accounts, 1)
            add(tx, 1)
    assert caught.value.sqlstate == "40001"
    assert accounts.fetch_value("SELECT sum(balance) FROM account") == 1


def test_a_lock_that_is_not_waited_for(accounts: DatabaseAdapter) -> None:
    """NOWAIT and lock_timeout are DatabaseBusy, as a locked SQLite file is."""
    with accounts.transaction() as tx:
        add(tx, 1)
        with pytest.raises(DatabaseBusy):
            accounts.fetch_all("SELECT * FROM account WHERE id = 1 FOR UPDATE NOWAIT")
        with pytest.raises(DatabaseBusy):
            with accounts.transaction() as other:
                other.execute("SET LOCAL lock_timeout = '10ms'")
                add(other, 1)


def end_connections(accounts: DatabaseAdapter, condition: str) -> int:
    """Have the server end all connections to this database that answer to a condition."""
    alone = attrs.evolve(accounts.config.pool, min_connections=1, max_connections=1)
    with DatabaseAdapter(attrs.evolve(accounts.config, pool=alone)) as killer:
        text = (
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            f" WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
        )
        return int(killer.fetch_value(text))


def test_connections_ended_while_idle(accounts: DatabaseAdapter) -> None:
    """Readers do not notice."""
    for _ in range(3):
        assert end_connections(accounts, "true") >= 1
        assert accounts.fetch_value("SELECT sum(balance) FROM account") == 0
    assert accounts.health()["status"] == "healthy"


def test_a_connection_ended_under_a_statement(accounts: DatabaseAdapter) -> None:
    """A write that was under way is an error of ours, is not there, and the next one works."""

    def write() -> None:
        with pytest.raises((DatabaseUnavailable, OutcomeUnknown)) as caught:
            accounts.execute("INSERT INTO account (id) SELECT 3 FROM pg_sleep(60)")
        assert caught.value.__cause__ is not None

    with Crowd() as crowd:
        crowd.start(write)
        while not end_connections(accounts, "query LIKE '%pg_sleep(60)%' AND state = 'active'"):
            crowd.breathe()
    assert accounts.fetch_value("SELECT count(*) FROM account") == 2
    add(accounts, 1)
    assert accounts.get_stats()["active"] == 0


def test_a_connection_ended_inside_a_transaction(accounts: DatabaseAdapter) -> None:
    """The transaction is lost and says so, whatever comes next in it; the adapter works on."""
    for use in ("execute", "fetch", "stream", "insert", "commit"):
        with pytest.raises((DatabaseUnavailable, OutcomeUnknown)):
            with accounts.transaction() as tx:
                add(tx, 1)
                end_connections(accounts, "true")
                if use == "execute":
                    add(tx, 2)
                elif use == "fetch":
                    tx.fetch_all("SELECT * FROM account")
                elif use == "insert":
                    tx.insert_many("account", [{"id": 9, "balance": 9}])
                elif use == "stream":
                    for _ in tx.stream("SELECT * FROM account"):
                        pass
        assert accounts.fetch_value("SELECT sum(balance) FROM account") == 0, use
    assert accounts.get_stats()["active"] == 0


def test_how_the_server_sees_us(postgres_database: DatabaseConfig) -> None:
    """application_name, the zone and the statement timeout are set on every connection."""
    pool = attrs.evolve(postgres_database.pool, application_name="shop's own", statement_timeout=7.5)
    with DatabaseAdapter(attrs.evolve(postgres_database, pool=pool)) as adapter:
        found = adapter.fetch_one(
            "SELECT current_setting('application_name') AS a, current_setting('TimeZone') AS z,"
            " current_setting('statement_timeout') AS t"
        )
    assert found == {"a": "shop's own", "z": "UTC", "t": "7500ms"}


def test_a_missing_database_is_made_when_asked_for(postgres_database: DatabaseConfig) -> None:
    """create_database=True makes it, under any name, once; without it the server's word is final."""
    name = f'made "{postgres_database.pool.database}" % ü'
    absent = attrs.evolve(postgres_database, pool=attrs.evolve(postgres_database.pool, database=name))
    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        DatabaseAdapter(absent).initialize()
    wanted = attrs.evolve(absent, create_database=True)

    def use() -> str:
        with DatabaseAdapter(wanted) as adapter:
            found: str = adapter.fetch_value("SELECT current_database()")
            return found

    try:
        with Crowd() as crowd:
            assert [each.result() for each in [crowd.start(use) for _ in range(3)]] == [name] * 3
        assert use() == name
    finally:
        quoted = name.replace('"', '""')
        with DatabaseAdapter(postgres_database) as adapter:
            adapter.execute(f'DROP DATABASE IF EXISTS "{quoted}" WITH (FORCE)')


def test_a_missing_database_that_may_not_be_made(accounts: DatabaseAdapter) -> None:
    """A role without the right to create databases: one error that says what was tried, and the server's reason."""
    accounts.execute("CREATE ROLE maker LOGIN PASSWORD 'maker'")
    try:
        pool = attrs.evolve(accounts.config.pool, user="maker", password="maker", database="never made")
        config = attrs.evolve(accounts.config, pool=pool, create_database=True)
        with pytest.raises(DatabaseUnavailable, match=r"never made is missing, .*permission denied"):
            DatabaseAdapter(config).initialize()
    finally:
        accounts.execute("DROP ROLE maker")


def test_a_server_that_lets_few_in(accounts: DatabaseAdapter) -> None:
    """A limit on the server's side makes callers wait for one of the connections there are, not fail."""
    accounts.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 2 PASSWORD 'few'")
    try:
        accounts.execute("GRANT SELECT ON account TO few")
        pool = attrs.evolve(
            accounts.config.pool, user="few", password="few", min_connections=1, max_connections=6
        )
        with DatabaseAdapter(attrs.evolve(accounts.config, pool=pool)) as adapter:

            def read() -> None:
                for _ in range(5):
                    assert adapter.fetch_value("SELECT count(*) FROM account") == 2

            with Crowd() as crowd:
                for _ in range(6):
                    crowd.start(read)
    finally:
        accounts.execute("DROP OWNED BY few")
        accounts.execute("DROP ROLE few")
