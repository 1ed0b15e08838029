"""What the switch rests on, taken away piece by piece: each time data are wrong afterwards, and nothing says so.

Each scenario stands twice: as it is, where nothing is lost, and with the piece taken away, where exactly that is lost
which the piece is there for. So the tests of the switch can fail.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import attrs
import psycopg
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.errors import SwitchAborted
from dbadapter.switching import (
    postgres_capture,
    postgres_source,
    sqlite_source,
    sqlite_target,
    to_postgres,
    to_sqlite,
)
from dbadapter.switching.sqlite_fence import remove_fence
from dbadapter.transfer._endpoints import open_postgres
from tests.switching.meddling import once

SQLITE, POSTGRES = DatabaseType.SQLITE, DatabaseType.POSTGRESQL
Act = Callable[[], Any]


def after_verifying(act: Act) -> Callable[[Any], None]:
    """A progress callback that acts once, when nothing but the last rounds is left."""
    seen: list[str] = []

    def tell(told: Any) -> None:
        if told["phase"] == "catching up" and "verifying" in seen and "done" not in seen:
            seen.append("done")
            act()
        seen.append(told["phase"])

    return tell


def rows(config: DatabaseConfig, home: DatabaseType) -> list[Any]:
    """What the table has in one of the two databases."""
    with DatabaseAdapter(attrs.evolve(config, db_type=home)) as adapter:
        return adapter.fetch_all("SELECT a, b FROM t ORDER BY a", row_type=tuple)


# -- the probe -----------------------------------------------------------------------------------------------------


def switch_with_replace(config: DatabaseConfig, when: Callable[[Act], Callable[[Any], None]]) -> list[Any]:
    """Switch while REPLACE removes a row that was copied already; what the target holds then."""

    def replace() -> None:
        with closing(sqlite3.connect(config.sqlite_path)) as raw, raw:
            raw.execute("INSERT OR REPLACE INTO t VALUES (3, 'one')")
            raw.execute("UPDATE t SET b = 'three' WHERE a = 3")

    with DatabaseAdapter(config) as adapter:
        adapter.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT UNIQUE)")
        adapter.execute("INSERT INTO t VALUES (1, 'one'), (2, 'two')")
        adapter.switch_database(POSTGRES, carry_data=True, progress=when(replace))
        return adapter.fetch_all("SELECT a, b FROM t ORDER BY a", row_type=tuple)


def while_copying(act: Act) -> Callable[[Any], None]:
    """A progress callback that acts when the rows have been read."""
    return once("indexing", act)


@pytest.mark.parametrize("when", [while_copying, after_verifying])
def test_replace(both: DatabaseConfig, when: Any) -> None:
    """A row that REPLACE removed unseen by delete triggers is gone in the target as well."""
    assert switch_with_replace(both, when) == [(2, "two"), (3, "three")]


def test_without_the_probe(both: DatabaseConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The removed row stays in the target; while there is a verification to come, that finds it."""
    monkeypatch.setattr(sqlite_source, "read_unique_keys", lambda raw, table: ())
    with pytest.raises(
        SwitchAborted,
        match=r"the target's t differs from the source: .*key='\[1\]'.*target='the row is here'",
    ):
        switch_with_replace(both, while_copying)
    with DatabaseAdapter(both) as adapter:
        adapter.execute("DROP TABLE t")
    assert switch_with_replace(both, after_verifying) == [(1, "one"), (2, "two"), (3, "three")]


# -- the fence -----------------------------------------------------------------------------------------------------


def write_to_file(config: DatabaseConfig) -> None:
    """A program that does not use the library writes to the file."""
    with closing(sqlite3.connect(config.sqlite_path)) as raw, raw:
        raw.execute("INSERT INTO t VALUES (100, 'lost')")


def write_to_server(config: DatabaseConfig, statement: str = "INSERT INTO t VALUES (100, 'lost')") -> None:
    """The same on Postgres."""
    with open_postgres(config) as raw:
        raw.execute(statement.encode())


def switch(config: DatabaseConfig, *targets: DatabaseType, progress: Any = None) -> None:
    """Make a table, and switch; `progress` is that of the last switch."""
    with DatabaseAdapter(config) as adapter:
        adapter.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        for target in targets:
            adapter.switch_database(
                target, carry_data=True, progress=progress if target is targets[-1] else None
            )


def test_foreign_programs_are_refused(both: DatabaseConfig) -> None:
    """After a switch the old file itself refuses the write, and says where the data are."""
    switch(both, POSTGRES)
    with pytest.raises(
        sqlite3.IntegrityError, match="dbadapter: moved: the data of this file live in postgresql://"
    ):
        write_to_file(both)


def test_without_the_fence(both: DatabaseConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write is accepted by the old file, and lost."""
    monkeypatch.setattr(to_postgres, "fence", lambda raw, tables, where: None)
    switch(both, POSTGRES)
    write_to_file(both)
    assert rows(both, POSTGRES) == []


def test_foreign_programs_are_refused_by_postgres(both: DatabaseConfig) -> None:
    """After the way back, the server refuses writes, TRUNCATE included."""
    switch(both, POSTGRES, SQLITE)
    for statement in ("INSERT INTO t VALUES (1)", "UPDATE t SET a = 2", "DELETE FROM t", "TRUNCATE t"):
        with pytest.raises(psycopg.Error, match="dbadapter: moved"):
            write_to_server(both, statement)


def test_without_the_fence_of_postgres(both: DatabaseConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server accepts the write, and it is lost."""
    monkeypatch.setattr(to_sqlite, "fence", lambda raw, tables, where: None)
    switch(both, POSTGRES, SQLITE)
    write_to_server(both)
    assert rows(both, SQLITE) == []


def test_foreign_programs_are_refused_while_the_file_is_filled(both: DatabaseConfig) -> None:
    """A file that data are on their way to takes no writes of anybody else."""

    def write() -> None:
        with pytest.raises(sqlite3.IntegrityError, match="dbadapter: moved"):
            write_to_file(both)

    switch(both, POSTGRES, SQLITE, progress=after_verifying(write))
    assert rows(both, SQLITE) == []


def test_without_the_fence_of_a_file_that_is_filled(
    both: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write is taken for a part of the data."""

    def write() -> None:
        with closing(sqlite3.connect(both.sqlite_path, isolation_level=None)) as raw:
            remove_fence(raw)
        write_to_file(both)

    monkeypatch.setattr(sqlite_target, "set_closed", lambda raw, closed: None)
    switch(both, POSTGRES, SQLITE, progress=after_verifying(write))
    assert rows(both, SQLITE) == [(100, "lost")]


# -- the log -------------------------------------------------------------------------------------------------------


def switch_with_late_commit(config: DatabaseConfig, begun: Act = lambda: None) -> list[Any]:
    """Switch while two rows are written, of which the first to be noted is the last to be committed."""
    there = attrs.evolve(config, db_type=POSTGRES)
    with DatabaseAdapter(there) as adapter, ExitStack() as stack:
        adapter.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        late, other = (stack.enter_context(open_postgres(there)) for _ in range(2))

        def write() -> None:
            begun()
            late.execute("BEGIN")
            late.execute("INSERT INTO t VALUES (1, 'noted first, committed last')")
            other.execute("INSERT INTO t VALUES (2, 'noted last')")

        steps = [once("copying", write), after_verifying(lambda: late.execute("COMMIT"))]
        adapter.execute("INSERT INTO t VALUES (0, 'copied')")
        adapter.switch_database(SQLITE, carry_data=True, progress=lambda told: [step(told) for step in steps])
    return [number for number, _ in rows(config, SQLITE)]


def test_late_commits_are_carried_over(both: DatabaseConfig) -> None:
    """Every change arrives, whatever the order of the commits."""
    assert switch_with_late_commit(both) == [0, 1, 2]


def test_with_a_cursor_instead(both: DatabaseConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is read from a place on, rather than emptied, loses what was committed late."""
    place = "(0,0)"
    whole = postgres_capture.log_of

    def behind(number: int) -> str:
        return f"(SELECT * FROM {whole(number)} WHERE ctid > '{place}') AS behind"

    def go_on(raw: Any, number: int) -> None:
        nonlocal place
        row = raw.execute(f"SELECT max(ctid)::text FROM {whole(number)}").fetchone()
        place = row[0] or place

    def begun() -> None:
        for module in (postgres_capture, postgres_source):
            monkeypatch.setattr(module, "log_of", behind)
        monkeypatch.setattr(postgres_source, "empty_log", go_on)

    assert switch_with_late_commit(both, begun) == [0, 2]


def switch_with_write_in_between(config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Switch while a row is written after a round has read the log, and before it has emptied it."""
    there = attrs.evolve(config, db_type=POSTGRES)
    read = postgres_source.postgres_changes
    writing: list[bool] = []

    def reading(*args: Any) -> Any:
        yield from read(*args)
        if writing:
            writing.clear()
            write_to_server(there, "INSERT INTO t VALUES (2, 'after the log was read')")

    with DatabaseAdapter(there) as adapter:
        adapter.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")

        def write() -> None:
            writing.append(True)
            write_to_server(there, "INSERT INTO t VALUES (1, 'before')")

        monkeypatch.setattr(postgres_source, "postgres_changes", reading)
        adapter.switch_database(SQLITE, carry_data=True, progress=after_verifying(write))
    return [number for number, _ in rows(config, SQLITE)]


def test_one_moment_for_the_log(both: DatabaseConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is noted while a round goes on stays in the log for the next."""
    assert switch_with_write_in_between(both, monkeypatch) == [1, 2]


def test_without_one_moment(both: DatabaseConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a snapshot, a round takes out of the log what it has not read, and the row is lost."""
    begin = postgres_source.PostgresSource.begin_snapshot

    def begin_without(source: Any) -> None:
        begin(source)
        source.raw.execute("ROLLBACK")
        source.raw.execute("BEGIN")
        source.raw.execute("SET LOCAL row_security = off")

    monkeypatch.setattr(postgres_source.PostgresSource, "begin_snapshot", begin_without)
    assert switch_with_write_in_between(both, monkeypatch) == [1]
