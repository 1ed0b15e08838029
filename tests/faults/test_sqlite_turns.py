"""Several processes that write to one SQLite file: each gets its turn, and waiting can be ended."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter, DatabaseConfig, PoolConfig
from dbadapter._drivers.sqlite_turns import is_taken

WRITER = """
import sys
from dbadapter import DatabaseAdapter, DatabaseConfig
with DatabaseAdapter(DatabaseConfig(sqlite_path=sys.argv[1])) as adapter:
    me = int(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    while True:
        with adapter.transaction() as tx:
            if tx.fetch_value("SELECT sum(n) FROM t") >= 2000:
                break
            tx.execute("UPDATE t SET n = n + 1 WHERE writer = ?", [me])
"""


def test_nobody_starves(tmp_path: Path) -> None:
    """Of four processes at full load, each has its share; with SQLite's own waiting some get next to nothing."""
    config = DatabaseConfig(sqlite_path=str(tmp_path / "app.db"))
    with DatabaseAdapter(config) as adapter:
        adapter.execute("CREATE TABLE t (writer INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
        adapter.insert_many("t", [{"writer": number, "n": 0} for number in range(4)])
        command = [sys.executable, "-c", WRITER, config.sqlite_path]
        started = [Popen([*command, str(number)], stdin=PIPE, stdout=PIPE, text=True) for number in range(4)]
        try:
            for process in started:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            for process in started:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            assert [process.wait(60) for process in started] == [0] * 4
        finally:
            for process in started:
                process.kill()
                process.communicate()
        shares = adapter.fetch_all("SELECT n FROM t", row_type=tuple)
    assert sum(n for (n,) in shares) == 2000
    assert min(n for (n,) in shares) > 50


@pytest.mark.anyio
async def test_waiting_for_the_lock_can_be_cancelled(tmp_path: Path) -> None:
    """A cancelled task does not go on waiting until its patience ends, and the adapter works on."""
    config = DatabaseConfig(sqlite_path=str(tmp_path / "app.db"), pool=PoolConfig(connection_timeout=300))
    async with AsyncDatabaseAdapter(config) as adapter:
        await adapter.execute("CREATE TABLE t (a INTEGER)")
        with closing(sqlite3.connect(config.sqlite_path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            task = asyncio.create_task(adapter.execute("INSERT INTO t VALUES (1)"))
            inner = None
            while inner is None or not inner._is_waiting:
                await asyncio.sleep(0.01)
                inner = next((c.inner for c in adapter.pool.writer.state.active), None)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 60)
            other.execute("ROLLBACK")
        await adapter.execute("INSERT INTO t VALUES (2)")
        assert await adapter.fetch_all("SELECT a FROM t", row_type=tuple) == [(2,)]


def test_a_lent_connection_waits_by_itself(tmp_path: Path) -> None:
    """The driver's own connection waits for locks as long as connection_timeout says, while somebody has it."""
    config = DatabaseConfig(sqlite_path=str(tmp_path / "app.db"), pool=PoolConfig(connection_timeout=7))
    asked = "PRAGMA busy_timeout"
    with DatabaseAdapter(config) as adapter:
        for _ in range(2):
            with adapter.connection() as raw:
                assert raw.execute(asked).fetchone() == (7000,)
            with adapter.transaction() as tx, tx.connection() as raw:
                assert raw.execute(asked).fetchone() == (0,)  # it has the lock, and we do the waiting


def test_an_old_snapshot_is_not_waited_for() -> None:
    """Inside a transaction it stays old, so asking again would not help; outside, the next has a new one."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorname = "SQLITE_BUSY_SNAPSHOT"
    assert not is_taken(error, in_transaction=True)
    assert is_taken(error, in_transaction=False)
    assert not is_taken(sqlite3.OperationalError("no such table"), in_transaction=False)
