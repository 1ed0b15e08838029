"""A switch that is killed: everybody agrees afterwards on where the data live, and the next attempt cleans up."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import attrs
import psycopg

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.transfer._endpoints import open_postgres
from tests.switching.ledger import ROOT, create, settle, to_json, writers

SCRIPT = """
import os, signal, sys
from dbadapter import DatabaseAdapter, DatabaseType
from tests.switching.ledger import from_json

def die(told):
    if told["phase"] == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

with DatabaseAdapter(from_json(sys.argv[1])) as adapter:
    adapter.switch_database(DatabaseType(sys.argv[3]), carry_data=True, progress=die)
"""


def killed_switch(config: DatabaseConfig, phase: str, target: DatabaseType) -> None:
    """A process that switches and is killed in the middle of `phase`."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", SCRIPT, to_json(config), phase, target.value]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -9, done.stderr


def refused_by_sqlite(config: DatabaseConfig) -> bool:
    """Whether the file refuses a program that knows nothing of us."""
    with closing(sqlite3.connect(config.sqlite_path)) as raw:
        try:
            raw.execute("INSERT INTO accounts (id, balance) VALUES (1000, 0)")
        except sqlite3.IntegrityError as error:
            return "dbadapter: moved" in str(error)
    return False


def refused_by_postgres(config: DatabaseConfig) -> bool:
    """The same of the server."""
    with open_postgres(config) as raw, closing(raw.cursor()) as cursor:
        try:
            # Of no row: writers would take the rows' locks in another order.
            cursor.execute("UPDATE accounts SET balance = balance WHERE id < 0")
        except psycopg.Error as error:
            return "dbadapter: moved" in str(error)
    return False


UNDECIDED = [
    "examining",
    "capturing",
    "copying",
    "indexing",
    "catching up",
    "verifying",
    "switching",
    "deciding",
]


def test_killed_on_the_way_to_postgres(both: DatabaseConfig, tmp_path: Path) -> None:
    """At every phase: writers go on where the record says, and the next attempt cleans up. The last one succeeds."""
    there = attrs.evolve(both, db_type=DatabaseType.POSTGRESQL)
    with DatabaseAdapter(both) as adapter:
        create(adapter)
    with writers(both, tmp_path / "writers", 2) as crowd:
        for phase in UNDECIDED:
            killed_switch(both, phase, DatabaseType.POSTGRESQL)
            crowd.wait_for(5)
            with DatabaseAdapter(both) as adapter:
                assert adapter.db_type is DatabaseType.SQLITE
        killed_switch(both, "decided", DatabaseType.POSTGRESQL)
        crowd.wait_for(20)
        with DatabaseAdapter(both) as adapter:
            assert adapter.db_type is DatabaseType.POSTGRESQL
        assert refused_by_sqlite(both)
        ended = crowd.finish()
    assert [backend for backend, _ in ended] == ["postgresql"] * 2
    assert settle(there, crowd) == []
    assert settle(both, crowd) == []


def test_killed_on_the_way_back(both: DatabaseConfig, tmp_path: Path) -> None:
    """The same from Postgres to the old file, which is refilled behind its fence and refuses strangers meanwhile."""
    there = attrs.evolve(both, db_type=DatabaseType.POSTGRESQL)
    with DatabaseAdapter(both) as adapter:
        create(adapter)
        adapter.switch_database(DatabaseType.POSTGRESQL, carry_data=True)
    with writers(there, tmp_path / "writers", 2) as crowd:
        for phase in UNDECIDED:
            if phase == "indexing":
                continue  # the file's indexes are made with its tables
            killed_switch(there, phase, DatabaseType.SQLITE)
            crowd.wait_for(5)
            assert refused_by_sqlite(both)
            with DatabaseAdapter(both) as adapter:
                assert adapter.db_type is DatabaseType.POSTGRESQL
        killed_switch(there, "decided", DatabaseType.SQLITE)
        crowd.wait_for(20)
        with DatabaseAdapter(there) as adapter:
            assert adapter.db_type is DatabaseType.SQLITE
        assert refused_by_postgres(there)
        # And once more to Postgres, whose tables are refilled behind its fence.
        killed_switch(both, "copying", DatabaseType.POSTGRESQL)
        assert refused_by_postgres(there)
        killed_switch(both, "deciding", DatabaseType.POSTGRESQL)
        assert refused_by_postgres(there)
        killed_switch(both, "decided", DatabaseType.POSTGRESQL)
        crowd.wait_for(20)
        assert not refused_by_postgres(there)
        ended = crowd.finish()
    assert [backend for backend, _ in ended] == ["postgresql"] * 2
    assert settle(both, crowd) == []
