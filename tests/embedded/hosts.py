"""Programs that host an `EmbeddedPostgres` in a process of their own, to be ended in every way there is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from attrs import define

import dbadapter
from dbadapter.embedded._account import Account, can_enter, server_account
from tests.servers import TEMP_DIR

SOURCE = Path(dbadapter.__file__).parents[1]
SITE_PACKAGES = [entry for entry in sys.path if entry.endswith("site-packages")]

# Starts a server as the arguments say, tells about it, does `then`, and lives on until its input ends.
PROGRAM = """
import json, os, sys
from dbadapter.embedded import EmbeddedPostgres
pg = EmbeddedPostgres(**json.loads(sys.argv[1])).start()
print(json.dumps({{
    "url": pg.url, "pid": pg.pid, "data": str(pg.pgdata), "sockets": str(pg.socket_dir),
    "supervisor": pg._cluster.guard._process.pid,
    "replicas": [replica.pid for replica in pg.replicas], "euid": os.geteuid(),
}}), flush=True)
{then}
sys.stdin.read()
"""


@define(eq=False)
class Host:
    """A running program and what it told about its server."""

    process: subprocess.Popen[str]
    told: dict[str, Any]

    @property
    def family(self) -> list[psutil.Process]:
        """Every process of the server, its replicas and their supervisor."""
        supervisor = psutil.Process(self.told["supervisor"])
        return [supervisor, *supervisor.children(recursive=True)]


@contextmanager
def hosted(
    arguments: Mapping[str, Any] | None = None,
    *,
    then: str = "",
    python: str = sys.executable,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Host]:
    """A program with an embedded server, killed at the end if it still runs.

    Args:
        arguments: of `EmbeddedPostgres`.
        then: Python code that the program runs when the server is up, with ``pg`` in sight.
        python: the interpreter.
        account: who runs it.
        environment: more of it.
    """
    user: dict[str, Any] = {}
    if account is not None:
        user = {"user": account.uid, "group": account.gid, "extra_groups": []}
    process = subprocess.Popen(
        [python, "-c", PROGRAM.format(then=then), json.dumps({"temp_dir": TEMP_DIR, **(arguments or {})})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment_for(environment),
        cwd="/",
        **user,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the host did not start: {process.communicate(timeout=30)[1]}")
        yield Host(process, json.loads(line))
    finally:
        process.kill()
        process.communicate()


def environment_for(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program that can import what we can."""
    path = os.pathsep.join([str(SOURCE), *SITE_PACKAGES])
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **(more or {})}


def gone(processes: list[psutil.Process], *paths: str, timeout: float = 40.0) -> bool:
    """Wait until processes and paths are gone; False when time is up."""
    until = time.monotonic() + timeout
    while any(_alive(process) for process in processes) or any(os.path.exists(path) for path in paths):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def _alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that has ended may be listed until its parent, which is not ours, takes note."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def plain_user() -> Account:
    """An account without rights, when we are root ourselves."""
    account = server_account()
    if account is None:
        pytest.skip("not root: every other test runs as a plain user already")
    return account


@pytest.fixture
def plain_python(plain_user: Account) -> str:
    """An interpreter like ours that the plain user can run, with our packages in its reach."""
    if not all(can_enter(Path(place), plain_user) for place in (str(SOURCE), *SITE_PACKAGES)):
        pytest.skip("the packages lie where only root can read them")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, shutil.which(version, path="/usr/bin:/usr/local/bin")):
        if candidate and can_enter(Path(candidate).resolve().parent, plain_user):
            return candidate
    pytest.skip(f"no {version} that a plain user can run")


@pytest.fixture
def plain_directory(plain_user: Account) -> Iterator[Path]:
    """A directory of the plain user's own."""
    with tempfile.TemporaryDirectory(prefix="plain-") as name:
        plain_user.own(Path(name))
        yield Path(name)
