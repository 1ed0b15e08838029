"""A disk that is really full, on either side: a small file system of the test's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dbadapter import DatabaseConfig
from dbadapter.errors import DatabaseAdapterError, DatabaseUnavailable
from dbadapter.transfer import plan_transfer, run_transfer

from .conftest import Maker
from .moving import asked, connect, content

ROWS = {"t": [(number, "x" * 1000) for number in range(1, 6001)]}
SCRIPT = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)"


def _as_root(*words: str) -> bool:
    """Run a program as root, by sudo where that asks no password; whether it did."""
    if os.name != "posix" or (os.geteuid() != 0 and shutil.which("sudo") is None):
        return False
    command = [*([] if os.geteuid() == 0 else ["sudo", "-n"]), *words]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A directory with 3 MB of room, where a server that runs as somebody else finds it."""
    directory = Path(tempfile.mkdtemp(prefix="dbadapter-small-"))
    owner = f"uid={os.getuid()},gid={os.getgid()}" if os.name == "posix" else ""
    if not _as_root("mount", "-t", "tmpfs", "-o", f"size=3m,mode=0777,{owner}", "tmpfs", str(directory)):
        directory.rmdir()
        pytest.skip("missing: a small file system can be mounted by root only")
    try:
        yield directory
    finally:
        assert _as_root("umount", "-l", str(directory))
        directory.rmdir()


def test_the_sqlite_files_disk_is_full(
    lite: Maker, postgres_database: DatabaseConfig, small_disk: Path
) -> None:
    """The way back stops with one line; Postgres has everything still, and elsewhere there is room."""
    source = lite(SCRIPT, ROWS)
    run_transfer(plan_transfer(source, postgres_database))
    full = DatabaseConfig(sqlite_path=str(small_disk / "back.db"))
    with pytest.raises(DatabaseAdapterError) as caught:
        run_transfer(plan_transfer(postgres_database, full))
    assert "full" in str(caught.value)
    assert "\n" not in str(caught.value)
    elsewhere = DatabaseConfig(sqlite_path=source.sqlite_path + ".back")
    assert run_transfer(plan_transfer(postgres_database, elsewhere)).verified
    assert content(elsewhere).rows == content(source).rows


def test_the_servers_disk_is_full(lite: Maker, postgres_database: DatabaseConfig, small_disk: Path) -> None:
    """The copy stops with the server's words, nothing is rejected for it, and with more room it goes on."""
    source = lite(SCRIPT, ROWS)
    digest = hashlib.sha256(Path(source.sqlite_path).read_bytes()).hexdigest()
    with connect(postgres_database) as raw:
        data = raw.execute("SHOW data_directory").fetchone()
        assert data
        owner = os.stat(data[0])
        os.chown(small_disk, owner.st_uid, owner.st_gid)
        raw.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'".encode())
    try:
        with connect(postgres_database) as raw:
            raw.execute(
                f"ALTER DATABASE {postgres_database.pool.database} SET default_tablespace = small".encode()
            )
        with pytest.raises(DatabaseUnavailable, match="No space left on device") as caught:
            run_transfer(plan_transfer(source, postgres_database))
        assert "\n" not in str(caught.value)
        assert asked(postgres_database, "SELECT count(*) FROM _dbadapter_rejects") == [0]
        assert _as_root("mount", "-o", "remount,size=40m", str(small_disk))
        report = run_transfer(plan_transfer(source, postgres_database, profile=False), resume=True)
        assert report.verified
        assert report.rows == 6000
        assert hashlib.sha256(Path(source.sqlite_path).read_bytes()).hexdigest() == digest
    finally:
        _give_up_tablespace(postgres_database)


def _give_up_tablespace(database: DatabaseConfig) -> None:
    with connect(database) as raw:
        raw.execute(f"ALTER DATABASE {database.pool.database} RESET default_tablespace".encode())
    with connect(database) as raw:
        names = raw.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            raw.execute(f'DROP TABLE "{name}" CASCADE'.encode())
        try:
            raw.execute("DROP TABLESPACE small")
        except psycopg.Error:
            raw.execute("CHECKPOINT")  # files of dropped tables go away with it
            raw.execute("DROP TABLESPACE small")
