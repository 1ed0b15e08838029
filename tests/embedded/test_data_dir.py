"""A directory of one's own: kept, opened again, locked, refused with the reason."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from dbadapter.embedded import EmbeddedPostgres
from dbadapter.embedded._account import Account
from dbadapter.errors import ConfigError, DatabaseUnavailable
from tests.embedded.hosts import environment_for, gone, hosted
from tests.embedded.test_server import ask


def test_data_is_kept_in_any_directory(tmp_path: Path) -> None:
    """Data survives the process in a directory with an awkward name; it is forced to the disk."""
    place = tmp_path / "new" / 'it\'s a "dïrectory" \\ 🦉 $HOME %n'
    with EmbeddedPostgres(place) as server:
        assert ask(server.url, "SHOW fsync") == "on"
        assert server.pgdata.is_relative_to(place)
        ask(server.url, "CREATE TABLE t AS SELECT 42 AS x")
        identity = ask(server.url, "SELECT system_identifier FROM pg_control_system()")
        data = server.pgdata
    assert data.is_dir()
    assert not (data / "postmaster.pid").exists()  # it was shut down properly
    with EmbeddedPostgres(str(place), password="another") as server:
        assert ask(server.url, "SELECT x FROM t") == 42
        assert ask(server.url, "SELECT system_identifier FROM pg_control_system()") == identity
        assert server.config.pool.password == "another"


@pytest.fixture(scope="module")
def made(quick_path: Path) -> Path:
    """A directory with a table ``t`` in it, not in use."""
    place = quick_path / "made"
    with EmbeddedPostgres(place) as server:
        ask(server.url, "CREATE TABLE t AS SELECT 42 AS x")
    return place


def test_a_killed_host_can_be_replaced_at_once(made: Path) -> None:
    """After kill -9 of the host the next process waits for the old server to end, and opens the data."""
    with hosted({"data_dir": str(made)}) as host:
        family = host.family
        ask(host.told["url"], "INSERT INTO t VALUES (43)")
        host.process.kill()
        with EmbeddedPostgres(made) as server:
            assert ask(server.url, "SELECT max(x) FROM t") == 43
        assert gone(family)
    assert Path(host.told["data"]).is_dir()


def test_a_directory_in_use_is_refused(made: Path) -> None:
    """Two servers on one directory would destroy it: the second is told who has the first."""
    with hosted({"data_dir": str(made)}) as host:
        with pytest.raises(DatabaseUnavailable, match=f"in use by another.*{host.process.pid}"):
            EmbeddedPostgres(made).start()
        assert ask(host.told["url"], "SELECT 1") == 1
        host.process.communicate("")
    with EmbeddedPostgres(made) as server:
        with pytest.raises(DatabaseUnavailable, match=f"in use by another.*{os.getpid()}"):
            EmbeddedPostgres(made).start()
        assert ask(server.url, "SELECT 1") == 1


def test_a_server_that_something_else_runs_there_is_refused(made: Path) -> None:
    """A live server that nobody of ours started is not disturbed."""
    with hosted({"data_dir": str(made)}) as host:
        (made / "cluster.lock").unlink()  # as if it were not ours: the lock tells nothing any more
        with pytest.raises(DatabaseUnavailable, match=f"already runs.*{host.told['pid']}"):
            EmbeddedPostgres(made).start()
        assert ask(host.told["url"], "SELECT 1") == 1
        family = host.family
        host.process.communicate("")
        assert gone(family)


@pytest.mark.parametrize("owner", ["nobody alive", "a stranger", "unreadable"])
def test_a_stale_pid_file_does_not_prevent_a_start(made: Path, owner: str) -> None:
    """After a crash the pid file names a process that is gone, or a number that a stranger has now."""
    with EmbeddedPostgres(made) as server:
        data, account = server.pgdata, server._node.account
        content = (data / "postmaster.pid").read_text().splitlines()
        server.kill()
    user: dict[str, Any] = {} if account is None else {"user": account.uid, "group": account.gid}
    stranger = subprocess.Popen(["sleep", "60"], cwd="/", **user)
    try:
        if owner == "nobody alive":
            stranger.kill()
            stranger.wait()
        content[0] = str(stranger.pid)
        (data / "postmaster.pid").write_text("" if owner == "unreadable" else "\n".join(content) + "\n")
        with EmbeddedPostgres(made) as server:
            assert ask(server.url, "SELECT min(x) FROM t") == 42
        assert psutil.pid_exists(stranger.pid) == (owner != "nobody alive")
    finally:
        stranger.kill()
        stranger.wait()


def test_an_interrupted_creation_is_begun_again(tmp_path: Path) -> None:
    """A host killed while it made the directory leaves nothing that hinders the next one."""
    program = (
        "import sys\nfrom dbadapter.embedded import EmbeddedPostgres\nEmbeddedPostgres(sys.argv[1]).start()"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "d")], env=environment_for())
    unfinished = tmp_path / "d" / "node0.new" / "PG_VERSION"
    while not unfinished.exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert unfinished.exists()
    with EmbeddedPostgres(tmp_path / "d") as server:
        assert ask(server.url, "SELECT 1") == 1
    assert not unfinished.exists()


def test_directories_that_are_not_ours(tmp_path: Path, made: Path) -> None:
    """A file, other files, another tool's or version's directory: refused, untouched, with a hint."""
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(ConfigError, match="is not a directory"):
        EmbeddedPostgres(file).start()
    with pytest.raises(ConfigError, match=r"not empty.*'file'"):
        EmbeddedPostgres(tmp_path).start()
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "PG_VERSION").write_text("15\n")
    with pytest.raises(ConfigError, match=r"itself a data directory.*pg_dump"):
        EmbeddedPostgres(foreign).start()
    version = made / "node0" / "PG_VERSION"
    present = version.read_text()
    version.write_text("15\n")
    try:
        with pytest.raises(ConfigError, match=r"made by PostgreSQL 15.*18"):
            EmbeddedPostgres(made).start()
    finally:
        version.write_text(present)
    state = made / "cluster.json"
    present = state.read_text()
    state.write_text("{")
    try:
        with pytest.raises(ConfigError, match="damaged"):
            EmbeddedPostgres(made).start()
    finally:
        state.write_text(present)
    with EmbeddedPostgres(made) as server:
        assert ask(server.url, "SELECT min(x) FROM t") == 42


@pytest.mark.parametrize("kept", [False, True])
def test_a_disk_that_is_full(tmp_path: Path, kept: bool) -> None:
    """When files cannot be written the error says so, and nothing temporary is left."""
    program = (
        "import resource, sys, tempfile\n"
        "from dbadapter.embedded import EmbeddedPostgres\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "EmbeddedPostgres(sys.argv[1] or None).start()"
    )
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    tmp_path.chmod(0o755)
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "d") if kept else ""],
        env=environment_for({"TMPDIR": str(temporary)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 200_000
    assert "dbadapter.errors.DatabaseUnavailable" in result.stderr
    assert "too large" in result.stderr
    assert list(temporary.iterdir()) == []


def test_a_directory_that_cannot_be_written(plain_user: Account, plain_python: str) -> None:
    """A plain user who points at someone else's place is told so."""
    program = "from dbadapter.embedded import EmbeddedPostgres\nEmbeddedPostgres('/usr/share/mine').start()"
    result = subprocess.run(
        [plain_python, "-c", program],
        env=environment_for({"HOME": "/nonexistent"}),
        capture_output=True,
        text=True,
        check=False,
        user=plain_user.uid,
        group=plain_user.gid,
        extra_groups=[],
    )
    assert "dbadapter.errors.DatabaseUnavailable" in result.stderr
    assert "/usr/share/mine" in result.stderr


def test_root_opens_a_plain_users_directory(
    plain_user: Account, plain_python: str, plain_directory: Path
) -> None:
    """Root runs a server on a plain user's directory as that user; another plain user is refused."""
    place = plain_directory / "data"
    home = {"HOME": str(plain_directory)}
    with hosted({"data_dir": str(place)}, python=plain_python, account=plain_user, environment=home) as host:
        ask(host.told["url"], "CREATE TABLE t AS SELECT 42 AS x")
        host.process.communicate("")
    with EmbeddedPostgres(place) as server:
        assert ask(server.url, "SELECT x FROM t") == 42
        assert psutil.Process(server.pid).uids().real == plain_user.uid
    other = Account(plain_user.uid - 1, plain_user.gid)
    plain_directory.chmod(0o755)
    with pytest.raises(RuntimeError, match=f"belongs to user id {plain_user.uid}"):
        hosted({"data_dir": str(place)}, python=plain_python, account=other, environment=home).__enter__()
