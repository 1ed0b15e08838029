"""What may be wrong with an SQLite file."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.doctor import Surroundings, diagnose
from tests.doctor.conftest import codes, judged


@pytest.fixture
def config(sqlite_database: DatabaseConfig) -> DatabaseConfig:
    """A sound file with a table of a thousand rows."""
    with DatabaseAdapter(sqlite_database) as adapter:
        adapter.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        adapter.execute("CREATE INDEX by_text ON t (text)")
        adapter.insert_many("t", ((n, f"text {n} " * 10) for n in range(1000)))
    return sqlite_database


def path_of(config: DatabaseConfig) -> Path:
    """The file."""
    return Path(config.sqlite_path)


def test_a_sound_file(config: DatabaseConfig) -> None:
    """A file that an adapter made is sound, and is not touched."""
    before = path_of(config).read_bytes()
    report = diagnose(config)
    assert judged(config, report) == ()
    assert {"integrity", "journal", "sqlite-version"} <= {finding.code for finding in report.findings}
    assert path_of(config).read_bytes() == before


def test_in_memory() -> None:
    """There is nothing to be found about a database in memory."""
    assert codes(DatabaseConfig(sqlite_path=":memory:")) == ()


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there is a warning, and is not made."""
    path = tmp_path / "deeper" / "no.db"
    assert codes(DatabaseConfig(sqlite_path=str(path))) == ("file-missing",)
    assert not path.parent.exists()


def test_a_directory(tmp_path: Path) -> None:
    """A directory is no file."""
    assert codes(DatabaseConfig(sqlite_path=str(tmp_path))) == ("not-a-file",)


def test_an_empty_file(tmp_path: Path) -> None:
    """An empty file is an empty database."""
    (tmp_path / "empty.db").touch()
    assert codes(DatabaseConfig(sqlite_path=str(tmp_path / "empty.db"))) == ()


def test_no_database(tmp_path: Path) -> None:
    """Any other content is not taken for one."""
    (tmp_path / "x.db").write_bytes(b"PK\x03\x04 something else, or encrypted" * 100)
    assert codes(DatabaseConfig(sqlite_path=str(tmp_path / "x.db"))) == ("not-a-database",)


@pytest.mark.parametrize("place", ["page", "end"])
def test_a_damaged_file(config: DatabaseConfig, place: str) -> None:
    """A page overwritten, or the end of the file lost."""
    path = path_of(config)
    with path.open("r+b") as file:
        if place == "page":
            file.seek(5 * 4096)
            file.write(b"\xa5" * 4096)
        else:
            file.truncate(path.stat().st_size - 3 * 4096)
    assert codes(config) == ("damaged",)


def test_a_locked_file(config: DatabaseConfig) -> None:
    """Another process in the middle of a write: it is named where the system tells."""
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, config.sqlite_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        report = diagnose(config)
        other.communicate("")
    assert judged(config, report) == ("locked",)
    if Path("/proc/self/fd").exists():
        assert f"process {other.pid}" in report.errors[0].text


def test_a_file_locked_for_reading_too(config: DatabaseConfig) -> None:
    """An exclusive lock, under which nobody may even read, is a lock and no damage."""
    with closing(sqlite3.connect(config.sqlite_path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        assert diagnose(config, Surroundings(timeout=0.1)).codes == ("locked",)


def test_not_wal(config: DatabaseConfig) -> None:
    """A file in the old journal mode."""
    with closing(sqlite3.connect(config.sqlite_path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    report = diagnose(config)
    assert judged(config, report) == ("not-wal",)
    assert report.healthy


def test_orphans(config: DatabaseConfig) -> None:
    """Rows that refer to nothing, with their number."""
    with closing(sqlite3.connect(config.sqlite_path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES t (id))")
        connection.execute("INSERT INTO child VALUES (1, 5), (2, 5000), (3, 6000)")
    report = diagnose(config)
    assert judged(config, report) == ("orphans",)
    assert "child (2)" in report.warnings[0].text


def test_a_log_that_is_never_cleared(config: DatabaseConfig) -> None:
    """A log that has outgrown its database, because somebody reads without end."""
    log = path_of(config).with_name("app.db-wal")
    with DatabaseAdapter(config) as adapter:
        adapter.execute("INSERT INTO t VALUES (5000, 'x')")
        with log.open("r+b") as file:
            file.truncate(65 * 1024 * 1024)  # a hole: it takes no room
        assert codes(config) == ("log-grown",)


def test_a_full_disk(config: DatabaseConfig) -> None:
    """A disk with less room than is thought to be scarce."""
    report = diagnose(config, Surroundings(scarce_bytes=2**62))
    assert judged(config, report) == ("disk-full",)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_a_network_share(config: DatabaseConfig, tmp_path: Path, kind: str) -> None:
    """A file on a share; a local disk mounted inside the share is none."""
    share = path_of(config).parent
    mounts = tmp_path / "mountinfo"
    line = "36 35 98:0 / {} rw,noatime shared:1 - {} server:/export rw\n"
    mounts.write_text(line.format("/", "ext4") + line.format(str(share).replace(" ", "\\040"), kind))
    assert diagnose(config, Surroundings(mounts=mounts)).codes == ("network-share",)
    mounts.write_text(line.format("/", kind) + line.format(share, "ext4"))
    assert diagnose(config, Surroundings(mounts=mounts)).codes == ()


def test_no_rights(config: DatabaseConfig) -> None:
    """A file, or a directory, that this user may not write."""
    path = path_of(config)
    assert _codes_as_nobody(config, path, stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH) == "no-write-right"
    assert _codes_as_nobody(config, path, 0) == "no-read-right"
    path.chmod(0o666)
    assert _codes_as_nobody(config, path.parent, 0o555) == "no-write-right"
    missing = attrs.evolve(config, sqlite_path=str(path.parent / "new.db"))
    assert _codes_as_nobody(missing, path.parent, 0o555) == "no-write-right"


def _codes_as_nobody(config: DatabaseConfig, path: Path, mode: int) -> str:
    """What a user without special rights is told while `path` has these permissions."""
    before = path.stat().st_mode
    for parent in path.parents:  # pytest's own directories are for their owner only
        if parent.stat().st_uid == os.getuid() and parent.stat().st_mode & 0o077 == 0:
            parent.chmod(0o711)
    path.chmod(mode)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.write(writing, ",".join(diagnose(config).codes).encode())
        finally:
            os._exit(0)
    os.close(writing)
    try:
        os.waitpid(child, 0)
        with os.fdopen(reading) as pipe:
            return pipe.read()
    finally:
        path.chmod(before)
