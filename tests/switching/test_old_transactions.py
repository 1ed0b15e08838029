"""Transactions that are older than what they should have known: a mover waits for them, or they begin again."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType, Transaction
from dbadapter._drivers.postgres_link import PostgresLink
from dbadapter.switching.postgres_source import PostgresSource
from dbadapter.switching.to_sqlite import ToSQLite
from dbadapter.transfer._endpoints import open_postgres
from tests.switching.meddling import once

SQLITE, POSTGRES = DatabaseType.SQLITE, DatabaseType.POSTGRESQL
PATIENCE = 60
PASSWORD = "of both roles"
TABLE = "CREATE TABLE t (a BIGINT NOT NULL PRIMARY KEY)"


class Slow:
    """A thread with a transaction that reads, waits for `go`, and then writes; `seen` is what came of it."""

    def __init__(self, adapter: DatabaseAdapter) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.seen: list[Any] = []
        self._adapter = adapter
        self.thread = threading.Thread(target=self._run)

    def end(self) -> None:
        """Let it end, and wait for that."""
        self.go.set()
        self.thread.join()

    def _run(self) -> None:
        try:
            with self._adapter.transaction() as tx:
                tx.fetch_value("SELECT count(*) FROM t")
                self.begun.set()
                assert self.go.wait(PATIENCE)
                tx.execute("INSERT INTO t VALUES (100)")
            self.seen.append("committed")
        except Exception as exc:
            self.seen.append(exc)
        finally:
            self.begun.set()


@pytest.fixture
def home(both: DatabaseConfig) -> DatabaseConfig:
    """A database on the server with an empty table."""
    config = attrs.evolve(both, db_type=POSTGRES)
    with DatabaseAdapter(config) as adapter:
        adapter.execute(TABLE)
    return config


def test_who_stands_still_before_it_begins(home: DatabaseConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was suspended between looking where the data live and BEGIN looks again, and is waited for."""
    stopped, goes_on = threading.Event(), threading.Event()
    begin: Any = PostgresLink.begin

    def slow_begin(self: Any, **how: Any) -> None:
        if threading.current_thread() is slow.thread:
            stopped.set()
            assert goes_on.wait(PATIENCE)
        begin(self, **how)

    def wake() -> None:
        goes_on.set()
        assert slow.begun.wait(PATIENCE)

    with DatabaseAdapter(home) as adapter, DatabaseAdapter(home) as other:
        slow = Slow(other)
        monkeypatch.setattr(PostgresLink, "begin", slow_begin)
        slow.thread.start()
        assert stopped.wait(PATIENCE)
        close_gate = PostgresSource.close_gate

        def close_after(self: PostgresSource, tables: Any, patience: float) -> None:
            slow.go.set()  # what it has begun is in the way of the decision
            close_gate(self, tables, patience)

        monkeypatch.setattr(PostgresSource, "close_gate", close_after)
        adapter.switch_database(
            SQLITE, carry_data=True, progress=once("verifying", wake), drain_timeout=PATIENCE
        )
        slow.end()
        assert slow.seen == ["committed"]
        assert adapter.fetch_all("SELECT a FROM t", row_type=tuple) == [(100,)]


@pytest.fixture
def roles(home: DatabaseConfig) -> Iterator[list[str]]:
    """Two roles without rights on the server: the owner of the database, and one that may use its tables."""
    names = [f"app_{number}_{uuid.uuid4().hex[:12]}" for number in range(2)]
    with open_postgres(home) as admin:
        database = home.pool.database
        for name in names:
            admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'".encode())
        try:
            admin.execute(f'ALTER DATABASE "{database}" OWNER TO {names[0]}'.encode())
            admin.execute(f"GRANT ALL ON SCHEMA public TO {names[0]}".encode())
            admin.execute(f"ALTER TABLE t OWNER TO {names[0]}".encode())
            admin.execute(f"GRANT ALL ON t TO {names[1]}".encode())
            yield names
        finally:
            admin.execute(f'ALTER DATABASE "{database}" OWNER TO CURRENT_USER'.encode())
            for name in names:
                admin.execute(f"DROP OWNED BY {name} CASCADE".encode())
                admin.execute(f"DROP ROLE {name}".encode())


def test_processes_with_roles_of_their_own(
    home: DatabaseConfig, roles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another role has begun is waited for, and its process goes after the data like any other."""
    first, second = (
        attrs.evolve(home, pool=attrs.evolve(home.pool, user=role, password=PASSWORD)) for role in roles
    )
    with DatabaseAdapter(first) as adapter, DatabaseAdapter(second) as other:
        slow = Slow(other)
        slow.thread.start()
        assert slow.begun.wait(PATIENCE)
        told = ToSQLite._transactions

        def tell(self: ToSQLite) -> set[str]:
            found = told(self)
            if found & getattr(self, "_old", set()):
                slow.go.set()  # it is waited for
            return found

        monkeypatch.setattr(ToSQLite, "_transactions", tell)
        adapter.switch_database(SQLITE, carry_data=True)
        slow.end()
        assert slow.seen == ["committed"]
        other.execute("INSERT INTO t VALUES (101)")
        assert other.db_type is SQLITE
        assert adapter.fetch_all("SELECT a FROM t ORDER BY a", row_type=tuple) == [(100,), (101,)]


@pytest.mark.parametrize("start", [SQLITE, POSTGRES])
def test_a_body_that_meets_the_fence(
    both: DatabaseConfig, start: DatabaseType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run_transaction` runs it again where the data are by then, however long ago it looked."""
    config = attrs.evolve(both, db_type=start)
    ran: list[DatabaseType] = []

    def body(tx: Transaction) -> None:
        ran.append(tx.db_type)
        tx.execute("INSERT INTO t VALUES (1)")

    with DatabaseAdapter(config) as adapter, DatabaseAdapter(config) as other:
        adapter.execute(TABLE)
        other.fetch_value("SELECT count(*) FROM t")
        other._watch.look_after = 1e18
        target = POSTGRES if start is SQLITE else SQLITE
        adapter.switch_database(target, carry_data=True)
        other.run_transaction(body)
        assert ran == [start, target]
        assert adapter.fetch_value("SELECT count(*) FROM t") == 1
