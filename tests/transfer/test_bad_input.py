"""Bad files and faults in mid-copy: one clear line, and the source as it was."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from dbadapter import DatabaseConfig
from dbadapter.errors import DatabaseAdapterError, DatabaseUnavailable, TransferError
from dbadapter.transfer import plan_transfer, run_transfer

from .conftest import Maker
from .moving import asked, connect, move

NOBODY = 65534


def said(source: DatabaseConfig, target: DatabaseConfig) -> str:
    """The one line with which planning fails."""
    with pytest.raises(DatabaseAdapterError) as caught:
        plan_transfer(source, target)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_files_that_are_no_database(tmp_path: Path, postgres_database: DatabaseConfig) -> None:
    """A wrong path, a directory, a text file and an encrypted one are told apart from a database."""
    text, noise = tmp_path / "text.db", tmp_path / "noise.db"
    text.write_text("not a database at all, but long enough to look at")
    noise.write_bytes(hashlib.sha256(b"seed").digest() * 200)
    for path, words in (
        (tmp_path / "missing.db", "there is no file"),
        (tmp_path, "is a directory"),
        (text, "is not an SQLite database (or it is encrypted)"),
        (noise, "is not an SQLite database (or it is encrypted)"),
    ):
        line = said(DatabaseConfig(sqlite_path=str(path)), postgres_database)
        assert words in line
        assert str(path) in line
    assert not (tmp_path / "missing.db").exists()


def test_a_damaged_page(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """A page that cannot be read is said so, with what may help; the file stays as it is."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", {"t": [(n, "x" * 500) for n in range(500)]}
    )
    path = Path(source.sqlite_path)
    data = bytearray(path.read_bytes())
    data[4096 * 5 : 4096 * 6] = b"\xff" * 4096
    path.write_bytes(data)
    line = said(source, postgres_database)
    assert "damaged" in line
    assert ".recover" in line
    assert path.read_bytes() == bytes(data)


def test_no_rights(lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path) -> None:
    """A file that may not be read, and a server that lets nobody in, are said so without a password."""
    source = lite("CREATE TABLE t (x)")
    os.chmod(source.sqlite_path, 0)
    code = (
        "import sys\nfrom dbadapter.errors import DatabaseUnavailable\nfrom dbadapter.config import DatabaseConfig\n"
        "from dbadapter.transfer._endpoints import sqlite_source\n"
        + ("import os; os.setuid(65534)\n" if os.geteuid() == 0 else "")
        + "try:\n    with sqlite_source(DatabaseConfig(sqlite_path=sys.argv[1])): print('read')\n"
        "except DatabaseUnavailable as error: print(error)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, source.sqlite_path],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert "Permission denied" in found.stdout or "cannot" in found.stdout
    os.chmod(source.sqlite_path, 0o600)
    wrong = attrs.evolve(
        postgres_database, pool=attrs.evolve(postgres_database.pool, password="wrong-secret")
    )
    line = said(source, wrong)
    assert "authentication" in line
    assert "wrong-secret" not in line


def test_the_target_goes_away(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """A connection cut in mid-copy is one line; what was committed stays, and resume finishes the rest."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", {"t": [(n, "x" * 800) for n in range(1, 15_001)]}
    )
    plan = plan_transfer(source, postgres_database)
    cut: list[int] = []

    def progress(phase: str, table: str, rows: int, total: int) -> None:
        if phase == "copy" and rows > 8_000 and not cut:
            cut.append(rows)
            with connect(postgres_database) as raw:
                raw.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND application_name = 'dbadapter transfer'"
                )

    with pytest.raises(DatabaseUnavailable) as caught:
        run_transfer(plan, progress=progress)
    assert "copying t stopped" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert run_transfer(plan, resume=True).verified
    assert asked(postgres_database, "SELECT count(*) FROM t") == [15_000]


def test_the_servers_disk_is_full(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """When the server has no room left the run stops with its words, and rejects no row for it."""
    source = lite("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'x')")
    move(source, postgres_database, create_only=True)
    with connect(postgres_database) as raw:
        raw.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;"
            "CREATE TRIGGER full_disk BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
    with pytest.raises(DatabaseUnavailable, match="No space left on device"):
        move(source, postgres_database)
    assert asked(postgres_database, "SELECT count(*) FROM _dbadapter_rejects") == [0]


FULL = """
import resource, sys
from dbadapter.errors import DatabaseAdapterError
from dbadapter.transfer import plan_transfer, run_transfer

plan = plan_transfer(sys.argv[1], sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    run_transfer(plan)
except DatabaseAdapterError as error:
    print(error)
"""


def test_no_room_for_the_sqlite_file(lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path) -> None:
    """When the file cannot grow any more, that is one line; Postgres is only read."""
    from .test_interrupted import url

    rows = {"t": [(n, "x" * 1000) for n in range(1, 5001)]}
    move(lite("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", rows), postgres_database)
    target = DatabaseConfig(sqlite_path=str(tmp_path / "small.db"))
    found = subprocess.run(
        [sys.executable, "-c", FULL, url(postgres_database), url(target)],
        capture_output=True, text=True, check=True, env=os.environ,
    )  # fmt: skip
    assert "small.db" in found.stdout or "copying t stopped" in found.stdout
    assert found.stdout.count("\n") == 1
    assert asked(postgres_database, "SELECT count(*) FROM t") == [5000]


def test_an_encoding_that_cannot_hold_text(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """A target database that is not UTF-8 is refused before anything is written, with what to do."""
    with connect(postgres_database) as raw:
        raw.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        latin: Any = attrs.evolve(
            postgres_database, pool=attrs.evolve(postgres_database.pool, database="latin")
        )
        with pytest.raises(TransferError, match="LATIN1"):
            plan_transfer(lite("CREATE TABLE t (x)"), latin)
    finally:
        with connect(postgres_database) as raw:
            raw.execute("DROP DATABASE latin WITH (FORCE)")


def test_a_file_that_is_locked(
    lite: Maker, monkeypatch: pytest.MonkeyPatch, postgres_database: DatabaseConfig
) -> None:
    """A file that another program holds exclusively is said to be in use."""
    from dbadapter.transfer import _endpoints

    monkeypatch.setattr(_endpoints, "_BUSY_SECONDS", 0.05)
    source = lite("CREATE TABLE t (x)")
    with closing(sqlite3.connect(source.sqlite_path, isolation_level=None)) as raw:
        raw.execute("BEGIN EXCLUSIVE")
        assert "another program is writing" in said(source, postgres_database)
