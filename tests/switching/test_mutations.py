"""What the switch rests on, taken away piece by piece: each time something is lost, so the tests above can fail."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import attrs
import psycopg
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.errors import SwitchAborted
from dbadapter.switching import postgres_capture, sqlite_source, to_postgres
from dbadapter.transfer._endpoints import open_postgres

POSTGRES = DatabaseType.POSTGRESQL


def switch_with_replace(config: DatabaseConfig) -> list[Any]:
    """Switch while REPLACE removes a row that was copied already; what the target holds then."""
    with DatabaseAdapter(config) as adapter:
        adapter.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT UNIQUE)")
        adapter.execute("INSERT INTO t VALUES (1, 'one'), (2, 'two')")

        def replace(told: Any) -> None:
            if told["phase"] == "copying" and told["rows"] == 2:
                with closing(sqlite3.connect(config.sqlite_path)) as raw, raw:
                    raw.execute("INSERT OR REPLACE INTO t VALUES (3, 'one')")

        adapter.switch_database(POSTGRES, carry_data=True, progress=replace)
        return adapter.fetch_all("SELECT a, b FROM t ORDER BY a", row_type=tuple)


def test_replace_while_copying(both: DatabaseConfig) -> None:
    """A row that REPLACE removed unseen by delete triggers is gone in the target as well."""
    assert switch_with_replace(both) == [(2, "two"), (3, "one")]


def test_without_the_probe(both: DatabaseConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The removed row stays in the target: the copy cannot be made the same, and the switch is called off."""
    monkeypatch.setattr(sqlite_source, "read_unique_keys", lambda raw, table: ())
    with pytest.raises(SwitchAborted):
        switch_with_replace(both)


def foreign_write(config: DatabaseConfig) -> None:
    """A program that does not use the library writes to the file after the data have moved."""
    with DatabaseAdapter(config) as adapter:
        adapter.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
        adapter.switch_database(POSTGRES, carry_data=True)
    with closing(sqlite3.connect(config.sqlite_path)) as raw, raw:
        raw.execute("INSERT INTO t VALUES (1)")


def test_foreign_programs_are_refused(both: DatabaseConfig) -> None:
    """The file itself refuses the write, and says where the data are."""
    with pytest.raises(
        sqlite3.IntegrityError, match="dbadapter: moved: the data of this file live in postgresql://"
    ):
        foreign_write(both)


def test_without_the_fence(both: DatabaseConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write is accepted by the old file, and lost."""
    monkeypatch.setattr(to_postgres, "fence", lambda raw, tables, where: None)
    foreign_write(both)
    with DatabaseAdapter(attrs.evolve(both, db_type=POSTGRES)) as adapter:
        assert adapter.fetch_value("SELECT count(*) FROM t") == 0


def test_foreign_programs_are_refused_by_postgres(both: DatabaseConfig) -> None:
    """After the way back, the server refuses writes, TRUNCATE included."""
    there = attrs.evolve(both, db_type=POSTGRES)
    with DatabaseAdapter(both) as adapter:
        adapter.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
        for target in (POSTGRES, DatabaseType.SQLITE):
            adapter.switch_database(target, carry_data=True)
    with open_postgres(there) as raw:
        for statement in ("INSERT INTO t VALUES (1)", "UPDATE t SET a = 2", "DELETE FROM t", "TRUNCATE t"):
            with pytest.raises(psycopg.Error, match="dbadapter: moved"):
                raw.execute(statement.encode())


def late_commit(config: DatabaseConfig, take: Any) -> list[Any]:
    """Two changes of which the first to be noted is the last to be committed; what two rounds take."""
    with open_postgres(config) as one, open_postgres(config) as other, open_postgres(config) as mover:
        mover.execute("CREATE TABLE t (a int PRIMARY KEY)")
        postgres_capture.install_log(mover)
        postgres_capture.install_triggers(mover, 0, "t", ["a"])
        one.execute("BEGIN")
        one.execute("INSERT INTO t VALUES (1)")
        other.execute("INSERT INTO t VALUES (2)")
        taken = list(take(mover))
        one.execute("COMMIT")
        return taken + list(take(mover))


def test_late_commits_are_taken(postgres_database: DatabaseConfig) -> None:
    """Each change is taken once, whatever the order of the commits."""
    assert late_commit(postgres_database, postgres_capture.take_changes) == [(0, ["2"]), (0, ["1"])]


def test_with_a_cursor_instead(postgres_database: DatabaseConfig) -> None:
    """A cursor over the log's numbers loses what was committed late."""
    cursor = 0

    def take(raw: Any) -> list[Any]:
        nonlocal cursor
        query = "SELECT seq, tbl, key FROM _dbadapter_changes WHERE seq > %s ORDER BY seq"
        rows = raw.execute(query, (cursor,)).fetchall()
        cursor = max([cursor, *(row[0] for row in rows)])
        return [row[1:] for row in rows]

    assert late_commit(postgres_database, take) == [(0, ["2"])]
