"""Interrupted, resumed, repeated: a killed run goes on, a dry run changes nothing, only what is named is replaced."""

from __future__ import annotations

import gc
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dbadapter import DatabaseConfig
from dbadapter.errors import TransferError
from dbadapter.transfer import plan_transfer, run_transfer

from .conftest import Maker
from .moving import asked, connect, content, move

SCRIPT = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, pad TEXT);"
    "CREATE TABLE u (k TEXT PRIMARY KEY, v) WITHOUT ROWID"
)
ROWS = {
    "t": [(n, "a\0b" if n % 5000 == 0 else f"value {n}", "x" * 600) for n in range(1, 20_001)],
    "u": [(f"key {n}", n) for n in range(300)],
}

# Kills itself, as kill -9 would, once so many rows of t are read; the groups committed so far stay.
KILLED = """
import os, signal, sys
from dbadapter.transfer import plan_transfer, run_transfer

def progress(phase, table, rows, total):
    if phase == "copy" and table == "t" and rows >= 12_000:
        os.kill(os.getpid(), signal.SIGKILL)

run_transfer(plan_transfer(sys.argv[1], sys.argv[2]), progress=progress)
"""


def url(config: DatabaseConfig) -> str:
    """The configuration as a URL, with its password."""
    if config.db_type.value == "sqlite":
        return f"sqlite:///{config.sqlite_path}"
    pool = config.pool
    return f"postgresql://{pool.user}:{pool.current_password()}@{pool.host}:{pool.port}/{pool.database}"


def kill_midway(source: DatabaseConfig, target: DatabaseConfig) -> None:
    """Run a transfer in a process of its own that is killed in the middle of the copy."""
    result = subprocess.run(
        [sys.executable, "-c", KILLED, url(source), url(target)],
        env=os.environ,
        capture_output=True,
        check=False,
    )
    assert result.returncode == -signal.SIGKILL, result.stderr.decode()


def test_a_killed_run_resumes(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """After kill -9 the rows that were committed stay, the run goes on behind them, and nothing is there twice."""
    source = lite(SCRIPT, ROWS)
    kill_midway(source, postgres_database)
    (before,) = asked(postgres_database, "SELECT count(*) FROM t")
    assert 0 < before < 20_000
    report = run_transfer(plan_transfer(source, postgres_database, profile=False), resume=True)
    assert report.verified, report.check
    assert report.rejects == 4
    assert asked(postgres_database, "SELECT count(*), count(DISTINCT id) FROM t") == [(20_000, 20_000)]
    with pytest.raises(TransferError, match=r"no interrupted transfer.*are complete; verify compares"):
        run_transfer(plan_transfer(source, postgres_database, profile=False), resume=True)


def test_a_killed_run_back_resumes(lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path) -> None:
    """The way back resumes as well, and ends with every byte in its place."""
    source = lite(SCRIPT, ROWS)
    move(source, postgres_database)
    back = DatabaseConfig(sqlite_path=str(tmp_path / "back.db"))
    kill_midway(postgres_database, back)
    report = run_transfer(plan_transfer(postgres_database, back), resume=True)
    assert report.verified, report.check
    assert content(back).rows["t"] == content(source).rows["t"]
    assert content(back).rows["u"] == content(source).rows["u"]


@pytest.mark.parametrize("phase", ["copy", "index", "verify"])
def test_a_callback_that_raises_ends_the_run(
    phase: str, lite: Maker, postgres_database: DatabaseConfig, caplog: pytest.LogCaptureFixture
) -> None:
    """Its exception is the caller's own, the driver has nothing to complain of, and the run can be taken up again."""
    source = lite(SCRIPT, {"t": ROWS["t"][:100], "u": ROWS["u"]})
    plan = plan_transfer(source, postgres_database)

    def progress(now: str, *_: object) -> None:
        if now == phase:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_transfer(plan, progress=progress)
    gc.collect()
    assert caplog.records == []
    if phase != "verify":  # by then everything is there
        report = run_transfer(plan, resume=True)
        assert (report.rows, report.verified) == (400, True)


def test_a_source_that_changed_is_not_resumed(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Rows written since the interruption would be missed, so the run has to start again; recreate does."""
    source = lite(SCRIPT, ROWS)
    kill_midway(source, postgres_database)
    with closing(sqlite3.connect(source.sqlite_path)) as raw:
        raw.execute("UPDATE t SET v = 'changed' WHERE id = 1")
        raw.commit()
    plan = plan_transfer(source, postgres_database)
    with pytest.raises(TransferError, match="changed since"):
        run_transfer(plan, resume=True)
    assert run_transfer(plan, recreate=True).verified


def test_a_dry_run_changes_nothing(lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path) -> None:
    """A dry run gives the statements and the expected rejects; the target has not so much as a note of ours."""
    source = lite("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", {"t": [(1, "a\0b")]})
    _, report = move(source, postgres_database, dry_run=True)
    assert any("CREATE TABLE" in statement for statement in report.statements)
    assert (report.tables[0].rows, report.rejects) == (1, 1)
    assert (
        asked(postgres_database, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        == []
    )
    move(source, postgres_database)
    back = tmp_path / "back.db"
    move(postgres_database, DatabaseConfig(sqlite_path=str(back)), dry_run=True)
    assert not back.exists()


def test_recreate_replaces_what_it_names_only(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Without recreate a table that has rows is an error; with it the plan's tables are replaced and no others."""
    source = lite("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
    with connect(postgres_database) as raw:
        raw.execute("CREATE TABLE t (old text); INSERT INTO t VALUES ('x'); CREATE TABLE other (a int);")
        raw.execute("INSERT INTO other VALUES (5)")
    plan = plan_transfer(source, postgres_database)
    with pytest.raises(TransferError, match="not empty: it has t already"):
        run_transfer(plan)
    assert asked(postgres_database, "SELECT old FROM t") == ["x"]
    assert run_transfer(plan, recreate=True).verified
    assert asked(postgres_database, "SELECT id FROM t") == [1]
    assert asked(postgres_database, "SELECT a FROM other") == [5]


def test_recreate_takes_nothing_else_with_it(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """What depends on a table that is to be replaced stops the run; it is never dropped along."""
    source = lite("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
    with connect(postgres_database) as raw:
        raw.execute("CREATE TABLE t (id bigint); CREATE VIEW depends AS SELECT id FROM t")
    with pytest.raises(TransferError, match="cannot replace the table t"):
        run_transfer(plan_transfer(source, postgres_database), recreate=True)
    assert asked(postgres_database, "SELECT count(*) FROM depends") == [0]


def test_create_only_then_fill(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Tables made beforehand stay empty until a second run fills them, keys and all."""
    source = lite(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (7);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p); INSERT INTO c VALUES (1, 7)"
    )
    _, made = move(source, postgres_database, create_only=True)
    assert made.rows == 0
    assert asked(postgres_database, "SELECT count(*) FROM p") == [0]
    _, filled = move(source, postgres_database)
    assert (filled.rows, filled.verified) == (2, True)


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_the_source_is_not_touched(journal: str, lite: Maker, postgres_database: DatabaseConfig) -> None:
    """The file's bytes and its directory are the same afterwards, in WAL mode too."""
    source = lite(f"PRAGMA journal_mode = {journal}; CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    path = Path(source.sqlite_path)
    before = (hashlib.sha256(path.read_bytes()).hexdigest(), sorted(os.listdir(path.parent)))
    move(source, postgres_database)
    assert (hashlib.sha256(path.read_bytes()).hexdigest(), sorted(os.listdir(path.parent))) == before


def test_a_log_that_is_in_use_is_read_and_left(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Rows that stand only in another program's log arrive, and the log is not written back into the file."""
    source = lite("PRAGMA journal_mode = wal; CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    path = Path(source.sqlite_path)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("INSERT INTO t VALUES (2)")
        raw.commit()
        before = hashlib.sha256(path.read_bytes()).hexdigest()
        _, report = move(source, postgres_database)
        assert (report.rows, report.verified) == (2, True)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == before
