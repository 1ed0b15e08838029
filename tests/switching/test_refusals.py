"""What cannot be moved is refused with its reason, and leaves no trace in the source."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.errors import ConfigError, SwitchAborted
from dbadapter.transfer._endpoints import open_postgres

POSTGRES = DatabaseType.POSTGRESQL


def schema(config: DatabaseConfig) -> list[Any]:
    """Everything that the file consists of."""
    with closing(sqlite3.connect(config.sqlite_path)) as raw:
        return raw.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        (["CREATE TABLE t (a TEXT)"], "without a primary key"),
        (["CREATE TABLE t (a INTEGER PRIMARY KEY)", "CREATE VIEW v AS SELECT a FROM t"], "view v"),
        (
            [
                "CREATE TABLE t (a INTEGER PRIMARY KEY)",
                "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END",
            ],
            "trigger g",
        ),
        (
            ["CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)", "INSERT INTO t (b) VALUES (char(0))"],
            "every value",
        ),
    ],
)
def test_what_cannot_be_moved(both: DatabaseConfig, statements: list[str], reason: str) -> None:
    """The reason names it; the app goes on where it was."""
    with closing(sqlite3.connect(both.sqlite_path)) as raw, raw:
        for statement in statements:
            raw.execute(statement)
    with DatabaseAdapter(both) as adapter:
        before = schema(both)
        with pytest.raises(SwitchAborted, match=reason):
            adapter.switch_database(POSTGRES, carry_data=True)
        assert adapter.db_type is DatabaseType.SQLITE
        assert adapter.fetch_value("SELECT 1") == 1
    assert schema(both) == before
    with DatabaseAdapter(attrs.evolve(both, db_type=POSTGRES)) as target:
        assert target.list_tables() == []


def test_memory_is_refused(both: DatabaseConfig) -> None:
    """A database in memory cannot be followed by another connection."""
    with DatabaseAdapter(attrs.evolve(both, sqlite_path=":memory:")) as adapter:
        with pytest.raises(SwitchAborted, match="memory"):
            adapter.switch_database(POSTGRES, carry_data=True)


def test_a_target_with_rows_is_refused(both: DatabaseConfig) -> None:
    """Rows that are there are nobody's to remove; an empty table of the same shape is filled."""
    table = "CREATE TABLE t (a BIGINT PRIMARY KEY, b TEXT)"
    with DatabaseAdapter(attrs.evolve(both, db_type=POSTGRES)) as target, DatabaseAdapter(both) as adapter:
        target.execute(table)
        target.execute("INSERT INTO t VALUES (1, 'theirs')")
        adapter.execute("CREATE TABLE t (a BIGINT NOT NULL PRIMARY KEY, b TEXT)")
        adapter.execute("INSERT INTO t VALUES (2, 'ours')")
        before = schema(both)
        with pytest.raises(SwitchAborted, match="not empty"):
            adapter.switch_database(POSTGRES, carry_data=True)
        assert schema(both) == before
        assert target.fetch_all("SELECT b FROM t", row_type=tuple) == [("theirs",)]
        target.execute("DELETE FROM t")
        adapter.switch_database(POSTGRES, carry_data=True)
        assert target.fetch_all("SELECT b FROM t", row_type=tuple) == [("ours",)]


def test_tables_changed_in_mid_copy(both: DatabaseConfig) -> None:
    """A table that is rebuilt while it is being copied calls the switch off; nothing is left in the source."""
    with DatabaseAdapter(both) as adapter:
        adapter.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        adapter.insert_many("t", [{"a": number, "b": "x"} for number in range(50)])

        def alter(told: Any) -> None:
            if told["phase"] == "indexing":
                with closing(sqlite3.connect(both.sqlite_path)) as raw:
                    raw.execute("ALTER TABLE t ADD COLUMN c TEXT")

        with pytest.raises(SwitchAborted, match="altered"):
            adapter.switch_database(POSTGRES, carry_data=True, progress=alter)
        names = [name for _, name, _ in schema(both) if "dbadapter" in name]
        assert names == []
        report = adapter.switch_database(POSTGRES, carry_data=True)
        assert report.rows_copied == 50


def test_a_target_that_is_missing(both: DatabaseConfig) -> None:
    """With create_database=True a switch creates it, and a rehearsal does without it; else both are called off."""
    missing = attrs.evolve(both.pool, database=f"{both.pool.database} missing")
    target = attrs.evolve(both, db_type=DatabaseType.POSTGRESQL, pool=missing)
    wanted = attrs.evolve(target, create_database=True)
    with DatabaseAdapter(both) as adapter, open_postgres(both) as admin:
        adapter.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
        adapter.execute("INSERT INTO t VALUES (1)")
        try:
            with pytest.raises(SwitchAborted, match="does not exist"):
                adapter.switch_database(target, carry_data=True)
            assert adapter.rehearse_switch(wanted).verified
            with pytest.raises(SwitchAborted, match="does not exist"):
                adapter.rehearse_switch(target)
            assert adapter.switch_database(wanted, carry_data=True).verified
            assert adapter.fetch_value("SELECT a FROM t") == 1
        finally:
            adapter.close()
            admin.execute(f'DROP DATABASE IF EXISTS "{missing.database}" WITH (FORCE)'.encode())


def test_a_rehearsal_changes_nothing(both: DatabaseConfig) -> None:
    """It tells what a switch would do, in both directions, and leaves both ends as they were."""
    with DatabaseAdapter(both) as adapter:
        adapter.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        adapter.insert_many("t", [{"a": number, "b": "x"} for number in range(50)])
        before = schema(both)
        report = adapter.rehearse_switch(POSTGRES)
        assert (report.rows_copied, report.verified) == (50, True)
        assert report.paused_ms > 0
        assert schema(both) == before
        adapter.execute("INSERT INTO t (b) VALUES ('still here')")
        adapter.switch_database(POSTGRES, carry_data=True)
        report = adapter.rehearse_switch(attrs.evolve(both, db_type=DatabaseType.SQLITE))
        assert (report.rows_copied, report.verified) == (51, True)
        adapter.execute("INSERT INTO t (b) VALUES ('still there')")
        assert adapter.fetch_value("SELECT count(*) FROM t") == 52


@pytest.mark.parametrize("start", list(DatabaseType))
def test_no_plain_way_back_into_the_past(both: DatabaseConfig, start: DatabaseType) -> None:
    """A database that its data have left is not switched to as it is; with its data it is."""
    away = next(kind for kind in DatabaseType if kind is not start)
    with DatabaseAdapter(attrs.evolve(both, db_type=start)) as adapter:
        adapter.execute("CREATE TABLE t (a BIGINT PRIMARY KEY)")
        adapter.switch_database(away, carry_data=True)
        adapter.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(SwitchAborted, match="is of the past: carry_data=True"):
            adapter.switch_database(start)
        assert adapter.db_type is away
        adapter.execute("INSERT INTO t VALUES (2)")
        adapter.switch_database(start, carry_data=True)
        assert adapter.db_type is start
        assert adapter.fetch_all("SELECT a FROM t ORDER BY a", row_type=tuple) == [(1,), (2,)]


@pytest.mark.parametrize("start", list(DatabaseType))
def test_the_way_back_that_was_kept_open_loses_nothing(both: DatabaseConfig, start: DatabaseType) -> None:
    """With follow_back the old database is switched back to with all that is new, also by a plain switch."""
    away = next(kind for kind in DatabaseType if kind is not start)
    with DatabaseAdapter(attrs.evolve(both, db_type=start)) as adapter:
        adapter.execute("CREATE TABLE t (a BIGINT PRIMARY KEY)")
        adapter.switch_database(away, carry_data=True, follow_back=True)
        adapter.execute("INSERT INTO t VALUES (1)")
        assert adapter.switch_database(start).target == start.value
        assert adapter.fetch_value("SELECT a FROM t") == 1
        adapter.execute("INSERT INTO t VALUES (2)")
        assert adapter.db_type is start


@pytest.mark.parametrize("wrong", [{"carry_data": "no"}, {"follow_back": 1}, {"progress": "bar"}])
def test_what_is_no_wish(both: DatabaseConfig, wrong: dict[str, Any]) -> None:
    """A text that would count as true, and a progress that cannot be called, are refused before anything is done."""
    with DatabaseAdapter(both) as adapter:
        with pytest.raises(ConfigError, match=f"{next(iter(wrong))} must be"):
            adapter.switch_database(POSTGRES, **wrong)
        assert adapter.db_type is DatabaseType.SQLITE
