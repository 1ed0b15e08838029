"""The mover's own connections to both ends, and the lock that lets one mover at a time work on a file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import perf_counter, sleep
from typing import Any

from ..errors import SwitchAborted

__all__ = ["begin_at_once", "checkpoint", "is_on_network", "open_source", "sole_mover"]

_BUSY_SECONDS = 30.0
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs", "lustre", "afs"}
)
_SPIN = 0.0002


def open_source(path: str) -> sqlite3.Connection:
    """A connection of the mover's own to a file that the app has open.

    The file is opened through SQLite alone: whoever opens and closes it by other means in this process takes away the
    locks of the app's own connections, which belong to the process as a whole.
    """
    raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
    raw.execute("PRAGMA synchronous = FULL")
    raw.execute("PRAGMA foreign_keys = OFF")  # what cascades has been done by whoever wrote
    raw.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return raw


def checkpoint(raw: sqlite3.Connection) -> None:
    """Bring the write-ahead log into the file, as far as readers allow.

    While somebody reads for long the log grows, and the first writer to commit afterwards would do all of this work
    within its commit. Whoever has read for long does it instead; writers go on meanwhile.
    """
    raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def begin_at_once(raw: sqlite3.Connection, patience: float) -> None:
    """``BEGIN IMMEDIATE`` among writers at full load.

    SQLite's own waiting sleeps longer and longer and would starve; this asks several times a millisecond, so that it
    comes in between two of the others' transactions.
    """
    deadline = perf_counter() + patience
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not (error.sqlite_errorname or "").startswith("SQLITE_BUSY"):
                    raise
                if perf_counter() > deadline:
                    raise SwitchAborted(
                        f"the database stayed locked: a transaction that writes has not ended for {patience:g} s"
                    ) from error
            sleep(_SPIN)
    finally:
        raw.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")


@contextmanager
def sole_mover(path: str) -> Iterator[None]:
    """Hold the right to move the data of the file at `path`; it ends with the process at the latest.

    Raises `SwitchAborted` if another process has it.
    """
    try:
        import fcntl
    except ImportError:  # Windows: two movers at a time are told apart by their tokens only
        yield
        return
    name = f"{os.path.realpath(path)}-dbadapter-switch"
    while True:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SwitchAborted(
                    "another process is moving this database at the moment; wait for it to end"
                ) from None
            if not _is_named(descriptor, name):
                continue  # whoever had it before has taken the file away meanwhile
            try:
                yield
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(name)
            return
        finally:
            os.close(descriptor)


def _is_named(descriptor: int, name: str) -> bool:
    """Whether the file that is open is the one of that name still."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.stat(name))
    return False


def is_on_network(path: str, mounted: str = "/proc/self/mounts") -> str | None:
    """The kind of network file system that `path` is on; None if it is on a disk of this machine or nobody knows."""
    try:
        with open(mounted, encoding="utf-8", errors="replace") as file:
            mounts: list[Any] = [line.split(" ")[1:3] for line in file]
    except OSError:
        return None
    real = os.path.realpath(path)
    holding = [
        (len(where), kind)
        for where, kind in mounts
        if real == where or real.startswith(where.rstrip("/") + "/")
    ]
    kind = str(max(holding)[1]) if holding else ""
    return kind if kind in _NETWORK else None
