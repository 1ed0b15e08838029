"""Carrying changes over from Postgres: in portions, whatever the rows have to do with each other, in nobody's way."""

from __future__ import annotations

import threading
from typing import Any

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.transfer._endpoints import open_postgres
from tests.switching.meddling import once

SQLITE, POSTGRES = DatabaseType.SQLITE, DatabaseType.POSTGRESQL
MANY = 12_000  # rows: several portions


@pytest.fixture
def there(both: DatabaseConfig) -> DatabaseConfig:
    """The two databases, on Postgres to begin with."""
    return attrs.evolve(both, db_type=POSTGRES)


def switch(config: DatabaseConfig, table: list[str], changes: list[str]) -> tuple[Any, Any]:
    """Make a table, switch while it is changed, and give its rows before the change and after the switch."""
    with DatabaseAdapter(config) as adapter, open_postgres(config) as raw:
        for statement in table:
            raw.execute(statement.encode())
        before: list[Any] = []

        def change() -> None:
            with raw.transaction():
                for statement in changes:
                    raw.execute(statement.encode())
            before.extend(adapter.fetch_all("SELECT * FROM t", row_type=tuple))

        report = adapter.switch_database(SQLITE, carry_data=True, progress=once("catching up", change))
        assert report.verified
        return sorted(before), sorted(adapter.fetch_all("SELECT * FROM t", row_type=tuple))


@pytest.mark.parametrize("unique", ["", "UNIQUE"])
def test_values_that_change_places(there: DatabaseConfig, unique: str) -> None:
    """A unique value may go from a row of the last portion to one of the first, and rows may come and go besides."""
    table = [
        f"CREATE TABLE t (a bigint PRIMARY KEY, b bigint {unique})",
        f"INSERT INTO t SELECT n, n FROM generate_series(1, {MANY}) n",
    ]
    changes = [
        "UPDATE t SET b = -b",
        f"UPDATE t SET b = {MANY + 1} - a",
        "DELETE FROM t WHERE a % 10 = 0",
        f"INSERT INTO t SELECT n, n FROM generate_series({MANY + 1}, {MANY + 100}) n",
    ]
    before, after = switch(there, table, changes)
    assert len(after) == MANY - MANY // 10 + 100
    assert after == before


@pytest.mark.parametrize("changes", [
    ["TRUNCATE t"],
    ["UPDATE t SET a = 0", "TRUNCATE t", "INSERT INTO t VALUES (5, 5)"],
    ["TRUNCATE t", "INSERT INTO t VALUES (1, 9)", "DELETE FROM t"],
])  # fmt: skip
def test_a_table_that_is_emptied(there: DatabaseConfig, changes: list[str]) -> None:
    """After a TRUNCATE the table is what it is then, whatever else was noted of it."""
    table = ["CREATE TABLE t (a bigint PRIMARY KEY, b bigint)", "INSERT INTO t VALUES (1, 2)"]
    before, after = switch(there, table, changes)
    assert after == before


def test_keys_of_several_columns_and_kinds(there: DatabaseConfig) -> None:
    """The parts of a key are noted with their own types, quotes in their names included."""
    table = [
        'CREATE TABLE t ("a ""b" text, n numeric(9, 2), d date, x bytea, PRIMARY KEY (d, "a ""b", x, n))',
        "INSERT INTO t SELECT 'é' || g, g / 4.0, date '2024-01-01' + g, decode(to_hex(g + 16), 'hex') "
        "FROM generate_series(1, 50) g",
    ]
    changes = [
        "UPDATE t SET n = n + 1 WHERE n < 3",
        "DELETE FROM t WHERE d > '2024-02-10'",
        "UPDATE t SET x = x || '\\x00' WHERE n > 9",
    ]
    before, after = switch(there, table, changes)
    assert len(after) == 40
    assert [row[:1] for row in after] == [row[:1] for row in before]


def test_keys_that_are_equal_and_spelled_otherwise(there: DatabaseConfig) -> None:
    """Where the server takes two spellings for one key, both are noted, and the file has the row once."""
    table = ["CREATE TABLE t (a numeric PRIMARY KEY, b int)", "INSERT INTO t VALUES (1.0, 1), (2.0, 2)"]
    switch(there, table, ["UPDATE t SET a = 1.00 WHERE a = 1", "UPDATE t SET b = 3 WHERE a = 2"])
    with DatabaseAdapter(attrs.evolve(there, db_type=SQLITE)) as adapter:
        stored = adapter.fetch_all("SELECT CAST(a AS TEXT), b FROM t ORDER BY b", row_type=tuple)
    assert stored == [("1", 1), ("2", 3)]


def test_a_long_transaction_is_in_nobodys_way(there: DatabaseConfig) -> None:
    """While a switch waits for a transaction that writes to a table, others go on writing to it."""
    with DatabaseAdapter(there) as adapter, open_postgres(there) as long, open_postgres(there) as other:
        adapter.execute("CREATE TABLE t (a bigint PRIMARY KEY)")
        long.execute("BEGIN")
        long.execute("INSERT INTO t VALUES (1)")
        mover = threading.Thread(target=adapter.switch_database, args=(SQLITE,), kwargs={"carry_data": True})
        mover.start()
        try:
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass"
            while other.execute(waiting).fetchone() == (0,):  # else the time limit of the test says so
                assert mover.is_alive()
            other.execute("SET lock_timeout = '5s'")
            for number in range(2, 20):
                other.execute("INSERT INTO t VALUES (%s)", (number,))
        finally:
            long.execute("COMMIT")
            mover.join()
        assert adapter.db_type is SQLITE
        assert adapter.fetch_value("SELECT count(*) FROM t") == 19


def test_a_vacuum_is_waited_for_before_the_pause(there: DatabaseConfig) -> None:
    """Who keeps a table as a vacuum does is waited for while the app goes on, and its changes are carried over."""
    with DatabaseAdapter(there) as adapter, open_postgres(there) as vacuum, open_postgres(there) as other:
        adapter.execute("CREATE TABLE t (a bigint PRIMARY KEY)")
        seen: list[str] = []

        def begin(told: Any) -> None:
            seen.append(told["phase"])
            if told["phase"] == "verifying":
                vacuum.execute("SELECT pg_sleep(0.3)")  # what began earlier would be waited for in any case
                vacuum.execute("BEGIN")
                vacuum.execute("LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE")

        options = {"carry_data": True, "progress": begin}
        mover = threading.Thread(target=adapter.switch_database, args=(SQLITE,), kwargs=options)
        mover.start()
        try:
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass"
            while other.execute(waiting).fetchone() == (0,):  # else the time limit of the test says so
                assert mover.is_alive()
            assert "switching" not in seen
            adapter.execute("INSERT INTO t VALUES (1)")
        finally:
            vacuum.execute("COMMIT")
            mover.join()
        assert (adapter.db_type, adapter.fetch_value("SELECT count(*) FROM t")) == (SQLITE, 1)
