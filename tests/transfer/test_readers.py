"""Several readers of one SQLite file: they see the same moment, whatever is written meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dbadapter import DatabaseConfig
from dbadapter.transfer._endpoints import _ATTEMPTS, _open_read_only, _second_reader, sqlite_readers
from dbadapter.transfer._profile import profile_table
from dbadapter.transfer._sqlite_catalog import read_catalog


def _made(path: Path, journal: str) -> DatabaseConfig:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA journal_mode = {journal}")
        raw.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n DECIMAL(10,2), d DATE)")
        raw.executemany("INSERT INTO t (v) VALUES (?)", [("a",), ("b",)])
        raw.commit()
    return DatabaseConfig(sqlite_path=str(path))


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_readers_see_one_moment(tmp_path: Path, journal: str) -> None:
    """There are two of them, and what is written afterwards is seen by neither."""
    config = _made(tmp_path / "app.db", journal)
    with sqlite_readers(config) as readers:
        assert len(readers) == 2
        if journal == "wal":  # otherwise the readers keep the writer out
            with closing(sqlite3.connect(config.sqlite_path)) as raw:
                raw.execute("INSERT INTO t (v) VALUES ('c')")
                raw.commit()
        assert [raw.execute("SELECT count(*) FROM t").fetchone() for raw in readers] == [(2,), (2,)]


def test_without_a_common_moment_one_reads_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something is committed each time between the beginnings of the two, the second is given up."""
    config = _made(tmp_path / "app.db", "wal")
    attempts = []

    class Meddled(sqlite3.Connection):
        """Has something committed just before it begins."""

        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql == "BEGIN":
                attempts.append(sql)
                with closing(sqlite3.connect(config.sqlite_path)) as other:
                    other.execute("INSERT INTO t (v) VALUES ('c')")
                    other.commit()
            return super().execute(sql, *parameters)

    opened: list[sqlite3.Connection] = []

    def open_second(path: str, options: str) -> sqlite3.Connection:
        opened.append(sqlite3.connect(path, isolation_level=None, factory=Meddled))
        return opened[0]

    with closing(_open_read_only(config.sqlite_path, "mode=ro")) as first:
        monkeypatch.setattr("dbadapter.transfer._endpoints._open_read_only", open_second)
        assert _second_reader(first, config.sqlite_path, "mode=ro") is None
        assert len(attempts) == _ATTEMPTS
        seen = first.execute("SELECT count(*) FROM t").fetchone()
        with closing(sqlite3.connect(config.sqlite_path)) as other:
            other.execute("INSERT INTO t (v) VALUES ('c')")
            other.commit()
        assert first.execute("SELECT count(*) FROM t").fetchone() == seen
    with pytest.raises(sqlite3.ProgrammingError):
        opened[0].execute("SELECT 1")


def test_profiles_of_one_and_two_readers(tmp_path: Path) -> None:
    """What conforms is counted in SQL and the rest value by value, with the same outcome by one reader or two."""
    config = _made(tmp_path / "app.db", "wal")
    with closing(sqlite3.connect(config.sqlite_path)) as raw:
        rows = [(f"text {n}", n / 100, f"2024-01-{n % 28 + 1:02}") for n in range(3000)]
        raw.executemany("INSERT INTO t (v, n, d) VALUES (?, ?, ?)", rows)
        # A date in no format that is known, behind many others.
        raw.execute("UPDATE t SET d = '02/01/2024' WHERE id = 2500")
        raw.execute("UPDATE t SET v = CAST(x'ff' AS TEXT) WHERE id = 2600")
        raw.commit()
    with sqlite_readers(config) as readers:
        (table,) = read_catalog(readers[0]).tables
        both, alone = (profile_table(some, table) for some in (readers, readers[:1]))
    for found in (both, alone):
        assert found.rows == 3002
        assert found.columns["id"].classes == {"integer": 3002, "null": 0}
        assert found.columns["n"].classes == {"integer": 30, "real": 2970, "null": 2}
        assert found.columns["v"].classes == {"text": 3002}
        assert found.columns["v"].broken == 1
        assert found.columns["v"].longest == 9
        tallies = found.columns["d"].tried.ranked()
        assert [tally.guess for tally in tallies] == [True]
