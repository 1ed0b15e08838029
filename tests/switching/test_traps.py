"""What lies in wait for whoever moves data that are in use: old transactions, strangers, rebuilt tables, spellings."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import attrs
import psycopg
import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter._drivers.postgres_link import PostgresLink
from dbadapter._drivers.sqlite_link import SQLiteLink
from dbadapter._sync.following import arrive, follow
from dbadapter.errors import SwitchAborted
from dbadapter.switching.ends import is_on_network
from dbadapter.transfer._endpoints import open_postgres
from tests.switching.ledger import create, settle, writers
from tests.switching.meddling import once

SQLITE, POSTGRES = DatabaseType.SQLITE, DatabaseType.POSTGRESQL


@pytest.mark.anyio
async def test_an_async_adapter_under_load(both: DatabaseConfig, tmp_path: Path) -> None:
    """There and back by an async adapter, while processes write: nothing lost, nothing doubled."""
    with DatabaseAdapter(both) as adapter:
        create(adapter)
    async with AsyncDatabaseAdapter(both) as switching:
        with writers(both, tmp_path / "writers", 2) as crowd:
            for target in (POSTGRES, SQLITE):
                assert (await switching.switch_database(target, carry_data=True)).verified
                crowd.wait_for(20)
            ended = crowd.finish()
    assert [backend for backend, _ in ended] == ["sqlite"] * 2
    assert settle(both, crowd) == []


@pytest.mark.parametrize("home", [SQLITE, POSTGRES])
def test_a_transaction_that_has_not_begun(
    both: DatabaseConfig, home: DatabaseType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened before a switch by another adapter, and used after it: it runs where the data are by then."""
    config = attrs.evolve(both, db_type=home)
    target = POSTGRES if home is SQLITE else SQLITE
    with DatabaseAdapter(config) as adapter, DatabaseAdapter(config) as other:
        adapter.execute("CREATE TABLE t (a BIGINT NOT NULL PRIMARY KEY)")
        if (
            home is SQLITE
        ):  # there a transaction that may write holds the lock from its beginning, and is waited for
            monkeypatch.setattr("dbadapter.switching.ends._BUSY_SECONDS", 0.5)
            with other.transaction(), pytest.raises(SwitchAborted, match="locked"):
                adapter.switch_database(target, carry_data=True, drain_timeout=0.3)
            return
        with other.transaction() as tx:
            adapter.switch_database(target, carry_data=True)
            tx.execute("INSERT INTO t VALUES (1)")
        assert other.db_type is target
        assert adapter.fetch_value("SELECT count(*) FROM t") == 1


def test_a_reading_transaction_that_has_not_begun(both: DatabaseConfig) -> None:
    """It does not read what is of the past, though nobody's writes depend on it."""
    config = attrs.evolve(both, db_type=POSTGRES)
    with DatabaseAdapter(config) as adapter, DatabaseAdapter(config) as other:
        adapter.execute("CREATE TABLE t (a BIGINT NOT NULL PRIMARY KEY)")
        with other.transaction(read_only=True) as tx:
            adapter.switch_database(SQLITE, carry_data=True)
            adapter.execute("INSERT INTO t VALUES (1)")
            other._watch.look_after = other._watch.replicas_after = 0.0  # so much time has passed
            assert tx.fetch_value("SELECT count(*) FROM t") == 1
            assert tx.db_type is SQLITE


def held_up(
    late: threading.Thread, home: DatabaseType, monkeypatch: pytest.MonkeyPatch
) -> tuple[threading.Event, threading.Event]:
    """Have `late` wait in the middle of a BEGIN, as for a lock: an event that it does, and one that lets it go."""
    link = {SQLITE: SQLiteLink, POSTGRES: PostgresLink}[home]
    waits, go = threading.Event(), threading.Event()
    begin: Any = link.begin

    def slow_begin(self: Any, **how: Any) -> None:
        if threading.current_thread() is late:
            waits.set()
            assert go.wait(60)
        begin(self, **how)

    monkeypatch.setattr(link, "begin", slow_begin)
    return waits, go


@pytest.mark.parametrize("home", [SQLITE, POSTGRES])
def test_a_transaction_that_begins_late(
    both: DatabaseConfig, home: DatabaseType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits to begin, another thread goes over to the new home: the body runs there, once."""
    config = attrs.evolve(both, db_type=home)
    bodies: list[DatabaseType] = []

    def work() -> None:
        with other.transaction() as tx:
            tx.execute("INSERT INTO t VALUES (1)")
            bodies.append(tx.db_type)

    late = threading.Thread(target=work)
    with DatabaseAdapter(config) as adapter, DatabaseAdapter(config) as other:
        adapter.execute("CREATE TABLE t (a BIGINT NOT NULL PRIMARY KEY)")
        waits, go = held_up(late, home, monkeypatch)
        late.start()
        try:
            assert waits.wait(60)
            adapter.switch_database(POSTGRES if home is SQLITE else SQLITE, carry_data=True)
            monkeypatch.setattr("dbadapter._sync.following.LOOK_INTERVAL", 1e9)
            assert other.fetch_all("SELECT a FROM t") == []
            assert other.db_type is not home
        finally:
            go.set()
            late.join()
        assert bodies == [other.db_type]
        assert adapter.fetch_value("SELECT a FROM t") == 1


@pytest.mark.parametrize("home", [SQLITE, POSTGRES])
def test_a_transaction_that_begins_while_another_thread_goes_over(
    both: DatabaseConfig, home: DatabaseType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the other one has seen the move, and is on its way, does not make the old home looked at."""
    config = attrs.evolve(both, db_type=home)
    noticed = threading.Event()

    def follows(*what: Any) -> None:
        if threading.current_thread() is late:
            noticed.set()
        follow(*what)

    def arrives(*what: Any) -> None:
        if threading.current_thread() is not late:
            go.set()  # it goes on in the middle of this
            assert noticed.wait(60)
        arrive(*what)

    def work() -> None:
        try:
            with other.transaction() as tx:
                tx.execute("INSERT INTO t VALUES (1)")
        finally:
            noticed.set()

    late = threading.Thread(target=work)
    with DatabaseAdapter(config) as adapter, DatabaseAdapter(config) as other:
        adapter.execute("CREATE TABLE t (a BIGINT NOT NULL PRIMARY KEY)")
        waits, go = held_up(late, home, monkeypatch)
        late.start()
        try:
            assert waits.wait(60)
            adapter.switch_database(POSTGRES if home is SQLITE else SQLITE, carry_data=True)
            monkeypatch.setattr("dbadapter._sync.following.LOOK_INTERVAL", 1e9)
            monkeypatch.setattr("dbadapter._sync.access.follow", follows)
            monkeypatch.setattr("dbadapter._sync.following.arrive", arrives)
            assert len(other.fetch_all("SELECT a FROM t")) < 2
        finally:
            go.set()
            noticed.set()
            late.join()
        assert adapter.fetch_value("SELECT a FROM t") == 1


def test_a_reader_is_not_in_the_way_of_the_arrival(
    both: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Someone who reads the new home in a transaction holds up nobody; the fence, open by then, goes later."""
    monkeypatch.setattr("dbadapter.switching.postgres_between._PATIENCE", 0.3)
    fences = (
        "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname = %s), "
        "(SELECT count(*) FROM pg_proc WHERE proname = %s)"
    )
    with DatabaseAdapter(both) as adapter, open_postgres(both) as reader:
        adapter.execute("CREATE TABLE t (a BIGINT NOT NULL PRIMARY KEY)")
        adapter.switch_database(POSTGRES, carry_data=True)
        adapter.switch_database(SQLITE, carry_data=True)

        def read() -> None:
            reader.execute("BEGIN")
            reader.execute("SELECT FROM t")

        adapter.switch_database(POSTGRES, carry_data=True, progress=once("deciding", read))
        adapter.execute("INSERT INTO t VALUES (1)")
        assert reader.execute("SELECT a FROM t").fetchall() == [(1,)]
        reader.execute("COMMIT")
        assert reader.execute(fences, ["_dbadapter_fence"] * 2).fetchall() == [(1, 1)]
        adapter.switch_database(SQLITE, carry_data=True)
        with pytest.raises(psycopg.DatabaseError, match="moved"):
            reader.execute("INSERT INTO t VALUES (2)")
        adapter.switch_database(POSTGRES, carry_data=True)
        assert reader.execute(fences, ["_dbadapter_fence"] * 2).fetchall() == [(0, 0)]


@pytest.mark.parametrize("knows", [True, False])
def test_who_is_late_to_hear_of_a_switch(
    both: DatabaseConfig, knows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It moves nothing out of a database that the data have left: it goes after them first, or is refused."""
    with DatabaseAdapter(both) as adapter, DatabaseAdapter(both) as other:
        if not knows:
            monkeypatch.setattr(type(other), "_settle", lambda self: None)
        adapter.execute("CREATE TABLE t (a BIGINT NOT NULL PRIMARY KEY)")
        adapter.execute("INSERT INTO t VALUES (1)")
        adapter.switch_database(POSTGRES, carry_data=True)
        adapter.execute("DELETE FROM t")  # an empty table would be filled
        with pytest.raises(SwitchAborted, match="already in use" if knows else "moved the data away"):
            other.switch_database(POSTGRES, carry_data=True)
        assert other.fetch_all("SELECT a FROM t") == adapter.fetch_all("SELECT a FROM t") == []
        assert other.db_type is POSTGRES
        assert adapter.switch_database(SQLITE, carry_data=True).verified
        if knows:
            assert other.rehearse_switch(POSTGRES).verified


def test_a_fence_after_the_other(both: DatabaseConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many switches a process meets the fences of, each is another one, and looking helps."""
    ahead = 0.0

    def clock() -> float:
        return perf_counter() + ahead

    for module in ("access", "following"):
        monkeypatch.setattr(f"dbadapter._sync.{module}.perf_counter", clock)
    monkeypatch.setattr("dbadapter._sync.following.LOOK_INTERVAL", 1e9)  # nobody looks but at a fence
    with DatabaseAdapter(both) as adapter, DatabaseAdapter(both) as other:
        adapter.execute("CREATE TABLE t (a BIGINT NOT NULL PRIMARY KEY)")
        for number, target in enumerate([POSTGRES, SQLITE] * 2):
            other.execute("INSERT INTO t VALUES (?)", (number,))
            adapter.switch_database(target, carry_data=True)
            ahead += 6
            other.execute("INSERT INTO t VALUES (?)", (100 + number,))
            assert other.db_type is target
        assert adapter.fetch_value("SELECT count(*) FROM t") == 8


@pytest.mark.parametrize(
    "statement", ["VACUUM", "ALTER TABLE t RENAME TO u", "DROP TABLE t", "CREATE TABLE u (a)"]
)
def test_changed_tables_of_a_file(both: DatabaseConfig, statement: str) -> None:
    """What may have taken the triggers away, or renumbered rows, calls the switch off, and leaves nothing behind."""
    with DatabaseAdapter(both) as adapter:
        adapter.execute("CREATE TABLE t (a TEXT NOT NULL PRIMARY KEY, b TEXT)")
        adapter.insert_many("t", [{"a": str(number), "b": "x"} for number in range(50)])

        def meddle() -> None:
            with closing(sqlite3.connect(both.sqlite_path)) as raw:
                raw.execute(statement)

        with pytest.raises(SwitchAborted, match="altered or rebuilt"):
            adapter.switch_database(POSTGRES, carry_data=True, progress=once("indexing", meddle))
        assert adapter.fetch_value("SELECT count(*) FROM sqlite_master WHERE name LIKE '%dbadapter%'") == 0
        assert adapter.db_type is SQLITE


def test_changed_tables_of_a_server(both: DatabaseConfig) -> None:
    """The same on Postgres."""
    there = attrs.evolve(both, db_type=POSTGRES)
    with DatabaseAdapter(there) as adapter:
        adapter.execute("CREATE TABLE t (a BIGINT PRIMARY KEY)")

        def meddle() -> None:
            with open_postgres(there) as raw:
                raw.execute("CREATE TABLE u (a int)")

        with pytest.raises(SwitchAborted, match="created, altered or dropped"):
            adapter.switch_database(SQLITE, carry_data=True, progress=once("catching up", meddle))
        left = "SELECT count(*) FROM pg_class WHERE relname IN ('_dbadapter_changes', '_dbadapter_gate')"
        assert adapter.fetch_value(left) == 0
        assert adapter.fetch_value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%dbadapter%'") == 0


PARENTS = "CREATE TABLE parents (id BIGINT NOT NULL PRIMARY KEY, name TEXT)"
CHILDREN = (
    "CREATE TABLE children (id BIGINT NOT NULL PRIMARY KEY, "
    "parent BIGINT REFERENCES parents (id) ON DELETE CASCADE ON UPDATE CASCADE)"
)
STRANGE = [
    "INSERT INTO parents VALUES (100, 'new')",
    "UPDATE parents SET id = 200 WHERE id = 1",
    "DELETE FROM parents WHERE id = 2",
    "UPDATE parents SET name = 'changed' WHERE id = 3",
]


def family(adapter: DatabaseAdapter) -> None:
    """Two tables of which one hangs on the other."""
    adapter.execute(PARENTS)
    adapter.execute(CHILDREN)
    adapter.insert_many("parents", [{"id": number, "name": "x"} for number in range(10)])
    adapter.insert_many("children", [{"id": number, "parent": number % 10} for number in range(30)])


def seen(adapter: DatabaseAdapter) -> list[Any]:
    """All rows of both."""
    queries = ("SELECT id, name FROM parents ORDER BY id", "SELECT id, parent FROM children ORDER BY id")
    return [adapter.fetch_all(query, row_type=tuple) for query in queries]


def test_strangers_write_to_the_file_meanwhile(both: DatabaseConfig) -> None:
    """What a program without this library writes during the switch arrives, cascades too."""
    with DatabaseAdapter(both) as adapter:
        family(adapter)
        before: list[Any] = []

        def meddle() -> None:
            with closing(sqlite3.connect(both.sqlite_path, isolation_level=None)) as raw:
                raw.execute("PRAGMA foreign_keys = ON")
                for statement in STRANGE:
                    raw.execute(statement)
            before.extend(seen(adapter))

        adapter.switch_database(POSTGRES, carry_data=True, progress=once("indexing", meddle))
        assert seen(adapter) == before
        assert (200, "x") in before[0]


def test_strangers_write_to_the_server_meanwhile(both: DatabaseConfig) -> None:
    """The same from Postgres, TRUNCATE too."""
    there = attrs.evolve(both, db_type=POSTGRES)
    with DatabaseAdapter(there) as adapter:
        family(adapter)
        before: list[Any] = []

        def meddle() -> None:
            with open_postgres(there) as raw:
                for statement in [*STRANGE, "TRUNCATE children", "INSERT INTO children VALUES (77, 3)"]:
                    raw.execute(statement.encode())
            before.extend(seen(adapter))

        adapter.switch_database(SQLITE, carry_data=True, progress=once("catching up", meddle))
        assert seen(adapter) == before
        assert before[1] == [(77, 3)]


def test_spellings_and_counters_come_back(both: DatabaseConfig) -> None:
    """There and back, each value is stored as it was, and new rows get numbers that nobody has had."""
    asked = "SELECT id, typeof(at), at, typeof(ok), ok, typeof(price), price FROM t ORDER BY id"
    with closing(sqlite3.connect(both.sqlite_path)) as raw, raw:
        raw.execute(
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, at TIMESTAMP, ok BOOLEAN, price DECIMAL(8, 2))"
        )
        rows = [("2024-01-02T03:04:05", 1, 1.5), ("2024-01-02 03:04", 0, 2), (None, None, None)]
        raw.executemany("INSERT INTO t (at, ok, price) VALUES (?, ?, ?)", rows)
        raw.execute("INSERT INTO t (id) VALUES (900)")
        raw.execute("DELETE FROM t WHERE id = 900")
        before = raw.execute(asked).fetchall()
    with DatabaseAdapter(both) as adapter:
        adapter.switch_database(POSTGRES, carry_data=True)
        assert adapter.execute("INSERT INTO t (price) VALUES (3)").last_id == 901
        adapter.execute("DELETE FROM t WHERE id = 901")
        adapter.switch_database(SQLITE, carry_data=True)
        assert adapter.execute("INSERT INTO t (price) VALUES (4)").last_id == 902
        adapter.execute("DELETE FROM t WHERE id = 902")
    with closing(sqlite3.connect(both.sqlite_path)) as raw:
        assert raw.execute(asked).fetchall() == before


@pytest.mark.parametrize("follow_back", [False, True])
def test_percent_signs_in_names(both: DatabaseConfig, follow_back: bool) -> None:
    """What looks like a driver's placeholder is part of a name: rows are carried over both ways while they change."""
    insert = """INSERT INTO "t%s" ("100%d", "n%Y", "u%") VALUES (?, 'a', ?)"""
    with DatabaseAdapter(both) as adapter:
        adapter.execute(
            'CREATE TABLE "t%s" ("100%d" BIGINT NOT NULL PRIMARY KEY, "n%Y" TEXT NOT NULL, "u%" TEXT UNIQUE)'
        )
        adapter.execute_many(insert, [(1, "x"), (2, "%s")])
        for number, (target, back) in enumerate([(POSTGRES, follow_back), (SQLITE, False)], 3):
            meanwhile = once("catching up", partial(adapter.execute, insert, [number, f"{number}%"]))
            report = adapter.switch_database(target, carry_data=True, follow_back=back, progress=meanwhile)
            assert report.verified
            adapter.execute("""UPDATE "t%s" SET "n%Y" = ? WHERE "100%d" = 1""", [f"{number}%s"])
        found = adapter.fetch_all("""SELECT * FROM "t%s" ORDER BY "100%d\"""", row_type=tuple)
    assert found == [(1, "4%s", "x"), (2, "a", "%s"), (3, "a", "3%"), (4, "a", "4%")]


def test_network_file_systems_are_told_by_their_mounts(tmp_path: Path) -> None:
    """The innermost mount of a path counts; where nobody can say, nothing is refused."""
    mounted = tmp_path / "mounts"
    mounted.write_text(
        "/dev/sda / ext4 rw 0 0\nserver:/x /srv nfs4 rw 0 0\ntmpfs /srv/local tmpfs rw 0 0\n",
        encoding="utf-8",
    )
    kinds = [
        is_on_network(path, str(mounted)) for path in ("/srv/app.db", "/srv/local/app.db", "/home/app.db")
    ]
    assert kinds == ["nfs4", None, None]
    assert is_on_network("/srv/app.db", str(tmp_path / "none")) is None


@pytest.mark.parametrize("carry_data", [True, False])
def test_progress_that_fails(both: DatabaseConfig, carry_data: bool) -> None:
    """Before the decision it calls the switch off, with its own error as the cause; after it, nothing is undone."""
    with DatabaseAdapter(both) as adapter:
        adapter.execute("CREATE TABLE t (a BIGINT NOT NULL PRIMARY KEY)")

        def fail() -> None:
            raise ValueError("no paper")

        phase = "copying" if carry_data else "draining"
        adapter.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(SwitchAborted, match="no paper") as caught:
            adapter.switch_database(POSTGRES, carry_data=carry_data, progress=once(phase, fail))
        assert isinstance(caught.value.__cause__, ValueError)
        assert (adapter.db_type, adapter.fetch_value("SELECT count(*) FROM t")) == (SQLITE, 1)
        report = adapter.switch_database(POSTGRES, carry_data=carry_data, progress=once("switched", fail))
        assert (adapter.db_type, report.target) == (POSTGRES, "postgresql")
